"""Each invariant finds what it is there to find: states that no message leads to, written past the rules."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import ChannelTariff, Step, Stepped
from gridproof.modules.aggregation.keeper import Keeper as Aggregation
from gridproof.modules.aggregation.types import SLOTS, Status
from gridproof.modules.pricing.book import Book
from gridproof.modules.pricing.module import pricing
from gridproof.modules.pricing.types import FOLDED, FOLDS, PRICES, STEPS, TARIFFS, MonthPrices, Price, TariffSteps
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.state import BlockInfo, Context, Overlay, Violation

from tests.unit.modules.aggregation.community import CHAIN_ID, FIRST_K, IMPORT, MONTH, REGION, TARIFF, Community

K = FIRST_K
Spoil = Callable[[Context], None]


@pytest.fixture(scope="module")
def town() -> Community:
    """A slot priced by its total, one sealed and priced; nothing of it is changed by these tests."""
    town = Community().begin(tariff=TARIFF)
    town.opened(K)
    town.fixed(K + 1, 0, 1)
    for k in (K, K + 1):
        town.accepts("center", town.price(k))
    return town


@pytest.fixture(scope="module")
def closed() -> Community:
    """A closed month with a price in its fold."""
    town = Community().begin(tariff=TARIFF)
    town.opened(K)
    town.accepts("center", town.price(K))
    return town.end_month()


def violations(town: Community, spoil: Spoil) -> list[str]:
    """What the invariants say of the state once it is spoilt."""
    found = []
    with town.node.application.reading() as view:
        ctx = Context(BlockInfo(CHAIN_ID, 1, town.now_s), Overlay(view))
        spoil(ctx)
        for invariant in pricing(Registry(), Aggregation(Registry()), Book()).invariants:
            try:
                invariant(ctx)
            except Violation as wrong:
                found.append(wrong.detail)
    return found


def price(k: int, **changes: Any) -> Spoil:
    def spoil(ctx: Context) -> None:
        known = PRICES.find(ctx, REGION, IMPORT, k) or Price(25_000, True, 0)
        PRICES.put(ctx, REGION, IMPORT, k, value=replace(known, **changes))

    return spoil


def tariff_at(from_k: int, **changes: Any) -> Spoil:
    def spoil(ctx: Context) -> None:
        TARIFFS.put(ctx, REGION, MONTH, from_k, value=replace(TARIFF, **changes))
        STEPS.put(ctx, REGION, MONTH, value=TariffSteps(tuple(k for (*_, k), _ in TARIFFS.all(ctx))))

    return spoil


def reopened(ctx: Context) -> None:
    state = SLOTS.get(ctx, REGION, IMPORT, K)
    SLOTS.put(ctx, REGION, IMPORT, K, value=replace(state, status=Status.FIXED))


def another_total(ctx: Context) -> None:
    state = SLOTS.get(ctx, REGION, IMPORT, K)
    SLOTS.put(ctx, REGION, IMPORT, K, value=replace(state, total_wh=5))


def unnamed(ctx: Context) -> None:
    STEPS.delete(ctx, REGION, MONTH)


def untariffed(ctx: Context) -> None:
    STEPS.delete(ctx, REGION, MONTH)
    TARIFFS.delete(ctx, REGION, MONTH, K)


def left_out(ctx: Context) -> None:
    TARIFFS.put(ctx, REGION, MONTH, K + 1, value=TARIFF)


def test_a_sound_state_violates_nothing(town: Community, closed: Community) -> None:
    for sound in (town, closed):
        assert violations(sound, lambda _ctx: None) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (unnamed, "the steps do not name those that are kept"),
        (left_out, "the steps do not name those that are kept"),
        (tariff_at(K - 1), "it begins outside its month"),
        (tariff_at(K + 3), "it begins outside its month"),
        (tariff_at(K + 2, imports=ChannelTariff(Stepped((Step(1, 1),)), 1)), "the first step does not begin at 0 Wh"),
        (price(K, price_e5=1), "the tariff gives 27720, not 1"),
        (price(K, fallback=True), "the tariff gives 27720, not 27720"),
        (price(K + 1, fallback=False), "the tariff gives 25000, not 25000"),
        (price(K + 2), "it has a price without a tariff, or before its end"),
        (reopened, "it has a price without a tariff, or before its end"),
        (untariffed, "it has a price without a tariff, or before its end"),
        (another_total, "the tariff gives 10100, not 27720"),
        (tariff_at(K, imports=ChannelTariff(TARIFF.imports.scheme, 1)), "the tariff gives 1, not 25000"),
    ],
)
def test_a_spoilt_price_or_tariff_is_found(town: Community, spoil: Spoil, says: str) -> None:
    assert any(says in each for each in violations(town, spoil))


def folded(ctx: Context) -> None:
    prices = FOLDED.get(ctx, REGION, IMPORT, MONTH).prices
    FOLDED.put(ctx, REGION, IMPORT, MONTH, value=MonthPrices((replace(prices[0], price_e5=1), *prices[1:])))


def miscounted(ctx: Context) -> None:
    FOLDS.put(ctx, REGION, IMPORT, MONTH, value=replace(FOLDS.get(ctx, REGION, IMPORT, MONTH), fallbacks=0))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (folded, "the fold is not that of its prices"),
        (miscounted, "the fold is not that of its prices"),
        (price(K + 1), "a price is still there after the fold"),
    ],
)
def test_a_spoilt_fold_is_found(closed: Community, spoil: Spoil, says: str) -> None:
    assert any(says in each for each in violations(closed, spoil))
