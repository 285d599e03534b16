"""A node's RPC as far as the light client asks it, over a chain that was made here."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tests.light_chain import Network, tell


class EngineServer:
    """Answers for a network until the block around it ends.

    Args:
        network: the chain.
        twist: changes an answer before it is sent, where a node shall be wrong; gets the method and the answer.
    """

    def __init__(self, network: Network, twist: Callable[[str, Any], Any] = lambda _method, told: told) -> None:
        self.network, self.twist = network, twist
        server = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one request."""

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = server.answer(asked["method"], {name: int(each) for name, each in asked["params"].items()})
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, asked: dict[str, int]) -> bytes:
        """The answer to a request."""
        told = self.twist(method, self._told(method, asked))
        return told if isinstance(told, bytes) else json.dumps(told).encode()

    def _told(self, method: str, asked: dict[str, int]) -> Any:
        if method == "status":
            return {"result": {"sync_info": {"latest_block_height": str(self.network.latest_height())}}}
        height = asked["height"]
        if height > self.network.latest:
            return {"error": {"code": -32603, "message": f"height {height} must be less than {self.network.latest}"}}
        block = tell(self.network.light_block(height))
        if method == "commit":
            return {"result": {"signed_header": block["signed_header"], "canonical": True}}
        first = (asked["page"] - 1) * asked["per_page"]
        page = block["validators"][first : first + asked["per_page"]]
        return {"result": {"validators": page, "count": str(len(page)), "total": str(len(block["validators"]))}}
