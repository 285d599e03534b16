"""Snapshots of the state: taken by a running node, served to those who join, taken in by them."""

from .folder import FOLDER_NAME, SnapshotFolder
from .form import CHUNK_BYTES, FORMAT, MAX_CHUNK_BYTES, MAX_CHUNKS, Manifest, Snapshot, head_of, read_manifest
from .intake import Intake, discard, is_restoring

__all__ = [
    "CHUNK_BYTES",
    "FOLDER_NAME",
    "FORMAT",
    "MAX_CHUNKS",
    "MAX_CHUNK_BYTES",
    "Intake",
    "Manifest",
    "Snapshot",
    "SnapshotFolder",
    "discard",
    "head_of",
    "is_restoring",
    "read_manifest",
]
