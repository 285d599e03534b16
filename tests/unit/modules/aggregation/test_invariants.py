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
    ROSTERS,
    SLOTS,
    BatchBody,
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
