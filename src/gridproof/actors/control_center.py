"""The control centre: announces what energy costs, slot by slot.

It can announce one price only, the one that the tariff gives for the slot's total: the ledger computes it too.

Source: seed 002, dynamic pricing phase; private-metering.md, row 12.
"""

from gridproof.domain import MonthBounds, MonthId, Slot, slot_price
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import SlotState, Status
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing.messages import AnnouncePrice
from gridproof.modules.registry import queries as registry

from .seat import Seat

ENDED = (Status.OPENED, Status.SEALED, Status.VOID)


class ControlCenter:
    """A control centre.

    Args:
        seat: at the ledger.
    """

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._months: dict[int, list[MonthBounds]] = {}

    def announce(self, slot: Slot) -> bool:
        """Announce the price of a slot that has ended and has none yet.

        Returns:
            Whether the slot still waits for its price: False where it has one, has not ended, or has no tariff.
        """
        state = self.seat.ask(aggregation.slot, *slot)
        if state is None or state.status not in ENDED or self.seat.ask(pricing.price, *slot) is not None:
            return False
        message = self.price(slot, state)
        if message is None:
            return False
        self.seat.send(message)
        return True

    def price(self, slot: Slot, state: SlotState) -> AnnouncePrice | None:
        """The message that announces a slot's price, or None where the month has no tariff.

        Args:
            slot: which one.
            state: as the ledger has it, ended.
        """
        bounds = self._bounds(slot)
        steps = self.seat.ask(pricing.tariffs, slot.region, bounds.month) if bounds else ()
        begun = [tariff for from_k, tariff in steps if from_k <= slot.k]
        if bounds is None or not begun:
            return None
        total_wh = state.total_wh if state.status == Status.OPENED else None
        price_e5 = slot_price(begun[-1], slot.channel, slot.k * bounds.period_s, total_wh)
        return AnnouncePrice(*slot, total_wh or 0, tuple(note.root for note in state.batches), price_e5)

    def _bounds(self, slot: Slot) -> MonthBounds | None:
        """The month that a slot lies in; the ledger is asked where those known so far do not hold it."""
        return self._find_month(slot) or self._find_month(slot, anew=True)

    def _find_month(self, slot: Slot, *, anew: bool = False) -> MonthBounds | None:
        if anew:
            self._months[slot.region] = self._ask_months(slot.region)
        return next((bounds for bounds in self._months.get(slot.region, ()) if bounds.contains(slot.k)), None)

    def _ask_months(self, region: int) -> list[MonthBounds]:
        known = self.seat.ask(registry.region, region)
        months = self.seat.ask(registry.months, region) if known else ()
        period_s = known.period_s if known else 0
        return [MonthBounds(MonthId(number), month.start_s, month.end_s, period_s) for number, month in months]
