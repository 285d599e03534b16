"""The ledger's process of a node: serves until it is told to stop, and says why it stopped by itself."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace

from gridproof.actors.node import serving as module
from gridproof.actors.node.folder import NodeFolder, height_of
from gridproof.actors.node.serving import COLLECT_AFTER, RESTARTS, Stopped, read_stopped, serve, write_stopped
from gridproof.actors.node.settings import FiguresSection, KeepSection
from gridproof.actors.node.supervisor import echoes
from gridproof.drivers.cometbft.frames import Frames, frame
from gridproof.drivers.cometbft.service import write_app_state
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.embedded import FolderLock

from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis
from tests.unit.actors.node.homes import PATIENCE_S, free_address, mode, node_in, settings, until
from tests.unit.drivers.scenes import signed

BIRTH = abci.Request(
    init_chain=abci.RequestInitChain(
        chain_id="tiny-1", initial_height=1, app_state_bytes=json.encode(write_app_state(tiny_genesis()))
    )
)


class Served:
    """A node's ledger that is served in a thread."""

    def __init__(self, folder: NodeFolder, factory: Any = tiny) -> None:
        self.folder, self.stop, self.ready = folder, Event(), Event()
        self.stopped: list[Stopped | None] = []
        self._factory = factory
        self._thread = Thread(target=self._run)

    def _run(self) -> None:
        self.stopped.append(serve(self.folder, factory=self._factory, stop=self.stop, ready=self.ready.set))

    def __enter__(self) -> "Served":  # noqa: PYI034 - it is never inherited from
        self._thread.start()
        until(lambda: self.ready.is_set() or self.stopped)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_S)

    def ask(self, *requests: abci.Request) -> list[abci.Response]:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(PATIENCE_S)
            link.connect(str(self.folder.socket))
            link.sendall(b"".join(frame(each.SerializeToString()) for each in requests))
            frames, heard = Frames(), list[bytes]()
            while len(heard) < len(requests) and (raw := link.recv(2**16)):
                heard += frames.feed(raw)
        return [abci.Response.FromString(each) for each in heard]


def block(height: int, *raws: bytes) -> list[abci.Request]:
    asked = abci.RequestFinalizeBlock(height=height, txs=raws)
    asked.time.seconds = GENESIS_TIME_S + 10
    return [abci.Request(finalize_block=asked), abci.Request(commit=abci.RequestCommit())]


@pytest.fixture
def folder(tmp_path: Path) -> NodeFolder:
    return node_in(tmp_path / "node", replace(settings(), keep=KeepSection(snapshot_every=2)))


def test_a_ledger_is_served_until_it_is_told_to_stop_and_is_there_again(folder: NodeFolder) -> None:
    folder.stopped.write_text("old")
    with Served(folder) as served:
        assert echoes(folder.socket, PATIENCE_S)
        served.ask(BIRTH, *block(1, signed()), *block(2))
    assert served.stopped == [None]
    assert read_stopped(folder) is None
    assert not folder.socket.exists()
    assert height_of(folder) == 2
    assert list(folder.snapshots.iterdir()), "as the settings say"
    with Served(folder) as served:
        (told,) = served.ask(abci.Request(info=abci.RequestInfo()))
        assert told.info.last_block_height == 2


def test_a_failure_is_written_down_with_its_sentence(folder: NodeFolder) -> None:
    with Served(folder) as served:
        (told,) = served.ask(abci.Request(commit=abci.RequestCommit()))
        assert told.WhichOneof("value") == "exception"
        until(lambda: served.stopped)
    (stopped,) = served.stopped
    assert stopped is not None
    assert (stopped.error, stopped.lasts) == ("NothingStagedError", False)
    assert read_stopped(folder) == stopped
    assert mode(folder.stopped) == 0o600


def test_what_a_new_start_cannot_mend_is_marked(folder: NodeFolder) -> None:
    other = abci.Request(init_chain=abci.RequestInitChain(chain_id="other-1", app_state_bytes=b"{}"))
    with Served(folder) as served:
        served.ask(other)
        until(lambda: served.stopped)
    (stopped,) = served.stopped
    assert stopped is not None
    assert (stopped.error, stopped.lasts) == ("GenesisDiffersError", True)


def test_a_fault_of_the_program_is_written_down_too(folder: NodeFolder) -> None:
    def broken(store: Any, verifier: Any) -> Any:
        made = tiny(store, verifier)
        made.init_chain = None  # type: ignore[assignment,method-assign]
        return made

    with Served(folder, broken) as served:
        served.ask(BIRTH)
        until(lambda: served.stopped)
    (stopped,) = served.stopped
    assert stopped is not None
    assert (stopped.error, stopped.lasts) == ("NodeFailedError", False)


def test_what_keeps_a_ledger_from_being_opened_is_written_down(folder: NodeFolder) -> None:
    lock = FolderLock(folder.ledger)
    stopped = serve(folder, factory=tiny, stop=Event())
    lock.release()
    assert stopped is not None
    assert stopped.error == "LedgerLockedError"
    folder.settings.write_text("nonsense")
    stopped = serve(folder, factory=tiny, stop=Event())
    assert stopped is not None
    assert stopped.error == "NodeSettingsError"


def test_where_even_the_reason_cannot_be_written_the_log_has_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_stopped(NodeFolder(tmp_path / "none"), Stopped("X", "Full.", lasts=True))
    assert "Full." in caplog.text


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"error": 1}', b"\xff", b"x" * (2**16 + 1)])
def test_a_reason_that_cannot_be_read_is_none(folder: NodeFolder, raw: bytes) -> None:
    folder.stopped.write_bytes(raw)
    assert read_stopped(folder) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_handlers_are_as_before(folder: NodeFolder, number: int) -> None:
    before = signal.getsignal(number)
    assert serve(folder, factory=tiny, ready=lambda: os.kill(os.getpid(), number)) is None
    assert signal.getsignal(number) is before


def test_figures_are_served_where_the_settings_say_so_and_their_want_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = free_address()
    host, _, port = address.partition(":")
    folder = node_in(tmp_path / "node", replace(settings(), figures=FiguresSection(node=address)))
    with Served(folder), socket.create_connection((host, int(port)), PATIENCE_S):
        pass
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last connection may not be quite gone
        taken.bind((host, int(port)))
        taken.listen()
        with Served(folder):
            assert echoes(folder.socket, PATIENCE_S)
    assert "no figures" in caplog.text


@pytest.mark.parametrize(("told", "count"), [("3", 3), ("", 0), ("x", 0), ("-1", 0)])
def test_how_often_it_was_started_again_comes_from_the_supervisor(
    monkeypatch: pytest.MonkeyPatch, told: str, count: int
) -> None:
    monkeypatch.setenv(RESTARTS, told)
    assert module._restarts() == count
    monkeypatch.delenv(RESTARTS)
    assert module._restarts() == 0


def test_a_node_looks_for_garbage_seldom() -> None:
    """In a process of its own, for it is all of that process that changes."""
    words = "import gc; from gridproof.actors.node.serving import *; collect_seldom(); print(gc.get_threshold()[0])"
    told = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert int(told.stdout) == COLLECT_AFTER
