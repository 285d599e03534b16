"""Keys and points of secp256k1, straight from libsecp256k1.

Rules:
- every length is checked here, because C reads as many bytes as it expects;
- points are x-only (32 bytes) wherever they name somebody: with 33 bytes one key would have two names;
- one context for the process: it is only read, so that threads share it, and no chance enters (blinding would change
  no output).

Source: SEC 2, section 2.4.1; BIP 340, section "Public Key Generation".
"""

from collections.abc import Iterable
from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib

from .checks import has_size, is_bytes, shown, size_of
from .errors import InvalidPointError, InvalidScalarError

__all__ = [
    "COMPRESSED_SIZE",
    "ORDER",
    "POINT_SIZE",
    "SCALAR_SIZE",
    "is_point",
    "is_scalar",
    "parse_point",
    "point_of",
    "require_point",
    "require_scalar",
    "scalar_from_hash",
    "x_only",
    "x_only_all",
]

ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
SCALAR_SIZE: Final = 32
POINT_SIZE: Final = 32  # x-only
COMPRESSED_SIZE: Final = 33

_ZERO: Final = bytes(SCALAR_SIZE)
_ORDER_BYTES: Final = ORDER.to_bytes(SCALAR_SIZE, "big")
_FORM_SIZES: Final = {2: 33, 3: 33, 4: 65}  # first byte of a SEC 1 point -> its length; hybrid forms 6, 7 are refused
_CONTEXT_NONE: Final = 1
_EC_COMPRESSED: Final = 258

_context: Final[Any] = lib.secp256k1_context_create(_CONTEXT_NONE)
_PUBKEY: Final[Any] = ffi.typeof("secp256k1_pubkey *")
_XONLY: Final[Any] = ffi.typeof("secp256k1_xonly_pubkey *")
_BYTES33: Final[Any] = ffi.typeof("unsigned char[33]")
_LENGTH: Final[Any] = ffi.typeof("size_t *")


def is_scalar(secret: bytes) -> bool:
    """Whether the bytes are a secret key: 32 of them, within 1 .. n-1."""
    return has_size(secret, SCALAR_SIZE) and _ZERO < secret < _ORDER_BYTES


def require_scalar(secret: bytes) -> None:
    """Return if the bytes are a secret key.

    Raises:
        InvalidScalarError: they are not 32 bytes, or zero, or not below the group's order. It does not show them.
    """
    if not is_scalar(secret):
        raise InvalidScalarError(length=size_of(secret))


def scalar_from_hash(digest: bytes) -> bytes:
    """Take a hash as a secret key.

    Args:
        digest: 32 bytes.

    Raises:
        InvalidScalarError: by a chance of 2**-128 it is none; hash again with a counter.
    """
    require_scalar(digest)
    return digest


def x_only(secret: bytes) -> bytes:
    """The public key of a secret: the x of `secret * G`.

    Args:
        secret: 32 bytes.

    Returns:
        32 bytes.

    Raises:
        InvalidScalarError: the secret is no scalar.
    """
    return point_of(secret)[1:]


def x_only_all(secrets: Iterable[bytes]) -> list[bytes]:
    """The public keys of many secrets, in their order.

    Raises:
        InvalidScalarError: a secret is no scalar; nothing is returned.
    """
    create, serialize, context = lib.secp256k1_ec_pubkey_create, lib.secp256k1_ec_pubkey_serialize, _context
    key, out, length = ffi.new(_PUBKEY), ffi.new(_BYTES33), ffi.new(_LENGTH, COMPRESSED_SIZE)
    view = ffi.buffer(out)
    keys: list[bytes] = []
    append = keys.append
    for secret in secrets:
        if not (has_size(secret, SCALAR_SIZE) and create(context, key, secret)):
            raise InvalidScalarError(length=size_of(secret))
        serialize(context, out, length, key, _EC_COMPRESSED)
        append(view[1:33])
    return keys


def point_of(secret: bytes) -> bytes:
    """The public key of a secret with the sign of its y, as other ledgers want it.

    Returns:
        33 bytes, SEC 1 compressed.

    Raises:
        InvalidScalarError: the secret is no scalar.
    """
    require_scalar(secret)
    key = ffi.new(_PUBKEY)
    lib.secp256k1_ec_pubkey_create(_context, key, secret)
    return _compress(key)


def parse_point(point: bytes) -> bytes:
    """Read a point of 33 or 65 bytes into its compressed form.

    Returns:
        33 bytes, SEC 1 compressed.

    Raises:
        InvalidPointError: the form is unknown, the length another, or the point is not on the curve.

    Source: SEC 1, section 2.3.4.
    """
    key = ffi.new(_PUBKEY)
    known = is_bytes(point) and len(point) > 0 and len(point) == _FORM_SIZES.get(point[0])
    if not known or not lib.secp256k1_ec_pubkey_parse(_context, key, point, len(point)):
        raise InvalidPointError(point=shown(point))
    return _compress(key)


def is_point(x: bytes) -> bool:
    """Whether the bytes are the x of a point: 32 of them, below the field's size, on the curve."""
    return has_size(x, POINT_SIZE) and lib.secp256k1_xonly_pubkey_parse(_context, ffi.new(_XONLY), x) == 1


def require_point(x: bytes) -> None:
    """Return if the bytes are the x of a point.

    Raises:
        InvalidPointError: they are not.
    """
    if not is_point(x):
        raise InvalidPointError(point=shown(x))


def _compress(key: Any) -> bytes:
    out = ffi.new(_BYTES33)
    lib.secp256k1_ec_pubkey_serialize(_context, out, ffi.new(_LENGTH, COMPRESSED_SIZE), key, _EC_COMPRESSED)
    return bytes(ffi.buffer(out))
