"""The durable store: one LMDB environment in a folder of its own, a named database for every table.

1. A write is one transaction of the database, on the disk when it returns.
2. The map never has to grow: it spans 1 TiB of addresses from the start, or as much of that as the system grants. The
   file takes only what is used. (Growing it later would need every reader to stop, in all threads.)
3. The file is looked at before it is mapped (see `files`): a truncated one is refused rather than read.
4. The folder is made with mode 0700, the files with 0600.
"""

import errno
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import lmdb

from .errors import (
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreInUseError,
    StoreMissingError,
    StoreReadOnlyError,
    TooManySnapshotsError,
)
from .files import FILE_MODE, copying, has_data, make_folder, new_data, refusal, require_sound
from .port import MAX_KEY_BYTES, Changes, Table, require_key, require_storable, scan_start

MAP_BYTES = 1 << 40
LEAST_MAP_BYTES = 1 << 28
MAX_SNAPSHOTS = 1024

_DAMAGED = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.VersionMismatchError)


def _refusal(path: str, cause: lmdb.Error) -> StoreError:
    """The store's error for one of the database."""
    if isinstance(cause, _DAMAGED):
        return StoreCorruptError(path=path, detail=str(cause))
    if isinstance(cause, lmdb.MapFullError):
        return StoreFullError(path=path, detail=str(cause))
    if isinstance(cause, lmdb.ReadonlyError):
        return StoreReadOnlyError(path=path)
    if isinstance(cause, lmdb.ReadersFullError):
        return TooManySnapshotsError(limit=MAX_SNAPSHOTS)
    if type(cause) is lmdb.Error and cause.code == 0:  # the binding's own words, not the database's
        return StoreInUseError(path=path) if "already open" in str(cause) else StoreClosedError()
    return refusal(path, cause.code, str(cause))


def _open(path: str, *, read_only: bool) -> lmdb.Environment:
    """Open the environment with the largest map that the system grants.

    Raises:
        StoreError: of the kind that fits.
    """
    size = MAP_BYTES
    while True:
        try:
            return lmdb.open(
                path,
                map_size=size,
                readonly=read_only,
                create=not read_only,
                mode=FILE_MODE,
                max_dbs=len(Table),
                max_readers=MAX_SNAPSHOTS,
            )
        except lmdb.Error as cause:
            if cause.code != errno.ENOMEM or size <= LEAST_MAP_BYTES:
                raise _refusal(path, cause) from cause
        size >>= 1


class LmdbSnapshot:
    """A durable store at one moment (see `port.Snapshot`)."""

    __slots__ = ("_databases", "_path", "_transaction")

    def __init__(self, path: str, transaction: "lmdb.Transaction[bytes]", databases: "list[lmdb._Database]") -> None:
        self._path = path
        self._transaction = transaction
        self._databases = databases

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value under a key, or None.

        Raises:
            KeySizeError: the key is empty or too long.
            StoreClosedError: the snapshot or its store was closed.
            StoreCorruptError: the file is damaged.
        """
        if not 0 < len(key) <= MAX_KEY_BYTES:
            require_key(table, key)
        try:
            return self._transaction.get(key, db=self._databases[table])
        except lmdb.Error as cause:
            raise _refusal(self._path, cause) from cause

    def scan(self, table: Table, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, from `start` on, ascending, with their values.

        Raises:
            KeySizeError: `prefix` or `start` is too long.
            StoreClosedError: the snapshot or its store was closed.
            StoreCorruptError: the file is damaged.
        """
        first = scan_start(table, prefix, start)
        try:
            cursor = self._transaction.cursor(self._databases[table])
        except lmdb.Error as cause:
            raise _refusal(self._path, cause) from cause
        return self._walk(cursor, prefix, first)

    def _walk(self, cursor: "lmdb.Cursor[bytes]", prefix: bytes, first: bytes) -> Iterator[tuple[bytes, bytes]]:
        try:
            if not cursor.set_range(first):
                return
            for key, value in cursor:
                if not key.startswith(prefix):
                    return
                yield key, value
        except lmdb.Error as cause:
            raise _refusal(self._path, cause) from cause

    def close(self) -> None:
        """Let the moment go. Closing again does nothing."""
        self._transaction.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LmdbStore:
    """A store in a folder (see `port.Store`).

    Args:
        path: the folder; made if it is missing and the folder above it is there.
        read_only: open what is there, and never write. The folder must be writable all the same: readers make
            themselves known to the writer in a file there.

    Raises:
        StoreMissingError: the folder above `path` does not exist; read-only, there is no store.
        StoreCorruptError: the file is truncated or no database.
        StoreReadOnlyError: folder or files are protected.
        StoreInUseError: this process has the store open already.
        StoreFullError: the disk is full.
    """

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self._path = path
        if not read_only:
            make_folder(path)
        if has_data(path):
            require_sound(path)
        elif read_only:
            raise StoreMissingError(path=path)
        self._environment = _open(path, read_only=read_only)
        try:
            self._environment.reader_check()
            self._databases = self._tables(create=not read_only)
        except lmdb.Error as cause:
            self._environment.close()
            if isinstance(cause, lmdb.NotFoundError):
                raise StoreMissingError(path=path) from cause
            raise _refusal(path, cause) from cause

    def _tables(self, *, create: bool) -> "list[lmdb._Database]":
        """Every table's database, under the table's number; under 0 the nameless one that lists them."""
        names = (b"%d" % number if number else None for number in range(max(Table) + 1))
        return [self._environment.open_db(name, create=create) for name in names]

    def snapshot(self) -> LmdbSnapshot:
        """The store as the last write left it.

        Raises:
            TooManySnapshotsError: too many are open.
            StoreClosedError: the store was closed.
        """
        try:
            return LmdbSnapshot(self._path, self._environment.begin(), self._databases)
        except lmdb.Error as cause:
            raise _refusal(self._path, cause) from cause

    def write(self, changes: Changes) -> None:
        """Make all changes, or none.

        Raises:
            KeySizeError: a key is empty or too long.
            EmptyValueError: a value is empty.
            StoreFullError: the disk is full.
            StoreReadOnlyError: the store was opened for reading, or its files are protected.
            StoreClosedError: the store was closed.
        """
        require_storable(changes)
        try:
            with self._environment.begin(write=True) as transaction:
                put, delete = transaction.put, transaction.delete
                for table, entries in changes.items():
                    database = self._databases[table]
                    for key, value in entries.items():
                        if value is None:
                            delete(key, db=database)
                        else:
                            put(key, value, db=database)
        except lmdb.Error as cause:
            raise _refusal(self._path, cause) from cause

    def copy_to(self, path: str) -> None:
        """Copy the store as it is now into a folder, without its free pages; writing may go on meanwhile.

        Raises:
            StoreExistsError: there is a store in the folder already.
            StoreMissingError: the folder above `path` does not exist.
            StoreFullError: the disk is full; nothing is left of the copy.
            StoreReadOnlyError: the folder is protected.
            StoreClosedError: the store was closed.
        """
        with copying(path), new_data(path) as file:
            try:
                self._environment.copyfd(file, compact=True)
            except lmdb.Error as cause:
                raise _refusal(path, cause) from cause

    def size_bytes(self) -> int:
        """Size of the database: all pages up to the last one that was ever written.

        Raises:
            StoreClosedError: the store was closed.
        """
        try:
            page_size: int = self._environment.stat()["psize"]
            last: int = self._environment.info()["last_pgno"]
        except lmdb.Error as cause:
            raise _refusal(self._path, cause) from cause
        return (last + 1) * page_size

    def close(self) -> None:
        """Let the store go, and its snapshots with it; no thread may be using them. Closing again does nothing."""
        self._environment.close()
