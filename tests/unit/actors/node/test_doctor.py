"""What is wrong with a node: each finding with what to do, and nothing that a peer says trips it."""

import shutil
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from gridproof.actors.node import standing
from gridproof.actors.node.doctor import Finding, examine
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.running import NodeStatus
from gridproof.drivers.cometbft.engine import signer_state_file
from gridproof.drivers.embedded import FolderLock

from tests.unit.actors.node.homes import PEER, Rpc, node_in, program, rpc, settings

NOW_S = 1_800_000_000.0


def at(instant_s: float) -> str:
    """A time as the engine writes it."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


def findings(folder: NodeFolder, now_s: float = NOW_S) -> dict[str, Finding]:
    return {each.what: each for each in examine(folder, lambda: now_s)}


def made(place: Path, rpc_address: str = "", peers: tuple[str, ...] = ()) -> NodeFolder:
    of = settings(rpc=rpc_address, program=str(program(place / "engine", "")))
    return node_in(place / "node", replace(of, engine=replace(of.engine, peers=peers)))


def test_a_node_that_is_well_and_does_not_run(tmp_path: Path) -> None:
    found = findings(made(tmp_path))
    assert list(found) == ["settings", "engine", "rights", "disk", "files", "addresses", "node"]
    assert [name for name, each in found.items() if each.is_wrong] == ["node"]
    assert "gridproof node start" in found["node"].told


def test_each_fault_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    folder = made(tmp_path)
    (tmp_path / "engine").unlink()
    folder.signer_key.chmod(0o644)
    folder.signer_state.unlink()
    folder.stopped.write_text('{"error": "X", "sentence": "The disk is full.", "lasts": true}')
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**20))
    found = findings(folder)
    assert {name for name, each in found.items() if each.is_wrong} == {
        "engine", "rights", "disk", "files", "last stop", "node",
    }  # fmt: skip
    assert "signer/key.json" in found["rights"].told
    assert "node recover" in found["files"].told
    assert found["last stop"].told == "The disk is full."


def test_settings_with_a_fault_end_the_examination(tmp_path: Path) -> None:
    folder = made(tmp_path)
    folder.settings.write_text("nonsense")
    (finding,) = examine(folder)
    assert (finding.what, finding.is_wrong) == ("settings", True)


def running(place: Path, engine: Rpc, peers: tuple[str, ...] = ()) -> tuple[NodeFolder, FolderLock]:
    folder = made(place, engine.address, peers)
    return folder, FolderLock(folder.root)


def test_a_key_that_was_silenced_is_told_with_the_blocks_to_go(tmp_path: Path) -> None:
    with rpc() as engine:
        engine.status(12)
        folder, lock = running(tmp_path, engine)
        assert "vote" not in findings(folder)
        folder.signer_state.write_bytes(signer_state_file(30))
        found = findings(folder)["vote"]
        lock.release()
    assert not found.is_wrong
    assert "up to height 30, 18 blocks from here" in found.told


@pytest.mark.parametrize(("before", "says"), [(300, "since height 7 for 300 s, and 3 transactions wait"), (4, "")])
def test_a_network_that_stands_still_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, says: str
) -> None:
    monkeypatch.setattr(standing, "AGAIN_S", 0.1)
    monkeypatch.setattr(standing, "LOOK_S", 0.01)
    with rpc() as engine:
        engine.status(7, latest_block_time=at(NOW_S - before))
        engine.told["num_unconfirmed_txs"] = {"n_txs": "3"}
        folder, lock = running(tmp_path, engine)
        found = findings(folder)
        lock.release()
    assert ("blocks" in found) == bool(says)
    if says:
        assert found["blocks"].is_wrong
        assert says in found["blocks"].told


@pytest.mark.parametrize(
    "of",
    [
        {"waiting": 0},
        {"catching_up": True},
        {"height": 0},
        {"height": None},
        {"time": "some time ago"},
        {"time": ""},
    ],
)
def test_a_network_at_rest_or_a_node_that_is_behind_does_not_stand_still(tmp_path: Path, of: dict[str, Any]) -> None:
    status = NodeStatus("Alpha Energy", tmp_path, runs=True, rpc="", height=7, time=at(NOW_S - 300), waiting=1)
    assert standing.standstill_of(made(tmp_path), status._replace(**of), lambda: NOW_S) == ""


@pytest.mark.parametrize("after", [{"height": 8}, {"waiting": 0}, {"height": None}])
def test_the_first_transaction_after_a_rest_is_no_standstill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: dict[str, Any]
) -> None:
    status = NodeStatus("Alpha Energy", tmp_path, runs=True, rpc="", height=7, time=at(NOW_S - 300), waiting=1)
    told = iter([status, status._replace(**after)])
    monkeypatch.setattr(standing, "LOOK_S", 0.0)
    monkeypatch.setattr(standing, "status_of", lambda _folder: next(told))
    assert standing.standstill_of(made(tmp_path), status, lambda: NOW_S) == ""


def test_a_node_that_runs_and_does_not_answer(tmp_path: Path) -> None:
    folder = made(tmp_path)
    lock = FolderLock(folder.root)
    assert "does not answer" in findings(folder)["node"].told
    lock.release()


def test_a_node_that_runs_alone(tmp_path: Path) -> None:
    with rpc() as engine:
        engine.status(7, catching_up=True)
        folder, lock = running(tmp_path, engine, (PEER,))
        found = findings(folder)
        lock.release()
    assert "height 7" in found["node"].told
    assert "catching up" in found["node"].told
    assert found["peers"].is_wrong
    assert not found["clock"].is_wrong, "there is no other one"


def beside(engine: Rpc, other: Rpc) -> None:
    """Make a node the other's neighbour."""
    port = other.address.rpartition(":")[2]
    info = {"listen_addr": "tcp://127.0.0.1:1", "other": {"rpc_address": f"tcp://0.0.0.0:{port}"}}
    engine.told["net_info"] = {"n_peers": "1", "peers": [{"node_info": info}]}


@pytest.mark.parametrize(("ahead", "is_wrong"), [(1, False), (9, True)])
def test_a_node_that_others_are_ahead_of(tmp_path: Path, ahead: int, *, is_wrong: bool) -> None:
    with rpc() as engine, rpc() as other:
        engine.status(7)
        other.status(7 + ahead)
        beside(engine, other)
        folder, lock = running(tmp_path, engine)
        found = findings(folder)
        lock.release()
    assert ("height" in found) == is_wrong


@pytest.mark.parametrize(
    ("apart_s", "says"), [(0, "within"), (-9, "within"), (60, "60 s behind"), (-60, "60 s ahead of")]
)
def test_a_clock_is_held_against_the_others(tmp_path: Path, apart_s: int, says: str) -> None:
    with rpc() as engine, rpc() as other:
        engine.status(7)
        other.date = formatdate(NOW_S + apart_s, usegmt=True)
        beside(engine, other)
        folder, lock = running(tmp_path, engine)
        found = findings(folder)
        lock.release()
    assert says in found["clock"].told
    assert found["clock"].is_wrong == ("within" not in says)


@pytest.mark.parametrize(
    "info",
    [
        {"listen_addr": "tcp://127.0.0.1:1", "other": {"rpc_address": "tcp://x:port"}},
        {"listen_addr": "tcp://127.0.0.1:1", "other": {"rpc_address": "tcp://x:99999"}},
        {"listen_addr": "tcp://127.0.0.1:1", "other": {"rpc_address": "tcp://x:1"}},
        {"listen_addr": "tcp://" + "x" * 300 + ":1", "other": {"rpc_address": "tcp://x:1"}},
        {"listen_addr": "", "other": {"rpc_address": ""}},
        {"listen_addr": "tcp://a b:1", "other": {"rpc_address": "tcp://x:1"}},
        {"listen_addr": 7},
        {},
        None,
    ],
)
def test_nothing_that_a_peer_says_of_itself_trips_the_examination(tmp_path: Path, info: Any) -> None:
    with rpc() as engine:
        engine.status(7)
        engine.told["net_info"] = {"n_peers": "1", "peers": [{"node_info": info}]}
        folder, lock = running(tmp_path, engine)
        found = findings(folder)
        lock.release()
    assert not found["clock"].is_wrong


def test_a_server_that_tells_no_time_is_passed_over(tmp_path: Path) -> None:
    with rpc() as engine, rpc() as other:
        engine.status(7)
        other.date = "the day after tomorrow"
        beside(engine, other)
        folder, lock = running(tmp_path, engine)
        assert "no other node" in findings(folder)["clock"].told
        lock.release()
