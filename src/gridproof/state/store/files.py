"""The folder and the file of an LMDB store: made private, looked at before the database maps them, copied whole.

LMDB maps its file into memory and trusts it: reading a page that a truncated file no longer has kills the process.
So the file's two headers are read first. Layout of LMDB 0.9, in the machine's byte order: pages of `psize` bytes; pages
0 and 1 hold a header each, and the one with the greater transaction number counts:

    0  page number u64, pad u16, flags u16, bounds 2 x u16
    16 magic u32, version u32, address u64, map size u64
    40 free list's record, 48 bytes, which begins with psize u32
    88 tables' record, 48 bytes
    136 last page u64, transaction u64
"""

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lmdb import verify as walker

from .errors import (
    StoreCorruptError,
    StoreError,
    StoreExistsError,
    StoreFailedError,
    StoreFullError,
    StoreMissingError,
    StoreReadOnlyError,
)

FOLDER_MODE = 0o700
FILE_MODE = 0o600
DATA = "data.mdb"
LOCK = "lock.mdb"
PART = "data.mdb.part"

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # LMDB tells a short write as EIO
PROTECTED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})

_HEADER = struct.Struct("=16xII16xI44x48xQQ")
_MAGIC = 0xBEEFC0DE
_VERSION = 1
_PAGE_SIZES = tuple(1 << power for power in range(8, 17))


def refusal(path: str, number: int, detail: str) -> StoreError:
    """The error that tells of a failure of the operating system.

    Args:
        path: the store's folder.
        number: the system's error number.
        detail: its words.
    """
    if number in NO_ROOM:
        return StoreFullError(path=path, detail=detail)
    if number in PROTECTED:
        return StoreReadOnlyError(path=path)
    if number in ABSENT:
        return StoreMissingError(path=path)
    return StoreFailedError(path=path, detail=detail)


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn the operating system's errors into the store's.

    Raises:
        StoreError: of the kind that fits.
    """
    try:
        yield
    except OSError as cause:
        raise refusal(path, cause.errno or 0, cause.strerror or str(cause)) from cause


def make_folder(path: str) -> None:
    """Make the store's folder, for its owner only, where it is missing; one that is there stays as it is.

    Raises:
        StoreMissingError: the folder above it does not exist, or a file stands in its place.
        StoreReadOnlyError: the folder above it is protected.
    """
    with told(path):
        folder = Path(path)
        if not folder.exists():
            folder.mkdir(mode=FOLDER_MODE)
        elif not folder.is_dir():
            raise StoreMissingError(path=path)


def has_data(path: str) -> bool:
    """Whether the folder holds a store.

    Raises:
        StoreReadOnlyError: the folder may not be read.
    """
    with told(path):
        return Path(path, DATA).exists()


# --- looking before mapping ------------------------------------------------------------------------------------------


class _Header(NamedTuple):
    magic: int
    version: int
    page_size: int
    last_page: int
    transaction: int


def require_sound(path: str) -> None:
    """Hold a store's file to be a database that has all its pages.

    A file shorter than its header tells is walked page by page before it is refused, for LMDB may leave free pages
    unwritten at the end.

    Raises:
        StoreCorruptError: it is none, or lacks pages.
        StoreReadOnlyError: the file may not be read.
    """
    with told(path), Path(path, DATA).open("rb") as file:
        header = _header_at(path, file.read(_HEADER.size))
        file.seek(header.page_size)
        header = max(header, _header_at(path, file.read(_HEADER.size)), key=lambda found: found.transaction)
        size = file.seek(0, os.SEEK_END)
    if size < (header.last_page + 1) * header.page_size:
        damage = find_damage(path)
        if damage:
            raise StoreCorruptError(path=path, detail=damage[0])


def _header_at(path: str, raw: bytes) -> _Header:
    """Read one of the two headers.

    Raises:
        StoreCorruptError: it is none.
    """
    if len(raw) < _HEADER.size:
        raise StoreCorruptError(path=path, detail="the file ends before its headers do")
    header = _Header(*_HEADER.unpack(raw))
    if (header.magic, header.version) != (_MAGIC, _VERSION) or header.page_size not in _PAGE_SIZES:
        raise StoreCorruptError(path=path, detail="the file does not begin as a database does")
    return header


def find_damage(path: str) -> tuple[str, ...]:
    """Walk every page of a store's file that no process is writing; tells what is wrong, nothing if all is well.

    Takes about a second for 250 MB. What it finds is in the words of the database's own verifier.

    Raises:
        StoreMissingError: there is no store.
        StoreReadOnlyError: the file may not be read.
    """
    with told(path):
        try:
            return tuple(walker.verify(path, subdir=True))  # type: ignore[no-untyped-call]
        except walker.VerifyError as cause:
            return (str(cause),)


# --- copying ---------------------------------------------------------------------------------------------------------


@contextmanager
def copying(path: str) -> Iterator[None]:
    """Have a folder without a store in it; if what follows fails, no file of it is left.

    Raises:
        StoreExistsError: there is a store in it.
        StoreMissingError: the folder above it does not exist.
        StoreReadOnlyError: the folder above it is protected.
    """
    make_folder(path)
    if has_data(path):
        raise StoreExistsError(path=path)
    try:
        yield
    except BaseException:
        for name in (DATA, LOCK, PART):
            Path(path, name).unlink(missing_ok=True)
        raise


@contextmanager
def new_data(path: str) -> Iterator[int]:
    """A file descriptor to write a store's file to; it gets its name only when it is whole and on the disk.

    Raises:
        StoreError: of the kind that fits, when the folder or the disk does not take it.
    """
    with told(path):
        file = os.open(Path(path, PART), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            yield file
            os.fsync(file)
        finally:
            os.close(file)
        Path(path, PART).rename(Path(path, DATA))
        above = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(above)
        finally:
            os.close(above)
