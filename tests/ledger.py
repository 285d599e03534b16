"""A ledger for tests: named participants, a clock to turn, a block for each transaction, invariants after each."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import pytest

from gridproof.domain import ParticipantId
from gridproof.drivers.embedded import ApplicationFactory, EmbeddedLedger, Options
from gridproof.errors import Refusal
from gridproof.primitives.schnorr import Signer
from gridproof.state import Event, Message, SerialVerifier, Verifier, sign_transaction, system
from gridproof.state.refusals import refusal_in
from gridproof.state.store import MemoryStore, Store, Table

from tests.tiny.app import GENESIS_TIME_S, PEOPLE, signer, tiny, tiny_genesis

VALID_FOR_S = 3_600


class Person(NamedTuple):
    """A participant with the key that tests sign with."""

    id: ParticipantId
    signer: Signer


class Ledger:
    """An embedded ledger.

    Args:
        application: makes the Application.
        genesis: its genesis document.
        people: participants by the names that tests call them.
        store: by default in memory.
        start_s: the blocks' clock at the start, UTC epoch seconds.
        turn_clock: the message by which `clock_keeper` moves ledger time, where the blocks do not.
        clock_keeper: who sends it.
        verifier: by default serial.
    """

    def __init__(
        self,
        application: ApplicationFactory,
        genesis: bytes,
        people: Mapping[str, Person],
        *,
        store: Store | None = None,
        start_s: int = GENESIS_TIME_S,
        turn_clock: Callable[[int], Message] | None = None,
        clock_keeper: str = "operator",
        verifier: Verifier | None = None,
    ) -> None:
        self.people = dict(people)
        self._clock_s = start_s
        self._turn_clock = turn_clock
        self._clock_keeper = clock_keeper
        self.node = EmbeddedLedger(
            store or MemoryStore(),
            application,
            genesis,
            Options(verifier or SerialVerifier(), clock=lambda: self._clock_s),
        )

    @property
    def now_s(self) -> int:
        """Ledger time, UTC epoch seconds."""
        return self.node.status().ledger_time_s

    @property
    def app_hash(self) -> bytes:
        """Names all that the rules keep: state and side tables, without the nonces, which refusals consume too.

        The chain's own app hash is `node.head.app_hash`.
        """
        digest = sha256()
        nonces = system.NONCES.key()
        with self.node.application.reading() as view:
            for table in (Table.STATE, Table.SIDE):
                for key, value in view.scan(table, b""):
                    if table is Table.SIDE or not key.startswith(nonces):
                        digest.update(b"%d|%d|%d|" % (table, len(key), len(value)) + key + value)
        return digest.digest()

    def advance(self, seconds: int) -> None:
        """Let ledger time pass."""
        self._clock_s += seconds
        if self._turn_clock is not None:
            self.send(self._clock_keeper, self._turn_clock(self.now_s + seconds))

    def sign(self, name: str, *messages: Message, nonce: int | None = None, valid_until_s: int | None = None) -> bytes:
        """A transaction's bytes, with the sender's next nonce and an hour to live unless told otherwise."""
        person = self.people[name]
        with self.node.application.reading() as view:
            following = system.next_nonce(view, person.id)
        return sign_transaction(
            person.signer,
            chain_id=self.node.application.chain_id,
            sender=person.id,
            nonce=following if nonce is None else nonce,
            valid_until_s=self.now_s + VALID_FOR_S if valid_until_s is None else valid_until_s,
            messages=messages,
        )

    def send(self, name: str, *messages: Message) -> tuple[Event, ...]:
        """Send messages in one transaction and make the block; gives what was announced.

        Raises:
            Refusal: the very one that the rules raised.
        """
        cursor = self._last_cursor()
        sent = self.node.submit(self.sign(name, *messages))
        self.node.make_block()
        self.node.application.check_invariants()
        refusal = refusal_in(self.node.wait(sent, 0).result)
        if refusal is not None:
            raise refusal
        stored = self.node.events_since(cursor, 1_000_000)
        return tuple(self.node.application.decode_event(each.body) for each in stored)

    def _last_cursor(self) -> bytes:
        return self.node.head.height.to_bytes(8, "big") + b"\xff" * 8 if self.node.head.height else b""

    def accepts(self, name: str, *messages: Message) -> Any:
        """Send messages that take effect; gives the first event announced, or None."""
        return next(iter(self.send(name, *messages)), None)

    def refuses(self, name: str, *messages: Message, code: int) -> Refusal:
        """Send messages that are refused with this code and change nothing but the sender's nonce."""
        before = self.app_hash
        with pytest.raises(Refusal) as raised:
            self.send(name, *messages)
        refusal = raised.value
        assert refusal.code == code, f"refused with {refusal.code}, not {code}: {refusal}"
        assert self.app_hash == before, "a refused transaction changed the state"
        return refusal

    def close(self) -> None:
        """Close the node and its store."""
        self.node.close()


def tiny_ledger(store: Store | None = None) -> Ledger:
    """The tiny ledger with its people."""
    people = {name: Person(ParticipantId(number), signer(name)) for name, number in PEOPLE.items()}
    return Ledger(tiny, tiny_genesis(), people, store=store)
