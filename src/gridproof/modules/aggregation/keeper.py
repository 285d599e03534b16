"""The rules of aggregation; the only writer of its state.

A slot's status only rises: open, closed, fixed, and then opened, sealed or void. No timer moves it: a deadline acts
when a message touches it. Rules A-1 to A-36 stand in README.md; A-3, A-5, A-8 to A-11, A-19 and A-28 are, wholly or in
part, the messages' own `check` and `claims`: no transaction gets into a block that fails them.
"""

from typing import Final

from msgspec.structs import replace

from gridproof.domain import (
    MAX_TOTAL_WH,
    WORD,
    Direction,
    MonthBounds,
    MonthId,
    MonthRules,
    ParticipantId,
    RegionId,
    Slot,
    SlotOutcome,
    is_marked,
    live_set_hash,
    roster_leaf,
)
from gridproof.primitives import merkle
from gridproof.primitives.errors import InvalidProofError
from gridproof.state import Context

from .errors import (
    AlreadyClaimed,
    AlreadyClosed,
    AlreadyOpened,
    BadEpochStart,
    BlocksMissing,
    ClaimTooLate,
    DeadlinesPending,
    LateOver,
    LeafUnproven,
    LiveSetExists,
    LiveSetNotFixed,
    MonthIsClosed,
    NotDropped,
    NothingNew,
    OpeningOver,
    OtherLiveSet,
    OtherRoster,
    PeriodRunning,
    ReceiptKeyUnknown,
    RootsMismatch,
    RosterResized,
    RosterTooLate,
    RosterUnknown,
    SlotIsClosed,
    SlotIsSealed,
    SlotIsVoid,
    SlotNotClosed,
    TooManyBatches,
    TotalAbsurd,
    WindowOpen,
)
from .messages import (
    BatchAccepted,
    ClaimDropped,
    CloseMonth,
    CloseSlot,
    DropProven,
    FixLiveSet,
    LateAccepted,
    LiveSetFixed,
    MasksOpened,
    MetersMissing,
    MonthClosed,
    OpenMasks,
    PublishRosters,
    RostersPublished,
    SlotClosed,
    SlotSealed,
    SlotVoid,
    SubmitBatch,
    SubmitLate,
)
from .ports import Directory, MonthEnd, NothingFollows, NothingHeld, Release
from .rules.batches import join, join_late, missing_positions, untouched
from .rules.folding import ENDED, ended, fold
from .rules.live_sets import fix
from .rules.rosters import epoch, hashes_in
from .rules.timetable import Timetable, month_settled_s, timetable
from .types import (
    BODIES,
    CLAIMED,
    EPOCHS,
    FOLDED,
    FOLDS,
    HASH_SIZE,
    LAST_EPOCH,
    LATE,
    LATE_BODIES,
    NO_ROSTER,
    REPLACED,
    ROSTERS,
    SLOTS,
    TALLIES,
    DropTally,
    FoldedSlot,
    ReplacedRosters,
    Roster,
    SlotState,
    Status,
)

MAX_BATCHES: Final = 64  # of one aggregator in one slot


class Keeper:
    """Brings slots from rosters to totals.

    Args:
        directory: who may do what, and a region's rules.
        release: what holds slots back; nothing when none is given.
        month_end: what folds with a month; nothing when none is given.
    """

    def __init__(self, directory: Directory, release: Release | None = None, month_end: MonthEnd | None = None) -> None:
        self.directory = self._directory = directory
        self._release = release or NothingHeld()
        self._month_end = month_end or NothingFollows()

    def publish(self, ctx: Context, sender: ParticipantId, message: PublishRosters) -> None:
        """Bind the rosters from a period to the month's end.

        Raises:
            NotPermitted: `sender` is not a bill provider (A-3).
            MonthIsClosed: the month was folded (A-1).
            RootsMismatch: the roots are not one a period (A-3).
            BadEpochStart: the stretch begins at the wrong place (A-4).
            RosterResized: the number of leaves is not that of the epochs before (A-4).
            RosterTooLate: the first period's window is open (A-6).

        Source: README.md, Messages; private-metering.md, rows 4 and 19.
        """
        self._directory.require_bill_provider(ctx, sender)
        region, channel, month = RegionId(message.region), message.channel, message.month
        bounds = self._open_month(ctx, region, MonthId(month)).bounds
        number = self._require_next_epoch(ctx, message, bounds)
        expected = HASH_SIZE * (bounds.end_k - message.from_k)
        if len(message.roots) != expected:
            raise RootsMismatch(size=len(message.roots), expected=expected)
        end_s = (message.from_k + 1) * bounds.period_s
        if ctx.ledger_time_s >= end_s:
            raise RosterTooLate(now_s=ctx.ledger_time_s, end_s=end_s)

        if number > 1:
            _replace_rest(ctx, (region, channel, month, number - 1), message.from_k, bounds.end_k)
        for k, root in enumerate(hashes_in(message.roots), start=message.from_k):
            ROSTERS.put(ctx, region, channel, k, value=Roster(root, message.count))
        made = epoch(message.from_k, bounds.end_k, message.count, message.filter_hash, message.roots, message.removed)
        EPOCHS.put(ctx, region, channel, month, number, value=made)
        LAST_EPOCH.put(ctx, region, channel, month, value=number)
        ctx.emit(RostersPublished(region, channel, month, number, message.from_k, message.count, message.filter_hash))

    def submit(self, ctx: Context, sender: ParticipantId, message: SubmitBatch) -> None:
        """Add a batch's records to the leaves of its slot that have none.

        Raises:
            NotPermitted: `sender` is not a data aggregator (A-12).
            MonthIsClosed: the month was folded (A-1).
            RosterUnknown: the slot has no roster (A-2).
            OtherRoster: the batch was made against another one (A-12).
            PeriodRunning: the slot's period is not over (A-13).
            SlotIsClosed: the batch comes too late (A-13).
            TooManyBatches: the aggregator has brought its most (A-12).
            NothingNew: every leaf of it has a record already; those stay (A-14).

        Source: README.md, Messages; private-metering.md, rows 4 to 9 and 14.
        """
        self._directory.require_data_aggregator(ctx, sender)
        slot = message.slot
        times = self._times(ctx, slot)
        _require_roster(ctx, message)
        if ctx.ledger_time_s < times.period_end_s:
            raise PeriodRunning(now_s=ctx.ledger_time_s, end_s=times.period_end_s)
        state = _state(ctx, slot)
        if state.status != Status.OPEN:
            raise SlotIsClosed(status=Status(state.status))
        if sum(note.aggregator == sender for note in state.batches) >= MAX_BATCHES:
            raise TooManyBatches(limit=MAX_BATCHES)
        joined = join(state, sender, ctx.height, message.bitmap, message.records)
        if joined is None:
            raise NothingNew(records=len(message.records))

        number = len(state.batches)
        BODIES.put(ctx, *slot, number, value=joined.body)
        SLOTS.put(ctx, *slot, value=joined.state)
        ctx.emit(BatchAccepted(*slot, sender, number, len(message.records), len(joined.body.records)))

    def submit_late(self, ctx: Context, sender: ParticipantId, message: SubmitLate) -> None:
        """Keep records of a slot that takes no more batches: for bills, in no total.

        Raises:
            NotPermitted: `sender` is not a data aggregator (A-33).
            MonthIsClosed: the month was folded (A-1).
            RosterUnknown: the slot has no roster (A-2).
            OtherRoster: (root, count) is not the slot's roster (A-33).
            SlotNotClosed: the records may still come in a batch (A-33).
            LateOver: the deadline has passed (A-33).
            TooManyBatches: the aggregator has brought its most for this slot (A-33).
            NothingNew: every leaf of it has a record already (A-34).

        Source: README.md, Messages; private-metering.md, row 22.
        """
        self._directory.require_data_aggregator(ctx, sender)
        slot = message.slot
        times = self._times(ctx, slot)
        _require_roster(ctx, message)
        state, late = _state(ctx, slot), LATE.find(ctx, *slot)
        if state.status == Status.OPEN:
            raise SlotNotClosed(status=Status.OPEN)
        if ctx.ledger_time_s >= times.claim_end_s:
            raise LateOver(now_s=ctx.ledger_time_s, deadline_s=times.claim_end_s)
        if late is not None and sum(note.aggregator == sender for note in late.batches) >= MAX_BATCHES:
            raise TooManyBatches(limit=MAX_BATCHES)
        joined = join_late(state, late, sender, message.bitmap, message.records)
        if joined is None:
            raise NothingNew(records=len(message.records))

        number = len(joined.state.batches) - 1
        LATE.put(ctx, *slot, value=joined.state)
        LATE_BODIES.put(ctx, *slot, number, value=joined.body)
        ctx.emit(LateAccepted(*slot, sender, number, len(joined.body.records)))

    def close(self, ctx: Context, sender: ParticipantId, message: CloseSlot) -> None:
        """End a slot's window, or the wait for its masks.

        Raises:
            MonthIsClosed: the month was folded (A-1).
            RosterUnknown: the slot has no roster (A-2).
            AlreadyClosed: the slot is closed, and its opening deadline has not passed or no longer matters (A-17).
            WindowOpen: its window is not over (A-15).
            BlocksMissing: too few blocks followed its first batch (A-15).

        Source: README.md, Messages; private-metering.md, rows 14 and 21.
        """
        slot = message.slot
        times, state = self._times(ctx, slot), _state(ctx, slot)
        overdue = ctx.ledger_time_s >= times.opening_end_s
        if state.status == Status.OPEN:
            self._require_window_over(ctx, slot, state, times)
            if state.batches:
                ctx.emit(SlotClosed(*slot, state.filled_count, state.count))
                ctx.emit(MetersMissing(*slot, missing_positions(state)))
        elif not (overdue and state.status in (Status.CLOSED, Status.FIXED)):
            raise AlreadyClosed(status=Status(state.status))

        void = overdue or not state.batches
        SLOTS.put(ctx, *slot, value=replace(state, status=Status.VOID if void else Status.CLOSED))
        if void:
            ctx.emit(SlotVoid(*slot))

    def fix_live_set(self, ctx: Context, sender: ParticipantId, message: FixLiveSet) -> None:
        """Fix once which records count, and seal the slot where too few meters remain.

        Raises:
            NotPermitted: `sender` is not a bill provider (A-18).
            MonthIsClosed: the month was folded (A-1).
            RosterUnknown: the slot has no roster (A-2).
            SlotNotClosed: the slot still takes batches (A-18).
            SlotIsVoid: it will have no total (A-18).
            LiveSetExists: it was fixed before; the first one stays (A-18).
            OpeningOver: the opening deadline has passed (A-18).
            Refusal: a later module holds the slot back (A-18).
            PositionEmpty: a position has no record to leave out (A-19).
            LiveSetOdd: an odd number of records remains (A-19).
            LiveBeyondEnrolled: more pairs remain than meters are enrolled (A-20).

        Source: README.md, Messages; private-metering.md, rows 1, 10 and 18.
        """
        self._directory.require_bill_provider(ctx, sender)
        slot = message.slot
        times, state = self._times(ctx, slot), _state(ctx, slot)
        if state.status == Status.OPEN:
            raise SlotNotClosed(status=Status.OPEN)
        if state.status == Status.VOID:
            raise SlotIsVoid(**slot._asdict())
        if state.status != Status.CLOSED:
            raise LiveSetExists(status=Status(state.status))
        _require_before_deadline(ctx, times)
        self._release.require_release(ctx, slot)

        fixed = fix(
            state,
            message.orphans + message.excluded,
            (body for _, body in BODIES.under(ctx, *slot)),
            self._directory.enrolled(ctx, *slot),
            self._release.known(ctx, slot),
            self._directory.month_of(ctx, slot.region, slot.k),
        )
        SLOTS.put(ctx, *slot, value=fixed)
        if fixed.status == Status.SEALED:
            ctx.emit(SlotSealed(*slot, fixed.live_pairs, fixed.enrolled))
        else:
            named = live_set_hash(slot, fixed.live)
            ctx.emit(LiveSetFixed(*slot, fixed.live_pairs, fixed.enrolled, named))

    def open_masks(self, ctx: Context, sender: ParticipantId, message: OpenMasks) -> None:
        """Open the masks of the live set, once per slot: its total comes out.

        Raises:
            NotPermitted: `sender` is not a bill provider (A-23).
            MonthIsClosed: the month was folded (A-1).
            RosterUnknown: the slot has no roster (A-2).
            AlreadyOpened: the first opening stays (A-25).
            SlotIsSealed: too few meters reported; the total stays hidden (A-25).
            SlotIsVoid: it will have no total (A-23).
            LiveSetNotFixed: its live set is not fixed yet (A-23).
            OpeningOver: the opening deadline has passed (A-23).
            OtherLiveSet: the sum is over another live set (A-23).
            TotalAbsurd: the total would be 2**40 Wh or more; another opening may follow (A-24).

        Source: README.md, Messages; seed 002, Data aggregation phase; private-metering.md, rows 1 and 10.
        """
        self._directory.require_bill_provider(ctx, sender)
        slot = message.slot
        times, state = self._times(ctx, slot), _state(ctx, slot)
        _require_fixed(slot, state)
        _require_before_deadline(ctx, times)
        expected = live_set_hash(slot, state.live)
        if message.live_set != expected:
            raise OtherLiveSet(live_set=message.live_set, expected=expected)
        total_wh = (state.live_rc - message.mask_sum) % WORD
        if total_wh >= MAX_TOTAL_WH:
            raise TotalAbsurd(total_wh=total_wh, limit_wh=MAX_TOTAL_WH)

        opened = replace(state, status=Status.OPENED, mask_sum=message.mask_sum, total_wh=total_wh)
        SLOTS.put(ctx, *slot, value=opened)
        ctx.emit(MasksOpened(*slot, opened.live_pairs, total_wh))

    def claim_dropped(self, ctx: Context, sender: ParticipantId, message: ClaimDropped) -> None:
        """Book a record that an aggregator receipted and let fall.

        Raises:
            MonthIsClosed: the month was folded (A-1).
            RosterUnknown: the slot has no roster (A-2).
            SlotNotClosed: the record may still come (A-26).
            ClaimTooLate: the claim deadline has passed (A-26).
            ReceiptKeyUnknown: the receipt's key is not the aggregator's (A-28).
            LeafUnproven: the record does not stand at the position of the roster (A-27).
            NotDropped: the leaf has a record (A-27).
            AlreadyClaimed: it was claimed before (A-27).

        Source: README.md, Messages; private-metering.md, row 14.
        """
        slot, position = message.slot, message.position
        times, state = self._times(ctx, slot), _state(ctx, slot)
        if state.status == Status.OPEN:
            raise SlotNotClosed(status=Status.OPEN)
        if ctx.ledger_time_s >= times.claim_end_s:
            raise ClaimTooLate(now_s=ctx.ledger_time_s, deadline_s=times.claim_end_s)
        aggregator = ParticipantId(message.aggregator)
        if not self._directory.had_receipt_key(ctx, aggregator, message.receipt_key, times.period_end_s):
            raise ReceiptKeyUnknown(aggregator=aggregator, receipt_key=message.receipt_key)
        _require_leaf(_roster(ctx, slot), message)
        if is_marked(state.filled, position):
            raise NotDropped(position=position)
        claimed = CLAIMED.find(ctx, *slot, position)
        if claimed is not None:
            raise AlreadyClaimed(position=position, aggregator=claimed)

        month = self._directory.month_of(ctx, slot.region, slot.k).month
        tally = TALLIES.get(ctx, aggregator, month, default=DropTally(0))
        TALLIES.put(ctx, aggregator, month, value=DropTally(tally.claims + 1))
        CLAIMED.put(ctx, *slot, position, value=aggregator)
        ctx.emit(DropProven(*slot, aggregator, position))

    def close_month(self, ctx: Context, sender: ParticipantId, message: CloseMonth) -> None:
        """Fold a region's month; what its slots hold is proven in two steps from then on.

        Raises:
            NotPermitted: `sender` is not the operator (A-30).
            MonthIsClosed: the month was folded before (A-1).
            DeadlinesPending: a slot may still be opened, or a dropped record be claimed (A-30).

        Source: README.md, Messages; architecture.md, The Application, Slots.
        """
        self._directory.require_operator(ctx, sender)
        region, month = RegionId(message.region), MonthId(message.month)
        rules = self._directory.region_rules(ctx, region)
        bounds = self._open_month(ctx, region, month).bounds
        deadline_s = month_settled_s(bounds, rules)
        if ctx.ledger_time_s < deadline_s:
            raise DeadlinesPending(now_s=ctx.ledger_time_s, deadline_s=deadline_s)

        for channel in Direction:
            if LAST_EPOCH.has(ctx, region, channel, month):
                _fold_month(ctx, region, channel, bounds)
                self._month_end.fold(ctx, region, channel, bounds)
            for old in _prune(ctx, region, channel, MonthId(month - rules.retention_months)):
                self._month_end.forget(ctx, region, channel, old)
        self._directory.close_month(ctx, region, month)

    def outcome(self, ctx: Context, slot: Slot) -> SlotOutcome | None:
        """How a slot of an open month came to its end, or None where it has not."""
        state = SLOTS.find(ctx, *slot)
        if state is None or state.status not in ENDED:
            return None
        total_wh = state.total_wh if state.status == Status.OPENED else None
        return SlotOutcome(total_wh, tuple(note.root for note in state.batches))

    def _open_month(self, ctx: Context, region: RegionId, month: MonthId) -> MonthRules:
        return _require_open(region, self._directory.month_rules(ctx, region, month))

    def _times(self, ctx: Context, slot: Slot) -> Timetable:
        """The slot's deadlines; its month must be open (A-1)."""
        _require_open(slot.region, self._directory.month_of(ctx, slot.region, slot.k))
        return timetable(slot.k, self._directory.region_rules(ctx, slot.region))

    def _require_next_epoch(self, ctx: Context, message: PublishRosters, bounds: MonthBounds) -> int:
        """The number of the epoch that the message would begin (A-4)."""
        place = (message.region, message.channel, message.month)
        last = LAST_EPOCH.get(ctx, *place, default=0)
        if not last:
            if not bounds.contains(message.from_k):
                raise BadEpochStart(from_k=message.from_k, low_k=bounds.first_k, high_k=bounds.end_k - 1)
            return 1
        before = EPOCHS.get(ctx, *place, last)
        if not before.from_k < message.from_k < bounds.end_k:
            raise BadEpochStart(from_k=message.from_k, low_k=before.from_k + 1, high_k=bounds.end_k - 1)
        if message.count != before.count:
            raise RosterResized(count=message.count, expected=before.count)
        return last + 1

    def _require_window_over(self, ctx: Context, slot: Slot, state: SlotState, times: Timetable) -> None:
        if ctx.ledger_time_s < times.window_end_s:
            raise WindowOpen(now_s=ctx.ledger_time_s, end_s=times.window_end_s)
        from_height = state.first_height + self._directory.region_rules(ctx, slot.region).window_blocks
        if state.batches and ctx.height < from_height:
            raise BlocksMissing(height=ctx.height, from_height=from_height)


def _require_open(region: RegionId, month: MonthRules) -> MonthRules:
    if month.closed:
        raise MonthIsClosed(region=region, month=month.month)
    return month


def _replace_rest(ctx: Context, place: tuple[int, int, int, int], from_k: int, end_k: int) -> None:
    """End an epoch where the next one begins; what it published beyond is kept, for its root binds that too (A-7)."""
    region, channel, *_ = place
    roots = b"".join(ROSTERS.get(ctx, region, channel, k).root for k in range(from_k, end_k))
    REPLACED.put(ctx, *place, value=ReplacedRosters(roots))
    EPOCHS.put(ctx, *place, value=replace(EPOCHS.get(ctx, *place), until_k=from_k))


def _roster(ctx: Context, slot: Slot) -> Roster:
    roster = ROSTERS.find(ctx, *slot)
    if roster is None:
        raise RosterUnknown(**slot._asdict())
    return roster


def _require_roster(ctx: Context, message: SubmitBatch) -> None:
    roster = _roster(ctx, message.slot)
    if (message.root, message.count) != (roster.root, roster.count):
        raise OtherRoster(
            root=message.root, count=message.count, expected_root=roster.root, expected_count=roster.count
        )


def _state(ctx: Context, slot: Slot) -> SlotState:
    """The slot as it stands; open and empty where nothing was sent for it."""
    return SLOTS.find(ctx, *slot) or untouched(_roster(ctx, slot))


def _require_before_deadline(ctx: Context, times: Timetable) -> None:
    if ctx.ledger_time_s >= times.opening_end_s:
        raise OpeningOver(now_s=ctx.ledger_time_s, deadline_s=times.opening_end_s)


def _require_fixed(slot: Slot, state: SlotState) -> None:
    """Return if the slot waits for its masks; otherwise say why it does not."""
    if state.status == Status.OPENED:
        raise AlreadyOpened(total_wh=state.total_wh)
    if state.status == Status.SEALED:
        raise SlotIsSealed(pairs=state.live_pairs, enrolled=state.enrolled)
    if state.status == Status.VOID:
        raise SlotIsVoid(**slot._asdict())
    if state.status != Status.FIXED:
        raise LiveSetNotFixed(status=Status(state.status))


def _require_leaf(roster: Roster, message: ClaimDropped) -> None:
    leaf = roster_leaf(message.record.prid)
    try:
        merkle.verify_inclusion(roster.root, roster.count, message.position, leaf, message.path)
    except InvalidProofError as wrong:
        raise LeafUnproven(position=message.position, detail=wrong.detail) from wrong


def _fold_month(ctx: Context, region: RegionId, channel: Direction, bounds: MonthBounds) -> None:
    """Put a channel's month under one root, and take its slots out of the tree (A-31, A-32)."""
    folded = []
    for k in range(bounds.first_k, bounds.end_k):
        slot = Slot(region, channel, k)
        # Where the first epoch began late, the slots before it have no roster, and nothing was ever sent for them.
        state = _state(ctx, slot) if ROSTERS.has(ctx, *slot) else untouched(NO_ROSTER)
        folded.append(FoldedSlot(k, ended(state)))
        SLOTS.delete(ctx, *slot)
        FOLDED.put(ctx, region, channel, bounds.month, k, value=folded[-1])
    made = fold(folded)
    FOLDS.put(ctx, region, channel, bounds.month, value=made)
    ctx.emit(MonthClosed(region, channel, bounds.month, made.root, made.opened, made.total_wh))


def _prune(ctx: Context, region: RegionId, channel: Direction, last: MonthId) -> list[MonthId]:
    """Forget the bodies of the folded months up to `last`, and name these months; their folds stay (A-32)."""
    months = [MonthId(month) for (_, _, month), _ in FOLDS.under(ctx, region, channel) if month <= last]
    for month in months:
        for (*place, number), _ in list(REPLACED.under(ctx, region, channel, month)):
            REPLACED.delete(ctx, *place, number)
        for (*_, k), folded in list(FOLDED.under(ctx, region, channel, month)):
            for batch in range(len(folded.state.batches)):
                BODIES.delete(ctx, region, channel, k, batch)
            for (*place, batch), _ in list(LATE_BODIES.under(ctx, region, channel, k)):
                LATE_BODIES.delete(ctx, *place, batch)
            for (*place, position), _ in list(CLAIMED.under(ctx, region, channel, k)):
                CLAIMED.delete(ctx, *place, position)
            LATE.delete(ctx, region, channel, k)
            ROSTERS.delete(ctx, region, channel, k)
            FOLDED.delete(ctx, region, channel, month, k)
    return months
