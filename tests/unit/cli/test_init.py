"""`gridproof init`."""

import json
import os
import stat
from pathlib import Path

import pytest

from gridproof.actors.community import founding
from gridproof.actors.community.staging import STAGING
from gridproof.connectors.config import load
from gridproof.connectors.tariff_file import default_tariff

from tests.unit.cli.home import START, files_of, refused, typed


def test_folder_is_private_and_documented(new: Path) -> None:
    assert {path.name for path in new.iterdir()} == {
        "aggregators",
        "enrolments",
        "genesis.json",
        "gridproof.toml",
        "ledger",
        "outbox",
        "public",
        "secrets",
        "tariff.toml",
    }
    for folder in (new, *(path for path in new.rglob("*") if path.is_dir())):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    keys = sorted((new / "secrets").rglob("*.key"))
    assert [path.parent.name for path in keys] == ["keys"] * 5 + ["recovery"] * 5
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys)
    settings = load(new / "gridproof.toml")
    assert (settings.community.name, settings.community.period_s) == ("home", 3600)
    assert "# " in (new / "gridproof.toml").read_text()


def test_result_names_chain_start_and_people(tmp_path: Path) -> None:
    told = typed(
        "init", tmp_path / "c", "--name", "Riedholz Süd", "--regions", "Old Town, Hill", "--aggregators", "3",
        "--start", START, "--json",
    ).json  # fmt: skip
    assert told["chain_id"].startswith("riedholz-s-d-")
    assert told["start"] == "2025-10-26T00:00:00+02:00"
    assert told["regions"] == [{"number": 1, "name": "Old Town"}, {"number": 2, "name": "Hill"}]
    assert told["aggregators"] == ["aggregator 1", "aggregator 2", "aggregator 3"]
    assert len(told["app_hash"]) == 64
    genesis = json.loads((tmp_path / "c" / "genesis.json").read_text())
    assert (genesis["chain_id"], genesis["genesis_time_s"]) == (told["chain_id"], 1_761_429_600)
    assert [each["name"] for each in genesis["modules"]["registry"]["participants"]] == [
        "operator", "bill provider", "aggregator 1", "aggregator 2", "aggregator 3", "control center",
    ]  # fmt: skip


def test_a_new_community_has_a_tariff_to_start_from(new: Path) -> None:
    text = (new / "tariff.toml").read_text(encoding="utf-8")
    assert text == default_tariff("CHF")
    assert "CHF per kWh" in text


def test_another_tariff_is_copied_once_it_is_found_good(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('name = "T"\n[import]\nscheme = "flat"\nprice = 0.123456\n', encoding="utf-8")
    faults = refused("init", tmp_path / "c", "--tariff", mine, error="TariffInvalidError").json["particulars"]["faults"]
    assert [key for key, _ in faults] == ["import.price", "feed-in"]
    refused("init", tmp_path / "c", "--tariff", tmp_path / "none.toml", error="FileMissingError")
    assert not (tmp_path / "c").exists()
    mine.write_text(default_tariff("EUR") + "# mine\n", encoding="utf-8")
    typed("init", tmp_path / "c", "--tariff", mine, "--start", START)
    assert (tmp_path / "c" / "tariff.toml").read_bytes() == mine.read_bytes()


def test_folder_that_is_not_empty_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    refused("init", tmp_path, error="FolderTakenError")
    assert files_of(tmp_path) == {"mine": b"keep"}


def test_empty_folder_is_filled_and_leftovers_of_a_killed_founding_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{STAGING}{tmp_path.name}.abcd1234").mkdir()
    monkeypatch.chdir(tmp_path)
    typed("init", ".", "--start", START)
    assert (tmp_path / "gridproof.toml").exists()
    assert not list(tmp_path.glob(f"{STAGING}*"))
    typed("status", "--json")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--zone", "Europe/Zuerich"), "OptionsInvalidError"),
        (("--currency", "francs"), "OptionsInvalidError"),
        (("--period-s", "700"), "OptionsInvalidError"),
        (("--clock", "sundial"), "OptionsInvalidError"),
        (("--start", "2025-10-26T00:07+02:00"), "StartMisalignedError"),
        (("--start", "2025-10-26T02:30"), "AmbiguousTimeError"),
        (("--start", "2025-03-30T02:30"), "SkippedTimeError"),
        (("--start", "soon"), "NoTimeError"),
        (("--start", "9999-12-31"), "BeyondCalendarError"),
        (("--aggregators", "operator"), "NameReservedError"),
        (("--regions", "Hidden\u200b"), "GenesisError"),
        (("--sealed",), "NoPassphraseError"),
        (("--config", "missing.toml"), "FileMissingError"),
    ],
)
def test_what_cannot_be_leaves_nothing_behind(words: tuple[str, ...], error: str, tmp_path: Path) -> None:
    refused("init", tmp_path / "c", *words, error=error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--regions", "--aggregators"])
@pytest.mark.parametrize(
    ("names", "says"), [("A,,B", "number 2 is empty"), (" ", "number 1 is empty"), ("A,B,A", "names A twice")]
)
def test_names_that_cannot_be_are_told_with_their_option(option: str, names: str, says: str, tmp_path: Path) -> None:
    sentence = typed("init", tmp_path / "c", option, names, "--json", code=2).json["sentence"]
    assert option in sentence
    assert says in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--regions", "--aggregators"])
@pytest.mark.parametrize("count", ["0", "-3", "1001", "100000000", "9" * 40])
def test_numbers_that_cannot_be_are_refused_at_once(option: str, count: str, tmp_path: Path) -> None:
    done = typed("init", tmp_path / "c", option, count, "--json", code=2)
    assert f"{option} takes a number from 1 to 1000" in done.json["sentence"]
    assert list(tmp_path.iterdir()) == []


def test_start_within_a_period_names_those_beside_it_and_a_date_is_not_shifted(tmp_path: Path) -> None:
    words = ("init", tmp_path / "c", "--zone", "Asia/Kathmandu", "--period-s", "3600", "--start")
    for start in ("2025-10-01", "2025-10-01T00:00"):
        done = refused(*words, start, error="StartMisalignedError").json
        assert "cut in UTC" in done["sentence"]
        assert done["particulars"]["before"] == "2025-09-30T23:45:00+05:45"
        assert done["particulars"]["after"] == "2025-10-01T00:45:00+05:45"
    assert list(tmp_path.iterdir()) == []
    assert typed(*words, "2025-10-01T00:45", "--json").json["start"] == "2025-10-01T00:45:00+05:45"


def test_settings_of_a_file_and_of_options_are_not_mixed(tmp_path: Path, new: Path) -> None:
    words = ("--config", new / "gridproof.toml", "--zone", "UTC", "--period-s", "900")
    done = typed("init", tmp_path / "c", *words, "--json", code=2)
    assert "leave out --zone, --period-s" in done.json["sentence"]
    assert not (tmp_path / "c").exists()


def test_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused("init", tmp_path / "file" / "c", error="FolderUnmadeError")


def test_leftovers_of_a_killed_founding_beside_the_folder_go_and_others_stay(tmp_path: Path) -> None:
    mine, other = (tmp_path / f"{STAGING}{name}.abcd1234" for name in ("c", "d"))
    mine.mkdir()
    other.mkdir()
    typed("init", tmp_path / "c", "--start", START)
    assert sorted(tmp_path.iterdir()) == [other, tmp_path / "c"]


def test_failure_on_the_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(founding, "render", full)
    done = refused("init", tmp_path / "c", error="FolderUnmadeError")
    assert done.json["particulars"]["detail"] == "No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_sealed_secrets_need_their_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "c"
    monkeypatch.setenv("GRIDPROOF_PASSPHRASE", "correct horse")
    typed("init", root, "--sealed", "--start", START)
    typed("meter", "enrol", "Ada", "-C", root)
    monkeypatch.delenv("GRIDPROOF_PASSPHRASE")
    refused("meter", "enrol", "Bo", "-C", root, error="PassphraseNeededError")
    monkeypatch.setenv("GRIDPROOF_PASSPHRASE", "wrong")
    refused("meter", "enrol", "Bo", "-C", root, error="WrongPassphraseError")
    monkeypatch.delenv("GRIDPROOF_PASSPHRASE")
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    refused("meter", "list", "-C", root, "--passphrase-file", secret, error="FileExposedError")
    secret.chmod(0o600)
    assert len(typed("meter", "list", "-C", root, "--passphrase-file", secret, "--json").json["meters"]) == 1
    assert all(b"correct" not in content for content in files_of(root).values())


def test_settings_come_from_a_file(tmp_path: Path, new: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text((new / "gridproof.toml").read_text().replace("window_s = 3600", "window_s = 7200"))
    typed("init", tmp_path / "c", "--config", path, "--start", START)
    assert load(tmp_path / "c" / "gridproof.toml").windows.window_s == 7200
    region = json.loads((tmp_path / "c" / "genesis.json").read_text())["modules"]["registry"]["regions"][0]
    assert region["window_s"] == 7200


def test_block_clock_starts_now(tmp_path: Path) -> None:
    told = typed("init", tmp_path / "c", "--clock", "block", "--json").json
    status = typed("status", "-C", tmp_path / "c", "--json").json
    assert status["ledger_time"] >= told["start"]


def test_long_and_foreign_names_make_usable_files(tmp_path: Path) -> None:
    name = "Ж" * 64
    typed("init", tmp_path / "c", "--aggregators", name, "--start", START)
    longest = max(len(os.fsencode(path.name)) for path in (tmp_path / "c").rglob("*"))
    assert longest <= 255
    typed("doctor", "-C", tmp_path / "c")
