"""Rules P-7 and P-8: a month's prices under one root, and what is forgotten of them."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import ChannelTariff, Direction, Flat
from gridproof.modules.aggregation import queries as slots
from gridproof.modules.aggregation.messages import CloseMonth
from gridproof.modules.pricing import queries
from gridproof.modules.pricing.messages import ChangeTariff, PricesClosed
from gridproof.modules.pricing.types import FOLDED, PRICES, FoldedPrice, PriceFold
from gridproof.modules.registry.messages import OpenMonth
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode
from gridproof.state import Event
from gridproof.state.tables import Map

from tests.unit.modules.aggregation.community import (
    FIRST_K,
    IMPORT,
    MONTH,
    REGION,
    TARIFF,
    Community,
    month_bounds,
)

K = FIRST_K
EXPORT = Direction.EXPORT


def keys_in(town: Community, table: Map[Any]) -> list[tuple[int, ...]]:
    with town.node.application.reading() as view:
        return [parts for parts, _ in table.all(view)]


def closed(town: Community) -> list[Event]:
    """Close the month; what was announced of prices."""
    last_k = town.bounds.end_k - 1
    town.go_to(max(town.now_s, town.claim_end_of(last_k), town.opening_end_of(last_k)))
    return [event for event in town.send("operator", town.month_over) if isinstance(event, PricesClosed)]


def month_prices(town: Community, channel: Direction = IMPORT, month: int = MONTH) -> tuple[FoldedPrice, ...]:
    found: tuple[FoldedPrice, ...] = town.ask(queries.month_prices, REGION, channel, month)
    return found


@pytest.fixture
def priced(town: Community) -> Community:
    """The first slot priced by its total, the second sealed and priced, the third never touched."""
    town.opened(K)
    town.accepts("center", town.price(K))
    town.fixed(K + 1, 0, 1)
    town.accepts("center", town.price(K + 1))
    return town


def test_p7_a_months_prices_fold_in_the_order_of_k(priced: Community) -> None:
    events = closed(priced)
    expected = (FoldedPrice(K, 27_720, False), FoldedPrice(K + 1, 25_000, True), FoldedPrice(K + 2, 25_000, True))
    root = merkle.root([encode(each) for each in expected])
    assert month_prices(priced) == expected
    assert priced.ask(queries.fold, REGION, IMPORT, MONTH) == PriceFold(K, 3, root, 2)
    assert events == [PricesClosed(REGION, IMPORT, MONTH, root, 2)]


def test_p7_each_price_is_proven_from_the_fold(priced: Community) -> None:
    closed(priced)
    fold, prices = priced.ask(queries.fold, REGION, IMPORT, MONTH), month_prices(priced)
    leaves = [encode(each) for each in prices]
    for index, leaf in enumerate(leaves):
        merkle.verify_inclusion(fold.root, fold.slots, index, leaf, merkle.inclusion_proof(leaves, index))


def test_p7_the_single_prices_leave_the_tree(priced: Community) -> None:
    assert [k for *_, k in keys_in(priced, PRICES)] == [K, K + 1]
    closed(priced)
    assert keys_in(priced, PRICES) == []
    assert priced.ask(queries.price, REGION, IMPORT, K) is None
    assert priced.ask(queries.prices, REGION, IMPORT, K, K + 3) == ()


def test_p7_a_control_centre_that_stops_holds_no_bill_back(town: Community) -> None:
    """Even an opened slot has the fallback price then: nobody announced another."""
    town.opened(K)
    closed(town)
    assert month_prices(town) == tuple(FoldedPrice(K + n, 25_000, True) for n in range(3))
    assert town.ask(slots.fold, REGION, IMPORT, MONTH).opened == 1


def test_p7_what_was_not_announced_has_the_fallback_price_of_its_own_tariff(town: Community) -> None:
    later = replace(TARIFF, name="later", imports=ChannelTariff(Flat(1), 77))
    town.accepts("operator", ChangeTariff(REGION, MONTH, K + 2, later))
    closed(town)
    assert [each.price_e5 for each in month_prices(town)] == [25_000, 25_000, 77]


def test_p7_channels_fold_apart_and_one_without_rosters_not_at_all(town: Community) -> None:
    both = Community().begin((IMPORT, EXPORT), tariff=TARIFF)
    both.opened(K, channel=EXPORT)
    both.accepts("center", both.price(K, channel=EXPORT))
    assert [event.channel for event in closed(both)] == [IMPORT, EXPORT]  # type: ignore[attr-defined]
    assert [each.price_e5 for each in month_prices(both, EXPORT)] == [6_000, 4_000, 4_000]
    closed(town)
    assert town.ask(queries.fold, REGION, EXPORT, MONTH) is None


def test_p7_a_month_without_a_tariff_has_no_fold() -> None:
    town = Community().begin()
    town.opened(K)
    assert closed(town) == []
    assert town.ask(queries.fold, REGION, IMPORT, MONTH) is None
    assert town.ask(slots.fold, REGION, IMPORT, MONTH).opened == 1


def two_months(retention_months: int) -> Community:
    """A month with prices closed, and the next one ready to be."""
    town = Community(periods=1, opening_s=600, claim_s=600, retention_months=retention_months).begin(tariff=TARIFF)
    town.opened(K)
    town.accepts("center", town.price(K))
    later = month_bounds(MONTH + 1, K + 4, 1)
    town.accepts("operator", OpenMonth(REGION, later.month, later.start_s, later.end_s, TARIFF))
    town.bounds = later
    town.accepts("provider", town.rosters())
    town.go_to(later.start_s)
    town.accepts("operator", CloseMonth(REGION, MONTH))
    return town


def test_p8_the_prices_of_a_month_are_forgotten_with_its_bodies_and_the_fold_stays() -> None:
    town = two_months(1)
    fold = town.ask(queries.fold, REGION, IMPORT, MONTH)
    assert [each.price_e5 for each in month_prices(town)] == [27_720]
    closed(town)
    assert month_prices(town) == ()
    assert [month for *_, month in keys_in(town, FOLDED)] == [MONTH + 1]
    assert town.ask(queries.fold, REGION, IMPORT, MONTH) == fold
    assert town.ask(queries.tariffs, REGION, MONTH) == ((K, TARIFF),)


def test_p8_within_the_retention_all_is_kept() -> None:
    town = two_months(2)
    closed(town)
    assert [each.price_e5 for each in month_prices(town)] == [27_720]


def test_p7_prices_of_an_open_month_outlive_the_closing_of_another() -> None:
    town = Community(periods=1, opening_s=600, claim_s=600).begin(tariff=TARIFF)
    later = month_bounds(MONTH + 1, K + 1, 1)
    town.accepts("operator", OpenMonth(REGION, later.month, later.start_s, later.end_s, TARIFF))
    first = town.bounds
    town.bounds = later
    town.accepts("provider", town.rosters())
    town.opened(K + 1)
    town.accepts("center", town.price(K + 1))
    town.bounds = first
    closed(town)
    assert [k for *_, k in keys_in(town, PRICES)] == [K + 1]
