"""What one may ask of aggregation, and what it announces."""

from gridproof.state import Event, Message

from .types import SlotRecord


class PublishRosters(Message, frozen=True, tag=2001):
    """Bind the rosters of a stretch of slots before their window opens (bill provider).

    The first of a month begins with the month; a later one (after a revocation) begins a new epoch at `from_k` and replaces
    the rosters from there to the month's end. The number of leaves stays the same all month.

    Attributes:
        region: the region.
        channel: import or export.
        month: the month.
        from_k: first period of the stretch; it ends with the month.
        count: leaves of each roster: two a place, spare places included.
        roots: roster roots, 32 bytes each, one a period.
        filter_hash: digest of the filter BF1, 32 bytes.
        removed: leaves of revoked places that no roster of the stretch holds any more, 32 bytes each.
    """

    region: int
    channel: int
    month: int
    from_k: int
    count: int
    roots: bytes
    filter_hash: bytes
    removed: bytes


class SubmitBatch(Message, frozen=True, tag=2002):
    """Bring records of a slot (data aggregator); each signs for itself, the multi-proof ties them to the roster.

    Attributes:
        region: the region.
        channel: import or export.
        k: the period.
        root: root of the slot's roster.
        count: leaves of the slot's roster.
        bitmap: which leaves the records fill, `count` bits, first leaf in the highest bit of the first byte.
        records: in the order of the leaves.
        proof: RFC 6962 multi-proof of the other leaves.
    """

    region: int
    channel: int
    k: int
    root: bytes
    count: int
    bitmap: bytes
    records: tuple[SlotRecord, ...]
    proof: tuple[bytes, ...]


class CloseSlot(Message, frozen=True, tag=2003):
    """End a slot's window (anyone, once its time is over)."""

    region: int
    channel: int
    k: int


class FixLiveSet(Message, frozen=True, tag=2004):
    """Say once which of a slot's records count (bill provider).

    Attributes:
        region: the region.
        channel: import or export.
        k: the period.
        orphans: leaf positions whose twin is missing, ascending.
        excluded: leaf positions of records that cannot be true, ascending, both halves of each.
    """

    region: int
    channel: int
    k: int
    orphans: tuple[int, ...]
    excluded: tuple[int, ...]


class OpenMasks(Message, frozen=True, tag=2005):
    """Open the masks of a slot's live set, and of no other (bill provider).

    Attributes:
        region: the region.
        channel: import or export.
        k: the period.
        live_set: hash of the live set that the sum is over.
        mask_sum: sum of its masks, modulo 2**64.
    """

    region: int
    channel: int
    k: int
    live_set: bytes
    mask_sum: int


class ClaimDropped(Message, frozen=True, tag=2006):
    """Prove that an aggregator receipted a record and let it fall (anyone: it names no meter).

    Attributes:
        region: the region.
        channel: import or export.
        k: the period.
        aggregator: who gave the receipt.
        receipt: its signature over `receipt_hash`, 64 bytes.
        record: the record.
        position: the record's leaf in the slot's roster.
        path: RFC 6962 inclusion proof of the leaf.
    """

    region: int
    channel: int
    k: int
    aggregator: int
    receipt: bytes
    record: SlotRecord
    position: int
    path: tuple[bytes, ...]


class CloseMonth(Message, frozen=True, tag=2007):
    """Fold a region's month, all deadlines past (operator)."""

    region: int
    month: int


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
