"""Transactions that passed CheckTx and wait for a block, in the order of arrival; bounded, gone with the process."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

from gridproof.drivers.errors import MempoolFull, SenderCrowded
from gridproof.drivers.limits import PER_SENDER, SENDER_BYTES
from gridproof.state import Transaction


class Limits(NamedTuple):
    """How much may wait, and how much a block may hold.

    Attributes:
        transactions: the most that wait at once.
        waiting_bytes: the most bytes that wait at once.
        per_sender: the most that wait of one sender.
        sender_bytes: the most bytes that wait of one sender: what follows a gap in its nonces may wait for ever, and
            must not take the room of all.
        block_bytes: the most bytes of transactions in a block.
    """

    transactions: int = 20_000
    waiting_bytes: int = 256 * 2**20
    per_sender: int = PER_SENDER
    sender_bytes: int = SENDER_BYTES
    block_bytes: int = 32 * 2**20


class Mempool:
    """Holds waiting transactions; safe to use from many threads.

    Args:
        limits: how much may wait.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._waiting: OrderedDict[bytes, Transaction] = OrderedDict()
        self._of_sender: defaultdict[int, int] = defaultdict(int)
        self._bytes_of: defaultdict[int, int] = defaultdict(int)
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, name: bytes) -> bool:
        return name in self._waiting

    def add(self, transaction: Transaction) -> None:
        """Let a transaction wait; one that waits already stays where it is.

        Raises:
            MempoolFull: there is no room at all.
            SenderCrowded: its sender has no more room.
        """
        limits, sender = self._limits, transaction.sender
        with self._lock:
            if transaction.hash in self._waiting:
                return
            if len(self._waiting) >= limits.transactions:
                raise MempoolFull(limit=limits.transactions)
            if self._bytes + len(transaction.raw) > limits.waiting_bytes:
                raise MempoolFull(limit=limits.waiting_bytes)
            if self._of_sender[sender] >= limits.per_sender:
                raise SenderCrowded(sender=sender, limit=limits.per_sender)
            if self._bytes_of[sender] + len(transaction.raw) > limits.sender_bytes:
                raise SenderCrowded(sender=sender, limit=limits.sender_bytes)
            self._waiting[transaction.hash] = transaction
            self._of_sender[sender] += 1
            self._bytes_of[sender] += len(transaction.raw)
            self._bytes += len(transaction.raw)

    def arrived(self) -> list[bytes]:
        """The waiting transactions' bytes in the order of arrival."""
        with self._lock:
            return [transaction.raw for transaction in self._waiting.values()]

    def remove(self, names: Iterable[bytes]) -> None:
        """Let transactions go; harmless for those that are not here."""
        with self._lock:
            for name in names:
                transaction = self._waiting.pop(name, None)
                if transaction is None:
                    continue
                self._bytes -= len(transaction.raw)
                self._of_sender[transaction.sender] -= 1
                self._bytes_of[transaction.sender] -= len(transaction.raw)
                if not self._of_sender[transaction.sender]:
                    del self._of_sender[transaction.sender], self._bytes_of[transaction.sender]
