"""Stores to test, and a child process to do things in that a test's own process would not survive."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gridproof.state.store import LmdbStore, MemoryStore, Store

Child = Callable[..., str]


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else LmdbStore(str(tmp_path / "store"))
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Where an LMDB store can be made."""
    return str(tmp_path / "store")


def child_command(script: str, *arguments: str) -> list[str]:
    prelude = "import sys\nfrom gridproof.state.store import *\nfrom gridproof.state.store import lmdb_store\n"
    return [sys.executable, "-c", prelude + textwrap.dedent(script), *arguments]


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}


@pytest.fixture
def child() -> Child:
    """Run a script in a process of its own; gives what it printed."""

    def run(script: str, *arguments: str) -> str:
        done = subprocess.run(
            child_command(script, *arguments),
            capture_output=True,
            text=True,
            env=child_environment(),
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"the child ended with {done.returncode}: {done.stderr}"
        return done.stdout.strip()

    return run
