"""A tree in a dictionary, and the same tree by the plainest reading of its definition."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from gridproof.state.smt import EMPTY_ROOT, apply
from gridproof.state.smt.nodes import ROOT, bit, children, inner_node, leaf_node, node_hash
from gridproof.state.smt.update import update

Entries = Mapping[bytes, bytes | None]


def no_nodes(position: bytes) -> bytes | None:
    """The stored nodes of an empty tree."""
    return None


class Tree:
    """The nodes of a tree and its root, changed by what `apply` or `update` gave."""

    def __init__(self, entries: Entries | None = None) -> None:
        self.nodes: dict[bytes, bytes] = {}
        self.root = EMPTY_ROOT
        if entries:
            self.apply(entries)

    def read(self, position: bytes) -> bytes | None:
        return self.nodes.get(position)

    def apply(self, entries: Entries) -> dict[bytes, bytes | None]:
        """Change keys."""
        return self._take(*apply(self.read, entries))

    def update(self, values: Entries) -> dict[bytes, bytes | None]:
        """Change places: key hash -> value."""
        return self._take(*update(self.read, leaves(values)))

    def _take(self, root: bytes, changes: dict[bytes, bytes | None]) -> dict[bytes, bytes | None]:
        self.root = root
        for position, node in changes.items():
            assert self.nodes.get(position) != node, "a change that changes nothing"
            if node is None:
                del self.nodes[position]
            else:
                self.nodes[position] = node
        return changes


def leaves(values: Entries) -> dict[bytes, bytes | None]:
    return {path: None if value is None else leaf_node(path, sha256(value).digest()) for path, value in values.items()}


def plain_tree(values: Mapping[bytes, bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    """Root and nodes of the tree over key hashes and values, built anew."""
    nodes: dict[bytes, bytes] = {}

    def build(paths: list[bytes], position: bytes, depth: int) -> bytes:
        if not paths:
            return EMPTY_ROOT
        if len(paths) == 1:
            nodes[position] = leaf_node(paths[0], sha256(values[paths[0]]).digest())
        else:
            left, right = children(position)
            nodes[position] = inner_node(
                build([path for path in paths if not bit(path, depth)], left, depth + 1),
                build([path for path in paths if bit(path, depth)], right, depth + 1),
            )
        return node_hash(nodes[position])

    return build(list(values), ROOT, 0), nodes


def place(bits: str) -> bytes:
    """A key hash that begins with these bits and goes on with zeros."""
    return int(bits.ljust(256, "0"), 2).to_bytes(32, "big")


def positions(ways: Iterable[str]) -> list[bytes]:
    """The positions at the ends of ways from the root, `L` for left, `R` for right."""
    found = []
    for way in ways:
        position = ROOT
        for turn in way:
            position = children(position)["LR".index(turn)]
        found.append(position)
    return found
