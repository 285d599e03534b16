"""What must hold for aggregation after every block. That a status never falls needs a memory: the tests have it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from gridproof.domain import MAX_TOTAL_WH, WORD, MonthId, RegionId, join_bitmaps, marked, positions_in, roster_leaf
from gridproof.primitives import merkle
from gridproof.state import Context, SideMap, Violation

from .ports import Directory
from .rules.batches import batch_root, sum_rc
from .rules.folding import ENDED, fold
from .rules.live_sets import hides, sum_rc_at
from .rules.rosters import hashes_in
from .types import (
    BODIES,
    EPOCHS,
    FOLDED,
    FOLDS,
    LAST_EPOCH,
    LATE,
    LATE_BODIES,
    REPLACED,
    ROSTERS,
    SLOTS,
    BatchBody,
    Epoch,
    Roster,
    SlotState,
    Status,
)


def slots_hold_their_records(ctx: Context) -> None:
    """Hold each slot, folded ones too, to the bodies of its batches: nothing counted twice, nothing lost.

    Raises:
        Violation: bitmap, count, sum or a batch's note differs from the bodies, a leaf has two records, a record lies
            at another leaf's position, or a body belongs to no slot.
    """
    kept = 0
    for place, state in (*SLOTS.all(ctx), *_folded(ctx)):
        bodies = _numbered(place, BODIES.under(ctx, *place))
        positions = sorted(position for body in bodies for position in body.positions)
        if tuple(positions) != positions_in(state.filled, state.count):
            raise Violation(f"slot {place}: the bodies fill other leaves than the bitmap, or one twice")
        if state.filled_count != marked(state.filled):
            raise Violation(f"slot {place}: {state.filled_count} leaves are counted, {marked(state.filled)} marked")
        if state.total_rc != sum(sum_rc(body.records) for body in bodies) % WORD:
            raise Violation(f"slot {place}: the sum is not that of its records")
        _require_notes(place, state, bodies)
        _require_leaves_ascend(place, bodies)
        kept += len(bodies)
    _require_no_others(ctx, BODIES, kept, "a body")


def _folded(ctx: Context) -> Iterator[tuple[tuple[int, ...], SlotState]]:
    """The slots of closed months whose details are kept: (place, how it ended)."""
    for (region, channel, _month, k), folded in FOLDED.all(ctx):
        yield (region, channel, k), folded.state


def _numbered(place: tuple[int, ...], entries: Iterable[tuple[tuple[int, ...], BatchBody]]) -> list[BatchBody]:
    """A slot's bodies, whose numbers have no gap."""
    numbers, bodies = [], []
    for parts, body in entries:
        numbers.append(parts[-1])
        bodies.append(body)
        if len(body.positions) != len(body.records):
            raise Violation(f"slot {place}: a body has more records than positions, or fewer")
    if numbers != list(range(len(numbers))):
        raise Violation(f"slot {place}: the numbers of its bodies have a gap")
    return bodies


def _require_leaves_ascend(place: tuple[int, ...], bodies: list[BatchBody]) -> None:
    """Hold each record to its position: a roster's leaves ascend strictly, so those of the records do.

    A batch's note binds its records and the slot binds the positions; which is where is bound by this alone.
    """
    placed = sorted(pair for body in bodies for pair in zip(body.positions, body.records, strict=True))
    leaves = [roster_leaf(record.prid) for _, record in placed]
    if any(before >= after for before, after in pairwise(leaves)):
        raise Violation(f"slot {place}: a record lies at another leaf's position")


def _require_no_others(ctx: Context, table: SideMap[Any], kept: int, what: str) -> None:
    """Hold a side table to have no entries but those that were looked at."""
    if sum(1 for _ in ctx.scan(table.table, table.key())) != kept:
        raise Violation(f"{what} is kept that belongs to nothing")


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
    """Hold slots to their rosters, and the rosters of each epoch to the root in the state.

    Raises:
        Violation: a slot has no roster or another number of leaves, a roster is missing, not the published one, or
            belongs to no epoch.
    """
    for place, state in SLOTS.all(ctx):
        roster = ROSTERS.find(ctx, *place)
        if roster != Roster(state.root, state.count):
            raise Violation(f"slot {place}: it does not stand on its roster")
    rosters = replaced = 0
    for (region, channel, month, number), epoch in EPOCHS.all(ctx):
        if _is_forgotten(ctx, region, channel, month):
            continue
        rosters += _require_published(ctx, (region, channel, month, number), epoch)
        replaced += number < LAST_EPOCH.get(ctx, region, channel, month)
    _require_no_others(ctx, ROSTERS, rosters, "a roster")
    _require_no_others(ctx, REPLACED, replaced, "a replaced roster")


def _require_published(ctx: Context, place: tuple[int, int, int, int], epoch: Epoch) -> int:
    """Hold an epoch's rosters to its root, with those that the next epoch replaced; returns how many are its own."""
    region, channel, month, number = place
    kept = [ROSTERS.find(ctx, region, channel, k) for k in range(epoch.from_k, epoch.until_k)]
    own = [roster.root for roster in kept if roster is not None and roster.count == epoch.count]
    replaced = REPLACED.find(ctx, *place)
    rest = hashes_in(replaced.roots) if replaced else []
    is_last = number == LAST_EPOCH.get(ctx, region, channel, month)
    if len(own) != len(kept) or is_last == bool(rest) or merkle.root([*own, *rest]) != epoch.rosters_root:
        raise Violation(f"epoch {place}: its rosters are not the published ones")
    return len(own)


def _is_forgotten(ctx: Context, region: int, channel: int, month: int) -> bool:
    """Whether a month was closed and nothing of its details is kept."""
    if not FOLDS.has(ctx, region, channel, month):
        return False
    return next(iter(FOLDED.under(ctx, region, channel, month)), None) is None


def folds_hold(directory: Directory) -> Callable[[Context], None]:
    """Make the invariant that each month kept is that of its fold, and kept as long as it must be.

    Args:
        directory: the registry, which knows which months were closed and a region's retention.
    """

    def hold(ctx: Context) -> None:
        slots = 0
        for (region, channel, month), kept in FOLDS.all(ctx):
            place = (region, channel, month)
            entries = list(FOLDED.under(ctx, *place))
            folded = [each for _, each in entries]
            if any(each.state.status not in ENDED for each in folded):
                raise Violation(f"month {place}: a slot was folded before its end")
            if folded and (fold(folded) != kept or any(parts[-1] != each.k for parts, each in entries)):
                raise Violation(f"month {place}: the fold is not that of its slots")
            periods = range(kept.first_k, kept.first_k + kept.slots)
            if any(k in periods for (*_, k), _ in SLOTS.under(ctx, region, channel)):
                raise Violation(f"month {place}: a slot is still there after the fold")
            if not folded and directory.retains(ctx, RegionId(region), MonthId(month)):
                raise Violation(f"month {place}: its slots are missing")
            if not folded and any(k in periods for (*_, k), _ in LATE.under(ctx, region, channel)):
                raise Violation(f"month {place}: its slots are missing, and its side batches are there")
            slots += len(folded)
        _require_no_others(ctx, FOLDED, slots, "a folded slot")

    return hold


def side_batches_hold(ctx: Context) -> None:
    """Hold each side batch to its bodies, and to the slot: no leaf has a record in both.

    Raises:
        Violation: the bitmap or a note is not that of the bodies, a leaf has two records, or the slot is open.
    """
    if any(not LATE.has(ctx, *place) for (*place, _), _ in LATE_BODIES.all(ctx)):
        raise Violation("side batches: there are bodies without a side batch")
    for place, late in LATE.all(ctx):
        bodies = _numbered(place, LATE_BODIES.under(ctx, *place))
        notes = [(body.aggregator, batch_root(body.records), len(body.records)) for body in bodies]
        if notes != [(note.aggregator, note.root, note.fresh) for note in late.batches]:
            raise Violation(f"slot {place}: a side batch's note does not fit its body")
        positions = sorted(position for body in bodies for position in body.positions)
        if tuple(positions) != positions_in(late.filled, 8 * len(late.filled)):
            raise Violation(f"slot {place}: the side batch fills other leaves than its bitmap, or one twice")
        _require_leaves_ascend(place, bodies)
        state = SLOTS.find(ctx, *place)
        if state is not None and state.status == Status.OPEN:
            raise Violation(f"slot {place}: it has a side batch and is open")
        if state is not None and int.from_bytes(state.filled, "big") & int.from_bytes(late.filled, "big"):
            raise Violation(f"slot {place}: a leaf has a record in the slot and in the side batch")
