"""What every client of the ledger offers, whatever lies between it and the ledger."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from inspect import Signature, signature
from typing import Any, Concatenate, Final, Generic, NamedTuple, ParamSpec, Protocol, TypeVar, cast

from gridproof.drivers.history import Entry
from gridproof.drivers.wire import Status
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Answer, Map, Reader, StoredEvent, TransactionPlace, smt
from gridproof.state.queries import KEY_PATH, Question, question

from .errors import UnprovenError

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")

_PROOF: Final[Codec[smt.Proof]] = Codec(smt.Proof)  # type: ignore[arg-type]
_asked: Final[Callable[[Callable[..., Any]], Question]] = lru_cache(maxsize=1_024)(question)
_signature: Final[Callable[[Callable[..., Any]], Signature]] = lru_cache(maxsize=1_024)(signature)


class Proven(NamedTuple, Generic[V]):
    """A value of the state with the proof that was checked for it.

    Attributes:
        value: what is stored, or None where the key is proven to be absent.
        height: of the committed state.
        app_hash: that state's root, 32 bytes, which the proof leads to; compare it with a root that is trusted.
        proof: of presence or absence.
    """

    value: V | None
    height: int
    app_hash: bytes
    proof: smt.Proof


class LedgerClient(Protocol):
    """A way to the ledger; may be used by many threads."""

    def submit(self, raw: bytes) -> bytes:
        """Hand in a transaction; harmless where the ledger has it already.

        Args:
            raw: the transaction's bytes.

        Returns:
            Its hash, 32 bytes.

        Raises:
            Refusal: its envelope is refused, or there is no room.
            ClientError: no answer came.
        """

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Wait until a transaction stands in a block.

        Args:
            name: its hash.
            timeout_s: the longest to wait.

        Raises:
            Refusal: it was dropped before any block.
            UnknownTransactionError: the ledger does not have it. A network's client never says so: whatever its nodes
                say, another one may have it, so there it counts as waiting.
            WaitTimeoutError: it still waits, and of a network perhaps nowhere.
            ClientError: no answer came.
        """

    def find_transaction(self, name: bytes) -> TransactionPlace | None:
        """Where a transaction stands; None while it is in no block.

        Raises:
            ClientError: no answer came.
        """

    def ask(self, query: Callable[Concatenate[Reader, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask a module's query for its result on the last committed state.

        Args:
            query: the function that answers it, from the module's `queries`.
            args: what it takes after the view.
            kwargs: likewise, by name.

        Raises:
            UnknownQueryError: the ledger has no such query.
            QueryArgumentError: the arguments are not what it takes.
            ClientError: no answer came.
        """

    def prove(self, table: Map[V], *key: Any) -> Proven[V]:
        """Read a record with a proof, and check the proof.

        Args:
            table: the map that holds it.
            key: its parts.

        Raises:
            UnprovenError: the proof does not fit the answer.
            ClientError: no answer came.
        """

    def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
        """The events after a place, oldest first; at most `limit`, and no more than one answer holds.

        Args:
            cursor: 16 bytes of the last event seen, or empty for all.
            limit: the most to return, at least 1.
            wait_s: how long to wait for the first where there is none yet.

        Raises:
            ClientError: no answer came.
        """

    def status(self) -> Status:
        """Where the ledger stands.

        Raises:
            ClientError: no answer came.
        """

    def entry(self, height: int) -> Entry:
        """The block at a height, and what it led to.

        Args:
            height: from 1.

        Raises:
            MissingBlockError: the ledger is not that far, or no longer keeps the block.
            ClientError: no answer came.
        """

    def genesis(self) -> bytes:
        """The genesis document.

        Raises:
            ClientError: no answer came.
        """

    def patient(self, what: str, most_s: float) -> AbstractContextManager[None]:
        """A wait over several requests of this thread, which somebody may be told of where it takes long.

        Args:
            what: is waited for, in words.
            most_s: the longest that it is.
        """

    def close(self) -> None:
        """Let the way go; the ledger stays."""


class Asking:
    """The typed part of a client, over its own `query`."""

    def query(self, path: str, arguments: bytes, *, prove: bool = False) -> Answer:
        """Ask by path with encoded arguments."""
        raise NotImplementedError

    def patient(self, what: str, most_s: float) -> AbstractContextManager[None]:
        """A wait over several requests (`LedgerClient.patient`); nobody is told of it."""
        return nullcontext()

    def ask(self, query: Callable[Concatenate[Reader, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask a module's query (`LedgerClient.ask`)."""
        asked = _asked(query)
        bound = _signature(query).bind(None, *args, **kwargs)
        bound.apply_defaults()
        answer = self.query(asked.path, asked.arguments.encode(tuple(bound.args[1:])))
        return cast("R", asked.result.decode(answer.value))

    def prove(self, table: Map[V], *key: Any) -> Proven[V]:
        """Read a record with a proof, and check the proof (`LedgerClient.prove`).

        Raises:
            UnprovenError: the proof does not fit the answer.
        """
        name = table.key(*key)
        answer = self.query(KEY_PATH, name, prove=True)
        try:
            proof = _PROOF.decode(answer.proof)
            if answer.value:
                smt.verify_presence(answer.app_hash, name, answer.value, proof)
            else:
                smt.verify_absence(answer.app_hash, name, proof)
            value = table.decode(answer.value) if answer.value else None
        except PrimitiveError as wrong:
            raise UnprovenError(detail=str(wrong)) from wrong
        return Proven(value, answer.height, answer.app_hash, proof)
