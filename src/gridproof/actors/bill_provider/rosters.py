"""Making a month's rosters: identities of all places, sorted leaves, roots, and the filter BF1.

The identities are a curve multiplication each, three millions for a thousand meters and a month of half-hours: they are
made place by place in an executor's processes. What comes back are leaves, hashes that may be public.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridproof.domain import MonthBounds, SignSeeds, ViewSeeds, identities, masks, roster_leaf
from gridproof.primitives import merkle
from gridproof.primitives.bloom import BloomFilter
from gridproof.primitives.hashing import HASH_SIZE

_PAIR: Final = 2 * HASH_SIZE
_MASK_BLOCK: Final = 64  # slots whose masks are computed together: paths in the key trees are shared
_KEPT_BLOCKS: Final = 4
_PLACES_A_TASK: Final = 4

Row = bytes  # a slot's leaves, ascending and joined


class Rosters(NamedTuple):
    """The rosters of a stretch of slots.

    Attributes:
        roots: RFC 6962 root of each slot's roster.
        rows: each slot's leaves, ascending, joined.
        owners: shape (slots, leaves): the leaf at a position is half `value % 2` of the place `value // 2`.
        place_roots: for each place the RFC 6962 root over its own leaves, first half, second half, slot by slot.
    """

    roots: list[bytes]
    rows: list[Row]
    owners: NDArray[np.uint32]
    place_roots: tuple[bytes, ...] = ()


class PlaceLeaves(NamedTuple):
    """A place's leaves of a stretch.

    Attributes:
        pairs: first half, second half, slot by slot, joined.
        root: RFC 6962 root over them in this order.
    """

    pairs: bytes
    root: bytes


def make(seeds: Sequence[SignSeeds], bounds: MonthBounds, from_k: int, executor: Executor | None = None) -> Rosters:
    """Make the rosters from a period to the month's end.

    Args:
        seeds: of the places, in the order in which owners count them.
        bounds: the month.
        from_k: first period.
        executor: computes identities, a process pool for many; on the calling thread when none is given.
    """
    periods = bounds.end_k - from_k
    pairs = np.empty((len(seeds), periods, _PAIR), dtype=np.uint8)
    roots = []
    for at, made in enumerate(leaf_pairs(seeds, bounds, from_k, executor)):
        pairs[at] = np.frombuffer(made.pairs, dtype=np.uint8).reshape(periods, _PAIR)
        roots.append(made.root)
    rosters = _sorted(cut(pairs[:, slot].tobytes()) for slot in range(periods))
    return rosters._replace(place_roots=tuple(roots))


def leaf_pairs(
    seeds: Sequence[SignSeeds], bounds: MonthBounds, from_k: int, executor: Executor | None
) -> Iterable[PlaceLeaves]:
    """For each place its leaves from a period to the month's end."""
    jobs = [(*each, bounds, from_k) for each in seeds]
    if executor is None:
        return map(_leaves_of_place, jobs)
    return executor.map(_leaves_of_place, jobs, chunksize=_PLACES_A_TASK)


def _leaves_of_place(job: tuple[bytes, bytes, MonthBounds, int]) -> PlaceLeaves:
    first, second, bounds, from_k = job
    halves = [identities(seed, bounds, from_k, bounds.end_k) for seed in (first, second)]
    leaves = [roster_leaf(prid) for pair in zip(*halves, strict=True) for prid in pair]
    return PlaceLeaves(b"".join(leaves), merkle.root(leaves))


def exchanged(
    old: Iterable[tuple[Sequence[bytes], NDArray[np.uint32]]], indices: Sequence[int], fresh: Sequence[PlaceLeaves]
) -> Rosters:
    """Make rosters in which some places' leaves are exchanged for those of fresh ones.

    Args:
        old: for each slot its leaves and owners, as they are.
        indices: of the places that go; the fresh ones come under the same indices.
        fresh: for each of them its leaves, as `leaf_pairs` gives them.
    """
    gone = frozenset(indices)

    def slots() -> Iterator[list[tuple[bytes, int]]]:
        for at, (leaves, owners) in enumerate(old):
            marked = [each for each in zip(leaves, owners.tolist(), strict=True) if each[1] // 2 not in gone]
            for index, pairs in zip(indices, fresh, strict=True):
                first, second = cut(pairs.pairs[at * _PAIR : (at + 1) * _PAIR])
                marked += [(first, 2 * index), (second, 2 * index + 1)]
            yield marked

    return _assembled(slots())


def filter_of(rows: Iterable[Sequence[bytes]], capacity: int, one_in: int) -> BloomFilter:
    """The filter BF1 over the leaves of a month.

    It holds leaves rather than identities: who asks has hashed the identity anyway, and a new epoch's filter follows
    from public files.

    Args:
        rows: each slot's leaves.
        capacity: how many leaves there are.
        one_in: one stranger's leaf in so many passes.
    """
    bloom = BloomFilter.sized(capacity, one_in)
    bloom.update(leaf for row in rows for leaf in row)
    return bloom


def cut(joined: bytes) -> list[bytes]:
    """Joined leaves, one by one."""
    return [joined[at : at + HASH_SIZE] for at in range(0, len(joined), HASH_SIZE)]


def _sorted(slots: Iterable[list[bytes]]) -> Rosters:
    return _assembled(list(zip(leaves, range(len(leaves)), strict=True)) for leaves in slots)


def _assembled(slots: Iterable[list[tuple[bytes, int]]]) -> Rosters:
    """Sort each slot's leaves, which come with their owners."""
    roots, rows, owners = [], [], []
    for marked in slots:
        marked.sort()
        leaves = [leaf for leaf, _ in marked]
        roots.append(merkle.root(leaves))
        rows.append(b"".join(leaves))
        owners.append(np.array([owner for _, owner in marked], dtype=np.uint32))
    return Rosters(roots, rows, np.stack(owners))


class MaskTable:
    """The masks of an epoch's places, computed some slots at a time and kept in memory only.

    Args:
        seeds: view seeds of the places, in the order in which owners count them.
        bounds: the month.
    """

    def __init__(self, seeds: Sequence[ViewSeeds], bounds: MonthBounds) -> None:
        self._seeds = seeds
        self._bounds = bounds
        self._blocks: dict[int, NDArray[np.uint64]] = {}

    def __repr__(self) -> str:
        return f"MaskTable({len(self._seeds)} places, hidden)"

    def at(self, k: int) -> NDArray[np.uint64]:
        """The masks of a slot by owner: entry 2 i + h is that of place i's half h.

        Raises:
            OutOfRangeError: the slot lies outside the month.
        """
        index = self._bounds.leaf_index(k)
        block, row = divmod(index, _MASK_BLOCK)
        if block not in self._blocks:
            while len(self._blocks) >= _KEPT_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[block] = self._compute(block)
        masks_of_slot: NDArray[np.uint64] = self._blocks[block][row]
        return masks_of_slot

    def _compute(self, block: int) -> NDArray[np.uint64]:
        start_k = self._bounds.first_k + block * _MASK_BLOCK
        stop_k = min(start_k + _MASK_BLOCK, self._bounds.end_k)
        table = np.empty((stop_k - start_k, 2 * len(self._seeds)), dtype=np.uint64)
        for at, seeds in enumerate(self._seeds):
            for half, seed in enumerate(seeds):
                table[:, 2 * at + half] = masks(seed, self._bounds, start_k, stop_k)
        return table
