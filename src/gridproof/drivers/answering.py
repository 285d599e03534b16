"""Answers the requests of the wire (`drivers.wire`) from a ledger, whichever driver runs it."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from gridproof.errors import GridproofError
from gridproof.primitives.encoding import encode
from gridproof.state import Answer, StoredEvent, TransactionPlace
from gridproof.state.refusals import pack_error

from . import wire
from .errors import NodeFaultError, WaitTimeoutError, WireError
from .history import Entry
from .logs import logger

MAX_EVENT_BYTES: Final = 16 * 2**20

_log = logger("node")


class Asked(Protocol):
    """What a ledger tells, of its last committed state. May be called from many threads."""

    def submit(self, raw: bytes) -> bytes:
        """Take a transaction in and return its hash."""

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Wait until a transaction stands in a block."""

    def query(self, path: str, arguments: bytes = b"", *, prove: bool = False) -> Answer:
        """Read the last committed state."""

    def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
        """The events after a place, oldest first."""

    def find_transaction(self, name: bytes) -> TransactionPlace | None:
        """Where a transaction stands; None while it is in no block."""

    def status(self) -> wire.Status:
        """Where the ledger stands."""

    def entry(self, height: int) -> Entry:
        """The block at a height and what it led to."""

    def genesis(self) -> bytes:
        """The genesis document."""


def answer(ledger: Asked, request: wire.Request) -> wire.Reply:
    """Answer a request.

    Args:
        ledger: asked.
        request: anything but a `Hello`.

    Raises:
        WireError: it is no request that a ledger answers.
    """
    handler = _HANDLERS.get(type(request))
    if handler is None:
        raise WireError(detail=f"{type(request).__name__} is no request")
    try:
        return wire.Done(encode(handler(ledger, request)))
    except GridproofError as error:
        return failed(error)
    except Exception:  # noqa: BLE001 - the edge of the process: who asked learns of it, the others go on
        _log.exception("request failed", request=type(request).__name__)
        return failed(NodeFaultError(request=type(request).__name__))


def failed(error: GridproofError) -> wire.Failed:
    """An error as a reply."""
    return wire.Failed(getattr(error, "code", 0), str(error), pack_error(error))


def _submit(ledger: Asked, request: wire.Submit) -> bytes:
    return ledger.submit(request.raw)


def _wait(ledger: Asked, request: wire.Wait) -> object:
    try:
        return ledger.wait(request.name, request.timeout_ms / 1_000)
    except WaitTimeoutError:
        return None


def _query(ledger: Asked, request: wire.Query) -> object:
    return ledger.query(request.path, request.arguments, prove=request.prove)


def _events_since(ledger: Asked, request: wire.EventsSince) -> list[StoredEvent]:
    events = ledger.events_since(request.cursor, request.limit, request.timeout_ms / 1_000)
    size = 0
    for taken, event in enumerate(events):
        size += len(event.body) + 64
        if size > MAX_EVENT_BYTES and taken:
            return events[:taken]  # the client goes on from the last one
    return events


def _find(ledger: Asked, request: wire.FindTransaction) -> object:
    return ledger.find_transaction(request.name)


def _status(ledger: Asked, _request: wire.AskStatus) -> object:
    return ledger.status()


def _entry(ledger: Asked, request: wire.AskEntry) -> Entry:
    return ledger.entry(request.height)


def _genesis(ledger: Asked, _request: wire.AskGenesis) -> bytes:
    return ledger.genesis()


_HANDLERS: Final[dict[type[Any], Callable[[Asked, Any], object]]] = {
    wire.Submit: _submit,
    wire.Wait: _wait,
    wire.Query: _query,
    wire.EventsSince: _events_since,
    wire.FindTransaction: _find,
    wire.AskStatus: _status,
    wire.AskEntry: _entry,
    wire.AskGenesis: _genesis,
}
