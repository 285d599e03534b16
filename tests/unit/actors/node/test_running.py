"""Starting, stopping and looking at nodes; looking is in nobody's way."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from gridproof.actors.node import running as module
from gridproof.actors.node.errors import NetworkSilentError, NodeRunningError, NoNodeError
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.running import (
    NodeStatus,
    await_nodes,
    last_words,
    process_of,
    start_node,
    status_of,
    statuses_of,
    stop_node,
    words_of_silence,
)
from gridproof.drivers.cometbft.engine import signer_state_file
from gridproof.drivers.embedded import FolderLock, holder_of
from gridproof.drivers.errors import FolderUnusableError, LedgerLockedError

from tests.unit.actors.node.homes import PATIENCE_S, is_there, node_in, rpc, settings, until

HOLDER = """
import fcntl, os, signal, sys, time
{before}
file = os.open(sys.argv[1] + "/lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
os.ftruncate(file, 0); os.pwrite(file, f"{{os.getpid()}}\\n".encode(), 0)
print("held", flush=True)
time.sleep(60)
"""


def holder(folder: NodeFolder, before: str = "") -> "subprocess.Popen[bytes]":
    """A process that holds a node's folder, as a running node does."""
    code = HOLDER.format(before=before)
    made = subprocess.Popen([sys.executable, "-IS", "-c", code, str(folder.root)], stdout=subprocess.PIPE)
    assert made.stdout is not None
    made.stdout.readline()
    made.stdout.close()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> NodeFolder:
    return node_in(tmp_path / "node")


def test_the_process_that_holds_a_folder_is_told_and_looking_changes_nothing(folder: NodeFolder) -> None:
    assert process_of(folder) is None
    assert not (folder.root / "lock").exists()
    with holder(folder) as node:
        assert process_of(folder) == node.pid
        node.kill()
    until(lambda: process_of(folder) is None)
    assert (folder.root / "lock").read_text() == f"{node.pid}\n"


def test_a_node_that_starts_while_it_is_looked_at_starts(folder: NodeFolder) -> None:
    """Whoever looks shares the lock for a moment: the node tries again."""
    over = Event()

    def look() -> None:
        while not over.is_set():
            holder_of(folder.root)

    lookers = [Thread(target=look) for _ in range(2)]
    for each in lookers:
        each.start()
    try:
        for _ in range(50):
            FolderLock(folder.root, PATIENCE_S).release()
    finally:
        over.set()
        for each in lookers:
            each.join()


def test_a_lock_that_is_held_stays_held_after_the_patience(folder: NodeFolder) -> None:
    lock = FolderLock(folder.root)
    with pytest.raises(LedgerLockedError) as refused:
        FolderLock(folder.root, 0.05)
    assert refused.value.held_by == f"process {os.getpid()}"
    lock.release()
    (folder.root / "lock").unlink()
    (folder.root / "lock").mkdir()
    with pytest.raises(FolderUnusableError):
        FolderLock(folder.root)
    (folder.root / "lock").rmdir()
    (folder.root / "lock").symlink_to("lock")
    with pytest.raises(FolderUnusableError):
        holder_of(folder.root)


def test_stopping_tells_a_node_to_end(folder: NodeFolder) -> None:
    assert stop_node(folder) is False
    with holder(folder) as node:
        assert stop_node(folder) is True
        assert node.wait() == -signal.SIGTERM


def test_a_node_that_does_not_end_is_killed(folder: NodeFolder) -> None:
    with holder(folder, "signal.signal(signal.SIGTERM, signal.SIG_IGN)") as node:
        assert stop_node(folder, 0.2) is True
        assert node.wait() == -signal.SIGKILL


def test_a_node_that_is_gone_before_it_is_told_is_stopped(folder: NodeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_process: int, _number: int) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    with holder(folder) as node:
        assert stop_node(folder) is True
        monkeypatch.undo()
        node.kill()


def test_a_node_is_started_in_a_process_of_its_own_that_says_its_words_to_a_file(folder: NodeFolder) -> None:
    folder.settings.write_text("nonsense")
    for tie in (False, True):
        with start_node(folder, dies_with_this=tie) as node:
            assert node.wait(PATIENCE_S) != 0
        assert "settings have a fault" in last_words(folder)
    with pytest.raises(NoNodeError):
        start_node(NodeFolder(folder.root / "none"))


LATE = """
import pathlib, sys, time
while not (pathlib.Path(sys.argv[1]) / "go").exists(): time.sleep(0.01)
"""


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `start_node` starts takes the folder's lock only once there is a file `go`."""
    code = LATE + HOLDER.format(before="").strip()
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-IS", "-c", code))


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("tie", [False, True])
def test_a_node_that_was_started_and_is_not_up_yet_is_found_and_stopped(folder: NodeFolder, *, tie: bool) -> None:
    with start_node(folder, dies_with_this=tie) as node:
        assert holder_of(folder.root) is None, "it has not come so far"
        assert process_of(folder) == node.pid
        assert status_of(folder).runs
        with pytest.raises(NodeRunningError, match=f"process {node.pid}"):
            start_node(folder)
        assert stop_node(folder) is True
        assert node.wait() == -signal.SIGTERM
    assert process_of(folder) is None
    assert stop_node(folder) is False


@pytest.mark.usefixtures("late")
def test_a_node_is_the_same_process_before_and_after_it_holds_its_folder(folder: NodeFolder) -> None:
    with start_node(folder) as node:
        (folder.root / "go").touch()
        until(lambda: holder_of(folder.root) == node.pid)
        assert process_of(folder) == node.pid
        assert stop_node(folder) is True


@pytest.mark.usefixtures("late")
def test_a_node_whose_starter_was_interrupted_before_it_wrote_it_down_is_waited_for_and_stopped(
    folder: NodeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderLock, "hand_on", lambda _lock, _process: None)
    with start_node(folder) as node:
        assert process_of(folder) is None
        assert stop_node(folder, 0.2) is False, "nobody knows which process it is"
        (folder.root / "go").touch()
        assert stop_node(folder) is True
        assert node.wait() == -signal.SIGTERM


def test_last_words_are_the_last_ones(folder: NodeFolder) -> None:
    assert last_words(folder) == "nothing"
    (folder.logs / "start.log").write_bytes(b"")
    assert last_words(folder) == "nothing"
    (folder.logs / "start.log").write_bytes(b"\xff\n" + b"".join(b"line %d\n" % number for number in range(9)))
    assert last_words(folder) == "line 4 | line 5 | line 6 | line 7 | line 8"


# --- how a node is ---------------------------------------------------------------------------------------------------


def test_a_node_that_is_down_says_why_it_stopped(folder: NodeFolder) -> None:
    status = status_of(folder)
    assert (status.name, status.runs, status.height, status.stopped) == ("Alpha Energy", False, None, "")
    folder.stopped.write_text('{"error": "X", "sentence": "Full.", "lasts": true}')
    assert status_of(folder).stopped == "Full."
    with pytest.raises(NoNodeError):
        status_of(NodeFolder(folder.root / "none"))


def test_a_node_that_runs_is_asked(tmp_path: Path) -> None:
    with rpc() as engine:
        engine.status(12, catching_up=True)
        engine.told["net_info"]["n_peers"] = "3"
        engine.told["num_unconfirmed_txs"] = {"n_txs": "5"}
        folder = node_in(tmp_path / "node", settings(rpc=engine.address))
        with holder(folder) as node:
            status = status_of(folder)
            assert (status.runs, status.height, status.catching_up, status.power) == (True, 12, True, 10)
            assert (status.peers, status.waiting, status.rpc) == (3, 5, engine.url)
            assert status.app_hash == "ab" * 32
            engine.told["status"] = {"sync_info": 7}
            assert status_of(folder).height is None
            node.kill()


def test_another_networks_node_at_its_address_is_not_taken_for_it(tmp_path: Path) -> None:
    with rpc() as engine:
        engine.status(12)
        engine.told["status"]["node_info"]["network"] = "other-2"
        folder = node_in(tmp_path / "node", settings(rpc=engine.address))
        with holder(folder) as node:
            status = status_of(folder)
            assert (status.runs, status.height, status.app_hash, status.foreign) == (True, None, "", "other-2")
            with pytest.raises(NetworkSilentError) as silent:
                await_nodes([folder], 0)
            node.kill()
    assert "Alpha Energy: " in silent.value.detail


def test_a_node_whose_key_was_silenced_is_shown_as_such_until_it_may_sign_again(tmp_path: Path) -> None:
    with rpc() as engine:
        folder = node_in(tmp_path / "node", settings(rpc=engine.address))
        folder.signer_state.write_bytes(signer_state_file(30))
        with holder(folder) as node:
            for height, until in ((12, 30), (28, 30), (29, None), (30, None), (31, None)):
                engine.status(height)
                status = status_of(folder)
                assert status.silent_until == until, "a key that signs block 30 has just signed it"
                assert bool(words_of_silence(status)) == (until is not None)
            engine.status(12)
            assert "up to height 30, 18 blocks from here" in words_of_silence(status_of(folder))
            node.kill()
    assert status_of(folder).silent_until is None
    assert words_of_silence(status_of(folder)) == ""


def test_of_many_nodes_none_waits_for_another_to_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders, all_asked = [node_in(tmp_path / name) for name in "abc"], Barrier(3)
    told = status_of(folders[0])

    def ask(folder: NodeFolder) -> NodeStatus:
        all_asked.wait(PATIENCE_S)
        return told._replace(folder=folder.root)

    monkeypatch.setattr(module, "status_of", ask)
    assert [status.folder for status in statuses_of(folders)] == [folder.root for folder in folders]
    assert statuses_of([]) == []


def test_nodes_are_waited_for_until_each_has_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    with rpc() as engine:
        engine.status(0)
        folder = node_in(tmp_path / "node", settings(rpc=engine.address))
        (folder.logs / "start.log").write_text("I cannot.\n")
        with holder(folder) as node:
            with pytest.raises(NetworkSilentError) as refused:
                await_nodes([folder], 0.1)
            assert refused.value.detail == "Alpha Energy: I cannot."
            engine.status(1)
            await_nodes([folder], PATIENCE_S)
            node.kill()
    assert not is_there(node.pid)
