"""HKDF, against RFC 5869 and Wycheproof."""

import json
from typing import Any

import pytest

from gridproof.primitives.errors import InvalidArgumentError
from gridproof.primitives.hkdf import MAX_LENGTH, hkdf

from tests.shared import vectors


def test_rfc_5869() -> None:
    cases = json.loads(vectors("hkdf/rfc5869-sha256.json").read_text())
    assert len(cases) == 3
    for case in cases:
        derived = hkdf(
            bytes.fromhex(case["IKM"]), bytes.fromhex(case["info"]), int(case["L"]), bytes.fromhex(case["salt"])
        )
        assert derived.hex() == case["OKM"], case["case"]


def test_wycheproof() -> None:
    groups = json.loads(vectors("hkdf/wycheproof-hkdf-sha256.json").read_text())["testGroups"]
    seen = 0
    for case in (case for group in groups for case in group["tests"]):
        seen += 1
        parts = bytes.fromhex(case["ikm"]), bytes.fromhex(case["info"]), case["size"], bytes.fromhex(case["salt"])
        if case["result"] == "valid":
            assert hkdf(*parts).hex() == case["okm"], case["tcId"]
        else:
            with pytest.raises(InvalidArgumentError) as refusal:
                hkdf(*parts)
            assert refusal.value.what == "length"
    assert seen == 86


def test_another_purpose_gives_another_key() -> None:
    assert hkdf(bytes(32), b"one") != hkdf(bytes(32), b"two")
    assert len(hkdf(bytes(32), b"one")) == 32


@pytest.mark.parametrize("length", [0, -1, MAX_LENGTH + 1])
def test_a_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(InvalidArgumentError):
        hkdf(bytes(32), b"", length)


@pytest.mark.parametrize("bad", ["text", None, 5])
def test_what_is_not_bytes_is_refused(bad: Any) -> None:
    for secret, info, salt in ((bad, b"", b""), (b"", bad, b""), (b"", b"", bad)):
        with pytest.raises(InvalidArgumentError):
            hkdf(secret, info, 32, salt)
