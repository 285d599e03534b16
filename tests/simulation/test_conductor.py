"""The conductor: when it stops, what it reports, and ledgers whose time moves with the blocks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors.conductor import Conductor, Observer
from gridproof.actors.errors import (
    ChannelUnknownError,
    MonthErasedError,
    NodeUnclearError,
    NoRosterError,
    ReadingDiffersError,
)
from gridproof.domain import Direction, MonthBounds, MonthId, RegionId, Slot
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Status
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry.errors import BadMonthBounds
from gridproof.modules.registry.messages import OpenMonth
from gridproof.state import Message, system

from tests.simulation.village import OCTOBER, PERIOD_S, REGION, START_S, Village, slot
from tests.unit.actors.bills.samples import FREE

NAMES = [f"meter {n}" for n in range(4)]


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        yield village


def read(village: Village, periods: int, value: int = 5) -> None:
    village.read((name, n, value) for n in range(periods) for name in NAMES)


def test_a_run_that_is_told_to_stop_stops_and_the_next_goes_on(village: Village) -> None:
    read(village, 4)
    village.run(4, stop=lambda: village.clock.now_s() > START_S + 3 * PERIOD_S)
    assert 0 < len(village.watcher.ended) < 4
    village.run(4)
    assert [village.state(n).total_wh for n in range(4)] == [20] * 4
    assert list(village.watcher.ended) == [slot(n) for n in range(4)]


def test_who_watches_without_saying_what_for_is_told_nothing(village: Village) -> None:
    read(village, 1)
    conductor = village.conductor()
    conductor._observer = Observer()
    conductor.run([OCTOBER], START_S, START_S + PERIOD_S)
    assert village.state(0).total_wh == 20


def test_a_reading_on_a_channel_that_the_meter_has_not_is_reported_and_the_others_count(village: Village) -> None:
    read(village, 1)
    village.read([(NAMES[0], 0, 9)], Direction.EXPORT)
    village.run(1)
    assert village.state(0).total_wh == 20
    problem = village.watcher.problems[0]
    assert isinstance(problem, ChannelUnknownError)
    assert (problem.meter, problem.channel) == (NAMES[0], "export")


def test_a_reading_that_changed_after_it_was_recorded_is_reported_and_the_first_counts(village: Village) -> None:
    read(village, 1)
    village.run(1, stop=lambda: village.clock.now_s() > START_S + PERIOD_S)
    meter = village.crew.fleet.find(NAMES[0], slot(0).k)
    assert meter is not None
    village.readings.forget(START_S + PERIOD_S)
    read(village, 1, value=6)
    village.run(1)
    assert {type(problem) for problem in village.watcher.problems} == {ReadingDiffersError}
    assert village.state(0).total_wh == 20


def test_a_reading_of_a_stranger_or_after_the_end_of_an_enrolment_is_left_where_it_is(village: Village) -> None:
    village.crew.provider.move_out(NAMES[3], slot(1).k)
    village.settle()
    read(village, 2)
    village.read([("stranger", 0, 7)])
    village.run(2)
    assert [village.state(n).total_wh for n in range(2)] == [20, 15]
    assert (village.watcher.problems, village.crew.totals.find_faults(slot(1))) == ([], ())


def test_a_month_that_cannot_be_opened_ends_the_run_with_the_ledgers_reason(village: Village) -> None:
    def crooked(_region: RegionId, month: MonthId) -> MonthBounds:
        return MonthBounds(month, START_S + 1, START_S + PERIOD_S + 1, PERIOD_S)

    conductor = Conductor(village.crew, village.readings, crooked, village.clock)
    with pytest.raises(NodeUnclearError, match="open month") as refused:
        conductor.run([OCTOBER], START_S, START_S + PERIOD_S)
    assert isinstance(refused.value.__cause__, BadMonthBounds)


def earlier_word(village: Village, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Let an earlier word of the operator come into a block after the month was asked for, before this run's own."""
    send = village.crew.operator.send

    def late(message: Message, *more: Any) -> Any:
        if isinstance(message, OpenMonth):
            send(OpenMonth(REGION, OCTOBER, START_S, START_S + length * PERIOD_S))
        return send(message, *more)

    monkeypatch.setattr(village.crew.operator, "send", late)


def test_a_month_that_an_earlier_word_opened_meanwhile_is_no_failure(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier_word(village, monkeypatch, 96)
    read(village, 2)
    village.run(2)
    assert [village.state(n).total_wh for n in range(2)] == [20, 20]


def test_a_month_that_an_earlier_word_opened_otherwise_ends_the_run(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier_word(village, monkeypatch, 95)
    read(village, 2)
    with pytest.raises(NodeUnclearError, match="open month"):
        village.run(2)


def test_a_month_whose_rosters_come_late_loses_what_is_past_and_no_more(village: Village) -> None:
    village.clock.sleep_until_s(START_S + 5 * PERIOD_S + 1)
    read(village, 8)
    village.run(8)
    (epoch,) = village.client.ask(aggregation.epochs, REGION, Direction.IMPORT, OCTOBER)
    assert epoch.from_k == slot(6).k
    assert [village.state(n).total_wh for n in (6, 7)] == [20, 20]
    assert village.client.ask(aggregation.slot, *slot(4)) is None
    assert village.watcher.refusals == []


def test_rosters_that_were_made_and_never_published_are_made_anew_for_what_is_left(tmp_path: Path) -> None:
    bounds = MonthBounds(OCTOBER, START_S, START_S + 96 * PERIOD_S, PERIOD_S)
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        village.crew.operator.send(OpenMonth(REGION, OCTOBER, bounds.start_s, bounds.end_s))
        village.settle()
        village.crew.provider.prepare_month(REGION, bounds)  # handed in, but the process ends before any block
    with Village(tmp_path) as village:
        village.clock.sleep_until_s(START_S + 3 * PERIOD_S)
        read(village, 5)
        village.run(5)
        assert [village.state(n).total_wh for n in (3, 4)] == [20, 20]
        assert village.watcher.refusals == []


def test_a_slot_that_cannot_be_worked_on_is_reported_and_the_others_go_on(village: Village) -> None:
    read(village, 3)
    village.run(1)
    for path in (village.folder / "provider" / "views").rglob("*.key"):
        path.rename(path.with_suffix(".away"))
    village.crew.totals._tables.clear()
    village.run(2)
    assert village.state(1).status == Status.CLOSED
    assert [type(problem).__name__ for problem in village.watcher.problems] == ["MonthErasedError"]
    for path in (village.folder / "provider" / "views").rglob("*.away"):
        path.rename(path.with_suffix(".key"))
    village.run(3)
    assert [village.state(n).total_wh for n in range(3)] == [20] * 3


@pytest.mark.parametrize("after_s", [0, 299, 470, 540, 590])
def test_a_run_that_begins_within_a_window_still_brings_what_is_read_then(village: Village, after_s: int) -> None:
    read(village, 1)
    village.run(1)
    village.clock.sleep_until_s(START_S + 2 * PERIOD_S + after_s)
    village.read((name, 1, 5) for name in NAMES)
    village.run(2)
    assert village.state(1).total_wh == 20
    assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def test_claims_that_cannot_be_made_are_reported_and_the_total_comes_out_all_the_same(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(slot: Slot) -> int:
        raise NoRosterError(region=slot.region, channel=slot.channel.label, k=slot.k, detail="lost")

    monkeypatch.setattr(village.crew, "claim_dropped", failing)
    read(village, 2)
    village.run(2)
    assert [(state.status, state.total_wh) for state in map(village.state, range(2))] == [(Status.OPENED, 20)] * 2
    assert [type(problem) for problem in village.watcher.problems] == [NoRosterError] * 2


def test_on_a_ledger_with_the_blocks_time_totals_come_out_as_well(tmp_path: Path) -> None:
    with Village(tmp_path, ledger_clock="block") as village:
        village.enrol(NAMES)
        read(village, 3)
        village.run(3)
        assert village.client.ask(system.operator_clock_s) is None
        assert [village.state(n).total_wh for n in range(3)] == [20] * 3
        assert village.state(0).first_height + 3 <= village.state(1).first_height, "a total does not wait for the next"
        assert village.watcher.refusals == []


@pytest.mark.parametrize("deadline_s", [60, 5 * PERIOD_S, 7 * 86_400])
def test_c4_silent_periods_share_rounds_and_none_comes_past_its_deadline(tmp_path: Path, deadline_s: int) -> None:
    rules = {"opening_s": deadline_s, "claim_s": deadline_s}
    with Village(tmp_path, rules=rules, tariff=FREE) as village:
        village.enrol(NAMES)
        village.read((name, n, 5) for n in (0, 80) for name in NAMES)
        village.run(6)
        spoken = village.ledger.head.height
        assert [village.state(n).status for n in range(6)] == [Status.OPENED, *[Status.VOID] * 5]
        village.run(80)
        spoken = village.ledger.head.height - spoken
        village.run(81)
        assert village.state(80).total_wh == 5 * len(NAMES)
        assert {village.state(n).status for n in range(1, 80)} == {Status.VOID}
        prices = village.client.ask(pricing.prices, REGION, Direction.IMPORT, slot(0).k, slot(81).k)
        assert [each.k for each in prices] == [slot(n).k for n in range(81)]
        assert sorted(village.watcher.ended) == [slot(n) for n in range(81)]
        assert village.ledger.status().ledger_time_s == START_S + 81 * PERIOD_S + village.rules["window_s"]
        assert (village.watcher.refusals, village.watcher.problems) == ([], [])
        if deadline_s == 7 * 86_400:
            assert spoken < 12, "74 silent periods took a round each"


def test_c4_a_run_that_is_stopped_in_a_silence_is_taken_up_by_the_next(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        village.read((name, n, 5) for n in (0, 20) for name in NAMES)
        village.run(21, stop=lambda: village.clock.now_s() > START_S + 11 * PERIOD_S)
        assert village.client.ask(aggregation.slot, *slot(9)) is None
    with Village(tmp_path) as village:
        village.run(21)
        assert [village.state(n).status for n in range(21)] == [Status.OPENED, *[Status.VOID] * 19, Status.OPENED]
        assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def test_rosters_lost_by_an_aggregator_are_reported(village: Village) -> None:
    read(village, 2)
    village.run(1)
    village.clock.sleep_until_s(START_S + 2 * PERIOD_S + 10)
    aggregator = next(iter(village.crew.aggregators.values()))
    meter = village.crew.fleet.find(NAMES[0], slot(1).k)
    assert meter is not None
    for record in meter._make(slot(1), 5):
        aggregator.take(slot(1), record)
    for each in village.crew.aggregators.values():
        each._rosters._slots.clear()
        each._rosters._epochs.clear()
    paths = list((village.folder / "public").rglob("*.leaves"))
    for path in paths:
        path.rename(path.with_suffix(".away"))
    village.run(2)
    assert {type(problem).__name__ for problem in village.watcher.problems} >= {"NoRosterError"}
    assert village.state(1).status == Status.VOID
    assert REGION in village.crew.rules


def test_a_reading_that_comes_late_at_a_months_end_counts_while_its_window_is_open(tmp_path: Path) -> None:
    with Village(tmp_path, rules={"window_s": 3_600}) as village:
        village.enrol(NAMES)
        village.read((name, n, 100) for n in range(6) for name in NAMES if (name, n) != (NAMES[-1], 3))
        village.run(6, month_periods=4, stop=lambda: village.clock.now_s() >= START_S + 5 * PERIOD_S)
        village.read([(NAMES[-1], 3, 100)])
        village.run(6, month_periods=4)
        assert [village.state(n).total_wh for n in range(6)] == [100 * len(NAMES)] * 6
        assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def test_a_reading_that_comes_when_its_months_keys_are_erased_is_not_lost_in_silence(tmp_path: Path) -> None:
    with Village(tmp_path, rules={"window_s": 3_600}) as village:
        village.enrol(NAMES)
        village.read((name, n, 100) for n in range(6) for name in NAMES if (name, n) != (NAMES[-1], 3))
        village.run(6, month_periods=4, stop=lambda: village.clock.now_s() >= START_S + 5 * PERIOD_S)
        november = MonthBounds(MonthId(OCTOBER + 1), START_S + 4 * PERIOD_S, START_S + 8 * PERIOD_S, PERIOD_S)
        for meter in village.crew.fleet:
            meter.begin_month(november, START_S + 8 * PERIOD_S)  # by a clock that is ahead
        village.read([(NAMES[-1], 3, 100)])
        village.run(6, month_periods=4)
        assert village.state(3).total_wh == 100 * (len(NAMES) - 1)
        assert [type(problem) for problem in village.watcher.problems] == [MonthErasedError]
