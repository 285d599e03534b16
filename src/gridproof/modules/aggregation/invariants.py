"""What must hold for aggregation after every block. That a status never falls needs a memory: the tests have it."""

from collections.abc import Callable

from gridproof.domain import MAX_TOTAL_WH, WORD, RegionId, join_bitmaps, marked, positions_in
from gridproof.primitives import merkle
from gridproof.state import Context, Violation

from .ports import Directory
from .rules.batches import batch_root, sum_rc
from .rules.folding import ENDED, fold
from .rules.live_sets import hides, sum_rc_at
from .types import (
    BODIES,
    EPOCHS,
    FOLDED,
    FOLDS,
    LAST_EPOCH,
    LATE,
    LATE_BODIES,
    ROSTERS,
    SLOTS,
    BatchBody,
    Roster,
    SlotState,
    Status,
)


def slots_hold_their_records(ctx: Context) -> None:
    """Hold each slot to the bodies of its batches: nothing counted twice, nothing lost.

    Raises:
        Violation: bitmap, count, sum or a batch's note differs from the bodies, or a leaf has two records.
    """
    for place, state in SLOTS.all(ctx):
        bodies = [body for _, body in BODIES.under(ctx, *place)]
        positions = sorted(position for body in bodies for position in body.positions)
        if tuple(positions) != positions_in(state.filled, state.count):
            raise Violation(f"slot {place}: the bodies fill other leaves than the bitmap, or one twice")
        if state.filled_count != marked(state.filled):
            raise Violation(f"slot {place}: {state.filled_count} leaves are counted, {marked(state.filled)} marked")
        if state.total_rc != sum(sum_rc(body.records) for body in bodies) % WORD:
            raise Violation(f"slot {place}: the sum is not that of its records")
        _require_notes(place, state, bodies)


def _require_notes(place: tuple[int, ...], state: SlotState, bodies: list[BatchBody]) -> None:
    """Hold a slot's notes of its batches to their bodies."""
    kept = [(body.aggregator, batch_root(body.records), len(body.records)) for body in bodies]
    if kept != [(note.aggregator, note.root, note.fresh) for note in state.batches]:
        raise Violation(f"slot {place}: a batch's note does not fit its body")
    if any(not 1 <= note.fresh <= note.count for note in state.batches):
        raise Violation(f"slot {place}: a batch added nothing, or more than it held")


def live_sets_hold(ctx: Context) -> None:
    """Hold each slot's live set to its records, and its total to the live records and the opened masks.

    Raises:
        Violation: a live leaf has no record, a sum is wrong, or a total is there that must not be.
    """
    for place, state in SLOTS.all(ctx):
        if state.status != Status.OPENED and (state.total_wh or state.mask_sum):
            raise Violation(f"slot {place}: it has a total and is {Status(state.status)}")
        if not state.live:
            if state.status in (Status.FIXED, Status.OPENED, Status.SEALED):
                raise Violation(f"slot {place}: it is {Status(state.status)} without a live set")
            continue
        if join_bitmaps((state.live, state.filled), state.count) != state.filled:
            raise Violation(f"slot {place}: a live leaf has no record")
        if marked(state.live) != 2 * state.live_pairs:
            raise Violation(f"slot {place}: {state.live_pairs} pairs are not {marked(state.live)} live leaves")
        bodies = (body for _, body in BODIES.under(ctx, *place))
        if state.live_rc != sum_rc_at(bodies, positions_in(state.live, state.count)):
            raise Violation(f"slot {place}: the live sum is not that of the live records")
        if state.status == Status.OPENED and not _is_total(state):
            raise Violation(f"slot {place}: the total is not the live sum without the masks")


def _is_total(state: SlotState) -> bool:
    return state.total_wh == (state.live_rc - state.mask_sum) % WORD and state.total_wh < MAX_TOTAL_WH


def totals_hide_meters(directory: Directory) -> Callable[[Context], None]:
    """Make the invariant that no slot may be opened, or was, in which too few meters hide one another.

    Args:
        directory: the registry, which knows enrolments and privacy parameters.
    """

    def hold(ctx: Context) -> None:
        for (region, channel, k), state in SLOTS.all(ctx):
            month = directory.month_of(ctx, RegionId(region), k)
            enough = hides(state.live_pairs, state.enrolled, state.known, month)
            if state.status in (Status.FIXED, Status.OPENED) and not enough:
                raise Violation(f"slot {(region, channel, k)}: {state.live_pairs} live pairs hide nobody")
            if state.live and state.enrolled != directory.enrolled(ctx, RegionId(region), channel, k):
                raise Violation(f"slot {(region, channel, k)}: the enrolled meters changed after its period")

    return hold


def slots_stand_on_rosters(ctx: Context) -> None:
    """Hold slots to their rosters, and the rosters of each month's last epoch to the root in the state.

    Raises:
        Violation: a slot has no roster or another number of leaves, or a roster is not the published one.
    """
    for place, state in SLOTS.all(ctx):
        roster = ROSTERS.find(ctx, *place)
        if roster != Roster(state.root, state.count):
            raise Violation(f"slot {place}: it does not stand on its roster")
    for (region, channel, month), number in LAST_EPOCH.all(ctx):
        epoch = EPOCHS.get(ctx, region, channel, month, number)
        stretch = range(epoch.from_k, epoch.until_k)
        kept = [roster for k in stretch if (roster := ROSTERS.find(ctx, region, channel, k)) is not None]
        if kept and merkle.root([roster.root for roster in kept]) != epoch.rosters_root:
            raise Violation(f"epoch {(region, channel, month, number)}: its rosters are not the published ones")


def folds_hold(ctx: Context) -> None:
    """Hold each kept month to its fold; a folded month has no slot left in the tree.

    Raises:
        Violation: the root or a sum is not that of the slots, one has not ended, or one is still there.
    """
    for (region, channel, month), kept in FOLDS.all(ctx):
        folded = [each for _, each in FOLDED.under(ctx, region, channel, month)]
        if any(each.state.status not in ENDED for each in folded):
            raise Violation(f"month {(region, channel, month)}: a slot was folded before its end")
        if folded and fold(folded) != kept:
            raise Violation(f"month {(region, channel, month)}: the fold is not that of its slots")
        periods = range(kept.first_k, kept.first_k + kept.slots)
        if any(k in periods for (*_, k), _ in SLOTS.under(ctx, region, channel)):
            raise Violation(f"month {(region, channel, month)}: a slot is still there after the fold")


def side_batches_hold(ctx: Context) -> None:
    """Hold each side batch to its bodies, and to the slot: no leaf has a record in both.

    Raises:
        Violation: the bitmap or a note is not that of the bodies, a leaf has two records, or the slot is open.
    """
    if any(not LATE.has(ctx, *place) for (*place, _), _ in LATE_BODIES.all(ctx)):
        raise Violation("side batches: there are bodies without a side batch")
    for place, late in LATE.all(ctx):
        bodies = [body for _, body in LATE_BODIES.under(ctx, *place)]
        notes = [(body.aggregator, batch_root(body.records), len(body.records)) for body in bodies]
        if notes != [(note.aggregator, note.root, note.fresh) for note in late.batches]:
            raise Violation(f"slot {place}: a side batch's note does not fit its body")
        positions = sorted(position for body in bodies for position in body.positions)
        if tuple(positions) != positions_in(late.filled, 8 * len(late.filled)):
            raise Violation(f"slot {place}: the side batch fills other leaves than its bitmap, or one twice")
        state = SLOTS.find(ctx, *place)
        if state is not None and state.status == Status.OPEN:
            raise Violation(f"slot {place}: it has a side batch and is open")
        if state is not None and int.from_bytes(state.filled, "big") & int.from_bytes(late.filled, "big"):
            raise Violation(f"slot {place}: a leaf has a record in the slot and in the side batch")
