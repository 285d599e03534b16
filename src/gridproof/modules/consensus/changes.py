"""What validators may decide, and how it is named and proved.

A change is one of four; a proposal is a change in a generation, and its id is a hash of both, so that those who support
the same thing need not agree on who proposes it.
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from gridproof.domain import U32_MAX
from gridproof.primitives.encoding import encode
from gridproof.primitives.hashing import Tag
from gridproof.state import Record

KEY_SIZE: Final = 32
PROOF_SIZE: Final = 64
MAX_POWER: Final = 2**40  # a hundred of these are far below what the engine adds up, 2**60
MAX_VERSION: Final = U32_MAX
MAX_HEIGHT: Final = 2**63 - 1  # what the engine counts with

ParticipantField = Annotated[int, Meta(ge=1, le=U32_MAX)]
GenerationField = Annotated[int, Meta(ge=0, le=MAX_HEIGHT)]

_proposal_hash: Final = Tag("gridproof/validator-change/v1")
_possession_hash: Final = Tag("gridproof/validator-key/v1")


class SetValidator(Record, frozen=True, tag=1):
    """A participant is a validator with this key and power: it joins, or its power or key changes.

    Attributes:
        participant: id.
        key: its node's ed25519 key, 32 bytes.
        power: weight of its vote, 1 to 2**40.
        proof: the key's own signature over `possession_hash`, 64 bytes: somebody holds it.
    """

    participant: ParticipantField
    key: bytes
    power: int
    proof: bytes


class RemoveValidator(Record, frozen=True, tag=2):
    """A participant is no validator any more."""

    participant: ParticipantField


class ScheduleUpgrade(Record, frozen=True, tag=3):
    """From a height on the ledger goes by a newer version of the program; another that was scheduled is forgotten.

    Attributes:
        version: of the program, above the one in force.
        height: the first block under it.
    """

    version: Annotated[int, Meta(ge=1, le=MAX_VERSION)]
    height: Annotated[int, Meta(ge=1, le=MAX_HEIGHT)]


class CancelUpgrade(Record, frozen=True, tag=4):
    """The upgrade that was scheduled does not take place."""


Change: TypeAlias = SetValidator | RemoveValidator | ScheduleUpgrade | CancelUpgrade


def proposal_id(chain_id: str, generation: int, change: Change) -> bytes:
    """What a change is called in a generation.

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        generation: u64.
        change: what is to be.

    Returns:
        32 bytes.
    """
    name = chain_id.encode()
    head = len(name).to_bytes(2, "big") + name + generation.to_bytes(8, "big")
    return _proposal_hash(head, encode(change))


def possession_hash(chain_id: str, participant: int, key: bytes) -> bytes:
    """What a consensus key signs to show that its participant's node holds it.

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        participant: id, u32.
        key: ed25519, 32 bytes.

    Returns:
        32 bytes.
    """
    name = chain_id.encode()
    return _possession_hash(len(name).to_bytes(2, "big") + name + participant.to_bytes(4, "big") + key)
