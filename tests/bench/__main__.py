"""The benchmarks: `make bench`, or `python -m tests.bench [--quick] [--only NAME] [--json FILE] [--write-docs]`.

Each script runs in a process of its own, so that none inherits another's memory. With `--write-docs` the page, its
pictures and its figures are written under `docs/`; with `--only` as well, the figures of the other scripts are those
that lie there.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from . import page
from .machine import here
from .results import Run, Section, from_json, to_json
from .section import SCRIPTS
from tests.shared import ROOT

DOCS: Final = ROOT / "docs"
MALFORMED: Final = 10_000_000


def main() -> int:
    """Run the scripts asked for, show and write what they found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What gridproof's work costs.")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that all runs, figures say little")
    parser.add_argument("--only", action="append", choices=SCRIPTS, help="run this script only; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--write-docs", action="store_true", help="write the page docs/benchmarks.md and its pictures")
    parser.add_argument("--malformed", type=int, default=MALFORMED, metavar="N", help="how many malformed transactions")
    given = parser.parse_args()
    run = Run(quick=given.quick, machine=here(), busy=os.getloadavg()[0], sections={})
    for name in given.only or SCRIPTS:
        _say(f"== {name}")
        run.sections[name] = _section(name, given.quick, given.malformed)
    if any(section.rows for section in run.sections.values()):
        _say(page.targets(run))
    if found := page.links_of(run):
        _say(page.links(found))
    if given.json:
        given.json.write_bytes(to_json(run))
    if given.write_docs:
        for path in page.write(_with_kept(run), DOCS):
            _say(f"written: {path.relative_to(ROOT)}")
    return 0


def _section(name: str, quick: bool, malformed: int) -> Section:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "section.json"
        words = ["-m", "tests.bench.section", name, str(file), "--malformed", str(malformed)]
        subprocess.run([sys.executable, *words, *(["--quick"] if quick else [])], check=True, cwd=ROOT)
        return msgspec.json.decode(file.read_bytes(), type=Section)


def _with_kept(run: Run) -> Run:
    """The run, completed by the kept figures of scripts that it left out."""
    kept = DOCS / "_static" / "bench.json"
    sections = from_json(kept.read_bytes()).sections if kept.exists() else {}
    sections |= run.sections
    return Run(
        quick=run.quick,
        machine=run.machine,
        busy=run.busy,
        sections={name: sections[name] for name in SCRIPTS if name in sections},
        pieced=len(sections) > len(run.sections),
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
