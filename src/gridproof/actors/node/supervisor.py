"""Keeps a node running: the Application's process and the engine's, which live and die together.

Rules:
    W-1 The Application comes first: the engine starts once the socket is there.
    W-2 When either ends, the other is ended too, and both start again after a pause that doubles, up to a limit; a
        pause starts small again once they ran for a while. The engine ends with status 0 when the Application goes
        away, so its status says nothing.
    W-3 What a new start cannot mend ends the node with a sentence: an upgrade that is due, a full disk, another
        genesis, a consensus failure twice at one height, an engine that ends at once again and again, another node that
        votes with the same key: the longer both do, the surer the network takes the vote from it.
    W-4 An Application that does not answer in time is killed; so is an engine that reports a consensus failure, for
        it would stay up and do nothing.
    W-5 Both processes die with this one, however it ends.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import IO, Final, NamedTuple

from gridproof.connectors.engine_headers import EngineError, EngineRpc
from gridproof.connectors.files import write_whole
from gridproof.drivers import tether
from gridproof.drivers.cometbft.engine import EngineSettings, StateSync, config_file
from gridproof.drivers.cometbft.frames import Frames, frame
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.embedded import FolderLock
from gridproof.drivers.errors import LedgerLockedError, WireError

from .errors import (
    AddressTakenError,
    EngineDataLostError,
    NodeRunningError,
    NodeStoppedError,
    SignerKeyLostError,
    SignerStateLostError,
)
from .folder import NodeFolder, has_blocks, height_of, signed_height
from .logs import TurnedLog, take_down
from .program import find_engine
from .serving import RESTARTS, Stopped, read_stopped, write_stopped
from .settings import NodeSettings, load
from .words import words_of_standstill

SERVE: tuple[str, ...] = (sys.executable, "-m", "gridproof", "node", "serve", "-C")  # a rehearsal has another program
HOLD_S: Final = 1.0
START_S: Final = 60.0
END_S: Final = 20.0
LOOK_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
WELL_S: Final = 60.0  # who ran for so long starts with a small pause again
ECHO_EVERY_S: Final = 5.0
ASK_S: Final = 5.0
QUICK_FAILURES: Final = 5
FOLLOW_S: Final = 3.0  # within which an Application that fails has ended, after the engine noticed
MAX_WORDS: Final = 600
_FAILURE: Final = re.compile(r'"_msg":\s*"CONSENSUS FAILURE')  # its own words: others' may stand in a line as well
_ELSEWHERE: Final = re.compile(r'"_msg":\s*"found conflicting vote from ourselves')
_FUTURE: Final = "is too far in the future"
_HEIGHT: Final = re.compile(r'"height":\s*"?(\d+)')
_REASON: Final = re.compile(r'"err":"((?:[^"\\]|\\.){1,600})')

Tell = Callable[[str], None]


class Ended(NamedTuple):
    """Why a pair of processes ended.

    Attributes:
        reason: a sentence.
        lasts: whether a new start cannot mend it.
        failed_at: height of a consensus failure, or None.
    """

    reason: str
    lasts: bool = False
    failed_at: int | None = None


class Supervisor:
    """Runs a node until told to stop.

    Args:
        folder: the node's.
        stop: set to end it.
        tell: told what happens, in words.
        command: starts the Application's process; the folder is added.

    Raises:
        NodeSettingsError, FileError: the settings cannot be used.
        EngineMissingError, EngineVersionError: there is no engine of the right version.
        AddressTakenError: another process listens at one of its addresses.
        NodeRunningError: it runs already.
        SignerKeyLostError, SignerStateLostError, EngineDataLostError: it must be recovered first.
    """

    def __init__(self, folder: NodeFolder, stop: Event, tell: Tell, command: tuple[str, ...] = ()) -> None:
        folder.require_node()
        self.folder = folder
        self.settings = load(folder.root)
        self._stop = stop
        self._tell = tell
        self._starts = 0
        self._command = command or SERVE
        self._engine = find_engine(self.settings.engine.program)
        require_whole(folder)
        try:
            self._lock = FolderLock(folder.root, HOLD_S)
        except LedgerLockedError as held:
            raise NodeRunningError(folder=str(folder.root), held_by=held.held_by) from held

    def run(self) -> None:
        """Keep the node running.

        Raises:
            NodeStoppedError: it stopped for good.
            AddressTakenError: another process listens at one of its addresses.
        """
        try:
            require_free(self.settings)
            self._keep_running()
        finally:
            self._lock.release()

    def _keep_running(self) -> None:
        pause_s, quick = FIRST_PAUSE_S, 0
        failed_at: int | None = None
        while not self._stop.is_set():
            began = monotonic()
            ended = self._run_once()
            if ended is None:
                return
            if ended.lasts or (ended.failed_at is not None and ended.failed_at == failed_at):
                raise self._for_good(ended)
            failed_at = ended.failed_at
            if monotonic() - began > WELL_S:
                pause_s, quick = FIRST_PAUSE_S, 0
            quick += 1
            if quick > QUICK_FAILURES and ended.reason.startswith(ENGINE_WORDS):
                raise self._for_good(ended)
            self._tell(f"{ended.reason} Starting again in {pause_s:.1f} s.")
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _for_good(self, ended: Ended) -> NodeStoppedError:
        """Write down why, for whoever looks at the node later; the ledger's process has said its own reason itself."""
        if read_stopped(self.folder) is None:
            write_stopped(self.folder, Stopped(NodeStoppedError.__name__, ended.reason, lasts=True))
        return NodeStoppedError(cause=ended.reason)

    def _run_once(self) -> Ended | None:
        """Start both, watch them, end both; None where it was told to stop."""
        self.folder.stopped.unlink(missing_ok=True)  # what it said the last time is no reason for this one
        write_whole(self.folder.engine_config / "config.toml", self._config())
        application = self._start((*self._command, str(self.folder.root)))
        assert application.stdout is not None  # noqa: S101 - it is a pipe
        reader = take_down(application.stdout, self.folder.node_log)
        engine: _Engine | None = None
        try:
            ended = self._await_socket(application)
            if ended is None and not self._stop.is_set():
                engine = _Engine(self._engine, self.folder)
                with closing(_Stall(self.settings)) as stall:
                    ended = self._watch(application, engine, stall)
            return ended
        finally:
            if engine is not None:
                engine.end()
            end(application)
            reader.join(END_S)

    def _config(self) -> bytes:
        engine, sync = self.settings.engine, self.settings.sync
        joins = sync is not None and not height_of(self.folder)
        return config_file(
            EngineSettings(
                name=self.settings.node.name,
                application=str(self.folder.socket),
                rpc=engine.rpc,
                p2p=engine.p2p,
                external=engine.external,
                peers=engine.peers,
                commit_ms=engine.commit_ms,
                figures=self.settings.figures.engine,
                state_sync=StateSync(sync.servers, sync.height, bytes.fromhex(sync.header_hash), sync.trust_s)
                if sync is not None and joins
                else None,
                log_level=engine.log_level,
            )
        )

    def _start(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        variables = {**os.environ, RESTARTS: str(self._starts)}
        self._starts += 1
        return subprocess.Popen(
            tied(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables
        )

    def _await_socket(self, application: subprocess.Popen[bytes]) -> Ended | None:
        """Rule W-1."""
        deadline = monotonic() + START_S
        while not self._stop.wait(LOOK_S / 4):
            if application.poll() is not None:
                return self._why_application_ended()
            if echoes(self.folder.socket, LOOK_S * 5):
                return None
            if monotonic() > deadline:
                return Ended(f"The ledger's process did not open its socket within {START_S:.0f} s.")
        return None

    def _watch(self, application: subprocess.Popen[bytes], engine: "_Engine", stall: "_Stall") -> Ended | None:
        heard = monotonic()
        told: set[str] = set()
        while not self._stop.wait(LOOK_S):
            if application.poll() is not None:
                return self._why_application_ended()
            if engine.votes_elsewhere:
                return Ended(_TWICE, lasts=True)
            if engine.failed_at is not None or not engine.runs:
                return self._why_engine_ended(application, engine)
            for sentence in engine.troubles - told:
                told.add(sentence)
                self._tell(sentence)
            if monotonic() - heard > ECHO_EVERY_S:
                if not echoes(self.folder.socket, self.settings.watch.application_s, self._stop):
                    return self._why_application_is_silent(application)
                heard = monotonic()
                stalled = stall.look()
                if stalled:
                    self._tell(stalled)
        return None

    def _why_engine_ended(self, application: subprocess.Popen[bytes], engine: "_Engine") -> Ended:
        """The Application's reason where it has one: when it fails, the engine ends too, or reports a failure (W-4)."""
        with suppress(subprocess.TimeoutExpired):
            application.wait(FOLLOW_S)
            return self._why_application_ended()
        engine.hear_out()
        if engine.failed_at is None:
            return Ended(" ".join((ENGINE_WORDS, engine.last_words, *engine.troubles)))
        if _FUTURE in engine.failure:  # as often as it must: what the node computed is right, only its clock is not
            return Ended(_BEHIND)
        return Ended(_FAILED.format(height=engine.failed_at, words=engine.failure), failed_at=engine.failed_at)

    def _why_application_is_silent(self, application: subprocess.Popen[bytes]) -> Ended:
        with suppress(subprocess.TimeoutExpired):  # it hangs up when it ends
            application.wait(1.0)
            return self._why_application_ended()
        return Ended(f"The ledger's process did not answer for {self.settings.watch.application_s} s.")

    def _why_application_ended(self) -> Ended:
        stopped = read_stopped(self.folder)
        if stopped is None:
            return Ended("The ledger's process was killed.")
        return Ended(stopped.sentence, stopped.lasts)


ENGINE_WORDS: Final = "The engine ended:"
_BEHIND: Final = (
    "The clock of this machine is more than a minute behind the network's: the engine takes the others' blocks for "
    "blocks of the future and refuses them. Set the clock right; the node then goes on by itself."
)
_OUTDATED: Final = (
    "The header by which this node joins, in the section sync of node.toml, is older than it may be trusted, or the "
    "others no longer have it. Stop the node; `gridproof node recover --from URL` takes a fresh one."
)
_SIGNS: Final = {  # in the engine's words, and what they mean
    _FUTURE: _BEHIND,
    "old header has expired": _OUTDATED,
    "light client state provider: light block not found": _OUTDATED,
}
_TWICE: Final = (
    "The network has votes of this node's key that its record does not know: another node votes with the same key, or "
    "an old backup was put back. A key that votes for two blocks loses its vote for good. See that no other node has "
    "this key, and run `gridproof node recover --anew` before this one starts again."
)
_FAILED: Final = (
    "The engine reports a consensus failure at height {height}: {words}. If it speaks of the disk, make room. If not, "
    "what this node computed is not what the network agreed on: `gridproof verify ledger` looks for damage, and "
    "`gridproof node recover --anew` fetches all anew."
)


class _Engine:
    """The engine's process, and what it says."""

    def __init__(self, program: Path, folder: NodeFolder) -> None:
        self.failed_at: int | None = None
        self.failure = ""
        self.troubles: frozenset[str] = frozenset()
        self.votes_elsewhere = False
        self._height = 0
        self.last_words = "it said nothing."
        self._log = TurnedLog(folder.engine_log)
        self._process = subprocess.Popen(
            tied((str(program), "node", "--home", str(folder.engine))),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = Thread(target=self._read, name="engine", daemon=True)
        self._reader.start()

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def hear_out(self) -> None:
        """Take down what it said before it ended, where it has: the words may be read later than the end is seen."""
        if not self.runs:
            self._reader.join(FOLLOW_S)

    def end(self) -> None:
        """End it and take its last words down."""
        end(self._process)
        self._reader.join(END_S)
        self._log.close()

    def _read(self) -> None:
        source: IO[bytes] | None = self._process.stdout
        for line in source or ():
            self._log.write(line)
            words = line.decode(errors="replace").strip()
            height = _HEIGHT.search(words)
            if height:  # a failure does not tell where it happened, what was said before does
                self._height = int(height[1])
            self.troubles |= {sentence for sign, sentence in _SIGNS.items() if sign in words}
            self.votes_elsewhere |= _ELSEWHERE.search(words) is not None
            if _FAILURE.search(words):
                said = _REASON.search(words)
                self.failure = said[1] if said else words[:MAX_WORDS]
                self.failed_at = self._height
            if words:
                self.last_words = words[:1_000]
        if source is not None:
            source.close()


class _Stall:
    """Notices when transactions wait and no block comes."""

    def __init__(self, settings: NodeSettings) -> None:
        self._rpc = EngineRpc(f"http://{settings.engine.rpc}", ASK_S)
        self._limit_s = settings.watch.stall_s
        self._height = -1
        self._since = monotonic()
        self._told = False

    def close(self) -> None:
        """Hang up."""
        self._rpc.close()

    def look(self) -> str | None:
        """What to tell, once a stall."""
        try:
            status = self._rpc.ask("status")
            waiting = int(self._rpc.ask("num_unconfirmed_txs")["n_txs"])
            height = int(status["sync_info"]["latest_block_height"])
        except (EngineError, KeyError, ValueError, TypeError):
            return None
        if height != self._height or not waiting:
            self._height, self._since, self._told = height, monotonic(), False
        if self._told or monotonic() - self._since < self._limit_s:
            return None
        self._told = True
        return words_of_standstill(height, self._limit_s, waiting)


def require_whole(folder: NodeFolder) -> None:
    """Return if the node may start from what is in its folder.

    Raises:
        SignerKeyLostError: it has no key to vote with.
        SignerStateLostError: what its key has signed is not known.
        EngineDataLostError: the engine has no blocks, but the ledger has a state.
        StoreError: the ledger's database cannot be read.
    """
    if not folder.signer_key.is_file():
        raise SignerKeyLostError(path=str(folder.signer_key))
    if signed_height(folder) is None:
        raise SignerStateLostError(path=str(folder.signer_state))
    if not has_blocks(folder) and height_of(folder):
        raise EngineDataLostError(folder=str(folder.engine_data))


def require_free(settings: NodeSettings) -> None:
    """Return if nobody listens at the node's addresses.

    Raises:
        AddressTakenError: somebody does, or this machine has no such address.
    """
    named = {"engine.rpc": settings.engine.rpc, "engine.p2p": settings.engine.p2p}
    named |= {"figures.node": settings.figures.node, "figures.engine": settings.figures.engine}
    for setting, address in named.items():
        if not address:
            continue
        host, _, port = address.rpartition(":")
        try:
            _bind(host.strip("[]"), int(port))
        except (OSError, OverflowError) as wrong:  # a port may be too great
            detail = getattr(wrong, "strerror", None) or str(wrong)
            raise AddressTakenError(setting=setting, address=address, detail=detail) from wrong


def is_free(host: str, port: int) -> bool:
    """Whether this machine has an address, and nobody listens at it."""
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def _bind(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def echoes(path: Path, patience_s: float, stop: Event | None = None) -> bool:
    """Whether an Application answers at its socket.

    Args:
        path: of the socket.
        patience_s: how long it may take.
        stop: ends the waiting when it is set, as if there were an answer.
    """
    deadline, frames = monotonic() + patience_s, Frames()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(LOOK_S)
        try:
            link.connect(str(path))
            link.sendall(frame(abci.Request(echo=abci.RequestEcho(message="?")).SerializeToString()))
            while stop is None or not stop.is_set():
                try:
                    raw = link.recv(4_096)
                except TimeoutError:
                    if monotonic() > deadline:
                        return False
                    continue
                if not raw or frames.feed(raw):
                    return bool(raw)
        except (OSError, WireError):
            return False
    return True


def tied(command: tuple[str, ...]) -> list[str]:
    """A command whose process dies with this one (W-5)."""
    return [sys.executable, "-I", "-S", str(tether.__file__), str(os.getpid()), *command]


def end(process: subprocess.Popen[bytes]) -> None:
    """Tell a process to end, and kill it where it does not."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
