"""A reader of Green Button files that shares nothing with the writer: it finds its way by the links, as clients do."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from xml.etree import ElementTree as ET

ATOM, ESPI = "{http://www.w3.org/2005/Atom}", "{http://naesb.org/espi}"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Interval(NamedTuple):
    start_s: int
    duration_s: int
    value: int
    cost: int | None
    qualities: tuple[int, ...]


class Block(NamedTuple):
    start_s: int
    duration_s: int
    readings: list[Interval]


class Series(NamedTuple):
    kind: dict[str, int]
    blocks: list[Block]

    @property
    def readings(self) -> list[Interval]:
        return [reading for block in self.blocks for reading in block.readings]


class GreenButton:
    """A file as its reader understands it."""

    def __init__(self, raw: bytes) -> None:
        self.root = ET.fromstring(raw)
        self.entries = self.root.findall(f"{ATOM}entry")
        self.ids = [entry.findtext(f"{ATOM}id", "") for entry in self.entries]
        blocks = self._of("IntervalBlock")
        kinds = {_links(entry, "self")[0]: resource for entry, resource in self._of("ReadingType")}
        self.series = []
        for entry, _ in self._of("MeterReading"):
            related = _links(entry, "related")
            kind = next(kinds[link] for link in related if link in kinds)
            own = [_block(resource) for block, resource in blocks if set(_links(block, "up")) & set(related)]
            numbers = {each.tag.removeprefix(ESPI): int(each.text or "") for each in kind if len(each) == 0}
            self.series.append(Series(numbers, own))

    def only(self, name: str) -> ET.Element:
        """The one resource of this name."""
        ((_, resource),) = self._of(name)
        return resource

    def number(self, resource: str, path: str) -> int:
        text = self.only(resource).findtext("/".join(ESPI + part for part in path.split("/")))
        assert text is not None
        return int(text)

    def contents(self) -> list[ET.Element]:
        return [child for entry in self.entries for child in entry.findall(f"{ATOM}content/*")]

    def _of(self, name: str) -> list[tuple[ET.Element, ET.Element]]:
        found = ((entry, entry.find(f"{ATOM}content/{ESPI}{name}")) for entry in self.entries)
        return [(entry, resource) for entry, resource in found if resource is not None]


class Clock:
    """A zone's time, from its LocalTimeParameters as ESPI explains them."""

    def __init__(self, told: ET.Element) -> None:
        self._tz_s, self._dst_s = (int(told.findtext(ESPI + name, "")) for name in ("tzOffset", "dstOffset"))
        self._rules = [int(told.findtext(ESPI + name, ""), 16) for name in ("dstStartRule", "dstEndRule")]

    def offset_s(self, instant_s: int) -> int:
        """Its offset from UTC at an instant."""
        if 0xFFFFFFFF in self._rules:
            return self._tz_s
        year = (EPOCH + timedelta(seconds=instant_s + self._tz_s)).year
        start_s, end_s = ((wall(rule, year) - EPOCH) // timedelta(seconds=1) for rule in self._rules)
        assert start_s < end_s, "the end of the rule comes after its start"
        within = start_s - self._tz_s <= instant_s < end_s - self._tz_s - self._dst_s
        return self._tz_s + self._dst_s if within else self._tz_s


@cache
def wall(rule: int, year: int) -> datetime:
    """When a rule says that the clock changes, as the clock shows it before."""
    seconds, hours, weekday, day = rule & 0xFFF, rule >> 12 & 31, rule >> 17 & 7, rule >> 20 & 31
    operator, month = rule >> 25 & 7, rule >> 28
    date = datetime(year, month, 1, tzinfo=UTC)
    if operator == 0:
        date = date.replace(day=day)
    elif operator == 1:
        date = next(
            date.replace(day=day) + timedelta(days=ahead)
            for ahead in range(7)
            if (date.replace(day=day) + timedelta(days=ahead)).isoweekday() == weekday
        )
    else:
        days = [date + timedelta(days=ahead) for ahead in range(31)]
        fit = [each for each in days if each.month == month and each.isoweekday() == weekday]
        date = fit[-1] if operator == 7 else fit[operator - 2]
    return date + timedelta(hours=hours, seconds=seconds)


def _links(entry: ET.Element, relation: str) -> list[str]:
    return [link.get("href", "") for link in entry.findall(f"{ATOM}link") if link.get("rel") == relation]


def _block(resource: ET.Element) -> Block:
    readings = [
        Interval(
            int(each.findtext(f"{ESPI}timePeriod/{ESPI}start", "")),
            int(each.findtext(f"{ESPI}timePeriod/{ESPI}duration", "")),
            int(each.findtext(f"{ESPI}value", "")),
            None if (cost := each.findtext(f"{ESPI}cost")) is None else int(cost),
            tuple(int(quality.text or "") for quality in each.findall(f"{ESPI}ReadingQuality/{ESPI}quality")),
        )
        for each in resource.findall(f"{ESPI}IntervalReading")
    ]
    start, duration = (int(resource.findtext(f"{ESPI}interval/{ESPI}{name}", "")) for name in ("start", "duration"))
    return Block(start, duration, readings)
