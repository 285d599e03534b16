"""`python -m tools.engines NAME...`: have engines ready, and print their paths.

With `--for-tests` all of them; one that cannot be had is named and passed over, except where CI=true.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

from tools.engines import chromium, cometbft, faulty, kubo, light
from tools.environment import SetupError

ENGINES: Final[dict[str, Callable[[], Path]]] = {
    "cometbft": cometbft.install,
    "light": light.install,
    "faulty": faulty.install,
    "kubo": kubo.install,
    "chromium": chromium.install,
}


def main(arguments: Sequence[str]) -> int:
    """Have the engines ready and print their paths, one a line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.engines", description="Real services for tests.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--for-tests", action="store_true", help="all; what cannot be had is passed over outside CI")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in ENGINES]
    if unknown or not (given.names or given.for_tests):
        parser.error(f"name one or more of {', '.join(ENGINES)}")
    missing = 0
    for name in given.names or ENGINES:
        try:
            with redirect_stdout(sys.stderr):  # so that standard output holds nothing but paths
                path = ENGINES[name]()
        except SetupError as problem:
            print(f"engines: {problem}", file=sys.stderr)
            missing += 1
        else:
            print(path)
    if given.for_tests and missing and not _in_ci():
        print("engines: tests that need what is missing will be skipped", file=sys.stderr)
        return 0
    return 1 if missing else 0


def _in_ci() -> bool:
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
