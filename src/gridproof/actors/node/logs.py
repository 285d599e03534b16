"""A node's logs: what its processes say, in files that do not grow for ever.

A file that has grown long takes the place of the one before it, `NAME.log.1`, and a new one begins; so each log takes
twice `MAX_LOG_BYTES` at the most. The supervisor writes both, for a process's own output cannot be turned from outside.
"""

import os
from collections import deque
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


class LogReader:
    """Reads a log while it grows, across its turns.

    Args:
        place: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._file: BinaryIO = place.open("rb")
        self._begun = b""  # a line that is not written to its end yet

    def last(self, lines: int) -> list[str]:
        """The last lines that are there now; to be asked first."""
        return [_text(line) for line in deque(self._file, maxlen=lines)]

    def fresh(self) -> list[str]:
        """Whole lines that came since it was last asked."""
        after = self._next()
        lines = self._read()  # also what still came before a turn
        if after is None:
            return lines
        if self._begun:
            lines.append(_text(self._begun))
        self._file.close()
        self._file, self._begun = after, b""
        return lines + self._read()

    def close(self) -> None:
        """Read no more."""
        self._file.close()

    def _read(self) -> list[str]:
        content = self._begun + self._file.read()
        end = content.rfind(b"\n") + 1
        self._begun = content[end:]
        return [_text(line) for line in content[:end].splitlines()]

    def _next(self) -> BinaryIO | None:
        """The file that took this one's place, or the same where it was emptied."""
        try:
            file = self._place.open("rb")
        except FileNotFoundError:
            return None  # it is being turned just now
        there, here = os.fstat(file.fileno()), os.fstat(self._file.fileno())
        if there.st_ino != here.st_ino or there.st_size < self._file.tell():
            return file
        file.close()
        return None


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


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
