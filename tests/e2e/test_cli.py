"""A community by commands alone: a week across the end of summer time and a month's end, with kills in the middle."""

import csv
import json
import random
import shutil
import signal
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from gridproof.modules.aggregation.types import SLOTS
from gridproof.state.store import LmdbStore, Table

from tests.e2e.commands import PATIENCE_S, Commands
from tests.shared import data

WEEK_START: Final = datetime(2025, 10, 25, 22, tzinfo=UTC)  # local midnight before the hour that comes twice
WEEK_END: Final = datetime(2025, 11, 1, 23, tzinfo=UTC)  # local midnight a week later: 169 hours
PERIOD: Final = timedelta(minutes=30)
METERS: Final = tuple(f"h{number:03d}" for number in range(1, 7))
KILLS: Final = 8


def reading_wh(meter: int, at: int) -> int | None:
    """What a meter reads in period `at`; None where it is silent."""
    silent = (meter == 5 and at % 40 == 7) or (meter in (1, 2) and at == 100)
    return None if silent else 50 * meter + at % 97


def expected_wh(at: int) -> int | None:
    """A period's total, or None where fewer than five meters were heard."""
    heard = [value for meter in range(len(METERS)) if (value := reading_wh(meter, at)) is not None]
    return sum(heard) if len(heard) >= 5 else None


def write_week(path: Path) -> int:
    """Write the week's readings; tells how many periods it has."""
    periods = (WEEK_END - WEEK_START) // PERIOD
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("meter", "start", "energy_wh"))
        for at in range(periods):
            start = (WEEK_START + at * PERIOD).isoformat()
            for number, name in enumerate(METERS):
                value = reading_wh(number, at)
                if value is not None:
                    rows.writerow((name, start, value))
    return periods


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A community that ran over the week, killed eight times on the way, while others asked it all the time."""
    root = tmp_path_factory.mktemp("week")
    commands = Commands(root)
    commands("init", ".", "--name", "Riedholz", "--start", WEEK_START.isoformat(), "--period-s", 1800)
    commands("meter", "enrol", *METERS)
    write_week(root / "week.csv")
    commands("readings", "import", "week.csv")
    over = threading.Event()
    asked: Counter[str] = Counter()
    asker = threading.Thread(target=ask_all_the_time, args=(commands, over, asked))
    asker.start()
    try:
        draw = random.Random(3)
        for _ in range(KILLS):
            running = commands.start("run")
            time.sleep(0.8 + 1.2 * draw.random())
            running.kill()
            running.communicate()
        commands("run")
    finally:
        over.set()
        asker.join()
    (root / "asked.json").write_text(json.dumps(asked))
    return commands


def ask_all_the_time(commands: Commands, over: threading.Event, asked: "Counter[str]") -> None:
    """Ask as another process, whether a node runs, is being killed, or nobody runs it."""
    seen_height = 0
    while not over.is_set():
        status = commands("status", "--json").json
        assert status["height"] >= seen_height
        seen_height = status["height"]
        asked[status["node"]] += 1
        asked["periods"] += len(listed(commands))


def listed(commands: Commands) -> list[object]:
    """The periods of the day of the change of time, if there are any yet."""
    done = commands.start("period", "list", "--day", "2025-10-26", "--json")
    out, err = done.communicate()
    told = json.loads(out)
    if done.returncode:
        assert told["error"] == "NothingYetError", (out, err)
        return []
    periods: list[object] = told["periods"]
    return periods


def test_every_total_is_the_sum_of_the_meters_that_were_heard(week: Commands) -> None:
    months = [week("period", "list", "--month", month, "--json").json for month in ("2025-10", "2025-11")]
    periods = [period for month in months for period in month["periods"]]
    assert [period["total_wh"] for period in periods] == [expected_wh(at) for at in range(len(periods))]
    assert len(periods) == 338
    assert Counter(period["status"] for period in periods) == {"opened": 337, "sealed": 1}
    silent = sum(reading_wh(meter, at) is None for meter in range(6) for at in range(338))
    assert sum(period["missing"] for period in periods) == silent


def test_others_could_ask_all_the_time(week: Commands) -> None:
    asked = json.loads((week.root / "asked.json").read_text())
    assert asked["running"] > 0
    assert asked["periods"] > 0


def test_long_day_has_its_hour_twice(week: Commands) -> None:
    day = week("period", "list", "--day", "2025-10-26", "--json").json["periods"]
    assert len(day) == 50
    assert [period["start"][11:] for period in day[3:8]] == [
        "01:30:00+02:00",
        "02:00:00+02:00",
        "02:30:00+02:00",
        "02:00:00+01:00",
        "02:30:00+01:00",
    ]
    twice = week("period", "show", "1", "2025-10-26T02:30", "--json", code=1).json
    assert twice["error"] == "AmbiguousTimeError"
    first, second = (
        week("period", "show", "1", twice["particulars"][which], "--json").json for which in ("first", "second")
    )
    assert (first["total_wh"], second["total_wh"]) == (expected_wh(5), expected_wh(7))


def test_nothing_counts_twice_and_all_of_it_verifies(week: Commands) -> None:
    told = week("verify", "ledger", "--json").json
    assert (told["ok"], told["falsehoods"]) == (True, [])
    again = week("run", "--json").json
    assert again["slots"] == {"opened": 0, "sealed": 0, "void": 0}
    assert week("verify", "ledger", "--json").json["app_hash"] == told["app_hash"]
    week("doctor")


def test_silent_meter_is_named_by_the_bill_provider_alone(week: Commands) -> None:
    shown = week("period", "show", "1", "2025-10-26T03:30+01:00", "--faults", "--json").json
    at = (datetime.fromisoformat(shown["start"]) - WEEK_START) // PERIOD
    silent = [name for number, name in enumerate(METERS) if reading_wh(number, at) is None]
    assert [fault["meter"] for fault in shown["faults"]] == silent


def test_household_checks_its_own_week_offline(week: Commands, tmp_path: Path) -> None:
    week("export", "records", METERS[1], tmp_path / "mine.json")
    key = next((week.root / "enrolments").glob(f"{METERS[1]}.*.household"))
    elsewhere = Commands(tmp_path)
    shutil.copy(key, tmp_path / "mine.household")
    app_hash = week("status", "--json").json["app_hash"]
    told = elsewhere(
        "verify", "record", "mine.json", "--household", "mine.household", "--app-hash", app_hash, "--json"
    ).json
    mine = [value for at in range(338) if (value := reading_wh(1, at)) is not None]
    assert [each["energy_wh"] for each in told["readings"]] == mine


def test_history_replays_elsewhere(week: Commands, tmp_path: Path) -> None:
    week("export", "history", tmp_path / "history")
    told = Commands(tmp_path, TZ="America/St_Johns", PYTHONHASHSEED="5")("verify", "ledger", "history", "--json").json
    assert told["ok"]
    assert told["app_hash"] == week("status", "--json").json["app_hash"]


def test_altered_database_is_found_false(week: Commands, tmp_path: Path) -> None:
    root = tmp_path / "altered"
    shutil.copytree(week.root, root)
    store = LmdbStore(str(root / "ledger" / "ledger.lmdb"))
    with store.snapshot() as snapshot:
        key, raw = next(iter(snapshot.scan(Table.STATE, SLOTS.key(1, 1))))
    store.write({Table.STATE: {key: raw[:-1] + bytes([raw[-1] ^ 1])}})
    store.close()
    told = Commands(root)("verify", "ledger", "--json", code=1).json
    assert not told["ok"]
    assert any(key.hex() in line and "altered" in line for line in told["falsehoods"])


def test_months_fold_and_the_ledger_restores(week: Commands, tmp_path: Path) -> None:
    root = tmp_path / "later"
    shutil.copytree(week.root, root)
    later = Commands(root)
    later("run", "--until", "2025-12-20")
    months = later("status", "--json").json["months"]
    assert [(month["month"], month["closed"]) for month in months] == [("2025-10", True), ("2025-11", True)]
    assert months[0]["total_wh"] + months[1]["total_wh"] == sum(expected_wh(at) or 0 for at in range(338))
    later("backup", tmp_path / "backup")
    app_hash = later("status", "--json").json["app_hash"]
    shutil.rmtree(root / "ledger" / "ledger.lmdb")
    assert later("status", "--json", code=1).json["error"] == "LedgerGoneError"
    later("restore", tmp_path / "backup", ".")
    assert later("verify", "ledger", "--json").json["app_hash"] == app_hash


def test_signals_stop_a_serving_node_cleanly_and_others_write_meanwhile(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    commands("init", ".", "--start", WEEK_START.isoformat())
    serving = commands.start("run", "--serve", "--json")
    try:
        wait_for(tmp_path / "node.sock")
        assert len(commands("meter", "enrol", *METERS, "--json").json["meters"]) == 6
        assert commands("status", "--json").json["node"] == "running"
        rows = [f"{name},{WEEK_START.isoformat()},5" for name in METERS]
        (tmp_path / "r.csv").write_text("\n".join(["meter,start,energy_wh", *rows]))
        commands("readings", "import", "r.csv")
        deadline = time.monotonic() + PATIENCE_S
        while not (months := commands("status", "--json").json["months"]) or not months[0]["total_wh"]:
            assert time.monotonic() < deadline
    finally:
        serving.send_signal(signal.SIGTERM)
        out, err = serving.communicate(timeout=PATIENCE_S)
    assert serving.returncode == 0, err
    assert json.loads(out)["total_wh"] == 30
    assert not (tmp_path / "node.sock").exists()
    assert commands("status", "--json").json["node"] == "here"


def test_enrolment_and_import_that_were_killed_are_repeated_without_harm(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    commands("init", ".", "--start", WEEK_START.isoformat())
    rows = [f"{name},{(WEEK_START + at * timedelta(minutes=15)).isoformat()},5" for at in range(4) for name in METERS]
    (tmp_path / "r.csv").write_text("\n".join(["meter,start,energy_wh", *rows]))
    draw = random.Random(5)
    for words in (("meter", "enrol", *METERS, "--from", WEEK_START.isoformat()), ("readings", "import", "r.csv")):
        for _ in range(4):
            killed = commands.start(*words)
            time.sleep(0.3 + 0.5 * draw.random())
            killed.kill()
            killed.communicate()
        if words[0] == "meter":
            known = {meter["name"] for meter in commands("meter", "list", "--json").json["meters"]}
            for name in METERS:
                commands("meter", "reissue" if name in known else "enrol", name)
        elif commands("status", "--json").json["readings"]["count"] == 0:
            commands(*words)
    assert commands("status", "--json").json["readings"]["count"] == len(rows)
    assert commands("run", "--json").json["slots"]["opened"] == 4
    assert commands("period", "list", "--json").json["total_wh"] == 5 * len(rows)
    assert commands("verify", "ledger", "--json").json["ok"]
    commands("doctor")


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_sealed_community_by_commands(tmp_path: Path) -> None:
    sealed = Commands(tmp_path, GRIDPROOF_PASSPHRASE="correct horse battery staple")
    sealed("init", ".", "--sealed", "--start", WEEK_START.isoformat(), "--regions", "Old Town,Hill")
    sealed("meter", "enrol", *METERS, "--region", "Hill")
    rows = [f"{name},{WEEK_START.isoformat()},7" for name in METERS]
    (tmp_path / "r.csv").write_text("\n".join(["meter,start,energy_wh", *rows]))
    sealed("readings", "import", "r.csv")
    sealed("run")
    assert sealed("period", "show", "Hill", "--json").json["total_wh"] == 42
    told = Commands(tmp_path)("run", "--json", "--until", "2025-11-02", code=1).json
    assert told["error"] == "PassphraseNeededError"


def test_real_households_in_two_regions_with_export(tmp_path: Path) -> None:
    """Every total of a real morning equals an independent count, over two regions; some feed in as well."""
    source = data("swiss_households_15min.csv")
    commands = Commands(tmp_path)
    commands("init", ".", "--start", "2025-10-26T23:00Z", "--regions", "East,West")
    names = take_morning(source, tmp_path / "morning.csv", households=24, periods=16)
    listed_meters = ["meter,region,channels"]
    listed_meters += [
        f'{name},{1 + at % 2},"{"import,export" if at < 14 else "import"}"' for at, name in enumerate(names)
    ]
    (tmp_path / "meters.csv").write_text("\n".join(listed_meters))
    commands("meter", "enrol", "--list", "meters.csv")
    commands("readings", "import", "morning.csv")
    told = commands("run", "--json").json
    counted = count(tmp_path / "morning.csv", names)
    assert told["total_wh"] == sum(counted.values())
    for channel in ("import", "export"):
        for period in commands("period", "list", "--channel", channel, "--json").json["periods"]:
            assert period["total_wh"] == counted[period["region"], channel, datetime.fromisoformat(period["start"])]
    assert (told["problems"], told["to"]) == ([], "2025-10-27T04:00:00+01:00")
    assert commands("verify", "ledger", "--json").json["ok"]


def take_morning(source: Path, target: Path, *, households: int, periods: int) -> list[str]:
    """Write the first periods of the first households; the first fourteen export a fifth of what they import."""
    names: list[str] = []
    starts: list[str] = []
    rows = []
    with source.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["meter"] not in names and len(names) < households:
                names.append(row["meter"])
            if row["start"] not in starts and len(starts) < periods:
                starts.append(row["start"])
            if row["meter"] in names and row["start"] in starts:
                rows.append((row["meter"], row["start"], row["energy_wh"], "import"))
                if names.index(row["meter"]) < 14:
                    rows.append((row["meter"], row["start"], str(int(row["energy_wh"]) // 5), "export"))
    with target.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("meter", "start", "energy_wh", "channel"), *rows])
    return names


def count(path: Path, names: list[str]) -> "dict[tuple[int, str, datetime], int]":
    """Sum a file's readings by region, channel and period."""
    sums: defaultdict[tuple[int, str, datetime], int] = defaultdict(int)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            region = 1 + names.index(row["meter"]) % 2
            sums[region, row["channel"], datetime.fromisoformat(row["start"])] += int(row["energy_wh"])
    return sums
