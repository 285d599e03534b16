"""The independent count knows readings and faults, and who is missing for which reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.actors.demo.count import Counted, Counter, Why
from gridproof.actors.demo.faults import FailingRegisters
from gridproof.actors.demo.script import ABSURD_WH, Part, Script, Shaving, Silence
from gridproof.connectors.readings import Reading, SqliteReadings
from gridproof.domain import Direction, RegionId, Slot

PERIOD_S = 900
K = 2_000
BOTH = (Direction.IMPORT, Direction.EXPORT)
REGIONS: dict[int, dict[str, tuple[Direction, ...]]] = {
    1: {"a": BOTH, "b": (Direction.IMPORT,), "c": (Direction.IMPORT,)},
    2: {"d": (Direction.IMPORT,)},
}


def slot(k: int = K, channel: Direction = Direction.IMPORT, region: int = 1) -> Slot:
    return Slot(RegionId(region), channel, k)


SCRIPT = Script(
    calm=slot(K),
    half_sent=Part(slot(K + 1), "a"),
    absurd=Part(slot(K + 2), "b"),
    tampered=slot(K + 2),
    dropped=slot(K + 1),
    silences=(Silence(1, "a", K + 3, K + 5),),
    shaving=Shaving(1, "c", K + 4, K + 6),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "readings.db"
    store = SqliteReadings(place)
    store.add(
        Reading(name, channel, k * PERIOD_S, 100 * n + k - K)
        for k in range(K, K + 6)
        for n, (name, channels) in enumerate({**REGIONS[1], **REGIONS[2]}.items(), 1)
        for channel in channels
        if (name, k) != ("c", K)
    )
    store.close()
    return place


@pytest.fixture
def counter(path: Path) -> Iterator[Counter]:
    store = SqliteReadings(path)
    yield Counter(store, REGIONS, SCRIPT, PERIOD_S, limit_wh=404)
    store.close()


def test_a_gap_is_a_silent_meter_and_the_others_count(counter: Counter) -> None:
    counted = counter.count(slot(K), None)
    assert counted.live == {"a": 100, "b": 200}
    assert counted.missing == {"c": Why.SILENT}
    assert counted.total_wh == 300


def test_faults_are_missing_where_they_happen_and_nowhere_else(counter: Counter) -> None:
    assert counter.count(slot(K + 1), None).missing == {"a": Why.HALF_SENT}
    assert counter.count(slot(K + 2), None).missing == {"b": Why.ABSURD}
    assert counter.count(slot(K + 3), None).missing == {"a": Why.SILENT}


def test_a_dropped_meter_is_missing_in_that_slot_only(counter: Counter) -> None:
    dropped = Part(slot(K + 1), "c")
    assert counter.count(slot(K + 1), dropped).missing == {"a": Why.HALF_SENT, "c": Why.DROPPED}
    assert counter.count(slot(K + 2), dropped).missing == {"b": Why.ABSURD}


def test_a_reading_above_the_limit_is_absurd(counter: Counter) -> None:
    assert counter.count(slot(K + 4, region=2), None).missing == {}
    assert counter.count(slot(K + 5, region=2), None).missing == {"d": Why.ABSURD}


def test_only_meters_of_the_region_and_channel_count(counter: Counter) -> None:
    assert counter.count(slot(K + 1, region=2), None).live == {"d": 401}
    assert counter.count(slot(K + 1, Direction.EXPORT), None).live == {"a": 101}


def test_a_dead_meter_is_silent_on_both_channels(counter: Counter) -> None:
    assert counter.count(slot(K + 4, Direction.EXPORT), None).missing == {"a": Why.SILENT}


def test_a_meter_that_under_reports_counts_with_what_it_reports_and_its_register_with_the_truth(
    counter: Counter,
) -> None:
    counted = counter.count(slot(K + 5), None)
    assert (counted.live["c"], counted.understated) == (30, {"c": 30})
    assert counter.count(slot(K + 3), None).understated == {}
    assert counter.register_wh("c", Direction.IMPORT, K, K + 6) == 301 + 302 + 303 + 304 + 305
    assert counter.kept_back_wh(SCRIPT.shaving or Shaving(1, "", K, K)) == 304 - 30 + 305 - 30


def test_the_honest_count_is_the_same_but_for_that_meter(counter: Counter) -> None:
    honest = counter.honest().count(slot(K + 5), None)
    assert (honest.live["c"], honest.understated) == (305, {})
    assert counter.honest().count(slot(K + 1), None) == counter.count(slot(K + 1), None)


def test_what_was_lost_or_dropped_comes_late_and_what_is_absurd_or_silent_does_not(counter: Counter) -> None:
    assert counter.count(slot(K + 1), Part(slot(K + 1), "c")).late == {"a": 101, "c": 301}
    assert counter.count(slot(K + 2), None).late == {}
    assert counter.count(slot(K + 3), None).late == {}


def test_a_slot_is_heard_where_any_record_of_it_comes_in_time() -> None:
    assert Counted({"a": 1}, {}).is_heard
    assert Counted({}, {"a": Why.HALF_SENT}).is_heard
    assert Counted({}, {"a": Why.ABSURD}).is_heard
    assert not Counted({}, {"a": Why.SILENT, "b": Why.DROPPED}).is_heard


def test_failing_registers_show_what_the_script_says_and_the_truth_otherwise(path: Path) -> None:
    registers = FailingRegisters(path, SCRIPT, PERIOD_S)
    try:
        shown = {
            k: {each.meter: each.energy_wh for each in registers.slot(Direction.IMPORT, k * PERIOD_S)}
            for k in range(K, K + 6)
        }
        assert shown[K + 2] == {"a": 102, "b": ABSURD_WH, "c": 302, "d": 402}
        assert shown[K + 3] == {"b": 203, "c": 303, "d": 403}
        assert shown[K + 5] == {"a": 105, "b": 205, "c": 30, "d": 405}
        assert [each.meter for each in registers.slot(Direction.EXPORT, (K + 3) * PERIOD_S)] == []
        assert [each.energy_wh for each in registers.slot(Direction.EXPORT, (K + 2) * PERIOD_S)] == [102]
    finally:
        registers.close()
