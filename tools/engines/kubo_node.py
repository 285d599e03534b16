"""A Kubo node of one's own: in a folder, on this machine only, in a private network, gone when its starter is.

The kernel chooses the ports, so that nodes never meet. The settings leave nothing that would call out: no bootstrap
peers, no routing, no look for neighbours, no automatic configuration or certificates, no statistics. The swarm key
lets only nodes in that hold the same.
"""

import json
import os
import secrets
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Final, Self

from gridproof.drivers import tether

from tools.environment import SetupError

START_S: Final = 120.0
STOP_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.02
_SHOWN: Final = 2_000
LOOPBACK: Final = "/ip4/127.0.0.1/tcp/0"
SETTINGS: Final[dict[str, Any]] = {
    "Bootstrap": [],
    "AutoConf": {"Enabled": False},
    "AutoTLS": {"Enabled": False},
    "DNS": {"Resolvers": {}},
    "Discovery": {"MDNS": {"Enabled": False}},
    "Routing": {"Type": "none", "DelegatedRouters": []},
    "Provide": {"Enabled": False},
    "Version": {"SwarmCheckEnabled": False},
    "Ipns": {"DelegatedPublishers": []},
}


class KuboNode:
    """A node that runs until the block around it ends.

    Args:
        program: Kubo's.
        folder: for the node's files; one that it used before is used again.
        swarm_key: of the private network, 64 hexadecimal digits; fresh where none is given, so that it has no peers.
    """

    def __init__(self, program: Path, folder: Path, swarm_key: str = "") -> None:
        self.folder = folder
        self._swarm_key = swarm_key or secrets.token_hex(32)
        self.url = ""
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The node's process; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def port(self) -> int:
        """The port of its RPC."""
        return int(self.url.rpartition(":")[2])

    def start(self) -> None:
        """Start the node and wait until it answers.

        Raises:
            SetupError: it does not.
        """
        if not (self.folder / "config").exists():
            self._make()
        (self.folder / "api").unlink(missing_ok=True)
        tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
        with (self.folder / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*tied, str(self._program), "daemon"],
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Tell the node to end, and wait for it; one that does not is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Kill the node as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            [self._program, "init", "--empty-repo"], env=self._variables(), capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise SetupError(f"Kubo cannot make its folder:\n{made.stderr[-_SHOWN:]}")
        path = self.folder / "config"
        config = json.loads(path.read_bytes())
        config |= SETTINGS
        for mount in config["Datastore"]["Spec"]["mounts"]:
            if mount["type"] == "flatfs":
                mount["sync"] = True  # what is acknowledged survives a power cut; Kubo's default is speed
        config["Addresses"] |= {"API": LOOPBACK, "Gateway": [], "Swarm": [LOOPBACK]}
        path.write_text(json.dumps(config, indent=1))
        key = f"/key/swarm/psk/1.0.0/\n/base16/\n{self._swarm_key}\n"
        with open(os.open(self.folder / "swarm.key", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:  # noqa: PTH123
            file.write(key)

    def _variables(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "IPFS_PATH": str(self.folder),
            "IPFS_TELEMETRY": "off",
            "LIBP2P_FORCE_PNET": "1",
            "LIBP2P_TCP_MUX": "false",
        }

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = monotonic() + START_S
        while monotonic() < deadline:
            if process.poll() is not None:
                break
            if self._answers():
                return
            sleep(_LOOK_EVERY_S)
        words = (self.folder / "node.log").read_text(errors="replace")[-_SHOWN:]
        raise SetupError(f"Kubo does not answer:\n{words}")

    def _answers(self) -> bool:
        """Whether the node wrote where its RPC is, and answers there."""
        try:
            parts = (self.folder / "api").read_text().strip().split("/")  # /ip4/127.0.0.1/tcp/PORT
            self.url = f"http://{parts[2]}:{int(parts[4])}"
            with closing(HTTPConnection(parts[2], int(parts[4]), timeout=5)) as link:
                link.request("POST", "/api/v0/version")
                answered = link.getresponse().status == 200
        except (OSError, HTTPException, IndexError, ValueError):
            return False
        return answered
