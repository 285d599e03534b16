"""A real network whose validators change is followed from its first header by what its nodes tell."""

from collections.abc import Iterator
from contextlib import closing
from time import monotonic, sleep, time_ns

import pytest

from gridproof.actors.proofs.anchor import anchor_of
from gridproof.actors.proofs.errors import HeaderDiffersError
from gridproof.actors.proofs.proving import agreed_block, find_header, lead
from gridproof.connectors.engine_headers import AnyNode, EngineRpc
from gridproof.light import Policy, Time, Trusted, verify_chain, verify_step
from gridproof.light.errors import TooLittleTrustError

from tests.engines import engine
from tests.kvstore_network import KvNetwork, rotate

PERIOD_S = 3_600
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvNetwork]:
    with KvNetwork(engine("cometbft"), tmp_path_factory.mktemp("network")) as network:
        last = rotate(network)
        deadline = monotonic() + PATIENCE_S
        while any(network.height(node) <= last for node in range(len(network.urls))):  # until the last state is bound
            assert monotonic() < deadline
            sleep(0.05)
        yield network


@pytest.fixture
def nodes(network: KvNetwork) -> Iterator[list[EngineRpc]]:
    found = [EngineRpc(url) for url in network.urls]
    yield found
    for node in found:
        node.close()


def now() -> Time:
    return Time(time_ns() // 10**9, time_ns() % 10**9)


def test_from_the_first_header_to_the_last_through_a_change_of_almost_all_validators(nodes: list[EngineRpc]) -> None:
    first = agreed_block(nodes, 1).block
    headers = AnyNode(nodes)
    end = headers.light_block(headers.latest_height())
    with pytest.raises(TooLittleTrustError):
        verify_step(first, end, Policy(PERIOD_S), now())
    start, blocks = lead(headers, anchor_of(first, PERIOD_S), end, now())
    assert start == first
    assert len(blocks) > 1
    reached = verify_chain(start, blocks, Policy(PERIOD_S), now())
    assert reached == Trusted(end.header, end.validators)


def test_a_state_is_found_in_the_header_after_its_block(network: KvNetwork, nodes: list[EngineRpc]) -> None:
    headers = AnyNode(nodes)
    last = headers.latest_height()
    told = headers.light_block(last).header.app_hash
    assert find_header(headers, (last - 1, told)).header.height == last
    assert find_header(headers, (last, told)).header.app_hash == told
    with pytest.raises(HeaderDiffersError):
        find_header(headers, (last - 1, bytes(8)))


def test_a_node_that_is_gone_is_passed_over(network: KvNetwork, nodes: list[EngineRpc]) -> None:
    host = network.urls[0].rpartition(":")[0]
    with closing(EngineRpc(f"{host}:1", answer_s=2)) as gone:
        assert AnyNode([gone, *nodes]).latest_height() > 5
