"""Errors that travel: packed where they arise, the same class again where they are told.

A result is kept and sent as number and sentence, with the particulars beside them in a form for programs. None of
that but the number is part of consensus.
"""

from collections.abc import Iterator
from typing import Any, Final, get_type_hints

import msgspec

from gridproof.errors import GridproofError, Refusal
from gridproof.primitives.encoding import Codec, encode
from gridproof.primitives.errors import PrimitiveError

from .blocks import TransactionResult
from .errors import StateError

MAX_PACKED_BYTES: Final = 1_024
OK: Final = 0


class RefusedError(Refusal):
    """The ledger refuses, for a reason that this program does not know by its class; what was asked changed nothing.

    Attributes:
        code: the refusal's number.
    """

    code: int  # type: ignore[misc]
    name: str
    text: str

    def __str__(self) -> str:
        return self.text


class ForeignError(StateError):
    """The node failed with an error that this program does not know by its class."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.text


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    name: str
    particulars: dict[str, msgspec.Raw]


_PACKED: Final = Codec(_Packed)
_known: dict[tuple[str, int], type[GridproofError]] = {}


def pack_error(error: GridproofError) -> bytes:
    """An error's class and particulars, in at most 1,024 bytes; particulars that have no encoding are left out."""
    name = type(error).__name__
    try:
        packed = encode([name, error.particulars])
    except PrimitiveError:
        packed = b""
    return packed if 0 < len(packed) <= MAX_PACKED_BYTES else encode([name, {}])


def unpack_error(code: int, text: str, packed: bytes) -> GridproofError:
    """The error again: of its own class where this program knows it.

    Args:
        code: the refusal's number, 0 where it is no refusal.
        text: its sentence.
        packed: what `pack_error` gave.
    """
    name = "Refusal"
    try:
        read = _PACKED.decode(packed)
        name, known = read.name, _find(read.name, code)
        if known is not None:
            hints = get_type_hints(known)
            return known(**{field: _field(raw, hints[field]) for field, raw in read.particulars.items()})
    except (PrimitiveError, TypeError, KeyError, msgspec.MsgspecError):
        pass  # another release's error: told by its sentence
    return RefusedError(code=code, name=name, text=text) if code else ForeignError(name=name, text=text)


def result_of(refusal: Refusal) -> TransactionResult:
    """The result of a refused transaction."""
    return TransactionResult(refusal.code, str(refusal), pack_error(refusal))


def refusal_in(result: TransactionResult) -> GridproofError | None:
    """The refusal that a result tells of, None where the transaction took effect."""
    return None if result.code == OK else unpack_error(result.code, result.text, result.detail)


def _field(raw: msgspec.Raw, type_: Any) -> Any:
    return msgspec.msgpack.decode(raw, type=type_)


def _find(name: str, code: int) -> type[GridproofError] | None:
    if (name, code) not in _known:
        _known.update({(each.__name__, getattr(each, "code", OK)): each for each in _descendants(GridproofError)})
    return _known.get((name, code))


def _descendants(root: type[GridproofError]) -> Iterator[type[GridproofError]]:
    for each in root.__subclasses__():
        yield each
        yield from _descendants(each)
