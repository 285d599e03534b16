"""A thief of the control centre's keys tries each attack on prices once, at the first two slots that end."""

from types import SimpleNamespace
from typing import Any, cast

from gridproof.actors.control_center import ControlCenter
from gridproof.actors.demo.attackers import Stolen
from gridproof.actors.demo.docket import Docket, Result
from gridproof.actors.demo.price_attackers import PriceThief
from gridproof.domain import Direction, RegionId, Slot
from gridproof.errors import GridproofError
from gridproof.modules.aggregation.types import SlotState
from gridproof.modules.pricing.errors import OtherTotal, WrongPrice
from gridproof.modules.pricing.messages import AnnouncePrice
from gridproof.state import Message

STATE = cast("SlotState", SimpleNamespace())


def slot(k: int, region: int = 1, channel: Direction = Direction.IMPORT) -> Slot:
    return Slot(RegionId(region), channel, k)


def true(of: Slot, state: SlotState | None = None) -> AnnouncePrice:
    """The price that a slot must have."""
    del state
    return AnnouncePrice(*of, 1_000 + of.k, (bytes([of.k]) * 32,), 20_000 + of.k)


class Ledger:
    """Remembers what was sent, and refuses it with the errors given."""

    def __init__(self, *answers: GridproofError) -> None:
        self.sent: list[Message] = []
        self._answers = list(answers)

    def send(self, message: Message) -> GridproofError | None:
        self.sent.append(message)
        return self._answers.pop(0) if self._answers else None


def thief(ledger: Ledger, price: Any = true) -> tuple[PriceThief, Docket]:
    docket = Docket()
    center = cast("ControlCenter", SimpleNamespace(price=price))
    return PriceThief(docket, cast("Stolen", ledger), center, RegionId(1)), docket


def test_the_first_slot_gets_a_price_that_is_too_high_and_the_second_the_firsts() -> None:
    ledger = Ledger(WrongPrice(price_e5=1, expected_e5=2), OtherTotal(total_wh=1, expected_wh=2))
    acting, docket = thief(ledger)
    for n in (5, 6, 7):
        acting.slot_ended(slot(n), STATE)
    wrong, swapped = ledger.sent
    assert wrong == AnnouncePrice(*slot(5), 1_005, (bytes([5]) * 32,), 25_005)
    assert swapped == AnnouncePrice(*slot(6), 1_005, (bytes([5]) * 32,), 20_005)
    assert docket.result("wrong_price") is docket.result("swapped_price") is Result.REFUSED


def test_a_ledger_that_takes_them_is_told() -> None:
    acting, docket = thief(Ledger())
    acting.slot_ended(slot(5), STATE)
    acting.slot_ended(slot(6), STATE)
    assert docket.result("wrong_price") is docket.result("swapped_price") is Result.SUCCEEDED


def test_other_regions_and_channels_and_slots_without_a_tariff_are_let_be() -> None:
    ledger = Ledger()
    acting, docket = thief(ledger)
    acting.slot_ended(slot(5, region=2), STATE)
    acting.slot_ended(slot(5, channel=Direction.EXPORT), STATE)
    untariffed, _ = thief(ledger, lambda _slot, _state: None)
    untariffed.slot_ended(slot(5), STATE)
    assert ledger.sent == []
    assert docket.tries == []
