"""Become another program that is killed when the one that started it dies: `tether.py PARENT PROGRAM ARGUMENT...`.

So a test runner that is killed leaves no service behind, to which the next run would talk. Linux only.
"""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent, and run the command in its place.

    Args:
        parent: the process that must be there.
        command: a program's path and arguments.

    Raises:
        OSError: it cannot be run.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before it could be tied to
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
