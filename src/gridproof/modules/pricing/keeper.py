"""The rules of prices; with its book the only writer of their state.

Rules P-1 to P-8 stand in README.md. What must be refused without the state, the messages' types do.
"""

from gridproof.domain import (
    MonthId,
    MonthRules,
    ParticipantId,
    RegionId,
    Tariff,
    TariffError,
    require_tariff,
    slot_price,
)
from gridproof.state import Context

from .book import Book
from .errors import (
    NoTariff,
    OtherMoney,
    OtherTotal,
    PriceExists,
    PricesFolded,
    SlotNotEnded,
    TariffInvalid,
    TariffTooEarly,
    TariffTooLate,
    WrongPrice,
)
from .lookups import find_tariff, tariff_steps
from .messages import AnnouncePrice, ChangeTariff, PriceSet
from .ports import Directory, Totals
from .types import PRICES, Price


class Keeper:
    """Holds prices to the tariff.

    Args:
        directory: who may do what, and which months there are.
        totals: how slots end.
        book: writes tariffs down.
    """

    def __init__(self, directory: Directory, totals: Totals, book: Book) -> None:
        self._directory = directory
        self._totals = totals
        self._book = book

    def change_tariff(self, ctx: Context, sender: ParticipantId, message: ChangeTariff) -> None:
        """Put another tariff into force from a period that is to come.

        Raises:
            NotPermitted: `sender` is not the operator (P-2).
            PricesFolded: the month is closed (P-2).
            NoTariff: the month was opened without a tariff (P-2).
            TariffTooEarly: the period is not after the last change, or not in the month (P-2).
            TariffTooLate: the period has begun (P-2).
            TariffInvalid: the tariff contradicts itself (P-1).
            OtherMoney: currency or rounding are not the month's (P-2).

        Source: README.md, Messages.
        """
        self._directory.require_operator(ctx, sender)
        region, month = RegionId(message.region), MonthId(message.month)
        bounds = self._require_open(region, self._directory.month_rules(ctx, region, month)).bounds
        steps = tariff_steps(ctx, region, month)
        if not steps:
            raise NoTariff(region=region, month=month)
        last_k, last = steps[-1]
        if not last_k < message.from_k < bounds.end_k:
            raise TariffTooEarly(from_k=message.from_k, low_k=last_k + 1, high_k=bounds.end_k - 1)
        start_s = message.from_k * bounds.period_s
        if start_s < ctx.ledger_time_s:
            raise TariffTooLate(from_k=message.from_k, start_s=start_s, now_s=ctx.ledger_time_s)
        _require_valid(message.tariff, start_s)
        if (message.tariff.currency, message.tariff.rounding_e9) != (last.currency, last.rounding_e9):
            raise OtherMoney(currency=last.currency, rounding_e9=last.rounding_e9)
        self._book.put(ctx, region, month, message.from_k, message.tariff)

    def announce(self, ctx: Context, sender: ParticipantId, message: AnnouncePrice) -> None:
        """Set a slot's price, which must be the one that the tariff gives.

        Raises:
            NotPermitted: `sender` is not a control centre (P-3).
            PricesFolded: the month is closed (P-3).
            NoTariff: the month was opened without a tariff (P-3).
            PriceExists: the slot has its price (P-6).
            SlotNotEnded: the slot may still get a total (P-4).
            OtherTotal: total or batch roots are not the slot's (P-4).
            WrongPrice: the tariff gives another price (P-5).

        Source: README.md, Messages; seed 002, dynamic pricing phase; private-metering.md, row 12.
        """
        self._directory.require_control_center(ctx, sender)
        slot = message.slot
        bounds = self._require_open(slot.region, self._directory.month_of(ctx, slot.region, slot.k)).bounds
        tariff = find_tariff(ctx, slot.region, bounds.month, slot.k)
        if tariff is None:
            raise NoTariff(region=slot.region, month=bounds.month)
        known = PRICES.find(ctx, *slot)
        if known is not None:
            raise PriceExists(price_e5=known.price_e5)
        outcome = self._totals.outcome(ctx, slot)
        if outcome is None:
            raise SlotNotEnded(**slot._asdict())
        total_wh = outcome.total_wh or 0
        if (message.total_wh, message.batch_roots) != (total_wh, outcome.batch_roots):
            raise OtherTotal(total_wh=message.total_wh, expected_wh=total_wh)
        price_e5 = slot_price(tariff, slot.channel, slot.k * bounds.period_s, outcome.total_wh)
        if message.price_e5 != price_e5:
            raise WrongPrice(price_e5=message.price_e5, expected_e5=price_e5)

        fallback = outcome.total_wh is None
        PRICES.put(ctx, *slot, value=Price(price_e5, fallback, total_wh))
        ctx.emit(PriceSet(*slot, price_e5, fallback))

    @staticmethod
    def _require_open(region: RegionId, month: MonthRules) -> MonthRules:
        if month.closed:
            raise PricesFolded(region=region, month=month.month)
        return month


def _require_valid(tariff: Tariff, from_s: int) -> None:
    try:
        require_tariff(tariff, from_s)
    except TariffError as wrong:
        raise TariffInvalid(detail=wrong.detail) from wrong
