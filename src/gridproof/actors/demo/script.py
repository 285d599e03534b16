"""What goes wrong in the demonstration, where and when: drawn before it begins, the same from the same seed.

Each fault has its own period where there are periods enough, so that the others' totals come out. One period stays
calm: in it somebody tries to open the masks of another live set.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gridproof.actors.randomness import Randomness, below
from gridproof.domain import Direction, RegionId, Slot

from .errors import ThinReadingsError, TooFewHouseholdsError, TooFewPeriodsError

MIN_PERIODS: Final = 4
MIN_HOUSEHOLDS: Final = 6  # in a region: as many as a total needs, and a silent one
ABSURD_WH: Final = 2**31
_AFTER_CALM: Final = 2  # periods that must follow the calm one: its live set is fixed and opened while they run
_SHAVING: Final = 24  # one period in so many is under-reported, and at least one
_WORTH_WH: Final = 20  # a meter that under-reports draws so much in the first of its periods, where any does
_SHOWN: Final = 10  # an under-reporting meter shows one part in so many
_SHARE: Final = (9, 10)  # of a region's meters that must have readings where nothing else shall be missing


class Part(NamedTuple):
    """A meter with which something happens in a slot."""

    slot: Slot
    meter: str


class Silence(NamedTuple):
    """A meter that is dead from one period to another.

    Attributes:
        region: where it stands.
        meter: its name.
        from_k: first period of its silence.
        until_k: first period after it.
    """

    region: int
    meter: str
    from_k: int
    until_k: int


class Shaving(NamedTuple):
    """A meter whose records say less than its register, for some periods.

    Attributes:
        region: where it stands.
        meter: its name.
        from_k: first such period.
        until_k: first period after them.
    """

    region: int
    meter: str
    from_k: int
    until_k: int

    def holds(self, part: Part) -> bool:
        """Whether a meter's records say too little in a slot."""
        is_then = self.from_k <= part.slot.k < self.until_k
        return is_then and (part.meter, part.slot.channel) == (self.meter, Direction.IMPORT)

    @staticmethod
    def shown_wh(energy_wh: int) -> int:
        """What the records say where the register counts so much."""
        return energy_wh // _SHOWN


class Script(NamedTuple):
    """What goes wrong.

    Attributes:
        calm: the slot whose masks somebody tries to open for another live set.
        half_sent: the second half of this meter's reading is lost on its way (and comes too late).
        absurd: this meter's register fails, and it reads `ABSURD_WH`.
        tampered: the slot in whose window records are altered, forged and replayed.
        dropped: the slot from which on an aggregator drops the first meter that it can.
        silences: the dead meters, one a region.
        shaving: the meter that under-reports; None where all are honest.
    """

    calm: Slot
    half_sent: Part
    absurd: Part
    tampered: Slot
    dropped: Slot
    silences: tuple[Silence, ...]
    shaving: Shaving | None = None

    @property
    def meters(self) -> frozenset[str]:
        """The meters that have a part already."""
        shaving = () if self.shaving is None else (self.shaving.meter,)
        return frozenset((self.half_sent.meter, self.absurd.meter, *(each.meter for each in self.silences), *shaving))

    def is_silent(self, meter: str, k: int) -> bool:
        """Whether a meter is dead in a period."""
        return any(each.meter == meter and each.from_k <= k < each.until_k for each in self.silences)

    def shown_wh(self, part: Part, energy_wh: int) -> int:
        """What a meter's records say in a slot where its register counts so much."""
        shaving = self.shaving
        return shaving.shown_wh(energy_wh) if shaving is not None and shaving.holds(part) else energy_wh


class Span(NamedTuple):
    """The periods of the story.

    Attributes:
        first_k: the first.
        periods: how many.
    """

    first_k: int
    periods: int

    @property
    def end_k(self) -> int:
        """First period after the last."""
        return self.first_k + self.periods


def require_size(households: int, regions: int, periods: int) -> None:
    """Return if a story can be told of so many.

    Raises:
        TooFewPeriodsError: there are too few periods.
        TooFewHouseholdsError: a region would have too few households.
    """
    if periods < MIN_PERIODS:
        raise TooFewPeriodsError(periods=periods, needed=MIN_PERIODS)
    if households < MIN_HOUSEHOLDS * regions:
        raise TooFewHouseholdsError(households=households, regions=regions, needed=MIN_HOUSEHOLDS * regions)


def write_script(
    regions: Mapping[int, Sequence[str]],
    reading_at: Callable[[int], Mapping[str, int]],
    span: Span,
    chance: Randomness,
) -> Script:
    """Draw what goes wrong: all of it in the first region, but for the silent meters.

    Args:
        regions: names of each region's meters.
        reading_at: the import readings of a period, Wh by the meter's name.
        span: the periods of the story.
        chance: what is drawn from.

    Raises:
        ThinReadingsError: no meter has a reading where one is needed.
    """
    quarter = span.periods // 4
    eighth = quarter // 2
    first = min(regions)
    taken: list[str] = []

    def cast(what: str, region: int, k: int, worth_wh: int = 0) -> str:
        present = reading_at(k)
        free = [meter for meter in regions[region] if meter in present and meter not in taken]
        free = [meter for meter in free if present[meter] >= worth_wh] or free
        if not free:
            raise ThinReadingsError(needed_for=what, k=k)
        taken.append(free[below(chance, len(free))])
        return taken[-1]

    def part(what: str, index: int) -> Part:
        slot = _slot(first, span.first_k + index)
        return Part(slot, cast(what, first, slot.k))

    half_sent, absurd = part("half-sent record", quarter), part("absurd value", quarter + eighth)
    silent_k = span.first_k + 3 * quarter
    silences = tuple(Silence(each, cast("silent meter", each, silent_k), silent_k, span.end_k) for each in regions)
    dropped_k = span.first_k + 2 * quarter + eighth
    faulty = (half_sent.slot.k, absurd.slot.k, dropped_k)
    calm = range(span.first_k, min(silent_k, span.end_k - _AFTER_CALM))
    peopled = _Peopled(regions[first], reading_at)
    shaved = _cheapest(range(span.first_k, span.end_k), max(1, span.periods // _SHAVING), regions[first], reading_at)
    cheat = cast("under-reporting meter", first, shaved.start, _WORTH_WH)
    return Script(
        calm=_slot(first, peopled.find("opening for another live set", (k for k in calm if k not in faulty))),
        half_sent=half_sent,
        absurd=absurd,
        tampered=_slot(first, peopled.find("replay", range(span.first_k + 2 * quarter, span.end_k), run=2)),
        dropped=_slot(first, dropped_k),
        silences=silences,
        shaving=Shaving(first, cheat, shaved.start, shaved.stop),
    )


def _cheapest(span: range, count: int, meters: Sequence[str], reading_at: Callable[[int], Mapping[str, int]]) -> range:
    """The run of so many periods in which the least is drawn, and so energy is cheapest: the first of equal ones.

    Runs that begin where nothing is drawn come last: there would be nothing to keep back.
    """
    loads = [sum(reading_at(k).get(meter, 0) for meter in meters) for k in span]
    starts = range(len(loads) - count + 1)
    at = min(starts, key=lambda start: (not loads[start], sum(loads[start : start + count])))
    return span[at : at + count]


class _Peopled:
    """Knows the periods in which nearly all meters have readings."""

    def __init__(self, meters: Sequence[str], reading_at: Callable[[int], Mapping[str, int]]) -> None:
        self._meters = frozenset(meters)
        self._reading_at = reading_at

    def find(self, what: str, ks: Iterable[int], run: int = 1) -> int:
        """The first of some periods that is the last of `run` such ones.

        Raises:
            ThinReadingsError: there is none.
        """
        last = -1
        for last in ks:
            if all(self._is_peopled(last - back) for back in range(run)):
                return last
        raise ThinReadingsError(needed_for=what, k=last)

    def _is_peopled(self, k: int) -> bool:
        above, below_ = _SHARE
        present = len(self._meters.intersection(self._reading_at(k)))
        return present >= MIN_HOUSEHOLDS and present * below_ >= len(self._meters) * above


def _slot(region: int, k: int) -> Slot:
    return Slot(RegionId(region), Direction.IMPORT, k)
