"""The embedded driver: the whole ledger in one process, durable, served to others over a Unix socket."""

from gridproof.drivers.ports import ApplicationFactory

from .backup import back_up, restore
from .ledger import EmbeddedLedger, Options
from .lock import FolderLock, holder_of, is_held
from .mempool import Limits
from .server import Node

__all__ = [
    "ApplicationFactory",
    "EmbeddedLedger",
    "FolderLock",
    "Limits",
    "Node",
    "Options",
    "back_up",
    "holder_of",
    "is_held",
    "restore",
]
