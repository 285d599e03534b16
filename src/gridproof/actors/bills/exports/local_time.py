"""When a zone's clocks change, as Green Button tells it: an offset, another one, and a rule for either end of it.

Rules:
    D-1 The rules give the zone's time in the whole year of the month; where the year cannot be told so (more than two
        changes), in the month; where the month cannot either, the time at its start.
    D-2 The first change of the year starts the second offset, the other ends it: ESPI wants the end after the
        start. So south of the equator `tzOffset` is summer time, and `dstOffset` is negative: the sum is the clock's.
    D-3 A rule is a change's time as the clock showed it just before. It is told so that it holds in later years too
        (last Sunday of the month), where there is such a rule; else it names the year's day.
    D-4 A zone that changes once in the year (a law came or went) has the year's last second for the end.

Source: NAESB REQ.21 ESPI 4.0, TimeConfiguration and DstRuleType.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from gridproof.calendar import Calendar
from gridproof.domain import SECONDS_PER_DAY, MonthId

NO_RULE: Final = 0xFFFFFFFF
_ON_DAY, _ON_OR_AFTER, _FIRST, _LAST = 0, 1, 2, 7  # operators; from `_FIRST` on each is a week later
_YEARS: Final = 12  # a rule that names a weekday has met each of its days after eleven years
_MONTHS: Final = 12


class LocalTime(NamedTuple):
    """A zone's time.

    Attributes:
        tz_offset_s: offset from UTC outside the stretch that the rules give, seconds.
        dst_offset_s: what is added to it within.
        dst_start_rule: when the stretch begins, as ESPI packs it into 32 bits; `NO_RULE` if there is none.
        dst_end_rule: when it ends, likewise.
    """

    tz_offset_s: int
    dst_offset_s: int
    dst_start_rule: int
    dst_end_rule: int


class _Change(NamedTuple):
    """A change of a zone's offset: when, as the clock showed it before; the offsets before and after in seconds."""

    wall: datetime
    before_s: int
    after_s: int


def local_time(calendar: Calendar, month: MonthId) -> LocalTime:
    """Tell a zone's time in the year of a month.

    Args:
        calendar: of the zone.
        month: the month.

    Raises:
        OutOfRangeError: the year does not lie wholly within the calendar.
    """
    zone, january = ZoneInfo(calendar.zone), month - month % _MONTHS
    bounds = calendar.bounds(month)
    year, whole = _year(calendar, zone, january), True
    if not _is_pair(year):
        year, whole = _changes(zone, bounds.start_s, bounds.end_s), False
    if not year or not _is_pair(year):
        return LocalTime(_offset_s(zone, bounds.start_s), 0, NO_RULE, NO_RULE)
    first = year[0]
    end_rule = _pack(datetime(2000, 12, 31, 23, 59, 59, tzinfo=UTC), _ON_DAY, 31)
    if len(year) == 1:
        return LocalTime(
            first.before_s, first.after_s - first.before_s, _pack(first.wall, _ON_DAY, first.wall.day), end_rule
        )
    later = [_year(calendar, zone, january + _MONTHS * ahead) for ahead in range(1, _YEARS)] if whole else []
    likewise = [year, *(changes for changes in later if len(changes) == len(year))]
    start_rule, end_rule = (_rule([changes[place].wall for changes in likewise]) for place in range(2))
    return LocalTime(first.before_s, first.after_s - first.before_s, start_rule, end_rule)


def _is_pair(changes: list[_Change]) -> bool:
    """Whether changes can be told by a start and an end."""
    return len(changes) < 2 or (len(changes) == 2 and changes[1].after_s == changes[0].before_s)


def _year(calendar: Calendar, zone: ZoneInfo, january: int) -> list[_Change]:
    start_s = calendar.bounds(MonthId(january)).start_s
    return _changes(zone, start_s, calendar.bounds(MonthId(january + _MONTHS)).start_s)


def _changes(zone: ZoneInfo, start_s: int, end_s: int) -> list[_Change]:
    """The changes in [start_s, end_s), none of which lies within a day of another."""
    found = []
    before_s = _offset_s(zone, start_s)
    for low_s in range(start_s, end_s, SECONDS_PER_DAY):
        high_s = min(low_s + SECONDS_PER_DAY, end_s - 1)
        after_s = _offset_s(zone, high_s)
        if after_s != before_s:
            instant_s = _first_with(zone, after_s, low_s, high_s)
            found.append(_Change(datetime.fromtimestamp(instant_s + before_s, UTC), before_s, after_s))
            before_s = after_s
    return found


def _first_with(zone: ZoneInfo, offset_s: int, low_s: int, high_s: int) -> int:
    """The first instant of an offset that is in force at `high_s` and not at `low_s`."""
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset_s(zone, middle_s) == offset_s:
            high_s = middle_s
        else:
            low_s = middle_s
    return high_s


def _rule(walls: list[datetime]) -> int:
    """The rule that gives the first of these times in its year and, if one can, the others in theirs."""
    first, days = walls[0], [wall.day for wall in walls]
    if len({(wall.month, wall.weekday(), wall.time()) for wall in walls}) == 1:
        if all((wall + timedelta(days=7)).month != wall.month for wall in walls):
            return _pack(first, _LAST)
        if len({(day - 1) // 7 for day in days}) == 1:
            return _pack(first, _FIRST + (first.day - 1) // 7)
        if max(days) - min(days) < 7:
            return _pack(first, _ON_OR_AFTER, min(days))
    return _pack(first, _ON_DAY, first.day)


def _pack(wall: datetime, operator: int, day: int = 0) -> int:
    weekday = 0 if operator == _ON_DAY else wall.isoweekday()
    second = wall.minute * 60 + wall.second
    return wall.month << 28 | operator << 25 | day << 20 | weekday << 17 | wall.hour << 12 | second


def _offset_s(zone: ZoneInfo, instant_s: int) -> int:
    offset = datetime.fromtimestamp(instant_s, zone).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)
