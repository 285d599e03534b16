"""A zone's clock as Green Button tells it, hour by hour against the time zone database."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from gridproof.actors.bills.exports import local_time as module
from gridproof.actors.bills.exports.local_time import NO_RULE, LocalTime, local_time
from gridproof.calendar import Calendar
from gridproof.domain import MonthId, OutOfRangeError, month_id

from .espi_reader import ESPI, Clock, GreenButton, wall
from tests.shared import vectors

QUARTER_S = 900
NEAR_THE_END_S = 3_600


def of(zone: str, year: int, month: int = 10) -> LocalTime:
    return local_time(Calendar(zone, QUARTER_S), month_id(year, month))


def resource(time: LocalTime) -> ET.Element:
    element = ET.Element(f"{ESPI}LocalTimeParameters")
    told = (time.dst_end_rule, time.dst_offset_s, time.dst_start_rule, time.tz_offset_s)
    for name, value in zip(("dstEndRule", "dstOffset", "dstStartRule", "tzOffset"), told, strict=True):
        ET.SubElement(element, f"{ESPI}{name}").text = f"{value:X}" if name.endswith("Rule") else str(value)
    return element


def true_offset_s(zone: str, instant_s: int) -> int:
    offset = datetime.fromtimestamp(instant_s, ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)


def span(zone: str, year: int, month: int | None) -> tuple[int, int]:
    """A month, or a whole year."""
    calendar, first = Calendar(zone, QUARTER_S), month_id(year, month or 1)
    return calendar.bounds(first).start_s, calendar.bounds(MonthId(first if month else first + 11)).end_s


@pytest.mark.parametrize("year", [2025, 2030])
@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Zurich",
        "Europe/Dublin",  # whose winter is the exception in the database
        "America/New_York",
        "America/St_Johns",
        "America/Santiago",  # Sunday on or after the second
        "Australia/Lord_Howe",
        "Australia/Sydney",
        "Pacific/Chatham",
        "Africa/Cairo",
        "Africa/Casablanca",  # goes back for Ramadan
        "Asia/Jerusalem",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "America/Phoenix",
        "UTC",
    ],
)
def test_the_rules_give_the_zones_time_all_through_the_year(zone: str, year: int) -> None:
    clock = Clock(resource(of(zone, year)))
    start_s, end_s = span(zone, year, None)
    wrong = [at for at in range(start_s, end_s, QUARTER_S) if clock.offset_s(at) != true_offset_s(zone, at)]
    assert wrong == []


@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "America/Santiago"])
def test_rules_that_name_weekdays_hold_in_later_years(zone: str) -> None:
    clock = Clock(resource(of(zone, 2025)))
    start_s, end_s = span(zone, 2034, None)
    assert all(clock.offset_s(at) == true_offset_s(zone, at) for at in range(start_s, end_s, QUARTER_S))


def test_known_zones_have_their_known_rules() -> None:
    assert of("Europe/Zurich", 2025) == LocalTime(3_600, 3_600, 0x3E0E2000, 0xAE0E3000)
    assert of("Asia/Kolkata", 2025) == LocalTime(19_800, 0, NO_RULE, NO_RULE)
    howe = of("Australia/Lord_Howe", 2025)
    assert (howe.tz_offset_s, howe.dst_offset_s) == (39_600, -1_800)
    assert (wall(howe.dst_start_rule, 2025), wall(howe.dst_end_rule, 2025)) == (
        datetime(2025, 4, 6, 2, tzinfo=UTC),
        datetime(2025, 10, 5, 2, tzinfo=UTC),
    )
    assert wall(of("Pacific/Chatham", 2025).dst_end_rule, 2025) == datetime(2025, 9, 28, 2, 45, tzinfo=UTC)


@pytest.mark.shared("vectors")
@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("usage-15min-one-day.xml", "America/New_York"),
        ("electric-containerized-abridged.xml", "America/Los_Angeles"),
    ],
)
def test_other_peoples_files_have_the_same_parameters(name: str, zone: str) -> None:
    told = GreenButton(vectors(f"greenbutton/{name}").read_bytes()).only("LocalTimeParameters")
    assert [(each.tag, each.text) for each in told] == [(each.tag, each.text) for each in resource(of(zone, 2025))]


def test_a_year_in_which_clocks_change_once_ends_its_rule_with_the_year() -> None:
    time = of("America/Sao_Paulo", 2019)
    assert time.tz_offset_s + time.dst_offset_s == -3 * 3_600
    assert wall(time.dst_start_rule, 2019) == datetime(2019, 2, 17, tzinfo=UTC)
    clock = Clock(resource(time))
    start_s, end_s = span("America/Sao_Paulo", 2019, None)
    instants = range(start_s, end_s - NEAR_THE_END_S, QUARTER_S)
    assert all(clock.offset_s(at) == true_offset_s("America/Sao_Paulo", at) for at in instants)


@pytest.mark.parametrize("month", range(1, 13))
def test_a_year_of_four_changes_is_told_for_the_month(month: int) -> None:
    zone = "Africa/Casablanca"  # 2014: forward, back for Ramadan, forward, back
    clock = Clock(resource(of(zone, 2014, month)))
    start_s, end_s = span(zone, 2014, month)
    assert all(clock.offset_s(at) == true_offset_s(zone, at) for at in range(start_s, end_s, QUARTER_S))


def test_a_month_that_no_rule_can_tell_has_the_time_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    change = module._Change(datetime(2025, 10, 3, tzinfo=UTC), 3_600, 7_200)
    monkeypatch.setattr(module, "_changes", lambda zone, start_s, end_s: [change] * 3)
    assert of("Europe/Zurich", 2025) == LocalTime(7_200, 0, NO_RULE, NO_RULE)


def test_a_year_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        of("Europe/Zurich", 9999)
    assert refusal.value.what == "year"
