"""Rules A-15 to A-17: when a slot closes, and what it is then."""

import pytest

from gridproof.domain import Half
from gridproof.modules.aggregation import queries
from gridproof.modules.aggregation.errors import AlreadyClosed, BlocksMissing, WindowOpen
from gridproof.modules.aggregation.messages import CloseSlot, MetersMissing, SlotClosed, SlotVoid
from gridproof.modules.aggregation.types import Status
from gridproof.modules.registry.errors import RegionUnknown

from .community import FIRST_K, IMPORT, REGION, Community

K = FIRST_K
CLOSE = CloseSlot(REGION, IMPORT, K)


@pytest.mark.parametrize("name", ["operator", "provider", "first", "household"])
def test_a15_anyone_closes_a_slot_whose_window_is_over(town: Community, name: str) -> None:
    town.filled(K)
    town.go_to(town.window_end_of(K))
    town.accepts(name, CLOSE)
    assert town.state(K).status == Status.CLOSED


def test_a15_an_open_window_stays_open_to_its_last_second(town: Community) -> None:
    town.filled(K)
    last_s = town.window_end_of(K) - 1
    town.go_to(last_s)
    town.refuses_by("first", CLOSE, WindowOpen, now_s=last_s, end_s=last_s + 1)
    town.advance(1)
    town.accepts("first", CLOSE)


def test_a15_others_have_some_blocks_after_the_first_batch() -> None:
    town = Community(window_blocks=3).begin()
    town.go_to(town.window_end_of(K))
    town.accepts("first", town.batch(K, town.both(0, K)))
    first = town.node.head.height
    town.refuses_by("first", CLOSE, BlocksMissing, height=first + 1, from_height=first + 3)
    town.accepts("second", town.batch(K, town.both(1, K)))
    town.accepts("household", CLOSE)
    assert town.node.head.height == first + 3
    assert town.state(K).filled_count == 4


def test_a15_an_unknown_region_has_no_slots(town: Community) -> None:
    town.refuses_by("household", CloseSlot(7, IMPORT, K), RegionUnknown, region=7)


def test_a16_closing_names_the_empty_leaves_spare_places_included(town: Community) -> None:
    town.filled(K, 0, 1, orphans=(2,))
    town.go_to(town.window_end_of(K))
    closed, missing = town.send("household", CLOSE)
    assert closed == SlotClosed(REGION, IMPORT, K, 5, 10)
    expected = [(2, Half.SECOND), *((n, half) for n in (3, 4) for half in Half)]
    positions = tuple(sorted(town.position(n, half, K) for n, half in expected))
    assert missing == MetersMissing(REGION, IMPORT, K, positions)
    assert town.ask(queries.missing, REGION, IMPORT, K) == positions


def test_a16_a_slot_without_a_batch_is_void_at_once(town: Community) -> None:
    town.go_to(town.window_end_of(K))
    assert town.send("household", CLOSE) == (SlotVoid(REGION, IMPORT, K),)
    state = town.state(K)
    assert (state.status, state.count, state.filled_count, state.batches) == (Status.VOID, 10, 0, ())


def test_a16_a_closed_slot_is_not_closed_again(town: Community) -> None:
    town.closed(K)
    town.refuses_by("household", CLOSE, AlreadyClosed, status=Status.CLOSED)
    town.accepts("provider", town.live_set(K))
    town.refuses_by("household", CLOSE, AlreadyClosed, status=Status.FIXED)


@pytest.mark.parametrize("status", [Status.CLOSED, Status.FIXED])
def test_a17_after_the_opening_deadline_a_slot_without_a_total_is_void(town: Community, status: Status) -> None:
    (town.closed if status == Status.CLOSED else town.fixed)(K)
    town.go_to(town.opening_end_of(K) - 1)
    town.refuses_by("household", CLOSE, AlreadyClosed, status=status)
    town.advance(1)
    assert town.send("household", CLOSE) == (SlotVoid(REGION, IMPORT, K),)
    assert town.state(K).status == Status.VOID
    town.refuses_by("household", CLOSE, AlreadyClosed, status=Status.VOID)


def test_a17_a_slot_that_is_closed_after_the_opening_deadline_is_void_at_once(town: Community) -> None:
    town.filled(K)
    town.go_to(town.opening_end_of(K))
    closed, missing, void = town.send("household", CLOSE)
    assert (type(closed), type(missing), void) == (SlotClosed, MetersMissing, SlotVoid(REGION, IMPORT, K))
    assert (town.state(K).status, town.state(K).filled_count) == (Status.VOID, 8)


def test_a17_an_opened_or_sealed_slot_stays_what_it_is(town: Community) -> None:
    town.opened(K)
    town.fixed(K + 1, 0, 1)
    town.go_to(town.opening_end_of(K + 1))
    town.refuses_by("household", CLOSE, AlreadyClosed, status=Status.OPENED)
    town.refuses_by("household", CloseSlot(REGION, IMPORT, K + 1), AlreadyClosed, status=Status.SEALED)
