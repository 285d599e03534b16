"""`python -m tests.faults`: break networks as often as asked, and write down what came of it."""

import argparse
import json
import os
import platform
import shutil
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from time import monotonic
from typing import Any, Final

from gridproof import __version__
from gridproof.drivers.cometbft.engine import VERSION

from .rows import BY_NAME, ROWS
from .trial import Row, Trial

REPORT: Final = Path("build") / "faults.json"


def main(arguments: Sequence[str]) -> int:
    """Run rows and write the report; 1 where something else came of one than must."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Break networks of real nodes.")
    parser.add_argument("--row", action="append", choices=list(BY_NAME), help="a row of the table; all by default")
    parser.add_argument("--times", type=int, help="how often; each row's own number by default")
    parser.add_argument("--fast", action="store_true", help="as often as the tests do")
    parser.add_argument("--seed", type=int, default=1, help="of all chance")
    parser.add_argument("--report", type=Path, default=REPORT, help="a JSON file; rows that it has already are kept")
    parser.add_argument("--keep", action="store_true", help="keep the nodes' folders where something went wrong")
    parser.add_argument("--quiet", action="store_true", help="tell of each row only")
    given = parser.parse_args(arguments)
    report = _read(given.report)
    wrong = 0
    for row in [BY_NAME[name] for name in given.row] if given.row else ROWS:
        times = given.times or (row.fast if given.fast else row.full)
        told = run(row, times, given.seed, keep=given.keep, quiet=given.quiet)
        report["rows"][row.name] = told
        wrong += bool(told["finding"])
        report |= {"program": __version__, "engine": VERSION, "machine": _machine()}
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(json.dumps(report, indent=2) + "\n")
        given.report.with_suffix(".md").write_text(table(report))
    print(f"report: {given.report}, {given.report.with_suffix('.md')}")  # noqa: T201
    return 1 if wrong else 0


def run(row: Row, times: int, seed: int, *, keep: bool, quiet: bool) -> dict[str, Any]:
    """Run a row; what came of it.

    Args:
        row: which.
        times: how often.
        seed: of all chance.
        keep: whether the nodes' folders stay where something went wrong.
        quiet: whether nothing is told on the way.
    """
    began = monotonic()

    def say(words: str) -> None:
        print(f"{monotonic() - began:8.1f} s  {row.name}: {words}", flush=True)  # noqa: T201

    say(f"{times} times")
    finding = ""
    folder = Path(mkdtemp(prefix="faults-"))
    trial = Trial(folder, times, seed, (lambda _words: None) if quiet else say)
    try:
        row.run(trial)
    except Exception as failure:  # noqa: BLE001 - the finding that all this is for
        finding = f"{type(failure).__name__}: {failure}"
        traceback.print_exc()
    if not (keep and finding):
        shutil.rmtree(folder, ignore_errors=True)
    say(finding.splitlines()[0] if finding else "as it must be")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "times": times,
        "seed": seed,
        "took_s": round(monotonic() - began),
        "counts": dict(trial.counts),
        "seconds": {what: _figures(values) for what, values in trial.seconds.items()},
        "finding": finding,
    }


def table(report: dict[str, Any]) -> str:
    """The report for people, as a table in Markdown."""
    lines = [
        f"gridproof {report['program']}, CometBFT {report['engine']}, {report['machine']}.",
        "",
        "| fault | must come of it | counted | seconds | came of it | on |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        told = report["rows"].get(row.name)
        if told is None:
            continue
        counts = "; ".join(f"{what} {number:,}" for what, number in told["counts"].items())
        seconds = "; ".join(
            f"{what}: median {each['median']}, most {each['most']} of {each['count']}"
            for what, each in told["seconds"].items()
        )
        came = told["finding"].splitlines()[0] if told["finding"] else "as it must"
        lines.append(f"| {row.fault} | {row.outcome} | {counts} | {seconds} | {came} | {told['date']} |")
    return "\n".join(lines) + "\n"


def _figures(values: Sequence[float]) -> dict[str, float]:
    return {"count": len(values), "median": round(median(values), 1), "most": round(max(values), 1)}


def _read(path: Path) -> dict[str, Any]:
    """A report that is there already, or an empty one."""
    if not path.exists():
        return {"rows": {}}
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
