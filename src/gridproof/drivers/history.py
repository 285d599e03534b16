"""A chain's history: genesis and all blocks with what they led to, from a store or a file that anyone can replay.

The file, version 1:

    the line "gridproof history 1" with its line feed
    then frames: length u32 big-endian | MessagePack array whose first element is the kind
      kind 1  Opening   first: chain id, genesis document
      kind 2  Entry     one a block, heights rising by one from 1: height, time_s, proposer, transactions, app hash
                        after the block, result code of each transaction
      kind 4  Report    right before the entry of a block with which an engine reported on validators: its height, and
                        for each what it was, the address, where, when, the power of all; no block has an empty one
      kind 3  Closing   last: number of blocks, SHA-256 over all bytes of the file before this frame

Nothing follows the closing. A reader takes one frame at a time, so a history of any length fits.
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol, TypeAlias

from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Block, Head, Misbehaviour, Record, TransactionPlace
from gridproof.state.store import Snapshot, Table
from gridproof.state.transaction import transaction_hash

from .blocks import KeptBlock, find_base, find_block, find_genesis, kept_blocks
from .errors import BrokenHistoryError, GenesisMissingError, HistoryPrunedError, MissingBlockError
from .ports import Progress, no_progress

MAGIC: Final = b"gridproof history 1\n"
MAX_FRAME_BYTES: Final = 128 * 2**20
UNKNOWN_CODE: Final = -1  # a result that is not kept


class Opening(Record, frozen=True, tag=1):
    """What a history file begins with."""

    chain_id: str
    genesis: bytes


class Entry(NamedTuple):
    """A block and what it led to.

    Attributes:
        height: from 1.
        time_s: UTC epoch seconds.
        proposer: participant id, 0 where the ledger has one node.
        transactions: each as it came.
        app_hash: the state's root after the block, 32 bytes.
        codes: the result code of each transaction.
        misbehaviour: what an engine reported with the block.
    """

    height: int
    time_s: int
    proposer: int
    transactions: tuple[bytes, ...]
    app_hash: bytes
    codes: tuple[int, ...]
    misbehaviour: tuple[Misbehaviour, ...] = ()

    @property
    def block(self) -> Block:
        """The block as a driver hands it to the Application."""
        return Block(self.height, self.time_s, self.proposer, self.transactions, self.misbehaviour)


class _Entry(Record, frozen=True, tag=2):
    """The frame of a block and what it led to."""

    height: int
    time_s: int
    proposer: int
    transactions: tuple[bytes, ...]
    app_hash: bytes
    codes: tuple[int, ...]


class _Report(Record, frozen=True, tag=4):
    """The frame of what an engine reported with the block that follows."""

    height: int
    misbehaviour: tuple[Misbehaviour, ...]


class Closing(Record, frozen=True, tag=3):
    """What a history file ends with."""

    blocks: int
    digest: bytes


class History(Protocol):
    """A chain's past, wherever it is kept."""

    @property
    def genesis(self) -> bytes:
        """The genesis document."""

    @property
    def last_height(self) -> int:
        """Height of the last block."""

    def entries(self) -> Iterator[Entry]:
        """The blocks in order.

        Raises:
            BrokenHistoryError: the file is not whole.
            HistoryPrunedError: the first blocks are not kept any more.
            MissingBlockError: a block is not kept.
        """


_Frame: TypeAlias = Opening | _Entry | _Report | Closing
_FRAME: Final[Codec[_Frame]] = Codec(_Frame)  # type: ignore[arg-type]
_HEAD: Final = Codec(Head)
_PLACE: Final = Codec(TransactionPlace)


class StoredHistory:
    """The history that a ledger keeps, up to its last committed block.

    Args:
        snapshot: of the ledger's store; stays open as long as the history is read.
        head: the last committed block.
        first_height: of the first block that is read.

    Raises:
        GenesisMissingError: no ledger was born there.
    """

    def __init__(self, snapshot: Snapshot, head: Head, first_height: int = 1) -> None:
        genesis = find_genesis(snapshot)
        if genesis is None:
            raise GenesisMissingError
        self.genesis = genesis
        self.last_height = head.height
        self._snapshot = snapshot
        self._head = head
        self._first_height = first_height

    def entries(self) -> Iterator[Entry]:
        """The blocks in order; a result that is not kept has the code -1.

        Raises:
            HistoryPrunedError: the first of them are not kept any more.
            MissingBlockError: a block is not kept.
        """
        base = find_base(self._snapshot)
        if self._first_height <= base.height:
            raise HistoryPrunedError(from_height=base.height + 1)
        earlier: KeptBlock | None = None
        for kept in kept_blocks(self._snapshot, self.last_height, self._first_height):
            if earlier is not None:
                yield self._entry(earlier.block, kept.previous)
            earlier = kept
        if earlier is not None:
            yield self._entry(earlier.block, self._head.app_hash)

    def entry(self, height: int) -> Entry:
        """The block at a height from 1, and what it led to.

        Raises:
            MissingBlockError: the ledger is not that far, or the block is not kept.
        """
        kept = find_block(self._snapshot, height) if height <= self.last_height else None
        app_hash = self.app_hash(height)
        if kept is None or app_hash is None:
            raise MissingBlockError(height=height)
        return self._entry(kept.block, app_hash)

    def app_hash(self, height: int) -> bytes | None:
        """The state's root after a block, 32 bytes; None where the ledger is not that far, or has lost it.

        Args:
            height: from 0, the state that the genesis led to.
        """
        if height == self.last_height:
            return self._head.app_hash
        if not 0 <= height < self.last_height:
            return None
        following = find_block(self._snapshot, height + 1)
        return None if following is None else following.previous

    def _entry(self, block: Block, app_hash: bytes) -> Entry:
        codes = tuple(self._code(block.height, index, raw) for index, raw in enumerate(block.transactions))
        known = (block.height, block.time_s, block.proposer, block.transactions)
        return Entry(*known, app_hash, codes, block.misbehaviour)

    def _code(self, height: int, index: int, raw: bytes) -> int:
        stored = self._snapshot.get(Table.RESULTS, transaction_hash(raw))
        if stored is None:
            return UNKNOWN_CODE
        place = _PLACE.decode(stored)
        return place.result.code if (place.height, place.index) == (height, index) else UNKNOWN_CODE


def export_history(history: History, chain_id: str, path: str | Path, progress: Progress = no_progress) -> int:
    """Write a history to a file; it gets its name only when it is whole and on the disk.

    Args:
        history: what to write.
        chain_id: name of the chain.
        path: the file; one that is there is replaced.
        progress: told after each block.

    Returns:
        How many blocks were written.

    Raises:
        HistoryPrunedError: the first blocks are not kept any more.
        MissingBlockError: a block is not kept.
        OSError: the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            blocks = _write(history, chain_id, file, progress)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return blocks


def _write(history: History, chain_id: str, file: IO[bytes], progress: Progress) -> int:
    digest = sha256()

    def put(raw: bytes) -> None:
        digest.update(raw)
        file.write(raw)

    put(MAGIC)
    put(_framed(Opening(chain_id, history.genesis)))
    blocks = 0
    for entry in history.entries():
        if entry.misbehaviour:
            put(_framed(_Report(entry.height, entry.misbehaviour)))
        put(_framed(_Entry(*entry[:6])))
        blocks += 1
        progress(blocks, history.last_height)
    file.write(_framed(Closing(blocks, digest.digest())))
    return blocks


def _framed(frame: _Frame) -> bytes:
    raw = _FRAME.encode(frame)
    return len(raw).to_bytes(4, "big") + raw


class HistoryFile:
    """A history in a file.

    Args:
        path: the file.

    Raises:
        BrokenHistoryError: it is no history file, or not a whole one.
        OSError: it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        opening, self.last_height = self._survey()
        self.chain_id = opening.chain_id
        self.genesis = opening.genesis

    def entries(self) -> Iterator[Entry]:
        """The blocks in order.

        Raises:
            BrokenHistoryError: the file is not whole.
        """
        reported: tuple[Misbehaviour, ...] = ()
        for frame in self._frames():
            if isinstance(frame, _Report):
                reported = frame.misbehaviour
            elif isinstance(frame, _Entry):
                known = (frame.height, frame.time_s, frame.proposer, frame.transactions, frame.app_hash, frame.codes)
                yield Entry(*known, reported)
                reported = ()

    def _survey(self) -> tuple[Opening, int]:
        """Read the file once to its end: what is altered or cut off is told before anything is replayed."""
        opening: Opening | None = None
        height = 0
        for frame in self._frames():
            if isinstance(frame, Opening):
                opening = frame
            elif isinstance(frame, _Entry):
                height = frame.height
        if opening is None:
            raise self._broken("it has no opening")
        return opening, height

    def _frames(self) -> Iterator[_Frame]:
        digest = sha256()
        blocks = 0
        report: _Report | None = None
        with self.path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise self._broken("it does not begin as a history does")
            digest.update(MAGIC)
            while True:
                raw = self._read_frame(file)
                frame = self._decode(raw)
                self._require_announced(report, frame)
                if isinstance(frame, Closing):
                    if frame != Closing(blocks, digest.digest()):
                        raise self._broken("its checksum does not fit: it was altered")
                    if file.read(1):
                        raise self._broken("something follows its end")
                    yield frame
                    return
                if isinstance(frame, Opening) != (file.tell() == len(MAGIC) + 4 + len(raw)):
                    raise self._broken("its opening is not at its beginning")
                report = frame if isinstance(frame, _Report) else None
                if isinstance(frame, _Entry):
                    blocks += 1
                    if frame.height != blocks:
                        raise self._broken(f"block {frame.height} stands where block {blocks} belongs")
                digest.update(len(raw).to_bytes(4, "big") + raw)
                yield frame

    def _require_announced(self, report: _Report | None, frame: _Frame) -> None:
        """Hold a report to a block right behind it, and every report to telling something."""
        if report is not None and not (isinstance(frame, _Entry) and frame.height == report.height):
            raise self._broken(f"the report on block {report.height} does not stand before it")
        if isinstance(frame, _Report) and not frame.misbehaviour:
            raise self._broken(f"the report on block {frame.height} is empty")

    def _read_frame(self, file: IO[bytes]) -> bytes:
        length = int.from_bytes(self._exactly(file, 4), "big")
        if length > MAX_FRAME_BYTES:
            raise self._broken(f"a frame of {length} bytes")
        return self._exactly(file, length)

    def _exactly(self, file: IO[bytes], size: int) -> bytes:
        raw = file.read(size)
        if len(raw) != size:
            raise self._broken("it ends too early")
        return raw

    def _decode(self, raw: bytes) -> _Frame:
        try:
            return _FRAME.decode(raw)
        except PrimitiveError as wrong:
            raise self._broken(str(wrong)) from wrong

    def _broken(self, detail: str) -> BrokenHistoryError:
        return BrokenHistoryError(path=str(self.path), detail=detail)
