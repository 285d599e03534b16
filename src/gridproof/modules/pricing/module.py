"""The face of pricing: what the Application sees of it."""

from gridproof.state import Module, route

from . import errors, invariants, messages, queries, types
from .book import Book
from .keeper import Keeper
from .ports import Directory, Totals


def pricing(directory: Directory, totals: Totals, book: Book) -> Module:
    """Wire the module: messages to the keeper's rules, refusals, queries and invariants by name.

    Args:
        directory: the registry.
        totals: aggregation, which ends slots.
        book: the one that registry and aggregation write to.
    """
    keeper = Keeper(directory, totals, book)
    return Module(
        number=types.MODULE,
        name="pricing",
        routes=(
            route(messages.ChangeTariff, keeper.change_tariff),
            route(messages.AnnouncePrice, keeper.announce),
        ),
        refusals=errors,
        announces=messages,
        tables=types,
        queries=(
            queries.tariffs,
            queries.price,
            queries.prices,
            queries.fold,
            queries.month_prices,
        ),
        invariants=(
            invariants.tariffs_price_their_slots(directory),
            invariants.prices_follow_totals(directory, totals),
            invariants.folds_hold(directory),
        ),
    )
