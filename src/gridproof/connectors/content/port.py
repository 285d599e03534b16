"""The port to the content store: files that anyone may fetch by the name that their bytes give them.

The name is the CID that `ipfs add --cid-version=1 --raw-leaves` gives, so that it is the same in every store and on
the ledger.

Rules:
    C-1 Content goes out only after its bytes were found to give its name; nothing else is ever returned.
    C-2 Content is kept whole or not at all, durably; putting it again changes nothing, except that it mends what was
        damaged.
    C-3 Damage is named, never passed over: missing, altered, or no longer kept from the collector of garbage.

What is put here is public: who wants it secret encrypts it first.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Protocol

from gridproof.primitives.cid import parse_cid
from gridproof.primitives.errors import PrimitiveError

from .errors import ContentNameError, ContentTooLargeError

MAX_CONTENT: Final = 64 * 2**20  # bytes; a month's bill has some hundred KiB


class Damage(StrEnum):
    """What is wrong with content in a store."""

    MISSING = "missing"
    ALTERED = "altered"
    UNPINNED = "unpinned"


class ContentStore(Protocol):
    """Keeps content by its name. Several threads and processes may use it at once."""

    def put(self, content: bytes) -> str:
        """Keep content; what is there already stays, and is mended where it is damaged (C-2).

        Args:
            content: at most 64 MiB.

        Returns:
            Its CID, version 1 in base32.

        Raises:
            ContentTooLargeError: it is larger.
            ContentNotStoredError: the disk is full and the like; nothing of it can be seen.
            ContentStoreUnreachableError: no store answers.
        """

    def get(self, cid: str) -> bytes:
        """Content, found to be what its name says (C-1).

        Raises:
            ContentNameError: this is no CID.
            ContentMissingError: the store does not have it, or lacks a part.
            ContentAlteredError: what it has is not that content.
            ContentStoreUnreachableError: no store answers.
        """

    def find_fault(self, cid: str) -> Damage | None:
        """What is wrong with content in this store; None if it is there, intact and kept (C-3).

        Raises:
            ContentNameError: this is no CID.
            ContentStoreUnreachableError: no store answers.
        """

    def has(self, cid: str) -> bool:
        """Whether content is there, intact and kept.

        Raises:
            ContentNameError: this is no CID.
            ContentStoreUnreachableError: no store answers.
        """

    def remove(self, cid: str) -> None:
        """Stop keeping content, and delete it; harmless where it is not there. What other content shares stays.

        Raises:
            ContentNameError: this is no CID.
            ContentStoreUnreachableError: no store answers.
        """

    def close(self) -> None:
        """Let go of the store; it is not used again."""


def find_damage(store: ContentStore, cids: Iterable[str]) -> list[tuple[str, Damage]]:
    """Look at all content that ought to be in a store (C-3).

    Putting the content again mends each.

    Args:
        store: where it ought to be.
        cids: its names, as the ledger has them.

    Returns:
        Each name whose content is damaged, with what is wrong, in the order given.

    Raises:
        ContentNameError: one is no CID.
        ContentStoreUnreachableError: no store answers.
    """
    return [(cid, damage) for cid in cids if (damage := store.find_fault(cid)) is not None]


def require_name(cid: str) -> bytes:
    """The binary form of a CID.

    Raises:
        ContentNameError: this is none.
    """
    try:
        return parse_cid(cid)
    except PrimitiveError as wrong:
        raise ContentNameError(cid=str(cid)[:80], detail=str(wrong)) from wrong


def require_size(content: bytes) -> None:
    """Return if a store takes content of this size.

    Raises:
        ContentTooLargeError: it does not.
    """
    if len(content) > MAX_CONTENT:
        raise ContentTooLargeError(size=len(content), limit=MAX_CONTENT)
