"""Months and days of zones, by the rules C-1 to C-3 of the calendar's docstring."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.calendar import LAST_INSTANT_S, Calendar, Day, OutsideMonthError, UnknownZoneError
from gridproof.domain import MisalignedError, MonthId, OutOfRangeError, month_id, month_label

QUARTER_S, HALF_S, HOUR_S = 900, 1_800, 3_600
ZURICH = Calendar("Europe/Zurich", QUARTER_S)
ZONES = (
    "Europe/Zurich",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "America/St_Johns",
    "Africa/Monrovia",
    "America/Havana",
    "UTC",
)


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def periods_by_date(calendar: Calendar, year: int, month: int) -> dict[str, int]:
    return {day.label: calendar.periods_of(day) for day in calendar.days(calendar.bounds(month_id(year, month)))}


def test_a_month_runs_from_local_midnight_to_local_midnight() -> None:
    bounds = ZURICH.bounds(month_id(2025, 10))
    assert bounds.start_s == instant("2025-09-30T22:00:00+00:00")
    assert bounds.end_s == instant("2025-10-31T23:00:00+00:00")
    assert bounds.periods == 31 * 96 + 4


def test_the_days_of_zurichs_clock_changes_have_92_and_100_quarter_hours_and_all_others_96() -> None:
    march, october = periods_by_date(ZURICH, 2025, 3), periods_by_date(ZURICH, 2025, 10)
    assert {date: count for date, count in march.items() if count != 96} == {"2025-03-30": 92}
    assert {date: count for date, count in october.items() if count != 96} == {"2025-10-26": 100}
    assert len(march) == len(october) == 31


def test_lord_howes_clock_changes_by_half_an_hour() -> None:
    calendar = Calendar("Australia/Lord_Howe", HALF_S)
    assert periods_by_date(calendar, 2025, 4)["2025-04-06"] == 49
    assert periods_by_date(calendar, 2025, 10)["2025-10-05"] == 47


def test_kathmandus_midnight_lies_between_two_quarter_hours() -> None:
    bounds = Calendar("Asia/Kathmandu", QUARTER_S).bounds(month_id(2025, 2))
    assert bounds.start_s == instant("2025-02-01T00:00:00+05:45")
    assert bounds.periods == 28 * 96


def test_a_midnight_inside_a_period_is_moved_up_to_the_next_period() -> None:
    calendar = Calendar("Asia/Kathmandu", HOUR_S)
    february = calendar.bounds(month_id(2025, 2))
    assert february.start_s == instant("2025-02-01T00:45:00+05:45")
    assert february.start_s == calendar.bounds(month_id(2025, 1)).end_s
    assert calendar.month_of(instant("2025-02-01T00:30:00+05:45")) == month_id(2025, 1)
    assert [calendar.periods_of(day) for day in calendar.days(february)] == [24] * 28


@pytest.mark.parametrize(
    ("zone", "date", "first", "quarters"),
    [
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00", 92),
        ("Asia/Beirut", "2021-03-28", "2021-03-28T01:00:00+03:00", 92),
        ("America/Havana", "2020-11-01", "2020-11-01T00:00:00-04:00", 100),  # midnight comes twice: the first counts
    ],
)
def test_a_day_without_a_midnight_starts_where_the_clock_skips_it(
    zone: str, date: str, first: str, quarters: int
) -> None:
    calendar = Calendar(zone, QUARTER_S)
    year, month = int(date[:4]), int(date[5:7])
    day = next(day for day in calendar.days(calendar.bounds(month_id(year, month))) if day.label == date)
    assert (day.start_s, calendar.periods_of(day)) == (instant(first), quarters)


def test_a_date_that_apia_never_had_is_no_day() -> None:
    dates = periods_by_date(Calendar("Pacific/Apia", QUARTER_S), 2011, 12)
    assert "2011-12-30" not in dates
    assert (len(dates), dates["2011-12-29"], dates["2011-12-31"]) == (30, 96, 96)


def test_where_the_clock_goes_back_over_midnight_the_first_midnight_starts_the_day_and_the_month() -> None:
    calendar = Calendar("America/St_Johns", QUARTER_S)  # at 00:01 of 1 November 2009 it was 23:01 again
    november = calendar.bounds(month_id(2009, 11))
    assert november.start_s == instant("2009-11-01T00:00:00-02:30")
    assert calendar.label(november.start_s + HALF_S) == "2009-10-31T23:30:00-03:30"
    assert calendar.month_of(november.start_s + HALF_S) == november.month
    assert calendar.days(november)[0].label == "2009-11-01"


def test_a_range_that_starts_in_the_period_that_midnight_cuts_starts_on_the_day_before() -> None:
    calendar = Calendar("Asia/Kathmandu", HOUR_S)
    start_s = instant("2025-02-09T23:45:00+05:45")
    cut = calendar.bounds_between(month_id(2025, 2), start_s, start_s + 2 * HOUR_S)
    assert [(day.label, calendar.periods_of(day)) for day in calendar.days(cut)] == [
        ("2025-02-09", 1),
        ("2025-02-10", 1),
    ]


def test_a_skip_that_began_before_midnight_is_found_to_the_second() -> None:
    day = Calendar("Africa/Monrovia", 300).days(Calendar("Africa/Monrovia", 300).bounds(month_id(1972, 1)))[6]
    assert day.label == "1972-01-07"
    assert day.start_s == -(-instant("1972-01-07T00:44:30+00:00") // 300) * 300


def test_a_month_cut_to_a_range_keeps_its_name_and_whole_periods() -> None:
    october = month_id(2025, 10)
    start_s = instant("2025-10-26T23:00:00+00:00")
    cut = ZURICH.bounds_between(october, start_s, start_s + 7 * 86_400)
    assert cut == (october, start_s, ZURICH.bounds(october).end_s, QUARTER_S)
    assert [day.label for day in ZURICH.days(cut)] == [f"2025-10-{day}" for day in range(27, 32)]


def test_a_range_within_a_day_gives_a_part_of_that_day() -> None:
    start_s = instant("2025-10-26T12:00:00+00:00")
    cut = ZURICH.bounds_between(month_id(2025, 10), start_s, start_s + HOUR_S)
    assert ZURICH.days(cut) == [Day("2025-10-26", start_s, start_s + HOUR_S)]


def test_a_range_outside_the_month_is_refused() -> None:
    bounds = ZURICH.bounds(month_id(2025, 10))
    with pytest.raises(OutsideMonthError) as refusal:
        ZURICH.bounds_between(bounds.month, bounds.end_s, bounds.end_s + QUARTER_S)
    assert (refusal.value.month, refusal.value.start_s) == (bounds.month, bounds.end_s)


def test_a_range_that_cuts_a_period_is_refused() -> None:
    bounds = ZURICH.bounds(month_id(2025, 10))
    with pytest.raises(MisalignedError) as refusal:
        ZURICH.bounds_between(bounds.month, bounds.start_s + 1, bounds.end_s)
    assert refusal.value.instant_s == bounds.start_s + 1


def test_the_months_of_a_range_are_those_it_touches() -> None:
    november_s = ZURICH.bounds(month_id(2025, 11)).start_s
    october, november = month_id(2025, 10), month_id(2025, 11)
    assert ZURICH.months_between(november_s - QUARTER_S, november_s) == (october,)
    assert ZURICH.months_between(november_s - QUARTER_S, november_s + 1) == (october, november)
    assert ZURICH.months_between(november_s, november_s) == ()


def test_a_label_tells_the_two_hours_of_the_clock_change_apart() -> None:
    first_s = instant("2025-10-26T00:15:00+00:00")
    assert ZURICH.label(first_s) == "2025-10-26T02:15:00+02:00"
    assert ZURICH.label(first_s + HOUR_S) == "2025-10-26T02:15:00+01:00"


@pytest.mark.parametrize("zone", ["Europe/Zuric", "zurich", "europe/zurich", " Europe/Zurich "])
def test_an_unknown_zone_is_refused_and_the_close_one_named(zone: str) -> None:
    with pytest.raises(UnknownZoneError) as refusal:
        Calendar(zone, QUARTER_S)
    assert refusal.value.zone == zone
    assert refusal.value.close[0] == "Europe/Zurich"


@pytest.mark.parametrize("zone", ["", "Europe", "../etc/passwd", "/etc/passwd", "UTC\0", "x" * 400, "qqqq", "\udcff"])
def test_what_is_no_zone_at_all_is_refused_by_the_same_type(zone: str) -> None:
    with pytest.raises(UnknownZoneError):
        Calendar(zone, QUARTER_S)


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "right/UTC", "posix/UTC", "Factory"])
def test_a_zone_that_depends_on_the_machine_is_refused(zone: str) -> None:
    with pytest.raises(UnknownZoneError):
        Calendar(zone, QUARTER_S)


def test_the_clock_shows_an_hour_twice_and_skips_one() -> None:
    zurich = Calendar("Europe/Zurich", 900)
    first = zurich.local(1_761_438_600)
    second = zurich.local(1_761_438_600 + 3_600)
    assert (first.hour, first.minute, first.fold) == (second.hour, second.minute, 0) == (2, 30, 0)
    assert second.fold == 1


def test_an_unknown_period_length_is_refused() -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        Calendar("UTC", 700)
    assert (refusal.value.what, refusal.value.value) == ("period_s", 700)


@pytest.mark.parametrize("instant_s", [-1, LAST_INSTANT_S + 1, 2**63])
def test_an_instant_beyond_the_calendar_is_refused(instant_s: int) -> None:
    for ask in (ZURICH.month_of, ZURICH.label):
        with pytest.raises(OutOfRangeError):
            ask(instant_s)


@pytest.mark.parametrize("month", [MonthId(1970 * 12 - 30), month_id(1970, 1), month_id(9999, 1)])
def test_a_month_beyond_the_calendar_is_refused(month: MonthId) -> None:
    with pytest.raises(OutOfRangeError):
        ZURICH.bounds(month)


@given(
    zone=st.sampled_from(ZONES),
    period_s=st.sampled_from((QUARTER_S, HALF_S, HOUR_S)),
    instant_s=st.integers(10**8, 2 * 10**9),
)
def test_months_and_days_follow_one_another_without_gap_or_overlap(zone: str, period_s: int, instant_s: int) -> None:
    calendar = Calendar(zone, period_s)
    month = calendar.month_of(instant_s)
    bounds = calendar.bounds(month)
    assert bounds.start_s <= instant_s < bounds.end_s
    assert calendar.bounds(MonthId(month + 1)).start_s == bounds.end_s
    days = calendar.days(bounds)
    assert (days[0].start_s, days[-1].end_s) == (bounds.start_s, bounds.end_s)
    assert all(day.end_s == following.start_s for day, following in pairwise(days))
    assert all(day.label.startswith(month_label(month)) for day in days)
    assert len({day.label for day in days}) == len(days)


@given(instant_s=st.integers(0, LAST_INSTANT_S))
def test_a_label_reads_back_to_its_instant(instant_s: int) -> None:
    assert datetime.fromisoformat(ZURICH.label(instant_s)).astimezone(UTC).timestamp() == instant_s


def test_a_calendar_names_its_zone_and_period() -> None:
    assert repr(ZURICH) == "Calendar('Europe/Zurich', 900)"
    assert (ZURICH.zone, ZURICH.period_s) == ("Europe/Zurich", 900)
