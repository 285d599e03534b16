"""The envelope: how a participant's messages reach the ledger.

A transaction is `[body, signature]`; the body's bytes are what was signed, by way of a tagged hash, so that no second
encoding of a body can carry the same signature. Rules: all messages of a body take effect or none; a body counts for
one chain, one sender and one nonce, and until its end of validity only.
"""

from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from gridproof.domain import ParticipantId
from gridproof.errors import GridproofError
from gridproof.primitives.encoding import Codec, encode
from gridproof.primitives.hashing import Tag
from gridproof.primitives.schnorr import Signer

from .errors import MalformedTransaction, TransactionTooLarge
from .records import Message, Record

VERSION: Final = 1
MAX_TRANSACTION_BYTES: Final = 8 * 2**20
MAX_MESSAGES: Final = 1_000
NONCE_WINDOW: Final = 64

transaction_hash: Final = Tag("gridproof/transaction/v1")
message_hash: Final = Tag("gridproof/message/v1")
_signing_hash: Final = Tag("gridproof/envelope/v1")

U32Field = Annotated[int, Meta(ge=0, le=2**32 - 1)]
U64Field = Annotated[int, Meta(ge=0)]  # MessagePack holds nothing greater than 2**64 - 1


class Body(Record, frozen=True):
    """What a sender signs.

    Attributes:
        version: of this form, 1.
        chain_id: the chain that it is for.
        sender: participant id.
        nonce: how many of the sender's transactions came before.
        valid_until_s: last second of ledger time at which it may enter a block, UTC epoch seconds.
        messages: each in its own canonical encoding.
    """

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    chain_id: Annotated[str, Meta(min_length=1, max_length=64)]
    sender: U32Field
    nonce: U64Field
    valid_until_s: U64Field
    messages: Annotated[tuple[bytes, ...], Meta(min_length=1, max_length=MAX_MESSAGES)]


class SignedBody(Record, frozen=True):
    """A body's bytes and the sender's signature over their tagged hash."""

    body: bytes
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


_BODY: Final = Codec(Body)
_SIGNED: Final = Codec(SignedBody)


class Transaction(NamedTuple):
    """A transaction as decoded: well-formed, its signature not yet checked.

    Attributes:
        hash: names the transaction, 32 bytes.
        body: what was signed.
        messages: the body's messages, decoded.
        signing_hash: the hash that the signature is over, 32 bytes.
        signature: 64 bytes.
        raw: the bytes it came in.
    """

    hash: bytes
    body: Body
    messages: tuple[Message, ...]
    signing_hash: bytes
    signature: bytes
    raw: bytes

    @property
    def sender(self) -> ParticipantId:
        """Who sent it."""
        return ParticipantId(self.body.sender)


def sign_transaction(
    signer: Signer,
    *,
    chain_id: str,
    sender: ParticipantId,
    nonce: int,
    valid_until_s: int,
    messages: tuple[Message, ...],
    aux: bytes | None = None,
) -> bytes:
    """Make a transaction's bytes.

    Args:
        signer: holds the sender's transaction key.
        chain_id: the chain that it is for.
        sender: participant id.
        nonce: the sender's next one.
        valid_until_s: last second of ledger time at which it may enter a block.
        messages: 1 to 1,000; all take effect or none.
        aux: 32 bytes of randomness for the signature; without it the same words give the same bytes, and who says them
            twice under one nonce has said them once.
    """
    encoded = tuple(encode(message) for message in messages)
    body = _BODY.encode(Body(VERSION, chain_id, sender, nonce, valid_until_s, encoded))
    return _SIGNED.encode(SignedBody(body, signer.sign(_signing_hash(body), aux)))


def read_body(raw: bytes) -> Body:
    """What was signed, its messages left as they came.

    Args:
        raw: a transaction's bytes.

    Raises:
        MalformedTransaction: it is not the canonical encoding of a transaction.
    """
    try:
        return _BODY.decode(_SIGNED.decode(raw).body)
    except GridproofError as wrong:
        raise MalformedTransaction(detail=str(wrong)) from wrong


def decode_transaction(raw: bytes, messages: Codec[Message]) -> Transaction:
    """Read a transaction strictly.

    Args:
        raw: as it came.
        messages: knows all messages that the ledger takes.

    Raises:
        TransactionTooLarge: it is over the limit.
        MalformedTransaction: it is not the canonical encoding of a transaction of known messages.
    """
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise TransactionTooLarge(size=len(raw), limit=MAX_TRANSACTION_BYTES)
    try:
        signed = _SIGNED.decode(raw)
        body = _BODY.decode(signed.body)
        decoded = tuple(messages.decode(message) for message in body.messages)
    except GridproofError as wrong:
        raise MalformedTransaction(detail=str(wrong)) from wrong
    return Transaction(transaction_hash(raw), body, decoded, _signing_hash(signed.body), signed.signature, raw)
