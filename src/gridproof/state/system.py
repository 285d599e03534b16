"""The ledger's own tables (module 0): nonces, clock, chain and versions of the modules."""

from typing import Final

from .records import Record
from .tables import U8, U32, U64, Map, Reader

MODULE: Final = 0


class Chain(Record, frozen=True):
    """What the ledger was born with.

    Attributes:
        chain_id: name of the chain; every signature names it.
        genesis_hash: tagged hash of the genesis document's bytes.
        operator_clock: whether ledger time moves by the operator's word rather than with the blocks.
    """

    chain_id: str
    genesis_hash: bytes
    operator_clock: bool


NONCES: Final = Map(module=MODULE, collection=1, key=(U32,), value=U64)  # participant -> next nonce
CLOCK: Final = Map(module=MODULE, collection=2, key=(), value=U64)  # -> UTC epoch seconds, where the operator sets it
CHAIN: Final = Map(module=MODULE, collection=3, key=(), value=Chain)
VERSIONS: Final = Map(module=MODULE, collection=4, key=(U8,), value=U32)  # module -> version of its records


def chain(view: Reader) -> Chain:
    """What the ledger was born with: chain id, genesis hash, source of its time."""
    return CHAIN.get(view)


def next_nonce(view: Reader, participant: int) -> int:
    """The nonce that the participant's next transaction must carry."""
    return NONCES.get(view, participant, default=0)


def operator_clock_s(view: Reader) -> int | None:
    """Ledger time where the operator sets it, UTC epoch seconds; None where it moves with the blocks."""
    return CLOCK.find(view)


def version_of(view: Reader, module: int) -> int:
    """The version of a module's records, from 1; 0 where this ledger does not have the module yet."""
    return VERSIONS.get(view, module, default=0)
