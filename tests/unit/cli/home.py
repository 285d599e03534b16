"""Communities in folders, and commands typed into this process, for the command line's tests.

The night of 26 October 2025 in Zurich has the hour from two to three twice; the readings below cross it.
"""

import io
import json
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from gridproof.cli.main import run

START = "2025-10-26T00:00+02:00"
START_S = 1_761_429_600
PERIOD_S = 3_600
HOURS = 6
NAMES = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Fay")


class Done(NamedTuple):
    """What a command did.

    Attributes:
        code: exit code.
        out: standard output.
        err: standard error.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object of the output."""
        assert self.out.count("\n") == 1, self.out
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def typed(*words: object, code: int = 0) -> Done:
    """Type a command and hold it to its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        ended = run([str(word) for word in words])
    done = Done(ended, out.getvalue(), err.getvalue())
    assert ended == code, done
    if code == 0:
        assert "Traceback" not in done.err
    return done


def refused(*words: object, error: str) -> Done:
    """Type a command that is refused with one sentence, by an error of this name."""
    done = typed(*words, "--json", code=1)
    assert done.json["error"] == error, done
    assert done.json["sentence"].count("\n") == 0
    *before, last = done.err.splitlines()
    assert last == f"gridproof: {done.json['sentence']}"
    assert all(line.startswith("gridproof: waiting for ") for line in before), "a slow machine may wait long"
    return done


def founded(root: Path, *more: object) -> Path:
    """Found a community with periods of an hour."""
    typed("init", root, "--start", START, "--period-s", PERIOD_S, *more)
    return root


def reading(meter: str, at: int, energy_wh: int, channel: str = "import") -> str:
    """A row of a file of readings: hour `at` from the start."""
    start = datetime.fromtimestamp(START_S + at * PERIOD_S, UTC)
    return f"{meter},{start:%Y-%m-%dT%H:%M:%SZ},{energy_wh},{channel}"


def energy_wh(meter: int, at: int) -> int:
    """What a meter reads in an hour from the start, Wh."""
    return 100 * meter + at


def write_readings(path: Path, rows: Iterable[str]) -> Path:
    """Write a file of readings."""
    path.write_text("\n".join(["meter,start,energy_wh,channel", *rows]) + "\n", encoding="utf-8")
    return path


def all_readings(hours: int = HOURS) -> list[str]:
    """What all meters read in the first hours; Fay is silent in the hour 3."""
    return [
        reading(name, at, energy_wh(number, at))
        for at in range(hours)
        for number, name in enumerate(NAMES)
        if (name, at) != ("Fay", 3)
    ]


def total_wh(at: int) -> int:
    """What the meters that were heard read in an hour, Wh."""
    return sum(energy_wh(number, at) for number, name in enumerate(NAMES) if (name, at) != ("Fay", 3))


def worked_off(root: Path) -> Path:
    """A community whose six meters have run over some hours."""
    founded(root)
    typed("meter", "enrol", *NAMES, "-C", root)
    path = write_readings(root.parent / "readings.csv", all_readings())
    typed("readings", "import", path, "-C", root)
    typed("run", "-C", root)
    return root


def files_of(root: Path) -> dict[str, bytes]:
    """All files below a folder with their bytes, locks left out."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("lock", "lock.mdb")
    }
