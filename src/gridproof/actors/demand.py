"""Plausible households for demonstrations: the same readings from the same seed on any machine.

The shape of a day comes from the standard load profile H0 (BDEW), as the package demandlib carries it. A household is a
share of that shape with noise, and appliances that it runs at hours drawn by the shape; some have solar modules and
give away what they do not use. The profile's decimals are read as whole milliwatts and chance comes from SHAKE-256, so
there is no rounding that two machines could do differently.

The hours are those of a fixed offset from UTC (standard time all year): a zone's rules may differ between machines.
"""

import csv
import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from gridproof.connectors.readings import Reading
from gridproof.domain import SECONDS_PER_DAY, Direction, MisalignedError, OutOfRangeError, require_range
from gridproof.errors import GridproofError

QUARTER_S: Final = 900
QUARTERS: Final = 96
PERIODS_S: Final = (900, 1_800, 3_600)  # quarter-hours, and what they add up to
STANDARD_OFFSET_S: Final = 3_600  # central Europe
MAX_HOUSEHOLDS: Final = 1_000_000

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_REFERENCE_KWH: Final = 4_000  # a year's use for which the appliances' runs below are given
_CONTINUOUS_PERCENT: Final = 40  # of the profile: what runs all the time; appliances are the rest
_AWAY_PERCENT: Final = 40  # of that, when nobody is at home
_AWAY_DAYS_IN_256: Final = 12

# Wh in the quarter-hours of a run, and runs in 1,000 days.
_APPLIANCES: Final[Sequence[tuple[tuple[int, ...], int]]] = (
    ((120,), 4_000),  # kettle
    ((350, 300, 200), 1_300),  # cooker
    ((480, 300, 100, 60), 600),  # washing machine
    ((400, 120, 60, 380), 600),  # dishwasher
    ((520, 560, 540, 300), 400),  # tumble dryer
    ((30,) * 8, 1_500),  # screens
    ((700, 700, 600), 1_000),  # water heater
)

# The seasons of the profile: first day (month, day) of each.
_SEASONS: Final = (
    ((1, 1), "winter"),
    ((3, 21), "transition"),
    ((5, 15), "summer"),
    ((9, 15), "transition"),
    ((11, 1), "winter"),
)
# By month, for central Europe: quarter-hours between sunrise and sunset, and a clear noon's share of the peak, percent.
_SUN: Final = (
    (35, 45),
    (41, 60),
    (48, 75),
    (54, 85),
    (60, 90),
    (63, 92),
    (62, 92),
    (57, 88),
    (50, 80),
    (44, 65),
    (38, 48),
    (34, 40),
)
_NOON: Final = 50  # the sun stands highest at half past twelve of standard time


class ProfileMissingError(GridproofError):
    """The package demandlib, or its file of load profiles, is not installed; no household was made. Install it."""

    looked_for: str


class Household(NamedTuple):
    """A household that was made up.

    Attributes:
        meter: its meter's name.
        yearly_kwh: what it uses in a year, about.
        peak_w: peak power of its solar modules in W; 0 without any.
    """

    meter: str
    yearly_kwh: int
    peak_w: int = 0

    @property
    def channels(self) -> tuple[Direction, ...]:
        """The directions that its meter counts."""
        return (Direction.IMPORT, Direction.EXPORT) if self.peak_w else (Direction.IMPORT,)


def make_households(count: int, seed: int, *, solar_permille: int = 200) -> tuple[Household, ...]:
    """Make up households.

    Args:
        count: how many.
        seed: the same seed gives the same households, and more of them begin with the same.
        solar_permille: how many of 1,000 have solar modules, about.

    Raises:
        OutOfRangeError: the count or the share is impossible.
    """
    require_range("count", count, 0, MAX_HOUSEHOLDS)
    require_range("solar_permille", solar_permille, 0, 1_000)
    return tuple(_make_household(number, seed, solar_permille) for number in range(1, count + 1))


def measure(
    households: Sequence[Household],
    *,
    seed: int,
    start_s: int,
    periods: int,
    period_s: int = QUARTER_S,
    offset_s: int = STANDARD_OFFSET_S,
) -> Iterator[Reading]:
    """Make up what the households' meters read: by period, then in the households' order, import before export.

    Args:
        households: whose.
        seed: the same seed gives the same readings; those of longer periods are sums of the quarter-hours'.
        start_s: start of the first period, UTC epoch seconds, a multiple of the period's length.
        periods: how many.
        period_s: length of a period: 900, 1,800 or 3,600 seconds.
        offset_s: how far local time is ahead of UTC, a multiple of the period's length.

    Raises:
        OutOfRangeError: the length is another, or a time is impossible.
        MisalignedError: the start or the offset does not lie between two periods.
        ProfileMissingError: the load profiles are not installed.
    """
    if period_s not in PERIODS_S:
        raise OutOfRangeError(what="period_s", value=period_s, low=PERIODS_S[0], high=PERIODS_S[-1])
    for what, value in (("start_s", start_s), ("offset_s", offset_s)):
        if value % period_s:
            raise MisalignedError(what=what, instant_s=value, period_s=period_s)
    require_range("start_s", start_s, SECONDS_PER_DAY, 2**37)
    require_range("offset_s", offset_s, -SECONDS_PER_DAY, SECONDS_PER_DAY)
    _profiles()  # missing ones are told at once, not at the first reading
    return _measure(households, seed, range(start_s, start_s + periods * period_s, period_s), offset_s)


def _measure(households: Sequence[Household], seed: int, starts: range, offset_s: int) -> Iterator[Reading]:
    quarters = starts.step // QUARTER_S
    day, days = None, []
    for start_s in starts:
        local_day, second = divmod(start_s + offset_s, SECONDS_PER_DAY)
        if local_day != day:
            day, days = local_day, [_day_of(household, local_day, seed) for household in households]
        first = second // QUARTER_S
        for household, (drawn, given) in zip(households, days, strict=True):
            drawn_wh = sum(drawn[first : first + quarters])
            yield Reading(household.meter, Direction.IMPORT, start_s, drawn_wh)
            if household.peak_w:
                yield Reading(household.meter, Direction.EXPORT, start_s, sum(given[first : first + quarters]))


def _make_household(number: int, seed: int, solar_permille: int) -> Household:
    dice = _Dice(seed, "household", number)
    yearly_kwh = 1_000 + dice.below(3_000) + dice.below(3_000)
    has_solar = dice.below(1_000) < solar_permille
    peak_w = 3_000 + 500 * dice.below(15) if has_solar else 0
    return Household(f"h{number:03d}", yearly_kwh, peak_w)


def _day_of(household: Household, day: int, seed: int) -> tuple[list[int], list[int]]:
    """What a household draws and gives away in the quarter-hours of a day (counted from 1970), in Wh."""
    used = _used(household, day, seed)
    if not household.peak_w:
        return used, []
    net = [use - made for use, made in zip(used, _made(household, day, seed), strict=True)]
    return [max(wh, 0) for wh in net], [max(-wh, 0) for wh in net]


def _used(household: Household, day: int, seed: int) -> list[int]:
    dice = _Dice(seed, "use", household.meter, day)
    profile = _profile_of(day)
    away = dice.byte() < _AWAY_DAYS_IN_256
    percent = _CONTINUOUS_PERCENT * (_AWAY_PERCENT if away else 100) // 100
    # mW for 1,000 kWh a year -> Wh in a quarter-hour, times a noise of 0.5 to 1.5
    scale = household.yearly_kwh * percent
    used = [mw * scale * (128 + dice.byte()) // (1_000 * 100 * 4 * 1_000 * 256) for mw in profile]
    if away:
        return used
    steps = list(accumulate(profile))
    for shape, runs in _APPLIANCES:
        for _ in range((runs * household.yearly_kwh // _REFERENCE_KWH + dice.below(1_000)) // 1_000):
            first = bisect_right(steps, dice.below(steps[-1]))
            for quarter, energy_wh in enumerate(shape[: QUARTERS - first], first):
                used[quarter] += energy_wh * (224 + dice.byte() // 4) // 256
    return used


def _made(household: Household, day: int, seed: int) -> list[int]:
    length, share = _SUN[_date(day).month - 1]
    clear = 40 + _Dice(seed, "sky", day).byte()  # of 256, one sky over all
    dice = _Dice(seed, "clouds", household.meter, day)
    made = [0] * QUARTERS
    for step in range(1, length):
        height = 4 * step * (length - step)  # a parabola over the day, 1 = length squared
        light = share * min(clear, 256) * (192 + dice.byte() // 4)
        made[_NOON - length // 2 + step] = household.peak_w * height * light // (4 * length**2 * 100 * 256 * 256)
    return made


def _profile_of(day: int) -> tuple[int, ...]:
    when = _date(day)
    season = max((first, name) for first, name in _SEASONS if first <= (when.month, when.day))[1]
    return _profiles()[season, when.isoweekday()]


def _date(day: int) -> date:
    return date.fromordinal(_EPOCH_ORDINAL + day)


@cache
def _profiles() -> Mapping[tuple[str, int], tuple[int, ...]]:
    """H0 by season and weekday (1 Monday .. 7): 96 quarter-hours in mW, for a year of 1,000 kWh."""
    loads: dict[tuple[str, int], list[int]] = {}
    with profile_file().open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            whole, _, decimals = row["h0"].partition(".")
            loads.setdefault((row["period"], int(row["weekday"])), []).append(int(whole + decimals.ljust(6, "0")))
    return MappingProxyType({key: tuple(quarters) for key, quarters in loads.items()})


def profile_file() -> Path:
    """Find demandlib's file of load profiles, without importing the package (it loads pandas).

    Raises:
        ProfileMissingError: it is not installed.
    """
    package = find_spec("demandlib")
    for folder in (package.submodule_search_locations if package else None) or ():
        file = Path(folder, "bdew", "bdew_data", "selp_series.csv")
        if file.is_file():
            return file
    raise ProfileMissingError(looked_for="demandlib/bdew/bdew_data/selp_series.csv")


class _Dice:
    """Chance that is the same everywhere: SHAKE-256 of a seed and labels."""

    __slots__ = ("_at", "_labels", "_stream")

    _CHUNK: Final = 512

    def __init__(self, seed: int, *labels: str | int) -> None:
        self._labels = "/".join(map(str, ("gridproof/demand/v1", seed, *labels)))
        self._stream = b""
        self._at = 0

    def byte(self) -> int:
        """A number from 0 to 255."""
        if self._at == len(self._stream):
            longer = len(self._stream) + self._CHUNK
            self._stream = hashlib.shake_256(self._labels.encode()).digest(longer)
        self._at += 1
        return self._stream[self._at - 1]

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1, each about as likely (limits are small against 2**32)."""
        word = 0
        for _ in range(4):
            word = word << 8 | self.byte()
        return word * limit >> 32
