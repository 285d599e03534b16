"""Unsigned variable-length integers of multiformats and Protocol Buffers: seven bits a byte, least significant first.

Source: multiformats unsigned-varint.
"""

from typing import Final

from .errors import InvalidArgumentError, MalformedEncodingError, NonCanonicalEncodingError

__all__ = ["MAX_BYTES", "MAX_VALUE", "decode", "encode"]

MAX_BYTES: Final = 9
MAX_VALUE: Final = 2**63 - 1


def encode(value: int) -> bytes:
    """Encode an integer in as few bytes as it needs.

    Args:
        value: 0 .. 2**63 - 1.

    Raises:
        InvalidArgumentError: it is out of range.
    """
    if not 0 <= value <= MAX_VALUE:
        raise InvalidArgumentError(what="varint", detail=f"{value} is not within 0 .. {MAX_VALUE}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(raw: bytes, start: int = 0) -> tuple[int, int]:
    """Read an integer.

    Args:
        raw: bytes that hold it.
        start: position of its first byte.

    Returns:
        The integer, and the position after it.

    Raises:
        MalformedEncodingError: the bytes end before it does, or it has more than nine of them.
        NonCanonicalEncodingError: fewer bytes would have done.
    """
    value = 0
    for count, byte in enumerate(raw[start : start + MAX_BYTES]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if byte == 0 and count:
                raise NonCanonicalEncodingError(what="varint")
            return value, start + count + 1
    raise MalformedEncodingError(what="varint", detail="it has no end")
