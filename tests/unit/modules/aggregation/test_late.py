"""Rules A-33 to A-36: side batches for what comes too late, and what others hear of a slot's and a month's end."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import (
    Direction,
    Half,
    MonthBounds,
    MonthId,
    RegionId,
    Slot,
    SlotOutcome,
    bitmap_of,
    positions_in,
)
from gridproof.modules.aggregation import queries
from gridproof.modules.aggregation.errors import (
    BatchUnproven,
    LateOver,
    LeavesUnsorted,
    MonthIsClosed,
    NothingNew,
    OtherRoster,
    RosterUnknown,
    SlotNotClosed,
    TooManyBatches,
)
from gridproof.modules.aggregation.keeper import MAX_BATCHES, Keeper
from gridproof.modules.aggregation.messages import CloseMonth, CloseSlot, LateAccepted, SubmitLate
from gridproof.modules.aggregation.rules.batches import batch_root
from gridproof.modules.aggregation.types import (
    LATE,
    LATE_BODIES,
    SLOTS,
    BatchNote,
    DropTally,
    LateState,
    Status,
)
from gridproof.modules.registry.errors import NoMonth, NotPermitted
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.messages import OpenMonth
from gridproof.state import BlockInfo, Context, Overlay
from gridproof.state.errors import CheckFailed
from gridproof.state.tables import Map

from .community import CHAIN_ID, FIRST_K, IMPORT, MONTH, REGION, Community, month_bounds
from .test_invariants import violations

K = FIRST_K
EXPORT = Direction.EXPORT


@pytest.fixture
def town() -> Community:
    """The first slot closed: meters 0 and 1 are in, meter 2 with its first half, meter 3 not at all."""
    town = Community().begin()
    town.closed(K, 0, 1, orphans=(2,))
    return town


def keys_in(town: Community, table: Map[Any]) -> list[tuple[int, ...]]:
    with town.node.application.reading() as view:
        return [parts for parts, _ in table.all(view)]


def late_state(town: Community, k: int = K) -> LateState:
    state = town.ask(queries.late, REGION, IMPORT, k)
    assert isinstance(state, LateState)
    return state


def places(town: Community, *meters: int) -> list[int]:
    return sorted(town.position(n, half, K) for n in meters for half in Half)


# --- when, by whom and against what --------------------------------------------------------------------------


def test_a33_what_came_too_late_is_kept_beside_the_slot(town: Community) -> None:
    before = town.state(K)
    message = town.late(K, town.both(3, K))
    event = town.accepts("second", message)
    second = town.people["second"].id
    assert event == LateAccepted(REGION, IMPORT, K, second, 0, 2)
    note = BatchNote(second, batch_root(message.records), 2, 2)
    assert late_state(town) == LateState(bitmap_of(10, places(town, 3)), (note,))
    (body,) = town.ask(queries.late_bodies, REGION, IMPORT, K)
    assert (body.aggregator, list(body.positions), body.records) == (second, places(town, 3), message.records)
    assert town.state(K) == before


@pytest.mark.parametrize("name", ["operator", "provider", "household", "center"])
def test_a33_only_a_data_aggregator_brings_late_records(town: Community, name: str) -> None:
    message = town.late(K, town.both(3, K))
    town.refuses_by(name, message, NotPermitted, participant=town.people[name].id, needed="data_aggregator")


def test_a33_before_the_slot_closes_a_record_is_not_late() -> None:
    town = Community().begin()
    town.filled(K, 0, 1, 2)
    town.refuses_by("first", town.late(K, town.both(3, K)), SlotNotClosed, status=Status.OPEN)
    town.refuses_by("first", town.late(K + 1, town.both(3, K + 1)), SlotNotClosed, status=Status.OPEN)
    town.accepts("first", town.batch(K, town.both(3, K)))


def test_a33_the_claim_deadline_is_the_last_for_late_records_too(town: Community) -> None:
    deadline_s = town.claim_end_of(K)
    town.go_to(deadline_s - 1)
    town.accepts("first", town.late(K, [town.record(3, Half.FIRST, K)]))
    town.go_to(deadline_s)
    message = town.late(K, [town.record(3, Half.SECOND, K)])
    town.refuses_by("first", message, LateOver, now_s=deadline_s, deadline_s=deadline_s)


def test_a33_a_side_batch_is_made_against_the_slots_roster(town: Community) -> None:
    right = town.late(K, town.both(3, K))
    town.refuses("first", town.late(K, town.both(3, K), root=bytes(32)), code=BatchUnproven.code)
    foreign = Community(places=6)
    other = foreign.late(K, foreign.both(3, K))
    town.refuses_by(
        "first",
        other,
        OtherRoster,
        root=other.root,
        count=other.count,
        expected_root=right.root,
        expected_count=right.count,
    )
    exports = town.late(K, [town.record(3, half, K, channel=EXPORT) for half in Half], channel=EXPORT)
    town.refuses_by("first", exports, RosterUnknown, region=REGION, channel=EXPORT, k=K)


def test_a33_its_records_are_held_to_the_same_checks_as_any(town: Community) -> None:
    right = town.late(K, town.both(3, K))
    for wrong, code in (
        ({"records": right.records[::-1]}, LeavesUnsorted.code),
        ({"proof": ()}, BatchUnproven.code),
        ({"records": tuple(replace(each, rc=each.rc ^ 1) for each in right.records)}, CheckFailed.code),
    ):
        town.refuses("first", town.late(K, town.both(3, K), **wrong), code=code)
    replayed = town.record(3, Half.FIRST, K, slot=Slot(REGION, IMPORT, K + 1))
    town.refuses("first", town.late(K, [replayed]), code=CheckFailed.code)


def test_a33_an_aggregator_brings_64_side_batches_of_a_slot() -> None:
    places_needed = MAX_BATCHES // 2 + 1
    town = Community(enrolled=4, places=places_needed, claim_s=86_400).begin()
    town.closed(K, 0)
    leaves = [(n, half) for n in range(1, places_needed) for half in Half]
    assert len(leaves) == MAX_BATCHES
    for meter, half in leaves[:-1]:
        town.accepts("first", town.late(K, [town.record(meter, half, K)]))
    town.accepts("first", town.late(K, [town.record(*leaves[-1], K)]))
    message = town.late(K, [town.record(*leaves[-1], K)])
    town.refuses_by("first", message, TooManyBatches, limit=MAX_BATCHES)
    town.refuses_by("second", message, NothingNew, records=1)


def test_a33_the_slots_own_batches_are_counted_apart() -> None:
    town = Community(places=MAX_BATCHES // 2 + 1).begin()
    town.go_to(town.end_of(K))
    for n in range(MAX_BATCHES // 2):
        for half in Half:
            town.accepts("first", town.batch(K, [town.record(n, half, K)]))
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.accepts("first", town.late(K, town.both(MAX_BATCHES // 2, K)))


@pytest.mark.parametrize("ended", ["fixed", "opened", "sealed", "void", "no batch"])
def test_a33_however_a_slot_ends_late_records_are_kept_for_the_bill(ended: str) -> None:
    town = Community().begin()
    if ended == "fixed":
        town.fixed(K, 0, 1, 2)
    elif ended == "opened":
        town.opened(K, 0, 1, 2)
    elif ended == "sealed":
        town.fixed(K, 0, 1)
    elif ended == "void":
        town.fixed(K, 0, 1, 2)
        town.go_to(town.opening_end_of(K))
        town.accepts("household", CloseSlot(REGION, IMPORT, K))
    else:
        town.go_to(town.window_end_of(K))
        town.accepts("household", CloseSlot(REGION, IMPORT, K))
    before = town.state(K)
    town.accepts("first", town.late(K, town.both(3, K)))
    assert town.state(K) == before
    assert positions_in(late_state(town).filled, 10) == tuple(places(town, 3))


# --- the first record of a leaf stays ------------------------------------------------------------------------


def test_a34_a_leaf_with_a_record_in_the_slot_keeps_it(town: Community) -> None:
    """An aggregator cannot choose between two signed readings by holding one back."""
    message = town.late(K, town.both(0, K, wh=1))
    town.refuses_by("second", message, NothingNew, records=2)


def test_a34_a_leaf_with_a_record_in_the_side_batch_keeps_it(town: Community) -> None:
    town.accepts("first", town.late(K, town.both(3, K)))
    before = town.ask(queries.late_bodies, REGION, IMPORT, K)
    town.refuses_by("second", town.late(K, town.both(3, K, wh=1)), NothingNew, records=2)
    assert town.ask(queries.late_bodies, REGION, IMPORT, K) == before


def test_a34_of_a_mixed_batch_what_is_new_is_kept(town: Community) -> None:
    """Meter 2's first half is in the slot; meter 3's in the side batch."""
    town.accepts("first", town.late(K, [town.record(3, Half.FIRST, K)]))
    mixed = [*town.both(2, K), *town.both(3, K)]
    event = town.accepts("second", town.late(K, mixed))
    assert (event.batch, event.fresh) == (1, 2)
    body = town.ask(queries.late_bodies, REGION, IMPORT, K)[1]
    fresh = sorted([town.position(2, Half.SECOND, K), town.position(3, Half.SECOND, K)])
    assert list(body.positions) == fresh
    assert {each.prid for each in body.records} == {town.record(n, Half.SECOND, K).prid for n in (2, 3)}
    assert [(note.count, note.fresh) for note in late_state(town).batches] == [(1, 1), (4, 2)]
    assert positions_in(late_state(town).filled, 10) == tuple(sorted([*fresh, town.position(3, Half.FIRST, K)]))


# --- in no total ---------------------------------------------------------------------------------------------


def test_a35_side_records_are_in_no_live_set_no_sum_and_no_total() -> None:
    """The control: with meter 3 in time the total is another."""
    intime = Community().begin()
    intime.opened(K)
    late = Community().begin()
    late.closed(K, 0, 1, 2)
    before = late.state(K)
    late.accepts("second", late.late(K, late.both(3, K)))
    late.refuses("provider", late.live_set(K, excluded=[3]), code=2025)  # PositionEmpty: it is no record of the slot
    late.accepts("provider", late.live_set(K))
    late.refuses("provider", late.opening(K, range(4)), code=2029)  # OtherLiveSet
    late.accepts("provider", late.opening(K, range(3)))
    after = late.state(K)
    assert (after.filled, after.total_rc, after.batches) == (before.filled, before.total_rc, before.batches)
    assert after.live_pairs == 3
    assert intime.state(K).total_wh - after.total_wh == 100 + 37 * 3 + 11 * (K % 13)


def test_a35_a_late_record_shields_no_aggregator_from_a_claim(town: Community) -> None:
    """It had given its receipt and brought the record when the total was closed."""
    record = town.record(3, Half.FIRST, K)
    town.accepts("first", town.late(K, town.both(3, K)))
    town.accepts("household", town.claim(K, record))
    assert town.ask(queries.tally, town.people["first"].id, MONTH) == DropTally(1)


def test_a35_what_is_missing_stays_named_as_missing(town: Community) -> None:
    before = town.ask(queries.missing, REGION, IMPORT, K)
    town.accepts("first", town.late(K, town.both(3, K)))
    assert town.ask(queries.missing, REGION, IMPORT, K) == before


# --- the month's end -----------------------------------------------------------------------------------------


def two_months(retention_months: int) -> Community:
    """A month with a side batch closed, and the next one ready to be."""
    town = Community(periods=1, opening_s=600, claim_s=600, retention_months=retention_months).begin()
    town.opened(K, 0, 1, 2)
    town.accepts("first", town.late(K, town.both(3, K)))
    later = month_bounds(MONTH + 1, K + 4, 1)
    town.accepts("operator", OpenMonth(REGION, later.month, later.start_s, later.end_s))
    town.bounds = later
    town.accepts("provider", town.rosters())
    town.go_to(later.start_s)
    town.accepts("operator", CloseMonth(REGION, MONTH))
    town.closed(K + 4, 0, 1, 2)
    town.accepts("first", town.late(K + 4, town.both(3, K + 4)))
    town.go_to(town.claim_end_of(K + 4))
    return town


def test_a36_a_side_batch_outlives_the_month_until_its_bodies_are_forgotten() -> None:
    """Bills are made after the close, and checked for as long as the records are kept."""
    town = two_months(retention_months=1)
    assert [k for *_, k in keys_in(town, LATE)] == [K, K + 4]
    assert [k for *_, k, _ in keys_in(town, LATE_BODIES)] == [K, K + 4]
    town.accepts("operator", town.month_over)
    assert [k for *_, k in keys_in(town, LATE)] == [K + 4]
    assert [k for *_, k, _ in keys_in(town, LATE_BODIES)] == [K + 4]
    assert town.ask(queries.late, REGION, IMPORT, K) is None
    assert town.ask(queries.late_bodies, REGION, IMPORT, K) == ()


def test_a36_within_the_retention_side_batches_stay() -> None:
    town = two_months(retention_months=2)
    town.accepts("operator", town.month_over)
    assert [k for *_, k in keys_in(town, LATE)] == [K, K + 4]


def test_a1_a_closed_month_takes_no_late_records(town: Community) -> None:
    message = town.late(K, town.both(3, K))
    town.end_month()
    town.refuses_by("first", message, MonthIsClosed, region=REGION, month=MONTH)


def test_a2_there_is_no_side_batch_outside_a_month(town: Community) -> None:
    beyond = Slot(REGION, IMPORT, K + 3)
    message = town.late(K, [town.record(3, half, K, slot=beyond) for half in Half])
    town.refuses_by("first", replace(message, k=K + 3), NoMonth, region=REGION, k=K + 3)


class Recorder:
    """A stand-in for who folds with the month: it keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def fold(self, ctx: Context, region: RegionId, channel: Direction, bounds: MonthBounds) -> None:
        """Keep that a channel's month was folded, when its slots had left the tree and the month was open."""
        assert not list(SLOTS.under(ctx, region, channel))
        assert not Registry().month_rules(ctx, region, bounds.month).closed
        self.told.append(("fold", channel, bounds.month))

    def forget(self, ctx: Context, region: RegionId, channel: Direction, month: MonthId) -> None:
        """Keep that a channel's month was forgotten."""
        self.told.append(("forget", channel, month))


def closing(town: Community, month: int) -> list[tuple[str, int, int]]:
    """What the port is told when a month is closed."""
    recorder = Recorder()
    with town.node.application.reading() as view:
        ctx = Context(BlockInfo(CHAIN_ID, 1, town.now_s), Overlay(view))
        Keeper(Registry(), month_end=recorder).close_month(ctx, town.people["operator"].id, CloseMonth(REGION, month))
    return recorder.told


def test_a36_who_keeps_something_for_slots_folds_with_each_channel_that_has_rosters() -> None:
    both = Community().begin((IMPORT, EXPORT))
    both.go_to(both.claim_end_of(K + 2))
    assert closing(both, MONTH) == [("fold", IMPORT, MONTH), ("fold", EXPORT, MONTH)]
    one = Community().begin()
    one.go_to(one.claim_end_of(K + 2))
    assert closing(one, MONTH) == [("fold", IMPORT, MONTH)]


def test_a36_and_forgets_with_the_bodies() -> None:
    assert closing(two_months(1), MONTH + 1) == [("fold", IMPORT, MONTH + 1), ("forget", IMPORT, MONTH)]
    assert closing(two_months(2), MONTH + 1) == [("fold", IMPORT, MONTH + 1)]


def outcome(town: Community, k: int = K) -> SlotOutcome | None:
    with town.node.application.reading() as view:
        ctx = Context(BlockInfo(CHAIN_ID, 1, town.now_s), Overlay(view))
        return Keeper(Registry()).outcome(ctx, Slot(REGION, IMPORT, k))


def test_a36_others_hear_how_a_slot_ended_and_not_before() -> None:
    town = Community().begin()
    assert outcome(town) is None
    town.filled(K, 0, 1)
    assert outcome(town) is None
    town.accepts("second", town.batch(K, [*town.both(2, K), *town.both(3, K)]))
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    assert outcome(town) is None
    town.accepts("provider", town.live_set(K))
    assert outcome(town) is None
    town.accepts("provider", town.opening(K, range(4)))
    roots = tuple(note.root for note in town.state(K).batches)
    assert len(roots) == 2
    assert outcome(town) == SlotOutcome(town.state(K).total_wh, roots)


def test_a36_a_sealed_slot_and_a_void_one_have_no_total() -> None:
    town = Community().begin()
    town.fixed(K, 0, 1)
    assert outcome(town) == SlotOutcome(None, (town.state(K).batches[0].root,))
    town.go_to(town.window_end_of(K + 1))
    town.accepts("household", CloseSlot(REGION, IMPORT, K + 1))
    assert outcome(town, K + 1) == SlotOutcome(None, ())


def test_a36_late_records_change_nothing_in_how_a_slot_ended(town: Community) -> None:
    town.go_to(town.opening_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    before = outcome(town)
    town.accepts("first", town.late(K, town.both(3, K)))
    assert outcome(town) == before is not None


# --- invariants ----------------------------------------------------------------------------------------------------


def spoilt(**changes: Any) -> Callable[[Context], None]:
    def spoil(ctx: Context) -> None:
        LATE.put(ctx, REGION, IMPORT, K, value=replace(LATE.get(ctx, REGION, IMPORT, K), **changes))

    return spoil


def reopened(ctx: Context) -> None:
    state = SLOTS.get(ctx, REGION, IMPORT, K)
    SLOTS.put(ctx, REGION, IMPORT, K, value=replace(state, status=Status.OPEN))


def in_both(ctx: Context) -> None:
    late = LATE.get(ctx, REGION, IMPORT, K)
    state = SLOTS.get(ctx, REGION, IMPORT, K)
    SLOTS.put(ctx, REGION, IMPORT, K, value=replace(state, filled=late.filled))


def body_lost(ctx: Context) -> None:
    LATE_BODIES.delete(ctx, REGION, IMPORT, K, 0)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoilt(filled=b"\xff\xc0"), "the side batch fills other leaves"),
        (spoilt(batches=()), "a side batch's note does not fit its body"),
        (body_lost, "a side batch's note does not fit its body"),
        (reopened, "it has a side batch and is open"),
        (in_both, "a leaf has a record in the slot and in the side batch"),
    ],
)
def test_a_spoilt_side_batch_is_found(town: Community, spoil: Callable[[Context], None], says: str) -> None:
    town.accepts("first", town.late(K, town.both(3, K)))
    assert violations(town, lambda _ctx: None) == []
    assert any(says in each for each in violations(town, spoil))


def test_a_side_batch_without_a_state_is_found(town: Community) -> None:
    town.accepts("first", town.late(K, town.both(3, K)))
    assert any("bodies without a side batch" in each for each in violations(
        town, lambda ctx: LATE.delete(ctx, REGION, IMPORT, K)
    ))  # fmt: skip


def test_the_message_is_a_batch_in_all_but_its_number(town: Community) -> None:
    """What a slot's batch says cannot be brought as a side batch's by turning its tag: each is signed by its sender."""
    batch, late = town.batch(K, town.both(3, K)), town.late(K, town.both(3, K))
    assert isinstance(late, SubmitLate)
    assert late.__struct_fields__ == batch.__struct_fields__
    assert late.__struct_config__.tag == 2008
