"""SHA-256 and tagged hashes.

A tag keeps hashes of different purposes apart: `SHA256(SHA256(tag) | SHA256(tag) | parts...)`. The two tag hashes fill
one block of SHA-256, whose state is computed once and kept.

Source: BIP 340, section "Design", Tagged Hashes.
"""

import hashlib
from functools import lru_cache
from typing import Final

from .errors import InvalidArgumentError

__all__ = ["HASH_SIZE", "Tag", "sha256", "tagged_hash"]

HASH_SIZE: Final = 32  # bytes
_KEPT_TAGS: Final = 256


class Tag:
    """A purpose of hashing with its state kept: `RECORD = Tag("gridproof/record/v1"); RECORD(a, b)`."""

    __slots__ = ("_copy", "name")

    def __init__(self, name: str) -> None:
        tag = hashlib.sha256(name.encode()).digest()
        self.name = name
        self._copy = hashlib.sha256(tag + tag).copy

    def __call__(self, *parts: bytes) -> bytes:
        """Hash the parts, one after the other, under this tag.

        The parts' borders leave no trace: a caller gives all of them a fixed width, or their length before them.

        Args:
            parts: bytes of any length.

        Returns:
            32 bytes.

        Raises:
            InvalidArgumentError: a part is not bytes.
        """
        state = self._copy()
        try:
            for part in parts:
                state.update(part)
        except TypeError as fault:
            raise InvalidArgumentError(what=self.name, detail=str(fault)) from fault
        return state.digest()

    def __repr__(self) -> str:
        return f"Tag({self.name!r})"


@lru_cache(maxsize=_KEPT_TAGS)
def _tag(name: str) -> Tag:
    return Tag(name)


def tagged_hash(tag: str, *parts: bytes) -> bytes:
    """Hash the parts under a tag named here; where it is done often, keep a `Tag`.

    Raises:
        InvalidArgumentError: a part is not bytes.
    """
    return _tag(tag)(*parts)


def sha256(*parts: bytes) -> bytes:
    """Hash the parts, one after the other, with plain SHA-256.

    Returns:
        32 bytes.

    Raises:
        InvalidArgumentError: a part is not bytes.
    """
    state = hashlib.sha256()
    try:
        for part in parts:
            state.update(part)
    except TypeError as fault:
        raise InvalidArgumentError(what="sha256", detail=str(fault)) from fault
    return state.digest()
