"""Merkle trees and key trees against models, and every way to bend a proof."""

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.primitives import ggm, merkle
from gridproof.primitives.errors import InvalidProofError

LEAVES = st.lists(st.binary(max_size=40), min_size=1, max_size=70)
SEEDS = st.binary(min_size=32, max_size=32)


def model_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + model_root(leaves[:split]) + model_root(leaves[split:])).digest()


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@st.composite
def subsets(draw: Any) -> tuple[list[bytes], list[int]]:
    leaves = draw(LEAVES)
    return leaves, sorted(draw(st.sets(st.integers(0, len(leaves) - 1), min_size=1)))


@given(LEAVES, st.data())
def test_an_inclusion_proof_holds_for_its_own_leaf_place_and_tree_only(leaves: list[bytes], data: Any) -> None:
    root, size = merkle.root(leaves), len(leaves)
    assert root == model_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(leaves, index)
    merkle.verify_inclusion(root, size, index, leaves[index], proof)
    bent: list[tuple[bytes, int, int, bytes, tuple[bytes, ...]]] = [
        (root, size, index, leaves[index] + b"\x00", proof),
        (root, size, index, leaves[index], (*proof, bytes(32))),
        (root, size, index, leaves[index], (bytes(32), *proof)),
        (flipped(root, data.draw(st.integers(0, 255))), size, index, leaves[index], proof),
    ]
    if proof:
        number, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        changed = (*proof[:number], flipped(proof[number], bit), *proof[number + 1 :])
        bent += [
            (root, size, index, leaves[index], changed),
            (root, size, index, leaves[index], proof[:-1]),
            (root, size, index, leaves[index], proof[1:]),
        ]
    for arguments in bent:
        with pytest.raises(InvalidProofError):
            merkle.verify_inclusion(*arguments)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40, unique=True), st.data())
def test_a_leaf_is_at_one_place_only(leaves: list[bytes], data: Any) -> None:
    root, size = merkle.root(leaves), len(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(leaves, index)
    for other in range(size):
        if other != index:
            with pytest.raises(InvalidProofError):
                merkle.verify_inclusion(root, size, other, leaves[index], proof)


@given(LEAVES, st.data())
def test_a_consistency_proof_holds_for_its_own_trees_only(leaves: list[bytes], data: Any) -> None:
    old_size, size = data.draw(st.integers(1, len(leaves))), len(leaves)
    old_root, root = merkle.root(leaves[:old_size]), merkle.root(leaves)
    proof = merkle.consistency_proof(leaves, old_size)
    merkle.verify_consistency(old_root, old_size, root, size, proof)
    bit = data.draw(st.integers(0, 255))
    bent: list[tuple[bytes, int, bytes, int, tuple[bytes, ...]]] = [
        (flipped(old_root, bit), old_size, root, size, proof),
        (old_root, old_size, flipped(root, bit), size, proof),
        (old_root, old_size, root, size, (*proof, bytes(32))),
    ]
    if proof:
        number = data.draw(st.integers(0, len(proof) - 1))
        changed = (*proof[:number], flipped(proof[number], bit), *proof[number + 1 :])
        bent += [(old_root, old_size, root, size, changed), (old_root, old_size, root, size, proof[:-1])]
    for arguments in bent:
        with pytest.raises(InvalidProofError):
            merkle.verify_consistency(*arguments)


@given(subsets())
def test_any_subset_proves_itself_with_no_hash_too_many(case: tuple[list[bytes], list[int]]) -> None:
    leaves, indices = case
    root, shown = merkle.root(leaves), [leaves[index] for index in indices]
    proof = merkle.multi_proof(leaves, indices)
    merkle.verify_multi(root, len(leaves), indices, shown, proof)
    assert len(proof) <= sum(len(merkle.inclusion_proof(leaves, index)) for index in indices)
    for bent in (proof[:-1], proof[1:], (*proof, bytes(32)), (bytes(32), *proof)):
        if bent != proof:
            with pytest.raises(InvalidProofError):
                merkle.verify_multi(root, len(leaves), indices, shown, bent)


@given(subsets(), st.data())
def test_any_bent_subset_is_refused(case: tuple[list[bytes], list[int]], data: Any) -> None:
    leaves, indices = case
    size, root, shown = len(leaves), merkle.root(leaves), [leaves[index] for index in indices]
    proof = merkle.multi_proof(leaves, indices)
    place = data.draw(st.integers(0, len(indices) - 1))
    changed = [*shown[:place], shown[place] + b"x", *shown[place + 1 :]]
    bent: list[tuple[bytes, int, list[int], list[bytes], tuple[bytes, ...]]] = [(root, size, indices, changed, proof)]
    if len(indices) > 1:
        bent.append((root, size, indices[:place] + indices[place + 1 :], shown[:place] + shown[place + 1 :], proof))
        bent.append((root, size, indices[::-1], shown[::-1], proof))
    if proof:
        number, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        step = flipped(proof[number], bit)
        bent.append((root, size, indices, shown, (*proof[:number], step, *proof[number + 1 :])))
    absent = [index for index in range(size) if index not in indices]
    if absent:
        more = sorted([*indices, data.draw(st.sampled_from(absent))])
        bent.append((root, size, more, [leaves[index] + b"forged" for index in more], proof))
    for arguments in bent:
        with pytest.raises(InvalidProofError):
            merkle.verify_multi(*arguments)


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(-2, 2**65),
    st.lists(st.integers(-2, 2**65), max_size=5),
    st.lists(st.one_of(st.binary(max_size=40), st.none(), st.text(max_size=3)), max_size=5),
    st.lists(st.one_of(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.none()), max_size=8),
)
def test_rubbish_is_refused_by_type_and_nothing_else(
    root: bytes, size: int, indices: list[int], leaves: list[Any], proof: list[Any]
) -> None:
    with pytest.raises(InvalidProofError):
        merkle.verify_multi(root, size, indices, leaves, proof)
    for leaf in leaves:
        with pytest.raises(InvalidProofError):
            merkle.verify_inclusion(root, size, indices[0] if indices else 0, leaf, proof)
    if size != 1:
        with pytest.raises(InvalidProofError):
            merkle.verify_consistency(root, indices[0] if indices else 0, bytes(32), size, proof)


@settings(max_examples=30)
@given(SEEDS, st.integers(0, 63), st.data())
def test_a_range_of_leaves_is_its_leaves(seed: bytes, depth: int, data: Any) -> None:
    size = 1 << depth
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, min(size, start + 40)))
    assert list(ggm.leaves(seed, depth, start, stop)) == [ggm.leaf(seed, depth, n) for n in range(start, stop)]
