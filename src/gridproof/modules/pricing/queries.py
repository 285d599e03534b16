"""What one may read of pricing. Where nothing is kept under what was asked for, the answer is None, or empty."""

from gridproof.domain import Tariff
from gridproof.state import Reader

from .lookups import tariff_steps
from .types import FOLDED, FOLDS, PRICES, FoldedPrice, Price, PriceFold

MAX_SLOTS = 10_000


def tariffs(view: Reader, region: int, month: int) -> tuple[tuple[int, Tariff], ...]:
    """A month's tariffs with the periods from which they are in force, ascending."""
    return tuple(tariff_steps(view, region, month))


def price(view: Reader, region: int, channel: int, k: int) -> Price | None:
    """The price of a slot of an open month, once it was announced."""
    return PRICES.find(view, region, channel, k)


def prices(view: Reader, region: int, channel: int, from_k: int, until_k: int) -> tuple[FoldedPrice, ...]:
    """The announced prices of open months with from_k <= k < until_k; 10,000 periods at most."""
    until_k = min(until_k, from_k + MAX_SLOTS)
    found = ((k, PRICES.find(view, region, channel, k)) for k in range(from_k, until_k))
    return tuple(FoldedPrice(k, each.price_e5, each.fallback) for k, each in found if each is not None)


def fold(view: Reader, region: int, channel: int, month: int) -> PriceFold | None:
    """A closed month's prices in one root."""
    return FOLDS.find(view, region, channel, month)


def month_prices(view: Reader, region: int, channel: int, month: int) -> tuple[FoldedPrice, ...]:
    """All prices of a closed month, in the order of k, while they are kept."""
    kept = FOLDED.find(view, region, channel, month)
    return () if kept is None else kept.prices
