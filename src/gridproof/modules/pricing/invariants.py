"""What must hold for prices after every block."""

from collections.abc import Callable

from gridproof.domain import Direction, MonthId, RegionId, Slot, TariffError, require_tariff, slot_price
from gridproof.state import Context, Violation

from .book import fold
from .lookups import find_tariff
from .ports import Directory, Totals
from .types import FOLDED, FOLDS, PRICES, STEPS, TARIFFS


def tariffs_price_their_slots(directory: Directory) -> Callable[[Context], None]:
    """Make the invariant that each tariff lies in its month and prices its first slot.

    Args:
        directory: the registry, which knows the months.
    """

    def hold(ctx: Context) -> None:
        kept: dict[tuple[int, int], list[int]] = {}
        for (region, month, from_k), _ in TARIFFS.all(ctx):
            kept.setdefault((region, month), []).append(from_k)
        if kept != {(region, month): list(steps.from_ks) for (region, month), steps in STEPS.all(ctx)}:
            raise Violation("tariffs: the steps do not name those that are kept")
        for (region, month, from_k), tariff in TARIFFS.all(ctx):
            bounds = directory.month_rules(ctx, RegionId(region), MonthId(month)).bounds
            if not bounds.contains(from_k):
                raise Violation(f"tariff {(region, month, from_k)}: it begins outside its month")
            try:
                require_tariff(tariff, from_k * bounds.period_s)
            except TariffError as wrong:
                raise Violation(f"tariff {(region, month, from_k)}: {wrong}") from wrong

    return hold


def prices_follow_totals(directory: Directory, totals: Totals) -> Callable[[Context], None]:
    """Make the invariant that each slot's price is the one that its tariff gives for its total.

    Args:
        directory: the registry, which knows the months.
        totals: aggregation, which knows how slots ended.
    """

    def hold(ctx: Context) -> None:
        for (region, channel, k), price in PRICES.all(ctx):
            slot = Slot(RegionId(region), Direction(channel), k)
            bounds = directory.month_of(ctx, slot.region, k).bounds
            tariff, outcome = find_tariff(ctx, region, bounds.month, k), totals.outcome(ctx, slot)
            if tariff is None or outcome is None:
                raise Violation(f"slot {tuple(slot)}: it has a price without a tariff, or before its end")
            expected_e5 = slot_price(tariff, slot.channel, k * bounds.period_s, outcome.total_wh)
            if (price.price_e5, price.fallback) != (expected_e5, outcome.total_wh is None):
                raise Violation(f"slot {tuple(slot)}: the tariff gives {expected_e5}, not {price.price_e5}")

    return hold


def folds_hold(directory: Directory) -> Callable[[Context], None]:
    """Make the invariant that each month of prices is that of its fold, and kept as long as it must be.

    Args:
        directory: the registry, which knows which months were closed and a region's retention.
    """

    def hold(ctx: Context) -> None:
        months = 0
        for (region, channel, month), kept in FOLDS.all(ctx):
            folded = FOLDED.find(ctx, region, channel, month)
            if folded is not None and fold(folded.prices) != kept:
                raise Violation(f"month {(region, channel, month)}: the fold is not that of its prices")
            periods = range(kept.first_k, kept.first_k + kept.slots)
            if any(k in periods for (*_, k), _ in PRICES.under(ctx, region, channel)):
                raise Violation(f"month {(region, channel, month)}: a price is still there after the fold")
            if folded is None and directory.retains(ctx, RegionId(region), MonthId(month)):
                raise Violation(f"month {(region, channel, month)}: its prices are missing")
            months += folded is not None
        if sum(1 for _ in ctx.scan(FOLDED.table, FOLDED.key())) != months:
            raise Violation("a month's prices are kept without their fold")

    return hold
