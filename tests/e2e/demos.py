"""Running the demonstration as people do, in a process of its own, and reading what it left."""

import csv
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_S = 600
PERIOD_S = 900


class Ran(NamedTuple):
    """What a run gave.

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
        told: dict[str, Any] = json.loads(self.out)
        return told


@contextmanager
def confined(cores: int | None) -> Iterator[None]:
    """Let this thread, and what it starts, use so many cores; code of its own in the fork might meet a held lock."""
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    kept = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(kept)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, kept)


def demo(*options: object, cores: int | None = None, **environment: str) -> Ran:
    """Run `gridproof demo`.

    Args:
        options: its options.
        cores: how many it may use at most; all when None.
        environment: in place of this process's.
    """

    with confined(cores):
        done = subprocess.run(
            [sys.executable, "-m", "gridproof", "demo", *map(str, options)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, **environment},
        )
    return Ran(done.returncode, done.stdout, done.stderr)


def told_periods(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """What the demonstration says of each slot."""
    periods: list[dict[str, Any]] = json.loads(Path(summary["periods_file"]).read_text(encoding="utf-8"))
    return periods


def told_bills(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """What the demonstration says of each bill."""
    bills: list[dict[str, Any]] = json.loads(Path(summary["bills_file"]).read_text(encoding="utf-8"))
    return bills


def readings_of(path: Path) -> dict[int, dict[str, int]]:
    """A file's import readings by period and meter, read without any of the product's code."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            k = int(datetime.fromisoformat(row["start"]).timestamp()) // PERIOD_S
            found[k][row["meter"]] = int(row["energy_wh"])
    return found
