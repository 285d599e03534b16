"""`gridproof config`."""

import re
from pathlib import Path

import pytest

from tests.unit.cli.home import files_of, founded, refused, typed


def test_good_settings_pass(new: Path) -> None:
    assert typed("config", "check", "-C", new, "--json").json == {
        "path": str(new / "gridproof.toml"),
        "ok": True,
        "faults": [],
        "unasked": "",
    }
    assert "all settings are good" in typed("config", "check", "-C", new).out


def test_every_fault_stands_in_a_line_with_the_nearest_known_key(new: Path) -> None:
    path = new / "gridproof.toml"
    path.write_text(path.read_text().replace("k_min =", "k_mim =").replace('clock = "operator"', 'clock = "sun"'))
    lines = typed("config", "check", "-C", new, code=1).out.splitlines()
    assert lines[0].startswith("privacy.k_mim: unknown key; did you mean privacy.k_min?")
    assert lines[1].startswith("ledger.clock: 'sun' is not one of block, operator")
    told = typed("config", "check", "-C", new, "--json", code=1).json
    assert [fault["key"] for fault in told["faults"]] == ["privacy.k_mim", "ledger.clock"]
    refused("status", "-C", new, error="ConfigInvalidError")


def test_show_says_all_settings_with_their_meaning(new: Path) -> None:
    told = typed("config", "show", "-C", new, "--json").json
    assert told["privacy"] == {"k_min": 5, "min_live_permille": 800}
    shown = typed("config", "show", "-C", new).out
    assert "[[regions]]" in shown
    assert "# The fewest meters with a live pair" in shown


def test_missing_settings_are_told(tmp_path: Path) -> None:
    refused("config", "check", "-C", tmp_path, error="FileMissingError")
    refused("status", "-C", tmp_path, error="NoCommunityError")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"Europe/Zurich"', '"Asia/Tokyo"', "community.zone: zone is Europe/Zurich on the ledger for good"),
        ('"CHF"', '"EUR"', "community.currency: currency is CHF"),
        ("period_s = 3600", "period_s = 900", "community.period_s: period_s is 3600"),
        ('clock = "operator"', 'clock = "block"', "ledger.clock: clock is operator"),
        ('name = "Region 1"', 'name = "Hill"', "regions[1].name: name is Region 1"),
        ("number = 1", "number = 2", "regions: region 1 'Region 1' of the ledger is not in the settings"),
        ("retention_months = ", "retention_months = 1", "ledger.retention_months: retention_months is"),
    ],
)
def test_settings_that_cannot_change_are_named_and_nobody_acts_by_them(
    old: str, new: str, told: str, worked: Path
) -> None:
    path = worked / "gridproof.toml"
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    files = files_of(worked)
    assert told in typed("config", "check", "-C", worked, code=1).out
    assert told in typed("doctor", "-C", worked, code=1).out
    for words in (("run",), ("run", "--until", "2025-10-27"), ("meter", "enrol", "Gus")):
        sentence = refused(*words, "-C", worked, error="SettingsDifferError").json["sentence"]
        assert told in sentence
    assert files_of(worked) == files


NODES = 'kind = "network"\nnodes = ["http://127.0.0.1:1"]'


def test_a_ledger_of_the_folder_that_the_settings_call_a_networks_is_told(worked: Path) -> None:
    path = worked / "gridproof.toml"
    path.write_text(re.sub(r'(?m)^kind = "embedded"\n(#.*\n)*nodes = .*$', NODES, path.read_text()))
    assert NODES in path.read_text()
    told = typed("config", "check", "-C", worked, "--json", code=1).json
    assert [fault["key"] for fault in told["faults"]] == ["ledger.kind"]
    assert "lies in this folder, and no network has it. Set it to embedded" in told["faults"][0]["sentence"]
    for words in (("run",), ("status",), ("meter", "enrol", "Gus"), ("backup", worked.with_name("copy"))):
        sentence = refused(*words, "-C", worked, error="SettingsDifferError").json["sentence"]
        assert "Set it to embedded" in sentence
    assert "Set it to embedded" in typed("doctor", "-C", worked, code=1).out


def test_a_networks_ledger_that_the_settings_look_for_in_the_folder_is_told(tmp_path: Path) -> None:
    typed("net", "init", tmp_path / "net", "--subnet", "127.9.9")
    root = tmp_path / "net" / "community"
    assert "not held against the ledger" in typed("config", "check", "-C", root).out, "no node runs"
    path = root / "gridproof.toml"
    path.write_text(path.read_text().replace('kind = "network"', 'kind = "embedded"'))
    told = typed("config", "check", "-C", root, "--json", code=1).json
    assert [fault["key"] for fault in told["faults"]] == ["ledger.kind"]
    assert "a network keeps this ledger. Set it to network" in told["faults"][0]["sentence"]
    for words in (("run",), ("status",), ("meter", "enrol", "Gus")):
        refused(*words, "-C", root, error="SettingsDifferError")
    assert "Set it to network" in typed("doctor", "-C", root, code=1).out


def test_region_that_is_new_in_the_settings_is_no_difference(tmp_path: Path) -> None:
    root = founded(tmp_path / "home")
    path = root / "gridproof.toml"
    path.write_text(path.read_text() + '\n[[regions]]\nnumber = 2\nname = "Hill"\n')
    assert typed("config", "check", "-C", root, "--json").json["ok"]
    assert "region 2 joins the ledger" in typed("doctor", "-C", root).out
