"""Servers that are no Kubo node, or a dishonest one, on ports of the kernel's choice."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

VERSION = {"Version": "0.43.0"}
Answer = tuple[int, bytes]


def told(status: int, *objects: object) -> Answer:
    """An answer of JSON objects, a line each."""
    return status, b"".join(json.dumps(each).encode() + b"\n" for each in objects)


def failed(words: str) -> Answer:
    """How Kubo says that it could not."""
    return told(500, {"Message": words, "Code": 0, "Type": "error"})


@contextmanager
def answering(answer: Callable[[str, list[str]], Answer]) -> Iterator[str]:
    """An HTTP server that gives a function's answers, by command and arguments; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            parts = urlsplit(self.path)
            status, raw = answer(parts.path.removeprefix("/api/v0/"), parse_qs(parts.query).get("arg", []))
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(raw)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def talking(words: bytes, then: str = "hang up") -> Iterator[str]:
    """A server that says the same words to everyone, whatever is asked, and then hangs up, is silent or trickles."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = Event()

    def serve() -> None:
        held = []
        while not over.is_set():
            link, _ = listener.accept()
            held.append(link)
            if over.is_set():
                break
            with suppress(OSError):  # who asked may have given up
                link.recv(2**16)
                link.sendall(words)
            while then == "trickle" and not over.wait(0.02):
                try:
                    link.sendall(b"x")
                except OSError:
                    break
            if then == "hang up":
                link.close()
        for link in held:
            link.close()

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        socket.create_connection(listener.getsockname(), 5).close()
        thread.join()
        listener.close()


@contextmanager
def refusing() -> Iterator[str]:
    """An address that is taken, so nobody else's, and where nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
