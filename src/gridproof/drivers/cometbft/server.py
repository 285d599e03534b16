"""The socket that the engine talks to: four connections at once, each answered in order.

Rules:
    S-1 Each request gets one reply, in order. What arrived together is worked off together and written out at once. A
        flush asks for nothing but its reply.
    S-2 Blocks run in one thread, and so does the taking in of a snapshot. Queries run in another, and the giving out of
        snapshots, which are files, in a third: no block waits for a node that joins. Envelopes are tested where they
        are read, a few milliseconds' worth at once: to hand each over to a thread would cost about as much as the test.
    S-3 A connection whose replies are not taken is not read from; nor is one while requests of it wait.
    S-4 After a failure the reply is an exception, and the server ends: the engine must not go on.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from gridproof.drivers.errors import SocketPathError
from gridproof.drivers.logs import logger
from gridproof.errors import GridproofError

from .conversation import BLOCKS, FLUSH, FLUSHED, LANES, Conversation
from .errors import NodeFailedError
from .frames import frame
from .wire import abci_pb2 as abci

ROUNDS_TO_OPEN: Final = 5  # of the loop, after which a connection that was just let in is a conversation

_log = logger("node")

Answerer = Callable[[Sequence[abci.Request]], Iterable[abci.Response]]


class Server:
    """Serves an Application to its engine until closed; runs in threads of its own.

    Args:
        answer: answers requests that came together, in order, flushes left out; called from several threads, but for
            blocks from one only. What it raises belongs to the first request that it has not answered.
        path: of the socket, which is this user's alone.

    Attributes:
        ended: set once it serves no more.
        failure: what ended it, or None.
        lanes: the threads that requests are worked off in, by their names.

    Raises:
        SocketPathError: no socket can be opened there.
    """

    def __init__(self, answer: Answerer, path: str | Path) -> None:
        self.path = str(path)
        self.ended = Event()
        self.failure: BaseException | None = None
        self.lanes: dict[str, Executor] = {
            name: ThreadPoolExecutor(1, thread_name_prefix=name) for name in {*LANES.values(), BLOCKS}
        }
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._conversations: set[Conversation] = set()
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
            return await self._loop.create_unix_server(lambda: Conversation(self, self._loop), self.path)
        except OSError as wrong:
            raise SocketPathError(socket=self.path, detail=wrong.strerror or str(wrong)) from wrong
        finally:
            os.umask(mask)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._until_over())
        finally:
            for lane in self.lanes.values():
                lane.shutdown()
            self._loop.close()
            Path(self.path).unlink(missing_ok=True)
            self.ended.set()

    async def _until_over(self) -> None:
        await self._over.wait()
        for listening in self._listener.sockets:  # closed at once, it would forget whom it is just letting in
            self._loop.remove_reader(listening.fileno())
        for _ in range(ROUNDS_TO_OPEN):
            await asyncio.sleep(0)
        self._listener.close()
        for conversation in self._conversations:
            conversation.abort()
        while self._conversations:
            await asyncio.sleep(0)  # until each was told that its connection is gone

    # --- what conversations ask of it ------------------------------------------------------------------------------

    def opened(self, conversation: Conversation) -> None:
        """A connection was made."""
        self._conversations.add(conversation)

    def closed(self, conversation: Conversation) -> None:
        """It is gone; after a failure all go, once the engine had time to hear of it (S-4)."""
        self._conversations.discard(conversation)
        if self.failure is not None:
            self._over.set()

    def replies(self, requests: Sequence[abci.Request]) -> bytes:
        """The replies to requests in order, in their frames; fewer where one fails, and an exception at its end (S-4).

        Args:
            requests: in order.
        """
        return b"".join(self._framed(requests))

    def _framed(self, requests: Sequence[abci.Request]) -> Iterator[bytes]:
        responses = iter(self._answer([request for request in requests if request is not FLUSH]))
        for request in requests:
            if self.failure is not None:
                return
            yield FLUSHED if request is FLUSH else frame(self._next(request, responses).SerializeToString())

    def _next(self, request: abci.Request, responses: Iterator[abci.Response]) -> abci.Response:
        try:
            return next(responses)
        except Exception as failure:  # noqa: BLE001 - the edge of the process: the engine must learn of it (S-4)
            self._fail(request, failure)
            return abci.Response(exception=abci.ResponseException(error=str(self.failure)))

    def _fail(self, request: abci.Request, failure: Exception) -> None:
        kind = request.WhichOneof("value") or "nothing"
        if isinstance(failure, GridproofError):
            self.failure = failure
            _log.error("stopped", request=kind, reason=str(failure))
        else:
            self.failure = NodeFailedError(request=kind, detail=f"{type(failure).__name__}: {failure}")
            self.failure.__cause__ = failure
            _log.error("stopped", request=kind, exc_info=failure)
