"""What one may read of aggregation. Where nothing is kept under what was asked for, the answer is None, or empty."""

from gridproof.primitives import merkle
from gridproof.state import Reader, Record

from .rules.batches import missing_positions
from .rules.folding import fold_leaves
from .types import (
    BODIES,
    CLAIMED,
    EPOCHS,
    FOLDED,
    FOLDS,
    LAST_EPOCH,
    LATE,
    LATE_BODIES,
    ROSTERS,
    SLOTS,
    TALLIES,
    BatchBody,
    DropTally,
    Epoch,
    FoldedSlot,
    LateState,
    MonthFold,
    Roster,
    SlotState,
)

MAX_SLOTS = 1_000


class FoldProof(Record, frozen=True):
    """A slot of a closed month, and what leads from it to the month's fold.

    `merkle.verify_inclusion(fold.root, fold.slots, slot.k - fold.first_k, encode(slot), path)` checks it; the fold
    itself is a leaf of the state, so that the header proves it.

    Attributes:
        slot: the slot as it ended.
        path: RFC 6962 inclusion proof.
    """

    slot: FoldedSlot
    path: tuple[bytes, ...]


def slot(view: Reader, region: int, channel: int, k: int) -> SlotState | None:
    """A slot of an open month; None while nothing was sent for it."""
    return SLOTS.find(view, region, channel, k)


def slots(view: Reader, region: int, channel: int, from_k: int, until_k: int) -> tuple[FoldedSlot, ...]:
    """The slots of open months with from_k <= k < until_k that something was sent for; 1,000 periods at most."""
    until_k = min(until_k, from_k + MAX_SLOTS)
    found = ((k, SLOTS.find(view, region, channel, k)) for k in range(from_k, until_k))
    return tuple(FoldedSlot(k, state) for k, state in found if state is not None)


def missing(view: Reader, region: int, channel: int, k: int) -> tuple[int, ...]:
    """Leaf positions of a slot that have no record so far, ascending; empty while nothing was sent for it."""
    state = SLOTS.find(view, region, channel, k)
    return () if state is None else missing_positions(state)


def claimed(view: Reader, region: int, channel: int, k: int) -> tuple[int, ...]:
    """Leaf positions of a slot whose record was proven to be dropped, ascending, while its month is kept."""
    return tuple(position for (*_, position), _ in CLAIMED.under(view, region, channel, k))


def roster(view: Reader, region: int, channel: int, k: int) -> Roster | None:
    """A slot's roster."""
    return ROSTERS.find(view, region, channel, k)


def epochs(view: Reader, region: int, channel: int, month: int) -> tuple[Epoch, ...]:
    """A month's epochs, in the order of their publication."""
    return tuple(epoch for _, epoch in EPOCHS.under(view, region, channel, month))


def last_epoch(view: Reader, region: int, channel: int, month: int) -> int:
    """The number of a month's last epoch; 0 before the first."""
    return LAST_EPOCH.get(view, region, channel, month, default=0)


def epoch_of(view: Reader, region: int, channel: int, month: int, k: int) -> Epoch | None:
    """The epoch whose rosters bind in period k."""
    within = (epoch for epoch in epochs(view, region, channel, month) if epoch.from_k <= k < epoch.until_k)
    return next(within, None)


def bodies(view: Reader, region: int, channel: int, k: int) -> tuple[BatchBody, ...]:
    """What a slot's batches added to it, with leaf positions, in the order in which they came, while it is kept."""
    return tuple(body for _, body in BODIES.under(view, region, channel, k))


def batch(view: Reader, region: int, channel: int, k: int, number: int) -> BatchBody | None:
    """What one batch of a slot added to it; numbers begin with 0."""
    return BODIES.find(view, region, channel, k, number)


def late(view: Reader, region: int, channel: int, k: int) -> LateState | None:
    """A slot's side batch, or None where nothing came late."""
    return LATE.find(view, region, channel, k)


def late_bodies(view: Reader, region: int, channel: int, k: int) -> tuple[BatchBody, ...]:
    """What came late for a slot, with leaf positions, in the order in which it came, while it is kept."""
    return tuple(body for _, body in LATE_BODIES.under(view, region, channel, k))


def fold(view: Reader, region: int, channel: int, month: int) -> MonthFold | None:
    """A closed month's slots in one root."""
    return FOLDS.find(view, region, channel, month)


def folded_slot(view: Reader, region: int, channel: int, month: int, k: int) -> FoldedSlot | None:
    """A slot of a closed month as it ended, while the month is kept."""
    return FOLDED.find(view, region, channel, month, k)


def fold_proof(view: Reader, region: int, channel: int, month: int, k: int) -> FoldProof | None:
    """A slot of a closed month with its path to the month's fold, while the month is kept."""
    folded = [each for _, each in FOLDED.under(view, region, channel, month)]
    if not folded or not folded[0].k <= k <= folded[-1].k:
        return None
    index = k - folded[0].k
    return FoldProof(folded[index], merkle.inclusion_proof(fold_leaves(folded), index))


def tally(view: Reader, aggregator: int, month: int) -> DropTally:
    """How many records an aggregator was proved to have dropped in a month."""
    return TALLIES.get(view, aggregator, month, default=DropTally(0))
