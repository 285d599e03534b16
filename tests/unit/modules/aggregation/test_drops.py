"""Rules A-26 to A-29: a receipt for a record that never came."""

import pytest

from gridproof.domain import Half, Slot, receipt_hash, record_hash
from gridproof.modules.aggregation import queries
from gridproof.modules.aggregation.errors import (
    AlreadyClaimed,
    ClaimTooLate,
    LeafUnproven,
    NotDropped,
    ReceiptKeyUnknown,
    SlotNotClosed,
)
from gridproof.modules.aggregation.messages import CloseSlot, DropProven
from gridproof.modules.aggregation.types import DropTally
from gridproof.modules.registry.messages import KeyEntry, RotateKeys
from gridproof.modules.registry.types import KeyRole
from gridproof.state.errors import CheckFailed

from .community import CHAIN_ID, FIRST_K, IMPORT, MONTH, REGION, Community, key

K = FIRST_K


@pytest.fixture
def town() -> Community:
    """The first slot closed without meter 3, which has receipts for both its records."""
    town = Community().begin()
    town.closed(K, 0, 1, 2)
    return town


@pytest.mark.parametrize("name", ["household", "operator", "second"])
def test_a_receipted_record_that_never_came_counts_against_the_aggregator(town: Community, name: str) -> None:
    """Row 14; the claim says nothing of whose record it is, whoever brings it."""
    dropped = town.record(3, Half.FIRST, K)
    giver = town.people["first"].id
    event = town.accepts(name, town.claim(K, dropped))
    position = town.position(3, Half.FIRST, K)
    assert event == DropProven(REGION, IMPORT, K, giver, position)
    assert town.ask(queries.tally, giver, MONTH) == DropTally(1)
    assert town.ask(queries.claimed, REGION, IMPORT, K) == (position,)
    town.accepts(name, town.claim(K, town.record(3, Half.SECOND, K)))
    assert town.ask(queries.tally, giver, MONTH) == DropTally(2)
    assert town.ask(queries.tally, town.people["second"].id, MONTH) == DropTally(0)


def test_a26_before_closing_the_record_may_still_come() -> None:
    town = Community().begin()
    town.filled(K, 0, 1, 2)
    town.refuses("household", town.claim(K, town.record(3, Half.FIRST, K)), code=SlotNotClosed.code)


def test_a26_a_claim_comes_before_its_deadline(town: Community) -> None:
    deadline_s = town.claim_end_of(K)
    town.go_to(deadline_s)
    message = town.claim(K, town.record(3, Half.FIRST, K))
    town.refuses_by("household", message, ClaimTooLate, now_s=deadline_s, deadline_s=deadline_s)


def test_a26_a_void_slots_drops_are_claimed_too() -> None:
    """An aggregator that drops everyone makes the slot void."""
    town = Community().begin()
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.accepts("household", town.claim(K, town.record(3, Half.FIRST, K)))


def test_a27_a_record_that_came_was_not_dropped(town: Community) -> None:
    message = town.claim(K, town.record(0, Half.FIRST, K))
    town.refuses_by("household", message, NotDropped, position=town.position(0, Half.FIRST, K))


def test_a27_nor_was_one_whose_leaf_another_record_fills(town: Community) -> None:
    message = town.claim(K, town.record(0, Half.SECOND, K, 7))
    town.refuses_by("household", message, NotDropped, position=town.position(0, Half.SECOND, K))


def test_a27_a_record_outside_the_roster_was_rightly_dropped(town: Community) -> None:
    message = town.claim(K, town.record(9, Half.FIRST, K))
    town.refuses("household", message, code=LeafUnproven.code)


def test_a27_a_record_is_claimed_at_its_own_leaf(town: Community) -> None:
    record = town.record(3, Half.FIRST, K)
    right = town.position(3, Half.FIRST, K)
    for wrong in ({"position": (right + 1) % 10}, {"position": 10}, {"path": ()}):
        town.refuses("household", town.claim(K, record, **wrong), code=LeafUnproven.code)


def test_a27_an_inner_node_is_no_leaf(town: Community) -> None:
    """A path from further up: its lowest step would pass for a leaf's neighbour."""
    message = town.claim(K, town.record(3, Half.FIRST, K))
    town.refuses("household", town.claim(K, message.record, path=message.path[1:]), code=LeafUnproven.code)


def test_a27_a_drop_is_claimed_once(town: Community) -> None:
    record = town.record(3, Half.FIRST, K)
    town.accepts("household", town.claim(K, record))
    position, first = town.position(3, Half.FIRST, K), town.people["first"].id
    town.refuses_by("second", town.claim(K, record), AlreadyClaimed, position=position, aggregator=first)
    # Even against another aggregator who receipted it as well.
    town.refuses_by("household", town.claim(K, record, "second"), AlreadyClaimed, position=position, aggregator=first)


def test_a28_a_receipt_is_the_aggregators_own(town: Community) -> None:
    record, forger = town.record(3, Half.FIRST, K), key("household", "receipt")
    signed = record_hash(CHAIN_ID, Slot(REGION, IMPORT, K), record.prid, record.rc)
    giver = town.people["first"].id
    forged = forger.sign(receipt_hash(CHAIN_ID, Slot(REGION, IMPORT, K), record.prid, signed, giver))
    message = town.claim(K, record, receipt=forged, receipt_key=forger.public_key)
    town.refuses_by("household", message, ReceiptKeyUnknown, aggregator=giver, receipt_key=forger.public_key)
    town.refuses("household", town.claim(K, record, receipt=forged), code=CheckFailed.code)


def test_a28_a_receipt_names_its_giver_slot_and_record(town: Community) -> None:
    record = town.record(3, Half.SECOND, K)
    second = town.people["second"]
    own = key("second", "receipt").public_key
    message = town.claim(K, record)
    for wrong in (
        {"aggregator": second.id, "receipt_key": own},
        {"record": town.record(3, Half.SECOND, K, 1)},
        {"k": K + 1},
        {"region": 2},
    ):
        town.refuses(
            "household", town.claim(K, record, **({"receipt": message.receipt} | wrong)), code=CheckFailed.code
        )


def test_a28_a_record_must_be_signed_by_its_identity(town: Community) -> None:
    unsigned = town.record(3, Half.FIRST, K, slot=Slot(REGION, IMPORT, K + 1))
    town.refuses("household", town.claim(K, unsigned), code=CheckFailed.code)


def rotate(town: Community) -> None:
    """The first aggregator takes a new receipt key."""
    town.accepts("first", RotateKeys((KeyEntry(KeyRole.RECEIPT, key("first", "new receipt").public_key),)))


def test_a28_nobody_escapes_by_rotating_the_key(town: Community) -> None:
    rotate(town)
    town.accepts("household", town.claim(K, town.record(3, Half.FIRST, K)))


@pytest.mark.parametrize("early_s", [0, 1])
def test_a28_a_key_that_was_replaced_convicts_nobody_of_later_slots(early_s: int) -> None:
    town = Community().begin()
    town.go_to(town.end_of(K) - early_s)
    rotate(town)
    town.closed(K, 0, 1, 2)
    message = town.claim(K, town.record(3, Half.FIRST, K))
    town.refuses_by(
        "household",
        message,
        ReceiptKeyUnknown,
        aggregator=town.people["first"].id,
        receipt_key=message.receipt_key,
    )


def test_a28_a_key_of_another_role_signs_no_receipt(town: Community) -> None:
    record, own = town.record(3, Half.FIRST, K), key("first", "transaction")
    slot, giver = Slot(REGION, IMPORT, K), town.people["first"].id
    signed = record_hash(CHAIN_ID, slot, record.prid, record.rc)
    receipt = own.sign(receipt_hash(CHAIN_ID, slot, record.prid, signed, giver))
    message = town.claim(K, record, receipt=receipt, receipt_key=own.public_key)
    town.refuses_by("household", message, ReceiptKeyUnknown, aggregator=giver, receipt_key=own.public_key)
