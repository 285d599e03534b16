"""Strict MessagePack: one value, one encoding."""

import json
from typing import Any

import msgspec
import pytest

from gridproof.primitives.encoding import Codec, decode, encode
from gridproof.primitives.errors import InvalidArgumentError, MalformedEncodingError, NonCanonicalEncodingError

from tests.shared import vectors


class Pair(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    name: str
    value: int


PAIR = Codec(Pair)
KINDS = ("nil", "bool", "binary", "bignum", "number", "string", "array", "map")


def suite() -> list[tuple[Any, list[bytes]]]:
    groups = json.loads(vectors("msgpack/msgpack-test-suite.json").read_text())
    cases = []
    for group in groups.values():
        for entry in group:
            kind = next((kind for kind in KINDS if kind in entry), None)
            if kind is None:
                continue
            value = entry[kind]
            if kind == "binary":
                value = bytes.fromhex(value.replace("-", ""))
            elif kind == "bignum":
                value = int(value)
            cases.append((value, [bytes.fromhex(form.replace("-", "")) for form in entry["msgpack"]]))
    return cases


def without_floats(forms: list[bytes]) -> list[bytes]:
    return [form for form in forms if form[:1] not in (b"\xca", b"\xcb")]


def test_foreign_suite_each_value_has_exactly_one_accepted_form() -> None:
    cases = suite()
    assert len(cases) == 59
    for value, forms in cases:
        canonical = encode(value)
        assert canonical in forms, value
        for form in forms:
            if form == canonical:
                assert decode(form, object) == value
            elif form[:1] == b"\xcb" and isinstance(value, int):
                assert decode(form, object) == value  # 1.0 is another value than 1: the type tells them apart
            else:
                with pytest.raises(NonCanonicalEncodingError):
                    decode(form, object)


def test_foreign_suite_an_integer_is_taken_in_its_shortest_form_only() -> None:
    for value, forms in suite():
        if type(value) is int:
            assert len(encode(value)) == min(map(len, without_floats(forms)))
            for form in forms:
                if form != encode(value):
                    with pytest.raises((NonCanonicalEncodingError, MalformedEncodingError)):
                        decode(form, int)


def test_a_record_comes_back_as_it_was() -> None:
    pair = Pair("a", 2**64 - 1)
    assert PAIR.decode(PAIR.encode(pair)) == pair


def test_map_keys_are_sorted_and_other_orders_refused() -> None:
    assert encode({"b": 1, "a": 2}) == encode({"a": 2, "b": 1}) == b"\x82\xa1a\x02\xa1b\x01"
    with pytest.raises(NonCanonicalEncodingError) as refusal:
        decode(b"\x82\xa1b\x01\xa1a\x02", dict[str, int])
    assert refusal.value.what == "dict"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        b"\x92\xa1a",
        b"\x92\xa1a\x01\x00",
        b"\x93\xa1a\x01\x01",
        b"\x91\xa1a",
        b"\x92\x01\x01",
        b"\x92\xa1\xff\x01",
        b"\x92\xa1a\xc4\x00",
        b"\x92\xa1a\xcb\x3f\xf0" + bytes(6),  # 1.0
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
    ],
    ids=lambda raw: raw[:8].hex(),
)
def test_bytes_that_are_no_such_record_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedEncodingError) as refusal:
        PAIR.decode(raw)
    assert refusal.value.what == "Pair"
    assert refusal.value.detail


@pytest.mark.parametrize("raw", [b"\x92\xd9\x01a\x01", b"\x92\xa1a\xcc\x01", b"\xdc\x00\x02\xa1a\x01"])
def test_another_form_of_the_same_record_is_refused(raw: bytes) -> None:
    assert msgspec.msgpack.decode(raw, type=Pair) == Pair("a", 1)  # the library alone takes it
    with pytest.raises(NonCanonicalEncodingError) as refusal:
        PAIR.decode(raw)
    assert refusal.value.what == "Pair"


def test_a_repeated_map_key_is_refused() -> None:
    with pytest.raises(NonCanonicalEncodingError):
        decode(b"\x82\xa1a\x01\xa1a\x02", dict[str, int])


def test_a_map_with_other_keys_than_text_is_refused() -> None:
    with pytest.raises(NonCanonicalEncodingError):
        decode(b"\x81\x01\x01", object)


@pytest.mark.parametrize("raw", ["text", None, 5, [1]])
def test_what_is_not_bytes_is_refused_by_type(raw: Any) -> None:
    with pytest.raises(MalformedEncodingError):
        PAIR.decode(raw)


def test_deep_nesting_is_refused_without_a_crash() -> None:
    with pytest.raises(MalformedEncodingError):
        decode(b"\x91" * 100_000 + b"\x00", object)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, "\ud800", object(), {1: 2, "a": 3}, {1: 2}])
def test_a_value_without_a_form_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        encode(value)
    assert refusal.value.what == type(value).__name__


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArgumentError):
        encode(endless)
