"""A village whose October is billed and closed, and a network whose headers tell its state."""

from collections.abc import Iterator

import pytest

from gridproof.actors.proofs.anchor import Anchor, anchor_of

from .proven import PERIOD_S, Prover
from tests.light_chain import Network, trusted
from tests.simulation.billed import BilledVillage
from tests.simulation.falsehoods import eventful
from tests.simulation.village import CHAIN as VILLAGE


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledVillage]:
    village = eventful(tmp_path_factory.mktemp("village"))
    yield village
    village.close()


@pytest.fixture
def network(village: BilledVillage) -> Network:
    """The village's network: the header after its last block tells its state."""
    status = village.client.status()
    network = Network(VILLAGE, latest=status.height + 1)
    network.tells(status.height + 1, status.app_hash)
    return network


@pytest.fixture
def anchor(network: Network) -> Anchor:
    return anchor_of(trusted(network.light_block(1)), PERIOD_S)


@pytest.fixture
def prover(village: BilledVillage, network: Network, anchor: Anchor) -> Prover:
    return Prover(village, network, anchor)
