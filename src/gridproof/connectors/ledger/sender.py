"""Signs and sends for one participant; keeps its nonces in order.

Several processes may send for the same participant at once: whose nonce was taken by another signs again with the next
one. That is safe, because a transaction refused for its nonce or its age took no effect and never will; whatever is
merely late is not signed anew but handed in again as the same bytes. Signatures are randomised, so that two who say the
same under one nonce are not taken for one.

A network's first block after a quiet hour bears the time of the last one. What that block refused as too early, though
by now its time has come, is said again. Where the operator's word moves ledger time, early is early.
"""

from collections.abc import Callable
from contextlib import suppress
from secrets import token_bytes
from threading import Lock
from time import monotonic, sleep
from typing import Final, NamedTuple

from gridproof.domain import ParticipantId
from gridproof.drivers.errors import MempoolError, UnknownTransactionError
from gridproof.errors import GridproofError, Refusal, TooEarly
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message, TransactionPlace, sign_transaction, system
from gridproof.state.errors import Expired, NonceAhead, NonceUsed
from gridproof.state.refusals import refusal_in
from gridproof.state.transaction import transaction_hash

from .errors import ClientError
from .port import LedgerClient

VALID_FOR_S: Final = 86_400
TIMEOUT_S: Final = 60.0
AUX_BYTES: Final = 32
PAUSE_S: Final = 0.05
BLOCK_S: Final = 1.0
MAX_EARLY: Final = 3  # times that what is refused as too early is said again
_BLOCK: Final = "a block that takes in what was sent (with a third of the votes missing none comes)"


class Sent(NamedTuple):
    """A transaction under way.

    Attributes:
        name: its hash, 32 bytes.
        raw: its bytes, to be handed in again should the node have lost it.
        messages: what it carries.
    """

    name: bytes
    raw: bytes
    messages: tuple[Message, ...]


class Sender:
    """Sends a participant's messages. May be used by many threads.

    Args:
        client: the way to the ledger.
        signer: the participant's transaction key.
        participant: its id.
        valid_for_s: how long, in ledger time, a transaction may take to come into a block.
        timeout_s: how long to try before giving up.
        randomness: gives so many random bytes.
    """

    def __init__(
        self,
        client: LedgerClient,
        signer: Signer,
        participant: ParticipantId,
        *,
        valid_for_s: int = VALID_FOR_S,
        timeout_s: float = TIMEOUT_S,
        randomness: Callable[[int], bytes] = token_bytes,
    ) -> None:
        self.client = client
        self.participant = participant
        self._signer = signer
        self._valid_for_s = valid_for_s
        self._timeout_s = timeout_s
        self._randomness = randomness
        self._guard = Lock()
        self._nonce: int | None = None
        self._chain_id = ""
        self._until_s = 0
        self._last: Sent | None = None

    @property
    def public_key(self) -> bytes:
        """The transaction key that it signs with, x-only, 32 bytes."""
        return self._signer.public_key

    def sign(self, message: bytes) -> bytes:
        """Sign something that is no transaction: a tagged hash of 32 bytes."""
        return self._signer.sign(message, self._randomness(AUX_BYTES))

    def send(self, *messages: Message) -> TransactionPlace:
        """Send messages in one transaction, all or none, and wait until they took effect.

        Raises:
            Refusal: the ledger refuses them, by its own class where this program knows it.
            WaitTimeoutError: the transaction still waits; it may take effect later.
            ClientError: no answer came; it may have taken effect.
        """
        return self.wait(self.submit(*messages))

    def submit(self, *messages: Message) -> Sent:
        """Send messages in one transaction and go on; a sender's transactions come into blocks in this order.

        Raises:
            Refusal: a message fails its own check, the ledger refuses the envelope, or it has had no room all the time.
            ClientError: no answer came all the time; it may take effect all the same.
        """
        deadline = monotonic() + self._timeout_s
        with self._guard, self.client.patient(_BLOCK, self._timeout_s):
            while True:
                sent = self._sign(messages, deadline)
                try:
                    self._hand_in(sent, deadline)
                except (NonceUsed, Expired) as stale:
                    self._nonce = None
                    if monotonic() >= deadline:
                        raise stale.with_traceback(None) from None
                except BaseException:
                    self._nonce = None  # whether it was taken is unknown: ask the ledger before the next one
                    raise
                else:
                    self._nonce = (self._nonce or 0) + 1
                    self._last = sent
                    return sent

    def wait(self, sent: Sent) -> TransactionPlace:
        """Wait until a transaction took effect.

        Raises:
            Refusal: the ledger refuses it.
            WaitTimeoutError: it still waits.
            ClientError: no answer came.
        """
        with self.client.patient(_BLOCK, self._timeout_s):
            return self._settled(sent, monotonic() + self._timeout_s)

    def _settled(self, sent: Sent, deadline: float) -> TransactionPlace:
        early = 0
        while True:
            try:
                place = self._wait_for(sent, deadline)
            except (NonceUsed, Expired) as stale:  # it stands in no block and never will: sign it anew
                self._forget_nonce()
                if monotonic() >= deadline:
                    raise stale.with_traceback(None) from None
                sent = self.submit(*sent.messages)
            except Refusal:
                self._forget_nonce()  # dropped before any block: its nonce is free again
                raise
            else:
                refusal = refusal_in(place.result)
                if refusal is None:
                    return place
                early += 1
                if early > MAX_EARLY or not self._is_time(refusal):
                    raise refusal
                sent = self.submit(*sent.messages)

    def _is_time(self, refusal: GridproofError) -> bool:
        """Whether something was refused as too early and would not be now: its block was made by an old time."""
        if not isinstance(refusal, TooEarly) or self.client.ask(system.operator_clock_s) is not None:
            return False
        return self.client.status().ledger_time_s >= refusal.not_before_s

    def _wait_for(self, sent: Sent, deadline: float) -> TransactionPlace:
        while True:
            try:
                return self.client.wait(sent.name, max(0.0, deadline - monotonic()))
            except (UnknownTransactionError, ClientError):  # a node started anew has lost what waited in it
                if monotonic() >= deadline:
                    raise
                sleep(PAUSE_S)
                self._hand_in(sent, deadline)

    def _hand_in(self, sent: Sent, deadline: float) -> None:
        """Hand in the same bytes until the ledger takes or refuses them, or time is up."""
        while True:
            try:
                self.client.submit(sent.raw)
                return
            except (NonceAhead, MempoolError) as later:  # those before must come into a block first
                if monotonic() >= deadline:
                    raise
                self._await_block()
                if isinstance(later, MempoolError):
                    sleep(PAUSE_S)  # the last one may stand in a block long since, and the room be taken by others
            except ClientError:
                if monotonic() >= deadline:
                    raise
                sleep(PAUSE_S)

    def _await_block(self) -> None:
        """Let a block go by; where nobody makes blocks on a schedule, waiting for a transaction makes one."""
        if self._last is None:
            sleep(PAUSE_S)
            return
        with suppress(GridproofError):  # whoever waits for that one learns of its fate
            self.client.wait(self._last.name, BLOCK_S)

    def _next_nonce(self, deadline: float) -> int:
        """The nonce to sign with; asks the ledger where it is not known, until it answers or time is up."""
        while self._nonce is None:
            try:
                status = self.client.status()
                self._chain_id = status.chain_id
                self._until_s = status.ledger_time_s + self._valid_for_s
                self._nonce = self.client.ask(system.next_nonce, self.participant)
            except ClientError:
                if monotonic() >= deadline:
                    raise
                sleep(PAUSE_S)
        return self._nonce

    def _sign(self, messages: tuple[Message, ...], deadline: float) -> Sent:
        nonce = self._next_nonce(deadline)
        for message in messages:
            message.check(self._chain_id)
        raw = sign_transaction(
            self._signer,
            chain_id=self._chain_id,
            sender=self.participant,
            nonce=nonce,
            valid_until_s=self._until_s,
            messages=messages,
            aux=self._randomness(AUX_BYTES),
        )
        return Sent(transaction_hash(raw), raw, messages)

    def _forget_nonce(self) -> None:
        with self._guard:
            self._nonce = None
