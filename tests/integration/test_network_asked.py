"""A node of a network is asked for nonsense by whoever reaches it, and for more than its room, and goes on."""

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gridproof.connectors.ledger import NetworkClient
from gridproof.drivers.errors import SenderCrowded
from gridproof.drivers.limits import PER_SENDER
from gridproof.modules.registry.messages import AdvanceClock
from gridproof.state import sign_transaction

from tests.engines import engine
from tests.faults import load
from tests.faults.genesis import Person
from tests.faults.lab import PATIENCE_S, Lab, Node

NONSENSE = [
    "/abci_query?path=0xff",
    "/abci_query?path=0xeda080&data=0x00&prove=true",
    "/abci_query?path=0x2f6b6579&data=0x&prove=true",
    f"/abci_query?path=0x2f6b6579&data=0x{'ff' * 600}",
    "/abci_query?path=%22/gridproof/1%22&data=0xc1",
    "/abci_query?path=%22/gridproof/1%22&data=0x" + "91" * 3_000,
    "/abci_query?path=%22/gridproof/1%22&data=0x00&height=%2299999%22",
    "/broadcast_tx_sync?tx=0x",
    "/broadcast_tx_sync?tx=0xff",
    "/check_tx?tx=0x" + "91" * 3_000,
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    engine("cometbft")
    with Lab(tmp_path, 1) as made:
        yield made


@pytest.fixture
def node(lab: Lab) -> Node:
    return lab.nodes[0]


def ask(node: Node, target: str) -> bytes:
    link = HTTPConnection(node.host, node.ports[1], timeout=30)
    try:
        link.request("GET", target)
        return link.getresponse().read()
    finally:
        link.close()


def test_nothing_that_anybody_asks_ends_a_node(node: Node) -> None:
    before = (node.application(), node.engine())
    assert None not in before
    for target in NONSENSE:
        assert ask(node, target).startswith(b"{"), target
    assert b'"latest_block_height":"' in ask(node, "/status")
    assert (node.application(), node.engine()) == before


def behind_a_gap(chain_id: str, person: Person, number: int) -> bytes:
    """One of many transactions that wait for a nonce which never comes."""
    return sign_transaction(
        person.signer,
        chain_id=chain_id,
        sender=person.participant,
        nonce=1 + number % 60,
        valid_until_s=load.FOR_EVER_S + number,
        messages=(AdvanceClock(1),),
    )


def test_b6_a_sender_that_floods_the_engine_is_refused_by_its_class_and_another_one_enters(lab: Lab) -> None:
    flooding, honest, *_ = lab.born.operators
    with closing(NetworkClient(lab.urls, lab.born.chain_id)) as client:
        for number in range(PER_SENDER):
            client.submit(behind_a_gap(lab.born.chain_id, flooding, number))
        with pytest.raises(SenderCrowded) as crowded:
            client.submit(behind_a_gap(lab.born.chain_id, flooding, PER_SENDER))
        assert (crowded.value.sender, crowded.value.limit) == (flooding.participant, PER_SENDER)
        assert int(lab.nodes[0].ask("num_unconfirmed_txs")["total"]) == PER_SENDER
        name = client.submit(load.transaction(lab.born.chain_id, honest, 0))
        assert client.wait(name, PATIENCE_S).result.code == 0
