"""The tree PRF of Goldreich, Goldwasser and Micali: one seed, a pseudorandom leaf for each index.

Each node hashes to its left and its right child under a tag of its own; whoever holds a node has the leaves below it
and no others.

Source: seed 002 (Oksuz 2024), definitions 1 and 3; Goldreich, Goldwasser, Micali, "How to construct random functions".
"""

from collections.abc import Iterator
from typing import Final

from .checks import has_size
from .errors import InvalidArgumentError
from .hashing import Tag

__all__ = ["MAX_DEPTH", "SEED_SIZE", "leaf", "leaves"]

SEED_SIZE: Final = 32
MAX_DEPTH: Final = 63

_LEFT: Final = Tag("gridproof/ggm-left/v1")
_RIGHT: Final = Tag("gridproof/ggm-right/v1")
_BLOCK: Final = 4096  # leaves that are expanded together: bounds the memory, and hides the path's cost


def leaf(seed: bytes, depth: int, index: int) -> bytes:
    """One leaf.

    Args:
        seed: 32 secret bytes.
        depth: of the tree, 0 .. 63.
        index: of the leaf, 0 .. 2**depth - 1.

    Returns:
        32 bytes.

    Raises:
        InvalidArgumentError: the seed's length, the depth or the index is out of range.
    """
    _require(seed, depth, index, index + 1)
    node = seed
    for level in range(depth - 1, -1, -1):
        node = _RIGHT(node) if index >> level & 1 else _LEFT(node)
    return node


def leaves(seed: bytes, depth: int, start: int, stop: int) -> Iterator[bytes]:
    """The leaves start .. stop - 1, two hashes each: paths are not walked again for every leaf.

    Args:
        seed: 32 secret bytes.
        depth: of the tree, 0 .. 63.
        start: index of the first leaf.
        stop: index after the last leaf, at least `start`, at most 2**depth.

    Raises:
        InvalidArgumentError: the seed's length, the depth or the range is out of range; before the first leaf.
    """
    _require(seed, depth, start, stop)
    return _blocks(seed, depth, start, stop)


def _blocks(seed: bytes, depth: int, start: int, stop: int) -> Iterator[bytes]:
    while start < stop:
        block_stop = min(stop, (start // _BLOCK + 1) * _BLOCK)
        yield from _expand(seed, depth, start, block_stop)
        start = block_stop


def _expand(seed: bytes, depth: int, start: int, stop: int) -> list[bytes]:
    """Expand level by level, keeping on each only the nodes above the range."""
    left, right = _LEFT, _RIGHT
    nodes, first = [seed], 0
    for level in range(depth - 1, -1, -1):
        children = [child for node in nodes for child in (left(node), right(node))]
        low, high = start >> level, (stop - 1) >> level
        nodes = children[low - 2 * first : high + 1 - 2 * first]
        first = low
    return nodes


def _require(seed: bytes, depth: int, start: int, stop: int) -> None:
    if not has_size(seed, SEED_SIZE):
        raise InvalidArgumentError(what="seed", detail="not 32 bytes")
    if not 0 <= depth <= MAX_DEPTH:
        raise InvalidArgumentError(what="depth", detail=f"{depth} is not within 0 .. {MAX_DEPTH}")
    if not 0 <= start <= stop <= 1 << depth:
        raise InvalidArgumentError(what="index", detail=f"{start} .. {stop} is not within 0 .. {1 << depth}")
