"""Runs one script in this process: `python -m tests.bench.section NAME FILE [--quick] [--malformed N]`."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from . import (
    batch,
    bills,
    content,
    curve,
    demo,
    growth,
    ledger,
    light,
    linking,
    malformed,
    month,
    network,
    profile,
    verification,
)
from .results import Section

SCRIPTS: Final[dict[str, Callable[..., Section]]] = {
    "curve": curve.run,
    "month": month.run,
    "batch": batch.run,
    "ledger": ledger.run,
    "content": content.run,
    "light": light.run,
    "bills": bills.run,
    "verification": verification.run,
    "network": network.run,
    "demo": demo.run,
    "malformed": malformed.run,
    "growth": growth.run,
    "profile": profile.run,
    "linking": linking.run,
}


def main() -> int:
    """Run the script and write what it found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.section")
    parser.add_argument("name", choices=SCRIPTS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--malformed", type=int, default=0)
    given = parser.parse_args()
    script = SCRIPTS[given.name]
    if given.name == "malformed" and given.malformed:
        script = partial(script, count=given.malformed)
    start = perf_counter()
    section = script(quick=given.quick)
    section.seconds = round(perf_counter() - start, 1)
    given.file.write_bytes(msgspec.json.encode(section))
    return 0


if __name__ == "__main__":
    sys.exit(main())
