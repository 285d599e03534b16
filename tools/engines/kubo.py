"""Kubo, the IPFS node: built by Go from a module of its own that pins every source by its hash.

A cold build takes some minutes and goes on with low priority. Go's cache of the build lies beside it until it is done,
so that a build that was interrupted goes on where it was, and is then removed.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from time import monotonic
from typing import Final

from tools.engines.cache import home
from tools.environment import SetupError, alone, say

VERSION: Final = "0.43.0"
MODULE: Final = Path(__file__).resolve().parent / "kubo_module"
PACKAGE: Final = "github.com/ipfs/kubo/cmd/ipfs"
TELL_EVERY_S: Final = 30
_PATIENCE_S: Final = 60
_SHOWN: Final = 3_000  # characters of a failed build's words


def place() -> Path:
    """Where the program lies once it is built."""
    sources = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return home() / f"kubo-{VERSION}-{hashlib.sha256(sources).hexdigest()[:12]}" / "ipfs"


def find() -> Path | None:
    """The program, if it was built and runs; None otherwise."""
    program = place()
    return program if _version(program) == VERSION else None


def install() -> Path:
    """The program, built first where it is not there yet.

    Raises:
        SetupError: it cannot be built.
    """
    with alone(place().parent):
        found = find()
        if found is not None:
            return found
        go = shutil.which("go")
        if go is None:
            raise SetupError(f"Kubo {VERSION} is built by Go, and there is no `go` here; install Go 1.26 or newer")
        return _build(go)


def _build(go: str) -> Path:
    program = place()
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh, cache = program.with_name("ipfs.new"), program.with_name("build-cache")
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false"]
    command = ["nice", "-n", "10", go, "build", *flags, "-o", str(fresh), PACKAGE]
    variables = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOCACHE": str(cache)}
    say(f"building Kubo {VERSION}, once; on two cores this takes about three minutes")
    _run(command, variables, program.with_name("build.log"))
    told = _version(fresh)
    if told != VERSION:
        raise SetupError(f"what was built for Kubo {VERSION} says that it is {told or 'nothing that runs'}")
    fresh.replace(program)
    shutil.rmtree(cache, ignore_errors=True)
    return program


def _run(command: list[str], variables: dict[str, str], log: Path) -> None:
    """Run a build that takes long, and say now and then that it goes on.

    Raises:
        SetupError: it failed.
    """
    start = monotonic()
    with (
        log.open("wb") as words,
        subprocess.Popen(
            command, cwd=MODULE, env=variables, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT
        ) as build,
    ):
        while True:
            try:
                status = build.wait(TELL_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                say(f"still building Kubo, {monotonic() - start:.0f} s")
            except BaseException:
                build.kill()
                raise
    if status:
        raise SetupError(f"building Kubo failed:\n{log.read_text(errors='replace')[-_SHOWN:]}")
    say(f"Kubo {VERSION} is ready after {monotonic() - start:.0f} s")


def _version(program: Path) -> str | None:
    """What a program says of its version; None if it is not there or does not run."""
    if not os.access(program, os.X_OK):
        return None
    try:
        told = subprocess.run(
            [program, "version", "--number"], capture_output=True, text=True, check=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip()
