"""What a network's node tells of its last committed state; it takes in no transaction, and waits for none."""

from collections.abc import Callable

from gridproof.drivers.errors import WaitTimeoutError, WireError
from gridproof.drivers.history import Entry, StoredHistory
from gridproof.drivers.wire import Status
from gridproof.errors import Refusal
from gridproof.state import Answer, Application, StoredEvent, TransactionPlace, system
from gridproof.state.store import Store


class Committed:
    """An Application as `drivers.answering` asks it; may be used by many threads.

    Args:
        store: keeps everything.
        application: over that store.
        clock: UTC epoch seconds, for telling the time.
        refusal_of: why a transaction came no further at this node, or None.
    """

    def __init__(
        self,
        store: Store,
        application: Application,
        clock: Callable[[], int],
        refusal_of: Callable[[bytes], Refusal | None] = lambda _name: None,
    ) -> None:
        self._refusal_of = refusal_of
        self._store = store
        self._application = application
        self._clock = clock

    def submit(self, _raw: bytes) -> bytes:
        """Nothing is taken in here.

        Raises:
            WireError: always.
        """
        raise WireError(detail="a network takes transactions by its engine's `broadcast_tx_sync`")

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Where a transaction stands.

        Raises:
            Refusal: this node dropped it before any block; others do for the same reason.
            WaitTimeoutError: it is in no block yet; nobody waits here, for the engine's connection would wait too.
        """
        refusal = self._refusal_of(name)  # first: what is then in no block was not dropped for standing in one
        place = self.find_transaction(name)
        if place is None and refusal is not None:
            raise refusal
        if place is None:
            raise WaitTimeoutError(name=name, timeout_ms=round(timeout_s * 1_000))
        return place

    def query(self, path: str, arguments: bytes = b"", *, prove: bool = False) -> Answer:
        """Read the last committed state (`Application.query`)."""
        return self._application.query(path, arguments, prove=prove)

    def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
        """The events after a place, oldest first, that are there now."""
        return self._application.events_since(cursor, limit)

    def find_transaction(self, name: bytes) -> TransactionPlace | None:
        """Where a transaction stands; None while it is in no block."""
        return self._application.find_transaction(name)

    def entry(self, height: int) -> Entry:
        """The block at a height from 1, and what it led to.

        Raises:
            MissingBlockError: the ledger is not that far, or the block is not kept.
        """
        head = self._application.info()  # before the snapshot, which then has all its blocks
        with self._store.snapshot() as snapshot:
            return StoredHistory(snapshot, head).entry(height)

    def genesis(self) -> bytes:
        """The genesis document."""
        with self._store.snapshot() as snapshot:
            return StoredHistory(snapshot, self._application.info()).genesis

    def status(self) -> Status:
        """Where the ledger stands."""
        head = self._application.info()
        with self._application.reading() as view:
            chain = system.chain(view)
            set_s = system.operator_clock_s(view)
        now_s = max(head.time_s, self._clock()) if set_s is None else set_s
        return Status(chain.chain_id, head.height, head.app_hash, now_s, chain.genesis_hash)
