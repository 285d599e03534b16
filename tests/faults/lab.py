"""A network in a temporary folder, each node with its real processes, in which a test breaks what it wants to.

Nothing survives the process that made it: supervisors die with it, and their children with them. What a node's
processes are called is never asked; they are found as children of what was started here.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Final, Self

from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.founding import Birth as NodeBirth
from gridproof.actors.node.founding import make_node
from gridproof.actors.node.settings import EngineSection, KeepSection, NodeSection, NodeSettings, WatchSection
from gridproof.drivers import tether

from . import genesis
from .links import Links, Place, Way
from tests.kvstore_network import free_ports

PATIENCE_S: Final = 240.0  # far above what anything here takes; who needs it has hung
LOOK_S: Final = 0.05
COMMIT_MS: Final = 100
PROPOSE: Final = "FAULTS_PROPOSE_MS"
PROPOSE_MS: Final = 1_000
ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = ("-m", "gridproof", "node", "start", "-C")
VICTIM: Final = ("-m", "tests.faults.victims", "start")
SOCKETS: Final = shutil.ignore_patterns("*.sock")  # which a killed process leaves, and nobody can copy
FIRST_LINK: Final = 100  # last number of the first link's address


class GoneError(Exception):
    """A node does not answer."""


class Node:
    """A node of the network.

    Args:
        number: from 0.
        folder: where it lies.
        host: its address.
        ports: of p2p and RPC.
    """

    def __init__(self, number: int, folder: Path, host: str, ports: tuple[int, int]) -> None:
        self.number = number
        self.folder = NodeFolder(folder)
        self.host = host
        self.ports = ports
        self.url = f"http://{host}:{ports[1]}"
        self.said = folder.parent / f"{folder.name}.said"
        self.process: subprocess.Popen[bytes] | None = None

    # --- its processes ---------------------------------------------------------------------------------------------

    def start(self, command: Iterable[str] = PRODUCT, **variables: str) -> None:
        """Start it; called from the main thread only, for with that it dies."""
        assert self.process is None
        words = [sys.executable, "-I", "-S", str(tether.__file__), str(os.getpid()), sys.executable, *command]
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(
                [*words, str(self.folder.root)],
                cwd=ROOT,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def end(self) -> int:
        """Tell it to end, and wait; its status."""
        assert self.process is not None
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        """Kill all its processes at once."""
        if self.process is None:
            return
        children = self.children()  # asked now: once the supervisor is gone they are nobody's, and not gone yet
        for pid in (self.process.pid, *children):
            _signal(pid, signal.SIGKILL)
        self.wait(children)

    def wait(self, known: Iterable[int] = ()) -> int:
        """Wait until it has ended, and none of its processes is left, nor of those that were known; its status."""
        assert self.process is not None
        children = {*known, *self.children()}
        status = self.process.wait(PATIENCE_S)
        self.process = None
        until(lambda: not any(_is_alive(pid) for pid in children), "the node's processes end")
        return status

    @property
    def runs(self) -> bool:
        """Whether its supervisor is there."""
        return self.process is not None and self.process.poll() is None

    def children(self) -> list[int]:
        """Its processes but the supervisor."""
        return [] if self.process is None else list(_children_of(self.process.pid))

    def application(self) -> int | None:
        """The process of the ledger, where it runs."""
        return next((pid for pid in self.children() if b"\0serve\0" in _command(pid)), None)

    def engine(self) -> int | None:
        """The engine's process, where it runs."""
        return next((pid for pid in self.children() if b"\0--home\0" in _command(pid)), None)

    def send(self, number: signal.Signals, which: str) -> bool:
        """Send a signal to one of its processes: `application`, `engine` or `supervisor`; whether that was there."""
        pid = self.process.pid if self.process and which == "supervisor" else getattr(self, which)()
        return pid is not None and _signal(pid, number)

    # --- what it tells ---------------------------------------------------------------------------------------------

    def ask(self, method: str, **parameters: Any) -> Any:
        """What its engine answers.

        Raises:
            GoneError: it does not answer, or refuses.
        """
        link = HTTPConnection(self.host, self.ports[1], timeout=20)
        try:
            asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
            link.request("POST", "/", asked, {"Content-Type": "application/json"})
            told = json.loads(link.getresponse().read())
        except (OSError, HTTPException, ValueError) as wrong:
            raise GoneError(str(wrong)) from wrong
        finally:
            link.close()
        if "error" in told:
            raise GoneError(str(told["error"]))
        return told["result"]

    def height(self) -> int:
        """Of its last block; -1 where it does not answer."""
        try:
            return int(self.ask("status")["sync_info"]["latest_block_height"])
        except GoneError:
            return -1

    def head(self) -> tuple[int, str]:
        """Height and app hash that its application committed last; -1 and nothing where it does not answer."""
        try:
            told = self.ask("abci_info")["response"]
        except GoneError:
            return -1, ""
        return int(told.get("last_block_height", 0)), str(told.get("last_block_app_hash", ""))

    def log(self) -> str:
        """What its application logged."""
        return _text(self.folder.node_log)

    def words(self) -> str:
        """What its supervisor said."""
        return _text(self.said)

    # --- what is done to its files ---------------------------------------------------------------------------------

    def lose_state(self) -> None:
        """Remove the ledger's database."""
        shutil.rmtree(self.folder.ledger)
        self.folder.ledger.mkdir(mode=0o700)

    def lose_engine_data(self) -> None:
        """Remove the engine's blocks; what the key signed lies elsewhere."""
        shutil.rmtree(self.folder.engine_data)
        self.folder.engine_data.mkdir(mode=0o700)


class Lab:
    """The network, until the block around it ends; all nodes run when it begins.

    Args:
        folder: where the nodes lie.
        count: of nodes.
        born: what it is born with.
        links: whether nodes talk over proxies that can be cut.
        victims: numbers of the nodes whose processes can be told to fail.
        programs: engines other than the usual one, by number of the node.
        stall_s: how long a node waits for a block before it says so.
        quick: whether nodes wait for a proposal less long than the product's do, so that a test takes less time.
    """

    def __init__(
        self,
        folder: Path,
        count: int = 4,
        *,
        born: genesis.Birth | None = None,
        links: bool = False,
        victims: Iterable[int] = (),
        programs: dict[int, Path] | None = None,
        stall_s: int = 5,
        quick: bool = False,
    ) -> None:
        self.born = born or genesis.birth(count)
        self.victims = frozenset(range(count) if quick else victims)
        self._variables = {PROPOSE: str(PROPOSE_MS)} if quick else {}
        self._programs = programs or {}
        self._stall_s = stall_s
        net, part = secrets.token_bytes(2)  # of the loopback range, so that networks beside this one do not meet it
        subnet = f"127.{1 + net % 250}.{part}"
        hosts = [f"{subnet}.{number + 1}" for number in range(count)]
        ways = [Way(a, b) for a in range(count) for b in range(count) if a != b]
        places = {way: f"{subnet}.{FIRST_LINK + at}" for at, way in enumerate(ways)} if links else {}
        ports = free_ports([*hosts, *places.values()])
        self.nodes = [Node(number, folder / f"n{number}", host, ports) for number, host in enumerate(hosts)]
        self._dialled = {way: places.get(way, hosts[way.target]) for way in ways}
        for node in self.nodes:
            self._make(node)
        self.links = (
            Links({way: Place(host, hosts[way.target], ports[0]) for way, host in places.items()}) if links else None
        )

    def _make(self, node: Node) -> None:
        member = self.born.members[node.number]
        p2p, rpc = (f"{node.host}:{port}" for port in node.ports)
        peers = tuple(
            f"{self.born.members[other.number].node_key.address.hex()}@"
            f"{self._dialled[Way(node.number, other.number)]}:{node.ports[0]}"
            for other in self.nodes
            if other is not node
        )
        settings = NodeSettings(
            node=NodeSection(name=member.name, chain_id=self.born.chain_id),
            engine=EngineSection(
                rpc=rpc,
                p2p=p2p,
                external=p2p,
                peers=peers,
                commit_ms=COMMIT_MS,
                program=str(self._programs.get(node.number, "")),
            ),
            keep=KeepSection(snapshot_every=0),
            watch=WatchSection(application_s=20, stall_s=self._stall_s),
        )
        born = self.born
        make_node(
            node.folder.root, NodeBirth(settings, member.signer, member.node_key, born.genesis, born.engine_genesis)
        )

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                self.start(node)
            self.until_height(1)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill what runs."""
        for node in self.nodes:
            node.kill()
        if self.links is not None:
            self.links.close()

    def start(self, node: Node, **variables: str) -> None:
        """Start a node, as a victim where it is one."""
        node.start(VICTIM if node.number in self.victims else PRODUCT, **self._variables, **variables)

    @property
    def urls(self) -> list[str]:
        """Where clients ask."""
        return [node.url for node in self.nodes]

    @property
    def running(self) -> list[Node]:
        """The nodes that were started and not ended."""
        return [node for node in self.nodes if node.process is not None]

    def height(self) -> int:
        """Of the last block that any node has."""
        return max(node.height() for node in self.nodes)

    def until_height(self, height: int, nodes: Iterable[Node] | None = None) -> None:
        """Wait until nodes, by default all that run, have committed a height."""
        for node in self.running if nodes is None else nodes:
            self.until(lambda: node.head()[0] >= height, f"node {node.number} is at height {height}")  # noqa: B023

    def until_together(self, nodes: Iterable[Node] | None = None) -> int:
        """Wait until nodes, by default all that run, rest at one state; its height."""
        together = self.running if nodes is None else list(nodes)

        def rest() -> bool:
            heads = {node.head() for node in together}
            return len(heads) == 1 and _rests(together[0], *heads.pop())

        self.until(rest, "the nodes come together")
        return together[0].head()[0]

    def until(self, what: Callable[[], bool], words: str) -> None:
        """Wait until something holds; tells what the nodes said where it never does."""
        try:
            until(what, words)
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\n{self._story()}") from None

    def _story(self) -> str:
        parts = []
        for node in self.nodes:
            engine = _text(node.folder.engine_log)[-1_500:]
            told = f"head {node.head()}, supervisor {node.process and node.process.poll()}"
            said = f"{node.words()[-800:]}\n{node.log()[-800:]}"
            parts.append(f"--- node {node.number}: {told}\n{said}\n{engine}")
        return "\n".join(parts)


def until(what: Callable[[], bool], words: str) -> None:
    """Wait until something holds.

    Args:
        what: looked at again and again; a node that does not answer, as on a busy machine, is asked again.
        words: what is waited for.

    Raises:
        AssertionError: it never does.
    """
    deadline, silent = monotonic() + PATIENCE_S, ""
    while True:
        try:
            if what():
                return
            silent = ""
        except GoneError as gone:
            silent = f": {gone}"
        if monotonic() > deadline:
            raise AssertionError(f"waited in vain until {words}{silent}")
        sleep(LOOK_S)


def _rests(node: Node, height: int, app_hash: str) -> bool:
    """Whether a node's last block is the empty one that binds the state before it: then no other follows."""
    try:
        block = node.ask("block")["block"]
    except GoneError:
        return False
    header = block["header"]
    bound = b64encode(bytes.fromhex(header["app_hash"])).decode()
    return (int(header["height"]), bound) == (height, app_hash) and not block["data"]["txs"]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _children_of(parent: int) -> Iterable[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    yield int(entry.name)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
