"""What consensus keeps, and under which keys (README.md, State)."""

from typing import Final

from gridproof.state import B20, B32, U8, U32, U64, Map, Record

from .changes import Change

MODULE: Final = 15


class Member(Record, frozen=True):
    """A participant whose node votes on blocks.

    Attributes:
        key: ed25519, 32 bytes.
        power: weight of its vote.
    """

    key: bytes
    power: int


class KeyUse(Record, frozen=True):
    """Whose consensus key it is or was; kept for good, so that it comes once in the ledger's life.

    Attributes:
        participant: id.
        convicted: whether an offence under it cost its participant's seat.
    """

    participant: int
    convicted: bool = False


class Proposal(Record, frozen=True):
    """A change that at least one validator supports.

    Attributes:
        generation: the one it counts for.
        change: what is to be.
        height: of the block in which it was supported first.
    """

    generation: int
    change: Change
    height: int


class Offence(Record, frozen=True):
    """What the engine reported of a key.

    Attributes:
        participant: whose key it is or was; 0 where nobody's.
        time_s: of the block where it happened, UTC epoch seconds.
        total_power: of all validators there.
        power: what it cost; 0 where the seat was lost already, or was the last.
    """

    participant: int
    time_s: int
    total_power: int
    power: int


class Scheduled(Record, frozen=True):
    """An upgrade that the validators decided on.

    Attributes:
        version: of the program.
        height: the first block under it.
    """

    version: int
    height: int


MEMBERS: Final = Map(module=MODULE, collection=1, key=(U32,), value=Member)  # participant
KEY_USES: Final = Map(module=MODULE, collection=2, key=(B20,), value=KeyUse)  # address
GENERATION: Final = Map(module=MODULE, collection=3, key=(), value=U64)
PROPOSALS: Final = Map(module=MODULE, collection=4, key=(B32,), value=Proposal)  # id
SUPPORTS: Final = Map(module=MODULE, collection=5, key=(U32,), value=B32)  # participant -> proposal
OFFENCES: Final = Map(module=MODULE, collection=6, key=(B20, U64, U8), value=Offence)  # address, height, kind
UPGRADE: Final = Map(module=MODULE, collection=7, key=(), value=Scheduled)
VERSION: Final = Map(module=MODULE, collection=8, key=(), value=U32)
