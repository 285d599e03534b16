"""The blocks that a ledger keeps: the genesis document under height 0, each block under its own.

A block is written before it is computed, so that a node that is killed in between finds it again. It carries the app
hash that it builds on; the last one's own hash stands in the ledger's head.
"""

from collections.abc import Iterator
from typing import Final

from gridproof.primitives.encoding import Codec
from gridproof.state import Block, Record
from gridproof.state.blocks import BASE_KEY, Base
from gridproof.state.store import Snapshot, Store, Table

from .errors import MissingBlockError


class KeptBlock(Record, frozen=True):
    """A block as it is kept.

    Attributes:
        previous: the app hash that it builds on, 32 bytes.
        block: what was handed to the Application.
    """

    previous: bytes
    block: Block


_KEPT: Final = Codec(KeptBlock)
_BASE: Final = Codec(Base)


def block_key(height: int) -> bytes:
    """Where a block lies in the table of blocks."""
    return height.to_bytes(8, "big")


def keep_genesis(store: Store, genesis: bytes) -> None:
    """Write the genesis document durably."""
    store.write({Table.BLOCKS: genesis_entry(genesis)})


def genesis_entry(genesis: bytes) -> dict[bytes, bytes | None]:
    """The genesis document as an entry of the table of blocks, for whoever writes more at once."""
    return {block_key(0): genesis}


def find_genesis(snapshot: Snapshot) -> bytes | None:
    """The genesis document, or None where no ledger was born yet."""
    return snapshot.get(Table.BLOCKS, block_key(0))


def keep_block(store: Store, kept: KeptBlock) -> None:
    """Write a block durably."""
    store.write({Table.BLOCKS: {block_key(kept.block.height): _KEPT.encode(kept)}})


def find_block(snapshot: Snapshot, height: int) -> KeptBlock | None:
    """The block at a height from 1, or None."""
    raw = snapshot.get(Table.BLOCKS, block_key(height))
    return None if raw is None else _KEPT.decode(raw)


def find_base(snapshot: Snapshot) -> Base:
    """Where what is kept begins; height 0 where nothing is missing."""
    raw = snapshot.get(Table.META, BASE_KEY)
    return Base(0, b"") if raw is None else _BASE.decode(raw)


def kept_blocks(snapshot: Snapshot, last: int, first: int = 1) -> Iterator[KeptBlock]:
    """The blocks from `first` to `last`, in order.

    Raises:
        MissingBlockError: one is not there.
    """
    for height in range(first, last + 1):
        kept = find_block(snapshot, height)
        if kept is None:
            raise MissingBlockError(height=height)
        yield kept
