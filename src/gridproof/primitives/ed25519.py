"""Signatures of Ed25519, for the keys of the consensus engine.

Rules:
- a public key is the canonical encoding of a point that is not of small order: for a key of small order anyone could
  sign, and two programs could disagree about an encoding that is not canonical;
- verification is RFC 8032's without the cofactor, as the library does it: the computed R must be the signature's bytes.

Source: RFC 8032, section 5.1; the list of points of small order is the curve's torsion, its eight points.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .checks import has_size, is_bytes, shown, size_of
from .errors import InvalidArgumentError, InvalidScalarError, InvalidSignatureError

__all__ = ["KEY_SIZE", "SIGNATURE_SIZE", "is_sound_key", "public_key", "sign", "verify"]

KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

_P: Final = 2**255 - 19
_Y_MASK: Final = 2**255 - 1
_Y_OF_ORDER_8: Final = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
# The y of the points of order 1, 2, 4 and 8; both signs of x share them.
_SMALL_ORDER_Y: Final = (1, _P - 1, 0, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8)


def is_sound_key(key: bytes) -> bool:
    """Whether the bytes can be someone's public key: 32 of them, canonical, not of small order.

    That they are a point of the curve at all shows when a signature is verified.
    """
    if not has_size(key, KEY_SIZE):
        return False
    y = int.from_bytes(key, "little") & _Y_MASK
    return y < _P and y not in _SMALL_ORDER_Y


def public_key(secret: bytes) -> bytes:
    """The public key of a secret, 32 bytes.

    Args:
        secret: 32 bytes; the engine's key file holds it followed by the public key.

    Raises:
        InvalidScalarError: it is not 32 bytes long.
    """
    return _private(secret).public_key().public_bytes_raw()


def sign(secret: bytes, message: bytes) -> bytes:
    """Sign a message; the same message gives the same 64 bytes.

    Args:
        secret: 32 bytes.
        message: bytes of any length.

    Raises:
        InvalidScalarError: the secret is not 32 bytes long.
        InvalidArgumentError: the message is not bytes.
    """
    private = _private(secret)
    if not is_bytes(message):
        raise InvalidArgumentError(what="message", detail="no bytes")
    return private.sign(message)


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Return if a key signed a message.

    Args:
        key: 32 bytes.
        message: bytes of any length.
        signature: 64 bytes.

    Raises:
        InvalidSignatureError: it did not, or the key is nobody's.
    """
    if not (is_sound_key(key) and has_size(signature, SIGNATURE_SIZE) and is_bytes(message)):
        raise InvalidSignatureError(public_key=shown(key))
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError) as fault:
        raise InvalidSignatureError(public_key=key) from fault


def _private(secret: bytes) -> Ed25519PrivateKey:
    if not has_size(secret, KEY_SIZE):
        raise InvalidScalarError(length=size_of(secret))
    return Ed25519PrivateKey.from_private_bytes(secret)
