"""Hybrid public key encryption: X25519, HKDF-SHA256, ChaCha20-Poly1305, base mode, single shot.

The sender's one-time key is drawn by the library, so no two sealings of one plaintext are equal. What belongs to the
context (who, which month) goes into `info`, which both sides must give alike.

Source: RFC 9180, sections 4, 5.1.1 and 6.1; suite 0x0020, 0x0001, 0x0003.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from .checks import has_size, is_bytes
from .errors import DecryptionError, InvalidArgumentError

__all__ = ["KEY_SIZE", "OVERHEAD", "derive_secret", "public_key", "seal", "unseal"]

KEY_SIZE: Final = 32
OVERHEAD: Final = KEY_SIZE + 16  # bytes by which a sealed text is longer: the one-time key and the tag

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_LABEL: Final = b"HPKE-v1KEM\x00\x20"


def derive_secret(material: bytes) -> bytes:
    """Derive a secret key from random bytes.

    Args:
        material: at least 32 bytes.

    Returns:
        32 bytes.

    Raises:
        InvalidArgumentError: the material is too short, or not bytes.

    Source: RFC 9180, section 7.1.3, DeriveKeyPair.
    """
    if not is_bytes(material) or len(material) < KEY_SIZE:
        raise InvalidArgumentError(what="material", detail="not 32 bytes or more")
    extracted = HKDF.extract(SHA256(), b"", _LABEL + b"dkp_prk" + material)
    info = KEY_SIZE.to_bytes(2, "big") + _LABEL + b"sk"
    return HKDFExpand(SHA256(), KEY_SIZE, info).derive(extracted)


def public_key(secret: bytes) -> bytes:
    """The public key of a secret one.

    Args:
        secret: 32 bytes.

    Returns:
        32 bytes.

    Raises:
        InvalidArgumentError: the secret is not 32 bytes.
    """
    return _secret(secret).public_key().public_bytes_raw()


def seal(public_key: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Encrypt for the holder of a key.

    Args:
        public_key: the receiver's, 32 bytes.
        info: the context; it must be the same for opening.
        plaintext: any length.

    Returns:
        The one-time key (32 bytes), then the ciphertext with its tag.

    Raises:
        InvalidArgumentError: the public key is not 32 bytes, or of low order, or an argument is not bytes.
    """
    if not has_size(public_key, KEY_SIZE):
        raise InvalidArgumentError(what="public_key", detail="not 32 bytes")
    try:
        return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info)
    except (TypeError, ValueError) as fault:
        raise InvalidArgumentError(what="seal", detail=str(fault)) from fault


def unseal(secret: bytes, info: bytes, sealed: bytes) -> bytes:
    """Decrypt what was sealed for the secret's holder.

    Args:
        secret: 32 bytes.
        info: the context, as at sealing.
        sealed: what `seal` returned.

    Returns:
        The plaintext.

    Raises:
        InvalidArgumentError: the secret is not 32 bytes.
        DecryptionError: it was sealed for another key or context, or altered.
    """
    key = _secret(secret)
    try:
        return _SUITE.decrypt(sealed, key, info)
    except (InvalidTag, TypeError, ValueError) as fault:
        raise DecryptionError(detail="sealed for another key or context, or altered") from fault


def _secret(secret: bytes) -> X25519PrivateKey:
    if not has_size(secret, KEY_SIZE):
        raise InvalidArgumentError(what="secret", detail="not 32 bytes")
    return X25519PrivateKey.from_private_bytes(secret)
