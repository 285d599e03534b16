"""`gridproof backup` and `gridproof restore`."""

import json
import shutil
from pathlib import Path

from tests.unit.cli.home import files_of, refused, typed


def test_ledger_that_is_gone_is_restored_and_goes_on(worked: Path, tmp_path: Path) -> None:
    before = typed("status", "-C", worked, "--json").json
    backup = tmp_path / "backup"
    assert typed("backup", backup, "-C", worked, "--json").json == {"backup": str(backup)}
    shutil.rmtree(worked / "ledger" / "ledger.lmdb")
    told = typed("restore", backup, worked, "--json").json
    assert (told["height"], told["app_hash"]) == (before["height"], before["app_hash"])
    assert typed("status", "-C", worked, "--json").json == before
    typed("meter", "enrol", "Gus", "-C", worked)
    assert typed("verify", "ledger", "-C", worked, "--json").json["ok"]


def test_nothing_is_overwritten(worked: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    typed("backup", backup, "-C", worked)
    before = files_of(backup), files_of(worked)
    refused("backup", backup, "-C", worked, error="BackupError")
    refused("restore", backup, worked, error="BackupError")
    assert (files_of(backup), files_of(worked)) == before


def test_backup_can_be_restored_beside_the_ledger(worked: Path, tmp_path: Path) -> None:
    typed("backup", tmp_path / "backup", "-C", worked)
    told = typed("restore", tmp_path / "backup", tmp_path / "elsewhere", "--json").json
    assert told["lacks"] == ["genesis.json", "gridproof.toml", "secrets/"]
    words = typed("restore", tmp_path / "backup", tmp_path / "third").out
    assert "needs besides: genesis.json, gridproof.toml, secrets/" in " ".join(words.split())
    refused("restore", tmp_path / "backup", tmp_path / "elsewhere", error="BackupError")


def test_damaged_or_missing_backup_is_refused_and_nothing_put_in_place(worked: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    typed("backup", backup, "-C", worked)
    (data,) = backup.rglob("data.mdb")
    data.write_bytes(data.read_bytes()[:-8_192])
    refused("restore", backup, tmp_path / "elsewhere", error="BackupError")
    refused("restore", tmp_path / "none", tmp_path / "elsewhere", error="BackupError")
    assert files_of(tmp_path / "elsewhere") == {}
    refused("backup", tmp_path / "no" / "where", "-C", worked, error="BackupError")


def test_backup_of_another_community_is_refused_and_both_are_named(worked: Path, tmp_path: Path) -> None:
    typed("backup", tmp_path / "backup", "-C", worked)
    typed("init", tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / "ledger" / "ledger.lmdb")
    before = files_of(tmp_path / "other")
    done = refused("restore", tmp_path / "backup", tmp_path / "other", error="ForeignBackupError").json
    chains = {
        key: json.loads((root / "genesis.json").read_text())["chain_id"]
        for key, root in (("backup", worked), ("genesis", tmp_path / "other"))
    }
    assert done["particulars"] == chains
    assert all(chain in done["sentence"] for chain in chains.values())
    assert files_of(tmp_path / "other") == before
