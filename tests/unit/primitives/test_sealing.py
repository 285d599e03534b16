"""Secrets at rest: only the passphrase opens them, and nothing shows it."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gridproof.primitives import sealing
from gridproof.primitives.errors import DecryptionError, InvalidArgumentError
from gridproof.primitives.sealing import PassphraseKey

SALT, NONCE = bytes(range(16)), bytes(range(12))
CHEAP = sealing.MIN_LOG2_N
KEY = PassphraseKey("open sesame", SALT, CHEAP)
SEALED = KEY.seal(b"seed", NONCE, b"meter-7")


def test_what_is_sealed_opens_with_a_key_derived_again() -> None:
    assert PassphraseKey("open sesame", SALT, CHEAP).open(SEALED, b"meter-7") == b"seed"
    assert sealing.open_with_passphrase(SEALED, "open sesame", b"meter-7") == b"seed"
    assert KEY.open(KEY.seal(b"", NONCE)) == b""


def test_a_text_is_laid_out_as_documented() -> None:
    head = bytes((1, CHEAP)) + SALT + NONCE
    derived = Scrypt(salt=SALT, length=32, n=1 << CHEAP, r=8, p=1).derive(b"open sesame")
    assert head + ChaCha20Poly1305(derived).encrypt(NONCE, b"seed", head + b"meter-7") == SEALED


def test_one_key_seals_many_texts() -> None:
    texts = [KEY.seal(bytes((n,)), n.to_bytes(12, "big")) for n in range(5)]
    assert len(set(texts)) == 5
    assert [KEY.open(text) for text in texts] == [bytes((n,)) for n in range(5)]
    assert all(KEY.fits(text) for text in texts)
    assert not PassphraseKey("open sesame", bytes(16), CHEAP).fits(SEALED)


def test_once_is_as_good_at_the_default_cost() -> None:
    sealed = sealing.seal_with_passphrase(b"seed", "open sesame", SALT, NONCE, b"x")
    assert sealed[1] == sealing.DEFAULT_LOG2_N
    assert sealing.open_with_passphrase(sealed, "open sesame", b"x") == b"seed"


def test_another_passphrase_salt_or_context_opens_nothing() -> None:
    with pytest.raises(DecryptionError):
        PassphraseKey("open sesam", SALT, CHEAP).open(SEALED, b"meter-7")
    with pytest.raises(DecryptionError):
        PassphraseKey("open sesame", bytes(16), CHEAP).open(SEALED, b"meter-7")
    with pytest.raises(DecryptionError):
        KEY.open(SEALED, b"meter-8")


def test_every_changed_byte_is_refused() -> None:
    for position in range(len(SEALED)):
        changed = bytearray(SEALED)
        changed[position] ^= 1
        with pytest.raises(DecryptionError):
            KEY.open(bytes(changed), b"meter-7")


@pytest.mark.parametrize(
    "sealed",
    [b"", SEALED[:45], b"\x02" + SEALED[1:], b"\x01\x3f" + SEALED[2:], b"\x01\x00" + SEALED[2:], "text", None],
    ids=repr,
)
def test_what_is_no_sealed_text_is_refused_before_any_derivation(sealed: Any) -> None:
    with pytest.raises(DecryptionError):
        KEY.open(sealed)
    with pytest.raises(DecryptionError):
        sealing.open_with_passphrase(sealed, "open sesame")
    assert not KEY.fits(sealed) or sealed[:18] == SEALED[:18]


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("passphrase", ("", SALT, CHEAP)),
        ("passphrase", ("\ud800", SALT, CHEAP)),
        ("passphrase", (b"bytes", SALT, CHEAP)),
        ("salt", ("p", b"", CHEAP)),
        ("salt", ("p", bytes(17), CHEAP)),
        ("salt", ("p", "0" * 16, CHEAP)),
        ("log2_n", ("p", SALT, CHEAP - 1)),
        ("log2_n", ("p", SALT, sealing.MAX_LOG2_N + 1)),
    ],
)
def test_bad_arguments_make_no_key(what: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        PassphraseKey(*arguments)
    assert refusal.value.what == what


def test_a_bad_nonce_or_text_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        KEY.seal(b"x", bytes(11))
    assert refusal.value.what == "nonce"
    with pytest.raises(InvalidArgumentError):
        KEY.seal("text", NONCE)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        KEY.seal(b"x", NONCE, "text")  # type: ignore[arg-type]
    with pytest.raises(DecryptionError):
        KEY.open(SEALED, "text")  # type: ignore[arg-type]


def test_a_key_shows_salt_and_cost_only() -> None:
    assert repr(KEY) == str(KEY) == f"PassphraseKey(salt={SALT.hex()}, log2_n={CHEAP})"
    assert not hasattr(KEY, "__dict__")
