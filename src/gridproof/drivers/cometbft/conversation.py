"""One connection of the engine: what arrives is cut into requests, has its replies in order, and waits its turn.

Rules S-1 to S-3 of `server`. Nothing is awaited here: what arrives is worked off where it is read, or handed to a
lane's thread and gone on with once that is done. The engine sends envelopes one by one, each with a flush behind it, so
what a request costs beside its answer is what counts.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from gridproof.drivers.errors import WireError
from gridproof.drivers.limits import AT_ONCE
from gridproof.drivers.logs import logger
from gridproof.errors import GridproofError

from .frames import Frames, frame
from .wire import abci_pb2 as abci

ENVELOPES: Final = "envelopes"
BLOCKS: Final = "blocks"
LANES: Final = {  # all others: blocks
    "check_tx": ENVELOPES,
    "query": "queries",
    "list_snapshots": "snapshots",
    "load_snapshot_chunk": "snapshots",
}
FAREWELL_S: Final = 1.0  # for the last replies to be taken, once a connection ends

FLUSH: Final = abci.Request(flush=abci.RequestFlush())  # the one object that stands for all of them
FLUSHED: Final = frame(abci.Response(flush=abci.ResponseFlush()).SerializeToString())
_FLUSH_BYTES: Final = FLUSH.SerializeToString()

_log = logger("node")


class Host(Protocol):
    """Whom conversations belong to.

    Attributes:
        failure: after which nothing more is answered, or None.
    """

    failure: BaseException | None

    @property
    def lanes(self) -> Mapping[str, Executor]:
        """The threads that requests are worked off in, by their names."""

    def replies(self, requests: Sequence[abci.Request]) -> bytes:
        """The replies to requests in order, in their frames."""

    def opened(self, conversation: "Conversation") -> None:
        """A connection was made."""

    def closed(self, conversation: "Conversation") -> None:
        """It is gone."""


class Conversation(asyncio.Protocol):
    """Talks with the engine over one connection.

    Args:
        host: has the answers.
        loop: that it runs in.
    """

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._loop = loop
        self._frames = Frames()
        self._lane = BLOCKS
        self._waiting: deque[tuple[str, list[abci.Request]]] = deque()
        self._job: asyncio.Future[bytes] | None = None
        self._choked = False
        self._farewell: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a socket of this kind has
        self._transport = transport
        self._host.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take in what arrived; who speaks otherwise is cut off."""
        try:
            requests = [_read(message) for message in self._frames.feed(data)]
        except GridproofError as wrong:
            _log.warning("cut off", reason=str(wrong))
            self._hang_up()
            return
        self._waiting.extend(by_lane(requests, self._lane))
        if self._waiting:
            self._lane = self._waiting[-1][0]
        self._go_on()

    def pause_writing(self) -> None:
        """Replies back up (S-3)."""
        self._choked = True

    def resume_writing(self) -> None:
        """They are taken again."""
        self._choked = False
        self._go_on()

    def eof_received(self) -> None:
        """The engine says no more. As nothing is read while something waits, all was answered."""
        self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._farewell is not None:
            self._farewell.cancel()
        self._waiting.clear()
        self._host.closed(self)

    def abort(self) -> None:
        """End at once, and wait for nobody who takes no replies."""
        if self._job is not None:
            self._job.cancel()
        self._transport.abort()

    def _go_on(self) -> None:
        """Work off what waits, as far as it goes now; only then is more read."""
        while self._waiting and self._job is None and not self._choked and not self._transport.is_closing():
            lane, together = self._waiting.popleft()
            if lane != ENVELOPES:
                self._job = self._loop.run_in_executor(self._host.lanes[lane], self._host.replies, together)
                self._job.add_done_callback(self._done)
                break
            self._tell(self._host.replies(together))
            if self._waiting:
                self._loop.call_soon(self._go_on)  # after whatever else has arrived
                break
        if self._waiting or self._job is not None or self._choked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _done(self, job: "asyncio.Future[bytes]") -> None:
        self._job = None
        if not job.cancelled():
            self._tell(job.result())
            self._go_on()

    def _tell(self, replies: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(replies)
        if self._host.failure is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        """End; who does not take the last replies in a moment does not get them."""
        self._waiting.clear()
        self._transport.close()
        self._farewell = self._loop.call_later(FAREWELL_S, self._transport.abort)


def by_lane(requests: Iterable[abci.Request], lane: str) -> Iterator[tuple[str, list[abci.Request]]]:
    """Requests that follow each other and go to one thread; a flush goes with those before it.

    Args:
        requests: in order.
        lane: of the connection's last request before them.
    """
    together: list[abci.Request] = []
    for request in requests:
        wanted = lane if request is FLUSH else LANES.get(request.WhichOneof("value") or "", BLOCKS)
        if together and (wanted != lane or (lane == ENVELOPES and len(together) >= 2 * AT_ONCE)):
            yield lane, together
            together = []
        lane = wanted
        together.append(request)
    if together:
        yield lane, together


def _read(message: bytes) -> abci.Request:
    if message == _FLUSH_BYTES:
        return FLUSH
    try:
        return abci.Request.FromString(message)
    except DecodeError as wrong:
        raise WireError(detail=f"no request of the engine: {wrong}") from wrong
