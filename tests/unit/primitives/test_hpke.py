"""HPKE, against RFC 9180; the library draws the one-time key, so encryption is checked by decryption."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gridproof.primitives import hpke
from gridproof.primitives.errors import DecryptionError, InvalidArgumentError

from tests.shared import vectors

SECRET = bytes(range(32))
PUBLIC = hpke.public_key(SECRET)
SEALED = hpke.seal(PUBLIC, b"bill 2025-10", b"12.50")


def suite() -> dict[str, Any]:
    suites = json.loads(vectors("hpke/rfc9180-x25519-hkdfsha256.json").read_text())
    (found,) = (suite for suite in suites if suite["mode"] == 0 and suite["aead_id"] == 3)
    return {name: bytes.fromhex(value) if isinstance(value, str) else value for name, value in found.items()}


def test_rfc_9180_keys_derive_from_their_material() -> None:
    vector = suite()
    assert hpke.derive_secret(vector["ikmR"]) == vector["skRm"]
    assert hpke.derive_secret(vector["ikmE"]) == vector["skEm"]
    assert hpke.public_key(vector["skRm"]) == vector["pkRm"]
    assert hpke.public_key(vector["skEm"]) == vector["pkEm"] == vector["enc"]


def test_rfc_9180_all_encryptions_come_from_the_key_that_opens_ours() -> None:
    """The RFC's texts carry associated data, single shots of the library none: so the RFC's key is checked first."""
    vector = suite()
    aead = ChaCha20Poly1305(vector["key"])
    for text in vector["encryptions"]:
        nonce, aad, plain = (bytes.fromhex(text[name]) for name in ("nonce", "aad", "pt"))
        assert aead.encrypt(nonce, plain, aad).hex() == text["ct"]
    plain = bytes.fromhex(vector["encryptions"][0]["pt"])
    sealed = vector["enc"] + aead.encrypt(vector["base_nonce"], plain, b"")
    assert hpke.unseal(vector["skRm"], vector["info"], sealed) == plain


def test_what_is_sealed_opens() -> None:
    assert hpke.unseal(SECRET, b"bill 2025-10", SEALED) == b"12.50"
    assert hpke.unseal(SECRET, b"", hpke.seal(PUBLIC, b"", b"")) == b""
    assert len(SEALED) == hpke.OVERHEAD + len(b"12.50")


def test_two_sealings_of_one_text_differ() -> None:
    assert hpke.seal(PUBLIC, b"bill 2025-10", b"12.50") != SEALED


def test_another_key_or_context_opens_nothing() -> None:
    with pytest.raises(DecryptionError):
        hpke.unseal(b"\x09" * 32, b"bill 2025-10", SEALED)
    with pytest.raises(DecryptionError):
        hpke.unseal(SECRET, b"bill 2025-11", SEALED)


def test_every_changed_byte_is_refused() -> None:
    for position in range(len(SEALED)):
        changed = bytearray(SEALED)
        changed[position] ^= 1
        with pytest.raises(DecryptionError):
            hpke.unseal(SECRET, b"bill 2025-10", bytes(changed))


@pytest.mark.parametrize(
    "sealed", [b"", SEALED[:31], SEALED[:32], SEALED[:-1], SEALED + b"\x00", bytes(60), "text", None]
)
def test_what_is_no_sealed_text_is_refused(sealed: Any) -> None:
    with pytest.raises(DecryptionError):
        hpke.unseal(SECRET, b"bill 2025-10", sealed)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), "0" * 32, None])
def test_a_key_of_another_length_is_refused(key: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        hpke.seal(key, b"", b"")
    assert refusal.value.what == "public_key"
    with pytest.raises(InvalidArgumentError) as refusal:
        hpke.unseal(key, b"", SEALED)
    assert refusal.value.what == "secret"
    with pytest.raises(InvalidArgumentError):
        hpke.public_key(key)


@pytest.mark.parametrize("key", [bytes(32), (1).to_bytes(32, "little")])
def test_a_public_key_of_low_order_is_refused(key: bytes) -> None:
    with pytest.raises(InvalidArgumentError):
        hpke.seal(key, b"", b"text")


@pytest.mark.parametrize("material", [b"", bytes(31), "0" * 32])
def test_too_little_material_is_refused(material: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        hpke.derive_secret(material)
    assert refusal.value.what == "material"


def test_a_plaintext_or_context_that_is_not_bytes_is_refused() -> None:
    for plaintext, info in (("text", b""), (b"", "text")):
        with pytest.raises(InvalidArgumentError):
            hpke.seal(PUBLIC, info, plaintext)  # type: ignore[arg-type]
