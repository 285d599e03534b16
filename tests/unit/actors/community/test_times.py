"""Times as people of a zone say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.community import Times
from gridproof.actors.community.errors import (
    AmbiguousTimeError,
    BeyondCalendarError,
    EmptySpanError,
    MisalignedTimeError,
    NoDayError,
    NoMonthGivenError,
    NoTimeError,
    SkippedTimeError,
)
from gridproof.actors.community.times import require_between_periods
from gridproof.calendar import Calendar

ZURICH = Times(Calendar("Europe/Zurich", 900))
APIA = Times(Calendar("Pacific/Apia", 900))


@given(st.integers(0, 4_102_444_800))
def test_what_is_shown_is_read_back_as_the_same_instant(instant_s: int) -> None:
    assert ZURICH.parse(ZURICH.label(instant_s)) == instant_s
    assert ZURICH.parse(ZURICH.short(instant_s).replace(" ", "T", 1).replace(" ", "")) == instant_s - instant_s % 60


def test_time_without_offset_is_the_zones_if_its_clock_showed_it_once() -> None:
    assert ZURICH.parse("2025-10-26T01:59") == ZURICH.parse("2025-10-26T01:59+02:00")
    assert ZURICH.parse(" 2025-10-26 03:00 ") == ZURICH.parse("2025-10-26T02:00Z")
    assert ZURICH.parse("2025-10-26") == ZURICH.parse("2025-10-25T22:00Z")


def test_hour_that_comes_twice_asks_for_an_offset() -> None:
    with pytest.raises(AmbiguousTimeError) as raised:
        ZURICH.parse("2025-10-26T02:30")
    assert raised.value.particulars == {
        "given": "2025-10-26T02:30",
        "first": "2025-10-26T02:30:00+02:00",
        "second": "2025-10-26T02:30:00+01:00",
    }
    assert ZURICH.parse(raised.value.second) - ZURICH.parse(raised.value.first) == 3_600


def test_hour_that_never_came_is_refused() -> None:
    with pytest.raises(SkippedTimeError) as raised:
        ZURICH.parse("2025-03-30T02:30")
    assert raised.value.zone == "Europe/Zurich"


def test_date_that_the_zone_never_had_is_no_day() -> None:
    for given_ in ("2011-12-30", "2011-02-29", "2011-1-1", "tomorrow"):
        with pytest.raises(NoDayError):
            APIA.day(given_)
    assert APIA.day("2011-12-31").label == "2011-12-31"


@pytest.mark.parametrize("given_", ["1960-01-01", "9999-12-31", "1969-12-31T00:00Z", "9999-01-01T00:00Z"])
def test_what_lies_beyond_the_calendar_is_told_with_how_far_that_goes(given_: str) -> None:
    with pytest.raises(BeyondCalendarError) as raised:
        ZURICH.parse(given_)
    first, last = raised.value.first, raised.value.last
    assert (first[:4], last[:4]) == ("1970", "9998")
    assert ZURICH.parse(first) < ZURICH.parse(last), "both can be given"


@pytest.mark.parametrize("given_", ["", "noon", "25:00", "2025-13-01T00:00"])
def test_what_is_no_time_is_refused(given_: str) -> None:
    with pytest.raises((NoTimeError, NoDayError)) as raised:
        ZURICH.parse(given_)
    assert raised.value.particulars["given"] == given_


def test_months_are_read_strictly() -> None:
    assert ZURICH.month("2025-10") == 2025 * 12 + 9
    for given_ in ("2025-13", "2025", "2025-1", "1969-12"):
        with pytest.raises(NoMonthGivenError):
            ZURICH.month(given_)


def test_span_without_ends_has_no_bounds_and_an_empty_one_is_refused() -> None:
    assert ZURICH.span(None, "2025-10-26")[0] == 0
    with pytest.raises(EmptySpanError):
        ZURICH.span("2025-10-26", "2025-10-26")


def test_time_within_a_period_names_both_ends() -> None:
    with pytest.raises(MisalignedTimeError) as raised:
        require_between_periods(ZURICH, "x", 900_000 + 1)
    assert ZURICH.parse(raised.value.after) - ZURICH.parse(raised.value.before) == 900
    assert require_between_periods(ZURICH, "x", 900_000) == 900_000
