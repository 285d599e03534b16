"""Who attacks prices: someone who has the control centre's keys, where a slot has ended and has no price yet."""

from msgspec.structs import replace

from gridproof.actors.control_center import ENDED, ControlCenter
from gridproof.domain import Direction, RegionId, Slot
from gridproof.modules.pricing import errors as pricing_errors
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing.messages import AnnouncePrice

from .attackers import LEDGER, Attacker, Plan, Stolen, Village
from .docket import Docket

_DEARER_E5 = 5_000


class PriceThief(Attacker):
    """Someone who has the control centre's keys, and wants slots to cost something else than the tariff says.

    Args:
        village: what is found.
        docket: notes what comes of it.
        keys: the control centre's.
        center: knows the price that each slot must have.
        span: the periods of the story.
    """

    def __init__(self, village: Village, docket: Docket, keys: Stolen, center: ControlCenter, span: range) -> None:
        super().__init__(village, docket)
        self._keys = keys
        self._center = center
        self._waiting = [Slot(RegionId(village.script.calm.region), Direction.IMPORT, k) for k in span]
        self._last: AnnouncePrice | None = None

    def plans(self) -> list[Plan]:
        """A price that is too high, then the price of another slot."""
        return [self._announce_wrong, self._announce_swapped]

    def _announce_wrong(self, _now_s: int) -> bool:
        true = self._find_unpriced()
        if true is None:
            return False
        wrong = replace(true, price_e5=true.price_e5 + _DEARER_E5)
        self._docket.refused("wrong_price", LEDGER, self._keys.send(wrong), pricing_errors.WrongPrice)
        self._last = true
        return True

    def _announce_swapped(self, _now_s: int) -> bool:
        last = self._last
        true = self._find_unpriced() if last is not None else None
        if last is None or true is None or true.k == last.k:
            return False
        swapped = replace(last, k=true.k)
        self._docket.refused("swapped_price", LEDGER, self._keys.send(swapped), pricing_errors.OtherTotal)
        return True

    def _find_unpriced(self) -> AnnouncePrice | None:
        """The price that the first slot must get that has ended and waits for it."""
        while self._waiting and self._village.client.ask(pricing.price, *self._waiting[0]) is not None:
            self._waiting.pop(0)
        if not self._waiting:
            return None
        slot, state = self._waiting[0], self._village.state(self._waiting[0])
        return self._center.price(slot, state) if state is not None and state.status in ENDED else None
