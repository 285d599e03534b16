"""`gridproof verify` and `gridproof export`."""

import json
import shutil
from pathlib import Path

import pytest

from gridproof.drivers.pruning import prune
from gridproof.drivers.snapshots import SnapshotFolder, read_manifest
from gridproof.modules.aggregation.types import SLOTS
from gridproof.state.store import LmdbStore, Table

from tests.unit.cli.home import HOURS, NAMES, energy_wh, refused, total_wh, typed


def household(root: Path, name: str) -> Path:
    (path,) = (root / "enrolments").glob(f"{name}.*.household")
    return path


def test_true_ledger_verifies(worked: Path) -> None:
    told = typed("verify", "ledger", "-C", worked, "--json").json
    status = typed("status", "-C", worked, "--json").json
    assert (told["ok"], told["falsehoods"]) == (True, [])
    assert (told["height"], told["app_hash"]) == (status["height"], status["app_hash"])
    assert told["signatures"] > told["transactions"] > HOURS
    assert "all true" in typed("verify", "ledger", "-C", worked).out


def test_flipped_total_is_a_falsehood(worked: Path) -> None:
    store = LmdbStore(str(worked / "ledger" / "ledger.lmdb"))
    with store.snapshot() as snapshot:
        key, raw = next(iter(snapshot.scan(Table.STATE, SLOTS.key(1, 1))))
    slot = SLOTS.decode(raw)
    assert slot.total_wh == total_wh(0)
    altered = raw[:-1] + bytes([raw[-1] ^ 1])
    store.write({Table.STATE: {key: altered}})
    store.close()
    done = typed("verify", "ledger", "-C", worked, code=1)
    assert any(line.startswith("state table, entry") and "was altered" in line for line in done.out.splitlines())
    assert "NOT TRUE" in done.out
    told = typed("verify", "ledger", "-C", worked, "--json", code=1).json
    assert not told["ok"]
    assert any("was altered" in line for line in told["falsehoods"])


def test_history_verifies_without_the_ledger_and_tells_when_it_was_altered(worked: Path, tmp_path: Path) -> None:
    path = tmp_path / "history"
    told = typed("export", "history", path, "-C", worked, "--json").json
    refused("export", "history", path, "-C", worked, error="FileExistsAlreadyError")
    shutil.rmtree(worked)
    verified = typed("verify", "ledger", path, "--json").json
    assert (verified["ok"], verified["height"], verified["app_hash"]) == (True, told["height"], told["app_hash"])
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    refused("verify", "ledger", path, error="BrokenHistoryError")
    refused("verify", "ledger", tmp_path / "none", error="FileNotFoundError")


def test_pruned_ledger_verifies_from_the_state_that_is_kept(worked: Path, tmp_path: Path) -> None:
    store = LmdbStore(str(worked / "ledger" / "ledger.lmdb"))
    kept = SnapshotFolder(worked / "ledger" / "snapshots")
    snapshot = kept.take(store)
    assert prune(store, snapshot.height + 1, kept.list()) == snapshot.height + 1
    store.close()
    done = typed("verify", "ledger", "-C", worked)
    app_hash = read_manifest(snapshot).app_hash.hex()
    assert f"no block after {snapshot.height}, 0 transactions" in done.out
    assert f"taken from the state kept at height {snapshot.height}, whose app hash is {app_hash}" in done.out
    told = typed("verify", "ledger", "-C", worked, "--json").json
    assert (told["ok"], told["base_height"], told["base_app_hash"]) == (True, snapshot.height, app_hash)
    refused("export", "history", tmp_path / "history", "-C", worked, error="HistoryPrunedError")
    shutil.rmtree(kept.path)
    refused("verify", "ledger", "-C", worked, error="HistoryPrunedError")


def test_history_goes_nowhere_where_it_cannot(worked: Path, tmp_path: Path) -> None:
    refused("export", "history", tmp_path / "none" / "x", "-C", worked, error="FileUnwritableError")


def test_households_records_are_proven_offline(worked: Path, tmp_path: Path) -> None:
    path = tmp_path / "bo.json"
    exported = typed("export", "records", "Bo", path, "-C", worked, "--json").json
    assert (exported["periods"], exported["records"]) == (HOURS, 2 * HOURS)
    key = shutil.copy(household(worked, "Bo"), tmp_path / "bo.household")
    trusted = typed("status", "-C", worked, "--json").json["app_hash"]
    assert typed("verify", "record", path, "-C", worked, "--json").json["ok"]
    shutil.rmtree(worked)
    told = typed("verify", "record", path, "--household", key, "--app-hash", trusted, "--json").json
    assert (told["ok"], told["trusted"]) == (True, True)
    assert [reading["energy_wh"] for reading in told["readings"]] == [energy_wh(1, at) for at in range(HOURS)]
    assert told["energy_wh"] == sum(energy_wh(1, at) for at in range(HOURS))
    words = typed("verify", "record", path, "--household", key).out
    assert f"{HOURS} readings, {told['energy_wh']} Wh: all true." in words


def test_false_record_is_told_in_a_line(worked: Path, tmp_path: Path) -> None:
    path = tmp_path / "bo.json"
    typed("export", "records", "Bo", path, "--day", "2025-10-26", "-C", worked)
    file = json.loads(path.read_text())
    file["slots"][2]["first"]["rc"] = str(int(file["slots"][2]["first"]["rc"]) ^ 1)
    altered = tmp_path / "altered.json"
    altered.write_text(json.dumps(file))
    told = typed("verify", "record", altered, "-C", worked, "--json", code=1).json
    assert len(told["falsehoods"]) == 1
    assert len(told["readings"]) == HOURS - 1
    assert "NOT TRUE" in typed("verify", "record", altered, "-C", worked, code=1).out
    wrong = typed("verify", "record", path, "-C", worked, "--app-hash", "00" * 32, "--json", code=1).json
    assert "trusted is" in wrong["falsehoods"][0]


def test_records_of_a_stretch_only(worked: Path, tmp_path: Path) -> None:
    words = ("--from", "2025-10-26T02:00+01:00", "--to", "2025-10-26T04:00+01:00")
    told = typed("export", "records", "Bo", tmp_path / "x", *words, "-C", worked, "--json").json
    assert told["periods"] == 2
    path = tmp_path / "fay"
    assert typed("export", "records", "Fay", path, "-C", worked, "--json").json["periods"] == HOURS - 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("Boo", "x"), "NoSuchMeterError"),
        (("Bo", "x", "--day", "2025-10-25"), "NothingYetError"),
        (("Fay", "x", "--from", "2025-10-26T02:00+01:00", "--to", "2025-10-26T03:00+01:00"), "RecordUnknownError"),
        (("Bo", "x", "--from", "2025-10-26T04:00", "--to", "2025-10-26T03:00"), "EmptySpanError"),
        (("Bo", "missing/x"), "FileUnwritableError"),
    ],
)
def test_records_that_are_not_there_are_told(
    words: tuple[str, ...], error: str, worked: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    refused("export", "records", *words, "-C", worked, error=error)
    assert not (tmp_path / "x").exists()


def test_proof_files_are_not_overwritten(worked: Path, tmp_path: Path) -> None:
    path = tmp_path / "x"
    typed("export", "records", "Bo", path, "-C", worked)
    before = path.read_bytes()
    refused("export", "records", "Ada", path, "-C", worked, error="FileExistsAlreadyError")
    assert path.read_bytes() == before


def test_strangers_file_and_wrong_words_are_refused(worked: Path, tmp_path: Path) -> None:
    path = tmp_path / "x"
    typed("export", "records", "Bo", path, "-C", worked)
    for other in set(NAMES) - {"Bo"}:
        assert household(worked, other).exists()
    household(worked, "Bo").rename(tmp_path / "bo.household")
    refused("verify", "record", path, "-C", worked, error="NoHouseholdFitsError")
    refused("verify", "record", path, "-C", worked, "--app-hash", "zz", error="NotAppHashError")
    refused("verify", "record", tmp_path / "bo.household", "-C", worked, error="ProofFileError")
    refused("verify", "record", tmp_path / "none", "-C", worked, error="FileMissingError")
    lying = typed("verify", "record", path, "--household", household(worked, "Ada"), "--json", code=1).json
    assert len(lying["falsehoods"]) == HOURS
