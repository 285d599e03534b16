"""What the engine convicts validators of: V-13 and V-14 of the module's README."""

import pytest

from gridproof.modules.consensus import queries
from gridproof.modules.consensus.changes import RemoveValidator
from gridproof.modules.consensus.errors import ConsensusKeyUsed, OtherGeneration
from gridproof.modules.consensus.messages import SupportChange, ValidatorPunished, ValidatorRemoved
from gridproof.modules.consensus.types import Offence
from gridproof.state import BLOCK_EVENTS, Misbehaviour, Validator, address_of

from .network import AGGREGATORS, FIRST_FOUR, IDS, START_S, Network, key, offence, setting

ONE, TWO, THREE, FOUR, FIVE = AGGREGATORS[:5]


@pytest.fixture
def network() -> Network:
    """Four validators with a power of 10 each."""
    return Network(FIRST_FOUR)


def told(network: Network, name: str, number: int = 0) -> list[tuple[int, int, int]]:
    """A key's offences: height, kind and cost."""
    with network.application.reading() as view:
        found = queries.offences_at(view, address_of(key(name, number)))
    return [(height, kind, each.power) for height, kind, each in found]


@pytest.mark.parametrize("kind", [1, 2])
def test_v13_an_offence_is_recorded_announced_and_costs_the_seat(network: Network, kind: int) -> None:
    result = network.block(misbehaviour=(offence(TWO, 1, kind),))
    assert result.validator_updates == (Validator(IDS[TWO], key(TWO), 0),)
    assert network.events() == [
        ValidatorRemoved(IDS[TWO], key(TWO)),
        ValidatorPunished(IDS[TWO], address_of(key(TWO)), kind, 1, 10),
    ]
    with network.application.reading() as view:
        assert queries.offences(view) == ((address_of(key(TWO)), 1, kind, Offence(IDS[TWO], START_S, 40, 10)),)
    assert network.generation == 1


def test_v13_an_offence_counts_once(network: Network) -> None:
    network.block(misbehaviour=(offence(TWO), offence(TWO)))
    generation = network.generation
    network.block(misbehaviour=(offence(TWO),))
    assert network.events() == []
    assert network.generation == generation
    assert told(network, TWO) == [(1, 1, 10)]


def test_v13_it_comes_before_the_blocks_transactions(network: Network) -> None:
    refused = network.block(network.sign(TWO, SupportChange(0, setting(FIVE))), misbehaviour=(offence(TWO),))
    assert refused.results[0].code == 15002, "who lost the seat supports nothing in that block"


def test_v13_its_events_sort_after_those_of_the_transactions(network: Network) -> None:
    network.block(network.sign(ONE, SupportChange(1, setting(FIVE))), misbehaviour=(offence(TWO),))
    stored = network.application.events_since(b"", 1_000)
    assert [each.transaction for each in stored] == [0, 0, BLOCK_EVENTS, BLOCK_EVENTS]
    assert network.application.events_since(stored[1].cursor, 1_000) == stored[2:]


def test_v13_what_was_open_is_void(network: Network) -> None:
    network.decide(setting(FIVE), ONE, TWO)
    network.block(misbehaviour=(offence(FOUR),))
    network.refuses(THREE, setting(FIVE), OtherGeneration, generation=0)
    with network.application.reading() as view:
        assert queries.proposals(view) == ()


def test_v13_the_convicted_come_back_with_a_new_key_only(network: Network) -> None:
    network.block(misbehaviour=(offence(TWO),))
    network.refuses(ONE, setting(TWO), ConsensusKeyUsed)
    network.decide(setting(TWO, number=1), ONE, THREE, FOUR)
    assert network.powers[IDS[TWO]] == 10


def test_v13_what_the_convicted_key_did_before_costs_no_second_seat(network: Network) -> None:
    network.block(misbehaviour=(offence(TWO, 1),))
    network.decide(setting(TWO, number=1), ONE, THREE, FOUR)
    assert network.block(misbehaviour=(offence(TWO, 2),)).validator_updates == ()
    assert told(network, TWO) == [(1, 1, 10), (2, 1, 0)]
    network.block(misbehaviour=(offence(TWO, 3, number=1),))
    assert IDS[TWO] not in network.powers, "the new key answers for itself"


def test_v13_a_replaced_key_still_convicts(network: Network) -> None:
    network.decide(setting(TWO, number=1), ONE, TWO, THREE)
    result = network.block(misbehaviour=(offence(TWO),))
    assert result.validator_updates == (Validator(IDS[TWO], key(TWO, 1), 0),)


def test_v13_one_who_left_has_nothing_to_lose(network: Network) -> None:
    network.decide(RemoveValidator(IDS[TWO]), ONE, TWO, THREE)
    generation = network.generation
    assert network.block(misbehaviour=(offence(TWO),)).validator_updates == ()
    assert told(network, TWO) == [(1, 1, 0)]
    assert network.generation == generation


def test_v13_an_address_that_is_nobodys_is_recorded(network: Network) -> None:
    stranger = Misbehaviour(1, bytes(20), 1, START_S, 40)
    assert network.block(misbehaviour=(stranger,)).validator_updates == ()
    assert network.events() == [ValidatorPunished(0, bytes(20), 1, 1, 0)]


def test_v14_the_last_one_stays() -> None:
    network = Network(FIRST_FOUR)
    result = network.block(misbehaviour=tuple(offence(name) for name in FIRST_FOUR))
    assert len(result.validator_updates) == 3
    assert network.powers == {IDS[FOUR]: 10}
    assert told(network, FOUR) == [(1, 1, 0)]


def test_v14_the_last_one_goes_for_its_next_offence_once_it_is_not_alone() -> None:
    alone = Network({ONE: 10})
    alone.block(misbehaviour=(offence(ONE),))
    assert alone.powers == {IDS[ONE]: 10}
    alone.decide(setting(TWO), ONE)
    alone.block(misbehaviour=(offence(ONE, 2),))
    assert alone.powers == {IDS[TWO]: 10}


def test_a_ledger_without_validators_is_untouched_by_reports() -> None:
    alone = Network()
    before = alone.application.info().app_hash
    alone.block()
    assert alone.application.info().app_hash == before
