"""What several of these tests begin with."""

from collections.abc import Iterator

import pytest

from gridproof.connectors.ledger import InProcessClient
from gridproof.drivers.embedded import EmbeddedLedger, Options
from gridproof.state import SerialVerifier
from gridproof.state.store import MemoryStore

from tests.unit.modules.consensus import network as consensus


@pytest.fixture
def client() -> Iterator[InProcessClient]:
    """A ledger on which the first four aggregators vote, and which makes blocks."""
    genesis = consensus.genesis(consensus.section(consensus.FIRST_FOUR))
    options = Options(SerialVerifier(), clock=lambda: consensus.START_S)
    with EmbeddedLedger(MemoryStore(), consensus.application, genesis, options) as ledger:
        ledger.make_block(consensus.START_S, empty=True)
        ledger.start(0.002)
        yield InProcessClient(ledger)
        ledger.stop()
