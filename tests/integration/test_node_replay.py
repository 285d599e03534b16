"""One history, one app hash: under any hash seed, in any time zone, on either store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.history import StoredHistory, export_history

from tests.shared import ROOT
from tests.unit.drivers.scenes import grow, in_memory


@pytest.fixture
def ledger() -> EmbeddedLedger:
    made = in_memory()
    grow(made, 40)
    return made


def test_a_history_replays_to_one_hash_under_all_surroundings(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    with ledger.store.snapshot() as snapshot:
        export_history(StoredHistory(snapshot, ledger.head), "tiny-1", tmp_path / "history")
    runs = []
    for seed in ("0", "1", "4242"):
        for zone in ("UTC", "Pacific/Chatham"):
            folder = tmp_path / f"{seed}-{zone.replace('/', '-')}"
            folder.mkdir()
            runs.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.integration.replayed", str(tmp_path / "history"), str(folder)],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
    said = [run.communicate(timeout=600)[0].split("\n") for run in runs]
    assert [run.returncode for run in runs] == [0] * 6
    expected = f"{ledger.head.app_hash.hex()} 0"
    assert said == [[expected, expected, ""]] * 6
