"""Times for people: T-1, T-2."""

from datetime import timedelta

import pytest

from gridproof.actors.bills.page.clock import WallClock, offset_label
from gridproof.actors.bills.page.words import Words
from gridproof.domain import OutOfRangeError

EN, DE = WallClock("Europe/Zurich", Words("en")), WallClock("Europe/Zurich", Words("de"))
AUTUMN_S = 1_761_436_800  # 2025-10-26T02:00+02:00
HOUR_S = 3_600


def test_t1_an_hour_that_comes_twice_is_told_with_its_offset() -> None:
    told = [EN.time(AUTUMN_S + at * HOUR_S) for at in range(-1, 3)]
    assert told == ["01:00", "02:00 (UTC+2)", "02:00 (UTC+1)", "03:00"]


def test_t2_an_hour_that_the_clock_skips_needs_no_offset() -> None:
    spring_s = 1_743_296_400  # 2025-03-30T03:00+02:00
    assert [EN.time(spring_s - 900), EN.time(spring_s)] == ["01:45", "03:00"]


@pytest.mark.parametrize(
    ("hours", "minutes", "told"), [(2, 0, "UTC+2"), (5, 45, "UTC+5:45"), (-3, 0, "UTC-3"), (0, 0, "UTC+0")]
)
def test_offsets_are_written_as_people_do(hours: int, minutes: int, told: str) -> None:
    assert offset_label(timedelta(hours=hours, minutes=minutes)) == told
    assert offset_label(-timedelta(hours=3, minutes=30)) == "UTC-3:30"


def test_dates_in_both_languages() -> None:
    assert [clock.day(AUTUMN_S) for clock in (EN, DE)] == ["Sun 26 Oct", "So 26. Okt."]
    assert [clock.date(AUTUMN_S) for clock in (EN, DE)] == ["26 October 2025", "26. Oktober 2025"]
    assert [clock.moment(AUTUMN_S - HOUR_S) for clock in (EN, DE)] == [
        "26 October 2025, 01:00",
        "26. Oktober 2025, 01:00",
    ]
    assert [clock.month("2025-03") for clock in (EN, DE)] == ["March 2025", "M\u00e4rz 2025"]


@pytest.mark.parametrize(
    ("start_h", "end_h", "told"),
    [
        (-2, 0, "Sun 26 Oct, 00:00\u201302:00 (UTC+2)"),
        (0, 2, "Sun 26 Oct, 02:00 (UTC+2)\u201303:00"),
        (-2, 23, "Sun 26 Oct, 00:00\u201324:00"),
        (-3, 0, "Sat 25 Oct, 23:00 \u2013 Sun 26 Oct, 02:00 (UTC+2)"),
        (-4, 23, "Sat 25 Oct, 22:00 \u2013 Sun 26 Oct, 24:00"),
    ],
)
def test_a_stretch_names_its_day_once_and_ends_at_24(start_h: int, end_h: int, told: str) -> None:
    assert EN.span(AUTUMN_S + start_h * HOUR_S, AUTUMN_S + end_h * HOUR_S) == told


def test_days_share_their_month_where_they_can() -> None:
    day_s = 24 * HOUR_S
    assert EN.days(AUTUMN_S, AUTUMN_S + HOUR_S) == "26 October 2025"
    assert EN.days(AUTUMN_S, AUTUMN_S + 2 * day_s) == "26 to 28 October 2025"
    assert DE.days(AUTUMN_S, AUTUMN_S + 2 * day_s) == "26. bis 28. Oktober 2025"
    assert DE.days(AUTUMN_S, AUTUMN_S + 9 * day_s) == "26. Oktober 2025 bis 4. November 2025"


def test_an_instant_beyond_the_calendar_has_no_time() -> None:
    with pytest.raises(OutOfRangeError):
        EN.local(2**50)
