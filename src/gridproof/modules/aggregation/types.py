"""What aggregation keeps, and under which keys (README.md, State)."""

from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta

from gridproof.state import U8, U16, U32, U64, Map, Record, SideMap

MODULE: Final = 2
MIN_LEAVES: Final = 2
MAX_LEAVES: Final = 65_536
HASH_SIZE: Final = 32

Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Word = Annotated[int, Meta(ge=0)]  # modulo 2**64: MessagePack holds nothing larger
Position = Annotated[int, Meta(ge=0, lt=MAX_LEAVES)]  # of a leaf in its roster
LeafCount = Annotated[int, Meta(ge=MIN_LEAVES, le=MAX_LEAVES)]


class Status(IntEnum):
    """How far a slot has come; it never goes back."""

    OPEN = 1  # takes batches
    CLOSED = 2  # takes no more; what is missing is known
    FIXED = 3  # its live set is fixed; its masks may be opened
    OPENED = 4  # its total is known
    SEALED = 5  # too few meters: its total stays hidden for good
    VOID = 6  # no batch came, or no mask sum in time: it has no total

    def __str__(self) -> str:
        return self.name.lower()


class Epoch(Record, frozen=True):
    """A stretch of a region's channel whose rosters were published together.

    Attributes:
        from_k: first period.
        until_k: first period after the stretch: the month's end, or the next epoch's beginning.
        count: leaves of each roster, two a place, spare places included.
        filter_hash: digest of the filter BF1 that goes with it, 32 bytes.
        rosters_root: RFC 6962 root over the roster roots of the stretch as published, in the order of k.
        removed_root: RFC 6962 root over the leaves that a revocation published, 32 zero bytes where there were none.
    """

    from_k: int
    until_k: int
    count: int
    filter_hash: bytes
    rosters_root: bytes
    removed_root: bytes


class Roster(Record, frozen=True):
    """A slot's roster.

    Attributes:
        root: RFC 6962 root over its leaves, strictly ascending.
        count: number of its leaves.
    """

    root: bytes
    count: int


class ReplacedRosters(Record, frozen=True):
    """What an epoch published for periods that a later epoch took over: it is still bound by the epoch's root.

    Attributes:
        roots: roster roots, 32 bytes each, from the epoch's `until_k` to the month's end.
    """

    roots: bytes


class BatchNote(Record, frozen=True):
    """What the state keeps of a batch.

    Attributes:
        aggregator: who submitted it.
        root: RFC 6962 root over its fresh records as encoded, in the order of the leaves.
        count: records in it.
        fresh: how many of them filled a leaf that was empty; only these are kept.
    """

    aggregator: int
    root: bytes
    count: int
    fresh: int


class SlotState(Record, frozen=True):
    """A slot.

    Attributes:
        status: a `Status`.
        root: root of its roster, so that a leaf's position can be proven against the state alone.
        count: leaves of its roster.
        filled: bitmap over the leaves: which have a record.
        filled_count: how many.
        total_rc: sum of the records' values, modulo 2**64.
        batches: the batches taken, in order.
        first_height: height of the first batch.
        live: bitmap over the leaves: the live set; empty until it is fixed.
        live_pairs: half the live leaves.
        enrolled: meters enrolled on the channel at k; 0 until the live set is fixed.
        known: how many of them have a value that is known otherwise, and so hide nobody; 0 until then.
        live_rc: sum of the live records' values, modulo 2**64.
        mask_sum: Z over the live set, modulo 2**64; 0 until it is opened.
        total_wh: the total; 0 until it is opened.
    """

    status: int
    root: bytes
    count: int
    filled: bytes
    filled_count: int
    total_rc: int
    batches: tuple[BatchNote, ...]
    first_height: int
    live: bytes
    live_pairs: int
    enrolled: int
    known: int
    live_rc: int
    mask_sum: int
    total_wh: int


class SlotRecord(Record, frozen=True):
    """A record as a batch carries it.

    Attributes:
        prid: x-only one-time identity, 32 bytes.
        rc: masked half reading, modulo 2**64.
        signature: BIP 340 by the identity, 64 bytes.
    """

    prid: Hash
    rc: Word
    signature: Signature


class BatchBody(Record, frozen=True):
    """What a batch added to its slot.

    Attributes:
        aggregator: who submitted it.
        positions: leaf position of each record, ascending.
        records: the fresh records, in the order of the roster's leaves.
    """

    aggregator: int
    positions: tuple[int, ...]
    records: tuple[SlotRecord, ...]


class LateState(Record, frozen=True):
    """A slot's side batch: records that came when it took no more, for bills only.

    Attributes:
        filled: bitmap over the roster's leaves: which have a record here.
        batches: the batches taken, in order.
    """

    filled: bytes
    batches: tuple[BatchNote, ...]


class MonthFold(Record, frozen=True):
    """A closed month of a region's channel: its slots in one root.

    Attributes:
        first_k: first period.
        slots: number of slots.
        root: RFC 6962 root over the encoded `FoldedSlot`s in the order of k.
        opened: slots with a total.
        total_wh: sum of those totals.
    """

    first_k: int
    slots: int
    root: bytes
    opened: int
    total_wh: int


class FoldedSlot(Record, frozen=True):
    """A slot's state under its period: what a closed month is folded from.

    Attributes:
        k: the period.
        state: how the slot ended.
    """

    k: int
    state: SlotState


class DropTally(Record, frozen=True):
    """An aggregator's month.

    Attributes:
        claims: records that it was proved to have dropped after it had receipted them.
    """

    claims: int


EPOCHS: Final = Map(module=MODULE, collection=1, key=(U16, U8, U32, U16), value=Epoch)  # region, channel, month, epoch
LAST_EPOCH: Final = Map(module=MODULE, collection=2, key=(U16, U8, U32), value=U16)  # region, channel, month
SLOTS: Final = Map(module=MODULE, collection=3, key=(U16, U8, U64), value=SlotState)  # region, channel, k
FOLDS: Final = Map(module=MODULE, collection=4, key=(U16, U8, U32), value=MonthFold)  # region, channel, month
TALLIES: Final = Map(module=MODULE, collection=5, key=(U32, U32), value=DropTally)  # aggregator, month
CLAIMED: Final = Map(
    module=MODULE, collection=6, key=(U16, U8, U64, U32), value=U32
)  # slot, leaf position -> aggregator
LATE: Final = Map(module=MODULE, collection=7, key=(U16, U8, U64), value=LateState)  # region, channel, k

ROSTERS: Final = SideMap(module=MODULE, collection=1, key=(U16, U8, U64), value=Roster)  # region, channel, k
BODIES: Final = SideMap(module=MODULE, collection=2, key=(U16, U8, U64, U16), value=BatchBody)  # slot, batch
FOLDED: Final = SideMap(
    module=MODULE, collection=3, key=(U16, U8, U32, U64), value=FoldedSlot
)  # region, channel, month, k
LATE_BODIES: Final = SideMap(
    module=MODULE, collection=4, key=(U16, U8, U64, U16), value=BatchBody
)  # slot, batch of its side batch
REPLACED: Final = SideMap(
    module=MODULE, collection=5, key=(U16, U8, U32, U16), value=ReplacedRosters
)  # region, channel, month, epoch

NO_ROSTER: Final = Roster(bytes(HASH_SIZE), 0)  # of a slot before a month's first epoch
NOTHING_REMOVED: Final = bytes(HASH_SIZE)
