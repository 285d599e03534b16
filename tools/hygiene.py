"""Keep what is committed free of places that exist on one machine only.

Rules, each with its short name:

1. `registry`: no address of a package index: locks hold hashes, and each machine knows its own index.
2. `machine-path`: no path of somebody's home or workplace.
3. `size`: no file above 1 MiB; what is large is made by a script or stays outside.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.findings import ROOT, Finding, relative, report, tracked_files

MAX_BYTES: Final = 2**20
# Written in pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS: Final = (
    *(
        "pypi" + ".org",
        "python" + "hosted.org",
        "npmjs" + r"\.(?:org|com)",
        "registry.yarn" + "pkg",
        "conda." + "anaconda",
    ),
    *(
        "proxy.golang" + ".org",
        "crates" + ".io",
        "maven" + r"\.(?:org|apache)",
        "--(?:extra-)?index" + "-url",
        "--find" + "-links",
    ),
)
MACHINE_ROOTS: Final = ("/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/[a-z]", "/Us" + "ers/[A-Za-z]", r"C:\\Us" + "ers")
PATTERNS: Final = (
    ("registry", re.compile("|".join(REGISTRY_HOSTS)), "the address of a package index"),
    ("machine-path", re.compile(r"(?<![\w.~-])(?:" + "|".join(MACHINE_ROOTS) + ")"), "a path of one machine"),
)


def check_text(text: str, path: Path) -> list[Finding]:
    """Check one file's text against rules 1 and 2.

    Args:
        text: the file's text.
        path: the file, for the findings.
    """
    return [
        Finding(path, number, rule, f"{what}: {match.group()}")
        for number, line in enumerate(text.splitlines(), start=1)
        for rule, pattern, what in PATTERNS
        for match in pattern.finditer(line)
    ]


def check_file(path: Path) -> list[Finding]:
    """Check one file against all rules; of a file that is no text only the size."""
    content = path.read_bytes()
    found = []
    if len(content) > MAX_BYTES:
        found.append(Finding(relative(path), 1, "size", f"{len(content)} bytes"))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return found
    return found + check_text(text, relative(path))


def main(arguments: Sequence[str]) -> int:
    """Check the given files, or all that git keeps; return the exit status."""
    files = [Path(argument) for argument in arguments] or tracked_files(ROOT)
    return report("hygiene", len(files), [finding for path in files for finding in check_file(path)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
