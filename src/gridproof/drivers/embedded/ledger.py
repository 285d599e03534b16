"""The embedded ledger: the whole chain in one process.

How a block comes about, in this order: choose from what waits (`prepare_proposal`); write the block; compute it
(`finalize_block`); persist state, results and events at once (`commit`). A process that is killed anywhere finds the
block again at its next start and computes the same. Rules:
- one thread makes blocks at a time; `submit`, `query`, `events_since` and `wait` may be called from any other;
- a block's time never goes back;
- a block that holds nothing is not made unless asked for;
- after an unexpected failure nothing more is accepted or made: what was committed stays readable.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from time import monotonic, time
from types import TracebackType
from typing import Final, NamedTuple, Self

from gridproof.drivers.blocks import KeptBlock, find_block, find_genesis, keep_block, keep_genesis
from gridproof.drivers.errors import (
    ForeignGenesisError,
    GenesisMissingError,
    HalfRestoredError,
    LedgerStoppedError,
    UnknownTransactionError,
    WaitTimeoutError,
)
from gridproof.drivers.history import Entry, StoredHistory
from gridproof.drivers.logs import logger
from gridproof.drivers.ports import ApplicationFactory
from gridproof.drivers.snapshots import is_restoring
from gridproof.drivers.verifying import ThreadedVerifier
from gridproof.drivers.wire import Status
from gridproof.errors import Refusal
from gridproof.state import (
    Answer,
    Block,
    BlockResult,
    Head,
    Proposal,
    SerialVerifier,
    StoredEvent,
    TransactionPlace,
    Verifier,
    system,
)
from gridproof.state.admission import bare
from gridproof.state.errors import EnvelopeError
from gridproof.state.genesis import genesis_hash
from gridproof.state.store import LmdbStore, Store
from gridproof.state.transaction import transaction_hash

from .lock import FolderLock
from .mempool import Limits, Mempool

DATABASE_NAME: Final = "ledger.lmdb"
KEPT_REFUSALS: Final = 10_000
EXPIRY_CHECK_S: Final = 1.0
READERS_S: Final = 10.0

_log = logger("ledger")


class Options(NamedTuple):
    """What may be chosen about an embedded ledger.

    Attributes:
        verifier: checks signatures; by default on all cores.
        clock: UTC epoch seconds, for the time of blocks.
        limits: of what waits and of blocks.
        reached: called with the name of each step of a block once it is done (`chosen`, `block kept`, `finalized`,
            `committed`); tests kill the process there.
    """

    verifier: Verifier | None = None
    clock: Callable[[], int] = lambda: int(time())
    limits: Limits = Limits()
    reached: Callable[[str], None] = lambda _step: None


DEFAULTS: Final = Options()


class EmbeddedLedger:
    """A ledger with its one node in this process.

    Args:
        store: keeps everything; closed with the ledger.
        application: makes the Application over a store and a verifier.
        genesis: the genesis document; needed at the first start only.
        options: what may be chosen.
        lock: held until the ledger is closed.

    Raises:
        GenesisMissingError: there is no ledger yet and no genesis.
        ForeignGenesisError: the store holds another ledger.
        GenesisError: the genesis document is not valid.
        HalfRestoredError: the store holds part of a snapshot, which is no ledger.
        LedgerStoppedError: the block that was under way at the last end cannot be computed.
    """

    def __init__(
        self,
        store: Store,
        application: ApplicationFactory,
        genesis: bytes | None = None,
        options: Options = DEFAULTS,
        *,
        lock: FolderLock | None = None,
    ) -> None:
        if is_restoring(store):
            raise HalfRestoredError
        self.store = store
        self._lock = lock
        self._options = options
        self._verifier = ThreadedVerifier() if options.verifier is None else None
        self._mempool = Mempool(options.limits)
        self._refused: OrderedDict[bytes, Refusal] = OrderedDict()
        self._making = Lock()
        self._changed, self._reading = Condition(), Condition()
        self._readers = 0
        self._closed = False
        self._arrival, self._halt = Event(), Event()
        self._maker: Thread | None = None
        self._failure: BaseException | None = None
        self.application = application(store, options.verifier or self._verifier or SerialVerifier())
        self._genesis_hash = genesis_hash(self._bear(genesis))
        self._resume()

    @classmethod
    def at(
        cls,
        folder: str | Path,
        application: ApplicationFactory,
        genesis: bytes | None = None,
        options: Options = DEFAULTS,
    ) -> Self:
        """Open the ledger of a folder, which this process then holds alone.

        Args:
            folder: made where it is missing.
            application: makes the Application over a store and a verifier.
            genesis: the genesis document; needed at the first start only.
            options: what may be chosen.

        Raises:
            LedgerLockedError: another process holds the folder.
            FolderUnusableError: the folder cannot be made or written to.
            StoreError: the database is missing, full, damaged or not writable.
        """
        folder = Path(folder)
        lock = FolderLock(folder)
        store: Store | None = None
        try:
            store = LmdbStore(str(folder / DATABASE_NAME))
            return cls(store, application, genesis, options, lock=lock)
        except BaseException:
            if store is not None:
                store.close()
            lock.release()
            raise

    # --- start and end ---------------------------------------------------------------------------------------------

    def _bear(self, genesis: bytes | None) -> bytes:
        with self.store.snapshot() as snapshot:
            kept = find_genesis(snapshot)
        if kept is None:
            if genesis is None:
                raise GenesisMissingError
            self.application.init_chain(genesis)  # refuses a wrong document before anything is written
            keep_genesis(self.store, genesis)
            return genesis
        if genesis is not None and genesis != kept:
            raise ForeignGenesisError(kept=genesis_hash(kept), given=genesis_hash(genesis))
        self.application.init_chain(kept)
        return kept

    def _resume(self) -> None:
        """Compute the block again that was written but not committed when the process ended."""
        head = self.head
        with self.store.snapshot() as snapshot:
            kept = find_block(snapshot, head.height + 1)
        if kept is None:
            return
        if kept.previous != head.app_hash:
            raise LedgerStoppedError(height=head.height, cause="the block under way builds on another state")
        _log.info("resume", height=kept.block.height, transactions=len(kept.block.transactions))
        with self._making:
            self._run(kept.block)

    def start(self, interval_s: float) -> None:
        """Make blocks on a thread: at most one every `interval_s` seconds, and only where something waits."""
        self._halt.clear()
        self._maker = Thread(target=self._make_blocks, args=(interval_s,), name="blocks", daemon=True)
        self._maker.start()

    def stop(self) -> None:
        """End the thread that makes blocks; blocks may still be made on demand."""
        self._halt.set()
        self._arrival.set()
        if self._maker is not None:
            self._maker.join()
            self._maker = None

    @property
    def is_scheduled(self) -> bool:
        """Whether a thread makes blocks."""
        return self._maker is not None

    def close(self) -> None:
        """Stop, close the store and let go of the folder."""
        self.stop()
        with self._making:
            if self._failure is None:
                self._fail(LedgerStoppedError(height=self.head.height, cause="it was closed"))
            with self._reading:
                self._closed = True
                self._reading.wait_for(lambda: not self._readers, READERS_S)
            self.store.close()
            if self._verifier is not None:
                self._verifier.close()
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def failure(self) -> BaseException | None:
        """What stopped the ledger, or None while it goes on."""
        return self._failure

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the store open meanwhile: the database must not be closed under a thread that reads it.

        Raises:
            LedgerStoppedError: it is closed already.
        """
        with self._reading:
            if self._closed:
                self.require_running()
            self._readers += 1
        try:
            yield
        finally:
            with self._reading:
                self._readers -= 1
                self._reading.notify_all()

    def require_running(self) -> None:
        """Return while the ledger goes on.

        Raises:
            LedgerStoppedError: it stopped.
        """
        if isinstance(self._failure, LedgerStoppedError):
            raise self._failure.with_traceback(None)
        if self._failure is not None:
            cause = str(self._failure) or type(self._failure).__name__
            raise LedgerStoppedError(height=self.head.height, cause=cause) from self._failure

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _stop_at(self, error: BaseException) -> None:
        """Go no further after what came in the middle of a block.

        Raises:
            LedgerStoppedError: it was a failure; an interruption by the user is left to go its way.
        """
        self._fail(error)
        if isinstance(error, Exception):
            _log.exception("stopped", height=self.head.height)
            self.require_running()

    # --- transactions ----------------------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Take a transaction in; harmless where it is here already.

        Args:
            raw: the transaction's bytes.

        Returns:
            Its hash, 32 bytes.

        Raises:
            Refusal: its envelope is refused, or there is no room.
            LedgerStoppedError: the ledger stopped.
        """
        self.require_running()
        name = transaction_hash(raw)
        if name in self._mempool:
            return name
        try:
            with self._in_use():
                self._mempool.add(self.application.check_tx(raw))
        except EnvelopeError:
            # One that stands in a block is refused as any old one would be. Its sender must not believe that it was
            # refused, and sign it anew; to look it up only now spares all others the look.
            if self.find_transaction(name) is None:
                raise
            return name
        with self._changed:
            self._refused.pop(name, None)
        self._arrival.set()
        return name

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Wait until a transaction stands in a block.

        Args:
            name: its hash.
            timeout_s: the longest to wait; 0 only looks.

        Raises:
            Refusal: it was dropped before any block, for this reason.
            UnknownTransactionError: it is not here.
            WaitTimeoutError: it still waits.
            LedgerStoppedError: the ledger stopped before it came into a block.
        """
        deadline = monotonic() + timeout_s
        with self._changed:
            while True:
                place = self.find_transaction(name)
                if place is not None:
                    return place
                self.require_running()
                self._require_waiting(name)
                left = deadline - monotonic()
                if left <= 0:
                    raise WaitTimeoutError(name=name, timeout_ms=int(timeout_s * 1000))
                self._changed.wait(left)

    def _require_waiting(self, name: bytes) -> None:
        if name in self._mempool:
            return
        refusal = self._refused.get(name)
        if refusal is not None:
            raise bare(refusal)
        raise UnknownTransactionError(name=name)

    # --- blocks ----------------------------------------------------------------------------------------------------

    def make_block(self, time_s: int | None = None, *, empty: bool = False) -> BlockResult | None:
        """Make a block of what waits.

        Args:
            time_s: the block's time, UTC epoch seconds; by default the clock's. Never before the last block's.
            empty: make one even where it holds nothing.

        Returns:
            What became of it, or None where there was nothing to do.

        Raises:
            LedgerStoppedError: the ledger stopped.
        """
        with self._making:
            self.require_running()
            head = self.head
            try:
                now_s = max(head.time_s, self._options.clock() if time_s is None else time_s)
                chosen = self._choose(now_s)
                if not chosen and not empty:
                    return None
                self._options.reached("chosen")
                block = Block(head.height + 1, now_s, 0, tuple(chosen))
                keep_block(self.store, KeptBlock(head.app_hash, block))
                self._options.reached("block kept")
            except BaseException as error:
                self._stop_at(error)
                raise
            return self._run(block)

    def _choose(self, now_s: int) -> list[bytes]:
        arrived = self._mempool.arrived()
        if not arrived:
            return []
        proposal = self.application.prepare_proposal(arrived, now_s, self._options.limits.block_bytes)
        self._drop(proposal)
        return proposal.chosen

    def _drop(self, proposal: Proposal) -> None:
        if not proposal.refused:
            return
        refused = {transaction_hash(raw): refusal for raw, refusal in proposal.refused}
        with self._changed:
            self._refused.update(refused)
            while len(self._refused) > KEPT_REFUSALS:
                self._refused.popitem(last=False)
            self._mempool.remove(refused)
            self._changed.notify_all()
        for name, refusal in refused.items():
            _log.info("refused", transaction=name.hex(), code=refusal.code)

    def _run(self, block: Block) -> BlockResult:
        """Compute and persist a block that is kept already."""
        try:
            result = self.application.finalize_block(block)
            self._options.reached("finalized")
            head = self.application.commit()
            self._options.reached("committed")
        except BaseException as error:
            self._stop_at(error)
            raise
        with self._changed:
            self._mempool.remove(transaction_hash(raw) for raw in block.transactions)
            self._changed.notify_all()
        _log.info("block", height=head.height, transactions=len(block.transactions), app_hash=head.app_hash.hex())
        return result

    def _make_blocks(self, interval_s: float) -> None:
        while not self._halt.is_set() and self._failure is None:
            # What waits for an earlier nonce is looked at again now and then, so that it can expire.
            self._arrival.wait(EXPIRY_CHECK_S if len(self._mempool) else None)
            if self._halt.wait(interval_s):
                return
            self._arrival.clear()
            try:
                self.make_block()
            except LedgerStoppedError:
                return  # told to everyone who asks by `require_running`

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """The last committed block."""
        return self.application.info()

    def find_transaction(self, name: bytes) -> TransactionPlace | None:
        """Where a transaction stands, and what became of it; None while it is in no block."""
        with self._in_use():
            return self.application.find_transaction(name)

    def query(self, path: str, arguments: bytes = b"", *, prove: bool = False) -> Answer:
        """Read the last committed state (`Application.query`)."""
        with self._in_use():
            return self.application.query(path, arguments, prove=prove)

    def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
        """The events after a place, oldest first.

        Args:
            cursor: 16 bytes of the last event seen, or empty for all.
            limit: the most to return.
            wait_s: how long to wait for the first where there is none yet.
        """
        deadline = monotonic() + wait_s
        while True:
            seen = self.head.height
            with self._in_use():
                events = self.application.events_since(cursor, limit)
            left = deadline - monotonic()
            if events or left <= 0 or self._failure is not None:
                return events
            with self._changed:
                self._changed.wait_for(lambda: self.head.height != seen or self._failure is not None, left)  # noqa: B023

    def entry(self, height: int) -> Entry:
        """The block at a height from 1, and what it led to.

        Raises:
            MissingBlockError: the ledger is not that far, or the block is not kept.
        """
        head = self.head  # before the snapshot, which then has all its blocks
        with self._in_use(), self.store.snapshot() as snapshot:
            return StoredHistory(snapshot, head).entry(height)

    def genesis(self) -> bytes:
        """The genesis document."""
        with self._in_use(), self.store.snapshot() as snapshot:
            return StoredHistory(snapshot, self.head).genesis

    def status(self) -> Status:
        """Where the ledger stands."""
        head = self.head
        with self._in_use(), self.application.reading() as view:
            chain = system.chain(view)
            set_s = system.operator_clock_s(view)
        now_s = max(head.time_s, self._options.clock()) if set_s is None else set_s
        return Status(chain.chain_id, head.height, head.app_hash, now_s, self._genesis_hash)
