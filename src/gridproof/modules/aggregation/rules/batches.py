"""How a batch joins its slot: leaves that have a record keep it, the others are filled."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from gridproof.domain import WORD, is_marked, positions_in
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode

from ..types import BatchBody, BatchNote, LateState, Roster, SlotRecord, SlotState, Status


class Joined(NamedTuple):
    """A slot after a batch, and what the batch added to it."""

    state: SlotState
    body: BatchBody


class JoinedLate(NamedTuple):
    """A slot's side batch after a batch, and what the batch added to it."""

    state: LateState
    body: BatchBody


def untouched(roster: Roster) -> SlotState:
    """A slot that nothing was sent for: open and empty.

    Args:
        roster: the slot's.
    """
    return SlotState(
        status=Status.OPEN,
        root=roster.root,
        count=roster.count,
        filled=bytes((roster.count + 7) // 8),
        filled_count=0,
        total_rc=0,
        batches=(),
        first_height=0,
        live=b"",
        live_pairs=0,
        enrolled=0,
        known=0,
        live_rc=0,
        mask_sum=0,
        total_wh=0,
    )


def join(state: SlotState, aggregator: int, height: int, bitmap: bytes, records: Sequence[SlotRecord]) -> Joined | None:
    """Add a batch to its slot, or nothing where every leaf of it is filled.

    Bitmaps are joined as whole numbers: the cost a record is that of its encoding and its hash.

    Args:
        state: the open slot.
        aggregator: who brings the batch.
        height: of the block.
        bitmap: of the leaves that the records fill; it passed `SubmitBatch.check`.
        records: as many as the bitmap marks, in the order of the leaves.

    Source: README.md, rule A-14; private-metering.md, rows 5, 6 and 9.
    """
    given, filled = int.from_bytes(bitmap, "big"), int.from_bytes(state.filled, "big")
    fresh = given & ~filled
    if not fresh:
        return None
    body = _body(aggregator, state.count, bitmap, records, fresh, whole=fresh == given)
    note = BatchNote(aggregator, batch_root(body.records), len(records), len(body.records))
    joined = replace(
        state,
        filled=(filled | fresh).to_bytes(len(bitmap), "big"),
        filled_count=state.filled_count + note.fresh,
        total_rc=(state.total_rc + sum_rc(body.records)) % WORD,
        batches=(*state.batches, note),
        first_height=state.first_height or height,
    )
    return Joined(joined, body)


def join_late(
    state: SlotState, late: LateState | None, aggregator: int, bitmap: bytes, records: Sequence[SlotRecord]
) -> JoinedLate | None:
    """Add a batch to a slot's side batch, or nothing where every leaf of it has a record, here or in the slot.

    Args:
        state: the slot, which takes no more batches.
        late: its side batch so far.
        aggregator: who brings the batch.
        bitmap: of the leaves that the records fill; it passed `SubmitLate.check`.
        records: as many as the bitmap marks, in the order of the leaves.

    Source: README.md, rule A-34; private-metering.md, row 22.
    """
    before = late or LateState(bytes(len(bitmap)), ())
    given, here = int.from_bytes(bitmap, "big"), int.from_bytes(before.filled, "big")
    fresh = given & ~here & ~int.from_bytes(state.filled, "big")
    if not fresh:
        return None
    body = _body(aggregator, state.count, bitmap, records, fresh, whole=fresh == given)
    note = BatchNote(aggregator, batch_root(body.records), len(records), len(body.records))
    return JoinedLate(LateState((here | fresh).to_bytes(len(bitmap), "big"), (*before.batches, note)), body)


def batch_root(records: Sequence[SlotRecord]) -> bytes:
    """The RFC 6962 root over records as encoded, in their order."""
    return merkle.root([encode(record) for record in records])


def sum_rc(records: Sequence[SlotRecord]) -> int:
    """The sum of the records' values, modulo 2**64."""
    return sum([record.rc for record in records]) % WORD


def missing_positions(state: SlotState) -> tuple[int, ...]:
    """The leaf positions of a slot that have no record, ascending, spare places included."""
    padding = 8 * len(state.filled) - state.count
    every = (1 << 8 * len(state.filled)) - (1 << padding)
    empty = every & ~int.from_bytes(state.filled, "big")
    return positions_in(empty.to_bytes(len(state.filled), "big"), state.count)


def _body(
    aggregator: int, count: int, bitmap: bytes, records: Sequence[SlotRecord], fresh: int, *, whole: bool
) -> BatchBody:
    positions = positions_in(bitmap, count)
    if whole:
        return BatchBody(aggregator, positions, tuple(records))
    wanted = fresh.to_bytes(len(bitmap), "big")
    kept = [place for place in zip(positions, records, strict=True) if is_marked(wanted, place[0])]
    return BatchBody(aggregator, tuple(position for position, _ in kept), tuple(record for _, record in kept))
