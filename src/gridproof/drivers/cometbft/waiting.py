"""What a node knows of the transactions that wait in its engine; bounded, and no part of what nodes agree on.

The engine asks about all of them again after every block, so what is asked again must cost next to nothing: sender,
nonce and age of a transaction are kept from its first test. What else could have changed, such as its sender's key, is
found when a block is proposed; what that leaves out is told here, and goes when the engine asks the next time. What is
too old for a proposal is not told: that block's time is decided only with it, and by another's it may not be.

No sender may fill the engine's room. Its transactions that wait, and their bytes, are counted, and a new one beyond the
limit is refused. The engine may let one go without a word: for want of room after it was let in here, or with its
process. But it asks about all that it holds between one block and the next. So when a sender is at its limit, those of
its transactions that were not asked about all through the last such round count no longer. Each node counts for itself.

Only who proposes learns why a transaction stays out of blocks, so a node without a vote would keep what never can enter
until it expires. A transaction whose turn it is goes from here when both its patience is over and many blocks went by
that were not empty and had room for it, but did not hold it. Where none are made, or full ones, it stays. An honest
one can be met, where no proposer has heard of it; so this refusal says that the same bytes may be handed in again, and
no sender signs anew for it.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar

from gridproof.drivers.errors import PassedOver, SenderCrowded
from gridproof.drivers.limits import MAX_BLOCK_BYTES, PER_SENDER, SENDER_BYTES
from gridproof.errors import Refusal
from gridproof.state import Transaction
from gridproof.state.admission import bare
from gridproof.state.errors import Expired, NonceAhead, NonceUsed

KEPT_NAMES: Final = 65_536
MAX_PASSED: Final = 16  # blocks with room that a transaction whose turn it is may see go by
ROOMY_BYTES: Final = MAX_BLOCK_BYTES // 2  # a block of up to so many has room for any transaction
V = TypeVar("V")


@dataclass(slots=True)
class _Envelope:
    """What is kept of a transaction.

    Attributes:
        asked: the round in which the engine asked about it last.
        expected: its sender's next nonce when its patience began, or None before.
        since: when that was, in the clock's seconds.
        passed: how many blocks had had room by then.
    """

    sender: int
    nonce: int
    valid_until_s: int
    size: int
    asked: int
    expected: int | None = None
    since: float = 0.0
    passed: int = 0


@dataclass(slots=True)
class _Line:
    """What waits of one sender."""

    names: set[bytes] = field(default_factory=set)
    size: int = 0


class Waiting:
    """Remembers waiting transactions by their hashes; may be used by many threads.

    Args:
        patience_s: how long one may wait for an earlier nonce, or for a block when its turn has come.
        monotonic: seconds, for that.
        per_sender: the most that may wait of one sender.
        sender_bytes: the most bytes that may wait of one sender.
    """

    def __init__(
        self,
        patience_s: float,
        monotonic: Callable[[], float],
        per_sender: int = PER_SENDER,
        sender_bytes: int = SENDER_BYTES,
    ) -> None:
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._per_sender = per_sender
        self._sender_bytes = sender_bytes
        self._guard = Lock()
        self._envelopes: OrderedDict[bytes, _Envelope] = OrderedDict()
        self._refused: OrderedDict[bytes, Refusal] = OrderedDict()
        self._lines: dict[int, _Line] = {}
        self._round = 0
        self._roomy = 0

    def __contains__(self, name: bytes) -> bool:
        return name in self._envelopes

    def admit(self, name: bytes, transaction: Transaction, *, anew: bool) -> Refusal | None:
        """A transaction passed its first test: None, or the reason for which it is not let in.

        Args:
            name: its hash.
            transaction: decoded.
            anew: whether somebody handed it in: then it has another chance, where it was refused before, and counts
                against its sender's limit. What the engine holds already is only counted.
        """
        body, size = transaction.body, len(transaction.raw)
        with self._guard:
            if anew and name not in self._envelopes:
                crowded = self._crowded(body.sender, size)
                if crowded is not None:
                    return crowded
            self._drop(name)
            if anew:
                self._refused.pop(name, None)
            self._envelopes[name] = _Envelope(body.sender, body.nonce, body.valid_until_s, size, self._round)
            line = self._lines.setdefault(body.sender, _Line())
            line.names.add(name)
            line.size += size
            while len(self._envelopes) > KEPT_NAMES:
                self._drop(next(iter(self._envelopes)))
        return None

    def refuse(self, name: bytes, refusal: Refusal) -> None:
        """Remember why a transaction was left out of a proposal, or dropped."""
        with self._guard:
            _keep(self._refused, name, bare(refusal))

    def find_refusal(self, name: bytes) -> Refusal | None:
        """Why a transaction came no further at this node, or None."""
        refusal = self._refused.get(name)
        return None if refusal is None else bare(refusal)

    def judge(self, name: bytes, now_s: int, next_nonce: Callable[[int], int]) -> Refusal | None:
        """Whether a transaction that the engine asks about again may wait on: None, or why it is dropped.

        Args:
            name: of one that was admitted.
            now_s: ledger time, UTC epoch seconds.
            next_nonce: of a sender.
        """
        refusal = self.find_refusal(name)
        envelope = self._envelopes.get(name)
        if refusal is not None or envelope is None:
            return refusal
        envelope.asked = self._round
        if envelope.valid_until_s < now_s:
            return Expired(valid_until_s=envelope.valid_until_s, now_s=now_s)
        expected = next_nonce(envelope.sender)
        if envelope.nonce < expected:
            return NonceUsed(nonce=envelope.nonce, expected=expected)
        return self._overdue(envelope, expected)

    def committed(self, names: Collection[bytes], size: int) -> None:
        """A block stands; now the engine asks again about all that it still holds.

        Args:
            names: hashes of the block's transactions, which wait no longer.
            size: their bytes.
        """
        with self._guard:
            self._round += 1
            self._roomy += 1 if names and size <= ROOMY_BYTES else 0
        self.forget_all(names)

    def forget_all(self, names: Iterable[bytes]) -> None:
        """Transactions wait no longer."""
        with self._guard:
            for name in names:
                self._drop(name)
                self._refused.pop(name, None)

    def _drop(self, name: bytes) -> None:
        envelope = self._envelopes.pop(name, None)
        if envelope is None:
            return
        line = self._lines[envelope.sender]
        line.names.discard(name)
        line.size -= envelope.size
        if not line.names:
            del self._lines[envelope.sender]

    def _crowded(self, sender: int, size: int) -> SenderCrowded | None:
        """Why a sender has no room for one more of a size, or None; what the engine holds no longer makes room."""
        limit = self._limit_met(sender, size)
        if limit is None:
            return None
        for name in tuple(self._lines[sender].names) if sender in self._lines else ():
            # Asked in this round or the last one, or come since: else a whole round went by without it.
            if self._envelopes[name].asked < self._round - 1:
                self._drop(name)
        limit = self._limit_met(sender, size)
        return None if limit is None else SenderCrowded(sender=sender, limit=limit)

    def _limit_met(self, sender: int, size: int) -> int | None:
        line = self._lines.get(sender)
        count, waiting = (len(line.names), line.size) if line else (0, 0)
        if count >= self._per_sender:
            return self._per_sender
        return self._sender_bytes if waiting + size > self._sender_bytes else None

    def _overdue(self, envelope: _Envelope, expected: int) -> Refusal | None:
        """Why one has waited too long; its patience begins when it is asked first, and anew when earlier ones come."""
        now = self._monotonic()
        if envelope.expected != expected:
            envelope.expected, envelope.since, envelope.passed = expected, now, self._roomy
        if now - envelope.since <= self._patience_s:
            return None
        if envelope.nonce > expected:
            return NonceAhead(nonce=envelope.nonce, expected=expected)
        passed = self._roomy - envelope.passed
        return None if passed < MAX_PASSED else PassedOver(blocks=passed)


def _keep(kept: OrderedDict[bytes, V], name: bytes, value: V) -> None:
    kept[name] = value
    while len(kept) > KEPT_NAMES:
        kept.popitem(last=False)
