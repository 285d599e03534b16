"""A tariff cut into months: bands as instants, also where the clock changes (rules T-1 to T-4)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gridproof.calendar import Calendar
from gridproof.connectors.tariff_file import TariffMonthError, TariffPlan, default_tariff, parse_tariff
from gridproof.domain import (
    PERIODS_S,
    Direction,
    MisalignedError,
    MonthBounds,
    OutOfRangeError,
    Tariff,
    TimeOfUse,
    month_id,
    require_tariff,
    slot_price,
)
from gridproof.primitives.encoding import decode, encode

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HEAD = 'name = "T"\n[feed-in]\nscheme = "flat"\nprice = 0.05\n[import]\nscheme = "time-of-use"\nfallback = 0.2\n'
REST_E5 = 99_000


class Stretch(NamedTuple):
    """When a band holds, as its file says it: its weekdays, and two minutes of the day."""

    days: tuple[int, ...]
    from_min: int
    to_min: int


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def plan_of(stretches: Sequence[Stretch]) -> TariffPlan:
    """A tariff with a band for each stretch, priced 0.01, 0.02 and so on, and a default one."""
    text = HEAD + '[[import.band]]\nname = "rest"\nprice = 0.99\n'
    for number, (days, from_min, to_min) in enumerate(stretches, 1):
        listed = ",".join(DAYS[day] for day in days)
        text += f'[[import.band]]\nname = "{number}"\nprice = {number / 100:.2f}\ndays = "{listed}"\n'
        text += f'from = "{clock(from_min)}"\nto = "{clock(to_min)}"\n'
    return parse_tariff(text.encode())


def naive_e5(stretches: Sequence[Stretch], local: datetime) -> int:
    """The price when the clock on the wall shows `local`: lay each band on the calendar and look."""
    shown = local.replace(tzinfo=None, fold=0)
    midnight = shown.replace(hour=0, minute=0, second=0)
    for number, (days, from_min, to_min) in enumerate(stretches, 1):
        length = to_min - from_min if to_min > from_min else to_min + 1_440 - from_min
        for back in (0, 1):
            day = midnight - timedelta(days=back)
            begin = day + timedelta(minutes=from_min)
            if day.weekday() in days and begin <= shown < begin + timedelta(minutes=length):
                return number * 1_000
    return REST_E5


@st.composite
def some_stretches(draw: st.DrawFn) -> list[Stretch]:
    """Bands that share no minute: the day is cut at some minutes, the last stretch may go on over midnight."""
    cuts = sorted(draw(st.sets(st.integers(0, 1_439), min_size=2, max_size=6)))
    days = st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found)))
    made = [Stretch(draw(days), start, end) for start, end in pairwise(cuts) if draw(st.booleans())]
    if draw(st.booleans()):
        made.append(Stretch(draw(days), cuts[-1], draw(st.integers(0, cuts[0]))))
    return made


ZONES = (
    "Europe/Zurich",
    "Australia/Lord_Howe",  # summer time is half an hour
    "Asia/Kathmandu",  # 5:45 off
    "America/St_Johns",
    "Africa/Casablanca",  # the clock goes back for a month in the year
    "Pacific/Chatham",
    "America/Asuncion",  # the clock skips midnight
)


@given(
    st.sampled_from(ZONES),
    st.sampled_from(PERIODS_S),
    st.integers(1, 12),
    st.integers(2023, 2025),
    some_stretches(),
)
def test_every_slot_has_the_price_that_the_clock_on_the_wall_says(
    zone: str, period_s: int, month: int, year: int, stretches: list[Stretch]
) -> None:
    calendar = Calendar(zone, period_s)
    bounds = calendar.bounds(month_id(year, month))
    tariff = plan_of(stretches).for_month(calendar, bounds, "CHF")
    wall = ZoneInfo(zone)
    require_tariff(tariff, bounds.start_s)
    assert decode(encode(tariff), Tariff) == tariff
    step_s = max(period_s, bounds.periods // 750 * period_s)  # of the shortest periods, some hundreds
    for start_s in range(bounds.start_s, bounds.end_s, step_s):
        expected_e5 = naive_e5(stretches, datetime.fromtimestamp(start_s, wall))
        assert slot_price(tariff, Direction.IMPORT, start_s, 0) == expected_e5, start_s


@given(some_stretches(), st.data())
def test_a_tariff_from_within_the_month_is_the_rest_of_the_whole_one(
    stretches: list[Stretch], data: st.DataObject
) -> None:
    calendar = Calendar("Europe/Zurich", 3_600)
    bounds = calendar.bounds(month_id(2025, 3))
    plan = plan_of(stretches)
    from_s = bounds.start_s + 3_600 * data.draw(st.integers(0, bounds.periods - 1))
    whole, rest = plan.for_month(calendar, bounds, "CHF"), plan.for_month(calendar, bounds, "CHF", from_s)
    assert isinstance(rest.imports.scheme, TimeOfUse)
    assert rest.imports.scheme.switches[0].at_s == from_s
    for start_s in range(from_s, bounds.end_s, 3_600):
        assert slot_price(rest, Direction.IMPORT, start_s, 5) == slot_price(whole, Direction.IMPORT, start_s, 5)


def prices(zone: str, period_s: int, first: str, slots: int, stretches: Sequence[Stretch]) -> list[int]:
    """The prices of some slots from a local time on, 1e-5 per kWh."""
    calendar = Calendar(zone, period_s)
    start_s = int(datetime.fromisoformat(first).timestamp())
    bounds = calendar.bounds(calendar.month_of(start_s))
    tariff = plan_of(stretches).for_month(calendar, bounds, "CHF")
    return [slot_price(tariff, Direction.IMPORT, start_s + at * period_s, 0) for at in range(slots)]


ALL = tuple(range(7))


def test_an_hour_that_comes_twice_has_its_band_twice() -> None:
    found = prices("Europe/Zurich", 3_600, "2025-10-26T01:00+02:00", 5, [Stretch(ALL, 120, 180)])
    assert found == [REST_E5, 1_000, 1_000, REST_E5, REST_E5]


def test_an_hour_that_is_skipped_has_its_band_never() -> None:
    found = prices("Europe/Zurich", 3_600, "2025-03-30T01:00+01:00", 3, [Stretch(ALL, 120, 180)])
    assert found == [REST_E5] * 3
    over = prices("Europe/Zurich", 3_600, "2025-03-30T01:00+01:00", 3, [Stretch(ALL, 120, 240)])
    assert over == [REST_E5, 1_000, REST_E5]


def test_half_an_hour_of_summer_time_moves_bands_by_half_an_hour() -> None:
    # Lord Howe, 6 April 2025: at 2:00 the clock goes back to 1:30.
    found = prices("Australia/Lord_Howe", 1_800, "2025-04-06T01:00+11:00", 5, [Stretch(ALL, 90, 120)])
    assert found == [REST_E5, 1_000, 1_000, REST_E5, REST_E5]


def test_a_period_takes_the_band_of_its_first_instant() -> None:
    # In Kathmandu no period of an hour begins at a full hour: 6:45 and 7:45.
    found = prices("Asia/Kathmandu", 3_600, "2025-01-07T05:45+05:45", 4, [Stretch(ALL, 420, 480)])
    assert found == [REST_E5, REST_E5, 1_000, REST_E5]


def test_a_band_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday = [Stretch((4,), 1_380, 60)]
    assert prices("Europe/Zurich", 1_800, "2025-08-01T22:30+02:00", 6, friday) == [
        REST_E5, 1_000, 1_000, 1_000, 1_000, REST_E5,
    ]  # fmt: skip
    assert prices("Europe/Zurich", 1_800, "2025-08-02T22:30+02:00", 6, friday) == [REST_E5] * 6


def test_a_band_of_the_month_before_ends_in_the_first_night() -> None:
    night = HEAD + (
        '[[import.band]]\nname = "rest"\nprice = 0.99\n[[import.band]]\nname = "n"\nprice = 0.01\nmonths = "sep"\n'
        'from = "22:00"\nto = "02:00"\n'
    )
    calendar = Calendar("Europe/Zurich", 3_600)
    bounds = calendar.bounds(month_id(2025, 10))
    tariff = parse_tariff(night.encode()).for_month(calendar, bounds, "CHF")
    found = [slot_price(tariff, Direction.IMPORT, bounds.start_s + hour * 3_600, 0) for hour in range(48)]
    assert found == [1_000] * 2 + [REST_E5] * 46


@pytest.mark.parametrize(
    ("month", "hours"), [(month_id(2025, 10), 745), (month_id(2025, 3), 743), (month_id(2025, 2), 672)]
)
def test_a_standing_charge_is_for_the_whole_calendar_month_also_where_it_was_cut(month: int, hours: int) -> None:
    calendar = Calendar("Europe/Zurich", 900)
    whole = calendar.bounds(month_id(month // 12, month % 12 + 1))
    cut = MonthBounds(whole.month, whole.start_s + 86_400, whole.end_s - 900, 900)
    text = HEAD + '[[import.band]]\nname = "a"\nprice = 0\n'
    for per in ("month", "day", "year"):
        text += f'[[standing]]\nname = "{per}"\namount = 1\nper = "{per}"\n'
    for bounds in (whole, cut):
        tariff = parse_tariff(text.encode()).for_month(calendar, bounds, "CHF")
        assert [each.per_s for each in tariff.standing] == [hours * 3_600, 86_400, 365 * 86_400]


def test_a_leap_year_has_a_day_more() -> None:
    calendar = Calendar("Europe/Zurich", 900)
    text = default_tariff("EUR").replace('per = "month"', 'per = "year"')
    tariff = parse_tariff(text.encode()).for_month(calendar, calendar.bounds(month_id(2024, 2)), "EUR")
    assert [each.per_s for each in tariff.standing] == [366 * 86_400]


def test_the_default_file_goes_through_the_ledgers_form_and_back() -> None:
    calendar = Calendar("Europe/Zurich", 900)
    for month in range(1, 13):
        bounds = calendar.bounds(month_id(2025, month))
        tariff = parse_tariff(default_tariff("CHF").encode()).for_month(calendar, bounds, "CHF")
        require_tariff(tariff, bounds.start_s)
        assert decode(encode(tariff), Tariff) == tariff
        assert tariff.currency == "CHF"


def test_times_outside_the_month_and_within_a_period_are_refused() -> None:
    calendar = Calendar("Europe/Zurich", 900)
    bounds, plan = calendar.bounds(month_id(2025, 10)), plan_of([])
    for from_s in (bounds.start_s - 900, bounds.end_s):
        with pytest.raises(OutOfRangeError) as outside:
            plan.for_month(calendar, bounds, "CHF", from_s)
        assert (outside.value.what, outside.value.value) == ("from_s", from_s)
    with pytest.raises(MisalignedError) as within:
        plan.for_month(calendar, bounds, "CHF", bounds.start_s + 60)
    assert within.value.instant_s == bounds.start_s + 60


def test_a_month_with_too_many_switches_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridproof.connectors.tariff_file.plan.MAX_SWITCHES", 10)
    calendar = Calendar("Europe/Zurich", 900)
    with pytest.raises(TariffMonthError) as refusal:
        plan_of([Stretch(ALL, 60, 120)]).for_month(calendar, calendar.bounds(month_id(2025, 10)), "CHF")
    assert (refusal.value.month, refusal.value.detail) == ("2025-10", "its bands change 63 times, more than 10")


@settings(max_examples=20)
@given(st.sets(st.integers(0, 1_439), min_size=30, max_size=60), st.sampled_from(ZONES), st.integers(1, 12))
def test_what_the_file_may_say_never_has_more_switches_than_the_ledger_takes(
    cuts: set[int], zone: str, month: int
) -> None:
    assume(len(cuts) % 2 == 0)
    times = sorted(cuts)
    stretches = [Stretch(ALL, start, end) for start, end in zip(times[::2], times[1::2], strict=True)]
    calendar = Calendar(zone, 300)
    tariff = plan_of(stretches).for_month(calendar, calendar.bounds(month_id(2025, month)), "CHF")
    assert msgspec.convert(msgspec.to_builtins(tariff), Tariff) == tariff
