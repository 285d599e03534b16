"""Resolve the dependencies anew: the universal lock of hashed requirements, without an index's address in it."""

import os
import subprocess
import sys
from collections.abc import Sequence

from tools.findings import ROOT

FOLDER = ROOT / "requirements"


def resolve(*sources: str, into: str, options: Sequence[str]) -> None:
    """Write one lock.

    Args:
        sources: what to resolve, as uv takes it.
        into: name of the lock in requirements/.
        options: further options for uv, such as `--upgrade`.

    Raises:
        CalledProcessError: uv found no solution; the old lock stays.
    """
    shape = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet")
    subprocess.run(
        [ROOT / ".venv/bin/uv", "pip", "compile", *sources, *shape, *options, "--output-file", FOLDER / into],
        cwd=ROOT,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        check=True,
    )


def main(arguments: Sequence[str]) -> int:
    """Resolve both locks, the installer's and the environment's; return the exit status."""
    resolve("requirements/uv.in", into="uv.txt", options=(*arguments, "--no-annotate"))
    resolve("pyproject.toml", into="dev.txt", options=(*arguments, "--group", "dev", "--group", "docs"))
    print("lock: requirements/ is resolved; `make setup` installs it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
