"""Whether a network stands still: transactions wait, and no block comes."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic, sleep, time
from typing import Final

from .folder import NodeFolder
from .running import NodeStatus, status_of
from .settings import load
from .words import words_of_standstill

AGAIN_S: Final = 6.0  # longer than a proposer that is down holds up the first block after a rest
LOOK_S: Final = 0.5


def standstill_of(folder: NodeFolder, status: NodeStatus, clock: Callable[[], float] = time) -> str:
    """That a node's network stands still, in words; empty where it does not.

    The last block of a network at rest is old as well, and its first transaction waits a moment: where it looks like a
    standstill it is looked at again for some seconds, whether a block comes.

    Args:
        folder: the node's.
        status: how it is.
        clock: UTC epoch seconds.

    Raises:
        NoNodeError: there is none in the folder.
        NodeSettingsError, FileError: its settings cannot be read.
    """
    if not status.height or status.catching_up or not status.waiting:
        return ""
    age_s = _age_s(status, clock)
    if age_s is None or age_s < load(folder.root).watch.stall_s:
        return ""
    again, deadline = status, monotonic() + AGAIN_S
    while monotonic() < deadline:
        sleep(LOOK_S)
        again = status_of(folder)
        if again.height != status.height or not again.waiting:
            return ""
    return words_of_standstill(status.height, round(age_s), again.waiting)


def _age_s(status: NodeStatus, clock: Callable[[], float]) -> float | None:
    """How long ago the last block was made, seconds; None where the engine tells no time."""
    try:
        return clock() - datetime.fromisoformat(status.time).timestamp()
    except (ValueError, OverflowError):
        return None
