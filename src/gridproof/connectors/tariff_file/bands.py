"""Reading time bands, and finding two that hold at once."""

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from gridproof.domain.tariff import MAX_BANDS

from .plan import MINUTES_PER_DAY, BandPlan, TimeBands, Window
from .table import PRICE, Table

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MAX_WINDOWS: Final = 128  # of a channel
MAX_TIMES: Final = 60  # of the day at which bands change: 60 in each of 32 days stay below the ledger's 2,000 switches
_TIMES: Final = ("days", "months", "from", "to")
_DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class _Stretch(NamedTuple):
    """Minutes of a day in which a band holds."""

    from_min: int
    to_min: int
    band: int


def read_bands(table: Table) -> TimeBands:
    """Read the bands of a channel (rules F-4 and F-5).

    Args:
        table: the channel's.
    """
    faults = table.faults
    tables = table.tables("band", MAX_BANDS)
    if not tables:
        table.fault("band", f"missing; write [[{table.place('band')}]] for each time band, one of them without times")
    bands = [_band(each) for each in tables]
    _require_names(tables, bands)
    default = _default(table, tables, bands)
    windows = [window for band in bands for window in band.windows]
    times = {minute % MINUTES_PER_DAY for window in windows for minute in (window.from_min, window.to_min)}
    if len(times) > MAX_TIMES:
        table.fault("band", f"the bands begin and end at {len(times)} times of the day; use at most {MAX_TIMES}")
    if len(windows) > MAX_WINDOWS:
        table.fault("band", f"the bands hold at {len(windows)} stretches of time; use at most {MAX_WINDOWS}")
    if table.faults == faults:  # else a stretch may not be what was meant
        _require_apart(tables, bands)
    for each in tables:
        each.end()
    return TimeBands(tuple(bands), default)


def _band(table: Table) -> BandPlan:
    """A band; its windows hold on its days and in its months, unless they say their own."""
    name, price_e5 = table.name(), table.number("price", PRICE)
    own = [word for word in _TIMES if table.has(word)]
    days, months = table.cycle("days", DAYS), table.cycle("months", MONTHS)
    tables = table.tables("window", MAX_WINDOWS)
    for word in ("from", "to"):
        if tables and word in own:
            table.fault(word, "this band has windows; give this time a window of its own")
    if not tables and own:
        return BandPlan(name, price_e5, (_window(table, days, months),))
    windows = [_window(each, each.cycle("days", DAYS, days), each.cycle("months", MONTHS, months)) for each in tables]
    for each in tables:
        each.end()
    return BandPlan(name, price_e5, tuple(windows))


def _window(table: Table, days: tuple[int, ...], months: tuple[int, ...]) -> Window:
    from_min, to_min = table.minute("from", 0), table.minute("to", MINUTES_PER_DAY)
    if from_min == to_min:
        table.fault("to", 'it is the same as from; for the whole day write from = "00:00" and to = "24:00"')
    if from_min == MINUTES_PER_DAY:
        table.fault("from", 'no day goes on after 24:00; write "00:00" and the days after')
    return Window(days, tuple(month + 1 for month in months), from_min, to_min)


def _require_names(tables: list[Table], bands: list[BandPlan]) -> None:
    names = [band.name for band in bands]
    for at, name in enumerate(names):
        first = names.index(name)
        if first < at and tables[at].has("name"):
            taken = f"{name!r} is taken by {tables[first].key}"
            tables[at].fault(
                "name", f"{taken}; give that one another [[{tables[first].key.rpartition('[')[0]}.window]]"
            )


def _default(table: Table, tables: list[Table], bands: list[BandPlan]) -> int:
    """The band that holds where no other does."""
    found = []
    for at, (each, band) in enumerate(zip(tables, bands, strict=True)):
        marked = each.flag("default")
        if marked and band.windows:
            each.fault("default", "the default band holds when no other does; take its times out, or the mark")
        elif marked or not band.windows:
            found.append(at)
    if not found and tables:
        table.fault("band", "no band is the default; leave one without times, for the hours that no other has")
    for at in found[1:]:
        first = tables[found[0]].key
        tables[at].fault("", f"both this band and {first} are without times; say when this one holds (days, from, to)")
    return found[0] if found else 0


def _require_apart(tables: list[Table], bands: list[BandPlan]) -> None:
    """Note each two bands that hold at once, with the first weekday and month in which they do."""
    told: set[tuple[int, int]] = set()
    for month, day, is_first in product(range(1, 13), range(7), (False, True)):
        before = (month - 2) % 12 + 1 if is_first else month
        for one, other in _meeting(sorted(_stretches(bands, day, month, before))):
            pair = min(one.band, other.band), max(one.band, other.band)
            if pair not in told:
                told.add(pair)
                at = f"{other.from_min // 60:02d}:{other.from_min % 60:02d}"
                when = f"a {_DAY_NAMES[day]} in {_MONTH_NAMES[month - 1]} at {at}"
                first, second = (bands[index].name for index in pair)
                tables[pair[1]].fault(
                    "", f"{second!r} and {first!r} both hold on {when}; end one where the other begins"
                )


def _meeting(stretches: list[_Stretch]) -> Iterator[tuple[_Stretch, _Stretch]]:
    """Each two stretches of two bands that meet.

    Args:
        stretches: sorted.
    """
    for at, one in enumerate(stretches):
        for other in stretches[at + 1 :]:
            if other.from_min >= one.to_min:
                break
            if other.band != one.band:
                yield one, other


def _stretches(bands: list[BandPlan], day: int, month: int, before: int) -> Iterator[_Stretch]:
    """When bands hold on a weekday of a month, if the day before lies in the month `before`."""
    for at, band in enumerate(bands):
        for window in band.windows:
            if day in window.days and month in window.months:
                yield _Stretch(window.from_min, MINUTES_PER_DAY if window.is_overnight else window.to_min, at)
            if window.is_overnight and window.to_min and (day - 1) % 7 in window.days and before in window.months:
                yield _Stretch(0, window.to_min, at)
