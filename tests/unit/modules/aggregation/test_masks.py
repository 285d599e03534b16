"""Rules A-23 to A-25: how a total comes out, once and for one live set."""

import pytest

from gridproof.domain import MAX_TOTAL_WH, WORD, Direction, Half, Slot, bitmap_of, live_set_hash
from gridproof.modules.aggregation.errors import (
    AlreadyOpened,
    LiveSetNotFixed,
    OpeningOver,
    OtherLiveSet,
    SlotIsSealed,
    SlotIsVoid,
    TotalAbsurd,
)
from gridproof.modules.aggregation.messages import CloseSlot, MasksOpened
from gridproof.modules.aggregation.types import Status
from gridproof.modules.registry.errors import NotPermitted
from gridproof.state.errors import MalformedTransaction

from .community import FIRST_K, IMPORT, REGION, Community, reading_of

K = FIRST_K


def hash_over(town: Community, *meters: int, slot: Slot = Slot(REGION, IMPORT, K)) -> bytes:
    positions = [town.position(n, half, slot.k) for n in meters for half in Half]
    return live_set_hash(slot, bitmap_of(2 * town.places, positions))


def test_the_total_is_what_the_live_meters_read(town: Community) -> None:
    town.fixed(K, 0, 1, 2, orphans=(3,))
    total_wh = sum(reading_of(n, K) for n in range(3))
    assert town.accepts("provider", town.opening(K, range(3))) == MasksOpened(REGION, IMPORT, K, 3, total_wh)
    state = town.state(K)
    assert (state.status, state.total_wh, state.mask_sum) == (Status.OPENED, total_wh, town.mask_sum(K, range(3)))


def test_both_channels_have_totals_of_their_own() -> None:
    town = Community().begin((IMPORT, Direction.EXPORT))
    town.opened(K, channel=Direction.EXPORT)
    town.opened(K)
    assert town.state(K).total_wh == town.state(K, Direction.EXPORT).total_wh
    assert town.state(K).live_rc != town.state(K, Direction.EXPORT).live_rc


@pytest.mark.parametrize("name", ["operator", "first", "household"])
def test_a23_only_a_bill_provider_opens(town: Community, name: str) -> None:
    town.fixed(K)
    town.refuses(name, town.opening(K, range(4)), code=NotPermitted.code)


def test_a23_masks_are_opened_after_the_live_set_is_fixed(town: Community) -> None:
    opening = town.opening(K, range(4))
    town.refuses_by("provider", opening, LiveSetNotFixed, status=Status.OPEN)
    town.closed(K)
    town.refuses_by("provider", opening, LiveSetNotFixed, status=Status.CLOSED)


def test_a23_an_opening_for_another_live_set_is_refused(town: Community) -> None:
    town.fixed(K)
    fixed = hash_over(town, 0, 1, 2, 3)
    others = [
        hash_over(town, 0, 1, 2),
        live_set_hash(Slot(REGION, IMPORT, K + 1), town.state(K).live),
        live_set_hash(Slot(REGION, Direction.EXPORT, K), town.state(K).live),
    ]
    for other in others:
        message = town.opening(K, range(4), live_set=other)
        town.refuses_by("provider", message, OtherLiveSet, live_set=other, expected=fixed)
    town.accepts("provider", town.opening(K, range(4)))


def test_a23_the_opening_deadline_is_kept(town: Community) -> None:
    town.fixed(K)
    deadline_s = town.opening_end_of(K)
    town.go_to(deadline_s)
    town.refuses_by("provider", town.opening(K, range(4)), OpeningOver, now_s=deadline_s, deadline_s=deadline_s)


def test_a23_a_second_before_the_deadline_is_in_time(town: Community) -> None:
    town.fixed(K)
    town.go_to(town.opening_end_of(K) - 1)
    town.accepts("provider", town.opening(K, range(4)))


def test_a23_a_void_slot_is_not_opened(town: Community) -> None:
    town.fixed(K)
    town.go_to(town.opening_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.refuses_by("provider", town.opening(K, range(4)), SlotIsVoid, region=REGION, channel=IMPORT, k=K)


def test_a24_an_absurd_total_is_refused_and_a_right_one_may_follow(town: Community) -> None:
    town.fixed(K)
    right = town.mask_sum(K, range(4))
    live_rc = town.state(K).live_rc
    for total_wh in (MAX_TOTAL_WH, WORD - 1):
        message = town.opening(K, range(4), mask_sum=(live_rc - total_wh) % WORD)
        town.refuses_by("provider", message, TotalAbsurd, total_wh=total_wh, limit_wh=MAX_TOTAL_WH)
    assert town.state(K).status == Status.FIXED
    town.accepts("provider", town.opening(K, range(4), mask_sum=right))


def test_a24_the_largest_total_is_taken(town: Community) -> None:
    town.fixed(K)
    mask_sum = (town.state(K).live_rc - (MAX_TOTAL_WH - 1)) % WORD
    town.accepts("provider", town.opening(K, range(4), mask_sum=mask_sum))
    assert town.state(K).total_wh == MAX_TOTAL_WH - 1


@pytest.mark.parametrize("mask_sum", [-1])
def test_a24_a_mask_sum_is_a_word(town: Community, mask_sum: int) -> None:
    town.fixed(K)
    message = town.opening(K, range(4), mask_sum=mask_sum)
    town.refuses("provider", message, code=MalformedTransaction.code)


def test_a24_one_meters_missing_half_makes_garbage_that_is_refused(town: Community) -> None:
    """Row 10: with an orphan inside the sum, the total would be off by a mask."""
    town.fixed(K, 0, 1, 2, orphans=(3,))
    message = town.opening(K, range(3), mask_sum=town.mask_sum(K, range(4)))
    town.refuses("provider", message, code=TotalAbsurd.code)


def test_a25_the_first_opening_stays(town: Community) -> None:
    town.opened(K)
    total_wh = town.state(K).total_wh
    other = town.opening(K, range(4), mask_sum=town.mask_sum(K, range(4)) - 1)
    for message in (town.opening(K, range(4)), other):
        town.refuses_by("provider", message, AlreadyOpened, total_wh=total_wh)
    assert town.state(K).total_wh == total_wh


def test_a25_a_sealed_slot_is_never_opened(town: Community) -> None:
    town.fixed(K, 0, 1)
    message = town.opening(K, (0, 1))
    town.refuses_by("provider", message, SlotIsSealed, pairs=2, enrolled=4)
    town.go_to(town.opening_end_of(K))
    town.refuses_by("provider", message, SlotIsSealed, pairs=2, enrolled=4)
    assert (town.state(K).status, town.state(K).total_wh) == (Status.SEALED, 0)
