"""Which records count: rules L-1 to L-3, and the sum of masks against a naive one."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.actors.bill_provider.live_set import Finding, Judgement, Kind, SlotView, judge, mask_sum
from gridproof.actors.randomness import Seeded, below
from gridproof.domain import WORD

PLACES = 4
LIMIT_WH = 1_000


def a_slot(readings: Mapping[int, int], active: list[bool] | None = None, seed: int = 0) -> SlotView:
    """A slot in which places read; its leaves lie anyhow."""
    randomness = Seeded(seed.to_bytes(4, "big"))
    owners = list(range(2 * PLACES))
    for at in range(len(owners) - 1, 0, -1):
        other = below(randomness, at + 1)
        owners[at], owners[other] = owners[other], owners[at]
    masks = [int.from_bytes(randomness(8), "big") for _ in owners]
    values = {}
    for place, reading_wh in readings.items():
        part = int.from_bytes(randomness(8), "big")
        for half, share in ((0, part), (1, reading_wh - part)):
            owner = 2 * place + half
            values[owners.index(owner)] = (share + masks[owner]) % WORD
    view = (np.array(owners, dtype=np.uint32), np.array(masks, dtype=np.uint64))
    return SlotView(*view, active or [True] * PLACES, values)


def positions(slot: SlotView, place: int) -> tuple[int, ...]:
    return tuple(sorted(np.flatnonzero(slot.owners // 2 == place).tolist()))


def without(slot: SlotView, place: int, half: int) -> SlotView:
    gone = int(np.flatnonzero(slot.owners == 2 * place + half)[0])
    return slot._replace(values={at: rc for at, rc in slot.values.items() if at != gone})


def test_all_pairs_that_are_there_and_plausible_count() -> None:
    assert judge(a_slot({0: 1, 1: 0, 2: 1_000, 3: 999}), LIMIT_WH) == Judgement(
        (), (), (), {0: 1, 1: 0, 2: 1_000, 3: 999}
    )


@pytest.mark.parametrize("half", [0, 1])
def test_l1_a_half_without_its_twin_is_an_orphan_and_its_meter_is_found(half: int) -> None:
    slot = without(a_slot({0: 1, 1: 2, 2: 3, 3: 4}), 2, half)
    empty = int(np.flatnonzero(slot.owners == 4 + half)[0])
    judgement = judge(slot, LIMIT_WH)
    assert judgement.orphans == tuple(at for at in positions(slot, 2) if at != empty)
    assert judgement.findings == (Finding(Kind.HALF_SENT, 2, (empty,)),)
    assert judgement.readings == {0: 1, 1: 2, 3: 4}


def test_a_silent_meter_is_found_and_leaves_nothing_to_exclude() -> None:
    slot = a_slot({0: 1, 1: 2, 3: 4})
    assert judge(slot, LIMIT_WH) == Judgement(
        (), (), (Finding(Kind.SILENT, 2, positions(slot, 2)),), {0: 1, 1: 2, 3: 4}
    )


@pytest.mark.parametrize("absurd", [-1, 1_001, 2**62, -(2**63)])
def test_l2_an_absurd_reading_does_not_count(absurd: int) -> None:
    slot = a_slot({0: 1, 1: absurd, 2: 3})
    judgement = judge(slot, LIMIT_WH)
    assert judgement.excluded == positions(slot, 1)
    assert judgement.findings[0] == Finding(Kind.ABSURD, 1, positions(slot, 1), absurd)
    assert judgement.readings == {0: 1, 2: 3}


def test_l2_a_place_without_an_enrolled_meter_does_not_count_whatever_it_says() -> None:
    slot = a_slot({0: 1, 1: 2, 2: 3}, active=[True, False, True, False])
    judgement = judge(slot, LIMIT_WH)
    assert judgement.excluded == positions(slot, 1)
    assert judgement.findings == (Finding(Kind.NOT_ENROLLED, 1, positions(slot, 1), 2),)
    half = judge(without(slot, 1, 0), LIMIT_WH)
    assert (half.excluded, len(half.orphans)) == ((), 1)
    assert half.findings == (Finding(Kind.NOT_ENROLLED, 1, half.orphans),)


def test_an_empty_place_without_a_meter_is_no_finding() -> None:
    assert judge(a_slot({0: 1}, active=[True, False, False, False]), LIMIT_WH).findings == ()


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, PLACES - 1), st.integers(-5, 1_005)), st.integers(0, 2**32 - 1), st.data())
def test_l3_the_live_records_less_their_masks_are_the_readings(
    readings: dict[int, int], seed: int, data: st.DataObject
) -> None:
    slot = a_slot(readings, seed=seed)
    for place in sorted(readings):
        if data.draw(st.booleans()):
            slot = without(slot, place, data.draw(st.integers(0, 1)))
    judgement = judge(slot, LIMIT_WH)
    left_out = {*judgement.orphans, *judgement.excluded}
    assert len(left_out) == len(judgement.orphans) + len(judgement.excluded)
    live = sorted(set(slot.values) - left_out)
    assert len(live) == 2 * len(judgement.readings)
    total = sum(slot.values[at] for at in live) - mask_sum(slot.owners, slot.masks, live)
    assert total % WORD == sum(judgement.readings.values())


def test_the_sum_over_no_leaves_is_zero() -> None:
    slot = a_slot({})
    assert mask_sum(slot.owners, slot.masks, ()) == 0
