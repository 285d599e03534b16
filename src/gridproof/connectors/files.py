"""Files that must be whole, durable or private.

Rules:
    F-1 A file is written beside its place, synced, renamed into it, and the folder synced: a reader or a crash finds
        the old content or the new, never a part.
    F-2 A private file has mode 0600 from its first byte on, in a folder that is made with 0700; one that its group or
        the world may read is refused, not repaired: who read it meanwhile is unknown.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from gridproof.errors import GridproofError

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
TEMPORARY_SUFFIX: Final = ".new"
_RANDOM_BYTES: Final = 4  # of a temporary file's name
LEFTOVERS: Final = f".?*.{'[0-9a-f]' * 2 * _RANDOM_BYTES}{TEMPORARY_SUFFIX}"  # what a killed writing leaves
_OTHERS: Final = 0o077


class FileError(GridproofError):
    """A file cannot be used."""


class FileMissingError(FileError):
    """There is no such file. Check the path."""

    path: str


class FileUnreadableError(FileError):
    """The file is there but cannot be read. Check its kind and its rights."""

    path: str
    detail: str


class FileTooLongError(FileUnreadableError):
    """The file is longer than one of its kind can be, so it was not read. Check that it is the right one."""


class FileUnwritableError(FileError):
    """The file was not written; what stood there before still stands. See to the cause and try again."""

    path: str
    detail: str


class FileExistsAlreadyError(FileError):
    """There is such a file already; it was left as it is. Move it away, or choose another name."""

    path: str


class FileExposedError(FileError):
    """Others than its owner may open this private file; it was not used. Run `chmod 600` on it; think who read it."""

    path: str
    mode: str


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only; one that is there stays as it is.

    Raises:
        FileUnwritableError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure


def write_whole(path: Path, content: bytes, mode: int = 0o644, *, replace: bool = True) -> None:
    """Write a file all or nothing, durably (F-1).

    Args:
        path: the file; its folder exists.
        content: all of it.
        mode: the rights of the file, less the process's mask.
        replace: whether an existing file gives way.

    Raises:
        FileExistsAlreadyError: it is there and shall not give way.
        FileUnwritableError: disk full, folder read-only and the like; the old file still stands.
    """
    temporary = temporary_beside(path)
    try:
        try:
            _write_synced(temporary, content, mode)
            if replace:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)  # unlike a rename, refuses when the name is taken
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        sync_folder(path.parent)
    except FileExistsError as taken:
        raise FileExistsAlreadyError(path=str(path)) from taken
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure


def temporary_beside(path: Path) -> Path:
    """A name beside a file's that nothing has: what a kill leaves under it is known as a leftover."""
    return path.with_name(f".{path.name}.{os.urandom(_RANDOM_BYTES).hex()}{TEMPORARY_SUFFIX}")


def read_limited(path: Path, limit: int) -> bytes:
    """Read a file that somebody wrote by hand, and that is not long.

    Args:
        path: the file.
        limit: most bytes that such a file has.

    Raises:
        FileMissingError: it is not there.
        FileTooLongError: it is too long.
        FileUnreadableError: the system refuses.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    if len(content) > limit:
        raise FileTooLongError(path=str(path), detail=f"longer than {limit} bytes")
    return content


def read_private(path: Path, limit: int) -> bytes:
    """Read a file that only its owner may open (F-2).

    Args:
        path: the file.
        limit: most bytes that such a file has.

    Raises:
        FileMissingError: it is not there.
        FileExposedError: its mode lets others read or write it.
        FileTooLongError: it is too long.
        FileUnreadableError: it is no regular file, or the system refuses.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not to wait for a pipe's writer
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor: what is checked is what is read
            _require_private(path, os.fstat(descriptor))
            content = file.read(limit + 1)
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    if len(content) > limit:
        raise FileTooLongError(path=str(path), detail=f"longer than {limit} bytes")
    return content


def require_private(path: Path) -> None:
    """Return if `path` is a regular file that only its owner may open (F-2).

    Raises:
        FileMissingError: it is not there.
        FileExposedError: its mode lets others read or write it.
        FileUnreadableError: it is no regular file.
    """
    try:
        _require_private(path, path.stat())
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing


def overwrite(descriptor: int) -> None:
    """Overwrite an open file with zeros in place, and sync it; its length stays.

    What a journal, a copy-on-write file system or a flash drive keeps elsewhere is beyond a program's reach.
    """
    size = os.fstat(descriptor).st_size
    written = 0
    while written < size:
        written += os.pwrite(descriptor, bytes(min(size - written, 1 << 20)), written)
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable.

    Raises:
        OSError: the folder cannot be opened or synced.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(path, flags, mode), "wb") as file:  # noqa: PTH123 - a descriptor, to set the mode at creation
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FileUnreadableError(path=str(path), detail="not a regular file")
    if status.st_mode & _OTHERS:
        raise FileExposedError(path=str(path), mode=f"{stat.S_IMODE(status.st_mode):04o}")
