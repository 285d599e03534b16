"""The port over anything that carries the wire's requests (`drivers.wire`): twins differ in the carrying only."""

from collections.abc import Callable
from typing import Final, TypeVar

from gridproof.drivers import wire
from gridproof.drivers.history import Entry
from gridproof.drivers.wire import Status
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Answer, TransactionPlace
from gridproof.state.refusals import unpack_error

from .errors import ClientError
from .port import Asking

T = TypeVar("T")

ANSWER: Final = Codec(Answer)
BYTES: Final = Codec(bytes)
ENTRY: Final = Codec(Entry)
STATUS: Final = Codec(Status)


def result_in(reply: wire.Reply, result: Codec[T], otherwise: Callable[[str], ClientError]) -> T:
    """The result that a reply holds.

    Args:
        reply: as it came.
        result: reads it.
        otherwise: makes the error for what is no answer to the request.

    Raises:
        GridproofError: the error that the reply tells of, of its own class where this program knows it.
        ClientError: it is no answer to the request.
    """
    if isinstance(reply, wire.Failed):
        raise unpack_error(reply.code, reply.text, reply.detail)
    if not isinstance(reply, wire.Done):
        raise otherwise("an answer of another kind")
    try:
        return result.decode(reply.value)
    except PrimitiveError as wrong:
        raise otherwise(str(wrong)) from wrong


class Requesting(Asking):
    """What is one request and its answer, over `request`."""

    def request(self, request: wire.Request, result: Codec[T], wait_ms: int = 0) -> T:
        """Carry a request to the ledger, and its result back.

        Args:
            request: what is asked.
            result: reads what comes back.
            wait_ms: how long the ledger itself may wait before it answers.
        """
        raise NotImplementedError

    def find_transaction(self, name: bytes) -> TransactionPlace | None:
        """Where a transaction stands; None while it is in no block."""
        return self.request(wire.FindTransaction(name), wire.MAYBE_PLACE)

    def query(self, path: str, arguments: bytes, *, prove: bool = False) -> Answer:
        """Ask by path with encoded arguments."""
        return self.request(wire.Query(path, arguments, prove), ANSWER)

    def status(self) -> Status:
        """Where the ledger stands."""
        return self.request(wire.AskStatus(), STATUS)

    def entry(self, height: int) -> Entry:
        """The block at a height and what it led to (`LedgerClient.entry`)."""
        return self.request(wire.AskEntry(height), ENTRY)

    def genesis(self) -> bytes:
        """The genesis document."""
        return self.request(wire.AskGenesis(), BYTES)
