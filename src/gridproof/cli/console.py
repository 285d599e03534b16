"""How commands speak: to people in words and tables, to programs in one JSON object, and never in both at once.

Results go to standard output. Progress, notes and errors go to standard error, so that a pipe gets the result alone; on
a terminal progress is a bar, elsewhere plain lines.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gridproof.errors import GridproofError, Refusal

PLAIN_LINE_EVERY_S = 2.0
PIPE_WIDTH = 1_000  # nothing is cut for those who read a pipe

Step = Callable[[int, int], None]
"""Told how far a piece of work is: (done, total)."""


class Speaker:
    """Says a command's result.

    Args:
        as_json: whether to print one JSON object instead of words.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.words = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
        self._notes = Console(stderr=True, highlight=False, soft_wrap=True)

    def result(self, value: Mapping[str, Any], tell: Callable[[Console], None]) -> None:
        """Say a result: `value` as JSON, or whatever `tell` prints."""
        if self.as_json:
            print(json.dumps(value, default=_plain, ensure_ascii=False))
        else:
            tell(self.words)

    def note(self, text: str) -> None:
        """Say something beside the result; programs are not told."""
        if not self.as_json:
            self._notes.print(text)

    @contextmanager
    def progress(self, title: str) -> Iterator[Step]:
        """Show how a piece of work goes on: a bar on a terminal, a line now and then in a pipe."""
        if self._notes.is_terminal and not self.as_json:
            yield from self._bar(title)
        else:
            yield self._lines(title)

    def _bar(self, title: str) -> Iterator[Step]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._notes, transient=True) as shown:
            task = shown.add_task(title, total=None)
            yield lambda done, total: shown.update(task, completed=done, total=total)

    def _lines(self, title: str) -> Step:
        last_s = time.monotonic()

        def step(done: int, total: int) -> None:
            nonlocal last_s
            if not self.as_json and (time.monotonic() - last_s >= PLAIN_LINE_EVERY_S):
                last_s = time.monotonic()
                self._notes.print(f"{title}: {done} of {total}")

        return step


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; columns whose name begins with `#` hold numbers."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name.removeprefix("#"), justify="right" if name.startswith("#") else "left", overflow="fold")
    return made


def say_error(error: GridproofError, *, as_json: bool) -> None:
    """Say in one sentence what went wrong and what to do; as JSON with the particulars."""
    sentence = printable(str(error))
    if as_json:
        told: dict[str, Any] = {"error": type(error).__name__, "sentence": sentence, "particulars": error.particulars}
        if isinstance(error, Refusal):
            told["code"] = error.code
        print(json.dumps(told, default=_plain, ensure_ascii=False))
    print(f"gridproof: {sentence}", file=sys.stderr)


def say_wait(sentence: str) -> None:
    """Say that something takes long, beside the result, to whoever reads words or JSON."""
    with suppress(OSError):  # who has hung up need not hear it
        print(f"gridproof: {sentence}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text on one line: what came from a file or the command line shall not steer a terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "_asdict"):
        return value._asdict()
    return str(value)
