"""A node's logs: what its processes say, in files that do not grow for ever.

A file that has grown long takes the place of the one before it, `NAME.log.1`, and a new one begins; so each log takes
twice `MAX_LOG_BYTES` at the most. The supervisor writes both, for a process's own output cannot be turned from outside.
"""

from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import IO, BinaryIO, Final

MAX_LOG_BYTES: Final = 50 * 2**20
MAX_LINE: Final = 2**16  # a longer one is written in parts


class TurnedLog:
    """A log that begins anew whenever it has grown long.

    Args:
        place: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._file = self._open()

    def write(self, line: bytes) -> None:
        """Take a line down; a log that cannot be written, as on a full disk, must not hold the process up."""
        with suppress(OSError):
            if self._file.tell() > MAX_LOG_BYTES:
                fresh = self._open()  # before the other is let go of: the disk may be full
                self._file.close()
                self._file = fresh
            self._file.write(line)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _open(self) -> BinaryIO:
        turn(self._place)
        return self._place.open("ab", buffering=0)


def take_down(source: IO[bytes], place: Path) -> Thread:
    """Write what a process says to a log until it ends.

    Args:
        source: its output; closed at the end.
        place: the log.

    Returns:
        The thread that does so.

    Raises:
        OSError: the log cannot be opened.
    """
    log = TurnedLog(place)

    def read() -> None:
        with closing(log), source:
            while line := source.readline(MAX_LINE):
                log.write(line)

    reader = Thread(target=read, name="log", daemon=True)
    reader.start()
    return reader


def turn(log: Path) -> None:
    """Begin a log anew where it has grown long; the one before is kept."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
