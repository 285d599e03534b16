"""Whatever bytes come in: encodings have one form, filters keep what they hold, names are read back."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.primitives import cid, schnorr, secp256k1, varint
from gridproof.primitives.bloom import BloomFilter
from gridproof.primitives.encoding import Codec, encode
from gridproof.primitives.errors import (
    InvalidPointError,
    InvalidScalarError,
    InvalidSignatureError,
    MalformedEncodingError,
    NonCanonicalEncodingError,
    PrimitiveError,
)


class Inner(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    number: int
    text: str


class Outer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    raw: bytes
    inner: tuple[Inner, ...]
    flag: bool
    names: dict[str, int]


OUTER = Codec(Outer)
NUMBERS = st.integers(-(2**63), 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
INNERS = st.builds(Inner, NUMBERS, TEXTS)
OUTERS = st.builds(
    Outer,
    st.binary(max_size=20),
    st.lists(INNERS, max_size=3).map(tuple),
    st.booleans(),
    st.dictionaries(TEXTS, NUMBERS, max_size=3),
)


@given(OUTERS)
def test_a_record_has_one_encoding_and_comes_back(value: Outer) -> None:
    raw = OUTER.encode(value)
    assert OUTER.decode(raw) == value
    assert encode(OUTER.decode(raw)) == raw


@settings(max_examples=150)
@given(OUTERS, st.data())
def test_changed_bytes_are_another_record_or_refused(value: Outer, data: Any) -> None:
    raw = bytearray(OUTER.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = OUTER.decode(bytes(raw))
    except (MalformedEncodingError, NonCanonicalEncodingError):
        return
    assert OUTER.encode(decoded) == bytes(raw)


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_refused_by_type(raw: bytes) -> None:
    for codec in (OUTER, Codec(Inner), Codec(object), Codec(dict), Codec(list)):
        try:
            value = codec.decode(raw)
        except (MalformedEncodingError, NonCanonicalEncodingError):
            continue
        assert encode(value) == raw


@given(st.integers(0, varint.MAX_VALUE), st.binary(max_size=3))
def test_a_varint_comes_back_whatever_follows(value: int, rest: bytes) -> None:
    raw = varint.encode(value)
    assert varint.decode(raw + rest) == (value, len(raw))


@given(st.binary(max_size=12))
def test_any_bytes_are_a_varint_in_its_one_form_or_refused(raw: bytes) -> None:
    try:
        value, end = varint.decode(raw)
    except PrimitiveError:
        return
    assert varint.encode(value) == raw[:end]


@given(st.sets(st.binary(max_size=12), min_size=1, max_size=200), st.sampled_from([2, 7, 100, 10**6]))
def test_a_filter_never_forgets(items: set[bytes], one_in: int) -> None:
    bloom = BloomFilter.sized(len(items), one_in)
    bloom.update(items)
    single = BloomFilter.sized(len(items), one_in)
    for item in sorted(items):
        single.add(item)
    assert bloom == single == BloomFilter.from_bytes(bloom.to_bytes())
    assert all(item in bloom for item in items)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_filter_or_refused(raw: bytes) -> None:
    with suppress(MalformedEncodingError):
        assert BloomFilter.from_bytes(raw).to_bytes() == raw


@given(st.lists(st.binary(max_size=50), max_size=12), st.integers(1, 9), st.integers(2, 4))
def test_a_files_name_depends_on_its_bytes_only(pieces: list[bytes], chunk_size: int, max_links: int) -> None:
    layout = cid.Layout(chunk_size=chunk_size, max_links=max_links)
    assert cid.file_cid(pieces, layout) == cid.file_cid(b"".join(pieces), layout)
    name = cid.cid_v1(pieces)
    assert cid.format_cid(cid.parse_cid(name)) == name


@given(st.text("abcdefkrwz234567=BQ1 ", max_size=70))
def test_any_text_is_a_name_in_its_one_form_or_refused(text: str) -> None:
    for candidate in (text, "b" + text, "bafkrei" + text):
        with suppress(MalformedEncodingError, NonCanonicalEncodingError):
            assert cid.format_cid(cid.parse_cid(candidate)) == candidate


@given(
    st.integers(1, secp256k1.ORDER - 1),
    st.binary(max_size=100),
    st.one_of(st.none(), st.binary(min_size=32, max_size=32)),
)
def test_what_a_key_signs_verifies_under_it(secret: int, message: bytes, aux: bytes | None) -> None:
    raw = secret.to_bytes(32, "big")
    signer = schnorr.Signer(raw)
    assert signer.public_key == secp256k1.x_only(raw) == secp256k1.point_of(raw)[1:]
    signature = signer.sign(message, aux)
    schnorr.verify(signer.public_key, message, signature)
    assert not schnorr.is_valid(signer.public_key, message + b"x", signature)


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=70))
def test_any_bytes_are_refused_as_a_signature_by_type(key: bytes, message: bytes, signature: bytes) -> None:
    assert not schnorr.is_valid(key, message, signature)
    with pytest.raises((InvalidPointError, InvalidSignatureError)):
        schnorr.verify(key, message, signature)
    for take in (secp256k1.parse_point, secp256k1.require_point):
        with suppress(InvalidPointError):
            take(key)
    with suppress(InvalidScalarError):
        assert len(secp256k1.x_only(key)) == 32
