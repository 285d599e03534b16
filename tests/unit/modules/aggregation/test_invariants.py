"""Each invariant finds what it is there to find: states that no message leads to, written past the rules."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.modules.aggregation.keeper import Keeper
from gridproof.modules.aggregation.module import aggregation
from gridproof.modules.aggregation.types import (
    BODIES,
    FOLDED,
    FOLDS,
    REPLACED,
    ROSTERS,
    SLOTS,
    BatchBody,
    ReplacedRosters,
    Roster,
    SlotState,
    Status,
)
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.types import ENROLMENTS, Enrolment
from gridproof.state import BlockInfo, Context, Overlay, Violation

from .community import CHAIN_ID, FIRST_K, IMPORT, MONTH, REGION, Community

K = FIRST_K
PLACE = (REGION, IMPORT, K)


@pytest.fixture(scope="module")
def town() -> Community:
    """Two slots opened, one of them by two aggregators; one sealed; nothing of it is changed by these tests."""
    town = Community(periods=4).begin()
    town.opened(K)
    town.filled(K + 1, 0, 1)
    town.accepts("second", town.batch(K + 1, [*town.both(2, K + 1), *town.both(3, K + 1)]))
    town.fixed(K + 2, 0, 1)
    return town


def violations(town: Community, spoil: Callable[[Context], None]) -> list[str]:
    """What the invariants say of the state once it is spoilt."""
    found = []
    with town.node.application.reading() as view:
        ctx = Context(BlockInfo(CHAIN_ID, 1, town.now_s), Overlay(view))
        spoil(ctx)
        for invariant in aggregation(Keeper(Registry())).invariants:
            try:
                invariant(ctx)
            except Violation as wrong:
                found.append(wrong.detail)
    return found


def slot(k: int = K, **changes: Any) -> Callable[[Context], None]:
    def spoil(ctx: Context) -> None:
        SLOTS.put(ctx, REGION, IMPORT, k, value=replace(SLOTS.get(ctx, REGION, IMPORT, k), **changes))

    return spoil


def body(number: int, change: Callable[[BatchBody], BatchBody | None], k: int = K + 1) -> Callable[[Context], None]:
    def spoil(ctx: Context) -> None:
        changed = change(BODIES.get(ctx, REGION, IMPORT, k, number))
        if changed is None:
            BODIES.delete(ctx, REGION, IMPORT, k, number)
        else:
            BODIES.put(ctx, REGION, IMPORT, k, number, value=changed)

    return spoil


def test_a_sound_state_violates_nothing(town: Community) -> None:
    assert violations(town, lambda _ctx: None) == []


def note(state: SlotState, **changes: int) -> dict[str, Any]:
    return {"batches": (replace(state.batches[0], **changes), *state.batches[1:])}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (slot(filled_count=7), "are counted"),
        (slot(total_rc=1), "the sum is not that of its records"),
        (slot(filled=b"\xff\xc0"), "the bodies fill other leaves"),
        (slot(batches=()), "a batch's note does not fit its body"),
        (body(0, lambda _body: None), "the numbers of its bodies have a gap"),
        (body(1, lambda _body: None), "the bodies fill other leaves"),
        (body(0, lambda kept: replace(kept, records=kept.records[:-1])), "more records than positions, or fewer"),
        (body(0, lambda kept: replace(kept, aggregator=9)), "a batch's note does not fit its body"),
        (body(0, lambda kept: replace(kept, positions=kept.positions[:1] * 4)), "the bodies fill other leaves"),
        (slot(mask_sum=1), "the total is not the live sum"),
        (slot(total_wh=2**40), "the total is not the live sum"),
        (slot(K + 1, total_wh=5), "it has a total and is open"),
        (slot(K + 1, status=Status.FIXED), "it is fixed without a live set"),
        (slot(live=b"\xff\xc0"), "a live leaf has no record"),
        (slot(live_pairs=5), "pairs are not"),
        (slot(live_rc=3), "the live sum is not that of the live records"),
        (slot(K + 2, status=Status.FIXED), "live pairs hide nobody"),
        (slot(known=3), "live pairs hide nobody"),
        (slot(enrolled=5), "the enrolled meters changed"),
        (slot(K + 1, count=12), "it does not stand on its roster"),
    ],
)
def test_a_spoilt_slot_is_found(town: Community, spoil: Callable[[Context], None], says: str) -> None:
    assert any(says in each for each in violations(town, spoil))


def test_a_batch_that_added_nothing_is_found(town: Community) -> None:
    assert any("a batch added nothing" in each for each in violations(town, slot(**note(town.state(K), count=1))))


def test_a_foreign_roster_is_found(town: Community) -> None:
    found = violations(town, lambda ctx: ROSTERS.put(ctx, REGION, IMPORT, K + 3, value=Roster(bytes(32), 10)))
    assert any("its rosters are not the published ones" in each for each in found)
    found = violations(town, lambda ctx: ROSTERS.delete(ctx, *PLACE))
    assert any("it does not stand on its roster" in each for each in found)


@pytest.fixture(scope="module")
def shortened() -> Community:
    """A month whose first epoch was cut short by a second one, with no slot begun."""
    town = Community(periods=4).begin()
    town.accepts("provider", town.rosters(K + 2, roots=b"\x05" * 64))
    return town


def test_a_foreign_roster_of_an_epoch_that_was_cut_short_is_found(shortened: Community) -> None:
    place = (REGION, IMPORT, MONTH, 1)

    def roster(k: int, **changes: Any) -> Callable[[Context], None]:
        def spoil(ctx: Context) -> None:
            ROSTERS.put(ctx, REGION, IMPORT, k, value=replace(ROSTERS.get(ctx, REGION, IMPORT, k), **changes))

        return spoil

    says = "its rosters are not the published ones"
    assert violations(shortened, lambda _ctx: None) == []
    for spoil in (
        roster(K + 1, root=bytes(32)),
        roster(K + 1, count=12),
        roster(K + 2, root=bytes(32)),
        lambda ctx: ROSTERS.delete(ctx, REGION, IMPORT, K + 1),
        lambda ctx: REPLACED.delete(ctx, *place),
        lambda ctx: REPLACED.put(ctx, *place, value=ReplacedRosters(bytes(64))),
        lambda ctx: REPLACED.put(ctx, *place[:3], 2, value=ReplacedRosters(bytes(32))),
    ):
        assert any(says in each for each in violations(shortened, spoil))


def test_what_belongs_to_nothing_is_found(town: Community, closed: Community) -> None:
    def spoil(ctx: Context) -> None:
        BODIES.put(ctx, REGION, IMPORT, K + 3, 0, value=BODIES.get(ctx, REGION, IMPORT, K, 0))
        ROSTERS.put(ctx, REGION, IMPORT, K + 9, value=Roster(bytes(32), 10))
        REPLACED.put(ctx, 9, IMPORT, MONTH, 1, value=ReplacedRosters(bytes(32)))

    found = violations(town, spoil)
    assert "a body is kept that belongs to nothing" in found
    assert "a roster is kept that belongs to nothing" in found

    def replaced(ctx: Context) -> None:
        REPLACED.put(ctx, 9, IMPORT, MONTH, 1, value=ReplacedRosters(bytes(32)))

    def folded(ctx: Context) -> None:
        FOLDED.put(ctx, REGION, IMPORT, MONTH + 1, K, value=FOLDED.get(ctx, REGION, IMPORT, MONTH, K))

    assert "a replaced roster is kept that belongs to nothing" in violations(town, replaced)
    assert "a folded slot is kept that belongs to nothing" in violations(closed, folded)


def test_a_closed_month_without_its_details_before_its_retention_is_over_is_found(closed: Community) -> None:
    def spoil(ctx: Context) -> None:
        for table in (FOLDED, BODIES, ROSTERS):
            for parts, _ in list(table.all(ctx)):
                table.delete(ctx, *parts)

    assert any("its slots are missing" in each for each in violations(closed, spoil))


def test_a_body_of_a_folded_slot_is_held_to_it(closed: Community) -> None:
    found = violations(closed, body(0, lambda kept: replace(kept, aggregator=9), k=K))
    assert any("a batch's note does not fit its body" in each for each in found)


def test_a_change_of_the_enrolled_after_the_period_is_found(town: Community) -> None:
    found = violations(town, lambda ctx: ENROLMENTS.put(ctx, REGION, IMPORT, value=Enrolment(((K, 5),))))
    assert any("the enrolled meters changed after its period" in each for each in found)


@pytest.fixture(scope="module")
def closed() -> Community:
    """A closed month."""
    town = Community().begin()
    town.opened(K)
    town.go_to(town.claim_end_of(K + 2))
    town.accepts("operator", town.month_over)
    return town


def test_a_spoilt_fold_is_found(closed: Community) -> None:
    month = (REGION, IMPORT, MONTH)

    def fold(ctx: Context) -> None:
        FOLDS.put(ctx, *month, value=replace(FOLDS.get(ctx, *month), total_wh=1))

    def running(ctx: Context) -> None:
        kept = FOLDED.get(ctx, *month, K)
        FOLDED.put(ctx, *month, K, value=replace(kept, state=replace(kept.state, status=Status.FIXED)))

    def left(ctx: Context) -> None:
        SLOTS.put(ctx, REGION, IMPORT, K, value=FOLDED.get(ctx, *month, K).state)

    assert violations(closed, lambda _ctx: None) == []
    assert any("the fold is not that of its slots" in each for each in violations(closed, fold))
    assert any("a slot was folded before its end" in each for each in violations(closed, running))
    assert any("a slot is still there after the fold" in each for each in violations(closed, left))
