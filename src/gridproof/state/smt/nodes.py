"""How the sparse Merkle tree lies in the store: nodes, their hashes, their positions.

1. A key's place is its SHA-256: bit 0 (the highest of the first byte) chooses the root's child, bit 1 the next one, and
   so on; 0 is left.
2. A leaf is `00 | key hash | value hash`, an inner node `01 | left hash | right hash`. These bytes are both stored and
   hashed; the first one keeps leaves and inner nodes apart.
3. An empty subtree has the hash of 32 zero bytes and no stored node.
4. A leaf that is alone below some node stands in that node's place, so every inner node has two leaves or more below.
5. A position is the bits of the way from the root, then a one, then zeros up to a whole byte: the root is `80`, its
   children are `40` and `c0`. No two positions share these bytes, a subtree lies between its left and its right child,
   and the key hashes below a node that are not less than its position are those of its right child.

Source: ICS-23, SmtSpec (leaf and inner operations, empty child); rule 4 is that of the trees it describes.
"""

from collections.abc import Callable
from hashlib import sha256

from .errors import TreeCorruptError

Read = Callable[[bytes], bytes | None]
"""The stored node at a position, or None."""

HASH_BYTES = 32
MAX_DEPTH = 8 * HASH_BYTES
NODE_BYTES = 1 + 2 * HASH_BYTES
EMPTY_ROOT = bytes(HASH_BYTES)
ROOT = b"\x80"

LEAF_PREFIX = b"\x00"
INNER_PREFIX = b"\x01"
LEAF = LEAF_PREFIX[0]
INNER = INNER_PREFIX[0]


def key_path(key: bytes) -> bytes:
    """The key's hash: its place in the tree, and what a leaf holds of it."""
    return sha256(key).digest()


def leaf_node(path: bytes, value_hash: bytes) -> bytes:
    """The leaf of a key and a value, by their hashes."""
    return LEAF_PREFIX + path + value_hash


def inner_node(left: bytes, right: bytes) -> bytes:
    """The inner node over two subtrees, by their hashes."""
    return INNER_PREFIX + left + right


def node_hash(node: bytes | None) -> bytes:
    """The hash of a stored node, or of an empty subtree."""
    return EMPTY_ROOT if node is None else sha256(node).digest()


def bit(path: bytes, depth: int) -> int:
    """Which child the way of `path` takes at an inner node of `depth`: 0 left, 1 right."""
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def _children_of(last: int) -> tuple[bytes, bytes]:
    """How the last byte of a position, whose lowest one marks the end, goes on in its children."""
    marker = last & -last
    if marker == 1:
        return bytes((last - 1, 0x80)), bytes((last, 0x80))
    half = marker >> 1
    return bytes((last - half,)), bytes((last + half,))


_CHILDREN = tuple(_children_of(last) if last else (b"", b"") for last in range(256))


def children(position: bytes) -> tuple[bytes, bytes]:
    """The positions of a node's left and right child."""
    above = position[:-1]
    left, right = _CHILDREN[position[-1]]
    return above + left, above + right


def stored(read: Read, position: bytes) -> bytes:
    """The node at a position where the tree has one.

    Raises:
        TreeCorruptError: there is none, or it is no node.
    """
    return require_node(position, read(position))


def require_node(position: bytes, node: bytes | None) -> bytes:
    """Hold what was read at a position to be a node.

    Raises:
        TreeCorruptError: there is none, or it is no node.
    """
    if node is None or len(node) != NODE_BYTES or node[0] > INNER:
        raise TreeCorruptError(position=position)
    return node


def root(read: Read) -> bytes:
    """The tree's root: 32 bytes, all zero for an empty tree.

    Raises:
        TreeCorruptError: what stands at the root is no node.
    """
    node = read(ROOT)
    return EMPTY_ROOT if node is None else node_hash(require_node(ROOT, node))
