"""Processes that tests kill: each opens the tiny ledger of a folder and makes blocks until it dies.

Block h holds the operator's notice with nonce h - 1 and nothing else, so the chain is the same however often it was
interrupted; what was acknowledged is written down, a line each, before the next one is sent.
"""

import os
import resource
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from time import sleep
from typing import Any

from gridproof.actors.stopping import stopped_by_signals
from gridproof.connectors.ledger import ClientError, Sender, SocketClient
from gridproof.domain import ParticipantId
from gridproof.drivers.embedded import EmbeddedLedger, Node, Options
from gridproof.errors import GridproofError
from gridproof.state import SerialVerifier, system

from tests.tiny.app import PEOPLE, signer, tiny, tiny_genesis
from tests.unit.drivers.scenes import NOW_S, post, signed

NEVER = 10**9
PATIENCE_S = 240.0  # far above what anything here takes, for a machine that is busy


def context() -> ForkServerContext:
    """Where victims come from: a server that has imported everything, so that each starts in milliseconds."""
    made = get_context("forkserver")
    made.set_forkserver_preload([__name__])
    return made


def start(target: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    """Start a victim."""
    process = context().Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def then_leave(target: Callable[..., None], *arguments: Any) -> None:
    """Run a target and end at once: a victim that may write nothing any more cannot write what was covered either."""
    target(*arguments)
    os._exit(0)


def transaction(height: int) -> bytes:
    """The one that block `height` holds."""
    return signed("operator", post(f"notice {height}", height % 50_000), nonce=height - 1)


def open_ledger(folder: Path, reached: Callable[[str], None] = lambda _step: None) -> EmbeddedLedger:
    """The victims' ledger."""
    return EmbeddedLedger.at(folder, tiny, tiny_genesis(), Options(SerialVerifier(), lambda: NOW_S, reached=reached))


def make_blocks(folder: str, step: str, times: int) -> None:
    """Make blocks until a step was reached so many times, then die there."""
    left = [times]

    def reached(now: str) -> None:
        if now == step:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    ledger = open_ledger(Path(folder), reached)
    with (Path(folder) / "acknowledged").open("a", buffering=1) as acknowledged:
        for height in range(ledger.head.height + 1, NEVER):
            name = ledger.submit(transaction(height))
            ledger.make_block()
            place = ledger.wait(name, 0)
            acknowledged.write(f"{place.height} {name.hex()} {ledger.head.app_hash.hex()}\n")


def fill_the_disk(folder: str, room: int, told: Any) -> None:
    """Make blocks until the file may not grow any more; tells what the ledger said."""
    ledger = open_ledger(Path(folder))
    size = (Path(folder) / "ledger.lmdb" / "data.mdb").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
    acknowledged = ledger.head.height
    try:
        for height in range(ledger.head.height + 1, NEVER):
            name = ledger.submit(transaction(height))
            ledger.make_block()
            acknowledged = ledger.wait(name, 0).height
    except Exception as error:  # noqa: BLE001 - the edge of the process
        told.send((acknowledged, ledger.head.height, type(error).__name__, str(error)))


def open_as_nobody(folder: str, told: Any) -> None:
    """Open the ledger without the superuser's rights; tells what it said."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(65_534)
    try:
        with open_ledger(Path(folder)) as ledger:
            ledger.submit(transaction(ledger.head.height + 1))
            ledger.make_block()
            told.send(("opened", ""))
    except Exception as error:  # noqa: BLE001 - the edge of the process
        told.send((type(error).__name__, str(error)))


def serve(folder: str, path: str, ready: Any) -> None:
    """Run a node until it is killed, or told to end."""
    with stopped_by_signals() as stop, open_ledger(Path(folder)) as ledger, Node(ledger, path) as node:
        ready.send("ready")
        node.run(0.002, stop)


def send(path: str, name: str, region: int, count: int, told: Any) -> None:
    """Send notices through the node's socket; tells where each came to stand, or why not."""
    client = SocketClient(path, answer_s=5)
    sender = Sender(client, signer(name), ParticipantId(PEOPLE[name]), timeout_s=PATIENCE_S)
    said: list[tuple[int, int] | str] = []
    for number in range(count):
        try:
            place = sender.send(post(f"{name} {region} {number}", region))
            said.append((place.height, place.index))
        except GridproofError as error:
            said.append(type(error).__name__)
    told.send(said)
    client.close()


def watch(path: str, events: int, told: Any) -> None:
    """Follow the events and ask queries until so many were seen; tells their cursors and every status met."""
    client = SocketClient(path, answer_s=5)
    cursors: list[bytes] = []
    heights: list[int] = []
    while len(cursors) < events:
        try:
            fresh = client.events_since(cursors[-1] if cursors else b"", 7, 1)
            heights.append(client.status().height)
            client.ask(system.next_nonce, 1)
            client.prove(system.NONCES, 1)
        except ClientError:
            sleep(0.02)  # the node is being killed and started anew
            continue
        cursors.extend(event.cursor for event in fresh)
    told.send((cursors, heights))
    client.close()
