"""`gridproof key`."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors import credentials
from gridproof.actors.community import Community, access, keyring
from gridproof.actors.community.access import at_work, hold
from gridproof.actors.community.running import serving
from gridproof.connectors.ledger import Sender
from gridproof.connectors.secret_files import SecretFiles

from tests.unit.cli.home import NAMES, files_of, founded, reading, refused, typed, write_readings


class Killed(BaseException):
    """The process ended here."""


def listed(root: Path, name: str) -> dict[str, Any]:
    told = typed("key", "list", "-C", root, "--json").json["participants"]
    (found,) = [each for each in told if each["name"] == name]
    assert isinstance(found, dict)
    return found


def findings(root: Path, code: int = 1) -> list[tuple[str, str]]:
    told = typed("doctor", "-C", root, "--json", code=code).json["findings"]
    return [(each["severity"], each["sentence"]) for each in told if each["subject"] == "secrets"]


def cut_short(root: Path, monkeypatch: pytest.MonkeyPatch, *words: object, taken: bool) -> None:
    """Kill a command that replaces keys: before the ledger hears of them, or after it took them."""

    def kill(*_arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        if taken:
            patched.setattr(keyring.Keyring, "settle", _second_kills())
        else:
            patched.setattr(Sender, "send", kill)
        with pytest.raises(Killed):
            typed("key", *words, "-C", root)


def _second_kills() -> Any:
    calls = []

    def settle(_ring: object) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise Killed

    return settle


def test_list_shows_whose_keys_are_which_and_where(new: Path) -> None:
    told = typed("key", "list", "-C", new, "--json").json["participants"]
    assert [(each["name"], each["participant"], each["roles"]) for each in told] == [
        ("operator", 1, ["operator"]),
        ("bill provider", 2, ["bill_provider"]),
        ("aggregator 1", 3, ["data_aggregator"]),
        ("aggregator 2", 4, ["data_aggregator"]),
        ("control center", 5, ["control_center"]),
    ]
    operator = told[0]
    assert list(operator["keys"]) == ["transaction", "encryption", "recovery"]
    assert list(told[2]["keys"]) == ["transaction", "receipt", "encryption", "recovery"]
    assert all(len(bytes.fromhex(key)) == 32 for each in told for key in each["keys"].values())
    assert {key: operator[key] for key in ("rotations", "file", "former", "recovery_key", "advice")} == {
        "rotations": 0,
        "file": "good",
        "former": 0,
        "recovery_key": "good",
        "advice": None,
    }
    words = typed("key", "list", "-C", new).out
    assert f"transaction:{operator['keys']['transaction'][:8]} " in words
    assert operator["keys"]["transaction"] not in words


def test_list_tells_what_is_lost_moved_away_or_another(new: Path) -> None:
    keys, recovery = new / "secrets" / "keys", new / "secrets" / "recovery"
    (recovery / "operator.key").unlink()
    (keys / "bill provider.key").unlink()
    (keys / "aggregator 1.key").write_bytes(b"damaged")
    (recovery / "aggregator 2.key").write_bytes((recovery / "aggregator 1.key").read_bytes())
    assert (listed(new, "operator")["file"], listed(new, "operator")["recovery_key"]) == ("good", "away")
    assert listed(new, "bill provider")["file"] == "away"
    assert listed(new, "aggregator 1")["file"] == "unreadable"
    assert listed(new, "aggregator 2")["recovery_key"] == "unreadable"
    assert "gridproof key recover 'bill provider'" in typed("key", "list", "-C", new).out
    told = findings(new)
    assert [severity for severity, _ in told] == ["wrong"] * 3
    assert "run `gridproof key recover 'bill provider'`." in told[0][1]
    assert "This is no secret file" in told[1][1]
    assert told[2][1].startswith("recovery key of aggregator 2: ")


def test_rotated_and_recovered_keys_are_told(new: Path) -> None:
    before = listed(new, "aggregator 1")["keys"]
    told = typed("key", "rotate", "aggregator 1", "--only", "receipt", "-C", new, "--json").json
    assert {key: value for key, value in told.items() if key != "keys"} == {
        "name": "aggregator 1",
        "participant": 3,
        "replaced": ["receipt"],
        "rotations": 1,
        "resumed": False,
        "former": 0,
        "brought_by": None,
        "recovery_file": None,
    }
    assert told["keys"] == {**before, "receipt": told["keys"]["receipt"]}
    assert told["keys"]["receipt"] != before["receipt"]
    out = typed("key", "rotate", "operator", "-C", new).out
    assert "operator has new keys: transaction, encryption." in out
    assert "a former encryption key is kept" in out
    out = typed("key", "recover", "operator", "--new-recovery", "-C", new).out
    assert "operator has new keys: transaction, encryption, recovery." in out
    assert "brought to the ledger by bill provider" in out
    assert "secrets/recovery/operator.key" in out
    assert "good, 2 former" in typed("key", "list", "-C", new).out
    assert typed("key", "forget", "operator", "-C", new, "--json").json == {"name": "operator", "forgotten": 2}
    assert typed("doctor", "-C", new, "--json").json["ok"]


def test_keys_are_rotated_while_the_node_runs(new: Path) -> None:
    community = Community(new)
    with hold(community.folder) as ledger, serving(ledger, community):
        assert typed("key", "rotate", "operator", "-C", new, "--json").json["rotations"] == 1
        assert typed("key", "recover", "operator", "-C", new, "--json").json["rotations"] == 2
        assert listed(new, "operator")["file"] == "good"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("rotate", "operater"), "NoSuchParticipantError"),
        (("rotate", "operator", "--only", "receipt"), "NoKeyOfRoleError"),
        (("recover", "nobody"), "NoSuchParticipantError"),
        (("recover", "operator", "--recovery-key", "missing"), "FileMissingError"),
        (("forget", "nobody"), "NoSuchParticipantError"),
    ],
)
def test_what_cannot_be_changes_nothing(words: tuple[str, ...], error: str, new: Path) -> None:
    before = files_of(new)
    refused("key", *words, "-C", new, error=error)
    assert files_of(new) == before
    assert typed("key", "rotate", "operator", "--only", "recovery", "-C", new, code=2).out == ""


def test_recovery_key_of_another_is_named(new: Path) -> None:
    path = new / "secrets" / "recovery" / "bill provider.key"
    done = refused("key", "recover", "operator", "--recovery-key", path, "-C", new, error="AnothersRecoveryKeyError")
    assert done.json["particulars"] == {"name": "operator", "path": str(path), "holder": "bill provider"}


def test_who_comes_while_another_acts_is_turned_away(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access.at_work.__wrapped__, "__defaults__", (0.1,))  # type: ignore[attr-defined]
    with at_work(Community(new).folder):
        for words in (("rotate", "operator"), ("recover", "operator"), ("forget", "operator")):
            refused("key", *words, "-C", new, error="AtWorkError")
    assert listed(new, "operator")["rotations"] == 0


@pytest.mark.parametrize(("verb", "kind"), [("rotate", "rotation"), ("recover", "recovery")])
def test_change_that_was_cut_short_is_told_with_the_command_that_goes_on(
    verb: str, kind: str, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(new, monkeypatch, verb, "operator", taken=False)
    told = listed(new, "operator")
    assert (told["file"], told["under_way"], told["taken"], told["rotations"]) == ("good", kind, None, 0)
    advice = f"a {kind} was cut short, run `gridproof key {verb} operator` to go on"
    assert told["advice"] == advice
    assert findings(new, code=0)[0] == ("hint", f"keys of operator: {advice}.")
    assert typed("key", verb, "operator", "-C", new, "--json").json["resumed"]
    assert listed(new, "operator")["advice"] is None


@pytest.mark.parametrize(("verb", "kind"), [("rotate", "rotation"), ("recover", "recovery")])
def test_keys_that_the_ledger_took_before_a_kill_serve_at_once_and_are_put_in_their_place(
    verb: str, kind: str, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(new, monkeypatch, verb, "bill provider", taken=True)
    told = listed(new, "bill provider")
    assert (told["file"], told["under_way"], told["taken"], told["rotations"]) == ("good", None, kind, 1)
    assert findings(new, code=0)[0][0] == "hint"
    typed("meter", "enrol", *NAMES, "-C", new)
    told = listed(new, "bill provider")
    assert (told["taken"], told["former"], told["rotations"]) == (None, 1, 1)
    assert not [path for path in (new / "secrets" / "keys").iterdir() if path.suffix != ".key"]


def test_run_puts_keys_in_their_place_and_meters_learn_the_new_receipt_key(
    worked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receipts from before keep the key that they were given under, so that they still convict (ADR 0007)."""
    former = {listed(worked, f"aggregator {n}")["keys"]["receipt"] for n in (1, 2)}
    typed("key", "rotate", "aggregator 1", "-C", worked)
    cut_short(worked, monkeypatch, "rotate", "aggregator 2", taken=True)
    present = {listed(worked, f"aggregator {n}")["keys"]["receipt"] for n in (1, 2)}
    rows = [reading(name, 6, 9) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "more.csv", rows), "-C", worked)
    typed("run", "-C", worked)
    assert typed("period", "show", "-C", worked, "--json").json["total_wh"] == 54
    outbox = sqlite3.connect(worked / "outbox" / "meters.db")
    last = "(SELECT MAX(k) FROM records)"
    query = "SELECT DISTINCT hex(receipt_key) FROM records WHERE k {} " + last
    found = {sign: {key.lower() for (key,) in outbox.execute(query.format(sign))} for sign in ("<", "=")}
    outbox.close()
    assert found == {"<": former, "=": present}
    assert listed(worked, "aggregator 2")["taken"] is None
    assert typed("verify", "ledger", "-C", worked, "--json").json["ok"]


def test_sealed_keys_are_rotated_with_their_passphrase_and_listed_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDPROOF_PASSPHRASE", "x")
    root = founded(tmp_path / "home", "--sealed")
    typed("key", "rotate", "operator", "-C", root)
    monkeypatch.delenv("GRIDPROOF_PASSPHRASE")
    told = listed(root, "operator")
    assert (told["file"], told["recovery_key"], told["rotations"]) == ("sealed", "sealed", 1)
    for verb in ("rotate", "recover", "forget"):
        refused("key", verb, "operator", "-C", root, error="PassphraseNeededError")
    (root / "secrets" / "keys" / "operator.key").unlink()
    refused("key", "recover", "operator", "-C", root, error="PassphraseNeededError")
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("x\n")
    passphrase.chmod(0o600)
    typed("key", "recover", "operator", "--passphrase-file", passphrase, "-C", root)
    keys = credentials.read(SecretFiles("x"), root / "secrets" / "keys" / "operator.key", "operator")
    assert keys.signer.public_key.hex() == listed(root, "operator")["keys"]["transaction"]


def test_file_of_other_keys_is_told(new: Path) -> None:
    path = new / "secrets" / "keys" / "operator.key"
    held = path.read_bytes()
    typed("key", "rotate", "operator", "-C", new)
    path.write_bytes(held)
    assert listed(new, "operator")["file"] == "differs"
    assert "the ledger names other keys" in findings(new)[0][1]
    refused("run", "--until", "2025-10-27", "-C", new, error="KeysDifferError")
    recovery = new / "secrets" / "recovery" / "operator.key"
    former = recovery.read_bytes()
    typed("key", "recover", "operator", "--new-recovery", "-C", new)
    recovery.write_bytes(former)
    assert listed(new, "operator")["recovery_key"] == "differs"
    assert "the ledger names another than the one here" in findings(new)[0][1]
    refused("key", "recover", "operator", "-C", new, error="RecoveryKeyDiffersError")
