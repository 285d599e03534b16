"""Stores: the port, its twins in LMDB and in memory, and the reasons for which they refuse."""

from .errors import (
    EmptyValueError,
    KeySizeError,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreExistsError,
    StoreFailedError,
    StoreFullError,
    StoreInUseError,
    StoreMissingError,
    StoreReadOnlyError,
    TooManySnapshotsError,
)
from .files import find_damage
from .lmdb_store import LmdbStore
from .memory import MemoryStore
from .port import MAX_KEY_BYTES, Changes, Snapshot, Store, Table

__all__ = [
    "MAX_KEY_BYTES",
    "Changes",
    "EmptyValueError",
    "KeySizeError",
    "LmdbStore",
    "MemoryStore",
    "Snapshot",
    "Store",
    "StoreClosedError",
    "StoreCorruptError",
    "StoreError",
    "StoreExistsError",
    "StoreFailedError",
    "StoreFullError",
    "StoreInUseError",
    "StoreMissingError",
    "StoreReadOnlyError",
    "Table",
    "TooManySnapshotsError",
    "find_damage",
]
