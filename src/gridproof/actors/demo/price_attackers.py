"""Who attacks prices: someone who has the control centre's keys, as soon as a slot has ended and has no price yet."""

from typing import Final

from msgspec.structs import replace

from gridproof.actors.control_center import ControlCenter
from gridproof.domain import Direction, RegionId, Slot
from gridproof.modules.aggregation.types import SlotState
from gridproof.modules.pricing import errors as pricing_errors
from gridproof.modules.pricing.messages import AnnouncePrice

from .attackers import LEDGER, Stolen
from .docket import Docket

_DEARER_E5: Final = 5_000


class PriceThief:
    """Someone who has the control centre's keys, and wants slots to cost something else than the tariff says.

    Args:
        docket: notes what comes of it.
        keys: the control centre's.
        center: knows the price that each slot must have.
        region: whose slots, on import.
    """

    def __init__(self, docket: Docket, keys: Stolen, center: ControlCenter, region: RegionId) -> None:
        self._docket = docket
        self._keys = keys
        self._center = center
        self._line = region, Direction.IMPORT
        self._first: AnnouncePrice | None = None
        self._is_done = False

    def slot_ended(self, slot: Slot, state: SlotState) -> None:
        """Announce a price that is too high for the first slot that ends, and the first one's price for the second."""
        true = None if self._is_done or slot[:2] != self._line else self._center.price(slot, state)
        if true is None:
            return
        if self._first is None:
            wrong = replace(true, price_e5=true.price_e5 + _DEARER_E5)
            self._docket.refused("wrong_price", LEDGER, self._keys.send(wrong), pricing_errors.WrongPrice)
            self._first = true
        else:
            swapped = replace(self._first, k=slot.k)
            self._docket.refused("swapped_price", LEDGER, self._keys.send(swapped), pricing_errors.OtherTotal)
            self._is_done = True
