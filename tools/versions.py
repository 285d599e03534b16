"""Run the unit tests on every other Python of this machine that the project supports.

Pythons are found on the PATH (every folder of it, every name from python3 to python3.13) and among pyenv's versions, as
its shims hide those; each is asked what it is, and one is taken for each minor version. Each gets an environment of its
own from the same lock, in `.venv/py3.12` and so on, kept for the next time.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.environment import HOME, NEWEST, OLDEST, ROOT, SetupError, make, say, supported

QUESTION = (
    "import sys, sysconfig;"
    "plain = sys.implementation.name == 'cpython' and not sysconfig.get_config_var('Py_GIL_DISABLED');"
    "print(*sys.version_info[:2], int(plain), sys.executable)"
)
PATIENCE_S = 20


def candidates(path: str, pyenv_root: Path | None) -> Iterator[Path]:
    """Files that may be a Python: on the PATH, and among pyenv's versions.

    Args:
        path: folders, separated as in PATH.
        pyenv_root: where pyenv lies, if it is there.
    """
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))]
    folders = [Path(folder) for folder in path.split(os.pathsep) if folder]
    if pyenv_root is not None:
        folders += sorted(pyenv_root.glob("versions/*/bin"))
    for folder in folders:
        yield from (folder / name for name in names if os.access(folder / name, os.X_OK))


def pyenv_root() -> Path | None:
    """Where pyenv keeps its versions; None where it is not installed."""
    try:
        told = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    except (OSError, subprocess.SubprocessError):
        named = os.environ.get("PYENV_ROOT", "")
        return Path(named) if named else None
    return Path(told.stdout.strip())


def ask(candidate: Path) -> tuple[tuple[int, int], str] | None:
    """A Python's version and its own path; None if it does not run, or is no usual CPython."""
    try:
        told = subprocess.run(
            [candidate, "-c", QUESTION], capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        major, minor, is_plain, executable = told.stdout.split(maxsplit=3)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return ((int(major), int(minor)), executable.strip()) if int(is_plain) else None


def interpreters() -> dict[tuple[int, int], str]:
    """The supported Pythons of this machine by version, the first found of each."""
    found: dict[tuple[int, int], str] = {}
    for candidate in candidates(os.environ.get("PATH", ""), pyenv_root()):
        answer = ask(candidate)
        if answer is not None and supported(answer[0]):
            found.setdefault(*answer)
    return dict(sorted(found.items()))


def test_on(version: tuple[int, int], interpreter: str, tests: Sequence[str]) -> int:
    """Make a version's environment and run tests in it; return the exit status.

    Args:
        version: major and minor.
        interpreter: the Python.
        tests: what to hand to pytest.

    Raises:
        SetupError: the environment could not be made.
    """
    name = f"{version[0]}.{version[1]}"
    print(f"== unit tests on Python {name} ({interpreter})", flush=True)
    folder = HOME / f"py{name}"
    if make(interpreter, folder, HOME / "bin" / "uv"):
        say(f"the environment for Python {name} is ready")
    options = ["-q", "-n", "auto", "--maxprocesses=8", "-p", "no:cacheprovider"]
    command = [str(folder / "bin" / "python"), "-m", "pytest", *options]
    return subprocess.run([*command, *tests], cwd=ROOT, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Run the unit tests on each Python but the one that runs this; return the exit status."""
    tests = list(arguments) or ["tests/unit"]
    here = sys.version_info[:2]
    others = {version: path for version, path in interpreters().items() if version != here}
    if not others:
        print(f"== no other Python from 3.{OLDEST[1]} to 3.{NEWEST[1]} on this machine")
    for version, path in others.items():
        try:
            status = test_on(version, path, tests)
        except SetupError as problem:
            print(f"versions: {problem}", file=sys.stderr)
            status = 1
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
