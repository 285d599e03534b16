"""Pictures of tariffs: what they show is what the figures say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.community import Times
from gridproof.calendar import Calendar
from gridproof.cli.tariff_chart import BINS, Day, _ticks, bins, histogram, week
from gridproof.cli.tariff_simulation import quantile
from gridproof.cli.tariff_words import _days, money, picture
from gridproof.connectors.tariff_file import default_tariff, parse_tariff
from gridproof.domain import Direction, Tariff, month_id


def of_month(calendar: Calendar, year: int, month: int) -> tuple[Tariff, tuple[int, int]]:
    """The default tariff of a month, and the month's ends."""
    bounds = calendar.bounds(month_id(year, month))
    return parse_tariff(default_tariff("CHF").encode()).for_month(calendar, bounds, "CHF"), bounds[1:3]


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (16_500, 5, "0.165"),
        (0, 5, "0.00"),
        (-3_000, 5, "-0.03"),
        (123_456_789, 5, "1,234.56789"),
        (5, 9, "0.000000005"),
    ],
)
def test_money_is_written_exactly(value: int, places: int, text: str) -> None:
    assert money(value, places) == text


def test_money_has_signs_and_decimals_as_asked() -> None:
    assert money(5, 2, sign=True) == "+0.05"
    assert money(100_000, 5, 4) == "1.0000"
    assert money(800, 2, 0) == "8."


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda change: change == 0 or abs(change) > 1e-6), min_size=1))
def test_every_household_stands_in_one_bin_that_holds_its_change(changes: list[float]) -> None:
    found = bins(changes)
    assert len(found) == BINS
    assert sum(each.households for each in found) == len(changes)
    assert found[BINS // 2].low < 0 < found[BINS // 2].high
    for each in found:
        held = [change for change in changes if each.low + 1e-9 < change < each.high - 1e-9]
        assert each.households >= len(held)
    assert len(histogram(found)) == BINS


def test_changes_that_are_all_none_stand_in_the_middle() -> None:
    assert [each.households for each in bins([0.0, 0.0])] == [0] * 5 + [2] + [0] * 5


@given(st.lists(st.integers(), min_size=1), st.integers(0, 100))
def test_a_quantile_has_so_many_at_or_below_it(values: list[int], percent: int) -> None:
    found = quantile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_an_axis_holds_both_ends_in_few_steps(one: float, other: float) -> None:
    low, high = min(0.0, one, other), max(0.0, one, other)
    ticks = _ticks(low, high)
    assert ticks[0] <= low + 1e-6
    assert ticks[-1] >= high - 1e-6
    assert 3 <= len(ticks) <= 13


def test_more_prices_than_signs_share_the_last_one() -> None:
    lines = week([Day("Mon", range(48))], {price: f"p{price}" for price in range(48)})
    assert lines[1] == f"Mon {'o' * 41}*+:.-=#"
    assert lines[-1].strip() == "o p0"


def test_a_week_begins_on_a_monday_and_a_skipped_hour_stays_empty() -> None:
    times = Times(Calendar("Europe/Zurich", 900))
    tariff, span = of_month(times.calendar, 2025, 3)
    days = _days(tariff, Direction.IMPORT, times, span)
    assert [day.label for day in days] == [f"{name} 2025-03-0{3 + at}" for at, name in enumerate(
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    )]  # fmt: skip
    late = _days(tariff, Direction.IMPORT, times, (times.parse("2025-03-27"), span[1]))
    assert [day.label for day in late] == [
        "Thu 2025-03-27", "Fri 2025-03-28", "Sat 2025-03-29", "Sun 2025-03-30", "Mon 2025-03-31",
    ]  # fmt: skip
    assert [at for at, price in enumerate(late[3].prices_e5) if price is None] == [4, 5]


def test_a_day_begins_where_the_tariff_does(tmp_path: Path) -> None:
    times = Times(Calendar("Asia/Kathmandu", 3_600))
    tariff, span = of_month(times.calendar, 2025, 1)
    start_s = times.parse("2025-01-31T18:45")
    (day,) = _days(tariff, Direction.IMPORT, times, (start_s, span[1]))
    assert day.prices_e5 == [None] * 37 + [16_500] * 4 + [12_900] * 7
    assert "1 day from Fri 2025-01-31 on" in picture("T", tariff, times, (start_s, span[1]))
