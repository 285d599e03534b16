"""The wires between nodes, which a test may cut: a proxy for each way from one node to another."""

import asyncio
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
        self._servers: list[asyncio.Server] = []
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
            self._servers.append(await self._listen(way, place))

    async def _listen(self, way: Way, place: Place) -> asyncio.Server:
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._carry(way, place, reader, writer)

        return await asyncio.start_server(carry, place.host, place.port)

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
        for server in self._servers:
            server.close()
        tasks = list(self._carrying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, way: Way, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying[task] = way
        onward: asyncio.StreamWriter | None = None
        try:
            if not self._cut.isdisjoint(way):
                return
            back, onward = await asyncio.open_connection(place.target, place.port)
            await _either(_pump(reader, onward), _pump(back, writer))
        except (OSError, asyncio.CancelledError):
            pass  # one side is away, or the way was cut
        finally:
            del self._carrying[task]
            for each in (writer, onward):
                if each is not None:
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
