"""A network of four CometBFT nodes with the engine's built-in key-value application: real headers, and real votes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import socket
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from gridproof.drivers import tether

from tools.engines import cometbft

NODES: Final = 4
START_S: Final = 120.0
BLOCK_S: Final = 120  # far above what a block takes, on a machine that is busy
TEMPLATE: Final = f"""
[rpc]
timeout_broadcast_tx_commit = "{BLOCK_S}s"
[p2p]
pex = false
flush_throttle_timeout = "10ms"
persistent_peers_max_dial_period = "1s"
[consensus]
timeout_commit = "100ms"
create_empty_blocks = false
[tx_index]
indexer = "null"
"""


class KvNetwork:
    """Four validators that run until the block around it ends.

    Args:
        program: CometBFT's.
        folder: for the nodes' files.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        net, part = os.urandom(2)  # of the loopback range, so that networks beside this one do not meet it
        self._hosts = [f"127.{1 + net % 250}.{part}.{node + 1}" for node in range(NODES)]
        self._ports: tuple[int, int] = (0, 0)
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def urls(self) -> list[str]:
        """Where the nodes' RPC is."""
        return [f"http://{host}:{self._ports[1]}" for host in self._hosts]

    @property
    def chain_id(self) -> str:
        """Of the chain."""
        return str(self._genesis()["chain_id"])

    def validator_keys(self) -> list[str]:
        """The validators' public keys in base64, in the nodes' order."""
        files = [self._home(node) / "config" / "priv_validator_key.json" for node in range(NODES)]
        return [str(json.loads(file.read_bytes())["pub_key"]["value"]) for file in files]

    def ask(self, path: str, node: int = 0) -> Any:
        """What a node answers, its `result`."""
        link = HTTPConnection(self._hosts[node], self._ports[1], timeout=BLOCK_S + 10)
        try:
            link.request("GET", path)
            told = json.loads(link.getresponse().read())
        finally:
            link.close()
        if "error" in told:
            raise AssertionError(told["error"])
        return told["result"]

    def send(self, transaction: str) -> int:
        """Send a transaction and wait for its block; the block's height."""
        words = quote(f'"{transaction}"')
        told = self.ask(f"/broadcast_tx_commit?tx={words}")
        if told["tx_result"]["code"]:
            raise AssertionError(told)
        return int(told["height"])

    def set_power(self, key: str, power: int) -> int:
        """Give a validator another power, 0 for none; the height of the block that says so.

        Args:
            key: its public key in base64.
            power: the new one.
        """
        return self.send(f"val=ed25519!{key}!{power}")

    def height(self, node: int = 0) -> int:
        """The last block's that a node has."""
        return int(self.ask("/status", node)["sync_info"]["latest_block_height"])

    def _genesis(self) -> Any:
        return json.loads((self._home(0) / "config" / "genesis.json").read_bytes())

    def _home(self, node: int) -> Path:
        return self._folder / f"node{node}"

    def _start(self) -> None:
        template = self._folder / "template.toml"
        template.write_text(TEMPLATE)
        self._ports = free_ports(self._hosts)
        words = [str(self._program), "testnet", "--v", str(NODES), "--o", str(self._folder), "--config", str(template)]
        hosts = [word for host in self._hosts for word in ("--hostname", host)]
        subprocess.run([*words, *hosts, "--p2p-port", str(self._ports[0])], check=True, capture_output=True)
        for node, host in enumerate(self._hosts):
            self._running.append(self._start_node(node, host))
        deadline = monotonic() + START_S
        while not self._is_up():
            if monotonic() > deadline or any(each.poll() is not None for each in self._running):
                raise AssertionError((self._home(0) / "log").read_text(errors="replace")[-2_000:])
            sleep(0.1)

    def _start_node(self, node: int, host: str) -> subprocess.Popen[bytes]:
        tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
        p2p, rpc = self._ports
        flags = ["--proxy_app", "kvstore", "--rpc.laddr", f"tcp://{host}:{rpc}", "--p2p.laddr", f"tcp://{host}:{p2p}"]
        home = ["--home", str(self._home(node))]
        with (self._home(node) / "log").open("ab") as log:
            command = [*tied, str(self._program), "node", *home, *flags, "--log_level", "error"]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _is_up(self) -> bool:
        try:
            return self.height() >= 1
        except (OSError, HTTPException, ValueError, AssertionError):  # it begins to listen before it can answer
            return False

    def _stop(self) -> None:
        for each in self._running:
            each.kill()
        for each in self._running:
            each.wait()
        self._running.clear()


def free_ports(hosts: Sequence[str]) -> tuple[int, int]:
    """Two ports that are free on all hosts."""
    found: list[int] = []
    while len(found) < 2:
        with socket() as first:
            first.bind((hosts[0], 0))
            port = first.getsockname()[1]
            if port not in found and all(_is_free(host, port) for host in hosts[1:]):
                found.append(port)
    return found[0], found[1]


def _is_free(host: str, port: int) -> bool:
    with socket() as other:
        try:
            other.bind((host, port))
        except OSError:
            return False
    return True


def record(network: KvNetwork, heights: Sequence[int]) -> dict[str, Any]:
    """Headers with their votes and validators as the engine's RPC tells them.

    Args:
        network: whose.
        heights: of the blocks.
    """
    blocks = {}
    for height in heights:
        blocks[str(height)] = {
            "signed_header": network.ask(f"/commit?height={height}")["signed_header"],
            "validators": network.ask(f"/validators?height={height}&per_page=100")["validators"],
        }
    return {"chain_id": network.chain_id, "blocks": blocks}


def rotate(network: KvNetwork) -> int:
    """Let the validators change until one of four is left, whose power is a quarter of those at the beginning.

    Args:
        network: fresh.

    Returns:
        The last height.
    """
    keys = network.validator_keys()
    network.send("word1=said")
    network.set_power(keys[3], 7)
    network.send("word2=said")
    network.set_power(keys[3], 1)
    for number, key in enumerate(keys[:3]):
        network.set_power(key, 0)
        network.send(f"left{number}=said")
    return network.send("last=said")


def main(folder: Path, file: Path) -> None:
    """Record a network whose validators change.

    Args:
        folder: for the nodes' files.
        file: to write.
    """
    with KvNetwork(cometbft.install(), folder) as network:
        rotate(network)
        told = record(network, range(1, network.height() + 1))
    file.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
