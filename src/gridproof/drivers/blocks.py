"""The blocks that a ledger keeps: the genesis document under height 0, each block under its own.

A block is written before it is computed, so that a node that is killed in between finds it again. It carries the app
hash that it builds on; the last one's own hash stands in the ledger's head. What an engine reported about validators
lies beside it, under its height and the letter m, so that a block without keeps the form it always had.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from gridproof.primitives.encoding import Codec
from gridproof.state import Block, Misbehaviour, Record
from gridproof.state.blocks import BASE_KEY, Base
from gridproof.state.store import Changes, Snapshot, Store, Table

from .errors import MissingBlockError


class KeptBlock(NamedTuple):
    """A block as it was handed to the Application.

    Attributes:
        previous: the app hash that it builds on, 32 bytes.
        block: all of it.
    """

    previous: bytes
    block: Block


class _Bare(Record, frozen=True):
    """The stored form of a block, without misbehaviour: height, time, proposer, transactions."""

    height: int
    time_s: int
    proposer: int
    transactions: tuple[bytes, ...]


class _Kept(Record, frozen=True):
    """The stored form of a kept block."""

    previous: bytes
    block: _Bare


_KEPT: Final = Codec(_Kept)
_REPORTED: Final[Codec[tuple[Misbehaviour, ...]]] = Codec(tuple[Misbehaviour, ...])
_BASE: Final = Codec(Base)


def block_key(height: int) -> bytes:
    """Where a block lies in the table of blocks."""
    return height.to_bytes(8, "big")


def reported_key(height: int) -> bytes:
    """Where what the engine reported with a block lies in the table of blocks."""
    return block_key(height) + b"m"


def keep_genesis(store: Store, genesis: bytes) -> None:
    """Write the genesis document durably."""
    store.write({Table.BLOCKS: genesis_entry(genesis)})


def genesis_entry(genesis: bytes) -> dict[bytes, bytes | None]:
    """The genesis document as an entry of the table of blocks, for whoever writes more at once."""
    return {block_key(0): genesis}


def find_genesis(snapshot: Snapshot) -> bytes | None:
    """The genesis document, or None where no ledger was born yet."""
    return snapshot.get(Table.BLOCKS, block_key(0))


def changes_for(kept: KeptBlock, genesis: bytes | None = None) -> Changes:
    """What to write to keep a block; for a driver that writes it together with the block's state.

    Args:
        kept: the block.
        genesis: the genesis document, to be kept with the first block.
    """
    block = kept.block
    bare = _Bare(block.height, block.time_s, block.proposer, block.transactions)
    reported = _REPORTED.encode(block.misbehaviour) if block.misbehaviour else None
    entries = {block_key(block.height): _KEPT.encode(_Kept(kept.previous, bare)), reported_key(block.height): reported}
    return {Table.BLOCKS: entries if genesis is None else {block_key(0): genesis, **entries}}


def keep_block(store: Store, kept: KeptBlock) -> None:
    """Write a block durably."""
    store.write(changes_for(kept))


def find_block(snapshot: Snapshot, height: int) -> KeptBlock | None:
    """The block at a height from 1, or None."""
    raw = snapshot.get(Table.BLOCKS, block_key(height))
    if raw is None:
        return None
    kept = _KEPT.decode(raw)
    reported = snapshot.get(Table.BLOCKS, reported_key(height))
    misbehaviour = () if reported is None else _REPORTED.decode(reported)
    bare = kept.block
    block = Block(bare.height, bare.time_s, bare.proposer, bare.transactions, misbehaviour)
    return KeptBlock(kept.previous, block)


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
