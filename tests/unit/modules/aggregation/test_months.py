"""Rules A-1 and A-30 to A-32: how a month ends."""

from typing import Any

import pytest

from gridproof.domain import Direction, Half, RegionId
from gridproof.modules.aggregation import queries
from gridproof.modules.aggregation.errors import DeadlinesPending, MonthIsClosed
from gridproof.modules.aggregation.messages import CloseMonth, CloseSlot, FixLiveSet, MonthClosed
from gridproof.modules.aggregation.rules.batches import untouched
from gridproof.modules.aggregation.types import BODIES, CLAIMED, FOLDED, ROSTERS, SLOTS, FoldedSlot, Roster, Status
from gridproof.modules.registry.errors import MonthUnknown, NotPermitted
from gridproof.modules.registry.messages import OpenMonth
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode
from gridproof.state.tables import Map

from .community import FIRST_K, IMPORT, MONTH, REGION, Community, month_bounds, reading_of

K = FIRST_K
MONTH_OVER = CloseMonth(REGION, MONTH)
EXPORT = Direction.EXPORT


def keys_in(town: Community, table: Map[Any]) -> list[tuple[int, ...]]:
    with town.node.application.reading() as view:
        return [parts for parts, _ in table.all(view)]


@pytest.fixture
def busy() -> Community:
    """Opened, fixed but not opened, and never touched; all deadlines past."""
    town = Community().begin()
    town.opened(K)
    town.fixed(K + 1, 0, 1, 2)
    town.accepts("household", town.claim(K + 1, town.record(3, Half.FIRST, K + 1)))
    town.go_to(town.claim_end_of(K + 2))
    return town


@pytest.mark.parametrize("name", ["provider", "first", "household"])
def test_a30_only_the_operator_closes_a_month(busy: Community, name: str) -> None:
    busy.refuses(name, MONTH_OVER, code=NotPermitted.code)


@pytest.mark.parametrize(("opening_s", "claim_s"), [(3_600, 7_200), (7_200, 3_600)])
def test_a30_the_later_deadline_of_the_last_slot_is_waited_for(opening_s: int, claim_s: int) -> None:
    town = Community(opening_s=opening_s, claim_s=claim_s).begin()
    deadline_s = town.window_end_of(K + 2) + 7_200
    town.go_to(deadline_s - 1)
    town.refuses_by("operator", MONTH_OVER, DeadlinesPending, now_s=deadline_s - 1, deadline_s=deadline_s)
    town.advance(1)
    town.accepts("operator", MONTH_OVER)


def test_a30_an_unopened_month_is_not_closed(busy: Community) -> None:
    busy.refuses_by("operator", CloseMonth(REGION, MONTH + 1), MonthUnknown, region=REGION, month=MONTH + 1)


def test_a31_a_months_slots_fold_in_the_order_of_k(busy: Community) -> None:
    states = [busy.state(K), busy.state(K + 1)]
    event = busy.accepts("operator", MONTH_OVER)
    folded = [busy.ask(queries.folded_slot, REGION, IMPORT, MONTH, K + n) for n in range(3)]
    assert folded[0] == FoldedSlot(K, states[0])
    assert (folded[1].state.status, folded[1].state.live) == (Status.VOID, states[1].live)
    never = untouched(Roster(bytes(32), 10))
    assert (folded[2].state.status, folded[2].state.filled) == (Status.VOID, never.filled)
    total_wh = sum(reading_of(n, K) for n in range(4))
    fold = busy.ask(queries.fold, REGION, IMPORT, MONTH)
    assert fold.root == merkle.root([encode(each) for each in folded])
    assert (fold.first_k, fold.slots, fold.opened, fold.total_wh) == (K, 3, 1, total_wh)
    assert event == MonthClosed(REGION, IMPORT, MONTH, fold.root, 1, total_wh)


def test_a31_each_slot_is_proven_from_the_fold(busy: Community) -> None:
    busy.accepts("operator", MONTH_OVER)
    fold = busy.ask(queries.fold, REGION, IMPORT, MONTH)
    for k in range(K, K + 3):
        proof = busy.ask(queries.fold_proof, REGION, IMPORT, MONTH, k)
        assert proof.slot.k == k
        merkle.verify_inclusion(fold.root, fold.slots, k - fold.first_k, encode(proof.slot), proof.path)
    for k in (K - 1, K + 3):
        assert busy.ask(queries.fold_proof, REGION, IMPORT, MONTH, k) is None
    assert busy.ask(queries.fold_proof, REGION, EXPORT, MONTH, K) is None


def test_a31_an_open_slot_is_void_in_the_fold() -> None:
    town = Community().begin()
    town.filled(K)
    town.go_to(town.claim_end_of(K + 2))
    town.accepts("operator", MONTH_OVER)
    folded = town.ask(queries.folded_slot, REGION, IMPORT, MONTH, K)
    assert (folded.state.status, folded.state.filled_count) == (Status.VOID, 8)


def test_a31_a_sealed_slot_stays_sealed_in_the_fold() -> None:
    town = Community().begin()
    town.fixed(K, 0, 1)
    town.go_to(town.claim_end_of(K + 2))
    town.accepts("operator", MONTH_OVER)
    assert town.ask(queries.folded_slot, REGION, IMPORT, MONTH, K).state.status == Status.SEALED


def test_a31_channels_fold_apart_and_one_without_rosters_not_at_all(busy: Community) -> None:
    both = Community().begin((IMPORT, EXPORT))
    both.go_to(both.claim_end_of(K + 2))
    assert [event.channel for event in both.send("operator", MONTH_OVER) if isinstance(event, MonthClosed)] == [1, 2]
    assert [event.channel for event in busy.send("operator", MONTH_OVER) if isinstance(event, MonthClosed)] == [1]
    assert busy.ask(queries.fold, REGION, EXPORT, MONTH) is None


def test_a31_a_month_without_any_roster_closes_without_a_fold() -> None:
    town = Community()
    bounds = town.bounds
    town.accepts("operator", OpenMonth(REGION, MONTH, bounds.start_s, bounds.end_s))
    town.go_to(town.claim_end_of(K + 2))
    assert not [event for event in town.send("operator", MONTH_OVER) if isinstance(event, MonthClosed)]
    assert town.ask(queries.fold, REGION, IMPORT, MONTH) is None
    town.refuses_by("operator", MONTH_OVER, MonthIsClosed, region=REGION, month=MONTH)


def test_a32_slots_leave_the_tree_and_bodies_and_claims_stay(busy: Community) -> None:
    """Bills are made after the close: nobody is to pay for a record that an aggregator dropped."""
    before = busy.ask(queries.claimed, REGION, IMPORT, K + 1)
    assert len(before) == 1
    busy.accepts("operator", MONTH_OVER)
    assert keys_in(busy, SLOTS) == []
    assert busy.ask(queries.claimed, REGION, IMPORT, K + 1) == before
    assert [k for _, _, k, _ in keys_in(busy, BODIES)] == [K, K + 1]
    assert [k for _, _, k in keys_in(busy, ROSTERS)] == [K, K + 1, K + 2]
    assert busy.ask(queries.tally, busy.people["first"].id, MONTH).claims == 1


def test_a1_nothing_changes_in_a_closed_month(busy: Community) -> None:
    busy.accepts("operator", MONTH_OVER)
    particulars = {"region": REGION, "month": MONTH}
    for name, message in (
        ("provider", busy.rosters()),
        ("first", busy.batch(K + 2, busy.both(0, K + 2))),
        ("household", CloseSlot(REGION, IMPORT, K + 2)),
        ("provider", FixLiveSet(REGION, IMPORT, K + 1, (), ())),
        ("provider", busy.opening(K + 1, range(3))),
        ("household", busy.claim(K + 1, busy.record(3, Half.SECOND, K + 1))),
        ("operator", MONTH_OVER),
    ):
        busy.refuses_by(name, message, MonthIsClosed, **particulars)


def test_a1_closing_one_regions_month_leaves_the_others(busy: Community) -> None:
    bounds = busy.bounds
    busy.accepts("operator", OpenMonth(RegionId(2), MONTH, bounds.start_s, bounds.end_s))
    busy.accepts("operator", CloseMonth(RegionId(2), MONTH))
    assert busy.state(K).status == Status.OPENED


def two_months(step: int, retention_months: int) -> Community:
    """A month of one slot closed, and a later one ready to be closed, its slot opened."""
    town = Community(periods=1, opening_s=600, claim_s=600, retention_months=retention_months).begin()
    town.opened(K, 0, 1, 2)
    town.accepts("household", town.claim(K, town.record(3, Half.FIRST, K)))
    later = month_bounds(MONTH + step, K + 4, 1)
    town.accepts("operator", OpenMonth(REGION, later.month, later.start_s, later.end_s))
    town.bounds = later
    town.accepts("provider", town.rosters())
    town.go_to(later.start_s)
    town.accepts("operator", MONTH_OVER)
    town.opened(K + 4)
    town.go_to(town.claim_end_of(K + 4))
    assert town.ask(queries.fold_proof, REGION, IMPORT, MONTH, K) is not None
    assert [k for _, _, k, _ in keys_in(town, BODIES)] == [K, K + 4]
    assert [k for _, _, k, _ in keys_in(town, CLAIMED)] == [K]
    return town


@pytest.mark.parametrize(("step", "retention_months"), [(1, 1), (2, 1), (3, 2)])
def test_a32_bodies_are_forgotten_after_the_retention_and_folds_stay(step: int, retention_months: int) -> None:
    """Also where the operator left months out."""
    town = two_months(step, retention_months)
    town.accepts("operator", town.month_over)
    assert [k for _, _, k, _ in keys_in(town, BODIES)] == [K + 4]
    assert [k for _, _, k in keys_in(town, ROSTERS)] == [K + 4]
    assert [k for *_, k in keys_in(town, FOLDED)] == [K + 4]
    assert keys_in(town, CLAIMED) == []
    assert town.ask(queries.fold, REGION, IMPORT, MONTH).opened == 1
    assert town.ask(queries.fold_proof, REGION, IMPORT, MONTH, K) is None
    assert town.ask(queries.epochs, REGION, IMPORT, MONTH)


def test_a32_within_the_retention_all_is_kept() -> None:
    town = two_months(step=1, retention_months=2)
    town.accepts("operator", town.month_over)
    assert [k for _, _, k, _ in keys_in(town, BODIES)] == [K, K + 4]
    assert town.ask(queries.fold_proof, REGION, IMPORT, MONTH, K) is not None
