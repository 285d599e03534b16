"""Changing the tree."""

from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from gridproof.state.smt import EMPTY_ROOT, TreeCorruptError, apply, root
from gridproof.state.smt.nodes import ROOT, bit, key_path, leaf_node
from gridproof.state.store import LmdbStore, Table

from .trees import Tree, no_nodes, place, plain_tree, positions


def entries(count: int, value: bytes = b"value") -> dict[bytes, bytes | None]:
    return {b"key-%d" % number: value for number in range(count)}


def by_definition(tree: Tree, held: dict[bytes, bytes | None]) -> bool:
    values = {key_path(key): value for key, value in held.items() if value is not None}
    return plain_tree(values) == (tree.root, tree.nodes)


def test_the_empty_tree_has_the_empty_root() -> None:
    assert apply(no_nodes, {}) == (EMPTY_ROOT, {})
    assert root(no_nodes) == EMPTY_ROOT == bytes(32)


def test_a_lone_key_stands_at_the_root() -> None:
    tree = Tree({b"key": b"value"})
    leaf = leaf_node(sha256(b"key").digest(), sha256(b"value").digest())
    assert tree.nodes == {ROOT: leaf}
    assert tree.root == sha256(leaf).digest() == root(tree.read)


def test_many_keys_give_the_tree_of_the_definition() -> None:
    held = entries(300)
    assert by_definition(Tree(held), held)


def test_setting_what_is_there_and_removing_what_is_not_changes_nothing() -> None:
    tree = Tree(entries(100))
    before = tree.root
    assert tree.apply({b"key-7": b"value", b"missing": None, b"another": None}) == {}
    assert tree.root == before
    assert Tree().apply({b"missing": None}) == {}


def test_the_order_of_the_changes_does_not_matter() -> None:
    held = entries(200)
    backwards = dict(reversed(held.items()))
    assert apply(no_nodes, held) == apply(no_nodes, backwards)
    assert list(apply(no_nodes, held)[1]) == list(apply(no_nodes, backwards)[1])


def test_what_was_stored_is_not_touched() -> None:
    tree = Tree(entries(50))
    before = dict(tree.nodes)
    apply(tree.read, entries(60, b"changed"))
    assert tree.nodes == before


def test_one_batch_gives_the_tree_of_many() -> None:
    held = entries(60)
    together, apart = Tree(held), Tree()
    for key, value in held.items():
        apart.apply({key: value})
    assert (together.root, together.nodes) == (apart.root, apart.nodes)


def test_removing_lifts_the_lone_sibling_as_far_as_it_is_alone() -> None:
    near, far = place("1" * 200 + "0"), place("1" * 200 + "1")
    tree = Tree()
    tree.update({near: b"a", far: b"b"})
    assert len(tree.nodes) == 203
    changes = tree.update({far: None})
    assert plain_tree({near: b"a"}) == (tree.root, tree.nodes)
    assert sorted(Counter(node is None for node in changes.values()).items()) == [(False, 1), (True, 202)]


def test_a_lifted_leaf_stops_below_a_node_that_has_another_side() -> None:
    tree = Tree()
    tree.update({place("00"): b"a", place("1100"): b"b", place("1101"): b"c"})
    tree.update({place("1101"): None})
    assert sorted(tree.nodes) == sorted(positions(["", "L", "R"]))
    tree.update({place("00"): None})
    assert sorted(tree.nodes) == positions([""])


def test_an_inner_node_without_a_sibling_is_not_lifted() -> None:
    tree = Tree()
    tree.update({place("00"): b"a", place("1100"): b"b", place("1101"): b"c"})
    tree.update({place("00"): None})
    assert plain_tree({place("1100"): b"b", place("1101"): b"c"}) == (tree.root, tree.nodes)


def test_a_new_leaf_takes_the_place_of_the_removed_one_beside_it() -> None:
    tree = Tree()
    tree.update({place("000"): b"a", place("001"): b"b"})
    changes = tree.update({place("000"): None, place("0011"): b"c"})
    assert plain_tree({place("001"): b"b", place("0011"): b"c"}) == (tree.root, tree.nodes)
    assert changes[positions(["LLL"])[0]] is None


def test_a_leaf_that_comes_where_its_sibling_goes_is_stored_once_only() -> None:
    tree = Tree()
    tree.update({place("0000"): b"a", place("0001"): b"b"})
    tree.update({place("0000"): None, place("0001"): None, place("01"): b"c"})
    assert plain_tree({place("01"): b"c"}) == (tree.root, tree.nodes)


def test_removing_everything_leaves_no_node() -> None:
    held = entries(100)
    tree = Tree(held)
    assert set(tree.apply(dict.fromkeys(held)).values()) == {None}
    assert (tree.root, tree.nodes) == (EMPTY_ROOT, {})


def test_keys_that_differ_in_the_last_bit_alone_are_held_apart() -> None:
    values = {place("1" * 255 + last): last.encode() for last in "01"}
    tree = Tree()
    tree.update(values)
    assert plain_tree(values) == (tree.root, tree.nodes)
    tree.update({place("1" * 256): None})
    assert len(tree.nodes) == 1


def test_a_change_reads_no_more_than_the_nodes_on_its_way() -> None:
    tree = Tree(entries(500))
    read: list[bytes] = []

    def watched(position: bytes) -> bytes | None:
        read.append(position)
        return tree.read(position)

    _, changes = apply(watched, {b"key-3": b"changed"})
    assert sorted(set(read)) == sorted(changes)
    assert len(read) == len(changes) + 1  # the root's hash is asked for first


@pytest.mark.parametrize("damage", [None, b"\1" + bytes(10), b"\7" + bytes(64)])
def test_a_damaged_node_on_the_way_is_told_with_its_position(damage: bytes | None) -> None:
    tree = Tree(entries(100))
    side = bit(key_path(b"key-1"), 0)
    (position,) = positions(["LR"[side]])
    nodes: dict[bytes, bytes | None] = {**tree.nodes, position: damage}
    with pytest.raises(TreeCorruptError) as refusal:
        apply(nodes.get, {b"key-1": b"changed"})
    assert refusal.value.position == position
    with pytest.raises(TreeCorruptError) as refusal:
        root({ROOT: damage or b"\1"}.get)
    assert refusal.value.position == ROOT


def test_a_tree_in_the_durable_store_is_the_one_in_memory(tmp_path: Path) -> None:
    store, tree = LmdbStore(str(tmp_path / "store")), Tree()
    steps = [entries(400), entries(100, b"changed"), dict.fromkeys(entries(300)), entries(350, b"again")]
    for step in steps:
        with store.snapshot() as snapshot:
            new_root, nodes = apply(partial(snapshot.get, Table.TREE), step)
        store.write({Table.TREE: nodes})
        tree.apply(step)
        assert new_root == tree.root
    with store.snapshot() as snapshot:
        assert dict(snapshot.scan(Table.TREE)) == tree.nodes
    store.close()
