"""Change many keys of the tree at once.

One pass from the root: at every inner node the sorted changes split between its children, and where a leaf or nothing
stands the remaining ones grow a new subtree. A subtree left empty vanishes, and a leaf left alone moves up as far as it
is alone (rule 4 of `nodes`). What was stored is never touched: the changes of the nodes come back to the caller.
"""

from bisect import bisect_left
from collections.abc import Mapping
from hashlib import sha256

from .nodes import (
    EMPTY_ROOT,
    HASH_BYTES,
    INNER,
    INNER_PREFIX,
    LEAF,
    LEAF_PREFIX,
    ROOT,
    Read,
    children,
    inner_node,
    key_path,
    leaf_node,
    node_hash,
    require_node,
    root,
)

NodeChanges = dict[bytes, bytes | None]
_MIDDLE = 1 + HASH_BYTES


def apply(read: Read, changes: Mapping[bytes, bytes | None]) -> tuple[bytes, NodeChanges]:
    """Set and remove keys.

    Args:
        read: gives the stored node at a position, or None.
        changes: state key -> its new value, or None to remove it. Setting what is there and removing what is not there
            changes nothing.

    Returns:
        The new root, and position -> new node or None for those nodes alone that differ from the stored ones. Both
        depend on what the tree holds before and after, not on the order of `changes`.

    Raises:
        TreeCorruptError: a stored node is missing or damaged.
    """
    leaves: dict[bytes, bytes | None] = {}
    for key, value in changes.items():
        path = key_path(key)
        leaves[path] = None if value is None else leaf_node(path, sha256(value).digest())
    return update(read, leaves)


def update(read: Read, leaves: Mapping[bytes, bytes | None]) -> tuple[bytes, NodeChanges]:
    """As `apply`, for keys and values already hashed.

    Args:
        read: gives the stored node at a position, or None.
        leaves: key hash -> its new leaf, or None to remove it.

    Raises:
        TreeCorruptError: a stored node is missing or damaged.
    """
    before = root(read)
    batch = _Batch(read, leaves)
    return batch.subtree(ROOT, before, 0, len(leaves)), batch.nodes


class _Batch:
    """One pass over the tree.

    Args:
        read: gives the stored node at a position, or None.
        leaves: key hash -> its new leaf, or None to remove it.
    """

    def __init__(self, read: Read, leaves: Mapping[bytes, bytes | None]) -> None:
        self.nodes: NodeChanges = {}
        self._read = read
        self._leaves = leaves
        self._paths = sorted(leaves)

    def subtree(self, position: bytes, before: bytes, start: int, stop: int) -> bytes:
        """The new hash of the subtree that had the hash `before`, with the changes `start` to `stop` made."""
        if start == stop:
            return before
        old = None if before == EMPTY_ROOT else require_node(position, self._read(position))
        if old is None or old[0] == LEAF:
            new = self._grow(position, self._joined(old, start, stop))
        else:
            new = self._inner(position, old, start, stop)
        if new == old:
            return before
        self.nodes[position] = new
        return EMPTY_ROOT if new is None else sha256(new).digest()

    def _inner(self, position: bytes, old: bytes, start: int, stop: int) -> bytes | None:
        """What stands in an inner node's place once the changes below it are made."""
        middle = bisect_left(self._paths, position, start, stop)
        left, right = children(position)
        old_left, old_right = old[1:_MIDDLE], old[_MIDDLE:]
        new_left = self.subtree(left, old_left, start, middle)
        new_right = self.subtree(right, old_right, middle, stop)
        if new_left == EMPTY_ROOT:
            if new_right == EMPTY_ROOT:
                return None
            alone = self._lifted(right, old_right)
        elif new_right == EMPTY_ROOT:
            alone = self._lifted(left, old_left)
        else:
            alone = None
        return alone or INNER_PREFIX + new_left + new_right

    def _lifted(self, position: bytes, before: bytes) -> bytes | None:
        """Take the leaf from a child that has no sibling; None if an inner node stands there, which stays."""
        node = self.nodes[position] if position in self.nodes else require_node(position, self._read(position))
        if node is None or node[0] == INNER:
            return None
        if before == EMPTY_ROOT:
            del self.nodes[position]
        else:
            self.nodes[position] = None
        return node

    def _joined(self, old: bytes | None, start: int, stop: int) -> list[bytes]:
        """The leaves, ascending, that stand from now on where `old`, a leaf or nothing, stood."""
        leaves = [leaf for path in self._paths[start:stop] if (leaf := self._leaves[path]) is not None]
        if old is not None and old[1:_MIDDLE] not in self._leaves:
            leaves.append(old)
            leaves.sort()
        return leaves

    def _grow(self, position: bytes, leaves: list[bytes]) -> bytes | None:
        """The node at `position` of a new subtree over `leaves`; those below it join the changes."""
        if len(leaves) < 2:
            return leaves[0] if leaves else None
        middle = bisect_left(leaves, LEAF_PREFIX + position)
        hashes = []
        for child, part in zip(children(position), (leaves[:middle], leaves[middle:]), strict=True):
            node = self._grow(child, part)
            if node is not None:
                self.nodes[child] = node
            hashes.append(node_hash(node))
        return inner_node(*hashes)
