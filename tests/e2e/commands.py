"""Commands as processes of their own, as a person or a script runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

PATIENCE_S: Final = 1_800 if os.environ.get("GRIDPROOF_EXPLORE") else 240
COMMAND: Final = (sys.executable, "-m", "gridproof")


class Ended(NamedTuple):
    """What a process left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object of the output."""
        assert self.out.count("\n") == 1, (self.out, self.err)
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


class Commands:
    """Runs commands in a community's folder.

    Args:
        root: the folder.
        variables: of the environment, over the process's own.
    """

    def __init__(self, root: Path, **variables: str) -> None:
        self.root = root
        self._environment = {**os.environ, **variables}

    def __call__(self, *words: object, code: int = 0) -> Ended:
        """Run a command to its end, and hold it to its exit code."""
        done = subprocess.run(
            [*COMMAND, *map(str, words)],
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert ended.code == code, (words, ended)
        assert "Traceback" not in ended.err, ended.err
        return ended

    def start(self, *words: object) -> "subprocess.Popen[str]":
        """Start a command and go on."""
        return subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
