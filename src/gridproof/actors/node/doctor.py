"""What is wrong with a node: each finding in a line, with what to do.

Looked at, in this order: settings; the engine's program; rights of files; room on the disk; what was lost; addresses,
where the node does not run; the last stop; the node and its neighbours; whether the network stands still; the node's
vote; an upgrade to come; the clock.
"""

import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException
from time import time
from typing import Final, NamedTuple

from gridproof import __version__
from gridproof.connectors.engine_headers import EngineError, EngineRpc
from gridproof.connectors.ledger import NetworkClient
from gridproof.errors import GridproofError
from gridproof.modules.consensus import queries as consensus
from gridproof.state.validators import address_of

from .deciding import signer_of
from .folder import NodeFolder
from .joining import rpc_of
from .program import find_engine
from .running import ANSWER_S, process_of, status_of, words_of_silence
from .serving import read_stopped
from .settings import NodeSettings, load
from .standing import standstill_of
from .supervisor import require_free, require_whole
from .upgrading import find_upgrade, is_too_old_for, words_of_upgrade

LITTLE_ROOM: Final = 2**30
CLOCK_SLACK_S: Final = 10.0
TIME_S: Final = 3.0  # within which another node's clock is read: what comes later tells too little of it
_OTHERS: Final = 0o077
_CONVICTED: Final = (
    "its key was used for two votes at height {height} and has no vote any more, for good; see that nobody else has "
    "it, then make a new node with `gridproof node init --from URL` and ask the others to let it join"
)


class Finding(NamedTuple):
    """What was found.

    Attributes:
        what: was looked at.
        is_wrong: whether something must be done.
        told: a sentence.
    """

    what: str
    is_wrong: bool
    told: str


def examine(folder: NodeFolder, clock: Callable[[], float] = time) -> Iterator[Finding]:
    """Look at a node, whether it runs or not.

    Args:
        folder: the node's.
        clock: UTC epoch seconds.
    """
    try:
        settings = load(folder.root)
    except GridproofError as wrong:
        yield Finding("settings", is_wrong=True, told=str(wrong))
        return
    yield Finding("settings", is_wrong=False, told=f"node of {settings.node.name} on {settings.node.chain_id}")
    yield _tried("engine", "CometBFT is there, of the right version", lambda: find_engine(settings.engine.program))
    yield _rights(folder)
    yield _room(folder)
    yield _tried("files", "nothing is missing", lambda: require_whole(folder))
    if process_of(folder) is None:
        yield _tried("addresses", "nobody else listens there", lambda: require_free(settings))
        stopped = read_stopped(folder)
        if stopped is not None:
            yield Finding("last stop", is_wrong=stopped.lasts, told=stopped.sentence)
        yield Finding("node", is_wrong=True, told="it does not run; `gridproof node start` starts it")
        return
    yield from _running(folder, settings, clock)


def _tried(what: str, well: str, look: Callable[[], object]) -> Finding:
    try:
        look()
    except GridproofError as wrong:
        return Finding(what, is_wrong=True, told=str(wrong))
    return Finding(what, is_wrong=False, told=well)


def _rights(folder: NodeFolder) -> Finding:
    exposed = [path for path in folder.secret_files if stat.S_IMODE(path.stat().st_mode) & _OTHERS]
    if exposed:
        names = ", ".join(str(path.relative_to(folder.root)) for path in exposed)
        told = f"others may read {names}: run `chmod 600` on them, and think who read them"
        return Finding("rights", is_wrong=True, told=told)
    return Finding("rights", is_wrong=False, told="secrets are their owner's alone")


def _room(folder: NodeFolder) -> Finding:
    free = shutil.disk_usage(folder.root).free
    told = f"{free / 2**30:.1f} GiB are free"
    if free < LITTLE_ROOM:
        return Finding("disk", is_wrong=True, told=f"only {told}; make room before the node stops for want of it")
    return Finding("disk", is_wrong=False, told=told)


def _running(folder: NodeFolder, settings: NodeSettings, clock: Callable[[], float]) -> Iterator[Finding]:
    status = status_of(folder)
    if status.height is None:
        yield Finding("node", is_wrong=True, told="it runs and does not answer; `gridproof node logs` tells why")
        return
    known = len(settings.engine.peers)
    told = f"height {status.height}, {status.peers} peers (its settings name {known}), program {__version__}"
    yield Finding("node", is_wrong=False, told=told + (", still catching up" if status.catching_up else ""))
    if status.silent_until is not None:
        yield Finding("vote", is_wrong=False, told=words_of_silence(status))
    if known and not status.peers:
        told = f"none of {known} is reached: check addresses, ports and firewalls, and that no copy of this node runs"
        yield Finding("peers", is_wrong=True, told=told)
    yield from _neighbours(settings, status.height)
    standstill = standstill_of(folder, status, clock)
    if standstill:
        yield Finding("blocks", is_wrong=True, told=standstill)
    yield from _on_the_ledger(folder, settings)
    yield _clock(settings, clock)


def _neighbours(settings: NodeSettings, height: int) -> Iterator[Finding]:
    """Whether others are ahead, as far as their RPC is reached."""
    ahead = 0
    for url, _ in _others(settings):
        try:
            with closing(EngineRpc(url, ANSWER_S)) as rpc:
                ahead = max(ahead, rpc.latest_height() - height)
        except EngineError:
            continue
    if ahead > 1:
        yield Finding("height", is_wrong=True, told=f"others are {ahead} blocks ahead; wait, or look at the logs")


def _on_the_ledger(folder: NodeFolder, settings: NodeSettings) -> Iterator[Finding]:
    """A vote that was lost, and an upgrade to come, as far as the node tells of them now."""
    try:
        address = address_of(signer_of(folder).public)
        with closing(NetworkClient((f"http://{settings.engine.rpc}",), settings.node.chain_id)) as client:
            offences = client.ask(consensus.offences_at, address)
            due = find_upgrade(client)
    except GridproofError:  # what is wrong with its files or with the node is told above
        return
    if offences:
        yield Finding("vote", is_wrong=True, told=_CONVICTED.format(height=offences[-1][0]))
    if due is not None:
        yield Finding("upgrade", is_wrong=is_too_old_for(due[0]), told=words_of_upgrade(*due))


def _clock(settings: NodeSettings, clock: Callable[[], float]) -> Finding:
    """Hold the machine's clock against those of the other nodes: each answer over HTTP tells its time."""
    apart: list[float] = []
    for _, address in _others(settings):
        told = _http_time(address)
        if told is not None:
            apart.append(told - clock())
    if not apart:
        return Finding("clock", is_wrong=False, told="no other node to compare it with is reached")
    middle = sorted(apart)[len(apart) // 2]
    if abs(middle) > CLOCK_SLACK_S:
        told_ = (
            f"it is {abs(middle):.0f} s {'behind' if middle > 0 else 'ahead of'} the other nodes' clocks; set it right"
        )
        return Finding("clock", is_wrong=True, told=told_)
    return Finding("clock", is_wrong=False, told=f"within {CLOCK_SLACK_S:.0f} s of {len(apart)} other nodes")


def _others(settings: NodeSettings) -> list[tuple[str, str]]:
    """Where the node's peers serve their RPC: URL and `host:port`."""
    try:
        with closing(EngineRpc(f"http://{settings.engine.rpc}", ANSWER_S)) as rpc:
            told = rpc.ask("net_info")["peers"]
        addresses = [rpc_of(peer["node_info"]) for peer in told]
    except (EngineError, KeyError, TypeError):
        return []
    return [(f"http://{address}", address) for address in addresses]


def _http_time(address: str) -> float | None:
    """What time a server has, UTC epoch seconds; None where it does not tell."""
    try:
        with closing(HTTPConnection(address, timeout=TIME_S)) as link:
            link.request("GET", "/health")
            answer = link.getresponse()
            answer.read(2**16)
            told: datetime = parsedate_to_datetime(answer.getheader("Date", ""))
            return told.timestamp()
    except (OSError, HTTPException, ValueError, TypeError, OverflowError):  # the address is the peer's own word
        return None
