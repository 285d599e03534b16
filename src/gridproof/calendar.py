"""Months and days of a time zone, as the instants that the ledger works with.

The ledger knows UTC seconds only: two hosts' zone files may differ, and a difference would fork the chain. People live
by a zone, so whoever sends `OpenMonth`, prints a day or reads a file cuts time here.

Rules:
    C-1 A day starts at the first instant of its date; where the clock skips midnight, at the instant of the skip.
    C-2 A period belongs to the day and month in which it *starts*: a midnight inside a period (an offset of 5:45 and
        periods of an hour) is moved up to the next period. So months and days follow one another without gap or
        overlap.
    C-3 A date that the zone never had (Apia skipped 30 December 2011) is no day.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from gridproof.domain import PERIODS_S, MonthBounds, MonthId, OutOfRangeError, month_id, require_range
from gridproof.errors import GridproofError

LAST_INSTANT_S: Final = 253_370_000_000  # in 9998: a month after it still has a date
_MACHINE_NAMES: Final = ("localtime", "posixrules", "Factory")  # mean another zone on another machine, or none
_MACHINE_FOLDERS: Final = ("posix/", "right/")  # the second counts leap seconds, which UTC epoch seconds do not
_SUGGESTIONS: Final = 3


class CalendarError(GridproofError):
    """A day or month cannot be cut."""


class UnknownZoneError(CalendarError):
    """No time zone of the IANA database has this name (or each machine takes it for another). Use one like `close`."""

    zone: str
    close: tuple[str, ...]


class OutsideMonthError(CalendarError):
    """The range shares no whole period with the month; nothing was cut. Choose another range or month."""

    month: MonthId
    start_s: int
    end_s: int


class Day(NamedTuple):
    """A day of the zone, or what a range left of it.

    Attributes:
        label: the date, `2025-10-26`.
        start_s: first instant, UTC epoch seconds, between two periods.
        end_s: first instant after it, likewise.
    """

    label: str
    start_s: int
    end_s: int


class Calendar:
    """Cuts months and days in a zone.

    Args:
        zone: name in the IANA database, such as `Europe/Zurich`.
        period_s: length of a period in seconds, one of `PERIODS_S`.

    Raises:
        UnknownZoneError: there is no such zone.
        OutOfRangeError: no region has periods of this length.
    """

    __slots__ = ("_starts", "_zone", "period_s", "zone")

    def __init__(self, zone: str, period_s: int) -> None:
        if period_s not in PERIODS_S:
            raise OutOfRangeError(what="period_s", value=period_s, low=PERIODS_S[0], high=PERIODS_S[-1])
        self.zone = zone
        self.period_s = period_s
        self._zone = _load(zone)
        self._starts: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"Calendar({self.zone!r}, {self.period_s})"

    def month_of(self, instant_s: int) -> MonthId:
        """Name the month that an instant lies in (C-2).

        Args:
            instant_s: UTC epoch seconds.

        Raises:
            OutOfRangeError: the instant lies before 1970 or beyond the calendar.
        """
        local = self.local(instant_s)
        month = local.year * 12 + local.month - 1
        if instant_s < self._month_start(month):  # in the period that the midnight cuts
            month -= 1
        elif instant_s >= self._month_start(month + 1):  # the clock went back over a midnight that has been
            month += 1
        return month_id(*_year_and_month(month))

    def bounds(self, month: MonthId) -> MonthBounds:
        """Cut a whole calendar month, from local midnight to local midnight.

        Raises:
            OutOfRangeError: the month does not lie wholly between 1970 and the calendar's end.
        """
        bounds = MonthBounds(month, self._month_start(month), self._month_start(month + 1), self.period_s)
        bounds.validate()
        return bounds

    def bounds_between(self, month: MonthId, start_s: int, end_s: int) -> MonthBounds:
        """Cut what a range has of a month: for a month that is opened late, or data of a week.

        Args:
            month: the month.
            start_s: first instant of the range, UTC epoch seconds, between two periods.
            end_s: first instant after it, likewise.

        Raises:
            OutsideMonthError: the range has no period of the month.
            MisalignedError: an end of the range within the month does not lie between two periods.
            OutOfRangeError: as for `bounds`.
        """
        whole = self.bounds(month)
        cut = whole._replace(start_s=max(whole.start_s, start_s), end_s=min(whole.end_s, end_s))
        if cut.start_s >= cut.end_s:
            raise OutsideMonthError(month=month, start_s=start_s, end_s=end_s)
        cut.validate()
        return cut

    def months_between(self, start_s: int, end_s: int) -> tuple[MonthId, ...]:
        """Name the months that [start_s, end_s) touches, in order; none when it is empty.

        Raises:
            OutOfRangeError: an instant lies before 1970 or beyond the calendar.
        """
        if start_s >= end_s:
            return ()
        first, last = self.month_of(start_s), self.month_of(end_s - 1)
        return tuple(MonthId(month) for month in range(first, last + 1))

    def days(self, bounds: MonthBounds) -> list[Day]:
        """Cut a month, or what is left of it, into days (of 23, 24 or 25 hours; C-3).

        Raises:
            OutOfRangeError: the bounds lie beyond the calendar.
        """
        return list(self._days(bounds.start_s, bounds.end_s))

    def periods_of(self, day: Day) -> int:
        """How many periods a day has: 92, 96 or 100 quarter-hours."""
        return (day.end_s - day.start_s) // self.period_s

    def local(self, instant_s: int) -> datetime:
        """What the zone's clock shows at an instant.

        Raises:
            OutOfRangeError: the instant lies before 1970 or beyond the calendar.
        """
        require_range("instant_s", instant_s, 0, LAST_INSTANT_S)
        return datetime.fromtimestamp(instant_s, self._zone)

    def label(self, instant_s: int) -> str:
        """Write an instant as people of the zone do, exactly: `2025-10-26T02:15:00+01:00`.

        Raises:
            OutOfRangeError: the instant lies before 1970 or beyond the calendar.
        """
        return self.local(instant_s).isoformat(timespec="seconds")

    def _days(self, start_s: int, end_s: int) -> Iterator[Day]:
        today = self.local(start_s).date()
        if self._day_start(today) > start_s:  # it lies in the period that today's midnight cuts
            today -= timedelta(days=1)
        while start_s < end_s:
            tomorrow = today + timedelta(days=1)
            next_s = self._day_start(tomorrow)
            if next_s > start_s:
                yield Day(today.isoformat(), start_s, min(next_s, end_s))
                start_s = next_s
            today = tomorrow

    def _month_start(self, month: int) -> int:
        start_s = self._starts.get(month)
        if start_s is None:
            start_s = self._starts[month] = self._day_start(date(*_year_and_month(month), 1))
        return start_s

    def _day_start(self, day: date) -> int:
        return -(-_first_instant(day, self._zone) // self.period_s) * self.period_s


def _load(zone: str) -> ZoneInfo:
    if zone not in _MACHINE_NAMES and not zone.startswith(_MACHINE_FOLDERS):
        try:
            return ZoneInfo(zone)
        except (KeyError, ValueError, OSError):  # not in the database; no name at all; a folder of the database
            pass
    raise UnknownZoneError(zone=zone, close=close_zones(zone))


def close_zones(zone: str) -> tuple[str, ...]:
    """Name the zones whose names are closest, for a hint; perhaps none."""
    by_folded = {name.casefold(): name for name in available_timezones() if name not in _MACHINE_NAMES}
    cities = {folded.rpartition("/")[2]: name for folded, name in sorted(by_folded.items())}
    wanted = zone.strip().replace(" ", "_").casefold()
    found = [by_folded[folded] for folded in get_close_matches(wanted, by_folded, _SUGGESTIONS)]
    if not found:
        found = [cities[city] for city in get_close_matches(wanted.rpartition("/")[2], cities, _SUGGESTIONS)]
    return tuple(found)


def _year_and_month(month: int) -> tuple[int, int]:
    year, index = divmod(month, 12)
    require_range("year", year, 1969, 9998)  # 1969: the month that 1970 begins in, west of Greenwich
    return year, index + 1


def _first_instant(day: date, zone: ZoneInfo) -> int:
    """UTC epoch seconds at which the zone's clock first shows the date, or would have, had it not skipped it (C-1)."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)  # fold 0: the first of two midnights
    instant_s = _epoch_s(midnight)
    if datetime.fromtimestamp(instant_s, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant_s
    # The clock skips midnight. Fold 0 counted with the offset before the skip: that lies at most its own length back.
    before, after = midnight.utcoffset(), midnight.replace(fold=1).utcoffset()
    low_s, high_s = instant_s - abs(_seconds(after) - _seconds(before)), instant_s
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if datetime.fromtimestamp(middle_s, zone).utcoffset() == before:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset // timedelta(seconds=1)


def _epoch_s(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
