"""Reasons for which a store refuses: one sentence for a person, what stands afterwards, and what to do."""

from gridproof.errors import GridproofError


class StoreError(GridproofError):
    """The store could not do what was asked; the last write stands."""


class StoreMissingError(StoreError):
    """There is no store at this path; nothing was made. Check the path, or make the folder above it."""

    path: str


class StoreExistsError(StoreError):
    """There is already a store in this folder; nothing was copied. Choose an empty folder."""

    path: str


class StoreInUseError(StoreError):
    """This process has the store open already; it was not opened twice. Use or close the open one."""

    path: str


class StoreCorruptError(StoreError):
    """The store's file is truncated, damaged or no database at all; it was left as it is. Restore a backup."""

    path: str
    detail: str


class StoreReadOnlyError(StoreError):
    """The store is open for reading only, or its folder or files are protected; nothing was written.
    Open it for writing, or give this user the right to write there.
    """

    path: str


class StoreFullError(StoreError):
    """The disk is full or does not take what is written; nothing was written and the last write stands.
    Make room, then go on.
    """

    path: str
    detail: str


class StoreFailedError(StoreError):
    """The database failed; the last write stands. Close the store and open it again."""

    path: str
    detail: str


class StoreClosedError(StoreError):
    """The store or the snapshot was closed before; nothing was read or written. Take a new one."""


class TooManySnapshotsError(StoreError):
    """The store has as many snapshots open as it can; none was taken. Close some that are not needed."""

    limit: int


class KeySizeError(StoreError):
    """A key has 1 to 511 bytes; nothing was read or written."""

    table: int
    length: int


class EmptyValueError(StoreError):
    """A stored value is never empty; nothing was written. None removes a key."""

    table: int
    key: bytes
