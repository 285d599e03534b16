"""`gridproof config`."""

from pathlib import Path

from tests.unit.cli.home import refused, typed


def test_good_settings_pass(new: Path) -> None:
    assert typed("config", "check", "-C", new, "--json").json == {
        "path": str(new / "gridproof.toml"),
        "ok": True,
        "faults": [],
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
