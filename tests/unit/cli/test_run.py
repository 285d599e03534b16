"""`gridproof run`."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from gridproof.actors.community import Community, access
from gridproof.actors.community.access import at_helm, at_work
from gridproof.actors.community.running import Run, _Watch
from gridproof.connectors.config import load
from gridproof.connectors.readings import import_csv

from tests.unit.cli.home import NAMES, all_readings, founded, reading, refused, total_wh, typed, write_readings


def stored_unjudged(root: Path, path: Path) -> None:
    """Store a file's readings also where they cannot count: as if that had turned out after their import."""
    with Community(root).readings() as store:
        import_csv(store, path, period_s=3600)


def totals(root: Path, *more: object) -> list[int | None]:
    periods = typed("period", "list", "-C", root, "--day", "2025-10-26", *more, "--json").json["periods"]
    return [period["total_wh"] for period in periods]


def test_totals_are_those_of_the_meters_that_were_heard(worked: Path) -> None:
    assert totals(worked) == [total_wh(at) for at in range(6)]


def test_second_run_finds_nothing_to_do_and_changes_nothing(worked: Path) -> None:
    before = typed("status", "-C", worked, "--json").json
    told = typed("run", "-C", worked, "--json").json
    assert told["slots"] == {"opened": 0, "sealed": 0, "void": 0}
    assert (told["total_wh"], told["stopped"], told["problems"]) == (0, False, [])
    assert told["app_hash"] == before["app_hash"]
    assert typed("status", "-C", worked, "--json").json == before


def test_run_with_nothing_to_do_names_no_periods(worked: Path) -> None:
    out = typed("run", "-C", worked).out
    assert out.startswith("Nothing to do")
    assert "Periods from" not in out
    told = typed("run", "-C", worked, "--json").json
    assert (told["from"], told["to"]) == (None, None)


def test_silence_that_was_passed_over_is_told(worked: Path) -> None:
    assert typed("run", "--until", "2025-12-01", "-C", worked).out.startswith("No readings waited on the way.\nHeight")


def test_end_that_is_past_already_is_told(worked: Path) -> None:
    before = typed("status", "-C", worked, "--json").json
    out = typed("run", "--until", "2025-10-26T01:00", "-C", worked).out
    assert out.startswith("Ledger time was past 2025-10-26T01:00:00+02:00 already: no period was begun.\nHeight")
    assert typed("status", "-C", worked, "--json").json == before


def test_run_without_readings_says_what_to_do(new: Path) -> None:
    assert "readings import" in typed("run", "-C", new).out
    assert typed("run", "-C", new, "--json").json["from"] is None


def test_readings_that_come_later_are_worked_off_by_the_next_run(worked: Path, tmp_path: Path) -> None:
    rows = [reading(name, at, 100 * number + at) for at in (6, 7) for number, name in enumerate(NAMES)]
    typed("readings", "import", write_readings(tmp_path / "more.csv", rows), "-C", worked)
    assert typed("status", "-C", worked, "--json").json["readings"]["backlog_periods"] == 2
    told = typed("run", "-C", worked, "--json").json
    assert told["slots"]["opened"] == 2
    assert totals(worked)[6:] == [total_wh(6), total_wh(7)]


def test_a_later_run_tells_of_itself_and_not_from_the_founding_on(worked: Path, tmp_path: Path) -> None:
    rows = [reading(name, at, 10) for at in (6, 7) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "more.csv", rows), "-C", worked)
    told: list[tuple[int, int]] = []
    community = Community(worked)
    with at_helm(community.folder) as ledger:
        outcome = Run(community, ledger, threading.Event(), lambda done, total: told.append((done, total))).work_off()
    assert outcome.first_s is not None
    assert outcome.end_s is not None
    label = community.times.label
    assert (label(outcome.first_s), label(outcome.end_s)) == ("2025-10-26T05:00:00+01:00", "2025-10-26T07:00:00+01:00")
    assert {total for _, total in told} == {2}
    assert max(done for done, _ in told) == 2
    assert min(done for done, _ in told) < 2


def test_a_run_that_finishes_what_another_left_halfway_tells_from_there_on(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    typed("readings", "import", write_readings(tmp_path / "r.csv", all_readings()), "-C", new)
    typed("run", "--until", "2025-10-26T03:00+01:00", "-C", new)
    told = typed("run", "-C", new, "--json").json
    assert told["slots"]["opened"] == 3
    assert (told["from"], told["to"]) == ("2025-10-26T02:00:00+01:00", "2025-10-26T05:00:00+01:00")


def test_run_goes_no_further_than_it_was_told(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    typed("readings", "import", write_readings(tmp_path / "r.csv", all_readings()), "-C", new)
    told = typed("run", "--until", "2025-10-26T03:00+01:00", "-C", new, "--json").json
    assert (told["slots"]["opened"], told["ledger_time"]) == (2 + 1, "2025-10-26T03:00:00+01:00")
    typed("run", "-C", new)
    assert totals(new) == [total_wh(at) for at in range(6)]


def test_month_is_folded_on_the_way_and_its_periods_stay(worked: Path) -> None:
    before = totals(worked)
    typed("run", "--until", "2025-12-01", "-C", worked)
    status = typed("status", "-C", worked, "--json").json
    assert [(month["month"], month["closed"]) for month in status["months"]] == [("2025-10", True)]
    assert status["months"][0]["slots"] == {"opened": 6, "without a total": 139}
    assert status["ledger_time"] == "2025-12-01T00:00:00+01:00"
    assert totals(worked)[:6] == before
    assert typed("period", "show", "1", "2025-10-26T05:00", "-C", worked, "--json").json["status"] == "void"


def test_month_in_which_nothing_was_metered_is_skipped_and_the_next_one_runs(worked: Path, tmp_path: Path) -> None:
    typed("run", "--until", "2025-12-01", "-C", worked)
    hour = 40 * 24  # a night in December, after a November that was never opened
    rows = [reading(name, hour, 10) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "december.csv", rows), "-C", worked)
    told = typed("run", "-C", worked, "--json").json
    assert (told["slots"]["opened"], told["total_wh"], told["problems"]) == (1, 60, [])
    months = typed("status", "-C", worked, "--json").json["months"]
    assert [month["month"] for month in months] == ["2025-10", "2025-12"]
    assert typed("run", "-C", worked, "--json").json["slots"]["opened"] == 0
    assert typed("verify", "ledger", "-C", worked, "--json").json["ok"]


def test_month_that_readings_come_late_for_begins_with_the_next_period(worked: Path, tmp_path: Path) -> None:
    typed("run", "--until", "2025-11-10", "-C", worked)
    rows = [reading(name, 20 * 24, 10) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "november.csv", rows), "-C", worked)
    typed("run", "--until", "2025-12-10", "-C", worked)
    typed("bill", "make", "--month", "2025-11", "-C", worked)
    shown = typed("bill", "show", NAMES[0], "--month", "2025-11", "-C", worked, "--json").json
    (standing,) = [charge for charge in shown["charges"] if charge["kind"] == "standing"]
    assert (shown["ok"], standing["quantity"]) == (True, 21 * 86_400), "from the 10th, where the month was opened, on"


def test_month_that_a_run_ends_just_after_the_beginning_of_is_whole(worked: Path, tmp_path: Path) -> None:
    hour = 6 * 24 + 1  # the first of November, as the clocks are put back on the way
    rows = [reading(name, at, 10) for at in range(hour - 2, hour + 2) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "turn.csv", rows), "-C", worked)
    typed("run", "--until", "2025-11-01T00:10", "-C", worked)
    told = typed("run", "-C", worked, "--json").json
    assert (told["problems"], told["too_early_readings"]) == ([], 0)
    periods = typed("period", "list", "--day", "2025-11-01", "-C", worked, "--json").json["periods"]
    assert [each["status"] for each in periods[:2]] == ["opened", "opened"]
    assert periods[0]["start"] == "2025-11-01T00:00:00+01:00"


def test_region_that_joins_after_a_months_end_begins_with_the_month_that_is_on(worked: Path, tmp_path: Path) -> None:
    typed("run", "--until", "2025-11-01T12:00", "-C", worked)
    path = worked / "gridproof.toml"
    path.write_text(path.read_text() + '\n[[regions]]\nnumber = 7\nname = "Hill"\n')
    rows = [reading(name, 7 * 24, 10) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "november.csv", rows), "-C", worked)
    told = typed("run", "-C", worked, "--json").json
    assert (told["slots"]["opened"], told["problems"]) == (1, [])
    typed("meter", "enrol", "hill", "--region", "Hill", "-C", worked)


def test_readings_before_the_start_are_told_of(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    stored_unjudged(new, write_readings(tmp_path / "r.csv", [reading("Ada", -1, 5), *all_readings(1)]))
    done = typed("run", "-C", new)
    assert "1 readings lie before anything could be metered" in done.out
    assert totals(new) == [total_wh(0)]


def test_reading_of_a_channel_that_the_meter_has_not_is_a_problem_that_stops_nothing(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    stored_unjudged(new, write_readings(tmp_path / "r.csv", [*all_readings(1), reading("Ada", 0, 5, "export")]))
    done = typed("run", "-C", new)
    assert "problem: The meter was not enrolled on this channel" in done.out
    assert totals(new) == [total_wh(0)]


def test_who_was_added_to_the_settings_joins_the_ledger(worked: Path, tmp_path: Path) -> None:
    path = worked / "gridproof.toml"
    settings = path.read_text().replace("k_min = 5", "k_min = 6")
    settings += '\n[[regions]]\nnumber = 7\nname = "Hill"\n[[aggregators]]\nname = "Third"\n'
    path.write_text(settings)
    doctor = typed("doctor", "-C", worked, "--json").json
    assert doctor["ok"]
    assert sum("joins the ledger" in each["sentence"] for each in doctor["findings"]) == 2
    rows = [reading(name, 6, 1) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "more.csv", rows), "-C", worked)
    assert f"Registered on the ledger: Third. Its keys lie in {worked}" in typed("run", "-C", worked).out.replace(
        "\n", ""
    )
    assert typed("run", "-C", worked, "--json").json["registered"] == []
    assert [meter["region"] for meter in typed("status", "-C", worked, "--json").json["meters"]] == [1, 1, 7, 7]
    assert load(path).regions[1].name == "Hill"
    assert (worked / "secrets" / "keys" / "Third.key").exists()
    assert not any("joins" in each["sentence"] for each in typed("doctor", "-C", worked, "--json").json["findings"])


def test_region_whose_first_meters_come_in_mid_month_gets_totals_from_then_on(tmp_path: Path) -> None:
    root = founded(tmp_path / "home", "--regions", "A,B")
    typed("meter", "enrol", *NAMES, "--region", "A", "-C", root)
    typed("readings", "import", write_readings(tmp_path / "r.csv", all_readings(3)), "-C", root)
    typed("run", "-C", root)
    late = [f"b{number}" for number in range(5)]
    told = typed("meter", "enrol", *late, "--region", "B", "-C", root, "--json").json["meters"]
    assert told[0]["from"] == "2025-10-26T03:00:00+01:00"
    rows = [reading(name, at, 7) for at in (4, 5) for name in (*late, *NAMES)]
    typed("readings", "import", write_readings(tmp_path / "more.csv", rows), "-C", root)
    typed("run", "-C", root)
    assert totals(root, "--region", "B")[-2:] == [35, 35]
    assert totals(root, "--region", "A")[-2:] == [42, 42]


def test_asked_to_stop_it_stops_between_two_instants_and_goes_on_later(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    typed("readings", "import", write_readings(tmp_path / "r.csv", all_readings()), "-C", new)
    stop = threading.Event()
    community = Community(new)
    with at_helm(community.folder) as ledger:
        outcome = Run(community, ledger, stop, lambda done, _all: stop.set() if done >= 2 else None).work_off()
    assert outcome.stopped
    assert sum(outcome.ended.values()) < 6
    typed("run", "-C", new)
    assert totals(new) == [total_wh(at) for at in range(6)]


def test_interrupted_run_says_so_by_its_exit_code(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    typed("readings", "import", write_readings(tmp_path / "r.csv", all_readings(72)), "-C", new)

    def interrupt_once_it_serves() -> None:
        while not (new / "node.sock").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)  # who runs the tests may have it ignored
    threading.Thread(target=interrupt_once_it_serves).start()
    done = typed("run", "-C", new, "--json", code=130)
    assert done.json["stopped"]
    assert "Run the command again to go on" in done.err
    assert signal.getsignal(signal.SIGINT) is before


def test_serving_works_off_what_comes_later_until_it_is_stopped(worked: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "more.csv", [reading(name, 6, 1) for name in NAMES])
    stop, community = threading.Event(), Community(worked)

    def others() -> None:
        try:
            stored_unjudged(worked, path)
            deadline = time.monotonic() + 120
            while tally_of(at_work_run) < 1 and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            stop.set()

    with at_helm(community.folder) as ledger:
        at_work_run = Run(community, ledger, stop)
        thread = threading.Timer(0.7, others)
        thread.start()
        outcome = at_work_run.serve()
        thread.join()
    assert (outcome.ended["opened"], outcome.total_wh, outcome.stopped) == (1, 6, False)


def tally_of(run: Run) -> int:
    return run._tally.outcome(None, stopped=False).ended["opened"]


def test_second_run_is_turned_away(worked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access.at_work.__wrapped__, "__defaults__", (0.1,))  # type: ignore[attr-defined]
    with at_work(Community(worked).folder):
        refused("run", "--until", "2025-12-01", "-C", worked, error="AtWorkError")


def test_watch_ends_its_sleep_when_it_is_time_to_stop() -> None:
    watch = _Watch(lambda: True)
    watch.sleep_until_s(watch.now_s() + 1_000)
    watch.sleep_until_s(0)


def test_block_clock_waits_for_its_first_readings(tmp_path: Path) -> None:
    root = founded(tmp_path / "home", "--clock", "block")
    typed("meter", "enrol", *NAMES, "-C", root)
    assert typed("run", "-C", root, "--json").json["from"] is None


@pytest.mark.parametrize("until", ["2025-10-26T02:30", "x"])
def test_until_that_is_no_time_is_refused(until: str, worked: Path) -> None:
    refused(
        "run", "--until", until, "-C", worked, error="AmbiguousTimeError" if until.startswith("2") else "NoTimeError"
    )
