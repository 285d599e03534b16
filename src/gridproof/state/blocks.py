"""What passes between a driver and the Application: blocks, their results, and where things stand in them."""

from typing import Final, NamedTuple

from gridproof.errors import Refusal

from .records import Record

CURSOR_SIZE: Final = 16
BLOCK_EVENTS: Final = 2**32 - 1  # where a transaction's index stands, for what the block itself brought about

# Keys of the META table. Each is part of the stored form: never reused.
HEAD_KEY: Final = b"head"
GENESIS_KEY: Final = b"genesis"
BASE_KEY: Final = b"base"
RESTORING_KEY: Final = b"restoring"


class Head(Record, frozen=True):
    """The last committed block.

    Attributes:
        height: 0 before the first block.
        app_hash: root of the state's tree.
        time_s: the block's time, UTC epoch seconds.
    """

    height: int
    app_hash: bytes
    time_s: int


class Validator(Record, frozen=True):
    """Someone whose node votes on blocks.

    Attributes:
        participant: id.
        key: the node's ed25519 key, 32 bytes.
        power: weight of its vote, from 1; 0 in an update tells that the key votes no more.
    """

    participant: int
    key: bytes
    power: int


class Misbehaviour(Record, frozen=True):
    """What the engine found out about a validator, with evidence that it checked.

    Attributes:
        kind: 1 for two votes at one place, 2 for a header made up for light clients.
        address: of the key that did it, 20 bytes.
        height: where it did it.
        time_s: of that block, UTC epoch seconds.
        total_power: of all validators there.
    """

    kind: int
    address: bytes
    height: int
    time_s: int
    total_power: int


class Base(Record, frozen=True):
    """Where what a ledger keeps begins, in a ledger that does not keep all of its past.

    Attributes:
        height: blocks and results up to this height are not kept.
        events_after: cursor of the last event that is not kept, 16 bytes; empty where none is missing.
    """

    height: int
    events_after: bytes


class Block(Record, frozen=True):
    """A block as a driver hands it in. It is kept in a form of the drivers' own, which grows beside this one.

    Attributes:
        height: one more than the last.
        time_s: UTC epoch seconds, never before the last block's.
        proposer: participant id, 0 where the ledger has one node.
        transactions: each as it came.
        misbehaviour: what the engine reports with the block; it comes before the transactions.
    """

    height: int
    time_s: int
    proposer: int
    transactions: tuple[bytes, ...]
    misbehaviour: tuple[Misbehaviour, ...] = ()


class TransactionResult(Record, frozen=True):
    """What became of a transaction: its code is part of consensus, its text is for people.

    Attributes:
        code: 0, or the refusal's number.
        text: the refusal's sentence, or empty.
        detail: the refusal's class and particulars for programs (`refusals`), or empty.
    """

    code: int
    text: str
    detail: bytes = b""


class BlockResult(Record, frozen=True):
    """What became of a block.

    Attributes:
        app_hash: the state's new root, 32 bytes.
        results: one for each transaction, in order.
        validator_updates: what the block changed about the validators, by key, each key once; power 0 for one that
            votes no more.
        app_version: of the rules from this block on, where an upgrade took effect in it; else None.
    """

    app_hash: bytes
    results: tuple[TransactionResult, ...]
    validator_updates: tuple[Validator, ...] = ()
    app_version: int | None = None


class TransactionPlace(Record, frozen=True):
    """Where a transaction stands, and what became of it."""

    height: int
    index: int
    result: TransactionResult


class StoredEvent(Record, frozen=True):
    """An event as it is kept: its place is the cursor of those who follow.

    Attributes:
        height: the block's height.
        transaction: index of the transaction in its block; 2**32 - 1 for what the block itself brought about (an
            upgrade, a validator punished): it sorts after the transactions, though it took effect before them.
        n: index of the event in its transaction.
        body: the event's encoding; `Application.decode_event` reads it.
    """

    height: int
    transaction: int
    n: int
    body: bytes

    @property
    def cursor(self) -> bytes:
        """The event's place as 16 bytes that sort as the events do."""
        return self.height.to_bytes(8, "big") + self.transaction.to_bytes(4, "big") + self.n.to_bytes(4, "big")

    @classmethod
    def at(cls, cursor: bytes, body: bytes) -> "StoredEvent":
        """The event that is kept at a place.

        Args:
            cursor: 16 bytes.
            body: the event's encoding.
        """
        parts = (int.from_bytes(part, "big") for part in (cursor[:8], cursor[8:12], cursor[12:]))
        height, transaction, n = parts
        return cls(height, transaction, n, body)


def cursor_before(height: int) -> bytes:
    """The cursor after which the events of a block begin.

    Args:
        height: the block's, from 1.
    """
    return (height - 1).to_bytes(8, "big") + b"\xff" * (CURSOR_SIZE - 8)


class Proposal(NamedTuple):
    """What a block could hold: transactions in order, those refused with their reason, and those that must wait."""

    chosen: list[bytes]
    refused: list[tuple[bytes, Refusal]]
    waiting: list[bytes]
