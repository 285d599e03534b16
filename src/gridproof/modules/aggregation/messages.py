"""What one may ask of aggregation, and what it announces.

A message's fields are bound to their widths by their types: what does not fit is no canonical message at all.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from gridproof.domain import (
    BitmapError,
    Direction,
    RegionId,
    Slot,
    marked,
    positions_in,
    receipt_hash,
    record_hash,
    record_hasher,
    roster_leaf,
)
from gridproof.primitives import merkle
from gridproof.primitives.errors import InvalidProofError
from gridproof.state import Event, Message, SignatureClaim

from .errors import (
    BadBatchBitmap,
    BatchUnproven,
    LeavesUnsorted,
    OddRoster,
    PositionsUnsorted,
    RemovedMalformed,
    RootsMismatch,
)
from .rules.rosters import are_leaves
from .types import HASH_SIZE, MAX_LEAVES, Hash, LeafCount, Position, Signature, SlotRecord, Word

Region = Annotated[int, Meta(ge=1, le=2**16 - 1)]
Channel = Annotated[int, Meta(ge=1, le=2)]  # a `Direction`
Month = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Period = Annotated[int, Meta(ge=0, le=2**48)]
Participant = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Positions = Annotated[tuple[Position, ...], Meta(max_length=MAX_LEAVES)]
Path = Annotated[tuple[Hash, ...], Meta(max_length=MAX_LEAVES.bit_length())]


class SlotMessage(Message, frozen=True):
    """What all messages about a slot begin with.

    Attributes:
        region: the region.
        channel: import or export.
        k: the period.
    """

    region: Region
    channel: Channel
    k: Period

    @property
    def slot(self) -> Slot:
        """The slot that the message is about."""
        return Slot(RegionId(self.region), Direction(self.channel), self.k)


class PublishRosters(Message, frozen=True, tag=2001):
    """Bind the rosters of a stretch of slots before their window opens (bill provider).

    The first of a month begins with the month; a later one (after an enrolment, a swap or a revocation) begins a new
    epoch at `from_k` and replaces the rosters from there to the month's end. The number of leaves stays the same.

    Attributes:
        region: the region.
        channel: import or export.
        month: the month.
        from_k: first period of the stretch; it ends with the month.
        count: leaves of each roster: two a place, spare places included.
        roots: roster roots, 32 bytes each, one a period.
        filter_hash: digest of the filter BF1, 32 bytes.
        removed: leaves of revoked places that no roster of the stretch holds any more, 32 bytes each, strictly
            ascending, so that their order tells neither places nor periods.
    """

    region: Region
    channel: Channel
    month: Month
    from_k: Period
    count: LeafCount
    roots: bytes
    filter_hash: Hash
    removed: bytes

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rules A-3 and A-5).

        Raises:
            OddRoster: the number of leaves is odd.
            RootsMismatch: there are no roots, or not all are 32 bytes.
            RemovedMalformed: the removed leaves are not 32 bytes each, or do not ascend.
        """
        if self.count % 2:
            raise OddRoster(count=self.count)
        if not self.roots or len(self.roots) % HASH_SIZE:
            raise RootsMismatch(size=len(self.roots), expected=None)
        if not are_leaves(self.removed):
            raise RemovedMalformed(size=len(self.removed))


class SubmitBatch(SlotMessage, frozen=True, tag=2002):
    """Bring records of a slot (data aggregator); each signs for itself, the multi-proof ties them to the roster.

    Attributes:
        root: root of the slot's roster.
        count: leaves of the slot's roster.
        bitmap: which leaves the records fill, `count` bits, first leaf in the highest bit of the first byte.
        records: in the order of the leaves.
        proof: RFC 6962 multi-proof of the other leaves.
    """

    root: Hash
    count: LeafCount
    bitmap: Annotated[bytes, Meta(max_length=MAX_LEAVES // 8)]
    records: Annotated[tuple[SlotRecord, ...], Meta(min_length=1, max_length=MAX_LEAVES)]
    proof: Annotated[tuple[Hash, ...], Meta(max_length=MAX_LEAVES)]

    def check(self, chain_id: str) -> None:
        """Hold the batch to the roster that it names (rules A-8 to A-10).

        1. The bitmap has a bit for each leaf of the roster and marks as many as there are records.
        2. The records' leaves ascend strictly: none comes twice, and their order tells nothing.
        3. The multi-proof leads from these leaves, at the marked positions, to the roster's root.

        Raises:
            BadBatchBitmap: step 1 fails.
            LeavesUnsorted: step 2 fails.
            BatchUnproven: step 3 fails.

        Source: private-metering.md, Scheme P, roster of a slot.
        """
        # 1. Bitmap
        try:
            positions = positions_in(self.bitmap, self.count)
        except BitmapError as wrong:
            raise self._bad_bitmap(wrong.detail) from wrong
        if len(positions) != len(self.records):
            raise self._bad_bitmap(f"it marks {marked(self.bitmap)} leaves")

        # 2. Order
        leaves = [roster_leaf(record.prid) for record in self.records]
        for index, (before, after) in enumerate(pairwise(leaves), start=1):
            if before >= after:
                raise LeavesUnsorted(index=index)

        # 3. Proof
        try:
            merkle.verify_multi(self.root, self.count, positions, leaves, self.proof)
        except InvalidProofError as wrong:
            raise BatchUnproven(detail=wrong.detail) from wrong

    def claims(self, chain_id: str) -> Sequence[SignatureClaim]:
        """Each record's signature by its own identity, over chain, slot, identity and value (rule A-11)."""
        hash_of = record_hasher(chain_id, self.slot)
        return [SignatureClaim(each.prid, hash_of(each.prid, each.rc), each.signature) for each in self.records]

    def _bad_bitmap(self, detail: str) -> BadBatchBitmap:
        return BadBatchBitmap(count=self.count, records=len(self.records), detail=detail)


class CloseSlot(SlotMessage, frozen=True, tag=2003):
    """End a slot's window (anyone, once its time is over); after the opening deadline, end the wait for its masks."""


class FixLiveSet(SlotMessage, frozen=True, tag=2004):
    """Say once which of a slot's records count (bill provider).

    Attributes:
        orphans: leaf positions whose twin is missing, ascending.
        excluded: leaf positions of records that cannot be true, ascending, both halves of each.
    """

    orphans: Positions
    excluded: Positions

    def check(self, chain_id: str) -> None:
        """Refuse lists that are not sorted or that overlap (rule A-19).

        Raises:
            PositionsUnsorted: one does not ascend strictly, or a position stands in both.
        """
        for name, positions in (("orphans", self.orphans), ("excluded", self.excluded)):
            if any(before >= after for before, after in pairwise(positions)):
                raise PositionsUnsorted(detail=f"{name} do not ascend")
        if not frozenset(self.orphans).isdisjoint(self.excluded):
            raise PositionsUnsorted(detail="a position is both orphan and excluded")


class OpenMasks(SlotMessage, frozen=True, tag=2005):
    """Open the masks of a slot's live set, and of no other (bill provider).

    Attributes:
        live_set: hash of the live set that the sum is over.
        mask_sum: sum of its masks, modulo 2**64.
    """

    live_set: Hash
    mask_sum: Word


class ClaimDropped(SlotMessage, frozen=True, tag=2006):
    """Prove that an aggregator receipted a record and let it fall (anyone: it names no meter).

    Attributes:
        aggregator: who gave the receipt.
        receipt_key: the key that the aggregator signed with, x-only, 32 bytes; the receipt is checked with it before
            the ledger looks whether it is, or in the slot's window was, the aggregator's.
        receipt: the aggregator's signature over `receipt_hash`, 64 bytes.
        record: the record.
        position: the record's leaf in the slot's roster.
        path: RFC 6962 inclusion proof of the leaf.
    """

    aggregator: Participant
    receipt_key: Hash
    receipt: Signature
    record: SlotRecord
    position: Position
    path: Path

    def claims(self, chain_id: str) -> Sequence[SignatureClaim]:
        """The record's own signature, and the receipt's over it (rule A-28)."""
        record = self.record
        signed = record_hash(chain_id, self.slot, record.prid, record.rc)
        receipted = receipt_hash(chain_id, self.slot, record.prid, signed, self.aggregator)
        return (
            SignatureClaim(record.prid, signed, record.signature),
            SignatureClaim(self.receipt_key, receipted, self.receipt),
        )


class CloseMonth(Message, frozen=True, tag=2007):
    """Fold a region's month, all deadlines past (operator)."""

    region: Region
    month: Month


class SubmitLate(SubmitBatch, frozen=True, tag=2008):
    """Bring records of a slot that takes no more batches (data aggregator): for bills only, in no total.

    Attributes are those of `SubmitBatch`, and so is what is checked without the state.
    """


class RostersPublished(Event, frozen=True, tag=2001):
    """Rosters bind from a period to the month's end."""

    region: int
    channel: int
    month: int
    epoch: int
    from_k: int
    count: int
    filter_hash: bytes


class BatchAccepted(Event, frozen=True, tag=2002):
    """A batch added records to a slot."""

    region: int
    channel: int
    k: int
    aggregator: int
    batch: int
    count: int
    fresh: int


class SlotClosed(Event, frozen=True, tag=2003):
    """A slot takes no more batches."""

    region: int
    channel: int
    k: int
    filled: int
    count: int


class MetersMissing(Event, frozen=True, tag=2004):
    """Leaf positions of a closed slot that stayed empty, spare places included: only the bill provider knows whose."""

    region: int
    channel: int
    k: int
    positions: tuple[int, ...]


class LiveSetFixed(Event, frozen=True, tag=2005):
    """A slot's live set is fixed; its masks may be opened."""

    region: int
    channel: int
    k: int
    pairs: int
    enrolled: int
    live_set: bytes


class SlotSealed(Event, frozen=True, tag=2006):
    """Too few meters are live: the slot's total stays hidden for good."""

    region: int
    channel: int
    k: int
    pairs: int
    enrolled: int


class SlotVoid(Event, frozen=True, tag=2007):
    """No batch came, or no mask sum in time: the slot has no total."""

    region: int
    channel: int
    k: int


class MasksOpened(Event, frozen=True, tag=2008):
    """A slot's total is known."""

    region: int
    channel: int
    k: int
    pairs: int
    total_wh: int


class DropProven(Event, frozen=True, tag=2009):
    """An aggregator dropped a record that it had receipted."""

    region: int
    channel: int
    k: int
    aggregator: int
    position: int


class MonthClosed(Event, frozen=True, tag=2010):
    """A channel's month was folded into one root."""

    region: int
    channel: int
    month: int
    root: bytes
    opened: int
    total_wh: int


class LateAccepted(Event, frozen=True, tag=2011):
    """A side batch holds records that came too late for the total."""

    region: int
    channel: int
    k: int
    aggregator: int
    batch: int
    fresh: int
