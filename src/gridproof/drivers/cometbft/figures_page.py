"""The page that Prometheus fetches: a node's figures over HTTP, on an address of its own.

It asks for no password and tells no secret; whoever reaches the address may read it, so it belongs on a network that
only the company's own machines are on.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from gridproof.drivers.logs import logger

from .errors import FiguresAddressError

PATIENCE_S: Final = 10.0  # whoever says nothing for so long is hung up on
_LOOK_S: Final = 0.1

_log = logger("node")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """As the base's, which would ask the name service how this machine is called, and wait for it."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody hung up, or was hung up on."""


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Nothing: being asked is no event."""


@contextmanager
def figures_page(registry: CollectorRegistry, address: str) -> Iterator[str]:
    """Serve figures as long as the context lasts.

    Args:
        registry: has the figures.
        address: `host:port`; port 0 takes a free one.

    Returns:
        The page's address, for a browser.

    Raises:
        FiguresAddressError: nothing can be served there.
    """
    host, _, port = address.rpartition(":")
    try:
        server = _Server(host.strip("[]"), int(port))
    except (OSError, ValueError, OverflowError) as wrong:
        detail = getattr(wrong, "strerror", None) or str(wrong)
        raise FiguresAddressError(address=address, detail=detail) from wrong
    server.set_app(make_wsgi_app(registry))
    thread = Thread(target=server.serve_forever, args=(_LOOK_S,), name="figures", daemon=True)
    thread.start()
    try:
        place = f"http://{host}:{server.server_port}/metrics"
        _log.info("figures", page=place)
        yield place
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
