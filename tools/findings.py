"""What the gates share: findings, the files to look at, and a report in one form."""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
GENERATED = "_pb2.py"  # what the compiler of .proto files makes


class Finding(NamedTuple):
    """A place that breaks a rule.

    Attributes:
        path: the file, relative to the project's root where it lies in it.
        line: its line, counted from 1.
        rule: the rule's short name.
        text: what is wrong, and what to write instead.
    """

    path: Path
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def python_files(places: Iterable[Path]) -> Iterator[Path]:
    """All Python files in the given files and folders that people wrote, in the order of their names."""
    for place in places:
        if place.is_dir():
            found = (path for path in place.rglob("*.py") if "__pycache__" not in path.parts)
            yield from sorted(path for path in found if not path.name.endswith(GENERATED))
        else:
            yield place


def tracked_files(root: Path = ROOT) -> list[Path]:
    """The files that git keeps or would keep: tracked ones, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    names = sorted(set(listed.stdout.decode().split("\0")) - {""})
    return [root / name for name in names if (root / name).is_file()]


def relative(path: Path) -> Path:
    """The path as people write it: from the project's root where it lies in it."""
    absolute = path.resolve()
    return absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else path


def report(gate: str, looked_at: int, findings: Sequence[Finding]) -> int:
    """Print the findings and a closing line.

    Args:
        gate: the gate's name.
        looked_at: how many files it read.
        findings: what it found.

    Returns:
        The exit status: 0 without findings, 1 with some.
    """
    for finding in findings:
        print(finding)
    verdict = f"{len(findings)} to mend" if findings else "all well"
    print(f"{gate}: {looked_at} files, {verdict}")
    return 1 if findings else 0
