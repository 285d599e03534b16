"""One node, many processes: all submit and query at once; a node killed meanwhile loses and doubles nothing."""

import os
import random
import signal
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from gridproof.connectors.ledger import NodeUnreachableError, SocketClient
from gridproof.drivers.embedded import back_up, restore
from gridproof.drivers.embedded.ledger import DATABASE_NAME
from gridproof.drivers.errors import LedgerLockedError
from gridproof.drivers.verification import verify_store
from gridproof.state.store import LmdbStore

from .victims import PATIENCE_S, open_ledger, send, serve, start, watch
from tests.tiny.app import tiny
from tests.tiny.notices.types import LAST_NUMBER, NOTICES

COUNT = 12


class Told:
    """A process and what it will tell."""

    def __init__(self, target: Any, *arguments: Any) -> None:
        self._here, there = Pipe()
        self.process = start(target, *arguments, there)
        there.close()

    def hear(self) -> Any:
        assert self._here.poll(PATIENCE_S), "the process said nothing"
        said = self._here.recv()
        self._here.close()
        return said


class House:
    """A folder, and the node that serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "ledger"
        self.socket = str(folder / "node.sock")
        self.node: ForkServerProcess | None = None

    def open(self) -> None:
        serving = Told(serve, str(self.folder), self.socket)
        assert serving.hear() == "ready"
        self.node = serving.process

    def end(self, number: signal.Signals) -> None:
        if self.node is not None:
            os.kill(self.node.pid or 0, number)
            self.node.join(PATIENCE_S)
            self.node = None


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.open()
    yield made
    made.end(signal.SIGKILL)


def require_each_counted_once(house: House, sent: dict[int, list[Any]], *, spare: int = 0) -> None:
    """Every notice that was acknowledged stands in its block, and no more were stored than were acknowledged."""
    house.end(signal.SIGTERM)
    with open_ledger(house.folder) as ledger:
        with ledger.application.reading() as view:
            for region, places in sent.items():
                assert all(isinstance(place, tuple) for place in places), places
                assert LAST_NUMBER.get(view, region) == len(places)
                texts = [notice.text for _, notice in NOTICES.under(view, region)]
                assert len(set(texts)) == len(texts) == len(places)
        assert len({place for places in sent.values() for place in places}) == sum(map(len, sent.values()))
        report = verify_store(ledger.store, tiny)
        assert report.falsehoods == ()
        assert report.transactions == sum(map(len, sent.values())) + spare


def test_processes_submit_and_query_at_once(house: House) -> None:
    senders = {region: Told(send, house.socket, "operator", region, COUNT) for region in (1, 2, 3)}
    refused = Told(send, house.socket, "household-1", 4, COUNT)
    watchers = [Told(watch, house.socket, 3 * COUNT) for _ in range(2)]
    assert refused.hear() == ["NotPermitted"] * COUNT
    sent = {region: sender.hear() for region, sender in senders.items()}
    seen = [watcher.hear() for watcher in watchers]
    assert seen[0][0] == seen[1][0] == sorted(set(seen[0][0])), "each event once, in order, to each"
    for _, heights in seen:
        assert heights == sorted(heights)
    require_each_counted_once(house, sent, spare=COUNT)


def test_a_node_killed_while_they_send_loses_nothing_and_counts_nothing_twice(house: House) -> None:
    chance = random.Random(5)
    senders = {region: Told(send, house.socket, "operator", region, 2 * COUNT) for region in (1, 2)}
    watcher = Told(watch, house.socket, 4 * COUNT)
    for _ in range(6):
        sleep(chance.uniform(0.02, 0.15))
        house.end(signal.SIGKILL)
        house.open()
    sent = {region: sender.hear() for region, sender in senders.items()}
    cursors, _ = watcher.hear()
    assert cursors == sorted(set(cursors))
    require_each_counted_once(house, sent)


def test_a_running_node_is_verified_and_backed_up_by_another_process(house: House, tmp_path: Path) -> None:
    sender = Told(send, house.socket, "operator", 1, 4 * COUNT)
    client = SocketClient(house.socket)
    assert any(client.events_since(b"", 1, 20) for _ in range(12)), "it made a block"
    client.close()
    store = LmdbStore(str(house.folder / DATABASE_NAME), read_only=True)
    reports = [verify_store(store, tiny) for _ in range(3)]
    back_up(store, tmp_path / "backup")
    store.close()
    assert [report.falsehoods for report in reports] == [()] * 3
    assert 1 <= reports[0].last_height <= reports[1].last_height <= reports[2].last_height
    restored = restore(tmp_path / "backup", tmp_path / "restored", tiny)
    assert restored.last_height >= reports[2].last_height
    require_each_counted_once(house, {1: sender.hear()})


def test_a_second_node_names_the_first_and_leaves_it_alone(house: House) -> None:
    with pytest.raises(LedgerLockedError) as held:
        open_ledger(house.folder)
    assert house.node is not None
    assert held.value.held_by == f"process {house.node.pid}"
    client = SocketClient(house.socket)
    assert client.status().height == 0
    client.close()


def test_a_node_told_to_end_leaves_no_socket_and_its_folder_free(house: House) -> None:
    node = house.node
    assert node is not None
    house.end(signal.SIGTERM)
    assert node.exitcode == 0
    assert not Path(house.socket).exists()
    with pytest.raises(NodeUnreachableError):
        SocketClient(house.socket).status()
    open_ledger(house.folder).close()


def test_a_killed_nodes_socket_is_taken_over(house: House) -> None:
    house.end(signal.SIGKILL)
    assert Path(house.socket).exists()
    house.open()
    client = SocketClient(house.socket)
    assert client.status().chain_id == "tiny-1"
    client.close()
