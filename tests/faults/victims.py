"""A node whose processes can be told to fail: `python -m tests.faults.victims start FOLDER`.

It is the product's own node but for what is asked of it by files in `FOLDER/faults`, looked at when their moment comes:

| file | what it asks |
|---|---|
| `kill_at` | the name of a step: when it is reached next, the process kills itself there, once |
| `propose` | the kind of bad block that it proposes when it is its turn |
| `room` | so many bytes may the ledger's file still grow, as on a disk that fills up |
| `skew` | so many seconds is its clock ahead; with the faulty engine, that one's as well |
| `full` | the faulty engine can write nothing, as on a full disk |
| `deaf` | its supervisor does not hear that another node votes with its key |

The variable FAULTS_PROPOSE_MS lets it wait for a proposal less long than networks do.
"""

import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Final

from gridproof.actors.node import supervisor
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.serving import serve
from gridproof.actors.stopping import stopped_by_signals
from gridproof.drivers.cometbft import engine
from gridproof.drivers.cometbft.engine import EngineSettings
from gridproof.drivers.cometbft.service import Options
from gridproof.errors import GridproofError

from . import proposals
from .lab import PROPOSE
from tools.engines.faulty import VARIABLE

PAUSE_S: Final = 0.2


def faults(folder: Path) -> Path:
    """Where a node's faults lie."""
    return folder / "faults"


def tell(folder: Path, what: str, words: str) -> None:
    """Ask a fault of a node.

    Args:
        folder: the node's.
        what: the file's name.
        words: its content; empty takes it back.
    """
    place = faults(folder)
    place.mkdir(exist_ok=True)
    if not words:
        (place / what).unlink(missing_ok=True)
        return
    fresh = place / f"{what}.new"
    fresh.write_text(words)
    fresh.replace(place / what)


def asked(folder: Path, what: str) -> str:
    """What is asked of a node, or nothing."""
    try:
        return (faults(folder) / what).read_text()
    except FileNotFoundError:
        return ""


def _start(folder: Path) -> int:
    """The supervisor, with a victim under it; it never waits long, for it is killed often."""
    supervisor.FIRST_PAUSE_S = supervisor.LONGEST_PAUSE_S = PAUSE_S  # type: ignore[misc]
    os.environ[VARIABLE] = str(faults(folder))  # for the engine
    if asked(folder, "deaf"):
        supervisor._ELSEWHERE = re.compile("(?!)")  # type: ignore[misc]
    if PROPOSE in os.environ:
        supervisor.__dict__["config_file"] = _hurried(engine.config_file, int(os.environ[PROPOSE]))
    command = (sys.executable, "-m", "tests.faults.victims", "serve")
    try:
        with stopped_by_signals() as stop:
            supervisor.Supervisor(NodeFolder(folder), stop, _say, command).run()
    except GridproofError as wrong:
        _say(f"{type(wrong).__name__}: {wrong}")
        return 1
    return 0


def _hurried(config_file: Callable[[EngineSettings], bytes], propose_ms: int) -> Callable[[EngineSettings], bytes]:
    wanted = b'[consensus]\ntimeout_propose = "%dms"\n' % propose_ms

    def write(settings: EngineSettings) -> bytes:
        return config_file(settings).replace(b"[consensus]\n", wanted)

    return write


def _serve(folder: Path) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    room = asked(folder, "room")
    if room:
        size = (NodeFolder(folder).database / "data.mdb").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(room), resource.RLIM_INFINITY))

    def reached(step: str) -> None:
        if asked(folder, "kill_at") == step:
            tell(folder, "kill_at", "")
            os.kill(os.getpid(), signal.SIGKILL)

    options = Options(reached=reached, clock=lambda: int(time()) + int(asked(folder, "skew") or 0))
    factory = proposals.factory(lambda: asked(folder, "propose"))
    return 0 if serve(NodeFolder(folder), factory=factory, options=options) is None else 1


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201


if __name__ == "__main__":
    role, place = sys.argv[1], Path(sys.argv[2])
    sys.exit(_start(place) if role == "start" else _serve(place))
