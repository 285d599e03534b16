"""A newcomer's trusted header: by its hash and height, or by a file of `gridproof proof trust`, never by both."""

from pathlib import Path

import pytest

from gridproof.actors.proofs.anchor import FORMAT, Anchor, write_anchor
from gridproof.cli.main import MISUSED, REFUSED, run

HASH = "ab" * 32
ASK = ("node", "init", "made", "--from", "http://127.0.0.1:1", "--name", "x")  # nobody answers there


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_anchor(Path("header.json"), Anchor(FORMAT, 1, "chain-1", 7, HASH, 60))


@pytest.mark.parametrize(
    "given",
    [
        ("--trust", "header.json", "--trust-height", "7"),
        ("--trust", "header.json", "--trust-hash", HASH),
        ("--trust-height", "7"),
        ("--trust-hash", HASH),
        ("--trust-height", "7", "--trust-hash", "ab"),
        ("--trust-height", "7", "--trust-hash", "no digits"),
    ],
)
def test_half_a_header_or_two_are_misuse(given: tuple[str, ...]) -> None:
    assert run([*ASK, *given]) == MISUSED
    assert not Path("made").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--trust", "header.json"), "NetworkUnlikeError"),  # the header is taken; then nobody answers
        (("--trust-height", "7", "--trust-hash", HASH), "NetworkUnlikeError"),
        (("--trust", "none.json"), "FileMissingError"),
    ],
)
def test_a_header_is_taken_from_a_file_or_from_the_command(
    given: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*ASK, *given, "--json"]) == REFUSED
    assert says in capsys.readouterr().out
    assert not Path("made").exists()
