"""Proofs that a key is in the tree with a value, or that it is not in it.

Presence shows the siblings on the way from the leaf to the root. Absence shows the two leaves between which the key
would stand, in the order of key hashes, and that nothing lies between them; it tells their hashes, not their content.

Rules of verification:

1. Sibling hashes, key hashes and value hashes have 32 bytes; there are at most 256 siblings, the leaf's own first.
2. On which side a sibling lies follows from the key's hash, never from the proof.
3. The leaf and its siblings hash to the root.
4. The left neighbour's key hash is less than the key's, the right one's greater; both ways end at the root (rule 3).
5. Where their ways part the left neighbour goes left and the right one right; below that, nothing lies to the right of
   the left neighbour's way nor to the left of the right one's: the siblings there are empty.
6. Without a left neighbour nothing lies to the left of the right one's whole way, and the other way round; without both
   the root is that of the empty tree.

Source: ICS-23, existence and non-existence proofs with SmtSpec (keys compared by their hashes).
"""

from hashlib import sha256
from typing import NoReturn, TypeAlias

from gridproof.primitives.errors import InvalidProofError

from ..records import Record
from .nodes import (
    EMPTY_ROOT,
    HASH_BYTES,
    INNER,
    MAX_DEPTH,
    ROOT,
    Read,
    bit,
    children,
    inner_node,
    key_path,
    leaf_node,
    node_hash,
    stored,
)
from .nodes import root as root_of

_MIDDLE = 1 + HASH_BYTES
LEFT, RIGHT = 0, 1


class Presence(Record, frozen=True, tag=1):
    """The way from a key's leaf to the root.

    Attributes:
        siblings: hashes of the subtrees beside the way, 32 bytes each, the leaf's own sibling first.
    """

    siblings: tuple[bytes, ...]


class Neighbour(Record, frozen=True):
    """A leaf that stands next to where a key would stand.

    Attributes:
        path: SHA-256 of its key.
        value_hash: SHA-256 of its value.
        siblings: its way to the root, as in `Presence`.
    """

    path: bytes
    value_hash: bytes
    siblings: tuple[bytes, ...]


class Absence(Record, frozen=True, tag=2):
    """The leaves on both sides of where a key would stand.

    Attributes:
        left: the one before it, or None if the key would be the first.
        right: the one after it, or None if the key would be the last.
    """

    left: Neighbour | None
    right: Neighbour | None


Proof: TypeAlias = Presence | Absence


# --- making ----------------------------------------------------------------------------------------------------------


def prove(read: Read, key: bytes) -> Proof:
    """Prove that a key is in the tree, or that it is not.

    Args:
        read: gives the stored node at a position, or None; all from one state of the tree.
        key: the state key.

    Raises:
        TreeCorruptError: a stored node is missing or damaged.
    """
    return prove_path(read, key_path(key))


def prove_path(read: Read, path: bytes) -> Proof:
    """As `prove`, for a key already hashed.

    Raises:
        TreeCorruptError: a stored node is missing or damaged.
    """
    way = _Way(read, path)
    if way.end is not None and way.end[1:_MIDDLE] == path:
        return Presence(tuple(reversed(way.siblings)))
    return Absence(way.neighbour(LEFT), way.neighbour(RIGHT))


class _Way:
    """The way of a key from the root to the leaf or the empty place where it ends.

    Attributes:
        end: the leaf found there, or None.
        siblings: hashes beside the way, the root's child first.
    """

    def __init__(self, read: Read, path: bytes) -> None:
        self.siblings: list[bytes] = []
        self.end: bytes | None = None
        self._read = read
        self._path = path
        self._turns: list[bytes] = []
        position, below = ROOT, root_of(read)
        while below != EMPTY_ROOT:
            node = stored(read, position)
            if node[0] != INNER:
                self.end = node
                break
            side = bit(path, len(self._turns))
            self._turns.append(position)
            below, sibling = _split(node, side)
            self.siblings.append(sibling)
            position = children(position)[side]

    def neighbour(self, side: int) -> Neighbour | None:
        """The nearest leaf on one side of the key, None if there is none."""
        if self.end is not None and (self.end[1:_MIDDLE] > self._path) == (side == RIGHT):
            return _neighbour(self.end, self.siblings)
        for depth in range(len(self._turns) - 1, -1, -1):
            if bit(self._path, depth) != side and self.siblings[depth] != EMPTY_ROOT:
                return self._outermost(depth, side)
        return None

    def _outermost(self, depth: int, side: int) -> Neighbour:
        """The leaf nearest to the key within the subtree that lies beside its way below `depth`."""
        position = self._turns[depth]
        node = stored(self._read, position)
        siblings = self.siblings[:depth]
        turn = side
        while node[0] == INNER:
            below, sibling = _split(node, turn)
            if below == EMPTY_ROOT:
                turn, sibling = 1 - turn, below
            siblings.append(sibling)
            position = children(position)[turn]
            node = stored(self._read, position)
            turn = 1 - side
        return _neighbour(node, siblings)


def _split(node: bytes, side: int) -> tuple[bytes, bytes]:
    """An inner node's child on one side, and the other."""
    left, right = node[1:_MIDDLE], node[_MIDDLE:]
    return (left, right) if side == LEFT else (right, left)


def _neighbour(leaf: bytes, siblings: list[bytes]) -> Neighbour:
    return Neighbour(leaf[1:_MIDDLE], leaf[_MIDDLE:], tuple(reversed(siblings)))


# --- verifying -------------------------------------------------------------------------------------------------------


def verify_presence(root: bytes, key: bytes, value: bytes, proof: Proof) -> None:
    """Hold a proof that `key` has `value` in the tree with this root (rules 1 to 3).

    Args:
        root: 32 bytes, from a header that is trusted.
        key: the state key.
        value: its value.
        proof: what `prove` gave.

    Raises:
        InvalidProofError: the proof does not show that.
    """
    if not isinstance(proof, Presence):
        _refuse("it proves an absence")
    path = key_path(key)
    _require_way(root, path, sha256(value).digest(), proof.siblings)


def verify_absence(root: bytes, key: bytes, proof: Proof) -> None:
    """Hold a proof that `key` has no value in the tree with this root (rules 1 to 6).

    Args:
        root: 32 bytes, from a header that is trusted.
        key: the state key.
        proof: what `prove` gave.

    Raises:
        InvalidProofError: the proof does not show that.
    """
    if not isinstance(proof, Absence):
        _refuse("it proves a presence")
    verify_absence_of_path(root, key_path(key), proof)


def verify_absence_of_path(root: bytes, path: bytes, proof: Absence) -> None:
    """As `verify_absence`, for a key already hashed.

    Raises:
        InvalidProofError: the proof does not show that.
    """
    left, right = proof.left, proof.right
    # Rules 1 to 4.
    if left is not None:
        _require_way(root, left.path, left.value_hash, left.siblings)
        if left.path >= path:
            _refuse("the left neighbour does not lie to the left")
    if right is not None:
        _require_way(root, right.path, right.value_hash, right.siblings)
        if right.path <= path:
            _refuse("the right neighbour does not lie to the right")
    # Rules 5 and 6.
    if left is not None and right is not None:
        # Two leaves of one root do part within both ways, or a leaf and an inner node would have one hash.
        parting = _parting(left.path, right.path)
        _require_empty_beside(left, parting + 1, RIGHT)
        _require_empty_beside(right, parting + 1, LEFT)
    elif left is not None:
        _require_empty_beside(left, 0, RIGHT)
    elif right is not None:
        _require_empty_beside(right, 0, LEFT)
    elif root != EMPTY_ROOT:
        _refuse("the tree is not empty")


def _require_way(root: bytes, path: bytes, value_hash: bytes, siblings: tuple[bytes, ...]) -> None:
    """Rules 1 to 3 for one leaf."""
    if len(siblings) > MAX_DEPTH:
        _refuse("the way is too long")
    if any(len(part) != HASH_BYTES for part in (path, value_hash, *siblings)):
        _refuse("a hash does not have 32 bytes")
    found = node_hash(leaf_node(path, value_hash))
    depth = len(siblings)
    for sibling in siblings:
        depth -= 1
        found = node_hash(inner_node(sibling, found) if bit(path, depth) else inner_node(found, sibling))
    if found != root:
        _refuse("it leads to another root")


def _parting(left: bytes, right: bytes) -> int:
    """The depth of the inner node where two ways part."""
    apart = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return MAX_DEPTH - apart.bit_length()


def _require_empty_beside(leaf: Neighbour, depth: int, side: int) -> None:
    """Hold that from `depth` on nothing lies on one side of a leaf's way."""
    last = len(leaf.siblings) - 1
    for below in range(depth, last + 1):
        if bit(leaf.path, below) != side and leaf.siblings[last - below] != EMPTY_ROOT:
            _refuse("something lies between the neighbours, or beyond the outermost")


def _refuse(detail: str) -> NoReturn:
    raise InvalidProofError(detail=detail)
