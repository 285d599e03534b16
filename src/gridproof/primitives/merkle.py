"""Merkle trees of RFC 6962: roots, and proofs that a verifier accepts in exactly one form.

Rules:
- leaves are given as data; the prefix 00 of leaves and 01 of nodes is put on here, so that no node passes for a leaf;
- a proof has exactly as many hashes as the tree's shape asks for, each of 32 bytes; one more or less is refused;
- nothing is proven from or to an empty tree.

Source: RFC 6962, section 2.1; RFC 9162, section 2.1.3.2 and 2.1.4.2.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final

from .checks import has_size, is_bytes
from .errors import InvalidArgumentError, InvalidProofError
from .hashing import HASH_SIZE

__all__ = [
    "EMPTY_ROOT",
    "consistency_proof",
    "inclusion_proof",
    "inclusion_proofs",
    "leaf_hash",
    "multi_proof",
    "root",
    "verify_consistency",
    "verify_inclusion",
    "verify_multi",
]

Proof = tuple[bytes, ...]

EMPTY_ROOT: Final = sha256(b"").digest()
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """The hash that stands for a leaf in the tree: SHA-256 of 00 and its data.

    Raises:
        InvalidArgumentError: the data is not bytes.
    """
    return _leaf_hashes((data,))[0]


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over the leaves' data, in their order; `EMPTY_ROOT` over none.

    Raises:
        InvalidArgumentError: a leaf is not bytes.
    """
    return _root(_leaf_hashes(leaves))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> Proof:
    """Prove that a leaf stands at its index, from the lowest neighbour upwards.

    Args:
        leaves: data of all leaves.
        index: 0 .. len(leaves) - 1.

    Raises:
        InvalidArgumentError: there is no such leaf, or a leaf is not bytes.
    """
    (proof,) = inclusion_proofs(leaves, (index,))
    return proof


def inclusion_proofs(leaves: Sequence[bytes], indices: Sequence[int]) -> list[Proof]:
    """A proof as of `inclusion_proof` for each of some leaves; the tree is computed once.

    Args:
        leaves: data of all leaves.
        indices: 0 .. len(leaves) - 1, in any order.

    Raises:
        InvalidArgumentError: there is no such leaf, or a leaf is not bytes.
    """
    for index in indices:
        _require_index(index, len(leaves))
    level, places = _leaf_hashes(leaves), list(indices)
    proofs: list[list[bytes]] = [[] for _ in places]
    while len(level) > 1:
        for proof, place in zip(proofs, places, strict=True):
            if place ^ 1 < len(level):
                proof.append(level[place ^ 1])
        level, places = _parents(level), [place >> 1 for place in places]
    return [tuple(proof) for proof in proofs]


def verify_inclusion(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> None:
    """Return if a leaf stands at an index of the tree.

    Args:
        root: of the tree, 32 bytes.
        size: number of the tree's leaves.
        index: of the leaf.
        leaf: its data.
        proof: what `inclusion_proof` gave.

    Raises:
        InvalidProofError: the proof is malformed, or leads elsewhere.
    """
    _require_data((leaf,))
    _verify_hash(root, size, index, leaf_hash(leaf), proof)


def _verify_hash(root: bytes, size: int, index: int, node: bytes, proof: Sequence[bytes]) -> None:
    """As `verify_inclusion`, from the leaf's hash; not public, because an inner node is a hash too."""
    _require_hashes("root", (root, node))
    if not 0 <= index < size:
        raise InvalidProofError(detail=f"no leaf {index} among {size}")
    steps = _steps(proof)
    last = size - 1
    while last:
        if index & 1:
            node = _node(next(steps), node)
        elif index < last:
            node = _node(node, next(steps))
        index, last = index >> 1, last >> 1
    steps.finish()
    if node != root:
        raise InvalidProofError(detail="it leads to another root")


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> Proof:
    """Prove that the tree over the first `old_size` leaves is a beginning of the tree over all.

    Args:
        leaves: data of all leaves.
        old_size: 1 .. len(leaves).

    Raises:
        InvalidArgumentError: there was no such tree, or a leaf is not bytes.

    Source: RFC 6962, section 2.1.2.
    """
    if not 1 <= old_size <= len(leaves):
        raise InvalidArgumentError(what="old_size", detail=f"{old_size} is not within 1 .. {len(leaves)}")
    return tuple(_subproof(_leaf_hashes(leaves), old_size))


def _subproof(hashes: list[bytes], old_size: int) -> list[bytes]:
    """SUBPROOF of RFC 6962, walked down and collected from the bottom up."""
    proof: list[bytes] = []
    whole = True  # the old tree is a subtree that the verifier knows by its root
    while old_size != len(hashes):
        split = 1 << (len(hashes) - 1).bit_length() - 1
        if old_size <= split:
            proof.append(_root(hashes[split:]))
            hashes = hashes[:split]
        else:
            proof.append(_root(hashes[:split]))
            hashes, old_size, whole = hashes[split:], old_size - split, False
    if not whole:
        proof.append(_root(hashes))
    return proof[::-1]


def verify_consistency(old_root: bytes, old_size: int, new_root: bytes, new_size: int, proof: Sequence[bytes]) -> None:
    """Return if the old tree is a beginning of the new one.

    Args:
        old_root: 32 bytes.
        old_size: number of leaves, at least 1.
        new_root: 32 bytes.
        new_size: number of leaves, at least `old_size`.
        proof: what `consistency_proof` gave.

    Raises:
        InvalidProofError: the proof is malformed, or leads elsewhere.

    Source: RFC 9162, section 2.1.4.2.
    """
    _require_hashes("root", (old_root, new_root))
    if not 1 <= old_size <= new_size:
        raise InvalidProofError(detail=f"no consistency from {old_size} to {new_size} leaves")
    steps = _steps(proof)
    index, last = (old_size - 1, new_size - 1) if old_size < new_size else (0, 0)  # a tree grows into itself for free
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = next(steps) if index else old_root
    while last:
        if index & 1:
            neighbour = next(steps)
            old, new = _node(neighbour, old), _node(neighbour, new)
        elif index < last:
            new = _node(new, next(steps))
        index, last = index >> 1, last >> 1
    steps.finish()
    if (old, new) != (old_root, new_root):
        raise InvalidProofError(detail="it leads to other roots")


def multi_proof(leaves: Sequence[bytes], indices: Sequence[int]) -> Proof:
    """Prove several leaves at once, with every hash that they do not give themselves, and no other.

    The hashes stand level by level from the leaves upwards, each level from left to right.

    Args:
        leaves: data of all leaves.
        indices: of the leaves to prove, strictly ascending, at least one.

    Raises:
        InvalidArgumentError: there is no such leaf, the indices do not ascend, or a leaf is not bytes.
    """
    if not indices or not _ascend(indices):
        raise InvalidArgumentError(what="indices", detail="not strictly ascending, or none")
    _require_index(indices[0], len(leaves))
    _require_index(indices[-1], len(leaves))
    level, known, proof = _leaf_hashes(leaves), list(indices), []
    while len(level) > 1:
        present = frozenset(known)
        proof += [level[n ^ 1] for n in known if n ^ 1 < len(level) and n ^ 1 not in present]
        known = list(dict.fromkeys(n >> 1 for n in known))
        level = _parents(level)
    return tuple(proof)


def verify_multi(
    root: bytes, size: int, indices: Sequence[int], leaves: Sequence[bytes], proof: Sequence[bytes]
) -> None:
    """Return if all the leaves stand at their indices of the tree.

    Args:
        root: of the tree, 32 bytes.
        size: number of the tree's leaves.
        indices: of the leaves shown, strictly ascending, at least one.
        leaves: their data, in the order of the indices.
        proof: what `multi_proof` gave.

    Raises:
        InvalidProofError: the proof is malformed, or leads elsewhere.

    Source: private-metering.md, Scheme P, roster of a slot.
    """
    _require_hashes("root", (root,))
    _require_data(leaves)
    if not indices or len(indices) != len(leaves) or not _ascend(indices):
        raise InvalidProofError(detail="the indices are not strictly ascending, or not as many as the leaves")
    if not 0 <= indices[0] <= indices[-1] < size:
        raise InvalidProofError(detail=f"an index lies outside the {size} leaves")
    steps = _steps(proof)
    known, level = list(indices), _leaf_hashes(leaves)
    while size > 1:
        known, level = _climb(size, known, level, steps)
        size = (size + 1) >> 1
    steps.finish()
    if level[0] != root:
        raise InvalidProofError(detail="it leads to another root")


def _climb(size: int, known: list[int], level: list[bytes], steps: "_Steps") -> tuple[list[int], list[bytes]]:
    """Parents of the known nodes of a level of `size` nodes; a neighbour is known too, or taken from the proof."""
    parents: list[int] = []
    hashes: list[bytes] = []
    position, count = 0, len(known)
    while position < count:
        index, node = known[position], level[position]
        position += 1
        if index & 1:
            node = sha256(_NODE + next(steps) + node).digest()
        elif position < count and known[position] == index + 1:
            node = sha256(_NODE + node + level[position]).digest()
            position += 1
        elif index + 1 < size:
            node = sha256(_NODE + node + next(steps)).digest()
        parents.append(index >> 1)
        hashes.append(node)
    return parents, hashes


class _Steps(Iterator[bytes]):
    """A proof's hashes, handed out one by one; neither too few nor too many may be there."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self._left = len(hashes)
        self._rest = iter(hashes)

    def __next__(self) -> bytes:
        if not self._left:
            raise InvalidProofError(detail="it is truncated")
        self._left -= 1
        return next(self._rest)

    def finish(self) -> None:
        """Refuse a proof with hashes left over.

        Raises:
            InvalidProofError: it is too long.
        """
        if self._left:
            raise InvalidProofError(detail="it is too long")


def _steps(proof: Sequence[bytes]) -> _Steps:
    if not isinstance(proof, (tuple, list)):
        raise InvalidProofError(detail="it is no sequence of hashes")
    _require_hashes("step", proof)
    return _Steps(proof)


def _root(level: list[bytes]) -> bytes:
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def _parents(level: list[bytes]) -> list[bytes]:
    """The next level up; a last node without neighbour rises as it is."""
    parents = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) & 1:
        parents.append(level[-1])
    return parents


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def _leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    try:
        return [sha256(_LEAF + data).digest() for data in leaves]
    except TypeError as fault:
        raise InvalidArgumentError(what="leaf", detail=str(fault)) from fault


def _ascend(indices: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(indices))


def _require_index(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise InvalidArgumentError(what="index", detail=f"no leaf {index} among {size}")


def _require_data(leaves: Sequence[bytes]) -> None:
    if not all(map(is_bytes, leaves)):
        raise InvalidProofError(detail="a leaf is not bytes")


def _require_hashes(what: str, hashes: Sequence[bytes]) -> None:
    if not all(has_size(value, HASH_SIZE) for value in hashes):
        raise InvalidProofError(detail=f"a {what} is not {HASH_SIZE} bytes")
