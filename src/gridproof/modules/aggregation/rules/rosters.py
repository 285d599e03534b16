"""What `PublishRosters` binds: roots cut apart, and the roots over them."""

from itertools import pairwise

from gridproof.primitives import merkle

from ..types import HASH_SIZE, NOTHING_REMOVED, Epoch


def hashes_in(joined: bytes) -> list[bytes]:
    """Cut what was joined into pieces of 32 bytes; the last one is shorter where the length is no multiple."""
    return [joined[at : at + HASH_SIZE] for at in range(0, len(joined), HASH_SIZE)]


def are_leaves(joined: bytes) -> bool:
    """Whether the bytes are leaves of 32 bytes each, strictly ascending; none at all are."""
    return not len(joined) % HASH_SIZE and all(before < after for before, after in pairwise(hashes_in(joined)))


def epoch(from_k: int, until_k: int, count: int, filter_hash: bytes, roots: bytes, removed: bytes) -> Epoch:
    """What the state keeps of a publication.

    Args:
        from_k: first period of the stretch.
        until_k: first period after it.
        count: leaves of each roster.
        filter_hash: digest of the filter BF1, 32 bytes.
        roots: roster roots, 32 bytes each, in the order of k.
        removed: leaves of revoked places, 32 bytes each.
    """
    removed_root = merkle.root(hashes_in(removed)) if removed else NOTHING_REMOVED
    return Epoch(from_k, until_k, count, filter_hash, merkle.root(hashes_in(roots)), removed_root)
