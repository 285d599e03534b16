"""The store in memory: the twin for tests and demonstrations, gone with its process.

A write makes new copies of the tables it changes and then takes their place in one step, so snapshots cost nothing,
need no lock, and stay as they are. The price is a copy of the changed tables for every write.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing
from types import TracebackType
from typing import Self

from .errors import StoreClosedError
from .files import copying
from .lmdb_store import LmdbStore
from .port import Changes, Table, require_key, require_storable, scan_start


class _Sheet:
    """One table at one moment; never changed."""

    __slots__ = ("_order", "entries")

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self.entries = entries
        self._order: list[bytes] | None = None

    @property
    def order(self) -> list[bytes]:
        """The keys, ascending; sorted when first asked for."""
        if self._order is None:
            self._order = sorted(self.entries)
        return self._order


class MemorySnapshot:
    """A memory store at one moment (see `port.Snapshot`)."""

    def __init__(self, store: "MemoryStore", sheets: dict[Table, _Sheet]) -> None:
        self._store = store
        self._sheets = sheets
        self._closed = False

    def _require_open(self) -> None:
        if self._closed or self._store.closed:
            raise StoreClosedError

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value under a key, or None.

        Raises:
            KeySizeError: the key is empty or too long.
            StoreClosedError: the snapshot or its store was closed.
        """
        require_key(table, key)
        self._require_open()
        return self._sheets[table].entries.get(key)

    def scan(self, table: Table, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, from `start` on, ascending, with their values.

        Raises:
            KeySizeError: `prefix` or `start` is too long.
            StoreClosedError: the snapshot or its store was closed.
        """
        first = scan_start(table, prefix, start)
        self._require_open()
        return self._walk(self._sheets[table], prefix, first)

    def _walk(self, sheet: _Sheet, prefix: bytes, first: bytes) -> Iterator[tuple[bytes, bytes]]:
        order = sheet.order
        for index in range(bisect_left(order, first), len(order)):
            self._require_open()
            key = order[index]
            if not key.startswith(prefix):
                return
            yield key, sheet.entries[key]

    def close(self) -> None:
        """Let the moment go. Closing again does nothing."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryStore:
    """A store that lives as long as its process (see `port.Store`)."""

    def __init__(self) -> None:
        self._sheets = {table: _Sheet({}) for table in Table}
        self.closed = False

    def _require_open(self) -> None:
        if self.closed:
            raise StoreClosedError

    def snapshot(self) -> MemorySnapshot:
        """The store as the last write left it.

        Raises:
            StoreClosedError: the store was closed.
        """
        self._require_open()
        return MemorySnapshot(self, self._sheets)

    def write(self, changes: Changes) -> None:
        """Make all changes, or none.

        Raises:
            KeySizeError: a key is empty or too long.
            EmptyValueError: a value is empty.
            StoreClosedError: the store was closed.
        """
        self._require_open()
        require_storable(changes)
        sheets = dict(self._sheets)
        for table, entries in changes.items():
            copy = dict(sheets[table].entries)
            for key, value in entries.items():
                if value is None:
                    copy.pop(key, None)
                else:
                    copy[key] = value
            sheets[table] = _Sheet(copy)
        self._sheets = sheets

    def copy_to(self, path: str) -> None:
        """Copy the store as it is now into a folder, as an LMDB store.

        Raises:
            StoreExistsError: there is a store in the folder already.
            StoreMissingError: the folder above `path` does not exist.
            StoreFullError: the disk is full; nothing is left of the copy.
            StoreReadOnlyError: the folder is protected.
            StoreClosedError: the store was closed.
        """
        self._require_open()
        sheets = self._sheets
        with copying(path), closing(LmdbStore(path)) as copy:
            copy.write({table: sheet.entries for table, sheet in sheets.items()})

    def close(self) -> None:
        """Let the store go, and its snapshots with it. Closing again does nothing."""
        self.closed = True
