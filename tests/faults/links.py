"""The wires between nodes, which a test may cut: a proxy for each way from one node to another."""

import asyncio
import socket
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

READ_BYTES: Final = 2**16


class Way(NamedTuple):
    """From a node to another.

    Attributes:
        dialler: number of the node that dials.
        target: of the one that is dialled.
    """

    dialler: int
    target: int


class Place(NamedTuple):
    """Where a proxy listens, and where it leads."""

    host: str
    target: str
    port: int


class Links:
    """Carries the bytes of all ways until closed; runs in a thread of its own.

    Args:
        places: by way.
    """

    def __init__(self, places: Mapping[Way, Place]) -> None:
        self._cut: set[int] = set()
        self._carrying: dict[asyncio.Task[None], Way] = {}
        self._loop = asyncio.new_event_loop()
        self._listeners: list[socket.socket] = []
        self._thread = Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._thread.start()
        try:
            self._do(self._open(places))
        except BaseException:
            self.close()
            raise

    def cut(self, node: int) -> None:
        """Hang up all that a node talks over, and refuse what it or others dial."""
        self._do(self._set_cut(node, cut=True))

    def mend(self, node: int) -> None:
        """Let a node talk again."""
        self._do(self._set_cut(node, cut=False))

    def close(self) -> None:
        """Hang up everything."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _open(self, places: Mapping[Way, Place]) -> None:
        for way, place in places.items():
            listener = socket.create_server((place.host, place.port))
            self._listeners.append(listener)
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, way, place, listener)

    def _accept(self, way: Way, place: Place, listener: socket.socket) -> None:
        """Take in who dials. Not left to asyncio's server: what that takes in as it closes is never hung up."""
        try:
            link, _ = listener.accept()
        except OSError:  # it is gone already
            return
        if not self._cut.isdisjoint(way):
            link.close()
            return
        link.setblocking(False)
        task = self._loop.create_task(_carry(place, link))
        self._carrying[task] = way
        task.add_done_callback(self._carrying.pop)
        task.add_done_callback(lambda _: link.close())  # where it was cancelled before it began

    async def _set_cut(self, node: int, *, cut: bool) -> None:
        if not cut:
            self._cut.discard(node)
            return
        self._cut.add(node)
        hung_up = [task for task, way in self._carrying.items() if node in way]
        for task in hung_up:
            task.cancel()
        await asyncio.gather(*hung_up, return_exceptions=True)

    async def _close(self) -> None:
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        tasks = list(self._carrying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):  # what was closed and not waited for is gone after that
            await asyncio.sleep(0)


async def _carry(place: Place, link: socket.socket) -> None:
    writers: list[asyncio.StreamWriter] = []
    try:
        reader, writer = await asyncio.open_connection(sock=link)
        writers.append(writer)
        back, onward = await asyncio.open_connection(place.target, place.port)
        writers.append(onward)
        await _either(_pump(reader, onward), _pump(back, writer))
    except (OSError, asyncio.CancelledError):
        pass  # one side is away, or the way was cut
    finally:
        for each in writers:
            await _hang_up(each)


async def _either(*ways: Coroutine[Any, Any, None]) -> None:
    """Go on until one of two directions ends, then end the other."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while raw := await reader.read(READ_BYTES):
            writer.write(raw)
            await writer.drain()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()
