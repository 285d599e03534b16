"""Snapshots for nodes that join, and what the node lets go of: the engine's requests about them.

A snapshot is of one height, the same on all nodes: whenever the height is a multiple of the setting. It is written in a
thread of its own while blocks go on, from a moment that was taken in the commit. Then the past is pruned: blocks that
the setting lets go of, up to the oldest snapshot that is kept, so that the ledger can still be verified from there.

What is gone is always covered by a kept snapshot, so that a node can join: it takes the snapshot and fetches the blocks
after it. The engine keeps one block more than the ledger, that of the snapshot itself: who takes a snapshot in asks for
that block's header, and the engine gives out none below its first block. A node that joined by a snapshot has let go of
blocks without having one: it takes one after the next block, whatever the height.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final, NamedTuple

from gridproof.drivers.blocks import find_base
from gridproof.drivers.errors import (
    ChunkRefusedError,
    NotEmptyError,
    SnapshotFailedError,
    SnapshotFalseError,
    SnapshotRefusedError,
    SnapshotUnknownError,
)
from gridproof.drivers.logs import logger
from gridproof.drivers.pruning import prune
from gridproof.drivers.snapshots import FORMAT, Intake, Snapshot, SnapshotFolder
from gridproof.state import Head
from gridproof.state.store import Snapshot as Moment
from gridproof.state.store import Store, StoreError

from .observing import UNOBSERVED, Observer
from .wire import abci_pb2 as abci

OFFER: Final = abci.ResponseOfferSnapshot.Result
APPLY: Final = abci.ResponseApplySnapshotChunk.Result

_log = logger("node")


class Keeping(NamedTuple):
    """What a node keeps, and what it gives to others.

    Attributes:
        snapshots: where snapshots lie; None makes none.
        every: blocks between two of them; 0 makes none.
        blocks: how many of the last blocks are kept at least; 0 keeps all.
    """

    snapshots: SnapshotFolder | None = None
    every: int = 0
    blocks: int = 0


class Sync:
    """Takes, gives out and takes in snapshots, and prunes.

    Args:
        store: the node's.
        intake: takes a snapshot in.
        keeping: what is kept.
        restored: called when a snapshot has become the node's state.
        observer: told of snapshots that are taken.

    Attributes:
        retain_height: of the first block that the engine must keep; 0 for all.
    """

    def __init__(
        self,
        store: Store,
        intake: Intake,
        keeping: Keeping,
        restored: Callable[[], None],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self.retain_height = 0
        self._store = store
        self._intake = intake
        self._keeping = keeping
        self._restored = restored
        self._observer = observer
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self._under_way: Future[None] | None = None
        self._uncovered = self._is_uncovered()
        self.handlers: dict[str, Callable[[Any], Any]] = {
            "list_snapshots": self._list,
            "offer_snapshot": self._offer,
            "load_snapshot_chunk": self._load,
            "apply_snapshot_chunk": self._apply,
        }

    def committed(self, head: Head) -> None:
        """Take a snapshot where it is time, or none covers what is gone; not while the last one is being written."""
        keeping = self._keeping
        if keeping.snapshots is None or not keeping.every:
            return
        if head.height % keeping.every and not self._uncovered:
            return
        if self._under_way is not None and not self._under_way.done():
            _log.warning("no snapshot", height=head.height, reason="the last one is still being written")
            self._observer.snapshot_missed()
            return
        self._uncovered = False
        self._under_way = self._worker.submit(self._take, keeping.snapshots, self._store.snapshot(), head.height)

    def _is_uncovered(self) -> bool:
        """Whether blocks are gone, and no snapshot is kept from which the others lead on."""
        folder = self._keeping.snapshots
        with self._store.snapshot() as moment:
            gone = find_base(moment).height
        return gone > 0 and folder is not None and not any(each.height >= gone for each in folder.list())

    def close(self) -> None:
        """End, after the snapshot that is under way."""
        self._worker.shutdown()

    def _take(self, folder: SnapshotFolder, moment: Moment, height: int) -> None:
        began = perf_counter()
        try:
            with moment:
                snapshot = folder.take_at(moment)
            self._observer.snapshot_taken(height, perf_counter() - began, folder.size_of(snapshot))
            _log.info("snapshot", height=height, pieces=snapshot.chunks, hash=snapshot.hash.hex())
            if self._keeping.blocks:
                kept = folder.list()
                first = prune(self._store, height - self._keeping.blocks + 1, kept)
                self.retain_height = min((first, *(each.height for each in kept)))
        except (SnapshotFailedError, StoreError) as wrong:  # the node goes on without it
            _log.error("no snapshot", height=height, reason=str(wrong))
            self._observer.snapshot_missed()
        except Exception:  # noqa: BLE001 - the edge of the thread: all nodes come here at one height, none may end
            _log.exception("no snapshot", height=height)
            self._observer.snapshot_missed()

    # --- giving out ------------------------------------------------------------------------------------------------

    def _list(self, _asked: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        folder = self._keeping.snapshots
        kept = () if folder is None else folder.list()
        return abci.ResponseListSnapshots(snapshots=[_told(each) for each in kept])

    def _load(self, asked: abci.RequestLoadSnapshotChunk) -> abci.ResponseLoadSnapshotChunk:
        folder = self._keeping.snapshots
        if folder is None:
            return abci.ResponseLoadSnapshotChunk()
        try:
            return abci.ResponseLoadSnapshotChunk(chunk=folder.load(asked.height, asked.format, asked.chunk))
        except (SnapshotUnknownError, SnapshotFailedError) as wrong:
            _log.warning("no piece", height=asked.height, index=asked.chunk, reason=str(wrong))
            return abci.ResponseLoadSnapshotChunk()

    # --- taking in -------------------------------------------------------------------------------------------------

    def _offer(self, asked: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        told = asked.snapshot
        if told.format != FORMAT:
            return abci.ResponseOfferSnapshot(result=OFFER.REJECT_FORMAT)
        snapshot = Snapshot(told.height, told.format, told.chunks, told.hash, told.metadata)
        try:
            self._intake.begin(snapshot, asked.app_hash)
        except SnapshotRefusedError as wrong:
            _log.warning("snapshot refused", height=told.height, reason=str(wrong))
            return abci.ResponseOfferSnapshot(result=OFFER.REJECT)
        except NotEmptyError as wrong:
            _log.error("snapshot refused", height=told.height, reason=str(wrong))
            return abci.ResponseOfferSnapshot(result=OFFER.ABORT)
        return abci.ResponseOfferSnapshot(result=OFFER.ACCEPT)

    def _apply(self, asked: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        try:
            self._intake.apply(asked.index, asked.chunk)
            if self._intake.is_complete:
                head = self._intake.finish()
                self._restored()
                self._uncovered = self._is_uncovered()
                _log.info("restored", height=head.height, app_hash=head.app_hash.hex())
        except ChunkRefusedError as wrong:
            _log.warning("piece refused", index=asked.index, sender=asked.sender, reason=str(wrong))
            return abci.ResponseApplySnapshotChunk(
                result=APPLY.RETRY, refetch_chunks=[asked.index], reject_senders=[asked.sender]
            )
        except SnapshotFalseError as wrong:
            _log.warning("snapshot false", sender=asked.sender, reason=str(wrong))
            return abci.ResponseApplySnapshotChunk(result=APPLY.REJECT_SNAPSHOT, reject_senders=[asked.sender])
        return abci.ResponseApplySnapshotChunk(result=APPLY.ACCEPT)


def _told(snapshot: Snapshot) -> abci.Snapshot:
    return abci.Snapshot(
        height=snapshot.height,
        format=snapshot.format,
        chunks=snapshot.chunks,
        hash=snapshot.hash,
        metadata=snapshot.metadata,
    )
