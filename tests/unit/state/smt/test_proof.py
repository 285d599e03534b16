"""Proofs of presence and absence (rules of `proof`), and everything that must not pass for one."""

from dataclasses import dataclass
from hashlib import sha256
from itertools import count

import pytest

from gridproof.primitives.encoding import decode, encode
from gridproof.primitives.errors import InvalidProofError, MalformedEncodingError
from gridproof.state.smt import (
    EMPTY_ROOT,
    Absence,
    Neighbour,
    Presence,
    Proof,
    TreeCorruptError,
    prove,
    verify_absence,
    verify_presence,
)
from gridproof.state.smt.nodes import inner_node, leaf_node, node_hash
from gridproof.state.smt.proof import prove_path, verify_absence_of_path

from .trees import Tree, no_nodes, place

HELD = {b"key-%d" % number: b"value-%d" % number for number in range(60)}
MISSING = [b"missing-%d" % number for number in range(1000)]


@dataclass
class Whole:
    """A tree with the keys of `HELD`."""

    tree: Tree

    def presence(self, key: bytes) -> Presence:
        found = prove(self.tree.read, key)
        assert isinstance(found, Presence)
        return found

    def absence(self, key: bytes) -> Absence:
        found = prove(self.tree.read, key)
        assert isinstance(found, Absence)
        return found


@pytest.fixture(scope="module")
def whole() -> Whole:
    return Whole(Tree(HELD))


def refused(root: bytes, key: bytes, proof: Proof, value: bytes | None = None) -> str:
    """The reason for which a proof is refused."""
    if value is None:
        with pytest.raises(InvalidProofError) as refusal:
            verify_absence(root, key, proof)
    else:
        with pytest.raises(InvalidProofError) as refusal:
            verify_presence(root, key, value, proof)
    return refusal.value.detail


def path_of(key: bytes) -> bytes:
    return sha256(key).digest()


def outermost(side: int) -> bytes:
    """A missing key before the first or after the last one held."""
    ordered = sorted(path_of(key) for key in HELD)
    tried = (b"outer-%d" % number for number in count())
    return next(key for key in tried if (path_of(key) > ordered[-1] if side else path_of(key) < ordered[0]))


def between(whole: Whole) -> bytes:
    return next(key for key in MISSING if (proof := whole.absence(key)).left and proof.right)


# --- what holds ------------------------------------------------------------------------------------------------------


def test_every_key_held_is_proved_present_and_every_other_absent(whole: Whole) -> None:
    for key, value in HELD.items():
        verify_presence(whole.tree.root, key, value, whole.presence(key))
    for key in MISSING:
        verify_absence(whole.tree.root, key, whole.absence(key))


def test_the_neighbours_are_the_nearest_keys_on_both_sides(whole: Whole) -> None:
    ordered = sorted(path_of(key) for key in HELD)
    for key in MISSING:
        proof, path = whole.absence(key), path_of(key)
        below = [other for other in ordered if other < path]
        above = [other for other in ordered if other > path]
        assert (proof.left.path if proof.left else None) == (below[-1] if below else None)
        assert (proof.right.path if proof.right else None) == (above[0] if above else None)


def test_the_first_and_the_last_place_have_one_neighbour(whole: Whole) -> None:
    assert whole.absence(outermost(0)).left is None
    assert whole.absence(outermost(1)).right is None


def test_everything_is_absent_from_the_empty_tree() -> None:
    proof = prove(no_nodes, b"key")
    assert proof == Absence(None, None)
    verify_absence(EMPTY_ROOT, b"key", proof)


def test_a_lone_key_is_the_whole_way() -> None:
    tree = Tree({b"key": b"value"})
    assert prove(tree.read, b"key") == Presence(())
    verify_presence(tree.root, b"key", b"value", Presence(()))
    verify_absence(tree.root, b"other", prove(tree.read, b"other"))


def test_ways_through_empty_siblings_are_proved() -> None:
    held = {place("1" * 90 + "0"): b"a", place("1" * 90 + "10"): b"b", place("1" * 90 + "11"): b"c"}
    tree = Tree()
    tree.update(held)
    for bits in ("0", "1" * 50 + "0", "1" * 89 + "0", "1" * 90 + "01", "1" * 90 + "101", "1" * 256):
        proof = prove_path(tree.read, place(bits))
        assert isinstance(proof, Absence)
        verify_absence_of_path(tree.root, place(bits), proof)
    for path in held:
        assert isinstance(prove_path(tree.read, path), Presence)


def test_proofs_survive_their_encoding(whole: Whole) -> None:
    for key in (b"key-3", outermost(0), outermost(1), between(whole)):
        proof = prove(whole.tree.read, key)
        again: Proof = decode(encode(proof), Presence | Absence)  # type: ignore[arg-type]
        assert again == proof
    with pytest.raises(MalformedEncodingError):
        decode(encode([3, []]), Presence | Absence)  # type: ignore[arg-type]


def test_a_damaged_tree_proves_nothing(whole: Whole) -> None:
    nodes = dict(whole.tree.nodes)
    del nodes[b"\x40"], nodes[b"\xc0"]
    with pytest.raises(TreeCorruptError):
        prove(nodes.get, b"key-1")


# --- what must not pass for a presence -------------------------------------------------------------------------------


def test_presence_of_another_value_or_key_or_root_is_refused(whole: Whole) -> None:
    proof, root = whole.presence(b"key-3"), whole.tree.root
    assert refused(root, b"key-3", proof, b"value-4") == "it leads to another root"
    assert refused(root, b"key-4", proof, b"value-3") == "it leads to another root"
    assert refused(bytes(32), b"key-3", proof, b"value-3") == "it leads to another root"
    assert refused(root[:31], b"key-3", proof, b"value-3") == "it leads to another root"


def test_every_altered_sibling_is_refused(whole: Whole) -> None:
    proof, root = whole.presence(b"key-3"), whole.tree.root
    for index, sibling in enumerate(proof.siblings):
        altered = bytes((sibling[0] ^ 1,)) + sibling[1:]
        siblings = (*proof.siblings[:index], altered, *proof.siblings[index + 1 :])
        assert refused(root, b"key-3", Presence(siblings), b"value-3") == "it leads to another root"


def test_a_way_too_short_too_long_or_turned_round_is_refused(whole: Whole) -> None:
    siblings, root = whole.presence(b"key-3").siblings, whole.tree.root
    for wrong in (siblings[1:], siblings[:-1], (*siblings, bytes(32)), (bytes(32), *siblings), siblings[::-1], ()):
        assert refused(root, b"key-3", Presence(wrong), b"value-3") == "it leads to another root"
    assert refused(root, b"key-3", Presence((bytes(32),) * 257), b"value-3") == "the way is too long"


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), bytes(64)])
def test_a_hash_of_another_length_is_refused(whole: Whole, wrong: bytes) -> None:
    root = whole.tree.root
    assert refused(root, b"key-3", Presence((wrong,)), b"value-3") == "a hash does not have 32 bytes"
    neighbour = Neighbour(wrong, bytes(32), ())
    assert refused(root, b"x", Absence(neighbour, None)) == "a hash does not have 32 bytes"
    neighbour = Neighbour(bytes(32), wrong, ())
    assert refused(root, b"x", Absence(None, neighbour)) == "a hash does not have 32 bytes"


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    """Were leaf and inner node hashed alike, the root's children would be a key hash and a value hash."""
    tree = Tree()
    tree.update({place("0"): b"a", place("1"): b"b"})
    node = tree.nodes[b"\x80"]
    inner = Neighbour(node[1:33], node[33:], ())
    for path in (bytes(32), b"\xff" * 32):
        with pytest.raises(InvalidProofError):
            verify_absence_of_path(tree.root, path, Absence(inner, None))
        with pytest.raises(InvalidProofError):
            verify_absence_of_path(tree.root, path, Absence(None, inner))


# --- what must not pass for an absence -------------------------------------------------------------------------------


def test_one_kind_of_proof_does_not_pass_for_the_other(whole: Whole) -> None:
    assert refused(whole.tree.root, b"key-3", whole.presence(b"key-3")) == "it proves a presence"
    missing = between(whole)
    assert refused(whole.tree.root, missing, whole.absence(missing), b"") == "it proves an absence"


def test_no_key_held_can_be_proved_absent_by_any_two_neighbours(whole: Whole) -> None:
    """The strongest forger within the tree: every pair of true leaves, and every leaf alone."""
    ways = {key: whole.presence(key).siblings for key in HELD}
    true = [Neighbour(path_of(key), path_of(HELD[key]), ways[key]) for key in HELD]
    for left in (*true, None):
        for right in (*true, None):
            refused(whole.tree.root, b"key-3", Absence(left, right))


def test_neighbours_with_a_key_between_them_are_refused_for_a_missing_key_too(whole: Whole) -> None:
    ordered = sorted(HELD, key=path_of)
    true = [Neighbour(path_of(key), path_of(HELD[key]), whole.presence(key).siblings) for key in ordered]
    key = between(whole)
    index = next(number for number, each in enumerate(true) if each.path > path_of(key))
    reason = "something lies between the neighbours, or beyond the outermost"
    assert refused(whole.tree.root, key, Absence(true[index - 2], true[index])) == reason
    assert refused(whole.tree.root, key, Absence(true[index - 1], true[index + 1])) == reason
    assert refused(whole.tree.root, key, Absence(true[index - 1], None)) == reason
    assert refused(whole.tree.root, key, Absence(None, true[index])) == reason


def test_neighbours_on_the_wrong_sides_are_refused(whole: Whole) -> None:
    key = between(whole)
    proof = whole.absence(key)
    assert refused(whole.tree.root, key, Absence(proof.right, proof.left)) == (
        "the left neighbour does not lie to the left"
    )
    assert refused(whole.tree.root, key, Absence(None, proof.left)) == "the right neighbour does not lie to the right"


def test_no_neighbours_prove_nothing_about_a_tree_that_is_not_empty(whole: Whole) -> None:
    assert refused(whole.tree.root, b"key-3", Absence(None, None)) == "the tree is not empty"


def test_a_key_is_not_its_own_neighbour(whole: Whole) -> None:
    own = Neighbour(path_of(b"key-3"), path_of(b"value-3"), whole.presence(b"key-3").siblings)
    assert refused(whole.tree.root, b"key-3", Absence(own, None)) == "the left neighbour does not lie to the left"
    assert refused(whole.tree.root, b"key-3", Absence(None, own)) == "the right neighbour does not lie to the right"


def test_neighbours_whose_ways_never_part_are_refused() -> None:
    """A made-up root of one leaf: only the lengths of the ways tell that there is nothing to part."""
    left, right = (Neighbour(place(bits), sha256(b"v").digest(), ()) for bits in ("0", "1"))
    root = node_hash(leaf_node(left.path, left.value_hash))
    with pytest.raises(InvalidProofError):
        verify_absence_of_path(root, place("01"), Absence(left, right))


def test_a_sibling_that_only_resembles_the_empty_one_is_not_empty() -> None:
    value = sha256(b"v").digest()
    for sibling, accepted in ((bytes(32), True), (bytes(31) + b"\1", False)):
        right = Neighbour(place("1"), value, (sibling,))
        root = node_hash(inner_node(sibling, node_hash(leaf_node(right.path, value))))
        if accepted:
            verify_absence_of_path(root, place("01"), Absence(None, right))
        else:
            with pytest.raises(InvalidProofError):
                verify_absence_of_path(root, place("01"), Absence(None, right))
