"""How people of a community say times, and how they are told them.

Rules:
    Z-1 What is shown has an offset; so it can be given back as it was shown.
    Z-2 A time without an offset is the zone's, if its clock showed it once that day: neither twice nor never.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gridproof.calendar import LAST_INSTANT_S, Calendar, Day
from gridproof.domain import MonthId, OutOfRangeError, month_id

from .errors import (
    AmbiguousTimeError,
    BeyondCalendarError,
    EmptySpanError,
    MisalignedTimeError,
    NoDayError,
    NoMonthGivenError,
    NoTimeError,
    SkippedTimeError,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
FIRST_DAY: Final = "1970-02-01"  # of the first whole month in every zone
LAST_DAY: Final = "9998-11-30"
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")


class Times:
    """Reads and writes times of a zone.

    Args:
        calendar: the community's.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._zone = ZoneInfo(calendar.zone)

    def parse(self, given: str) -> int:
        """Read an instant, UTC epoch seconds (Z-2); a date alone is its first instant.

        Raises:
            NoTimeError: it is no time.
            BeyondCalendarError: it lies before 1970 or beyond the calendar.
            AmbiguousTimeError: the zone's clock showed it twice.
            SkippedTimeError: the zone's clock never showed it.
            NoDayError: the zone never had this date.
        """
        text = given.strip()
        if _DATE.fullmatch(text):
            return self.day(text).start_s
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as unreadable:
            raise NoTimeError(given=given) from unreadable
        instant_s = self._local(moment, given) if moment.utcoffset() is None else _epoch_s(moment)
        if not 0 <= instant_s <= LAST_INSTANT_S:
            raise BeyondCalendarError(given=given, first=self.label(0), last=self.label(LAST_INSTANT_S))
        return instant_s

    def day(self, given: str) -> Day:
        """Read a date.

        Raises:
            NoDayError: it is none, or the zone never had it.
            BeyondCalendarError: its month does not lie whole within the calendar.
        """
        try:
            if _DATE.fullmatch(given.strip()):
                date = datetime.fromisoformat(given.strip())
                days = self.calendar.days(self.calendar.bounds(month_id(date.year, date.month)))
                return next(day for day in days if day.label == given.strip())
        except OutOfRangeError as beyond:
            raise BeyondCalendarError(given=given, first=FIRST_DAY, last=LAST_DAY) from beyond
        except (ValueError, StopIteration):
            pass
        raise NoDayError(given=given)

    def month(self, given: str) -> MonthId:
        """Read a month.

        Raises:
            NoMonthGivenError: it is none.
        """
        found = _MONTH.fullmatch(given.strip())
        try:
            if found:
                return month_id(int(found[1]), int(found[2]))
        except OutOfRangeError:
            pass
        raise NoMonthGivenError(given=given)

    def span(self, start: str | None, end: str | None) -> tuple[int, int]:
        """Read a stretch of time; what is not given has no bound.

        Raises:
            EmptySpanError: the end does not lie after the start.
            TimeError: one of them is no time.
        """
        start_s = 0 if start is None else self.parse(start)
        end_s = LAST_INSTANT_S if end is None else self.parse(end)
        if start_s >= end_s:
            raise EmptySpanError(start=self.label(start_s), end=self.label(end_s))
        return start_s, end_s

    def label(self, instant_s: int) -> str:
        """Write an instant with its offset (Z-1)."""
        return self.calendar.label(instant_s)

    def short(self, instant_s: int) -> str:
        """Write an instant for a table's column, with its offset: `2025-10-26 02:15 +01:00`."""
        label = self.label(instant_s)
        return f"{label[:10]} {label[11:16]} {label[19:]}"

    def _local(self, moment: datetime, given: str) -> int:
        first, second = (_epoch_s(moment.replace(tzinfo=self._zone, fold=fold)) for fold in (0, 1))
        if first == second:
            return first
        if datetime.fromtimestamp(first, self._zone).replace(tzinfo=None, fold=0) != moment.replace(microsecond=0):
            raise SkippedTimeError(given=given, zone=self.calendar.zone)
        raise AmbiguousTimeError(given=given, first=self.label(first), second=self.label(second))


def require_between_periods(times: Times, given: str, instant_s: int) -> int:
    """The instant, if it lies between two periods.

    Args:
        times: of the community.
        given: how it was written.
        instant_s: UTC epoch seconds.

    Raises:
        MisalignedTimeError: it lies within a period.
    """
    period_s = times.calendar.period_s
    before = instant_s - instant_s % period_s
    if before != instant_s:
        raise MisalignedTimeError(given=given, before=times.label(before), after=times.label(before + period_s))
    return instant_s


def _epoch_s(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)
