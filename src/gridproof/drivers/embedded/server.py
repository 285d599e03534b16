"""The node: serves a ledger to other processes of the same user over a Unix socket.

One thread for each connection, so that who waits, or reads slowly, or sends half a frame holds up nobody else. Limits:
- the socket's mode is 0600; a file of a dead node is replaced, one that somebody answers behind is not;
- a connection beyond the limit is told so and closed;
- a frame once begun must be whole within ten seconds, an answer must be taken within ten seconds;
- whoever sends what is no frame of the protocol is told so and cut off.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Final, Self

from gridproof.drivers import wire
from gridproof.drivers.answering import answer, failed
from gridproof.drivers.errors import DriverError, SocketInUseError, SocketPathError, WireError
from gridproof.drivers.logs import logger

from .ledger import EmbeddedLedger

MAX_CONNECTIONS: Final = 128
IDLE_S: Final = 3_600.0
FRAME_S: Final = 10.0
LOOK_S: Final = 0.2

_log = logger("node")


class Node:
    """A ledger and the socket it is served at.

    Args:
        ledger: stays open when the node is closed.
        path: of the socket.
        max_connections: at once.
        idle_s: a connection that says nothing for so long is closed.
        frame_s: how long a frame may take, either way.

    Raises:
        SocketInUseError: another node answers there.
        SocketPathError: no socket can be opened there.
    """

    def __init__(
        self,
        ledger: EmbeddedLedger,
        path: str | Path,
        *,
        max_connections: int = MAX_CONNECTIONS,
        idle_s: float = IDLE_S,
        frame_s: float = FRAME_S,
    ) -> None:
        self.ledger = ledger
        self.path = str(path)
        self._max_connections = max_connections
        self._idle_s = idle_s
        self._frame_s = frame_s
        self._closing = Event()
        self._guard = Lock()
        self._links: dict[socket.socket, Thread] = {}
        self._listener = _listen(self.path)
        self._acceptor = Thread(target=self._accept, name="accept", daemon=True)
        self._acceptor.start()
        _log.info("serving", socket=self.path)

    def run(self, interval_s: float, stop: Event | None = None) -> None:
        """Make blocks on a schedule and serve until told to stop.

        Args:
            interval_s: the least time between blocks.
            stop: set by whoever ends it, such as a signal's handler.

        Raises:
            LedgerStoppedError: the ledger stopped by itself.
        """
        stop = stop or Event()
        self.ledger.start(interval_s)
        try:
            while not stop.wait(LOOK_S):
                self.ledger.require_running()
        finally:
            self.ledger.stop()

    def close(self) -> None:
        """Hang up on everyone and remove the socket."""
        if self._closing.is_set():
            return
        self._closing.set()
        Path(self.path).unlink(missing_ok=True)
        _hang_up(self._listener)
        self._acceptor.join()
        with self._guard:
            links = dict(self._links)
        for link in links:
            _hang_up(link)
        for thread in links.values():
            thread.join(LOOK_S)  # whoever still waits for a transaction ends with the ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- connections -----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                link, _ = self._listener.accept()
            except OSError:
                if self._closing.wait(LOOK_S):  # closed; or out of file descriptors, which others may give back
                    return
                continue
            with self._guard:
                crowded = len(self._links) >= self._max_connections
                if not crowded:
                    thread = Thread(target=self._serve, args=(link,), name="client", daemon=True)
                    self._links[link] = thread
            if crowded:
                self._turn_away(link)
            else:
                thread.start()

    def _turn_away(self, link: socket.socket) -> None:
        link.settimeout(LOOK_S)
        with suppress(OSError):
            wire.send_frame(link, wire.REPLIES.encode(failed(WireError(detail="the node has too many connections"))))
        _hang_up(link)

    def _serve(self, link: socket.socket) -> None:
        try:
            self._greet(link)
            while (raw := self._receive(link)) is not None:
                self._send(link, answer(self.ledger, wire.read_request(raw)))
        except WireError as wrong:
            _log.info("cut off", reason=wrong.detail)
            self._say_last(link, failed(wrong))
        except OSError:
            pass  # the client went away, or was too slow
        finally:
            with self._guard:
                self._links.pop(link, None)
            _hang_up(link)

    def _greet(self, link: socket.socket) -> None:
        raw = wire.receive_frame(link, 1_024, first_s=self._frame_s, rest_s=self._frame_s)
        hello = None if raw is None else wire.read_request(raw)
        if not isinstance(hello, wire.Hello) or hello.protocol != wire.PROTOCOL:
            raise WireError(detail=f"the first frame is no Hello of {wire.PROTOCOL}")
        if hello.version != wire.VERSION:
            raise WireError(detail=f"this node speaks version {wire.VERSION}, not {hello.version}")
        self._send(link, wire.Welcome(wire.VERSION, self.ledger.application.chain_id))

    def _receive(self, link: socket.socket) -> bytes | None:
        return wire.receive_frame(link, wire.MAX_REQUEST_BYTES, first_s=self._idle_s, rest_s=self._frame_s)

    def _send(self, link: socket.socket, reply: wire.Reply) -> None:
        link.settimeout(self._frame_s)
        wire.send_frame(link, wire.REPLIES.encode(reply))

    def _say_last(self, link: socket.socket, reply: wire.Reply) -> None:
        with suppress(OSError):
            self._send(link, reply)


def _hang_up(link: socket.socket) -> None:
    with suppress(OSError):  # it may be gone already
        link.shutdown(socket.SHUT_RDWR)
    link.close()


def _listen(path: str) -> socket.socket:
    """Open the socket for this user alone.

    Raises:
        SocketInUseError: another node answers there.
        SocketPathError: no socket can be opened there.
    """
    _require_silence(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # the file is private from its first moment
    try:
        listener.bind(path)
        listener.listen(MAX_CONNECTIONS)
    except OSError as wrong:
        listener.close()
        raise SocketPathError(socket=path, detail=wrong.strerror or str(wrong)) from wrong
    finally:
        os.umask(mask)
    return listener


def _require_silence(path: str) -> None:
    """Remove what a dead node left; leave anything else alone.

    Raises:
        SocketInUseError: another node answers there.
        SocketPathError: something else lies there.
    """
    place = Path(path)
    try:
        if not place.exists():
            return
        if not place.is_socket():
            raise SocketPathError(socket=path, detail="a file that is no socket lies there")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(FRAME_S)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                place.unlink()
                return
        raise SocketInUseError(socket=path)
    except DriverError:
        raise
    except OSError as wrong:
        raise SocketPathError(socket=path, detail=wrong.strerror or str(wrong)) from wrong
