"""The sparse Merkle tree behind the app hash: one version, laid out as ICS-23's SmtSpec says."""

from .errors import TreeCorruptError, TreeError
from .nodes import EMPTY_ROOT, Read, root
from .proof import Absence, Neighbour, Presence, Proof, prove, verify_absence, verify_presence
from .update import NodeChanges, apply

__all__ = [
    "EMPTY_ROOT",
    "Absence",
    "Neighbour",
    "NodeChanges",
    "Presence",
    "Proof",
    "Read",
    "TreeCorruptError",
    "TreeError",
    "apply",
    "prove",
    "root",
    "verify_absence",
    "verify_presence",
]
