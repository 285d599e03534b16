"""The demonstration as a user runs it: its time, its memory, and where the time goes."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter
from typing import Final, NamedTuple

import msgspec

from .measure import Spread
from .results import NOT_THERE, Figure, Profile, Row, Section

LIMIT_S: Final = 60.0
LIMIT_GIB: Final = 1.0
PATIENCE_S: Final = 600
LOOK_S: Final = 0.1
PAGE_BYTES: Final = 4_096


class _Outcome(NamedTuple):
    seconds: float
    peak_bytes: int
    told: dict[str, object]


class _Watch(Thread):
    """Looks at the memory of a process and its descendants; pages that they share count for each of them.

    Args:
        process: its id.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._process = process
        self._over = Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(LOOK_S):
            self.peak_bytes = max(self.peak_bytes, sum(map(_resident, _family(self._process))))

    def stop(self) -> int:
        """Stop looking; gives the most that was seen, bytes."""
        self._over.set()
        self.join()
        return self.peak_bytes


def _family(process: int) -> list[int]:
    found, left = [], [process]
    while left:
        member = left.pop()
        found.append(member)
        try:
            for children in Path(f"/proc/{member}/task").glob("*/children"):
                left += map(int, children.read_text().split())
        except OSError:  # it ended meanwhile
            continue
    return found


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _run(words: list[str], *options: str) -> _Outcome:
    command = [sys.executable, "-m", "tests.bench.entry", *options, "--", *words]
    start = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        watch = _Watch(process.pid)
        watch.start()
        said, complained = process.communicate(timeout=PATIENCE_S)
        seconds, peak = perf_counter() - start, watch.stop()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}: {complained.decode()[-2_000:]}")
    return _Outcome(seconds, peak, msgspec.json.decode(said))


def _is_there() -> bool:
    command = [sys.executable, "-m", "tests.bench.entry", "--", "demo", "--help"]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def run(*, quick: bool) -> Section:
    """Run the demonstration twice: once for its time and memory, once under the sampler."""
    households, periods = (6, 4) if quick else (100, 96)
    name = f"demo after set-up, {households} households x {periods} periods"
    section = Section()
    outcome: _Outcome | None = None
    if _is_there():
        with TemporaryDirectory() as folder:
            words = ["demo", "--households", str(households), "--periods", str(periods), "--seed", "1", "--json"]
            outcome = _run([*words, "--dir", str(Path(folder) / "timed")])
            looks = Path(folder) / "looks.json"
            _run([*words, "--dir", str(Path(folder) / "watched")], "--profile", str(looks))
            seen = msgspec.json.decode(looks.read_bytes(), type=Profile)
        section.profiles.append(msgspec.structs.replace(seen, title=name))
        section.figures += [
            Figure(f"demo: {what}", "", Spread.of([float(str(outcome.told[what]))]))
            for what in ("records", "missing", "height")
            if what in outcome.told
        ]
    measured = None if outcome is None else Spread.of([outcome.seconds])
    memory = None if outcome is None else Spread.of([outcome.peak_bytes / 2**30])
    note = NOT_THERE if outcome is None else "Python's start and imports included"
    limits = (("< 60 s on two cores", "s", LIMIT_S, measured), ("< 1 GiB", "GiB", LIMIT_GIB, memory))
    for target, unit, limit, actual in limits:
        section.rows.append(Row(work=name, target=target, unit=unit, limit=limit, actual=actual, note=note))
    return section
