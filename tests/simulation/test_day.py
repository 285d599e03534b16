"""A community's day: totals against an independent count, and what is wrong is found by the bill provider alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gridproof.actors.bill_provider import Kind
from gridproof.actors.transport import Delivery, DirectTransport, Reply, Transport
from gridproof.domain import Direction, positions_in
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Status

from tests.simulation.village import Village, slot

NAMES = [f"meter {n}" for n in range(8)]
PERIODS = 6
SILENT, HALF_SENT, ABSURD = (2, "meter 1"), (3, "meter 2"), (4, "meter 3")


def reading(name: str, n: int) -> int:
    """What a meter reads: a naive formula, known to the test alone."""
    return 100 + 37 * NAMES.index(name) + 11 * n


class HalfLost(Transport):
    """Loses one half of one meter's record in one slot, however often it is sent."""

    def __init__(self, village: Village, n: int, name: str) -> None:
        self._straight = DirectTransport(village.crew.aggregators)
        self._village, self._n, self._name = village, n, name

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        meter = self._village.crew.fleet.find(self._name, slot(self._n).k)
        assert meter is not None
        entries = meter._outbox.find(meter.handle, slot(self._n))
        lost = entries[0].record if entries else None
        replies: list[Reply] = []
        for delivery in deliveries:
            replies += [None] if delivery.record == lost else self._straight.deliver(aggregator, [delivery])
        return replies


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Village(tmp_path_factory.mktemp("village")) as village:
        village.enrol(NAMES)
        rows = [(name, n, reading(name, n)) for n in range(PERIODS) for name in NAMES if (n, name) != SILENT]
        village.read((name, n, 60_000 if (n, name) == ABSURD else value) for name, n, value in rows)
        village.run(PERIODS, HalfLost(village, *HALF_SENT))
        yield village


def live(n: int) -> list[str]:
    return [name for name in NAMES if (n, name) not in (SILENT, HALF_SENT, ABSURD)]


@pytest.mark.parametrize("n", range(PERIODS))
def test_each_total_is_the_sum_of_the_live_meters_readings(village: Village, n: int) -> None:
    state = village.state(n)
    assert state.status == Status.OPENED
    assert state.total_wh == sum(reading(name, n) for name in live(n))
    assert (state.live_pairs, state.enrolled) == (len(live(n)), len(NAMES))


def test_every_slot_ended_once_and_nothing_was_refused(village: Village) -> None:
    assert list(village.watcher.ended) == [slot(n) for n in range(PERIODS)]
    assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def test_the_bill_provider_finds_who_is_behind_a_missing_place(village: Village) -> None:
    totals = village.crew.totals
    assert [totals.find_missing(slot(n)) for n in range(5)] == [(), (), ("meter 1",), ("meter 2",), ()]
    faults = [fault for n in range(PERIODS) for fault in totals.find_faults(slot(n))]
    assert [(fault.kind, fault.meter, fault.slot) for fault in faults] == [
        (Kind.SILENT, "meter 1", slot(2)),
        (Kind.HALF_SENT, "meter 2", slot(3)),
        (Kind.ABSURD, "meter 3", slot(4)),
    ]
    assert [len(fault.positions) for fault in faults] == [2, 1, 2]
    assert [fault.reading_wh for fault in faults] == [None, None, 60_000]


def test_the_ledger_names_empty_leaves_only_spare_ones_included(village: Village) -> None:
    missing = village.client.ask(aggregation.missing, *slot(2))
    spares = 3
    assert len(missing) == 2 * (spares + 1)
    fault = village.crew.totals.find_faults(slot(2))[0]
    assert set(fault.positions) < set(missing)


def test_the_bill_provider_reads_what_each_live_meter_read(village: Village) -> None:
    for n in range(PERIODS):
        assert village.crew.totals.readings(slot(n)) == {name: reading(name, n) for name in live(n)}


def test_nothing_is_opened_for_another_set_than_the_live_one(village: Village) -> None:
    state = village.state(3)
    opening = village.crew.totals.opening(slot(3), state)
    assert opening.mask_sum == state.mask_sum
    assert len(positions_in(state.live, state.count)) == 2 * state.live_pairs


def test_no_identity_comes_twice_over_slots(village: Village) -> None:
    bodies = [body for n in range(PERIODS) for body in village.client.ask(aggregation.bodies, *slot(n))]
    prids = [record.prid for body in bodies for record in body.records]
    assert len(set(prids)) == len(prids) == 2 * len(NAMES) * PERIODS - 3


def test_a_prosumers_channels_share_nothing_and_have_totals_of_their_own(tmp_path: Path) -> None:
    both = (Direction.IMPORT, Direction.EXPORT)
    with Village(tmp_path) as village:
        village.enrol(NAMES[:4], both)
        village.enrol(NAMES[4:])
        for channel, names in ((Direction.IMPORT, NAMES), (Direction.EXPORT, NAMES[:4])):
            village.read(((name, n, reading(name, n)) for n in range(3) for name in names), channel)
        village.run(3)
        for n in range(3):
            assert village.state(n).total_wh == sum(reading(name, n) for name in NAMES)
            assert village.state(n, Direction.EXPORT).total_wh == sum(reading(name, n) for name in NAMES[:4])
        prids = [
            record.prid
            for channel in both
            for n in range(3)
            for body in village.client.ask(aggregation.bodies, *slot(n, channel))
            for record in body.records
        ]
        assert len(set(prids)) == len(prids) == 2 * 3 * (8 + 4)


def test_with_too_few_live_meters_the_total_stays_hidden(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.enrol(NAMES[:5])
        village.read((name, n, 1) for n in range(2) for name in NAMES[: 2 if n == 0 else 5])
        village.run(2)
        assert [village.state(n).status for n in range(2)] == [Status.SEALED, Status.OPENED]
        assert [state.mask_sum != 0 for state in (village.state(0), village.state(1))] == [False, True]


def test_windows_longer_than_a_period_overlap_and_all_totals_come_out(tmp_path: Path) -> None:
    with Village(tmp_path, rules={"window_s": 3_600}) as village:
        village.enrol(NAMES)
        village.read((name, n, reading(name, n)) for n in range(6) for name in NAMES)
        village.run(6)
        assert [village.state(n).total_wh for n in range(6)] == [
            sum(reading(name, n) for name in NAMES) for n in range(6)
        ]


@pytest.mark.parametrize("window_blocks", [0, 7])
def test_a_slot_closes_when_enough_blocks_followed_its_first_batch(tmp_path: Path, window_blocks: int) -> None:
    with Village(tmp_path, rules={"window_blocks": window_blocks}) as village:
        village.enrol(NAMES)
        village.read((name, n, reading(name, n)) for n in range(3) for name in NAMES)
        village.run(3)
        assert [village.state(n).total_wh for n in range(3)] == [
            sum(reading(name, n) for name in NAMES) for n in range(3)
        ]
        assert village.watcher.refusals == []


def test_regions_have_totals_of_their_own(tmp_path: Path) -> None:
    with Village(tmp_path, regions=(1, 2)) as village:
        village.enrol(NAMES[:4], region=1)
        village.enrol(NAMES[4:], region=2)
        village.read((name, n, reading(name, n)) for n in range(2) for name in NAMES)
        village.run(2)
        for region, names in ((1, NAMES[:4]), (2, NAMES[4:])):
            for n in range(2):
                state = village.client.ask(aggregation.slot, region, Direction.IMPORT, slot(n).k)
                assert state is not None
                assert state.total_wh == sum(reading(name, n) for name in names)


def test_the_same_seed_gives_the_same_app_hash_and_another_one_does_not(tmp_path: Path) -> None:
    hashes = []
    for at, seed in enumerate((b"a", b"a", b"b")):
        with Village(tmp_path / str(at), seed=seed) as village:
            village.enrol(NAMES)
            village.read((name, n, reading(name, n)) for n in range(2) for name in NAMES)
            village.run(2)
            hashes.append(village.ledger.head.app_hash)
    assert hashes[0] == hashes[1] != hashes[2]
