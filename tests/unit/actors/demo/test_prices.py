"""The demonstration's tariff is a good one for any load, and its price moves with the load."""

import pytest

from gridproof.actors.demo.prices import tariff_for
from gridproof.calendar import Calendar
from gridproof.connectors.tariff_file import parse_tariff
from gridproof.domain import Direction, month_id, slot_price

CALENDAR = Calendar("Europe/Zurich", 900)


@pytest.mark.parametrize("mean_wh", [0, 1, 2, 999, 9_040, 10**9])
def test_the_ledger_takes_it_whatever_is_drawn(mean_wh: int) -> None:
    plan = parse_tariff(tariff_for(mean_wh))
    assert plan.for_month(CALENDAR, CALENDAR.bounds(month_id(2025, 6)), "CHF").name == "By the region's load"


def test_the_price_rises_with_the_load_around_the_mean() -> None:
    tariff = parse_tariff(tariff_for(9_000)).for_month(CALENDAR, CALENDAR.bounds(month_id(2025, 6)), "CHF")
    loads = (1_000, 3_000, 9_000, 15_000, 22_500, 40_000)
    prices = [slot_price(tariff, Direction.IMPORT, 0, load_wh) for load_wh in loads]
    assert prices == [12_000, 12_000, 19_384, 26_769, 36_000, 36_000]
    assert slot_price(tariff, Direction.IMPORT, 0, None) == 22_000
    assert slot_price(tariff, Direction.EXPORT, 0, 5) == 9_000
