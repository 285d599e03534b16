"""The Application's process of a node: opens the ledger, serves the engine, and says why it stopped.

It runs as a child of the supervisor, which starts the engine once the socket is there. A failure is written to
`stopped.json`; one that a new start cannot mend is marked so.
"""

import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from threading import Event
from typing import Final, NamedTuple

from gridproof.actors.stopping import stopped_by_signals
from gridproof.app import application
from gridproof.connectors.files import PRIVATE_FILE, read_limited, write_whole
from gridproof.drivers.cometbft.errors import FiguresAddressError, GenesisDiffersError
from gridproof.drivers.cometbft.figures import Figures
from gridproof.drivers.cometbft.figures_page import figures_page
from gridproof.drivers.cometbft.server import Server
from gridproof.drivers.cometbft.service import DEFAULTS, Options, Service
from gridproof.drivers.cometbft.sync import Keeping
from gridproof.drivers.embedded import FolderLock
from gridproof.drivers.logs import logger
from gridproof.drivers.ports import ApplicationFactory
from gridproof.drivers.snapshots import SnapshotFolder
from gridproof.drivers.verifying import ThreadedVerifier
from gridproof.errors import GridproofError
from gridproof.state.errors import UpgradeNeededError, VersionError
from gridproof.state.store import LmdbStore, StoreError

from .folder import NodeFolder
from .settings import NodeSettings, load

LASTING: Final = (UpgradeNeededError, VersionError, GenesisDiffersError, StoreError)
LOOK_S: Final = 0.2
COLLECT_AFTER: Final = 50_000  # objects more than there were
MAX_STOPPED: Final = 2**16
RESTARTS: Final = "GRIDPROOF_RESTARTS"  # how often the supervisor started this process again, for the figures

_log = logger("node")


class Stopped(NamedTuple):
    """Why a node stopped.

    Attributes:
        error: the error's class.
        sentence: what happened and what to do.
        lasts: whether a new start cannot mend it.
    """

    error: str
    sentence: str
    lasts: bool


def serve(
    folder: NodeFolder,
    *,
    factory: ApplicationFactory = application,
    options: Options = DEFAULTS,
    stop: Event | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Stopped | None:
    """Serve a node's ledger to its engine until told to stop.

    Args:
        folder: the node's.
        factory: makes the Application; tests rehearse upgrades with another.
        options: of the service.
        stop: set by whoever ends it; by SIGTERM and SIGINT where none is given.
        ready: called once the socket is there.

    Returns:
        Why it stopped by itself, or None.
    """
    folder.stopped.unlink(missing_ok=True)
    try:
        settings = load(folder.root)
        options = _by_settings(settings, folder, options)
        with (
            stopped_by_signals() if stop is None else nullcontext(stop) as over,
            _opened(folder, factory, options, settings.figures.node) as server,
        ):
            ready()
            while not over.wait(LOOK_S) and not server.ended.is_set():
                pass
            failure = server.failure
    except GridproofError as wrong:
        failure = wrong
    if failure is None:
        return None
    stopped = Stopped(type(failure).__name__, str(failure), isinstance(failure, LASTING))
    write_stopped(folder, stopped)
    return stopped


def collect_seldom() -> None:
    """Look for garbage seldom: what a node keeps in memory are values in tables, which no cycle holds on to.

    Python would go through all of it again and again while transactions come in; that was a tenth of the process's
    time. For a process of which this is the whole work.
    """
    gc.collect()
    gc.freeze()  # what was loaded stays
    gc.set_threshold(COLLECT_AFTER, 20, 50)


def write_stopped(folder: NodeFolder, stopped: Stopped) -> None:
    """Write down why a node stopped; where even that cannot be written, the log has it."""
    _log.error("stopped", error=stopped.error, reason=stopped.sentence)
    with suppress(GridproofError):
        write_whole(folder.stopped, json.dumps(stopped._asdict()).encode() + b"\n", PRIVATE_FILE)


def read_stopped(folder: NodeFolder) -> Stopped | None:
    """Why the node stopped the last time, or None."""
    try:
        told = json.loads(read_limited(folder.stopped, MAX_STOPPED))
        return Stopped(str(told["error"]), str(told["sentence"]), bool(told["lasts"]))
    except (GridproofError, ValueError, KeyError, TypeError):
        return None


def _by_settings(settings: NodeSettings, folder: NodeFolder, options: Options) -> Options:
    keep = settings.keep
    keeping = Keeping(SnapshotFolder(folder.snapshots, keep.snapshots), keep.snapshot_every, keep.blocks)
    return options._replace(keeping=keeping, chain_id=settings.node.chain_id)


@contextmanager
def _opened(folder: NodeFolder, factory: ApplicationFactory, options: Options, page: str) -> Iterator[Server]:
    figures = Figures(_restarts())
    lock = FolderLock(folder.ledger)
    try:
        store = LmdbStore(str(folder.database))
        try:
            with ThreadedVerifier() as verifier:
                options = options._replace(observer=figures)
                service = Service(store, factory, figures.verifier(verifier), options)
                figures.watch(service.application, store.size_bytes)
                with closing(service), _told(figures, page), Server(service.answer_all, folder.socket) as server:
                    head = service.application.info()
                    _log.info("serving", height=head.height, app_hash=head.app_hash.hex())
                    yield server
        finally:
            store.close()
    finally:
        lock.release()


@contextmanager
def _told(figures: Figures, address: str) -> Iterator[None]:
    """Serve figures where the settings say so; a ledger goes on without them."""
    with ExitStack() as page:
        try:
            if address:
                page.enter_context(figures_page(figures.registry, address))
        except FiguresAddressError as wrong:
            _log.error("no figures", reason=str(wrong))
        yield


def _restarts() -> int:
    told = os.environ.get(RESTARTS, "")
    return int(told) if told.isdecimal() else 0
