"""A network of four goes over to a newer program at a height, its nodes upgraded one after the other; one is forgotten.

Version 2 is `tests.upgraded`. Blocks come with transactions only, which the test sends itself: how many there are
before the height follows from that, and not from how quick the machine is.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from gridproof import app
from gridproof.actors.node.serving import read_stopped
from gridproof.app import application
from gridproof.cli.node import LASTS
from gridproof.connectors.ledger import NetworkClient, RemoteHistory
from gridproof.drivers.verification import replay
from gridproof.modules.consensus import queries as consensus
from gridproof.modules.consensus.changes import ScheduleUpgrade
from gridproof.modules.consensus.messages import SupportChange
from gridproof.modules.registry import queries as registry
from gridproof.state import Message, sign_transaction
from gridproof.state.errors import UpgradeNeededError

from tests import upgraded
from tests.engines import engine
from tests.faults import load
from tests.faults.genesis import Person
from tests.faults.lab import Lab, Node

SECOND: Final = ("-m", "tests.upgraded", "node", "start", "-C")
FORGOTTEN: Final = 3
BLOCKS_AHEAD: Final = 60  # above what is sent before the last node is upgraded
WHILE_DOWN: Final = 4


@pytest.fixture(autouse=True)
def _engine() -> None:
    engine("cometbft")


class Rehearsal:
    """The network, and somebody who sends transactions."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.sender = lab.born.operators[0]
        self.sent = 0

    @contextmanager
    def client(self, *nodes: Node) -> Iterator[NetworkClient]:
        client = NetworkClient([each.url for each in nodes or self.lab.nodes], self.lab.born.chain_id)
        try:
            yield client
        finally:
            client.close()

    def send(self, count: int) -> None:
        """Send so many transactions, one after the other, each to its block."""
        with self.client(*self.lab.running) as client:
            for _ in range(count):
                load.settle(client, load.transaction(self.lab.born.chain_id, self.sender, self.sent))
                self.sent += 1

    def send_to(self, height: int) -> None:
        """Send until a height is reached."""
        while self.lab.height() < height:
            self.send(1)

    def say(self, person: Person, message: Message) -> int:
        raw = sign_transaction(
            person.signer, chain_id=self.lab.born.chain_id, sender=person.participant, nonce=0,
            valid_until_s=load.FOR_EVER_S, messages=(message,), aux=secrets.token_bytes(32),
        )  # fmt: skip
        with self.client(*self.lab.running) as client:
            return load.settle(client, raw)

    def schedule(self) -> int:
        """Three of four agree; the height."""
        height = self.lab.height() + BLOCKS_AHEAD
        change = SupportChange(0, ScheduleUpgrade(upgraded.VERSION, height))
        for member in self.lab.born.members[:3]:
            self.say(Person(member.participant, member.transaction), change)
        with self.client() as client:
            due = client.ask(consensus.upgrade)
        assert due is not None
        assert (due.version, due.height) == (upgraded.VERSION, height)
        return height

    def upgrade_one_after_the_other(self) -> None:
        for node in self.lab.nodes[:FORGOTTEN]:
            node.end()
            self.send(WHILE_DOWN)  # the other three go on
            node.start(SECOND)
            self.lab.until_together()

    def region_on(self, node: Node) -> str:
        with self.client(node) as client:
            ((_, region),) = client.ask(registry.regions)
        return region.name


def test_four_nodes_go_over_at_a_height_and_a_forgotten_one_stops_there_and_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lab(tmp_path) as lab:
        run = Rehearsal(lab)
        run.send(2)
        height = run.schedule()
        run.upgrade_one_after_the_other()
        assert lab.height() < height - 1, "all of that was before the height; make BLOCKS_AHEAD larger"
        forgotten = lab.nodes[FORGOTTEN]
        assert [run.region_on(node) for node in lab.nodes] == ["Riedholz"] * 4

        run.send_to(height + 2)
        _stopped_with_its_sentence(lab, forgotten, height)
        others = lab.nodes[:FORGOTTEN]
        run.say(run.lab.born.operators[1], upgraded.Greet())  # only version 2 knows it
        _gone_over(run, others, height)

        forgotten.lose_state()  # so that version 2 replays all that version 1 computed
        forgotten.start(SECOND)
        run.send(2)
        _gone_over(run, lab.nodes, height)
        assert load.count(lab, []).transactions == run.sent + len(others) + 1
        _verified(run, height, monkeypatch)


def _stopped_with_its_sentence(lab: Lab, node: Node, height: int) -> None:
    """It ends by itself, with the code that keeps a service manager from starting it again, and says why."""
    process = node.process
    assert process is not None
    lab.until(lambda: process.poll() is not None, "the forgotten node stops")
    assert node.wait() == LASTS
    stopped = read_stopped(node.folder)
    assert stopped is not None
    assert (stopped.error, stopped.lasts) == (UpgradeNeededError.__name__, True)
    sentence = str(UpgradeNeededError(height=height, needed=upgraded.VERSION, program=1))
    assert stopped.sentence == sentence
    assert sentence in node.words()
    assert "Starting again" not in node.words()


def _gone_over(run: Rehearsal, nodes: list[Node], height: int) -> None:
    """All are at one state under version 2, and say so in the blocks after the height."""
    run.lab.until_together(nodes)
    for node in nodes:
        assert run.region_on(node) == "Riedholz" + upgraded.RENEWED
        with run.client(node) as client:
            assert client.ask(consensus.version) == upgraded.VERSION
            assert client.ask(consensus.upgrade) is None
            assert client.ask(upgraded.greetings_of, run.lab.born.operators[1].participant) == 1
        versions = [_header(node, at)["version"]["app"] for at in (height - 1, height, height + 1)]
        assert versions == ["1", "1", "2"], "the block of the height itself was proposed under the old version"
        assert _header(node, height)["app_hash"] != _header(node, height + 1)["app_hash"]
        assert node.ask("abci_info")["response"]["app_version"] == "2"


def _header(node: Node, height: int) -> Any:
    return node.ask("block", height=str(height))["block"]["header"]


def _verified(run: Rehearsal, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 1 names the height that it ends at; version 2 still knows the rules of version 1, and replays all."""
    with run.client() as client:
        history = RemoteHistory(client)
        old = replay(history, application)
        sentence = str(UpgradeNeededError(height=height, needed=upgraded.VERSION, program=1))
        assert old.falsehoods == (f"block {height}: {sentence}",)
        assert old.last_height == height - 1
        monkeypatch.setattr(app, "modules", upgraded.modules)
        monkeypatch.setattr(app, "APPLICATION_VERSION", upgraded.VERSION)
        new = replay(history, application)
    assert new.falsehoods == ()
    assert (new.last_height, new.app_hash) == (history.last_height, history.last_hash)
    assert new.transactions == run.sent + 4  # three supports and a greeting
