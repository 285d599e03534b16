"""Reasons for which the ledger's machinery refuses; numbers 1 to 999 belong to it."""

from typing import ClassVar

from gridproof.errors import GridproofError, Refusal


class StateError(GridproofError):
    """The ledger's machinery was misused or its data is not what it should be."""


class Violation(StateError):
    """An invariant of the ledger does not hold; stop the node and report this."""

    detail: str

    def __init__(self, detail: str) -> None:
        self.detail = detail

    def __reduce__(self) -> tuple[type["Violation"], tuple[str]]:
        return Violation, (self.detail,)


class MissingRecordError(StateError):
    """The rules read a record that must be there and is not: a fault of the program; nothing was changed."""

    module: int
    collection: int
    key: bytes


class KeyPartError(StateError):
    """A part of a key, or a value, does not fit its column; nothing was read or written."""

    module: int
    collection: int
    detail: str


class WiringError(StateError):
    """Two modules claim one number, or a module claims a number outside its range; the ledger was not started."""

    detail: str


class GenesisError(StateError):
    """The genesis document is not valid; no ledger was made. Mend the place that is named."""

    detail: str


class WrongBlockError(StateError):
    """The block does not follow the last one; nothing was changed. Start from the last committed height."""

    expected_height: int
    height: int


class NothingStagedError(StateError):
    """A commit was asked for without a finalized block before it; nothing was changed."""


class UnknownQueryError(StateError):
    """There is no query of this name; nothing was read."""

    path: str


class QueryArgumentError(StateError):
    """The query's arguments are not what it takes; nothing was read."""

    path: str
    detail: str


class EventsGoneError(StateError):
    """The events before a height are not kept here; nothing was read. Ask another node, or begin at that height."""

    from_height: int


class VersionError(StateError):
    """The state was written by another version of a module, and no migration leads from there; nothing was changed."""

    module: str
    stored: int
    program: int


class UpgradeNeededError(StateError):
    """From this height on the ledger goes on with a newer version than this node's program; nothing is lost. Install
    the version that is needed and start the node again: it goes on where it stopped.
    """

    height: int
    needed: int
    program: int


class EnvelopeError(Refusal):
    """Root of refusals of a transaction before its messages are looked at."""


class MalformedTransaction(EnvelopeError):
    """The bytes are not one canonical transaction of known messages; it was dropped. Encode it again."""

    code: ClassVar[int] = 1
    detail: str


class WrongChain(EnvelopeError):
    """The transaction was signed for another chain; it was dropped. Sign it for this one."""

    code: ClassVar[int] = 2
    chain_id: str
    expected: str


class UnknownSender(EnvelopeError):
    """The sender is no participant of this ledger, or has no key to sign with; the transaction was dropped."""

    code: ClassVar[int] = 3
    sender: int


class BadEnvelopeSignature(EnvelopeError):
    """The transaction's signature does not fit its sender's key; it was dropped. Check which key is current."""

    code: ClassVar[int] = 4
    sender: int


class NonceUsed(EnvelopeError):
    """A transaction with this nonce is already in a block; this one was dropped. Take the next nonce."""

    code: ClassVar[int] = 5
    nonce: int
    expected: int


class NonceAhead(EnvelopeError):
    """The nonce is too far ahead of the sender's last one; the transaction was dropped. Send those before it first."""

    code: ClassVar[int] = 6
    nonce: int
    expected: int


class Expired(EnvelopeError):
    """The transaction's time has passed; it was dropped. Sign it again with a later end."""

    code: ClassVar[int] = 7
    valid_until_s: int
    now_s: int


class TransactionTooLarge(EnvelopeError):
    """The transaction is larger than the ledger takes; it was dropped. Split it."""

    code: ClassVar[int] = 8
    size: int
    limit: int


class CheckFailed(EnvelopeError):
    """A message, or a signature or proof in it, is wrong whatever the state; the transaction was dropped."""

    code: ClassVar[int] = 9
    detail: str


class ClockBackwards(EnvelopeError):
    """The ledger's clock only goes forward; it was left where it is."""

    code: ClassVar[int] = 10
    now_s: int
    to_s: int


class NumberUnfit(EnvelopeError):
    """A number or name in a message fits no place in the state; the transaction changed nothing. Correct it."""

    code: ClassVar[int] = 12
    detail: str


class ClockNotOperators(EnvelopeError):
    """The ledger takes its time from its blocks: nobody can set it; it was left where it is."""

    code: ClassVar[int] = 11
