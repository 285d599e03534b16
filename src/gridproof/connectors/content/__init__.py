"""The content store: files by the name that their bytes give them; its port, a folder, and Kubo, which speaks IPFS."""

from .errors import (
    ContentAlteredError,
    ContentError,
    ContentMissingError,
    ContentNameError,
    ContentNotStoredError,
    ContentStoreUnreachableError,
    ContentTooLargeError,
)
from .folder import FolderContent
from .kubo import KuboContent
from .opening import open_content
from .port import MAX_CONTENT, ContentStore, Damage, find_damage

__all__ = [
    "MAX_CONTENT",
    "ContentAlteredError",
    "ContentError",
    "ContentMissingError",
    "ContentNameError",
    "ContentNotStoredError",
    "ContentStore",
    "ContentStoreUnreachableError",
    "ContentTooLargeError",
    "Damage",
    "FolderContent",
    "KuboContent",
    "find_damage",
    "open_content",
]
