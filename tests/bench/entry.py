"""Runs gridproof's command line in this process as a benchmark wants it: on at most two cores, watched on request.

`python -m tests.bench.entry [--profile FILE] -- WORDS...`; with `--profile` the looks of the sampler go to that file.
"""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import msgspec

from gridproof.cli.main import run

from .sampling import Sampler

CORES: Final = 2


def main(words: list[str]) -> int:
    """Run the command and return its exit code."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    at = words.index("--")
    options, command = words[:at], words[at + 1 :]
    sampler = Sampler() if options else None
    with sampler or nullcontext():
        code = run(command)
    if sampler is not None:
        Path(options[1]).write_bytes(msgspec.json.encode(sampler.profile("gridproof " + " ".join(command))))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
