"""Networks of four validators on this machine: gridproof's, and the engine's own key-value application as a peer.

All have the same engine, settings and loader; only the application behind the engine differs.
"""

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, Final

from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.founding import Birth, make_node
from gridproof.actors.node.network import NodeKeys, Shape, draw_keys, free_subnet, loopback_seats
from gridproof.actors.node.running import await_nodes, start_node
from gridproof.actors.node.settings import EngineSection, KeepSection, NodeSection, NodeSettings
from gridproof.actors.node.supervisor import tied
from gridproof.actors.randomness import system
from gridproof.drivers.cometbft.engine import EngineSettings, config_file, genesis_file
from gridproof.state import Validator

from tools.engines import cometbft

VALIDATORS: Final = 4
COMMIT_MS: Final = 200
P2P, RPC = 26_656, 26_657
CONNECTIONS: Final = 12  # to each node
AT_ONCE: Final = 50  # transactions in one request
PATIENCE_S: Final = 300.0
LOOK_S: Final = 0.02
GENESIS_S: Final = 1_700_000_000

Document = Callable[[dict[str, NodeKeys]], bytes]  # the ledger's genesis document, from the validators' keys


class Net:
    """A network that runs.

    Args:
        hosts: of the nodes' RPC.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = tuple(hosts)

    def ask(self, node: int, method: str, **parameters: Any) -> Any:
        """Ask a node."""
        return _call(HTTPConnection(self.hosts[node], RPC, timeout=60), method, parameters)

    def load(self, per_node: Sequence[Sequence[bytes]], *, bundled: bool = False) -> float:
        """Hand in transactions; seconds until all stand in blocks.

        Args:
            per_node: for each node those that it is given, dealt to its connections in turn, each of which keeps order.
            bundled: fifty in one request that waits for nothing; else each in a request of its own that waits for the
                node's word, as the product's clients do.
        """
        wanted = sum(map(len, per_node))
        height = int(self.ask(0, "status")["sync_info"]["latest_block_height"])
        began = perf_counter()
        send = _send_bundled if bundled else _send
        with ProcessPoolExecutor(len(per_node), mp_context=get_context("fork")) as pool:
            for done in [pool.submit(_send_to, send, self.hosts[node], raws) for node, raws in enumerate(per_node)]:
                done.result()
        self._await(height, wanted)
        return perf_counter() - began

    def _await(self, height: int, wanted: int) -> None:
        deadline, counted = monotonic() + PATIENCE_S, 0
        while counted < wanted:
            last = int(self.ask(0, "status")["sync_info"]["latest_block_height"])
            if last > height:
                told = self.ask(0, "blockchain", minHeight=str(height + 1), maxHeight=str(min(last, height + 20)))
                counted += sum(int(meta["num_txs"]) for meta in told["block_metas"])
                height += len(told["block_metas"])
            if monotonic() > deadline:
                raise AssertionError(f"{counted} of {wanted} transactions came into blocks")
            sleep(LOOK_S)


def _send_to(send: Callable[[str, Sequence[bytes]], None], host: str, raws: Sequence[bytes]) -> None:
    """Hand in at one node, over all connections to it."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(send, host, raws[at::CONNECTIONS]) for at in range(CONNECTIONS)]:
            done.result()


def _send(host: str, raws: Sequence[bytes]) -> None:
    link = HTTPConnection(host, RPC, timeout=120)
    for raw in raws:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_sync", "params": {"tx": b64encode(raw).decode()}}
        link.request("POST", "/", json.dumps(asked), {"Content-Type": "application/json"})
        told = json.loads(link.getresponse().read())
        if "error" in told or told["result"]["code"]:
            raise AssertionError(told)
    link.close()


def _send_bundled(host: str, raws: Sequence[bytes]) -> None:
    link = HTTPConnection(host, RPC, timeout=120)
    for at in range(0, len(raws), AT_ONCE):
        requests = [
            {"jsonrpc": "2.0", "id": number, "method": "broadcast_tx_async", "params": {"tx": b64encode(raw).decode()}}
            for number, raw in enumerate(raws[at : at + AT_ONCE])
        ]
        link.request("POST", "/", json.dumps(requests), {"Content-Type": "application/json"})
        told = json.loads(link.getresponse().read())
        wrong = [each for each in told if "error" in each]
        if wrong:
            raise AssertionError(wrong[0])
    link.close()


def _call(link: HTTPConnection, method: str, parameters: dict[str, Any]) -> Any:
    try:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        link.request("POST", "/", json.dumps(asked), {"Content-Type": "application/json"})
        told = json.loads(link.getresponse().read())
    finally:
        link.close()
    if "error" in told:
        raise AssertionError(told["error"])
    return told["result"]


@contextmanager
def gridproof_net(
    folder: Path, names: Sequence[str], document: Document, snapshot_every: int = 0
) -> Iterator[tuple[Net, list[NodeFolder]]]:
    """Four nodes of the product.

    Args:
        folder: for their files.
        names: of the companies.
        document: makes the ledger's genesis document.
        snapshot_every: blocks between snapshots; 0 makes none.
    """
    shape, keys = _shape(names, snapshot_every)
    genesis = document(keys)
    nodes = _make(folder, shape, keys, genesis, json.loads(genesis)["chain_id"])
    processes = [start_node(node, dies_with_this=True) for node in nodes]
    try:
        await_nodes(nodes)
        yield Net([seat.host for seat in shape.seats]), nodes
    finally:
        _end(processes)


@contextmanager
def kvstore_net(folder: Path, *, behind_socket: bool) -> Iterator[Net]:
    """Four nodes of the engine's key-value application, behind a socket as ours, or built in."""
    shape, keys = _shape([f"peer {number}" for number in range(1, VALIDATORS + 1)])
    nodes = _make(folder, shape, keys, b"{}", "bench-kv")
    if not behind_socket:
        _build_in(nodes)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for node in nodes:
            if behind_socket:
                words = (str(cometbft.install().with_name("abci-cli")), "kvstore", "--address", f"unix://{node.socket}")
                processes.append(_start(words, node))
        for node in nodes:
            while behind_socket and not node.socket.exists():
                sleep(LOOK_S)
            processes.append(_start((str(cometbft.install()), "node", "--home", str(node.engine)), node))
        net = Net([seat.host for seat in shape.seats])
        for number in range(VALIDATORS):
            _await_node(net, number)
        yield net
    finally:
        _end(processes)


def _shape(names: Sequence[str], snapshot_every: int = 0) -> tuple[Shape, dict[str, NodeKeys]]:
    seats = loopback_seats(names, free_subnet(len(names) + 1))  # one more, for a node that joins
    shape = Shape(seats, COMMIT_MS, KeepSection(snapshot_every=snapshot_every))
    return shape, draw_keys(shape, system)


def _make(folder: Path, shape: Shape, keys: dict[str, NodeKeys], genesis: bytes, chain_id: str) -> list[NodeFolder]:
    validators = [(name, Validator(0, each.signer.public, 10)) for name, each in keys.items()]
    engine_genesis = genesis_file(chain_id, genesis, GENESIS_S, validators)
    nodes = []
    for seat in shape.seats:
        peers = tuple(
            f"{keys[other.name].node.address.hex()}@{other.host}:{P2P}" for other in shape.seats if other != seat
        )
        rpc, p2p = f"{seat.host}:{RPC}", f"{seat.host}:{P2P}"
        settings = NodeSettings(
            node=NodeSection(name=seat.name, chain_id=chain_id),
            engine=EngineSection(rpc=rpc, p2p=p2p, external=p2p, peers=peers, commit_ms=COMMIT_MS, log_level="error"),
            keep=shape.keep,
        )
        node = make_node(
            folder / seat.name.replace(" ", "-"),
            Birth(settings, keys[seat.name].signer, keys[seat.name].node, genesis, engine_genesis),
        )
        told = EngineSettings(seat.name, str(node.socket), rpc, p2p, p2p, peers, COMMIT_MS, log_level="error")
        (node.engine_config / "config.toml").write_bytes(config_file(told))
        nodes.append(node)
    return nodes


def _build_in(nodes: Sequence[NodeFolder]) -> None:
    """Have the engines use the application that is built into them."""
    for node in nodes:
        path = node.engine_config / "config.toml"
        path.write_text(path.read_text().replace(f"unix://{node.socket}", "kvstore"))


def _start(words: tuple[str, ...], node: NodeFolder) -> subprocess.Popen[bytes]:
    with (node.logs / "peer.log").open("ab") as log:
        return subprocess.Popen(tied(words), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def _await_node(net: Net, number: int) -> None:
    deadline = monotonic() + 60
    while True:
        try:
            if int(net.ask(number, "status")["sync_info"]["latest_block_height"]) >= 1:
                return
        except (OSError, HTTPException, ValueError, AssertionError):
            if monotonic() > deadline:
                raise
        sleep(LOOK_S)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
