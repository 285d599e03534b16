"""The book of tariffs and prices: what is written at the word of registry and aggregation, without asking anybody.

It stands apart from the keeper because those two come first: a month begins with its tariff (the registry says so), and
its prices are folded when its slots are (aggregation says so).
"""

from gridproof.domain import Direction, MonthBounds, MonthId, RegionId, Tariff
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode
from gridproof.state import Context

from .lookups import tariff_steps
from .messages import PricesClosed, TariffSet
from .types import FOLDED, FOLDS, PRICES, STEPS, TARIFFS, FoldedPrice, MonthPrices, PriceFold, TariffSteps


class Book:
    """Keeps tariffs and folds prices."""

    def begin(self, ctx: Context, region: RegionId, bounds: MonthBounds, tariff: Tariff) -> None:
        """Keep the tariff that a month begins with (P-1); the registry has checked it."""
        self.put(ctx, region, bounds.month, bounds.first_k, tariff)

    def put(self, ctx: Context, region: int, month: int, from_k: int, tariff: Tariff) -> None:
        """Put a tariff into force from a period on."""
        steps = STEPS.get(ctx, region, month, default=TariffSteps(()))
        STEPS.put(ctx, region, month, value=TariffSteps((*steps.from_ks, from_k)))
        TARIFFS.put(ctx, region, month, from_k, value=tariff)
        ctx.emit(TariffSet(region, month, from_k, tariff.name))

    def fold(self, ctx: Context, region: RegionId, channel: Direction, bounds: MonthBounds) -> None:
        """Put a channel's month of prices under one root (P-7); without a tariff there is nothing to fold."""
        steps = tariff_steps(ctx, region, bounds.month)
        if not steps:
            return
        ends = [*(from_k for from_k, _ in steps[1:]), bounds.end_k]
        prices = tuple(
            _price(ctx, region, channel, k, tariff)
            for (from_k, tariff), end_k in zip(steps, ends, strict=True)
            for k in range(from_k, end_k)
        )
        for price in prices:
            PRICES.delete(ctx, region, channel, price.k)
        folded = fold(prices)
        FOLDED.put(ctx, region, channel, bounds.month, value=MonthPrices(prices))
        FOLDS.put(ctx, region, channel, bounds.month, value=folded)
        ctx.emit(PricesClosed(region, channel, bounds.month, folded.root, folded.fallbacks))

    def forget(self, ctx: Context, region: RegionId, channel: Direction, month: MonthId) -> None:
        """Forget the single prices of a month whose retention is over; the fold stays (P-8)."""
        FOLDED.delete(ctx, region, channel, month)


def fold(prices: tuple[FoldedPrice, ...]) -> PriceFold:
    """Bind a month's prices.

    Args:
        prices: of all slots of the month, in the order of k.
    """
    root = merkle.root([encode(price) for price in prices])
    return PriceFold(prices[0].k, len(prices), root, sum(price.fallback for price in prices))


def _price(ctx: Context, region: int, channel: Direction, k: int, tariff: Tariff) -> FoldedPrice:
    """A slot's price as it was announced; the fallback price where none was."""
    known = PRICES.find(ctx, region, channel, k)
    if known is not None:
        return FoldedPrice(k, known.price_e5, known.fallback)
    return FoldedPrice(k, tariff.channel(channel).fallback_e5, fallback=True)
