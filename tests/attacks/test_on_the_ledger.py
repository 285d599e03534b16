"""Rows of the protocol page that the ledger's rules answer; the attacker first wins against the paper's model.

The community's helper holds every secret, so that an attacker can send whatever anyone could.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from gridproof.domain import WORD, Direction, Half, RegionId, Slot, positions_in
from gridproof.modules.aggregation import errors
from gridproof.modules.aggregation.messages import CloseSlot, MetersMissing
from gridproof.modules.aggregation.types import Status
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state.errors import CheckFailed

from . import paper
from tests.unit.modules.aggregation.community import FIRST_K, IMPORT, PERIOD_S, REGION, Community, reading_of

K = FIRST_K


@pytest.fixture
def grid() -> Iterator[Community]:
    community = Community(enrolled=5, places=6).begin()
    yield community
    community.close()


def missing_in(announced: tuple[object, ...]) -> tuple[int, ...]:
    return next(event.positions for event in announced if isinstance(event, MetersMissing))


def test_row1_and_10_one_live_set_is_opened_and_no_second_one_whose_difference_would_tell(grid: Community) -> None:
    """The control is `test_row1` of the arithmetic: two sums of masks whose difference is the victim's."""
    grid.fixed(K)
    assert grid.state(K).mask_sum == 0  # nothing about masks is on the ledger before the live set is fixed
    grid.refuses("provider", grid.live_set(K, excluded=[0]), code=errors.LiveSetExists.code)
    other = grid.opening(K, range(1, 5))
    grid.refuses("provider", other, code=errors.OtherLiveSet.code)
    grid.accepts("provider", grid.opening(K, range(5)))
    grid.refuses("provider", other, code=errors.AlreadyOpened.code)
    grid.refuses("provider", grid.opening(K, range(5)), code=errors.AlreadyOpened.code)
    assert grid.state(K).total_wh == sum(reading_of(n, K) for n in range(5))


def test_row4_a_forged_identity_spoils_its_own_batch_only(grid: Community) -> None:
    forger = Signer(sha256(b"forger"))
    honest = [grid.record(n, half, K) for n in range(1, 5) for half in Half]
    grid.go_to(grid.end_of(K))
    victim = grid.record(0, Half.FIRST, K)
    forged = victim.__class__(forger.public_key, victim.rc, forger.sign(sha256(b"whatever")))
    batch = grid.batch(K, [*honest, victim])
    records = tuple(forged if record is victim else record for record in batch.records)
    spoiled = grid.batch(K, [*honest, victim], records=records)
    with pytest.raises((errors.BatchUnproven, errors.LeavesUnsorted, CheckFailed)):
        grid.send("first", spoiled)
    grid.accepts("second", grid.batch(K, honest))
    assert grid.state(K).filled_count == len(honest)


def test_row6_a_dead_meter_hides_no_later_drop_for_each_leaf_is_told(grid: Community) -> None:
    chance = Random(6)
    meters = [paper.PaperMeter(chance, 1) for _ in range(5)]
    whole = paper.product([identity for meter in meters for identity in meter.identities(0)])
    one_dead = paper.product([identity for meter in meters[1:] for identity in meter.identities(0)])
    one_dead_one_dropped = paper.product([identity for meter in meters[2:] for identity in meter.identities(0)])
    # The control: all that BF2 can say is "not whole", once or twice over.
    assert (one_dead == whole) is (one_dead_one_dropped == whole) is False

    grid.filled(K, 1, 2, 3, 4)
    grid.filled(K + 1, 2, 3, 4)
    grid.go_to(grid.window_end_of(K + 1))
    first = missing_in(grid.send("household", CloseSlot(REGION, IMPORT, K)))
    second = missing_in(grid.send("household", CloseSlot(REGION, IMPORT, K + 1)))
    spare = [grid.position(5, half, k) for k in (K,) for half in Half]
    assert set(first) == {*(grid.position(0, half, K) for half in Half), *spare}
    assert len(second) == len(first) + 2
    assert {grid.position(1, half, K + 1) for half in Half} <= set(second)


def test_row8_a_record_counts_in_no_other_period_region_channel_or_chain(grid: Community) -> None:
    grid.go_to(grid.end_of(K + 1))
    elsewhere: list[dict[str, Any]] = [
        {"slot": Slot(REGION, IMPORT, K)},
        {"slot": Slot(RegionId(2), IMPORT, K + 1)},
        {"slot": Slot(REGION, Direction.EXPORT, K + 1)},
        {"chain_id": "another-chain"},
    ]
    for signed in elsewhere:
        replayed = grid.record(0, Half.FIRST, K + 1, **signed)
        with pytest.raises(CheckFailed):
            grid.send("first", grid.batch(K + 1, [replayed]))
    grid.accepts("first", grid.batch(K + 1, [grid.record(0, Half.FIRST, K + 1)]))


def test_row8_yesterdays_whole_batch_is_no_batch_of_today(grid: Community) -> None:
    grid.filled(K)
    yesterday = grid.batch(K, [grid.record(n, half, K) for n in range(5) for half in Half])
    grid.refuses("second", yesterday, code=errors.NothingNew.code)
    grid.go_to(grid.end_of(K + 1))
    with pytest.raises(CheckFailed):
        grid.send("second", msgspec.structs.replace(yesterday, k=K + 1))


def test_row9_of_two_signed_readings_the_first_counts_whoever_brings_the_other(grid: Community) -> None:
    chance = Random(9)
    meter = paper.PaperMeter(chance, 1)
    low, high = meter.records(0, 10, 7), meter.records(0, 4000, 7)
    assert all(paper.is_signed(record) for record in (*low, *high))  # the control: the aggregator may take its choice

    grid.go_to(grid.end_of(K))
    grid.accepts("first", grid.batch(K, [*grid.both(0, K, 10), *(r for n in range(1, 5) for r in grid.both(n, K))]))
    before = grid.state(K)
    grid.refuses("second", grid.batch(K, grid.both(0, K, 4000)), code=errors.NothingNew.code)
    assert grid.state(K) == before


def test_row10_a_half_pair_and_an_absurd_value_leave_the_total_of_the_others_whole() -> None:
    grid = Community(enrolled=7, places=8).begin()
    chance = Random(10)
    meters = [paper.PaperMeter(chance, 1) for _ in range(3)]
    sent = [record.rc for meter in meters for record in meter.records(0, 100, 7)]
    # The control: with one half missing the paper's total is a mask, some 2**31 beside the truth.
    assert abs(sum(sent[:-1]) - paper.mask_sum(meters, 0) - 300) > 10_000

    grid.go_to(grid.end_of(K))
    absurd = grid.both(6, K, 2**31)
    records = [*(r for n in range(5) for r in grid.both(n, K)), grid.record(5, Half.FIRST, K), *absurd]
    grid.accepts("first", grid.batch(K, records))
    grid.go_to(grid.window_end_of(K))
    grid.accepts("household", CloseSlot(REGION, IMPORT, K))
    grid.accepts("provider", grid.live_set(K, orphans=[(5, Half.FIRST)], excluded=[6]))
    grid.accepts("provider", grid.opening(K, range(5)))
    assert grid.state(K).total_wh == sum(reading_of(n, K) for n in range(5))
    grid.close()


def test_row12_a_mask_sum_fits_one_slot_and_one_live_set(grid: Community) -> None:
    chance = Random(12)
    regions = [[paper.PaperMeter(chance, 1) for _ in range(3)] for _ in range(2)]
    published = [paper.mask_sum(region, 0) for region in regions]
    sums = [sum(r.rc for meter in region for r in meter.records(0, 100, 7)) for region in regions]
    # The control: the message says Z and a time, so that another region's Z closes just as well, on a false total.
    assert sums[0] - published[1] != 300

    grid.fixed(K)
    grid.fixed(K + 1)
    of_another = grid.opening(K + 1, range(5))
    swapped = grid.opening(K, range(5), live_set=of_another.live_set, mask_sum=of_another.mask_sum)
    grid.refuses("provider", swapped, code=errors.OtherLiveSet.code)
    assert grid.state(K).status == Status.FIXED


def test_row14_an_aggregator_that_drops_a_receipted_record_is_proven_to_and_no_meter_is_named(grid: Community) -> None:
    grid.filled(K, 1, 2, 3, 4)
    grid.go_to(grid.window_end_of(K))
    grid.accepts("household", CloseSlot(REGION, IMPORT, K))
    dropped = grid.record(0, Half.FIRST, K)
    told = grid.accepts("household", grid.claim(K, dropped))
    assert told.aggregator == grid.people["first"].id
    assert told.position == grid.position(0, Half.FIRST, K)
    grid.refuses("household", grid.claim(K, dropped), code=errors.AlreadyClaimed.code)
    # The meter cannot frame the aggregator with a record that it never handed in: there is no receipt for it.
    forged = grid.claim(K, grid.record(0, Half.SECOND, K), receipt=bytes(64))
    with pytest.raises(CheckFailed):
        grid.send("household", forged)
    # Nor with one that is on the ledger.
    counted = grid.claim(K, grid.record(1, Half.FIRST, K))
    grid.refuses("household", counted, code=errors.NotDropped.code)


def test_row14_what_one_aggregator_censors_another_brings(grid: Community) -> None:
    grid.filled(K, 1, 2, 3, 4)
    grid.accepts("second", grid.batch(K, [r for n in range(5) for r in grid.both(n, K)]))
    state = grid.state(K)
    assert state.filled_count == 10
    assert [note.fresh for note in state.batches] == [8, 2]


def test_row18_the_last_live_meters_reading_never_comes_out_as_a_total() -> None:
    chance = Random(18)
    alone = paper.PaperMeter(chance, 1)
    sent = alone.records(0, 1234, 7)
    assert sum(record.rc for record in sent) - paper.mask_sum([alone], 0) == 1234  # the control

    grid = Community(enrolled=5, places=6, k_min=4).begin()
    grid.closed(K, 0, 1, 2)
    grid.accepts("provider", grid.live_set(K))
    assert grid.state(K).status == Status.SEALED
    grid.refuses("provider", grid.opening(K, range(3)), code=errors.SlotIsSealed.code)
    assert grid.state(K).total_wh == 0
    grid.close()


def test_row18_an_aggregator_that_drops_most_meters_seals_the_slot_instead_of_learning_the_rest() -> None:
    grid = Community(enrolled=10, places=11, k_min=3, min_live_permille=800).begin()
    grid.closed(K, *range(7))  # three of ten withheld: 70 % live
    grid.accepts("provider", grid.live_set(K))
    assert grid.state(K).status == Status.SEALED
    grid.close()


def test_row21_the_ledger_names_leaves_that_nobody_can_place(grid: Community) -> None:
    """A leaf's position is the rank of a hash: the silent meter's differs from slot to slot as chance has it."""
    grid.filled(K, 1, 2, 3, 4)
    grid.filled(K + 1, 1, 2, 3, 4)
    grid.filled(K + 2, 1, 2, 3, 4)
    grid.go_to(grid.window_end_of(K + 2))
    told = [missing_in(grid.send("household", CloseSlot(REGION, IMPORT, K + n))) for n in range(3)]
    assert all(len(each) == 4 for each in told)  # the silent meter's two and the spare place's two
    assert len(set(told)) > 1
    for n, each in enumerate(told):
        assert positions_in(grid.state(K + n).filled, 12) == tuple(p for p in range(12) if p not in each)


def test_an_absurd_mask_sum_is_refused_and_the_right_one_still_counts(grid: Community) -> None:
    grid.fixed(K)
    right = grid.opening(K, range(5))
    wrong = grid.opening(K, range(5), mask_sum=(right.mask_sum + 2**50) % WORD)
    grid.refuses("provider", wrong, code=errors.TotalAbsurd.code)
    grid.accepts("provider", right)
    assert grid.state(K).status == Status.OPENED


def test_a_record_of_a_period_that_still_runs_is_refused(grid: Community) -> None:
    assert grid.now_s < K * PERIOD_S + PERIOD_S
    grid.refuses("first", grid.batch(K, grid.both(0, K)), code=errors.PeriodRunning.code)
