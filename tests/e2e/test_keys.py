"""Participants' keys by commands alone: rotated under a running node and killed on the way, stolen, and recovered."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.commands import PATIENCE_S, Commands

NAMES = ("operator", "bill provider", "aggregator 1", "aggregator 2", "control center")
METERS = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Fay")
KILLS = 6


def write_hour(path: Path, hour: int) -> Path:
    rows = [f"{name},2025-10-26T{hour:02}:00:00Z,{100 + at}" for at, name in enumerate(METERS)]
    path.write_text("\n".join(["meter,start,energy_wh", *rows]) + "\n")
    return path


def participants(commands: Commands) -> dict[str, dict[str, object]]:
    told = commands("key", "list", "--json").json["participants"]
    return {each["name"]: each for each in told}


@pytest.fixture
def community(tmp_path: Path) -> Commands:
    commands = Commands(tmp_path)
    commands("init", ".", "--name", "Keys", "--start", "2025-10-26T00:00:00Z", "--zone", "UTC", "--period-s", 3600)
    commands("meter", "enrol", *METERS)
    return commands


def test_rotations_killed_anywhere_lock_nobody_out_and_all_keys_change(community: Commands, tmp_path: Path) -> None:
    before = participants(community)
    draw = random.Random(4)
    node = community.start("run", "--serve")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while community("status", "--json").json["node"] != "running":
            assert time.monotonic() < deadline
        for at in range(KILLS):
            rotating = community.start("key", "rotate", NAMES[at % len(NAMES)])
            time.sleep(0.3 + 0.5 * draw.random())
            rotating.kill()
            rotating.communicate()
            assert {each["file"] for each in participants(community).values()} == {"good"}
        for name in NAMES:
            assert community("key", "rotate", name, "--json").json["replaced"]
        community("readings", "import", write_hour(tmp_path / "0.csv", 0))
    finally:
        node.send_signal(signal.SIGINT)
        node.communicate(timeout=PATIENCE_S)
    community("run")
    assert community("period", "show", "--json").json["total_wh"] == sum(100 + at for at in range(6))
    after = participants(community)
    for name in NAMES:
        assert (after[name]["file"], after[name]["under_way"], after[name]["taken"]) == ("good", None, None)
        old, new = before[name]["keys"], after[name]["keys"]
        assert isinstance(old, dict)
        assert isinstance(new, dict)
        assert {role for role in old if old[role] == new[role]} == {"recovery"}
    assert sorted(path.name for path in (tmp_path / "secrets" / "keys").iterdir()) == sorted(
        f"{name}.key" for name in NAMES
    )
    assert community("doctor", "--json").json["ok"]
    assert community("verify", "ledger", "--json").json["ok"]


def test_thief_that_rotated_first_is_shut_out_by_the_offline_key(community: Commands, tmp_path: Path) -> None:
    offline = tmp_path / "offline"
    (tmp_path / "secrets" / "recovery").rename(offline)
    (tmp_path / "secrets" / "recovery").mkdir(mode=0o700)
    key = tmp_path / "secrets" / "keys" / "bill provider.key"
    held = shutil.copy(key, tmp_path / "held.key")
    thiefs = community("key", "rotate", "bill provider", "--json").json["keys"]  # by who has the file
    shutil.move(held, key)
    refused = community("meter", "revoke", "Ada", "--json", code=1).json
    assert refused["error"] == "KeysDifferError"  # the theft works: the owner's file is worth nothing
    assert "gridproof key recover" in community("doctor", code=1).out
    away = community("key", "recover", "bill provider", "--json", code=1).json
    assert (away["error"], "--recovery-key" in away["sentence"]) == ("RecoveryKeyAwayError", True)
    path = offline / "bill provider.key"
    done = community("key", "recover", "bill provider", "--recovery-key", path, "--new-recovery", "--json").json
    assert (done["rotations"], done["brought_by"]) == (2, "operator")
    assert not set(done["keys"].values()) & set(thiefs.values())
    community("meter", "revoke", "Ada")
    spent = community("key", "recover", "bill provider", "--recovery-key", path, "--json", code=1).json
    assert spent["error"] == "RecoveryKeyDiffersError"
    assert community("doctor", "--json").json["ok"]
