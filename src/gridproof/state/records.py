"""What the ledger stores, takes and announces: frozen records, encoded as MessagePack arrays."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar, Union

import msgspec

from gridproof.primitives.encoding import Codec

R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A value with one encoding: an array of its fields in the order of their declaration."""


def one_of(records: Iterable[type[R]]) -> Codec[R]:
    """The codec of whichever of these records the bytes hold; their tags tell them apart.

    Args:
        records: at least one.
    """
    union: Any = Union[tuple(records)]  # noqa: UP007 - they are known when the program runs
    return Codec(union)


class SignatureClaim(NamedTuple):
    """A statement "this key signed this", to be checked by whoever has a core to spare.

    Attributes:
        public_key: x-only, 32 bytes.
        message: the signed bytes (a tagged hash, 32 bytes).
        signature: BIP 340, 64 bytes.
    """

    public_key: bytes
    message: bytes
    signature: bytes


class Message(Record, frozen=True):
    """Something a participant asks of the ledger. Its tag is module x 1000 + n and is never reused.

    Attributes:
        place: where a proposer puts it in a block, lowest first; messages of one place stand as they arrived.
    """

    place: ClassVar[int] = 1

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right; reads nothing but the message.

        Args:
            chain_id: the chain that the message was sent to, for signatures inside it.
        """

    def claims(self, chain_id: str) -> Sequence[SignatureClaim]:
        """The signatures that the message carries; all must hold. Called only after `check` passed.

        Args:
            chain_id: the chain that the signatures must name.
        """
        return ()


class Event(Record, frozen=True):
    """Something that happened, for those who watch; never an input to the rules."""
