"""A reader who types what a page about a network says: `node start` goes on in a terminal, all else runs to its end.

What a page shows:
- a fenced `console` block: each line that begins with `$ ` is typed; a backslash at its end goes on in the next;
- a comment above a block: `not run` leaves it out, `exit code N` says how its commands end, `file: NAME` writes the
  block into a file, `append: NAME` writes it at a file's end;
- a comment of its own: `ctrl-c: NODE` and `kill: NODE` end what runs in a node's terminal, `install: version 2` puts
  another program in the place of the first, `until the upgrade` lets blocks pass.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.network import ENGINE_FIGURES_PORT, NODE_FIGURES_PORT, P2P_PORT, RPC_PORT
from gridproof.actors.node.running import status_of
from gridproof.connectors.engine_headers import EngineError, EngineRpc
from gridproof.drivers import tether

from tests.shared import ROOT

PATIENCE_S: Final = 600.0
LOOK_S: Final = 0.2
PORTS: Final = (P2P_PORT, RPC_PORT, ENGINE_FIGURES_PORT, NODE_FIGURES_PORT)
NODES: Final = 6
SUBNET: Final = "127.0.1"  # as pages have it
PART: Final = re.compile(r"^<!-- (?P<note>[^>]+) -->$|^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
START: Final = "gridproof node start "


class Deed(NamedTuple):
    """One thing to do.

    Attributes:
        what: `type`, `file`, `append`, or what a comment of its own says.
        about: the command, the file's name, or the node.
        text: the file's content.
        code: the exit code that a command ends with.
    """

    what: str
    about: str
    text: str = ""
    code: int = 0


def deeds(page: str) -> Iterator[Deed]:
    """What a page asks of its reader, in order."""
    note = ""
    for part in PART.finditer(page):
        if part["note"] is not None:
            what, _, about = part["note"].partition(": ")
            if what in ("ctrl-c", "kill", "install", "until the upgrade"):
                yield Deed(what, about)
            else:
                note = part["note"]
            continue
        yield from _of_block(note, part["kind"], part["body"])
        note = ""


def _of_block(note: str, kind: str, body: str) -> Iterator[Deed]:
    what, _, about = note.partition(": ")
    if what in ("file", "append"):
        yield Deed(what, about, body)
    elif kind == "console" and note != "not run":
        code = int(note.removeprefix("exit code ")) if note.startswith("exit code ") else 0
        lines = re.sub(r"\\\n\s*", "", body).splitlines()
        yield from (Deed("type", line.removeprefix("$ "), code=code) for line in lines if line.startswith("$ "))


class Reader:
    """Does what a page says, in a folder and at addresses of its own.

    Args:
        folder: an empty one.
        subnet: of loopback addresses that are free.
        programs: folders with a program `gridproof` each, by what is installed; the first one is at the beginning.
    """

    def __init__(self, folder: Path, subnet: str, programs: dict[str, Path]) -> None:
        self.folder = folder
        self.subnet = subnet
        self.height = 0
        self.typed: list[str] = []
        self._programs = programs
        self._installed = next(iter(programs.values()))
        self._terminals: dict[str, subprocess.Popen[bytes]] = {}
        self._weight = 11

    def close(self) -> None:
        """Close all terminals."""
        for process in self._terminals.values():
            process.kill()
            process.wait()
        self._terminals.clear()

    def do(self, deed: Deed) -> None:
        """Do one thing.

        Raises:
            AssertionError: a command ended otherwise than the page says.
        """
        about = deed.about.replace(SUBNET + ".", self.subnet + ".")
        match deed.what:
            case "file":
                (self.folder / about).write_text(deed.text, encoding="utf-8")
            case "append":
                with (self.folder / about).open("a", encoding="utf-8") as file:
                    file.write(deed.text)
            case "ctrl-c":
                assert self._end(about, signal.SIGINT) == 0, about
            case "kill":
                self._end(about, signal.SIGKILL)
            case "install":
                self._installed = self._programs[about]
            case "until the upgrade":
                self._pass_blocks(self.height)
            case _:
                self._type(about, deed.code)

    def _type(self, command: str, code: int) -> None:
        if command.startswith(START) and not code:
            self._open_terminal(command)
            return
        self._await_nodes()
        ended = self.run(self._fitted(command))
        assert ended.returncode == code, f"$ {command}\n{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr, ended.stderr
        self.typed.append(command)
        if command.startswith("gridproof net init "):
            self._quicken()

    def _fitted(self, command: str) -> str:
        """The command for a network that has little time."""
        if command.startswith("gridproof net init "):
            return f"{command} --subnet {self.subnet} --commit-ms 100"
        if "--height " in command:
            if not self.height:
                self.height = self.status("company-1")["height"] + 20
            return re.sub(r"--height \d+", f"--height {self.height}", command)
        return command

    def _quicken(self) -> None:
        """Snapshots come early."""
        for path in self.folder.glob("*/*/node.toml"):
            path.write_text(re.sub(r"(?m)^snapshot_every = \d+", "snapshot_every = 10", path.read_text()))

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Type a command and wait for its end."""
        return subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.folder, env=self._variables(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip

    def status(self, node: str) -> dict[str, Any]:
        """What `gridproof node status` tells of a node."""
        self._await_nodes()
        told = self.run(f"gridproof node status --json -C riedholz/{node}").stdout
        value = json.loads(told)
        assert isinstance(value, dict)
        return value

    def _variables(self) -> dict[str, str]:
        path = os.pathsep.join([str(self._installed), str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}

    # --- terminals ------------------------------------------------------------------------------------------------

    def _open_terminal(self, command: str) -> None:
        node = Path(shlex.split(command)[-1]).name
        assert node not in self._terminals, f"a node runs in the terminal of {node} already"
        words = [str(self._installed / "gridproof"), *shlex.split(command)[1:]]
        with (self.folder / f"{node}.terminal").open("ab") as screen:
            self._terminals[node] = subprocess.Popen(  # dies with this process
                [sys.executable, "-I", "-S", str(tether.__file__), str(os.getpid()), *words],
                cwd=self.folder, env=self._variables(), stdin=subprocess.DEVNULL, stdout=screen, stderr=screen,
            )  # fmt: skip
        self.typed.append(command)

    def _end(self, node: str, number: signal.Signals) -> int:
        self._await_nodes()
        process = self._terminals.pop(node)
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    def _await_nodes(self) -> None:
        """As a reader does, who is slow: until all that were started are up, and none of them lags behind another."""
        deadline = monotonic() + PATIENCE_S
        while behind := self._behind():
            for node, process in self._terminals.items():
                assert process.poll() is None, self._story(node)
            assert monotonic() < deadline, "".join(map(self._story, behind))
            sleep(LOOK_S)

    def _behind(self) -> list[str]:
        """Nodes that have not made all blocks their own that another one has."""
        done = {node: self._height(node) for node in self._terminals}
        return [node for node, height in done.items() if not height or height < max(done.values())]

    def _pass_blocks(self, height: int) -> None:
        """Let blocks pass, up to a height and one more, where the page's own work did not."""
        while self._height() <= height:
            self.make_a_block()

    def make_a_block(self) -> None:
        """Have one made: a company's wish for another weight of its vote decides nothing, but stands in a block.

        Even one that is refused does, as it is where the upgrade takes effect while the wish is under way.
        """
        self._await_nodes()
        before, deadline = self._height(), monotonic() + PATIENCE_S
        self._weight = 23 - self._weight
        asked = f"rm -f wish.json; gridproof node join --power {self._weight} --into wish.json -C riedholz/company-1"
        ended = self.run(f"{asked} && gridproof node support wish.json -C riedholz/company-1")
        while self._height() <= before:
            assert monotonic() < deadline, f"no block after {before}\n{ended.stdout}\n{ended.stderr}"
            sleep(LOOK_S)

    def _height(self, node: str = "company-1") -> int:
        """Of the last block that a node's ledger has, which its engine has a moment before; 0 until it is up."""
        folder = NodeFolder(self.folder / "riedholz" / node)
        status = status_of(folder)
        if not status.height or status.catching_up:
            return 0
        try:
            with closing(EngineRpc(status.rpc)) as rpc:
                done = int(rpc.ask("abci_info")["response"].get("last_block_height", 0))
        except EngineError:
            return 0
        return done if done >= status.height else 0

    def _story(self, node: str) -> str:
        said = (self.folder / f"{node}.terminal").read_text(errors="replace")
        logs = (self.folder / "riedholz" / node / "logs").glob("*.log")
        return f"--- {node}\n{said}\n" + "\n".join(path.read_text(errors="replace")[-2_000:] for path in logs)
