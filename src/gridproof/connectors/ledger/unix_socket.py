"""The twin for programs that reach a running node through its Unix socket.

Connections are kept and given to one request at a time, so that a thread that waits holds up no other. A request that
finds its connection gone is sent once more over a new one: every request may be repeated without counting twice.
"""

import socket
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final, TypeVar

from gridproof.drivers import wire
from gridproof.drivers.errors import WaitTimeoutError, WireError
from gridproof.primitives.encoding import Codec
from gridproof.state import StoredEvent, TransactionPlace

from .errors import NodeSilentError, NodeSpeaksOtherwiseError, NodeUnreachableError
from .requests import BYTES, Requesting, result_in

T = TypeVar("T")
ANSWER_S: Final = 30.0
KEPT_LINKS: Final = 8


class SocketClient(Requesting):
    """A way to a node in another process. Nothing is connected before the first request.

    Args:
        path: of the node's socket.
        answer_s: how long the node may take to answer, beyond what a request itself waits.
    """

    def __init__(self, path: str | Path, answer_s: float = ANSWER_S) -> None:
        self.path = str(path)
        self._answer_s = answer_s
        self._guard = Lock()
        self._links: list[socket.socket] = []

    # --- the port --------------------------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Hand in a transaction (`LedgerClient.submit`)."""
        return self.request(wire.Submit(raw), BYTES)

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Wait until a transaction stands in a block (`LedgerClient.wait`).

        Raises:
            WaitTimeoutError: it still waits.
        """
        deadline = monotonic() + timeout_s
        while True:
            left_ms = max(0, round((deadline - monotonic()) * 1_000))
            share_ms = min(left_ms, wire.MAX_WAIT_MS)
            place = self.request(wire.Wait(name, share_ms), wire.MAYBE_PLACE, share_ms)
            if place is not None:
                return place
            if share_ms == left_ms:
                raise WaitTimeoutError(name=name, timeout_ms=round(timeout_s * 1_000))

    def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
        """The events after a place (`LedgerClient.events_since`)."""
        wait_ms = min(round(wait_s * 1_000), wire.MAX_WAIT_MS)
        request = wire.EventsSince(cursor, min(limit, wire.MAX_EVENTS), wait_ms)
        events = self.request(request, wire.EVENTS, wait_ms)
        return list(events)

    def close(self) -> None:
        """Hang up; the node stays."""
        with self._guard:
            links, self._links = self._links, []
        for link in links:
            link.close()

    # --- connections -----------------------------------------------------------------------------------------------

    def request(self, request: wire.Request, result: Codec[T], wait_ms: int = 0) -> T:
        """Carry a request to the node (`Requesting.request`).

        Raises:
            NodeUnreachableError, NodeSilentError, NodeSpeaksOtherwiseError: no answer came.
        """
        reply = self._exchange(wire.REQUESTS.encode(request), self._answer_s + wait_ms / 1_000)
        return result_in(reply, result, self._otherwise)

    def _exchange(self, raw: bytes, answer_s: float) -> wire.Reply:
        with self._guard:
            kept = self._links.pop() if self._links else None
        if kept is not None:
            try:
                return self._converse(kept, raw, answer_s)
            except (ConnectionError, _HungUp):
                pass  # the node was started anew since: try over a fresh connection
        try:
            return self._converse(self._connect(), raw, answer_s)
        except (ConnectionError, _HungUp) as gone:
            raise NodeUnreachableError(socket=self.path, detail="the node hung up") from gone

    def _converse(self, link: socket.socket, raw: bytes, answer_s: float) -> wire.Reply:
        """Send a request and take its reply; the connection is kept only if both went well."""
        try:
            link.settimeout(answer_s)
            wire.send_frame(link, raw)
            reply = self._receive(link, answer_s)
        except TimeoutError as late:
            link.close()
            raise NodeSilentError(socket=self.path, waited_ms=round(answer_s * 1_000)) from late
        except WireError as wrong:
            link.close()
            raise self._otherwise(wrong.detail) from wrong
        except BaseException:
            link.close()
            raise
        with self._guard:
            if len(self._links) < KEPT_LINKS:
                self._links.append(link)
                return reply
        link.close()
        return reply

    def _receive(self, link: socket.socket, answer_s: float) -> wire.Reply:
        raw = wire.receive_frame(link, wire.MAX_ANSWER_BYTES, first_s=answer_s, rest_s=self._answer_s)
        if raw is None:
            raise _HungUp
        return wire.read_reply(raw)

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(self._answer_s)
        try:
            link.connect(self.path)
            wire.send_frame(link, wire.REQUESTS.encode(wire.Hello(wire.PROTOCOL, wire.VERSION)))
            welcome = self._receive(link, self._answer_s)
        except TimeoutError as late:
            link.close()
            raise NodeSilentError(socket=self.path, waited_ms=round(self._answer_s * 1_000)) from late
        except WireError as wrong:
            link.close()
            raise self._otherwise(wrong.detail) from wrong
        except _HungUp as gone:
            link.close()
            raise NodeUnreachableError(socket=self.path, detail="the node hung up at once") from gone
        except OSError as wrong:
            link.close()
            raise NodeUnreachableError(socket=self.path, detail=wrong.strerror or str(wrong)) from wrong
        if isinstance(welcome, wire.Failed):
            link.close()
            raise self._otherwise(welcome.text)
        if not isinstance(welcome, wire.Welcome) or welcome.version != wire.VERSION:
            link.close()
            raise self._otherwise("it does not greet as a node does")
        return link

    def _otherwise(self, detail: str) -> NodeSpeaksOtherwiseError:
        return NodeSpeaksOtherwiseError(socket=self.path, detail=detail)


class _HungUp(Exception):
    """The node closed the connection between frames."""
