"""`gridproof status` and `gridproof doctor`."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors.community import Community, doctor
from gridproof.actors.community.access import hold
from gridproof.actors.community.running import serving

from tests.unit.cli.home import HOURS, refused, total_wh, typed


def wrong(root: Path, code: int = 1) -> dict[str, str]:
    findings: list[dict[str, Any]] = typed("doctor", "-C", root, "--json", code=code).json["findings"]
    return {each["subject"]: each["sentence"] for each in findings if each["severity"] == "wrong"}


def test_status_of_a_new_community(new: Path) -> None:
    told = typed("status", "-C", new, "--json").json
    assert (told["community"], told["node"], told["height"], told["months"]) == ("home", "here", 1, [])
    assert told["ledger_time"] == "2025-10-26T00:00:00+02:00"
    assert told["readings"] == {"count": 0, "first": None, "last": None, "backlog_periods": 0}
    assert "readings: none" in typed("status", "-C", new).out


def test_status_of_a_community_at_work(worked: Path) -> None:
    told = typed("status", "-C", worked, "--json").json
    (month,) = told["months"]
    assert month["total_wh"] == sum(map(total_wh, range(HOURS)))
    assert month["slots"]["opened"] == HOURS
    assert told["readings"]["backlog_periods"] == 0
    assert [each["enrolled"] for each in told["meters"]] == [6, 0]
    words = typed("status", "-C", worked).out
    assert f"{HOURS} opened" in words
    assert told["app_hash"] in words


def test_status_asks_the_running_node(worked: Path) -> None:
    community = Community(worked)
    with hold(community.folder) as ledger, serving(ledger, community):
        assert typed("status", "-C", worked, "--json").json["node"] == "running"
        typed("period", "list", "-C", worked)
        findings = typed("doctor", "-C", worked, "--json").json["findings"]
    assert any("in use by process" in each["sentence"] for each in findings)


def test_ledger_that_is_gone_is_never_begun_anew(worked: Path) -> None:
    shutil.rmtree(worked / "ledger" / "ledger.lmdb")
    refused("status", "-C", worked, error="LedgerGoneError")
    assert not (worked / "ledger" / "ledger.lmdb").exists()


def test_healthy_folder_has_nothing_wrong(worked: Path) -> None:
    done = typed("doctor", "-C", worked)
    assert done.out.endswith("Nothing is wrong.\n")
    findings = typed("doctor", "-C", worked, "--json").json["findings"]
    assert {each["subject"] for each in findings} == {
        "settings", "rights", "recovery keys", "disk", "database", "ledger", "rosters", "secrets", "enrolments",
        "readings", "tariff", "versions",
    }  # fmt: skip


def test_moved_recovery_keys_are_no_matter(worked: Path) -> None:
    for path in (worked / "secrets" / "recovery").iterdir():
        path.unlink()
    assert "recovery keys" not in typed("doctor", "-C", worked).out


def test_exposed_files_and_folders_are_named(worked: Path) -> None:
    (worked / "secrets" / "keys" / "operator.key").chmod(0o640)
    (worked / "enrolments").chmod(0o755)
    found = wrong(worked)
    assert "operator.key (0640)" in found["files"]
    assert "chmod 700" in found["folders"]
    assert "keys of operator" in found["secrets"]


def test_missing_folder_and_missing_keys_are_named(worked: Path) -> None:
    shutil.rmtree(worked / "aggregators")
    (worked / "secrets" / "keys" / "operator.key").unlink()
    found = wrong(worked)
    assert "aggregators is missing" in found["folders"]
    assert "run `gridproof key recover operator`" in found["secrets"]


def test_little_room_is_a_hint_and_none_is_wrong(worked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LITTLE_ROOM", 2**80)
    assert wrong(worked, code=0) == {}
    assert "Make room soon" in typed("doctor", "-C", worked).out
    monkeypatch.setattr(doctor, "NO_ROOM", 2**80)
    assert "nothing can be written" in wrong(worked)["disk"]


def test_damaged_or_missing_database_is_told(worked: Path) -> None:
    path = worked / "ledger" / "ledger.lmdb" / "data.mdb"
    path.write_bytes(path.read_bytes()[:20_000])
    assert wrong(worked).keys() & {"database", "ledger"}
    shutil.rmtree(path.parent)
    assert "gridproof restore" in wrong(worked)["database"]


def test_altered_or_missing_roster_files_are_told(worked: Path) -> None:
    (path,) = (worked / "public").rglob("*.leaves")
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    assert "not what the ledger binds" in wrong(worked)["rosters"]
    path.unlink()
    assert "There is no such file" in wrong(worked)["rosters"]


def test_settings_that_differ_from_the_ledger_are_told(worked: Path) -> None:
    path = worked / "gridproof.toml"
    path.write_text(path.read_text().replace("window_s = 3600", "window_s = 600"))
    assert "windows.window_s: window_s is 3600 on the ledger for good, and 600 here" in wrong(worked)["settings"]
    path.write_text(path.read_text().replace("window_s = 600", "window_s = 3600").replace("k_min = 5", "k_min = 7"))
    assert "k_min changes from 5 to 7" in typed("doctor", "-C", worked).out
    path.write_text(path.read_text().replace('clock = "operator"', 'clock = "block"'))
    assert "Set it back" in wrong(worked)["settings"]


def test_missing_and_swapped_files_of_enrolments_are_told(worked: Path) -> None:
    folder = worked / "enrolments"
    (ada,), (bo,), (cleo,) = (list(folder.glob(f"{name}.*.meter")) for name in ("Ada", "Bo", "Cleo"))
    (home,) = folder.glob("Cleo.*.household")
    cleo.unlink()
    home.unlink()
    out = typed("doctor", "-C", worked, code=1).out
    assert "wrong  enrolments: the file of meter Cleo is missing" in out
    assert "hint  enrolments: the file of household Cleo is not here" in out
    typed("meter", "reissue", "Cleo", "-C", worked)
    assert "each enrolled meter's files are there" in typed("doctor", "-C", worked).out
    held = ada.read_bytes()
    ada.write_bytes(bo.read_bytes())
    assert f"{ada.name} holds the secrets of another meter, Bo" in wrong(worked)["enrolments"]
    ada.write_bytes(held)
    (worked / "enrolments" / bo.name).write_bytes(b"x")
    assert bo.name in wrong(worked)["enrolments"]


def test_household_whose_file_belongs_to_another_is_told_so(worked: Path, tmp_path: Path) -> None:
    (ada,), (bo,) = (list((worked / "enrolments").glob(f"{name}.*.household")) for name in ("Ada", "Bo"))
    ada.write_bytes(bo.read_bytes())
    done = refused("export", "records", "Ada", tmp_path / "p.json", "-C", worked, error="AnothersFileError").json
    assert done["particulars"] == {"meter": "Ada", "path": str(ada), "holds": "Bo"}


def test_ledger_of_another_community_is_told(worked: Path, tmp_path: Path) -> None:
    typed("init", tmp_path / "other")
    shutil.copy(tmp_path / "other" / "genesis.json", worked / "genesis.json")
    assert "another community's" in wrong(worked)["genesis"]
    refused("status", "-C", worked, error="ForeignLedgerError")
    refused("run", "-C", worked, error="ForeignLedgerError")
    (worked / "genesis.json").unlink()
    assert "genesis.json is missing" in wrong(worked)["genesis"]


def test_faulty_settings_end_the_examination(worked: Path, tmp_path: Path) -> None:
    (worked / "gridproof.toml").write_text("x = 1")
    assert wrong(worked).keys() == {"settings"}
    assert wrong(tmp_path).keys() == {"settings"}


def test_damaged_readings_are_told(worked: Path) -> None:
    (worked / "readings.db").write_bytes(b"no database" * 1_000)
    assert "readings" in wrong(worked)


def test_sealed_secrets_are_not_looked_at_without_their_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDPROOF_PASSPHRASE", "x")
    typed("init", tmp_path / "c", "--sealed", "--clock", "block")
    findings = typed("doctor", "-C", tmp_path / "c", "--json").json["findings"]
    assert any(each["sentence"].endswith("are readable, sealed") for each in findings)
    assert any("clock agrees" in each["sentence"] for each in findings)
    monkeypatch.delenv("GRIDPROOF_PASSPHRASE")
    assert "give the passphrase" in typed("doctor", "-C", tmp_path / "c").out


def test_faults_of_the_tariff_and_that_there_is_none_are_told(new: Path) -> None:
    path = new / "tariff.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("0.1650", "0.165001"), encoding="utf-8")
    assert wrong(new)["tariff"].startswith("import.band[1].price: 0.165001 has more than 5 decimals")
    path.unlink()
    assert "hint  tariff: " in typed("doctor", "-C", new).out
