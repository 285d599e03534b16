"""Headers, votes and validators, as far as a light client reads them; numbers are bounded where they enter.

Source: CometBFT 0.38, spec/core/data_structures.md.
"""

from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta

from gridproof.state.records import Record
from gridproof.state.validators import ADDRESS_SIZE

HASH_SIZE: Final = 32
KEY_SIZE: Final = 32
MAX_SIGNATURE_SIZE: Final = 64
MAX_CHAIN_ID: Final = 50  # bytes
MAX_VALIDATORS: Final = 10_000
MAX_APP_HASH: Final = 1_024
MAX_TOTAL_POWER: Final = (2**63 - 1) // 8
BLOCK_PROTOCOL: Final = 11

U64 = Annotated[int, Meta(ge=0)]  # MessagePack holds nothing above 2**64 - 1
Int64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Height = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Round = Annotated[int, Meta(ge=0, le=2**31 - 1)]
U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
HashOrNone = Annotated[bytes, Meta(max_length=HASH_SIZE)]  # 32 bytes, or none: `checks` says so
Seconds = Annotated[int, Meta(ge=-62_135_596_800, lt=253_402_300_800)]  # years 1 to 9999
Nanos = Annotated[int, Meta(ge=0, lt=10**9)]


class Flag(IntEnum):
    """What a validator's entry in a commit says."""

    ABSENT = 1  # no vote of it came
    COMMIT = 2  # it voted for the block
    NIL = 3  # it voted for no block


class Time(Record, frozen=True, order=True):
    """An instant.

    Attributes:
        seconds: UTC epoch seconds.
        nanos: nanoseconds after that, below 10**9.
    """

    seconds: Seconds
    nanos: Nanos


NO_TIME: Final = Time(-62_135_596_800, 0)  # the engine's zero: that of an absent vote


class BlockId(Record, frozen=True):
    """What names a block.

    Attributes:
        hash: of its header, 32 bytes; empty for no block.
        parts: how many parts it was sent in.
        parts_hash: root over them, 32 bytes, or empty.
    """

    hash: HashOrNone
    parts: U32
    parts_hash: HashOrNone


class Header(Record, frozen=True):
    """A block's header; each hash has 32 bytes or is empty.

    Attributes:
        block_protocol: version of the blocks' form.
        app_version: version of the application.
        chain_id: at most 50 bytes.
        height: from 1 on.
        time: of the block.
        last_block: the block before it.
        last_commit_hash: over the votes for that block.
        data_hash: over the block's transactions.
        validators_hash: over the validators who decide on this block.
        next_validators_hash: over those who decide on the next one.
        consensus_hash: over the engine's parameters.
        app_hash: root of the state after the block before it.
        last_results_hash: over the results of that block's transactions.
        evidence_hash: over the evidence of misbehaviour in the block.
        proposer: address of who proposed it, 20 bytes.
    """

    block_protocol: U64
    app_version: U64
    chain_id: Annotated[str, Meta(max_length=MAX_CHAIN_ID)]
    height: Height
    time: Time
    last_block: BlockId
    last_commit_hash: HashOrNone
    data_hash: HashOrNone
    validators_hash: HashOrNone
    next_validators_hash: HashOrNone
    consensus_hash: HashOrNone
    app_hash: Annotated[bytes, Meta(max_length=MAX_APP_HASH)]
    last_results_hash: HashOrNone
    evidence_hash: HashOrNone
    proposer: Annotated[bytes, Meta(min_length=ADDRESS_SIZE, max_length=ADDRESS_SIZE)]


class Vote(Record, frozen=True):
    """A validator's entry in a commit.

    Attributes:
        flag: a `Flag`.
        address: whose it is, 20 bytes; empty where it is absent.
        time: when it was cast; `NO_TIME` where it is absent.
        signature: 64 bytes; empty where it is absent.
    """

    flag: int
    address: Annotated[bytes, Meta(max_length=ADDRESS_SIZE)]
    time: Time
    signature: Annotated[bytes, Meta(max_length=MAX_SIGNATURE_SIZE)]


ABSENT: Final = Vote(Flag.ABSENT, b"", NO_TIME, b"")


class Commit(Record, frozen=True):
    """The votes that decided on a block, one entry for each validator, in the order of the set.

    Attributes:
        height: of the block.
        round: in which it was decided.
        block: what was voted for.
        votes: the entries.
    """

    height: Height
    round: Round
    block: BlockId
    votes: Annotated[tuple[Vote, ...], Meta(max_length=MAX_VALIDATORS)]


class Validator(Record, frozen=True):
    """Who decides on blocks.

    Attributes:
        key: Ed25519 public key, 32 bytes.
        power: weight of its vote.
    """

    key: Annotated[bytes, Meta(min_length=KEY_SIZE, max_length=KEY_SIZE)]
    power: Annotated[int, Meta(ge=0, le=MAX_TOTAL_POWER)]


Validators = Annotated[tuple[Validator, ...], Meta(max_length=MAX_VALIDATORS)]


class LightBlock(Record, frozen=True):
    """A header, the votes for its block, and those who could vote.

    Attributes:
        header: of the block.
        commit: the votes for it.
        validators: by power, greatest first, then by address.
    """

    header: Header
    commit: Commit
    validators: Validators


class Trusted(Record, frozen=True):
    """A header that is believed, and those who decided on it.

    Attributes:
        header: of the block.
        validators: those whom `header.validators_hash` names.
    """

    header: Header
    validators: Validators


class Policy(Record, frozen=True):
    """How far trust reaches.

    Attributes:
        period_s: how long after its time a header may be trusted, seconds; shorter than the time for which a
            validator that misbehaved can be called to account.
        drift_s: how far ahead of now a new header's time may lie, seconds.
    """

    period_s: Int64
    drift_s: Int64 = 10
