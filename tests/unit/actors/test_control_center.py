"""The control centre announces the one price that the tariff gives, once for each slot that has ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.control_center import ControlCenter
from gridproof.actors.operator import Operator
from gridproof.domain import ChannelTariff, Flat, MonthId, RegionId, Slot
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Status
from gridproof.modules.pricing import errors as refusals
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing.messages import AnnouncePrice
from gridproof.modules.registry import queries as registry

from tests.simulation.billed import A_MONTH, TARIFF, BilledVillage, energy_wh
from tests.simulation.village import OCTOBER, REGION, slot

NAMES = [f"meter {n}" for n in range(4)]


@pytest.fixture
def village(tmp_path: Path) -> Iterator[BilledVillage]:
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        village.read_month(NAMES, 0, 3)
        yield village


@pytest.fixture
def silent(village: BilledVillage) -> ControlCenter:
    """A control centre beside a community that has none of its own at work: no slot has a price."""
    village.crew.control_center = None
    village.run(4, None, A_MONTH)
    return ControlCenter(village.seat("control center"))


def price(village: BilledVillage, n: int) -> Any:
    return village.client.ask(pricing.price, *slot(n))


def test_a_slot_that_has_ended_gets_the_price_of_its_total_once(village: BilledVillage, silent: ControlCenter) -> None:
    assert price(village, 1) is None
    assert silent.announce(slot(1))
    assert silent.seat.settle() == []
    total_wh = sum(energy_wh(name, 1) for name in NAMES)
    assert price(village, 1).price_e5 == 20_000 + total_wh * 20_000 // 10_000
    assert not silent.announce(slot(1))
    assert silent.seat.settle() == []


def test_a_slot_without_a_total_gets_the_fallback(village: BilledVillage, silent: ControlCenter) -> None:
    assert village.state(3).status == Status.VOID
    assert silent.announce(slot(3))
    assert silent.seat.settle() == []
    assert (price(village, 3).price_e5, price(village, 3).fallback) == (55_000, True)


def test_a_slot_that_has_not_ended_or_is_none_waits(village: BilledVillage, silent: ControlCenter) -> None:
    for which in (slot(5), slot(1)._replace(region=RegionId(9)), Slot(REGION, slot(1).channel, 7)):
        assert not silent.announce(which)
    assert silent.seat.settle() == []


def test_a_month_without_a_tariff_has_no_prices(tmp_path: Path) -> None:
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        village.read_month(NAMES, 0, 2)
        village.tariff = None
        village.run(2, None, A_MONTH)
        assert price(village, 1) is None
        assert not ControlCenter(village.seat("control center")).announce(slot(1))
        assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def test_the_control_centre_can_announce_no_other_price(village: BilledVillage, silent: ControlCenter) -> None:
    message = silent.price(slot(1), village.state(1))
    assert message is not None
    for false in (replace(message, price_e5=message.price_e5 + 1), replace(message, total_wh=message.total_wh + 1)):
        silent.seat.send(false)
        (refused,) = silent.seat.settle()
        assert isinstance(refused.refusal, refusals.PricingError)
    silent.seat.send(replace(message, k=slot(2).k))
    (refused,) = silent.seat.settle()
    assert isinstance(refused.refusal, refusals.PricingError)
    assert price(village, 1) is None
    assert isinstance(message, AnnouncePrice)


def test_a_change_of_the_tariff_counts_from_its_slot_on(village: BilledVillage) -> None:
    village.crew.control_center = None
    village.run(1, None, A_MONTH)
    later = replace(TARIFF, name="later", imports=ChannelTariff(Flat(7), 9))
    Operator(village.seat("operator")._sender).change_tariff(REGION, MonthId(OCTOBER), slot(2).k, later)
    village.run(3, None, A_MONTH)
    center = ControlCenter(village.seat("control center"))
    for n in (1, 2):
        assert center.announce(slot(n))
    assert center.seat.settle() == []
    assert price(village, 1).price_e5 > 20_000
    assert price(village, 2).price_e5 == 7


def test_the_months_are_asked_for_once(
    village: BilledVillage, silent: ControlCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    ask = silent.seat.ask

    def counted(query: Any, *args: Any) -> Any:
        asked.append(query)
        return ask(query, *args)

    monkeypatch.setattr(silent.seat, "ask", counted)
    for n in (0, 1, 2):
        assert silent.announce(slot(n))
    assert asked.count(registry.months) == 1
    assert asked.count(aggregation.slot) == 3
    del village


def test_all_slots_of_a_run_have_their_price(village: BilledVillage) -> None:
    village.months()
    prices = village.client.ask(pricing.month_prices, REGION, slot(0).channel, OCTOBER)
    assert [each.k for each in prices] == [slot(n).k for n in range(A_MONTH)]
    assert [each.fallback for each in prices] == [n >= 3 for n in range(A_MONTH)]
