"""How the tree lies in the store (rules of `nodes`)."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.state.smt import TreeCorruptError
from gridproof.state.smt.nodes import ROOT, bit, children, inner_node, leaf_node, node_hash, stored

from .trees import positions

WAYS = st.text("LR", max_size=40)


def by_definition(way: str) -> bytes:
    """The bits of the way, a one, and zeros up to a whole byte."""
    bits = "".join("LR".index(turn).__str__() for turn in way) + "1"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def test_bits_are_read_from_the_highest_of_the_first_byte() -> None:
    assert [bit(bytes((0b10100000, 0b00000001)), depth) for depth in (0, 1, 2, 3, 14, 15)] == [1, 0, 1, 0, 0, 1]


def test_what_is_hashed_is_what_is_stored() -> None:
    assert node_hash(leaf_node(b"p" * 32, b"v" * 32)) == sha256(b"\0" + b"p" * 32 + b"v" * 32).digest()
    assert node_hash(inner_node(b"l" * 32, b"r" * 32)) == sha256(b"\1" + b"l" * 32 + b"r" * 32).digest()
    assert node_hash(None) == bytes(32)


@given(WAYS)
def test_a_position_is_the_way_a_one_and_zeros(way: str) -> None:
    assert positions([way]) == [by_definition(way)]


@given(WAYS, WAYS)
def test_no_two_ways_share_a_position(one: str, other: str) -> None:
    first, second = positions([one, other])
    assert (first == second) == (one == other)


@given(WAYS, WAYS, WAYS)
def test_a_subtree_lies_between_its_halves(way: str, left: str, right: str) -> None:
    below_left, node, below_right = positions([way + "L" + left, way, way + "R" + right])
    assert below_left < node < below_right


@given(st.binary(min_size=32, max_size=32), st.integers(min_value=0, max_value=255))
def test_the_key_hashes_not_less_than_a_position_belong_to_its_right_child(path: bytes, depth: int) -> None:
    (position,) = positions(["".join("LR"[bit(path, level)] for level in range(depth))])
    assert (path >= position) == bool(bit(path, depth))


def test_the_roots_children() -> None:
    assert children(ROOT) == (b"\x40", b"\xc0")
    assert children(b"\x01") == (b"\x00\x80", b"\x01\x80")


@pytest.mark.parametrize("node", [None, b"", b"\1" + bytes(63), b"\1" + bytes(65), b"\2" + bytes(64)])
def test_what_is_no_node_is_told_with_its_position(node: bytes | None) -> None:
    with pytest.raises(TreeCorruptError) as refusal:
        stored({b"\x40": node}.get, b"\x40")
    assert refusal.value.position == b"\x40"
