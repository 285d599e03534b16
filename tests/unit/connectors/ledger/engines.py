"""A node's engine as a client sees it: its RPC over HTTP, before a ledger that is real. It can be told to fail."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Final

from msgspec import json

from gridproof.drivers import wire
from gridproof.drivers.answering import answer
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.errors import GridproofError, Refusal
from gridproof.state.refusals import pack_error

MEMPOOL_FULL: Final = 901
IN_CACHE: Final = "tx already exists in cache"


class EngineError(Exception):
    """What the engine itself refuses."""


class Engine:
    """An engine before a ledger.

    Attributes:
        ledger: answers; exchanged while the engine runs, it is another node that has been started at this address.
        chain_id: the engine's own word for the chain.
        first_height: of the first block that the engine says it has.
        is_catching_up: what it says of itself.
        swallow: takes transactions and lets none come further.
        cached: names of transactions that it says it has already.
        spoil: makes something else of an answer's bytes before they are sent; told the method.
        hang: set to let answers wait until it is cleared by the test's end.
        told: what it answers to other methods.
        asked: methods that were called, in order.
        url: where it is reached.
    """

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self.ledger = ledger
        self.chain_id = ledger.status().chain_id
        self.first_height = 1
        self.is_catching_up = False
        self.swallow = False
        self.cached: set[bytes] = set()
        self.spoil: Callable[[str, bytes], bytes | None] = lambda _method, raw: raw
        self.hang = Event()
        self.freed = Event()
        self.told: dict[str, object] = {}
        self.asked: list[str] = []
        self.url = ""

    def call(self, method: str, params: dict[str, Any]) -> object:
        self.asked.append(method)
        if method in self.told:
            return self.told[method]
        return {"status": self._status, "broadcast_tx_sync": self._broadcast, "abci_query": self._query}[method](params)

    def _status(self, _params: dict[str, Any]) -> object:
        sync = {"earliest_block_height": str(self.first_height), "catching_up": self.is_catching_up}
        return {"node_info": {"network": self.chain_id}, "sync_info": sync}

    def _broadcast(self, params: dict[str, Any]) -> object:
        raw = b64decode(params["tx"], validate=True)
        told = {"code": 0, "data": "", "log": "", "codespace": "", "hash": ""}
        if raw in self.cached:
            raise EngineError(IN_CACHE)
        if self.swallow:
            return told
        try:
            self.ledger.submit(raw)
        except Refusal as refusal:
            if refusal.code == MEMPOOL_FULL:
                limit = refusal.particulars["limit"]
                full = f"mempool is full: number of txs {limit} (max: {limit}), total txs bytes 1 (max: 9)"
                raise EngineError(full) from refusal
            return {**told, "code": refusal.code, "log": str(refusal), "data": pack_error(refusal).hex().upper()}
        except GridproofError as error:
            raise EngineError(str(error)) from error
        return told

    def _query(self, params: dict[str, Any]) -> object:
        assert params["path"] == "/gridproof/1"
        height = self.ledger.head.height
        reply = answer(self.ledger, wire.read_request(bytes.fromhex(params["data"])))
        value = b64encode(wire.REPLIES.encode(reply)).decode()
        return {"response": {"code": 0, "log": "", "height": str(height), "value": value, "proofOps": None}}


@contextmanager
def engine(ledger: EmbeddedLedger) -> Iterator[Engine]:
    """An engine that serves until the test is over."""
    made = Engine(ledger)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.decode(self.rfile.read(int(self.headers["Content-Length"])))
            told: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
            try:
                told["result"] = made.call(request["method"], request["params"])
            except EngineError as wrong:
                told["error"] = {"code": -32603, "message": "Internal error", "data": str(wrong)}
            raw = made.spoil(request["method"], json.encode(told))
            if made.hang.is_set():
                made.freed.wait(10)
            if raw is None:
                self.close_connection = True
                return
            status = re.match(rb"HTTP (\d{3}) ", raw)
            self.send_response(int(status[1]) if status else 200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_args: object) -> None:
            """A client that gave up is nothing to speak of."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.freed.set()
        server.shutdown()
        server.server_close()
        thread.join()
