"""Nodes in folders for the tests of nodes, and programs that stand in for their engine and their ledger."""

import json
import os
import socket
import stat
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec.structs import replace

from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.founding import Birth, make_node
from gridproof.actors.node.settings import EngineSection, NodeSection, NodeSettings, WatchSection
from gridproof.drivers.cometbft.engine import VERSION, EngineKey, genesis_file
from gridproof.drivers.cometbft.frames import frame
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.state import Validator

from tests.tiny.app import GENESIS_TIME_S, tiny_genesis

SIGNER = EngineKey(bytes(range(32)))
NODE_KEY = EngineKey(bytes(range(1, 33)))
COMPANY_KEYS = b"the company's own secret keys"
PATIENCE_S = 120.0  # far above what anything here takes, for a machine that is busy
PEER = "ab" * 20 + "@127.0.0.9:26656"


def free_address() -> str:
    """An address that nobody has: on a host of its own, for connections of this machine take ports of 127.0.0.1."""
    net, part = os.urandom(2)
    host = f"127.{1 + net % 250}.{part}.1"
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def settings(rpc: str = "", program: str = "", **changes: Any) -> NodeSettings:
    """A node's settings, its addresses free ones."""
    p2p = free_address()
    made = NodeSettings(
        node=NodeSection(name="Alpha Energy", chain_id="tiny-1"),
        engine=EngineSection(rpc=rpc or free_address(), p2p=p2p, external=p2p, program=program),
        watch=WatchSection(application_s=60, stall_s=5),
    )
    return replace(made, **changes)


def birth(of: NodeSettings | None = None, keys: bytes | None = COMPANY_KEYS) -> Birth:
    """What a node is made from."""
    genesis = tiny_genesis()
    engine = genesis_file("tiny-1", genesis, GENESIS_TIME_S, [("Alpha Energy", Validator(1, SIGNER.public, 10))])
    return Birth(of or settings(), SIGNER, NODE_KEY, genesis, engine, keys)


def node_in(root: Path, of: NodeSettings | None = None) -> NodeFolder:
    """A node's folder."""
    return make_node(root, birth(of))


def mode(path: Path) -> int:
    """The rights of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def program(path: Path, body: str, *, version: str = VERSION) -> Path:
    """A program in the place of the engine's: tells its version, and does what `body`, in Python, says."""
    path.write_text(
        f"#!{sys.executable} -IS\n"
        "import sys, time, signal, os, json\n"
        f"if sys.argv[1] == 'version': print({version!r}); sys.exit()\n"
        "assert sys.argv[1:3] == ['node', '--home'], sys.argv\n"
        "def say(**told): print(json.dumps(told), flush=True)\n"
        f"{body}\n"
    )
    path.chmod(0o700)
    return path


def ledger(path: Path, body: str) -> tuple[str, ...]:
    """A command in the place of `node serve`, for the node in the folder `node` beside it; does what `body` says.

    It is plain Python, which starts quickly: `serve()` answers whatever comes as an echo, in a thread.
    """
    folder = NodeFolder(path.parent / "node")
    echo = frame(abci.Response(echo=abci.ResponseEcho(message="?")).SerializeToString())
    path.write_text(
        "import sys, time, signal, os, json, socket, threading\n"
        f"assert sys.argv[1:] == [{str(folder.root)!r}], sys.argv\n"
        "def stopped(sentence, lasts):\n"
        f"    open({str(folder.stopped)!r}, 'w').write(json.dumps(dict(error='X', sentence=sentence, lasts=lasts)))\n"
        "def serve(answered=lambda number: None):\n"
        f"    place = {str(folder.socket)!r}\n"
        "    if os.path.exists(place): os.unlink(place)\n"
        "    listener = socket.socket(socket.AF_UNIX)\n"
        "    listener.bind(place)\n"
        "    listener.listen()\n"
        "    def run():\n"
        "        number = 0\n"
        "        while True:\n"
        "            link = listener.accept()[0]\n"
        "            link.recv(100)\n"
        "            number += 1\n"
        "            answered(number)\n"
        "            try: link.sendall(" + repr(echo) + ")\n"
        "            except OSError: pass  # on a busy machine who asked has given up, and asks again\n"
        "            link.close()\n"
        "    threading.Thread(target=run, daemon=True).start()\n"
        f"{body}\n"
    )
    return (sys.executable, "-IS", str(path))


def until(happened: Callable[[], object]) -> None:
    """Wait for something that comes by itself."""
    deadline = monotonic() + PATIENCE_S
    while not happened():
        assert monotonic() < deadline, "it did not happen"
        sleep(0.02)


def is_there(process: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Rpc:
    """An engine's RPC as it is asked by GET.

    Attributes:
        told: the result of each method, or what is sent as it is where it is bytes.
        date: of the answers' headers, where it is not the machine's.
        asked: methods, in order.
    """

    def __init__(self) -> None:
        self.told: dict[str, Any] = {"health": {}}
        self.date: str | None = None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    @property
    def address(self) -> str:
        """`host:port`."""
        return self.url.removeprefix("http://")

    def status(self, height: int, **more: Any) -> None:
        """Tell a height, and that all is well."""
        self.told["status"] = {
            "node_info": {"network": "tiny-1", "id": "cd" * 20, "listen_addr": "tcp://127.0.0.8:26656",
                          "other": {"rpc_address": f"tcp://{self.address}"}},
            "sync_info": {"latest_block_height": str(height), "earliest_block_height": "1", "catching_up": False,
                          "latest_app_hash": "AB" * 32, "latest_block_time": "2026-01-01T00:00:00Z"} | more,
            "validator_info": {"voting_power": "10"},
        }  # fmt: skip
        self.told["net_info"] = {"n_peers": "0", "peers": []}
        self.told["num_unconfirmed_txs"] = {"n_txs": "0"}
        self.validators()

    def validators(self, own: int = 10, *others: int) -> None:
        """Tell a set of validators: this node's power, 0 where it has none, and the others'; three by default."""
        others = others or (10, 10, 10)
        keys = [SIGNER, *(EngineKey(bytes([200 + at]) * 32) for at in range(len(others)))]
        told = [
            {"address": key.address.hex().upper(), "voting_power": str(power),
             "pub_key": {"type": "tendermint/PubKeyEd25519", "value": b64encode(key.public).decode()}}
            for key, power in zip(keys, (own, *others), strict=True) if power
        ]  # fmt: skip
        self.told["validators"] = {"validators": told, "total": str(len(told))}


@contextmanager
def rpc() -> Iterator[Rpc]:
    """An RPC that answers until the test is over."""
    made = Rpc()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            method = parts.path.strip("/")
            made.asked.append((method, dict(parse_qsl(parts.query))))
            told = made.told.get(method)
            error = {"error": {"code": -32601, "message": "no such method"}}
            raw = told if isinstance(told, bytes) else json.dumps(error if told is None else {"result": told}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.path = "/" + asked["method"]
            self.do_GET()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(timestamp) if made.date is None else made.date

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    made.status(1)
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
