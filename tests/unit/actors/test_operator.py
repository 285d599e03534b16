"""The operator: everything it does once, however often it is asked."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gridproof.actors import credentials
from gridproof.actors.operator import Operator
from gridproof.actors.randomness import Seeded
from gridproof.domain import ChannelTariff, Flat, MonthBounds, RegionId, Tariff
from gridproof.modules.aggregation.errors import DeadlinesPending
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing.errors import TariffTooEarly
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import AddRegion, OpenMonth
from gridproof.modules.registry.types import Role

from tests.simulation.village import OCTOBER, PERIOD_S, REGION, RULES, START_S, Village

BOUNDS = MonthBounds(OCTOBER, START_S, START_S + 4 * PERIOD_S, PERIOD_S)


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        yield village


@pytest.fixture
def operator(village: Village) -> Operator:
    return Operator(village.seat("operator")._sender)


def test_a_participant_is_registered_once_and_found_again(village: Village, operator: Operator) -> None:
    keys = credentials.draw("auditor", Seeded(b"auditor")).public_keys()
    number = operator.register("auditor", Role.AUDITOR, keys)
    height = village.ledger.head.height
    assert operator.register("auditor", Role.AUDITOR, keys) == number
    assert village.ledger.head.height == height
    known = village.client.ask(registry.participant, number)
    assert known is not None
    assert (known.name, known.roles) == ("auditor", Role.AUDITOR)


def test_a_region_is_added_once_and_its_privacy_changed(village: Village, operator: Operator) -> None:
    region = AddRegion(region=7, name="north", **RULES)
    operator.add_region(region)
    height = village.ledger.head.height
    operator.add_region(region)
    assert village.ledger.head.height == height
    operator.set_privacy(RegionId(7), 9, 900)
    known = village.client.ask(registry.region, 7)
    assert known is not None
    assert (known.name, known.k_min, known.min_live_permille) == ("north", 9, 900)


def test_a_month_is_opened_once_and_closed_once_after_its_deadlines(village: Village, operator: Operator) -> None:
    operator.close_month(REGION, OCTOBER)
    operator.open_month(REGION, BOUNDS)
    height = village.ledger.head.height
    operator.open_month(REGION, BOUNDS)
    assert village.ledger.head.height == height
    with pytest.raises(DeadlinesPending):
        operator.close_month(REGION, OCTOBER)
    operator.advance_clock(BOUNDS.end_s + 8 * 86_400)
    operator.close_month(REGION, OCTOBER)
    operator.close_month(REGION, OCTOBER)
    month = village.client.ask(registry.month, REGION, OCTOBER)
    assert month is not None
    assert month.closed


def test_the_clock_goes_forward_only_and_only_where_it_is_the_operators(
    tmp_path: Path, village: Village, operator: Operator
) -> None:
    assert operator.advance_clock(START_S) is not None
    assert operator.advance_clock(START_S) is None
    assert operator.advance_clock(START_S - 1) is None
    assert village.ledger.status().ledger_time_s == START_S
    with Village(tmp_path / "other", ledger_clock="block") as other:
        assert Operator(other.seat("operator")._sender).advance_clock(2**40) is None


def test_a_tariff_is_changed_once_and_a_refused_one_leaves_the_one_before(village: Village, operator: Operator) -> None:
    tariff = Tariff("T", "CHF", 1, ChannelTariff(Flat(20_000), 20_000), ChannelTariff(Flat(9_000), 9_000))
    operator.sender.send(OpenMonth(REGION, OCTOBER, BOUNDS.start_s, BOUNDS.end_s, tariff))
    other, from_k = msgspec.structs.replace(tariff, name="U"), BOUNDS.first_k + 2
    operator.change_tariff(REGION, OCTOBER, from_k, other)
    height = village.ledger.head.height
    operator.change_tariff(REGION, OCTOBER, from_k, other)
    assert village.ledger.head.height == height
    steps = ((BOUNDS.first_k, tariff), (from_k, other))
    assert village.client.ask(pricing.tariffs, REGION, OCTOBER) == steps
    with pytest.raises(TariffTooEarly) as refusal:
        operator.change_tariff(REGION, OCTOBER, from_k, tariff)
    assert refusal.value.low_k == from_k + 1
    assert village.client.ask(pricing.tariffs, REGION, OCTOBER) == steps
