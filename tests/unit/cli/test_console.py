"""How commands speak."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import pytest

from gridproof.cli import console
from gridproof.cli.chart import Bar, draw
from gridproof.cli.console import Speaker, say_error
from gridproof.errors import Refusal


class Colour(Enum):
    DARK_RED = 1


class Pair(NamedTuple):
    first: int
    second: bytes


class Nope(Refusal):
    """It is refused."""

    code = 9_001
    why: str


def heard(speak: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert callable(speak)
        speak()
    return out.getvalue(), err.getvalue()


def test_result_is_one_object_or_words_never_both() -> None:
    value = {"hash": b"\x01\xff", "path": Path("a"), "colour": Colour.DARK_RED, "pair": [Pair(1, b"")], "other": 1j}
    out, err = heard(lambda: Speaker(as_json=True).result(value, lambda words: words.print("no")))
    assert json.loads(out) == {"hash": "01ff", "path": "a", "colour": "dark_red", "pair": [[1, ""]], "other": "1j"}
    assert err == ""
    out, err = heard(lambda: Speaker(as_json=False).result(value, lambda words: words.print("yes")))
    assert (out, err) == ("yes\n", "")


def test_notes_and_progress_go_beside_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "PLAIN_LINE_EVERY_S", 0)

    def speak(as_json: bool) -> None:
        speaker = Speaker(as_json=as_json)
        speaker.note("beside")
        with speaker.progress("work") as step:
            step(1, 2)

    assert heard(lambda: speak(as_json=False)) == ("", "beside\nwork: 1 of 2\n")
    assert heard(lambda: speak(as_json=True)) == ("", "")


def test_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    def speak() -> None:
        with Speaker(as_json=False).progress("work") as step:
            step(1, 2)

    assert "work" in heard(speak)[1]


def test_error_is_a_sentence_and_an_object_with_its_number() -> None:
    out, err = heard(lambda: say_error(Nope(why="a\nb"), as_json=True))
    assert json.loads(out) == {
        "error": "Nope",
        "sentence": "It is refused. (why=a\\nb)",
        "particulars": {"why": "a\nb"},
        "code": 9_001,
    }
    assert err == "gridproof: It is refused. (why=a\\nb)\n"
    assert heard(lambda: say_error(Nope(why="c"), as_json=False))[0] == ""


def test_picture_tells_what_has_no_total_and_who_was_missing() -> None:
    picture = draw("A <day>", [Bar("00:00", 5, 0), Bar("00:15", None, 2, "sealed"), Bar("00:30", 0, 0)])
    for told in ("A &lt;day&gt;", "00:15: no total, sealed", "00:15: 2 missing", "3 periods, 0.0 kWh in all", "hatch"):
        assert told in picture
    assert picture == draw("A <day>", [Bar("00:00", 5, 0), Bar("00:15", None, 2, "sealed"), Bar("00:30", 0, 0)])
    assert "meters missing" not in draw("x", [Bar("00:00", 1_000, 0)])
