"""A store that stands still, for those who read one moment of a ledger through an Application."""

from collections.abc import Iterator
from typing import Self

from gridproof.primitives.encoding import encode
from gridproof.state import Head
from gridproof.state.blocks import HEAD_KEY
from gridproof.state.store import Changes, Snapshot, StoreReadOnlyError, Table


class StillStore:
    """A store whose every snapshot is the one that was taken.

    Args:
        snapshot: stays its owner's, who closes it.
        head: shown in place of the stored one.
    """

    def __init__(self, snapshot: Snapshot, head: Head | None = None) -> None:
        self._snapshot = snapshot
        self._head = None if head is None else encode(head)

    def snapshot(self) -> Snapshot:
        """The moment."""
        return _Borrowed(self._snapshot, self._head)

    def write(self, changes: Changes) -> None:
        """Refuse.

        Raises:
            StoreReadOnlyError: always.
        """
        raise StoreReadOnlyError(path="a snapshot")

    def copy_to(self, path: str) -> None:
        """Refuse.

        Raises:
            StoreReadOnlyError: always.
        """
        raise StoreReadOnlyError(path="a snapshot")

    def close(self) -> None:
        """Leave the snapshot to its owner."""


class _Borrowed:
    """A snapshot whose owner closes it."""

    def __init__(self, snapshot: Snapshot, head: bytes | None) -> None:
        self._snapshot = snapshot
        self._head = head

    def get(self, table: Table, key: bytes) -> bytes | None:
        if self._head is not None and (table, key) == (Table.META, HEAD_KEY):
            return self._head
        return self._snapshot.get(table, key)

    def scan(self, table: Table, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return self._snapshot.scan(table, prefix, start)

    def close(self) -> None:
        """Leave the snapshot to its owner."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_args: object) -> None:
        """Leave the snapshot to its owner."""
