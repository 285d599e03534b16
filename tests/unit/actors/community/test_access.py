"""Reaching the ledger: in process, or through the node's socket, whoever comes when."""

import socket
import threading
from pathlib import Path

import pytest

from gridproof.actors.community import Community
from gridproof.actors.community.access import at_work, hold, reached, require_ledger, stored
from gridproof.actors.community.errors import AtWorkError, LedgerGoneError
from gridproof.actors.community.folder import MAX_SOCKET_PATH, Folder, file_stem
from gridproof.actors.community.running import serving, worker_pool
from gridproof.connectors.ledger import InProcessClient
from gridproof.drivers.errors import LedgerLockedError
from gridproof.modules.registry import queries as registry

from tests.unit.cli.home import NAMES, founded, typed


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Community(founded(tmp_path / "home")).folder


def test_ledger_is_held_here_when_nobody_runs_it_and_free_again_afterwards(folder: Folder) -> None:
    for _ in range(2):
        with reached(folder) as ledger:
            assert ledger.ledger is not None
            assert ledger.client.status().height == 1


def test_running_node_is_asked_through_its_socket(folder: Folder) -> None:
    community = Community(folder.root)
    with hold(folder) as ledger, serving(ledger, community), reached(folder) as other:
        assert other.ledger is None
        assert other.client.status() == ledger.status()
        with pytest.raises(LedgerLockedError):
            hold(folder, patience_s=0)
    assert not folder.socket.exists()


def test_node_in_a_deep_folder_is_reached_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    community = Community(founded(deep / "home"))
    assert len(str(community.folder.root)) > MAX_SOCKET_PATH
    same = Community(community.folder.root).folder
    with hold(community.folder) as ledger, serving(ledger, community), reached(same) as other:
        assert other.ledger is None
        assert other.client.status().height == 1


def test_socket_of_a_dead_node_holds_nobody_up(folder: Folder) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder.socket))
    with reached(folder) as ledger:
        assert ledger.ledger is not None
    with hold(folder) as held_ledger, serving(held_ledger, Community(folder.root)):
        pass


def test_who_comes_at_the_same_time_waits_a_moment(folder: Folder) -> None:
    ledger = hold(folder)
    threading.Timer(0.3, ledger.close).start()
    with reached(folder) as other:
        assert other.ledger is not None
    ledger = hold(folder)
    with pytest.raises(LedgerLockedError), reached(folder, patience_s=0.1):
        pass
    ledger.close()


def test_lost_ledger_is_told_and_not_begun_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(LedgerGoneError) as raised:
        require_ledger(folder)
    assert raised.value.folder == str(folder.ledger)
    with pytest.raises(LedgerGoneError), stored(folder):
        pass
    assert not folder.ledger.exists()


def test_one_process_acts_for_the_participants_at_a_time(folder: Folder) -> None:
    with at_work(folder):
        with pytest.raises(AtWorkError) as raised, at_work(folder, patience_s=0.1):
            pass
        assert raised.value.held_by.startswith("process ")
    with at_work(folder):
        pass


def test_what_a_killed_writing_left_of_secrets_is_erased_before_work_and_nothing_else(folder: Folder) -> None:
    holders = [
        folder.keys,
        folder.recovery,
        folder.bill_provider,
        *(folder.bill_provider / kind / "1-import" for kind in ("chains", "views", "owners")),
        folder.enrolments,
    ]
    for holder in holders:
        holder.mkdir(parents=True, exist_ok=True)
        for name in (".100.key.0badcafe.new", ".100.key.new", "100.new", ".notes", ".100.key.somebody.new"):
            (holder / name).write_bytes(b"secret")
    before = set(folder.root.rglob("*"))
    with pytest.raises(AtWorkError), at_work(folder), at_work(folder, patience_s=0):
        pass
    gone = before - set(folder.root.rglob("*"))
    assert gone == {holder / ".100.key.0badcafe.new" for holder in holders}


def test_while_another_works_its_unfinished_writing_is_left_alone(folder: Folder) -> None:
    with at_work(folder):
        unfinished = folder.keys / ".100.key.0badcafe.new"
        unfinished.write_bytes(b"secret")
        with pytest.raises(AtWorkError), at_work(folder, patience_s=0):
            pass
        assert unfinished.exists()


def test_block_is_made_of_what_others_send_to_a_resting_node(folder: Folder) -> None:
    with hold(folder) as ledger, serving(ledger, Community(folder.root)):
        typed("meter", "enrol", "Ada", "-C", folder.root)
        assert ledger.head.height > 1


def test_many_meters_get_processes_of_their_own(folder: Folder) -> None:
    with hold(folder) as ledger, worker_pool(InProcessClient(ledger)) as executor:
        assert executor is None
    typed("meter", "enrol", *NAMES, *(f"m{number}" for number in range(20)), "-C", folder.root)
    with hold(folder) as ledger:
        client = InProcessClient(ledger)
        assert len(client.ask(registry.meters, 1)) == 26
        with worker_pool(client) as executor:
            if executor is not None:  # on a machine with one core there is none
                assert executor.submit(sum, (1, 2)).result() == 3
        if executor is not None:
            with pytest.raises(KeyError), worker_pool(client):
                raise KeyError


def test_file_stems_are_readable_short_and_differ() -> None:
    assert file_stem("bill provider") == "bill provider"
    assert file_stem("a/b") == "a%2Fb"
    long = {file_stem("Ж" * 63 + last) for last in "АБ"}
    assert len(long) == 2
    assert all(len(stem) <= 100 for stem in long)
