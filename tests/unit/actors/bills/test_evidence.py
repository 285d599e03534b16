"""The ledger's word on a month, asked of a node: the right records are found, and a region's month is not kept."""

from collections.abc import Callable
from typing import Any

import pytest

from gridproof.actors.bills.evidence import FoundRecord, LeafFacts, LedgerEvidence, SlotFacts
from gridproof.domain import Direction, MonthId, Slot, bitmap_of
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import (
    BatchBody,
    FoldedSlot,
    LateState,
    SlotRecord,
    SlotState,
    Status,
)
from gridproof.primitives.hashing import sha256

MONTH = MonthId(24_310)
COUNT = 6  # leaves of a roster
FIRST_K, LAST_K = 100, 130


def prid(k: int, n: int) -> bytes:
    return sha256(b"prid", bytes([k, n]))


def record(k: int, n: int, rc: int) -> SlotRecord:
    return SlotRecord(prid(k, n), rc, bytes(64))


def state() -> SlotState:
    """Leaves 0 to 3 have records, of which 0 and 1 are live."""
    filled, live = bitmap_of(COUNT, range(4)), bitmap_of(COUNT, (0, 1))
    return SlotState(
        Status.OPENED, bytes(32), COUNT, filled, 4, 0, (), 1, live, 1, 5, 0, live_rc=0, mask_sum=0, total_wh=0
    )


class Node:
    """Answers for slots with two batches and a side batch, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def ask(self, query: Callable[..., Any], *args: Any, **_kwargs: Any) -> Any:
        k = args[-1]
        self.asked.append((query.__name__, k))
        if k > LAST_K:
            return None if query in (aggregation.folded_slot, aggregation.late) else ()
        return {
            aggregation.folded_slot: FoldedSlot(k, state()),
            aggregation.bodies: (
                BatchBody(3, (0, 2), (record(k, 0, 10), record(k, 2, 12))),
                BatchBody(4, (1, 3), (record(k, 1, 11), record(k, 3, 13))),
            ),
            aggregation.late: LateState(bitmap_of(COUNT, (4,)), ()) if k % 2 else None,
            aggregation.claimed: () if k % 2 else (5,),
            aggregation.late_bodies: (BatchBody(3, (4,), (record(k, 4, 14),)),),
        }[query]


def leaves_of(slot: Slot, month: int) -> list[bytes]:
    assert month == MONTH
    return [bytes([slot.k, n]) for n in range(COUNT)]


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def evidence(node: Node) -> LedgerEvidence:
    return LedgerEvidence(node, "chain", 1, MONTH, leaves_of)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, FoundRecord(10, late=False)),
        (1, FoundRecord(11, late=False)),
        (2, FoundRecord(12, late=False)),
        (3, FoundRecord(13, late=False)),
        (4, FoundRecord(14, late=True)),
        (5, None),
    ],
)
def test_a_record_is_found_in_whichever_batch_it_stands(
    evidence: LedgerEvidence, n: int, expected: FoundRecord | None
) -> None:
    assert evidence.find_record(Direction.IMPORT, 101, prid(101, n)) == expected


def test_a_record_of_another_slot_is_not_found_here(evidence: LedgerEvidence) -> None:
    assert evidence.find_record(Direction.IMPORT, 101, prid(103, 0)) is None
    assert evidence.find_record(Direction.IMPORT, 103, prid(103, 0)) is not None


def test_a_slot_without_a_side_batch_has_no_late_record(evidence: LedgerEvidence, node: Node) -> None:
    assert evidence.find_record(Direction.IMPORT, 102, prid(102, 4)) is None
    assert ("late_bodies", 102) not in node.asked


@pytest.mark.parametrize(
    ("k", "n", "expected"),
    [
        (101, 0, LeafFacts(filled=True, dropped=False, rc=10)),
        (101, 3, LeafFacts(filled=True, dropped=False, rc=13)),
        (101, 4, LeafFacts(filled=True, dropped=False, rc=14)),
        (102, 4, LeafFacts(filled=False, dropped=False)),
        (102, 5, LeafFacts(filled=False, dropped=True)),
        (101, 6, None),
    ],
)
def test_a_leaf_is_told_with_what_came_late_and_what_was_dropped(
    evidence: LedgerEvidence, k: int, n: int, expected: LeafFacts | None
) -> None:
    assert evidence.find_leaf(Direction.IMPORT, k, bytes([k, n])) == expected


def test_a_slot_without_a_roster_has_nothing(evidence: LedgerEvidence) -> None:
    beyond = LAST_K + 1
    assert evidence.slot(Direction.IMPORT, beyond) == SlotFacts(heard=False)
    assert evidence.find_record(Direction.IMPORT, beyond, prid(beyond, 0)) is None
    assert evidence.find_leaf(Direction.IMPORT, beyond, bytes([beyond, 0])) is None


def test_a_slot_is_asked_for_once_however_often_it_is_looked_at(evidence: LedgerEvidence, node: Node) -> None:
    for n in range(5):
        evidence.find_record(Direction.IMPORT, 101, prid(101, n))
        evidence.find_leaf(Direction.IMPORT, 101, bytes([101, n]))
        evidence.slot(Direction.IMPORT, 101)
    assert sorted(node.asked) == sorted(
        (what, 101) for what in ("bodies", "claimed", "folded_slot", "late", "late_bodies")
    )


def test_a_month_is_gone_through_without_being_kept(evidence: LedgerEvidence, node: Node) -> None:
    for k in range(FIRST_K, LAST_K + 1):
        assert evidence.find_record(Direction.IMPORT, k, prid(k, 1)) == FoundRecord(11, late=False)
    assert len(evidence._slots) <= 4
    assert evidence.find_record(Direction.IMPORT, FIRST_K, prid(FIRST_K, 0)) == FoundRecord(10, late=False)
    assert node.asked.count(("bodies", FIRST_K)) == 2  # asked again, for it was not kept
