"""A node of a network is asked for nonsense by whoever reaches it, and goes on."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.engines import engine
from tests.faults.lab import Lab, Node

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
def node(tmp_path: Path) -> Iterator[Node]:
    engine("cometbft")
    with Lab(tmp_path, 1) as lab:
        yield lab.nodes[0]


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
