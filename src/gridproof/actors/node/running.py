"""Starting, stopping and looking at nodes of this machine, each a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from gridproof.connectors.engine_headers import EngineError, EngineRpc
from gridproof.drivers.embedded import FolderLock, holder_of, is_held
from gridproof.drivers.errors import LedgerLockedError

from .errors import NetworkSilentError, NodeRunningError
from .folder import NodeFolder, signed_height
from .logs import turn
from .serving import read_stopped
from .settings import load
from .supervisor import HOLD_S, tied

START_S: Final = 90.0
END_S: Final = 40.0
ANSWER_S: Final = 10.0  # a machine may be that busy; who does not answer is shown as silent
LOOK_S: Final = 0.1
SHOWN_LINES: Final = 5
COMMAND: tuple[str, ...] = (sys.executable, "-m", "gridproof", "node", "start", "-C")  # a rehearsal has another program
START_LOCK: Final = "start.lock"  # held by a process that was started here, from before it holds the folder


class NodeStatus(NamedTuple):
    """How a node is.

    Attributes:
        name: the company's.
        folder: the node's.
        runs: whether its process is there.
        rpc: address of its RPC.
        height: of its last block; None where it does not answer.
        app_hash: as of the last block's header, hexadecimal.
        time: of the last block, as the engine writes it.
        catching_up: whether it still fetches blocks.
        power: of its vote; 0 where it has none.
        peers: how many nodes it is connected to.
        waiting: how many transactions wait in it.
        stopped: why it stopped, where it does not run.
        foreign: the chain of whoever answers at its address, where that is no node of its own.
        silent_until: height up to which its key signs nothing, as `recover` set; None where it may sign the next block.
    """

    name: str
    folder: Path
    runs: bool
    rpc: str
    height: int | None = None
    app_hash: str = ""
    time: str = ""
    catching_up: bool = False
    power: int = 0
    peers: int = 0
    waiting: int = 0
    stopped: str = ""
    foreign: str = ""
    silent_until: int | None = None


def start_node(folder: NodeFolder, *, dies_with_this: bool = False) -> subprocess.Popen[bytes]:
    """Start a node in a process of its own.

    Args:
        folder: the node's.
        dies_with_this: whether it ends when this process does; else it goes on.

    Raises:
        NodeRunningError: a process that was started so is there already.
    """
    folder.require_node()
    command = (*COMMAND, str(folder.root))
    place = folder.logs / "start.log"
    turn(place)
    try:
        lock = FolderLock(folder.logs, HOLD_S, START_LOCK, for_another=True)
    except LedgerLockedError as held:
        raise NodeRunningError(folder=str(folder.root), held_by=held.held_by) from held
    try:
        with place.open("ab") as log:
            process = subprocess.Popen(
                tied(command) if dies_with_this else command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=not dies_with_this,
                pass_fds=(lock.file,),
            )
        lock.hand_on(process.pid)
    finally:
        lock.release()
    return process


def process_of(folder: NodeFolder) -> int | None:
    """The process that holds a node's folder, or was started to; None where it does not run."""
    return holder_of(folder.root) or holder_of(folder.logs, START_LOCK)


def stop_node(folder: NodeFolder, patience_s: float = END_S) -> bool:
    """Tell a node to end, and kill it where it does not.

    Returns:
        Whether it ran.
    """
    deadline = monotonic() + patience_s
    while (process := process_of(folder)) is None:  # one may be there and not written down: its starter was interrupted
        if not is_held(folder.logs, START_LOCK) or monotonic() > deadline:
            return False
        sleep(LOOK_S)
    number = int(signal.SIGTERM)
    while (holder := process_of(folder)) == process:
        try:
            os.kill(holder, number)
        except ProcessLookupError:
            break
        sleep(LOOK_S)
        number = int(signal.SIGKILL) if monotonic() > deadline else 0  # 0 only looks whether it is there
    return True


def await_nodes(
    folders: Sequence[NodeFolder],
    patience_s: float = START_S,
    started: Mapping[NodeFolder, subprocess.Popen[bytes]] = MappingProxyType({}),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> None:
    """Wait until all nodes answer, have a block, and no longer catch up; not for ever for the last.

    Args:
        folders: the nodes'.
        patience_s: how long to wait.
        started: processes that were started for some of them; one that ends is waited for no longer.
        progress: told how many are there.

    Raises:
        NetworkSilentError: one ended, or does not answer in time; says what it said last.
    """
    began = monotonic()
    while True:
        told = dict(zip(folders, statuses_of(folders), strict=True))
        silent = [folder for folder, status in told.items() if not status.height]
        behind = [folder for folder, status in told.items() if status.catching_up]
        progress(len(folders) - len(silent), len(folders))
        if not silent and not behind:
            return
        waited_s = monotonic() - began
        ended = [folder for folder in silent if folder in started and started[folder].poll() is not None]
        if ended or waited_s > patience_s:
            if not silent:
                return
            words = "; ".join(f"{told[folder].name}: {last_words(folder)}" for folder in ended or silent)
            raise NetworkSilentError(waited_s=round(waited_s), detail=words)
        sleep(LOOK_S)


def last_words(folder: NodeFolder) -> str:
    """What a node said last."""
    try:
        lines = (folder.logs / "start.log").read_text(errors="replace").splitlines()
    except OSError:
        return "nothing"
    return " | ".join(lines[-SHOWN_LINES:]) or "nothing"


def status_of(folder: NodeFolder) -> NodeStatus:
    """How a node is.

    Raises:
        NoNodeError: there is none in the folder.
        NodeSettingsError, FileError: its settings cannot be read.
    """
    folder.require_node()
    settings = load(folder.root)
    runs = process_of(folder) is not None
    stopped = read_stopped(folder)
    bare = NodeStatus(settings.node.name, folder.root, runs, f"http://{settings.engine.rpc}")
    if not runs:
        return bare._replace(stopped=stopped.sentence if stopped else "")
    try:
        with closing(EngineRpc(f"http://{settings.engine.rpc}", ANSWER_S)) as rpc:
            told = _told(bare, settings.node.chain_id, rpc)
    except (EngineError, KeyError, TypeError, ValueError):
        return bare
    signed = signed_height(folder) or 0
    return told._replace(silent_until=signed) if told.height is not None and signed > told.height + 1 else told


def statuses_of(folders: Sequence[NodeFolder]) -> list[NodeStatus]:
    """How nodes are, all asked at once: one that is silent holds up no other (`status_of`)."""
    with ThreadPoolExecutor(max(1, len(folders))) as pool:
        return list(pool.map(status_of, folders))


def words_of_silence(status: NodeStatus) -> str:
    """Up to when a node's key signs nothing, in words; empty where it may sign the next block."""
    if status.silent_until is None or status.height is None:
        return ""
    blocks = status.silent_until - status.height
    return (
        f"its key signs nothing up to height {status.silent_until}, {blocks} blocks from here; "
        "a network at rest makes none"
    )


def _told(bare: NodeStatus, chain_id: str, rpc: EngineRpc) -> NodeStatus:
    status: dict[str, Any] = rpc.ask("status")
    chain = str(status["node_info"]["network"])
    if chain != chain_id:  # the node is just about to find out that its address is taken
        return bare._replace(foreign=chain)
    sync = status["sync_info"]
    return bare._replace(
        height=int(sync["latest_block_height"]),
        app_hash=str(sync["latest_app_hash"]).lower(),
        time=str(sync["latest_block_time"]),
        catching_up=bool(sync["catching_up"]),
        power=int(status["validator_info"]["voting_power"]),
        peers=int(rpc.ask("net_info")["n_peers"]),
        waiting=int(rpc.ask("num_unconfirmed_txs")["n_txs"]),
    )
