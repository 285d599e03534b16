"""Make the project's environment: a virtual environment filled from the lock, with the package in it, editable.

Rules: standard library only; what is installed is what the lock's hashes say; quick when nothing changed; changed in
place, never torn down under those who use it; two runs at once wait for each other.
"""

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = ROOT / ".venv"
LOCK: Final = ROOT / "requirements" / "dev.txt"
INSTALLER: Final = ROOT / "requirements" / "uv.txt"
OLDEST: Final = (3, 11)
NEWEST: Final = (3, 13)
STAMP: Final = "gridproof.stamp"


class SetupError(Exception):
    """The environment could not be made; the message says why and what to do."""


def supported(version: tuple[int, int]) -> bool:
    """Whether the project runs on this version of Python (major, minor)."""
    return OLDEST <= version <= NEWEST


def fingerprint() -> str:
    """What an environment depends on, as one hash: its place, the locks, the package's face and this script."""
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    face = json.dumps([str(ROOT), described["build-system"], described["project"]], sort_keys=True).encode()
    parts = [face, *(path.read_bytes() for path in (LOCK, INSTALLER, Path(__file__)))]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; a second run waits here until the first is done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder: in it the lock would go with it, and uv takes a lock of its own there.
    with folder.with_name(f"{folder.name}.lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up to finish")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Tell the person what is going on."""
    print(f"setup: {text}", flush=True)


def run(command: Sequence[str | Path], doing: str) -> None:
    """Run a command, its output shown only when it fails.

    Args:
        command: the program and its arguments.
        doing: what it is for, in a few words.

    Raises:
        SetupError: it failed.
    """
    say(doing)
    variables = {
        **os.environ,
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_PROGRESS": "1",
    }
    variables.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        [str(part) for part in command], env=variables, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SetupError(f"{doing} failed:\n{done.stdout}{done.stderr}")


def make(interpreter: str, folder: Path, uv: Path) -> bool:
    """Bring an environment up to date; return whether anything had to be done.

    Args:
        interpreter: the Python to make it for.
        folder: where it lies.
        uv: the installer; made first where it is missing and lies in the folder itself.

    Raises:
        SetupError: a step failed; run it again once the reason is gone.
    """
    stamp = folder / STAMP
    with alone(folder):
        python = folder / "bin" / "python"
        wanted = fingerprint()
        if python.exists() and stamp.is_file() and stamp.read_text() == wanted:
            return False
        stamp.unlink(missing_ok=True)
        if not python.exists():
            pip = [] if uv.is_relative_to(folder) else ["--without-pip"]
            run(
                [interpreter, "-m", "venv", "--clear", *pip, folder],
                f"making {folder.relative_to(ROOT)} with {interpreter}",
            )
        if uv.is_relative_to(folder) and not is_installed(uv):
            run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", INSTALLER], "installing uv")
        target = ["-q", "--python", str(python)]
        run(
            [uv, "pip", "sync", *target, "--require-hashes", "--strict", LOCK],
            "installing what requirements/dev.txt names",
        )
        run(
            [uv, "pip", "install", *target, "--no-deps", "--no-index", "--no-build-isolation", "-e", ROOT],
            "installing gridproof itself, editable",
        )
        stamp.write_text(wanted)
        return True


def is_installed(uv: Path) -> bool:
    """Whether uv is there in the version that requirements/uv.txt names."""
    wanted = INSTALLER.read_text().split()[0].removeprefix("uv==")
    if not uv.exists():
        return False
    told = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    return told.stdout.split()[1:2] == [wanted]


def main(arguments: Sequence[str]) -> int:
    """Make the environment in `.venv` for the Python that runs this; return the exit status."""
    parser = argparse.ArgumentParser(description="Make or update the environment in .venv from the lock.")
    parser.add_argument("--quiet", action="store_true", help="say nothing when nothing had to be done")
    options = parser.parse_args(arguments)
    version = sys.version_info[:2]
    if not supported(version):
        span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        print(
            f"setup: gridproof needs Python {span} and this is {version[0]}.{version[1]}; run `make PYTHON=python3.11`"
        )
        return 1
    try:
        changed = make(sys.executable, HOME, HOME / "bin" / "uv")
    except SetupError as problem:
        print(f"setup: {problem}", file=sys.stderr)
        return 1
    if changed or not options.quiet:
        say("the environment in .venv is ready" if changed else "nothing to do, .venv is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
