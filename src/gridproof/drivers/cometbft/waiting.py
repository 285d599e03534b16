"""What a node knows of the transactions that wait in its engine; bounded, and no part of what nodes agree on.

The engine asks about all of them again after every block, so what is asked again must cost next to nothing: sender,
nonce and age of a transaction are kept from its first test. What else could have changed, such as its sender's key, is
found when a block is proposed; what that leaves out is told here, and goes when the engine asks the next time. What is
too old for a proposal is not told: that block's time is decided only with it, and by another's it may not be.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, NamedTuple, TypeVar

from gridproof.errors import Refusal
from gridproof.state import Transaction
from gridproof.state.admission import bare
from gridproof.state.errors import Expired, NonceAhead, NonceUsed

KEPT_NAMES: Final = 65_536
V = TypeVar("V")


class _Envelope(NamedTuple):
    sender: int
    nonce: int
    valid_until_s: int


class Waiting:
    """Remembers waiting transactions by their hashes; may be used by many threads.

    Args:
        patience_s: how long one may wait for an earlier nonce.
        monotonic: seconds, for that.
    """

    def __init__(self, patience_s: float, monotonic: Callable[[], float]) -> None:
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._guard = Lock()
        self._envelopes: OrderedDict[bytes, _Envelope] = OrderedDict()
        self._refused: OrderedDict[bytes, Refusal] = OrderedDict()
        self._since: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def __contains__(self, name: bytes) -> bool:
        return name in self._envelopes

    def admit(self, name: bytes, transaction: Transaction, *, anew: bool) -> None:
        """A transaction passed its first test.

        Args:
            name: its hash.
            transaction: decoded.
            anew: whether somebody handed it in: then it has another chance, where it was refused before.
        """
        body = transaction.body
        with self._guard:
            _keep(self._envelopes, name, _Envelope(body.sender, body.nonce, body.valid_until_s))
            if anew:
                self._refused.pop(name, None)
                self._since.pop(name, None)

    def refuse(self, name: bytes, refusal: Refusal) -> None:
        """Remember why a transaction was left out of a proposal, or dropped."""
        with self._guard:
            _keep(self._refused, name, bare(refusal))

    def find_refusal(self, name: bytes) -> Refusal | None:
        """Why a transaction came no further at this node, or None."""
        refusal = self._refused.get(name)
        return None if refusal is None else bare(refusal)

    def judge(self, name: bytes, now_s: int, next_nonce: Callable[[int], int]) -> Refusal | None:
        """Whether a transaction may wait on: None, or the reason for which it is dropped.

        Args:
            name: of one that was admitted.
            now_s: ledger time, UTC epoch seconds.
            next_nonce: of a sender.
        """
        refusal = self.find_refusal(name)
        envelope = self._envelopes.get(name)
        if refusal is not None or envelope is None:
            return refusal
        if envelope.valid_until_s < now_s:
            return Expired(valid_until_s=envelope.valid_until_s, now_s=now_s)
        expected = next_nonce(envelope.sender)
        if envelope.nonce < expected:
            return NonceUsed(nonce=envelope.nonce, expected=expected)
        if envelope.nonce > expected and self._is_over(name, expected):
            return NonceAhead(nonce=envelope.nonce, expected=expected)
        return None

    def forget_all(self, names: Iterable[bytes]) -> None:
        """Transactions wait no longer."""
        with self._guard:
            for name in names:
                self._envelopes.pop(name, None)
                self._refused.pop(name, None)
                self._since.pop(name, None)

    def _is_over(self, name: bytes, expected: int) -> bool:
        """Whether one has waited long enough; it begins to when it is asked first, and anew when earlier ones come."""
        now = self._monotonic()
        with self._guard:
            for_nonce, since = self._since.get(name, (expected, now))
            if for_nonce != expected:
                since = now
            _keep(self._since, name, (expected, since))
        return now - since > self._patience_s


def _keep(kept: OrderedDict[bytes, V], name: bytes, value: V) -> None:
    kept[name] = value
    while len(kept) > KEPT_NAMES:
        kept.popitem(last=False)
