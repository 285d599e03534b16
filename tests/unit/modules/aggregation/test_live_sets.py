"""Rules A-18 to A-22: what counts of a slot, and when it stays hidden."""

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.domain import WORD, Half, MonthRules, Slot, bitmap_of, live_set_hash, positions_in
from gridproof.errors import Refusal
from gridproof.modules.aggregation.errors import (
    LiveBeyondEnrolled,
    LiveSetExists,
    LiveSetOdd,
    OpeningOver,
    PositionEmpty,
    PositionsUnsorted,
    SlotIsVoid,
    SlotNotClosed,
)
from gridproof.modules.aggregation.messages import CloseSlot, FixLiveSet, LiveSetFixed, SlotSealed
from gridproof.modules.aggregation.rules.live_sets import hides
from gridproof.modules.aggregation.types import Status
from gridproof.modules.registry.errors import NotPermitted
from gridproof.state import Context
from gridproof.state.errors import MalformedTransaction

from .community import FIRST_K, IMPORT, REGION, Community, month_bounds

K = FIRST_K
ALL = FixLiveSet(REGION, IMPORT, K, (), ())


class SlotHeld(Refusal):
    """A later module holds the slot back; nothing was fixed."""

    code: ClassVar[int] = 2999


class Market:
    """Holds slots back, and knows some meters' values."""

    def __init__(self, known: int = 0) -> None:
        self.held = False
        self._known = known

    def require_release(self, ctx: Context, slot: Slot) -> None:
        """Return unless slots are held."""
        if self.held:
            raise SlotHeld

    def known(self, ctx: Context, slot: Slot) -> int:
        """How many values are known."""
        return self._known


def test_the_live_set_is_what_is_filled_without_orphans_and_excluded(town: Community) -> None:
    town.closed(K, 0, 1, 2, orphans=(3,))
    message = town.live_set(K, orphans=[(3, Half.FIRST)])
    event = town.accepts("provider", message)
    live = bitmap_of(10, [town.position(n, half, K) for n in range(3) for half in Half])
    assert event == LiveSetFixed(REGION, IMPORT, K, 3, 4, live_set_hash(Slot(REGION, IMPORT, K), live))
    state = town.state(K)
    assert (state.status, state.live, state.live_pairs) == (Status.FIXED, live, 3)
    assert (state.enrolled, state.known) == (4, 0)
    assert state.live_rc == sum(r.rc for n in range(3) for r in town.both(n, K)) % WORD
    assert state.total_rc == (state.live_rc + town.record(3, Half.FIRST, K).rc) % WORD


def test_a22_an_excluded_meter_is_taken_out_of_the_live_sum(town: Community) -> None:
    town.go_to(town.end_of(K))
    town.accepts("first", town.batch(K, [*town.both(0, K), *town.both(1, K)]))
    town.accepts("second", town.batch(K, [*town.both(2, K), *town.both(3, K, wh=2**31)]))
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.accepts("provider", town.live_set(K, excluded=[3]))
    state = town.state(K)
    assert state.live_rc == sum(r.rc for n in range(3) for r in town.both(n, K)) % WORD
    town.accepts("provider", town.opening(K, range(3)))


@pytest.mark.parametrize("name", ["operator", "first", "household"])
def test_a18_only_a_bill_provider_fixes_it(town: Community, name: str) -> None:
    town.closed(K)
    town.refuses(name, ALL, code=NotPermitted.code)


def test_a18_an_open_slot_has_no_live_set(town: Community) -> None:
    town.refuses_by("provider", ALL, SlotNotClosed, status=Status.OPEN)
    town.filled(K)
    town.refuses_by("provider", ALL, SlotNotClosed, status=Status.OPEN)


def test_a18_a_void_slot_has_none(town: Community) -> None:
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.refuses_by("provider", ALL, SlotIsVoid, region=REGION, channel=IMPORT, k=K)


def test_a18_a_second_list_is_refused_and_the_first_stays(town: Community) -> None:
    """Row 1: the difference of two openings would be one household's masks, and so its reading."""
    town.fixed(K)
    before = town.state(K).live
    message = town.live_set(K, excluded=[0])
    town.refuses_by("provider", message, LiveSetExists, status=Status.FIXED)
    town.refuses_by("provider", ALL, LiveSetExists, status=Status.FIXED)
    town.accepts("provider", town.opening(K, range(4)))
    town.refuses_by("provider", message, LiveSetExists, status=Status.OPENED)
    assert town.state(K).live == before


def test_a18_the_list_comes_before_the_opening_deadline(town: Community) -> None:
    town.closed(K)
    deadline_s = town.opening_end_of(K)
    town.go_to(deadline_s)
    town.refuses_by("provider", ALL, OpeningOver, now_s=deadline_s, deadline_s=deadline_s)


def test_a18_a_later_module_holds_a_slot_back() -> None:
    market = Market()
    town = Community(release=market).begin()
    town.closed(K)
    market.held = True
    town.refuses_by("provider", ALL, SlotHeld)
    market.held = False
    town.accepts("provider", ALL)


@pytest.mark.parametrize(
    ("orphans", "excluded", "detail"),
    [
        ((3, 1), (), "orphans do not ascend"),
        ((1, 1), (), "orphans do not ascend"),
        ((), (4, 4), "excluded do not ascend"),
        ((1, 5), (5, 6), "a position is both orphan and excluded"),
    ],
)
def test_a19_lists_ascend_and_share_none(
    town: Community, orphans: tuple[int, ...], excluded: tuple[int, ...], detail: str
) -> None:
    town.closed(K)
    town.refuses_by("provider", FixLiveSet(REGION, IMPORT, K, orphans, excluded), PositionsUnsorted, detail=detail)


def test_a19_only_a_leaf_with_a_record_can_be_left_out(town: Community) -> None:
    town.closed(K)
    spare = town.position(4, Half.FIRST, K)
    town.refuses_by("provider", FixLiveSet(REGION, IMPORT, K, (spare,), ()), PositionEmpty, position=spare)
    for outside in (10, 15, 16, 65_535):
        town.refuses_by("provider", FixLiveSet(REGION, IMPORT, K, (outside,), ()), PositionEmpty, position=outside)
    town.refuses("provider", FixLiveSet(REGION, IMPORT, K, (65_536,), ()), code=MalformedTransaction.code)


def test_a19_a_live_set_is_even(town: Community) -> None:
    town.closed(K, 0, 1, 2, orphans=(3,))
    town.refuses_by("provider", ALL, LiveSetOdd, live=7)


def test_a20_no_more_pairs_are_live_than_meters_enrolled() -> None:
    """A spare place that reports would hide a meter that is not there."""
    town = Community(enrolled=3).begin()
    town.closed(K, 0, 1, 2, 4)
    town.refuses_by("provider", ALL, LiveBeyondEnrolled, pairs=4, enrolled=3)
    town.accepts("provider", town.live_set(K, excluded=[4]))


def test_a21_fewer_than_k_min_pairs_are_sealed_for_good(town: Community) -> None:
    town.closed(K, 0, 1)
    assert town.accepts("provider", ALL) == SlotSealed(REGION, IMPORT, K, 2, 4)
    assert town.state(K).status == Status.SEALED
    town.refuses_by("provider", ALL, LiveSetExists, status=Status.SEALED)


def test_a21_too_small_a_share_is_sealed() -> None:
    town = Community(enrolled=6, places=6, min_live_permille=667).begin()
    town.closed(K, 0, 1, 2, 3)
    assert town.accepts("provider", ALL) == SlotSealed(REGION, IMPORT, K, 4, 6)
    town.fixed(K + 1, 0, 1, 2, 3, 4)
    assert town.state(K + 1).status == Status.FIXED


def test_a21_just_the_share_is_enough() -> None:
    town = Community(min_live_permille=750).begin()
    town.fixed(K, 0, 1, 2)
    assert town.state(K).status == Status.FIXED


def test_a21_nobody_live_is_sealed(town: Community) -> None:
    town.go_to(town.end_of(K))
    town.accepts("first", town.batch(K, [town.record(0, Half.FIRST, K)]))
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    event = town.accepts("provider", town.live_set(K, orphans=[(0, Half.FIRST)]))
    assert event == SlotSealed(REGION, IMPORT, K, 0, 4)
    assert positions_in(town.state(K).live, 10) == ()


def test_a21_a_channel_without_enrolled_meters_is_sealed_or_refused() -> None:
    town = Community(enrolled=0).begin()
    town.closed(K, 0, 1, 2)
    town.refuses_by("provider", ALL, LiveBeyondEnrolled, pairs=3, enrolled=0)
    assert town.accepts("provider", town.live_set(K, excluded=[0, 1, 2])) == SlotSealed(REGION, IMPORT, K, 0, 0)


@pytest.mark.parametrize(
    ("known", "status"), [(1, Status.FIXED), (2, Status.SEALED), (4, Status.SEALED), (9, Status.SEALED)]
)
def test_a21_meters_whose_value_is_known_hide_nobody(known: int, status: Status) -> None:
    town = Community(release=Market(known)).begin()
    town.closed(K)
    town.accepts("provider", ALL)
    state = town.state(K)
    assert (state.status, state.live_pairs, state.enrolled, state.known) == (status, 4, 4, known)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(3, 9), st.integers(500, 1_000))
def test_a21_enough_is_a_share_of_those_who_hide(
    pairs: int, enrolled: int, known: int, k_min: int, permille: int
) -> None:
    month = MonthRules(month_bounds(24_309, K, 3), k_min, permille, closed=False)
    enough = hides(pairs, enrolled, known, month)
    assert enough == (pairs - known >= k_min and 1_000 * (pairs - known) >= permille * (enrolled - known))
    if enough and pairs <= enrolled:
        assert hides(pairs + 1, enrolled, known, month)
        assert hides(pairs, enrolled - 1, known, month)
