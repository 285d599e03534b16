"""Proofs made by others for trees of the same layout: the vectors of ICS-23 for SmtSpec."""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from gridproof.primitives.errors import InvalidProofError
from gridproof.state.smt import EMPTY_ROOT, Absence, Neighbour, Presence, verify_absence, verify_presence
from gridproof.state.smt.nodes import bit, inner_node, leaf_node, node_hash
from gridproof.state.smt.proof import verify_absence_of_path

from .trees import place
from tests.shared import vectors

Fields = dict[int, list[Any]]


def varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (raw[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if raw[at - 1] < 0x80:
            return value, at


def fields(raw: bytes) -> Fields:
    """The fields of a protobuf message: number -> values, whole numbers or bytes."""
    found: Fields = {}
    at = 0
    while at < len(raw):
        tag, at = varint(raw, at)
        if tag & 7 == 0:
            value, at = varint(raw, at)
            found.setdefault(tag >> 3, []).append(value)
        else:
            assert tag & 7 == 2
            length, at = varint(raw, at)
            found.setdefault(tag >> 3, []).append(raw[at : at + length])
            at += length
    return found


def packed(raw: bytes) -> Iterator[int]:
    at = 0
    while at < len(raw):
        value, at = varint(raw, at)
        yield value


class Existence:
    """An ExistenceProof: what it is about, and the siblings on its way."""

    def __init__(self, raw: bytes, lookup: list[bytes] | None) -> None:
        parts = fields(raw)
        (self.key,), (self.value,) = parts[1], parts[2]
        leaf = fields(parts[3][0])
        assert leaf == {1: [1], 2: [1], 3: [1], 5: [b"\0"]}, "SHA-256 of 00, hashed key, hashed value"
        if lookup is None:
            steps = parts.get(4, [])
        else:
            steps = [lookup[index] for run in parts.get(4, []) for index in packed(run)]
        self.siblings = tuple(self._sibling(fields(step), depth) for step, depth in self._with_depth(steps))

    @staticmethod
    def _with_depth(steps: list[bytes]) -> list[tuple[bytes, int]]:
        return [(step, len(steps) - 1 - index) for index, step in enumerate(steps)]

    def _sibling(self, step: Fields, depth: int) -> bytes:
        (operation,), (prefix,), suffix = step[1], step[2], step.get(3, [b""])[0]
        assert operation == 1
        assert prefix[:1] == b"\1"
        is_right = len(prefix) == 33
        assert is_right == bool(bit(sha256(self.key).digest(), depth)), "the side follows from the key's hash"
        assert (len(prefix), len(suffix)) in ((33, 0), (1, 32))
        return bytes(prefix[1:] if is_right else suffix)

    @property
    def neighbour(self) -> Neighbour:
        return Neighbour(sha256(self.key).digest(), sha256(self.value).digest(), self.siblings)


def absence(raw: bytes, lookup: list[bytes] | None) -> Absence:
    parts = fields(raw)
    left, right = ([Existence(each, lookup).neighbour for each in parts.get(number, [])] for number in (2, 3))
    return Absence(left[0] if left else None, right[0] if right else None)


def load(name: str) -> Any:
    return json.loads(vectors(f"ics23/{name}").read_text())


@pytest.mark.parametrize("name", ["exist_left", "exist_middle", "exist_right"])
def test_foreign_proofs_of_presence_hold_and_altered_ones_do_not(name: str) -> None:
    vector = load(f"smt/{name}.json")
    root, key, value = (bytes.fromhex(vector[part]) for part in ("root", "key", "value"))
    (found,) = fields(bytes.fromhex(vector["proof"]))[1]
    proof = Presence(Existence(found, None).siblings)
    verify_presence(root, key, value, proof)
    for wrong in ((root, key, value + b"x"), (root, key + b"x", value), (sha256(root).digest(), key, value)):
        with pytest.raises(InvalidProofError):
            verify_presence(*wrong, proof)


@pytest.mark.parametrize("name", ["nonexist_left", "nonexist_middle", "nonexist_right"])
def test_foreign_proofs_of_absence_hold_and_altered_ones_do_not(name: str) -> None:
    vector = load(f"smt/{name}.json")
    root, key = bytes.fromhex(vector["root"]), bytes.fromhex(vector["key"])
    (found,) = fields(bytes.fromhex(vector["proof"]))[2]
    proof = absence(found, None)
    assert [proof.left is None, proof.right is None] == [name == "nonexist_left", name == "nonexist_right"]
    verify_absence(root, key, proof)
    wrong = [Absence(None, None), Absence(proof.right, proof.left)]
    if proof.left and proof.right:
        wrong += [Absence(proof.left, None), Absence(None, proof.right)]
    for each in wrong:
        with pytest.raises(InvalidProofError):
            verify_absence(root, key, each)
    with pytest.raises(InvalidProofError):
        verify_absence(sha256(root).digest(), key, proof)


@pytest.mark.parametrize("name", ["batch_exist", "batch_nonexist"])
def test_foreign_compressed_batches_hold(name: str) -> None:
    vector = load(f"smt/{name}.json")
    root = bytes.fromhex(vector["root"])
    (batch,) = fields(bytes.fromhex(vector["proof"]))[4]
    parts = fields(batch)
    asked = {bytes.fromhex(item["key"]): bytes.fromhex(item["value"]) for item in vector["items"]}
    present = 0
    absent: list[Absence] = []
    for entry in map(fields, parts[1]):
        for raw in entry.get(1, []):
            found = Existence(raw, parts[2])
            assert asked[found.key] == found.value
            verify_presence(root, found.key, found.value, Presence(found.siblings))
            present += 1
        absent += [absence(raw, parts[2]) for raw in entry.get(2, [])]
    missing = [key for key, value in asked.items() if not value]
    assert present + len(absent) == len(vector["items"])
    assert len(missing) == len(absent)
    for key, proof in zip(missing, absent, strict=True):
        verify_absence(root, key, proof)


def test_a_step_beside_an_empty_branch_is_told_from_one_beside_another() -> None:
    """ICS-23's TestEmptyBranchData: its specs' own marks of emptiness are put into ours."""
    told = 0
    for case in load("ops/TestEmptyBranchData.json"):
        mark = base64.b64decode(case["Spec"]["inner_spec"].get("empty_child", ""))
        prefix, suffix = (base64.b64decode(case["Op"].get(part, "")) for part in ("prefix", "suffix"))
        sibling = prefix[1:] or suffix
        if not mark or len(sibling) != 32:
            continue
        ours = EMPTY_ROOT if sibling == mark else sha256(sibling).digest()
        on_the_left = len(prefix) == 33
        is_empty = case["IsLeft"] if on_the_left else case["IsRight"]
        neighbour = Neighbour(place("11" if on_the_left else "00"), bytes(32), (ours,))
        leaf = node_hash(leaf_node(neighbour.path, neighbour.value_hash))
        root = node_hash(inner_node(ours, leaf) if on_the_left else inner_node(leaf, ours))
        proof = Absence(None, neighbour) if on_the_left else Absence(neighbour, None)
        if is_empty:
            verify_absence_of_path(root, place("01"), proof)
        else:
            with pytest.raises(InvalidProofError):
                verify_absence_of_path(root, place("01"), proof)
        told += 1
    assert told >= 4
