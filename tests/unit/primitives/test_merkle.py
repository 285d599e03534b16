"""RFC 6962 trees, against foreign vectors and a model written straight from the RFC."""

import base64
import hashlib
import json
from itertools import combinations
from typing import Any

import pytest

from gridproof.primitives import merkle
from gridproof.primitives.errors import InvalidArgumentError, InvalidProofError

from tests.shared import vectors

LEAVES = [bytes((n,)) * n for n in range(13)]


def model_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + model_root(leaves[:k]) + model_root(leaves[k:])).digest()


def model_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return [*model_path(m, leaves[:k]), model_root(leaves[k:])]
    return [*model_path(m - k, leaves[k:]), model_root(leaves[:k])]


def model_subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [model_root(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m <= k:
        return [*model_subproof(m, leaves[:k], whole), model_root(leaves[k:])]
    return [*model_subproof(m - k, leaves[k:], False), model_root(leaves[:k])]


def steps(proof: list[str] | None) -> list[bytes]:
    return [base64.b64decode(step) for step in proof or []]


def test_foreign_tree_of_eight_leaves() -> None:
    document = json.loads(vectors("merkle/rfc6962-tree.json").read_text())
    leaves = [bytes.fromhex(leaf) for leaf in document["leaf_inputs"]]
    hashes = document["node_hashes_by_level"]
    assert [merkle.leaf_hash(leaf).hex() for leaf in leaves][1:] == hashes[0][1:]  # the first has lost a digit there
    for size, expected in enumerate(document["root_by_size"]):
        assert merkle.root(leaves[:size]).hex() == expected
    for level, nodes in enumerate(hashes[1:], 1):
        for position, expected in enumerate(nodes):
            assert merkle.root(leaves[position << level : (position + 1) << level]).hex() == expected


def test_foreign_inclusion_proofs() -> None:
    cases = json.loads(vectors("merkle/inclusion.json").read_text())
    assert len(cases) == 98
    for case in cases:
        root, leaf = base64.b64decode(case["root"] or ""), base64.b64decode(case["leafHash"] or "")
        arguments = root, case["treeSize"], case["leafIdx"], leaf, steps(case["proof"])
        if case["wantErr"]:
            with pytest.raises(InvalidProofError):
                merkle._verify_hash(*arguments)
        else:
            merkle._verify_hash(*arguments)


def test_foreign_consistency_proofs() -> None:
    cases = json.loads(vectors("merkle/consistency.json").read_text())
    assert len(cases) == 98
    for case in cases:
        old, new = base64.b64decode(case["root1"] or ""), base64.b64decode(case["root2"] or "")
        arguments = old, case["size1"], new, case["size2"], steps(case["proof"])
        strict = case["name"] == "additional/sizes-are-equal-one-and-proof-is-empty"  # its roots are texts of 12 bytes
        if case["wantErr"] or strict:
            with pytest.raises(InvalidProofError):
                merkle.verify_consistency(*arguments)
        else:
            merkle.verify_consistency(*arguments)


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_roots_and_proofs_are_the_rfcs(size: int) -> None:
    leaves = LEAVES[:size]
    root = merkle.root(leaves)
    assert root == model_root(leaves)
    for index in range(size):
        proof = merkle.inclusion_proof(leaves, index)
        assert list(proof) == model_path(index, leaves)
        merkle.verify_inclusion(root, size, index, leaves[index], proof)
    for old_size in range(1, size + 1):
        proof = merkle.consistency_proof(leaves, old_size)
        assert list(proof) == model_subproof(old_size, leaves, True)
        merkle.verify_consistency(model_root(leaves[:old_size]), old_size, root, size, proof)


def test_every_subset_of_every_small_tree_proves_itself_in_fewest_hashes() -> None:
    for size in range(1, 9):
        leaves = LEAVES[:size]
        root = merkle.root(leaves)
        for count in range(1, size + 1):
            for indices in combinations(range(size), count):
                proof = merkle.multi_proof(leaves, indices)
                merkle.verify_multi(root, size, indices, [leaves[i] for i in indices], proof)
                single = {step for i in indices for step in merkle.inclusion_proof(leaves, i)}
                assert set(proof) <= single
                if count == size:
                    assert proof == ()


@pytest.mark.parametrize("size", [1, 2, 7, 8, 13])
def test_proofs_of_many_leaves_are_those_of_each(size: int) -> None:
    leaves = LEAVES[:size]
    for indices in ((), (size - 1,), tuple(range(size)), (size - 1, 0, size - 1)):
        proofs = merkle.inclusion_proofs(leaves, indices)
        assert [list(proof) for proof in proofs] == [model_path(index, leaves) for index in indices]


@pytest.mark.parametrize("index", [-1, 3])
def test_of_many_leaves_one_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(InvalidArgumentError):
        merkle.inclusion_proofs(LEAVES[:3], (0, index))


def test_a_multi_proof_of_one_leaf_is_its_inclusion_proof() -> None:
    for index in range(13):
        assert merkle.multi_proof(LEAVES, [index]) == merkle.inclusion_proof(LEAVES, index)


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    """Taking bare hashes lets one inner node stand for the two leaves below it; taking data does not."""
    root = merkle.root(LEAVES[:4])
    left = hashlib.sha256(b"\x01" + merkle.leaf_hash(LEAVES[0]) + merkle.leaf_hash(LEAVES[1])).digest()
    right = hashlib.sha256(b"\x01" + merkle.leaf_hash(LEAVES[2]) + merkle.leaf_hash(LEAVES[3])).digest()
    merkle._verify_hash(root, 2, 0, left, [right])  # positive control: of two "leaves", the first is that node
    for data in (left, b"\x01" + left, merkle.leaf_hash(LEAVES[0]) + merkle.leaf_hash(LEAVES[1])):
        with pytest.raises(InvalidProofError):
            merkle.verify_inclusion(root, 2, 0, data, [right])
        with pytest.raises(InvalidProofError):
            merkle.verify_multi(root, 2, [0], [data], [right])


def test_every_changed_bit_of_a_multi_proof_is_refused() -> None:
    indices, root = [1, 4, 5, 11], merkle.root(LEAVES)
    shown = [LEAVES[i] for i in indices]
    proof = merkle.multi_proof(LEAVES, indices)
    for number in range(len(proof)):
        for bit in range(256):
            step = bytearray(proof[number])
            step[bit // 8] ^= 1 << bit % 8
            with pytest.raises(InvalidProofError):
                merkle.verify_multi(root, 13, indices, shown, [*proof[:number], bytes(step), *proof[number + 1 :]])


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {**a, "proof": a["proof"][:-1]},
        lambda a: {**a, "proof": (*a["proof"], bytes(32))},
        lambda a: {**a, "proof": (bytes(32), *a["proof"])},
        lambda a: {**a, "proof": a["proof"][::-1]},
        lambda a: {**a, "proof": ()},
        lambda a: {**a, "proof": None},
        lambda a: {**a, "proof": b"".join(a["proof"])},
        lambda a: {**a, "proof": tuple(step.hex() for step in a["proof"])},
        lambda a: {**a, "proof": tuple(step[:31] for step in a["proof"])},
        lambda a: {**a, "indices": []},
        lambda a: {**a, "indices": [], "leaves": []},
        lambda a: {**a, "indices": [1, 4, 5]},
        lambda a: {**a, "indices": [4, 1, 5, 11]},
        lambda a: {**a, "indices": [1, 4, 4, 11]},
        lambda a: {**a, "indices": [1, 4, 5, 13]},
        lambda a: {**a, "indices": [-1, 4, 5, 11]},
        lambda a: {**a, "indices": [1, 4, 5, 10]},
        lambda a: {**a, "size": 12},
        lambda a: {**a, "size": 17},
        lambda a: {**a, "size": 0},
        lambda a: {**a, "root": bytes(32)},
        lambda a: {**a, "root": a["root"][:31]},
        lambda a: {**a, "root": a["root"].hex()},
        lambda a: {**a, "leaves": a["leaves"][:-1]},
        lambda a: {**a, "leaves": a["leaves"][::-1]},
        lambda a: {**a, "leaves": [*a["leaves"][:-1], "text"]},
        lambda a: {**a, "leaves": [*a["leaves"][:-1], None]},
    ],
)
def test_a_malformed_multi_proof_is_refused(change: Any) -> None:
    indices = [1, 4, 5, 11]
    good: dict[str, Any] = {
        "root": merkle.root(LEAVES),
        "size": 13,
        "indices": indices,
        "leaves": [LEAVES[i] for i in indices],
        "proof": merkle.multi_proof(LEAVES, indices),
    }
    merkle.verify_multi(**good)
    with pytest.raises(InvalidProofError) as refusal:
        merkle.verify_multi(**change(good))
    assert refusal.value.detail


@pytest.mark.parametrize("leaf", ["text", None, 5])
def test_a_leaf_that_is_not_bytes_is_refused(leaf: Any) -> None:
    with pytest.raises(InvalidProofError):
        merkle.verify_inclusion(merkle.root([b"a"]), 1, 0, leaf, ())
    for use in (merkle.leaf_hash, lambda leaf: merkle.root([leaf]), lambda leaf: merkle.multi_proof([leaf], [0])):
        with pytest.raises(InvalidArgumentError):
            use(leaf)


@pytest.mark.parametrize("proof", [None, b"", "text", [None], [b""], [bytes(33)], ["0" * 32]])
def test_a_proof_that_is_no_sequence_of_hashes_is_refused(proof: Any) -> None:
    root = merkle.root(LEAVES[:2])
    with pytest.raises(InvalidProofError):
        merkle.verify_inclusion(root, 2, 0, LEAVES[0], proof)
    with pytest.raises(InvalidProofError):
        merkle.verify_consistency(merkle.root(LEAVES[:1]), 1, root, 2, proof)


@pytest.mark.parametrize("index", [-1, 13])
def test_a_leaf_that_is_not_there_has_no_proof(index: int) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        merkle.inclusion_proof(LEAVES, index)
    assert refusal.value.what == "index"
    with pytest.raises(InvalidArgumentError) as refusal:
        merkle.multi_proof(LEAVES, [index])
    assert refusal.value.what == "index"


@pytest.mark.parametrize("indices", [[], [3, 3], [4, 3]])
def test_indices_that_do_not_ascend_have_no_proof(indices: list[int]) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        merkle.multi_proof(LEAVES, indices)
    assert refusal.value.what == "indices"


@pytest.mark.parametrize("old_size", [-1, 0, 14])
def test_a_tree_that_never_was_has_no_consistency(old_size: int) -> None:
    with pytest.raises(InvalidArgumentError):
        merkle.consistency_proof(LEAVES, old_size)


def test_nothing_is_consistent_with_an_empty_tree_or_a_smaller_one() -> None:
    root, empty = merkle.root(LEAVES), merkle.root([])
    assert empty == merkle.EMPTY_ROOT
    for old_root, old_size, new_root, new_size in ((empty, 0, root, 13), (empty, 0, empty, 0), (root, 13, root, 12)):
        with pytest.raises(InvalidProofError):
            merkle.verify_consistency(old_root, old_size, new_root, new_size, ())


def test_a_tree_is_consistent_with_itself_by_nothing_only() -> None:
    root = merkle.root(LEAVES)
    merkle.verify_consistency(root, 13, root, 13, ())
    with pytest.raises(InvalidProofError):
        merkle.verify_consistency(root, 13, root, 13, (root,))
    with pytest.raises(InvalidProofError):
        merkle.verify_consistency(root, 13, bytes(32), 13, ())


def test_sizes_beyond_any_tree_cost_nothing() -> None:
    for size in (2**64, 2**200):
        with pytest.raises(InvalidProofError):
            merkle.verify_inclusion(bytes(32), size, size - 1, b"", ())
        with pytest.raises(InvalidProofError):
            merkle.verify_multi(bytes(32), size, [0, size - 1], [b"", b""], ())
