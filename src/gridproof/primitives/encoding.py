"""Strict MessagePack: one value, one encoding.

Rules:
- what is encoded twice gives the same bytes, on any machine: maps have text keys, sorted;
- bytes that do not encode again to themselves are refused, so that no two byte strings stand for one value.
"""

from typing import Final, Generic, TypeVar

import msgspec

from .errors import InvalidArgumentError, MalformedEncodingError, NonCanonicalEncodingError

__all__ = ["Codec", "decode", "encode"]

T = TypeVar("T")

_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_encode: Final = _ENCODER.encode
_ENCODE_FAULTS: Final = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
_DECODE_FAULTS: Final = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError, MemoryError)


def encode(value: object) -> bytes:
    """Encode a value canonically.

    Args:
        value: a record, or a builtin of integers within -2**63 .. 2**64 - 1, text, bytes, lists, maps with text keys.

    Raises:
        InvalidArgumentError: MessagePack has no form for it.
    """
    try:
        return _encode(value)
    except _ENCODE_FAULTS as fault:
        raise InvalidArgumentError(what=type(value).__name__, detail=str(fault)) from fault


class Codec(Generic[T]):
    """Encodes and decodes values of one type; made once, used often, by any thread."""

    __slots__ = ("_decode", "_name")

    def __init__(self, type_: type[T]) -> None:
        self._decode = msgspec.msgpack.Decoder(type_).decode
        self._name = getattr(type_, "__name__", str(type_))

    def encode(self, value: T) -> bytes:
        """Encode a value canonically.

        Raises:
            InvalidArgumentError: MessagePack has no form for it.
        """
        return encode(value)

    def decode(self, raw: bytes) -> T:
        """Decode bytes that are the canonical encoding of a value of this type.

        Raises:
            MalformedEncodingError: they are no MessagePack, or not of this type.
            NonCanonicalEncodingError: the value's encoding is another one.

        Source: architecture.md, The Application, Envelope.
        """
        try:
            value = self._decode(raw)
        except _DECODE_FAULTS as fault:
            raise MalformedEncodingError(what=self._name, detail=str(fault)) from fault
        try:
            again = _encode(value)
        except _ENCODE_FAULTS as fault:
            raise NonCanonicalEncodingError(what=self._name) from fault
        if again != raw:
            raise NonCanonicalEncodingError(what=self._name)
        return value


def decode(raw: bytes, type_: type[T]) -> T:
    """Decode once, as `Codec.decode` does.

    Raises:
        MalformedEncodingError: the bytes are no MessagePack, or not of this type.
        NonCanonicalEncodingError: the value's encoding is another one.
    """
    return Codec(type_).decode(raw)
