"""HKDF with SHA-256: keys for named purposes from one secret.

Source: RFC 5869.
"""

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .checks import is_bytes
from .errors import InvalidArgumentError

__all__ = ["MAX_LENGTH", "hkdf"]

MAX_LENGTH: Final = 255 * 32


def hkdf(secret: bytes, info: bytes, length: int = 32, salt: bytes = b"") -> bytes:
    """Derive a key.

    Args:
        secret: the input keying material, any length.
        info: the purpose; another purpose gives an independent key.
        length: of the key in bytes, 1 .. 8160.
        salt: public, may be empty.

    Raises:
        InvalidArgumentError: the length is out of range, or an argument is not bytes.
    """
    if not 1 <= length <= MAX_LENGTH:
        raise InvalidArgumentError(what="length", detail=f"{length} is not within 1 .. {MAX_LENGTH}")
    if not all(map(is_bytes, (secret, info, salt))):
        raise InvalidArgumentError(what="hkdf", detail="secret, info or salt is not bytes")
    return HKDF(SHA256(), length, salt, info).derive(secret)
