"""Unsigned variable-length integers, against the specification's examples."""

import json

import pytest

from gridproof.primitives import varint
from gridproof.primitives.errors import InvalidArgumentError, MalformedEncodingError, NonCanonicalEncodingError

from tests.shared import vectors


def test_the_specifications_examples() -> None:
    document = json.loads(vectors("cid/unsigned-varint.json").read_text())
    assert document["max_bytes"] == varint.MAX_BYTES
    for case in document["valid"]:
        raw = bytes.fromhex(case["hex"])
        assert varint.encode(case["value"]) == raw
        assert varint.decode(raw) == (case["value"], len(raw))
    for case in document["rejected"]:
        with pytest.raises(NonCanonicalEncodingError):
            varint.decode(bytes.fromhex(case["hex"]))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**14 - 1, 2**14, 2**62, varint.MAX_VALUE])
def test_what_is_encoded_decodes_from_the_middle_too(value: int) -> None:
    raw = varint.encode(value)
    assert varint.decode(b"\xff" + raw + b"rest", 1) == (value, 1 + len(raw))


@pytest.mark.parametrize("value", [-1, varint.MAX_VALUE + 1])
def test_a_value_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(InvalidArgumentError):
        varint.encode(value)


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xff" * 8, b"\xff" * 9 + b"\x01"])
def test_an_integer_without_end_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedEncodingError):
        varint.decode(raw)


def test_a_start_beyond_the_bytes_is_refused() -> None:
    with pytest.raises(MalformedEncodingError):
        varint.decode(b"\x01", 1)
