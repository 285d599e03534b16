"""The blocks that a ledger keeps: the genesis document under height 0, each block under its own.

A block is written before it is computed, so that a node that is killed in between finds it again. It carries the app
hash that it builds on; the last one's own hash stands in the ledger's head.
"""

from collections.abc import Iterator
from typing import Final

from gridproof.primitives.encoding import Codec
from gridproof.state import Block, Record
from gridproof.state.store import Changes, Snapshot, Store, Table

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


def _key(height: int) -> bytes:
    return height.to_bytes(8, "big")


def keep_genesis(store: Store, genesis: bytes) -> None:
    """Write the genesis document durably."""
    store.write({Table.BLOCKS: {_key(0): genesis}})


def find_genesis(snapshot: Snapshot) -> bytes | None:
    """The genesis document, or None where no ledger was born yet."""
    return snapshot.get(Table.BLOCKS, _key(0))


def keep_block(store: Store, kept: KeptBlock) -> None:
    """Write a block durably."""
    store.write(block_changes(kept))


def block_changes(kept: KeptBlock, genesis: bytes | None = None) -> Changes:
    """What keeps a block, to be written together with what it led to.

    Args:
        kept: the block.
        genesis: the genesis document, to be kept with the first block.
    """
    entries: dict[bytes, bytes | None] = {_key(kept.block.height): _KEPT.encode(kept)}
    return {Table.BLOCKS: entries if genesis is None else {_key(0): genesis, **entries}}


def find_block(snapshot: Snapshot, height: int) -> KeptBlock | None:
    """The block at a height from 1, or None."""
    raw = snapshot.get(Table.BLOCKS, _key(height))
    return None if raw is None else _KEPT.decode(raw)


def kept_blocks(snapshot: Snapshot, last: int) -> Iterator[KeptBlock]:
    """The blocks from 1 to `last`, in order.

    Raises:
        MissingBlockError: one is not there.
    """
    for height in range(1, last + 1):
        kept = find_block(snapshot, height)
        if kept is None:
            raise MissingBlockError(height=height)
        yield kept
