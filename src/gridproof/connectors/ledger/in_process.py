"""The twin for programs that hold the ledger themselves."""

from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.history import Entry
from gridproof.drivers.wire import Status
from gridproof.state import Answer, StoredEvent, TransactionPlace

from .port import Asking


class InProcessClient(Asking):
    """A way to a ledger in this process. Where no schedule makes blocks, waiting for a transaction makes one.

    Args:
        ledger: stays open when the client is closed.
    """

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self._ledger = ledger

    def submit(self, raw: bytes) -> bytes:
        """Hand in a transaction (`LedgerClient.submit`)."""
        return self._ledger.submit(raw)

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Wait until a transaction stands in a block (`LedgerClient.wait`)."""
        if not self._ledger.is_scheduled and self._ledger.find_transaction(name) is None:
            self._ledger.make_block()
        return self._ledger.wait(name, timeout_s)

    def find_transaction(self, name: bytes) -> TransactionPlace | None:
        """Where a transaction stands; None while it is in no block."""
        return self._ledger.find_transaction(name)

    def query(self, path: str, arguments: bytes, *, prove: bool = False) -> Answer:
        """Ask by path with encoded arguments."""
        return self._ledger.query(path, arguments, prove=prove)

    def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
        """The events after a place (`LedgerClient.events_since`)."""
        return self._ledger.events_since(cursor, limit, wait_s)

    def status(self) -> Status:
        """Where the ledger stands."""
        return self._ledger.status()

    def entry(self, height: int) -> Entry:
        """The block at a height and what it led to (`LedgerClient.entry`)."""
        return self._ledger.entry(height)

    def genesis(self) -> bytes:
        """The genesis document."""
        return self._ledger.genesis()

    def close(self) -> None:
        """Let the way go; the ledger stays."""
