"""BIP 340, against its own vectors; and every malformed part refused by type."""

import copy
import csv
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gridproof.primitives import schnorr
from gridproof.primitives.errors import (
    InvalidArgumentError,
    InvalidPointError,
    InvalidScalarError,
    InvalidSignatureError,
)
from gridproof.primitives.secp256k1 import ORDER, is_point

from tests.shared import vectors

SECRET = bytes(range(1, 33))
MESSAGE = bytes(range(32))
SIGNER = schnorr.Signer(SECRET)
SIGNATURE = SIGNER.sign(MESSAGE)


def rows() -> list[dict[str, Any]]:
    with vectors("bip340/test-vectors.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    return [
        {name: bytes.fromhex(row[name]) for name in ("secret key", "public key", "aux_rand", "message", "signature")}
        | {"good": row["verification result"] == "TRUE", "index": int(row["index"])}
        for row in read
    ]


def test_bip_340_all_rows_verify_as_they_should() -> None:
    assert len(rows()) == 19
    for row in rows():
        parts = row["public key"], row["message"], row["signature"]
        assert schnorr.is_valid(*parts) == row["good"], row["index"]
        if row["good"]:
            schnorr.verify(*parts)
        elif is_point(row["public key"]):
            with pytest.raises(InvalidSignatureError) as refusal:
                schnorr.verify(*parts)
            assert refusal.value.public_key == row["public key"]
        else:
            with pytest.raises(InvalidPointError) as off_curve:
                schnorr.verify(*parts)
            assert off_curve.value.point == row["public key"]


def test_bip_340_all_rows_with_a_secret_are_signed_to_the_byte() -> None:
    signed = [row for row in rows() if row["secret key"]]
    assert len(signed) == 8
    for row in signed:
        signer = schnorr.Signer(row["secret key"])
        assert signer.public_key == row["public key"]
        assert signer.sign(row["message"], row["aux_rand"]) == row["signature"], row["index"]
        assert schnorr.sign(row["secret key"], row["message"], row["aux_rand"]) == row["signature"]


def test_without_randomness_a_signature_is_that_of_32_zero_bytes() -> None:
    for message in (MESSAGE, b"", b"longer than one hash by far, so that the other path is taken"):
        assert SIGNER.sign(message) == SIGNER.sign(message) == SIGNER.sign(message, bytes(32))
        assert SIGNER.sign(message, b"\x01" * 32) != SIGNER.sign(message)
        schnorr.verify(SIGNER.public_key, message, SIGNER.sign(message, b"\x01" * 32))


def test_every_changed_bit_of_a_signature_is_refused() -> None:
    for position in range(512):
        changed = bytearray(SIGNATURE)
        changed[position // 8] ^= 1 << position % 8
        assert not schnorr.is_valid(SIGNER.public_key, MESSAGE, bytes(changed))


def test_another_message_or_key_is_refused() -> None:
    other = schnorr.Signer(b"\x07" * 32)
    assert not schnorr.is_valid(SIGNER.public_key, MESSAGE + b"\x00", SIGNATURE)
    assert not schnorr.is_valid(other.public_key, MESSAGE, SIGNATURE)


def test_the_negated_twin_of_s_is_refused() -> None:
    s = int.from_bytes(SIGNATURE[32:], "big")
    assert not schnorr.is_valid(SIGNER.public_key, MESSAGE, SIGNATURE[:32] + (ORDER - s).to_bytes(32, "big"))
    if s + ORDER < 2**256:
        assert not schnorr.is_valid(SIGNER.public_key, MESSAGE, SIGNATURE[:32] + (s + ORDER).to_bytes(32, "big"))


@pytest.mark.parametrize("signature", [b"", SIGNATURE[:63], SIGNATURE + b"\x00", SIGNATURE.hex(), None, 5])
def test_a_signature_of_another_length_or_type_is_refused(signature: Any) -> None:
    assert not schnorr.is_valid(SIGNER.public_key, MESSAGE, signature)
    with pytest.raises(InvalidSignatureError):
        schnorr.verify(SIGNER.public_key, MESSAGE, signature)


@pytest.mark.parametrize(
    "key", [b"", SIGNER.public_key[:31], b"\x02" + SIGNER.public_key, b"\xff" * 32, "x" * 32, None]
)
def test_a_key_that_is_no_point_is_refused(key: Any) -> None:
    assert not schnorr.is_valid(key, MESSAGE, SIGNATURE)
    with pytest.raises(InvalidPointError):
        schnorr.verify(key, MESSAGE, SIGNATURE)


@pytest.mark.parametrize("message", ["text", None, 5, bytearray(32)])
def test_a_message_that_is_not_bytes_is_refused(message: Any) -> None:
    assert not schnorr.is_valid(SIGNER.public_key, message, SIGNATURE)
    with pytest.raises(InvalidSignatureError):
        schnorr.verify(SIGNER.public_key, message, SIGNATURE)
    with pytest.raises(InvalidArgumentError) as refusal:
        SIGNER.sign(message)
    assert refusal.value.what == "message"


@pytest.mark.parametrize("aux", [b"", bytes(31), bytes(33), "0" * 32, 0])
def test_auxiliary_randomness_of_another_length_is_refused(aux: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        SIGNER.sign(MESSAGE, aux)
    assert refusal.value.what == "aux"


@pytest.mark.parametrize("secret", [bytes(32), ORDER.to_bytes(32, "big"), b"", b"\x01" * 31, "1" * 32, None])
def test_a_bad_secret_makes_no_signer(secret: Any) -> None:
    with pytest.raises(InvalidScalarError) as refusal:
        schnorr.Signer(secret)
    assert refusal.value.length == (len(secret) if isinstance(secret, bytes) else 0)


def test_the_first_false_claim_of_many_is_named() -> None:
    claims = [(SIGNER.public_key, bytes((n,)), SIGNER.sign(bytes((n,)))) for n in range(8)]
    assert schnorr.find_invalid(claims) is None
    assert schnorr.find_invalid(iter(claims)) is None
    assert schnorr.find_invalid([]) is None
    claims[3] = (SIGNER.public_key, b"other", claims[3][2])
    claims[6] = (b"", b"", b"")
    assert schnorr.find_invalid(claims) == 3
    assert schnorr.find_invalid(claims[4:]) == 2


def test_threads_share_signer_and_verifier() -> None:
    def work(start: int) -> bool:
        messages = [start.to_bytes(4, "big") + bytes((n,)) * 28 for n in range(40)]
        signatures = [SIGNER.sign(message) for message in messages]
        claims = [(SIGNER.public_key, *pair) for pair in zip(messages, signatures, strict=True)]
        return schnorr.find_invalid(claims) is None

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_a_signer_shows_no_secret_and_is_not_pickled() -> None:
    for shown in (repr(SIGNER), str(SIGNER), f"{SIGNER}"):
        assert SECRET.hex() not in shown
        assert shown == f"Signer({SIGNER.public_key.hex()})"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(InvalidArgumentError):
            leak(SIGNER)
    assert not hasattr(SIGNER, "__dict__")
