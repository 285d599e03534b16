"""What anyone may ask, through the Application as a client does."""

from typing import Any

import pytest

from gridproof.modules.consensus import queries
from gridproof.modules.consensus.changes import ScheduleUpgrade, proposal_id
from gridproof.modules.consensus.queries import OpenProposal
from gridproof.modules.consensus.types import MEMBERS, KeyUse, Member, Offence, Scheduled
from gridproof.primitives.encoding import Codec
from gridproof.state import address_of, question

from .network import AGGREGATORS, CHAIN_ID, FIRST_FOUR, IDS, START_S, Network, key, offence, setting

ONE, TWO, THREE, FOUR, FIVE = AGGREGATORS[:5]


def ask(network: Network, query: Any, *arguments: Any) -> Any:
    """Ask by path and bytes."""
    asked = question(query)
    answer = network.application.query(asked.path, asked.arguments.encode(arguments))
    return asked.result.decode(answer.value)


@pytest.fixture(scope="module")
def network() -> Network:
    """A network in whose life all has happened once."""
    made = Network(FIRST_FOUR)
    made.block(misbehaviour=(offence(FOUR),))
    made.decide(ScheduleUpgrade(2, 50), ONE, TWO, THREE)
    made.support(TWO, setting(FIVE))
    return made


def test_validators_and_their_keys(network: Network) -> None:
    assert ask(network, queries.validators) == tuple((IDS[name], Member(key(name), 10)) for name in (ONE, TWO, THREE))
    assert ask(network, queries.key_use, address_of(key(ONE))) == KeyUse(IDS[ONE])
    assert ask(network, queries.key_use, address_of(key(FOUR))) == KeyUse(IDS[FOUR], convicted=True)
    assert ask(network, queries.key_use, bytes(20)) is None
    assert ask(network, queries.key_use, b"short") is None


def test_what_is_open(network: Network) -> None:
    change = setting(FIVE)
    height = network.application.info().height
    assert ask(network, queries.generation) == 2
    assert ask(network, queries.proposals) == (
        OpenProposal(proposal_id(CHAIN_ID, 2, change), change, height, (IDS[TWO],), 10),
    )


def test_offences(network: Network) -> None:
    told = Offence(IDS[FOUR], START_S, 40, 10)
    assert ask(network, queries.offences) == ((address_of(key(FOUR)), 1, 1, told),)
    assert ask(network, queries.offences_at, address_of(key(FOUR))) == ((1, 1, told),)
    assert ask(network, queries.offences_at, address_of(key(ONE))) == ()
    assert ask(network, queries.offences_at, b"short") == ()


def test_versions(network: Network) -> None:
    assert ask(network, queries.upgrade) == Scheduled(2, 50)
    assert ask(network, queries.version) == 1


def test_a_validators_entry_can_be_proved(network: Network) -> None:
    answer = network.application.query("key", MEMBERS.key(IDS[ONE]), prove=True)
    assert Codec(Member).decode(answer.value) == Member(key(ONE), 10)
    assert answer.proof
