"""The tree against its plainest definition, under random batches of insertions, changes and removals.

Half of the key hashes drawn share a long beginning with another, which real hashes hardly ever do.
"""

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.primitives.errors import InvalidProofError
from gridproof.state.smt import Absence, Neighbour, Presence, prove, verify_absence, verify_presence
from gridproof.state.smt.nodes import leaf_node
from gridproof.state.smt.proof import prove_path, verify_absence_of_path

from tests.unit.state.smt.trees import Tree, plain_tree

PATHS = st.binary(min_size=32, max_size=32)


@st.composite
def families(draw: st.DrawFn) -> list[bytes]:
    """Key hashes, some of which differ from an earlier one only from some bit on, or in one bit."""
    paths = [draw(PATHS)]
    for _ in range(draw(st.integers(min_value=3, max_value=14))):
        relative = int.from_bytes(draw(st.sampled_from(paths)), "big")
        turn = draw(st.integers(min_value=0, max_value=255))
        tail = draw(st.sampled_from([0, (1 << turn) - 1, int.from_bytes(draw(PATHS), "big") & ((1 << turn) - 1)]))
        paths.append((relative ^ (1 << turn) ^ tail).to_bytes(32, "big"))
    return list(dict.fromkeys(paths))


@settings(max_examples=60)
@given(data=st.data())
def test_random_batches_give_the_tree_and_the_nodes_of_the_definition(data: st.DataObject) -> None:
    paths = data.draw(families())
    values = st.none() | st.sampled_from([b"a", b"b", b"c"])
    tree: Tree = Tree()
    model: dict[bytes, bytes] = {}
    for batch in data.draw(st.lists(st.dictionaries(st.sampled_from(paths), values), min_size=1, max_size=8)):
        tree.update(batch)
        for path, value in batch.items():
            if value is None:
                model.pop(path, None)
            else:
                model[path] = value
        assert (tree.root, tree.nodes) == plain_tree(model)
    for path in paths:
        proof = prove_path(tree.read, path)
        assert isinstance(proof, Presence) == (path in model)
        if isinstance(proof, Absence):
            verify_absence_of_path(tree.root, path, proof)


@settings(max_examples=60)
@given(data=st.data())
def test_no_two_true_leaves_prove_a_present_key_absent(data: st.DataObject) -> None:
    paths = data.draw(families())
    tree = Tree()
    tree.update(dict.fromkeys(paths, b"v"))
    true: list[Neighbour | None] = [None]
    for path in paths:
        proof = prove_path(tree.read, path)
        assert isinstance(proof, Presence)
        true.append(Neighbour(path, sha256(b"v").digest(), proof.siblings))
    target = data.draw(st.sampled_from(paths))
    for left in true:
        for right in true:
            try:
                verify_absence_of_path(tree.root, target, Absence(left, right))
            except InvalidProofError:
                continue
            raise AssertionError("a key that is there was proved absent")


@settings(max_examples=40)
@given(data=st.data())
def test_any_altered_proof_is_refused(data: st.DataObject) -> None:
    held = data.draw(st.dictionaries(st.binary(max_size=4), st.binary(min_size=1, max_size=4), min_size=1, max_size=30))
    asked = data.draw(st.sampled_from(sorted(held)) | st.binary(max_size=4))
    tree = Tree(held)
    proof = prove(tree.read, asked)
    if isinstance(proof, Presence):
        verify_presence(tree.root, asked, held[asked], proof)
        altered: Presence | Absence = Presence(data.draw(altered_ways(proof.siblings)))
    else:
        verify_absence(tree.root, asked, proof)
        altered = Absence(data.draw(altered_neighbours(proof.left)), data.draw(altered_neighbours(proof.right)))
    if altered == proof:
        return
    try:
        if isinstance(altered, Presence):
            verify_presence(tree.root, asked, held[asked], altered)
        else:
            verify_absence(tree.root, asked, altered)
    except InvalidProofError:
        return
    raise AssertionError("an altered proof was taken for a true one")


@st.composite
def altered_ways(draw: st.DrawFn, siblings: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """A way with one sibling more, less, or other, or the way itself."""
    at = draw(st.integers(min_value=0, max_value=len(siblings)))
    spare = draw(st.just(bytes(32)) | st.binary(min_size=30, max_size=34))
    return draw(
        st.sampled_from(
            [
                siblings,
                (*siblings[:at], spare, *siblings[at:]),
                (*siblings[:at], *siblings[at + 1 :]),
                (*siblings[:at], spare, *siblings[at + 1 :]),
            ]
        )
    )


@st.composite
def altered_neighbours(draw: st.DrawFn, neighbour: Neighbour | None) -> Neighbour | None:
    """A neighbour with something in it changed, taken away or made up, or as it was."""
    if neighbour is None:
        made_up = Neighbour(draw(PATHS), draw(PATHS), draw(altered_ways(())))
        return draw(st.sampled_from([None, made_up]))
    other = draw(PATHS)
    leaf = leaf_node(neighbour.path, neighbour.value_hash)
    return draw(
        st.sampled_from(
            [
                None,
                neighbour,
                Neighbour(other, neighbour.value_hash, neighbour.siblings),
                Neighbour(neighbour.path, other, neighbour.siblings),
                Neighbour(neighbour.path, neighbour.value_hash, draw(altered_ways(neighbour.siblings))),
                Neighbour(leaf[1:33], sha256(leaf).digest(), neighbour.siblings),
            ]
        )
    )
