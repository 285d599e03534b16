"""The tree PRF: a range of leaves equals its leaves one by one, and nothing out of range is computed."""

import hashlib
from typing import Any

import pytest

from gridproof.primitives import ggm
from gridproof.primitives.errors import InvalidArgumentError

SEED = bytes(range(32))


def child(node: bytes, name: str) -> bytes:
    tag = hashlib.sha256(name.encode()).digest()
    return hashlib.sha256(tag + tag + node).digest()


def test_a_leaf_is_the_path_of_tagged_hashes_from_the_highest_bit() -> None:
    left, right = "gridproof/ggm-left/v1", "gridproof/ggm-right/v1"
    assert ggm.leaf(SEED, 0, 0) == SEED
    assert ggm.leaf(SEED, 1, 1) == child(SEED, right)
    assert ggm.leaf(SEED, 3, 0b011) == child(child(child(SEED, left), right), right)


@pytest.mark.parametrize("depth", range(6))
def test_every_range_equals_its_leaves_one_by_one(depth: int) -> None:
    size = 1 << depth
    single = [ggm.leaf(SEED, depth, index) for index in range(size)]
    assert len(set(single)) == size
    for start in range(size + 1):
        for stop in range(start, size + 1):
            assert list(ggm.leaves(SEED, depth, start, stop)) == single[start:stop]


def test_a_range_over_several_blocks_equals_its_leaves() -> None:
    start, stop = 4090, 8200
    leaves = list(ggm.leaves(SEED, 40, start, stop))
    assert len(leaves) == stop - start
    for index in (start, 4095, 4096, 4097, 8191, 8192, stop - 1):
        assert leaves[index - start] == ggm.leaf(SEED, 40, index)


def test_the_last_leaf_of_the_deepest_tree() -> None:
    last = 2**ggm.MAX_DEPTH - 1
    assert list(ggm.leaves(SEED, ggm.MAX_DEPTH, last, last + 1)) == [ggm.leaf(SEED, ggm.MAX_DEPTH, last)]


def test_another_seed_gives_other_leaves() -> None:
    assert ggm.leaf(SEED, 11, 5) != ggm.leaf(b"\x01" * 32, 11, 5)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33), "0" * 32, None])
def test_a_bad_seed_is_refused(seed: Any) -> None:
    for compute in (lambda: ggm.leaf(seed, 3, 0), lambda: ggm.leaves(seed, 3, 0, 1)):
        with pytest.raises(InvalidArgumentError) as refusal:
            compute()
        assert refusal.value.what == "seed"


@pytest.mark.parametrize("depth", [-1, 64, 1000])
def test_a_bad_depth_is_refused(depth: int) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        ggm.leaf(SEED, depth, 0)
    assert refusal.value.what == "depth"


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 9), (9, 9)])
def test_a_range_outside_the_tree_is_refused_before_the_first_leaf(start: int, stop: int) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        ggm.leaves(SEED, 3, start, stop)
    assert refusal.value.what == "index"


@pytest.mark.parametrize("index", [-1, 8])
def test_an_index_outside_the_tree_is_refused(index: int) -> None:
    with pytest.raises(InvalidArgumentError):
        ggm.leaf(SEED, 3, index)
