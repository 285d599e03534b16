"""What a store is: ordered tables of bytes, written all at once, read from snapshots.

Rules that every store keeps:

1. A write happens whole or not at all; when `write` returns, it survives a crash of the machine.
2. A snapshot shows one moment, whatever is written later. Many may be open at once, each used by one thread at a time.
3. Keys have 1 to 511 bytes, values at least one. A scan goes up in the order of the keys' bytes.
4. One process writes a store at a time. Who starts the node sees to that; the store does not.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from .errors import EmptyValueError, KeySizeError

MAX_KEY_BYTES = 511


class Table(IntEnum):
    """The tables of a ledger's store. Numbers are part of the stored form: never reused."""

    STATE = 1
    SIDE = 2
    TREE = 3
    META = 4
    BLOCKS = 5
    RESULTS = 6
    EVENTS = 7


Changes: TypeAlias = Mapping[Table, Mapping[bytes, bytes | None]]
"""Table -> key -> its new value, or None to remove it (harmless where there is none)."""


class Snapshot(Protocol):
    """The store at one moment. As a context manager it closes itself."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value under a key, or None.

        Raises:
            KeySizeError: the key is empty or too long.
            StoreClosedError: the snapshot or its store was closed.
        """

    def scan(self, table: Table, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, ascending, with their values, read as they are asked for.

        Args:
            table: the table.
            prefix: what all keys begin with; empty for the whole table.
            start: the first key to show is this one or the next above it.

        Raises:
            KeySizeError: `prefix` or `start` is too long.
            StoreClosedError: the snapshot or its store was closed.
        """

    def close(self) -> None:
        """Let the moment go. Closing again does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """Where a ledger keeps everything."""

    def snapshot(self) -> Snapshot:
        """The store as the last write left it.

        Raises:
            TooManySnapshotsError: too many are open.
            StoreClosedError: the store was closed.
        """

    def write(self, changes: Changes) -> None:
        """Make all changes, or none.

        Raises:
            KeySizeError: a key is empty or too long.
            EmptyValueError: a value is empty.
            StoreFullError: the disk is full.
            StoreReadOnlyError: the store was opened for reading, or its files are protected.
            StoreClosedError: the store was closed.
        """

    def copy_to(self, path: str) -> None:
        """Copy the store as it is now into a folder, as an LMDB store; writing may go on meanwhile.

        Args:
            path: a folder without a store in it; it is made where the folder above it exists.

        Raises:
            StoreExistsError: there is a store in the folder already.
            StoreMissingError: the folder above `path` does not exist.
            StoreFullError: the disk is full; nothing is left of the copy.
            StoreReadOnlyError: the folder is protected.
            StoreClosedError: the store was closed.
        """

    def close(self) -> None:
        """Let the store go, and its snapshots with it; no thread may be using them. Closing again does nothing."""


def require_key(table: Table, key: bytes) -> None:
    """Hold a key to its size.

    Raises:
        KeySizeError: it is empty or too long.
    """
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise KeySizeError(table=int(table), length=len(key))


def scan_start(table: Table, prefix: bytes, start: bytes) -> bytes:
    """Where a scan begins.

    Raises:
        KeySizeError: `prefix` or `start` is too long.
    """
    first = max(prefix, start)
    if len(prefix) > MAX_KEY_BYTES or len(start) > MAX_KEY_BYTES:
        raise KeySizeError(table=int(table), length=max(len(prefix), len(start)))
    return first


def require_storable(changes: Changes) -> None:
    """Hold all keys and values to what a store takes, before the first is written.

    Raises:
        KeySizeError: a key is empty or too long.
        EmptyValueError: a value is empty.
    """
    for table, entries in changes.items():
        for key, value in entries.items():
            if not 0 < len(key) <= MAX_KEY_BYTES:
                raise KeySizeError(table=int(table), length=len(key))
            if value is not None and not value:
                raise EmptyValueError(table=int(table), key=key)
