"""The socket that the engine talks to: four connections at once, each answered in order.

Rules:
    S-1 Each request gets one reply, in order. What arrived together is worked off together and written out at once.
    S-2 Blocks run in one thread, and so does the taking in of a snapshot. Queries run in another, and the giving out of
        snapshots, which are files, in a third: no block waits for a node that joins. Envelopes are tested where they
        are read, a few milliseconds' worth at once: to hand each over to a thread would cost about as much as the test.
    S-3 A connection whose replies are not taken is not read from.
    S-4 After a failure the reply is an exception, and the server ends: the engine must not go on.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from google.protobuf.message import DecodeError

from gridproof.drivers.errors import SocketPathError, WireError
from gridproof.drivers.logs import logger
from gridproof.errors import GridproofError

from .errors import NodeFailedError
from .frames import Frames, frame
from .wire import abci_pb2 as abci

READ_BYTES: Final = 2**20
ENVELOPES: Final = "envelopes"
LANES: Final = {  # all others: blocks
    "check_tx": ENVELOPES,
    "query": "queries",
    "list_snapshots": "snapshots",
    "load_snapshot_chunk": "snapshots",
}
FAREWELL_S: Final = 1.0  # for the last replies to be taken, once a connection ends

_log = logger("node")

Answerer = Callable[[Sequence[abci.Request]], Iterable[abci.Response]]


class Server:
    """Serves an Application to its engine until closed; runs in threads of its own.

    Args:
        answer: answers requests that came together, in order; called from several threads, but for blocks from one
            only. What it raises belongs to the first request that it has not answered.
        path: of the socket, which is this user's alone.

    Attributes:
        ended: set once it serves no more.
        failure: what ended it, or None.

    Raises:
        SocketPathError: no socket can be opened there.
    """

    def __init__(self, answer: Answerer, path: str | Path) -> None:
        self.path = str(path)
        self.ended = Event()
        self.failure: BaseException | None = None
        self._answer = answer
        self._lanes = {name: ThreadPoolExecutor(1, thread_name_prefix=name) for name in {*LANES.values(), "blocks"}}
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        try:
            self._listener = self._loop.run_until_complete(self._listen())
        except SocketPathError:
            self._loop.close()
            raise
        self._thread = Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up and end."""
        with suppress(RuntimeError):  # it ended by itself
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the loop --------------------------------------------------------------------------------------------------

    async def _listen(self) -> asyncio.Server:
        place = Path(self.path)
        mask = os.umask(0o177)  # the file is private from its first moment
        try:
            if place.is_socket():
                place.unlink()
            return await asyncio.start_unix_server(self._serve, self.path, limit=READ_BYTES)
        except OSError as wrong:
            raise SocketPathError(socket=self.path, detail=wrong.strerror or str(wrong)) from wrong
        finally:
            os.umask(mask)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._until_over())
        finally:
            for lane in self._lanes.values():
                lane.shutdown()
            self._loop.close()
            Path(self.path).unlink(missing_ok=True)
            self.ended.set()

    async def _until_over(self) -> None:
        await self._over.wait()
        self._listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a stream's handler runs in a task
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except ConnectionError:
            pass  # the engine went away
        except asyncio.CancelledError:
            writer.transport.abort()  # this server ends, and waits for nobody who takes no replies
        except GridproofError as wrong:
            _log.warning("cut off", reason=str(wrong))
        finally:
            await _hang_up_on(writer)
            self._connections.discard(task)
            if self.failure is not None:
                self._over.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames, lane = Frames(), ""
        while raw := await reader.read(READ_BYTES):
            requests = [_read(message) for message in frames.feed(raw)]
            for lane, together in _by_lane(requests, lane):  # noqa: B020 - a flush goes where the last request went
                replies = await self._work_off(lane, together)
                writer.write(replies)
                if self.failure is not None:
                    return
                await writer.drain()  # S-3

    async def _work_off(self, lane: str, requests: list[abci.Request]) -> bytes:
        """Answer requests of one lane (S-2)."""
        if lane == ENVELOPES:
            return b"".join(self._replies(requests))
        return await self._loop.run_in_executor(self._lanes[lane], lambda: b"".join(self._replies(requests)))

    def _replies(self, requests: list[abci.Request]) -> Iterator[bytes]:
        responses, answered = iter(self._answer(requests)), 0
        while self.failure is None:
            try:
                response = next(responses, None)
            except Exception as failure:  # noqa: BLE001 - the edge of the process: the engine must learn of it (S-4)
                self._fail(requests[answered], failure)
                response = abci.Response(exception=abci.ResponseException(error=str(self.failure)))
            if response is None:
                return
            answered += 1
            yield frame(response.SerializeToString())

    def _fail(self, request: abci.Request, failure: Exception) -> None:
        kind = request.WhichOneof("value") or "nothing"
        if isinstance(failure, GridproofError):
            self.failure = failure
            _log.error("stopped", request=kind, reason=str(failure))
        else:
            self.failure = NodeFailedError(request=kind, detail=f"{type(failure).__name__}: {failure}")
            self.failure.__cause__ = failure
            _log.error("stopped", request=kind, exc_info=failure)


def _read(message: bytes) -> abci.Request:
    try:
        return abci.Request.FromString(message)
    except DecodeError as wrong:
        raise WireError(detail=f"no request of the engine: {wrong}") from wrong


async def _hang_up_on(writer: asyncio.StreamWriter) -> None:
    """End a connection; who does not take the last replies in a moment does not get them."""
    writer.close()
    with suppress(OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(FAREWELL_S):
            await writer.wait_closed()
    writer.transport.abort()


def _by_lane(requests: Iterable[abci.Request], lane: str) -> Iterator[tuple[str, list[abci.Request]]]:
    """Requests that follow each other and go to one thread; a flush goes with those before it.

    Args:
        requests: in order.
        lane: of the connection's last request before them, or nothing.
    """
    together: list[abci.Request] = []
    for request in requests:
        kind = request.WhichOneof("value") or ""
        wanted = lane or "blocks" if kind == "flush" else LANES.get(kind, "blocks")
        if together and wanted != lane:
            yield lane, together
            together = []
        lane = wanted
        together.append(request)
    if together:
        yield lane, together
