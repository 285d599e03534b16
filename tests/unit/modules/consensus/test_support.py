"""Validators decide by support: V-1 to V-9 of the module's README."""

import pytest

from gridproof.modules.consensus import queries
from gridproof.modules.consensus.changes import MAX_POWER, CancelUpgrade, RemoveValidator, ScheduleUpgrade, SetValidator
from gridproof.modules.consensus.errors import (
    AlreadySupported,
    BadConsensusKey,
    BadPossession,
    BadPower,
    ConsensusKeyUsed,
    LastValidator,
    NothingChanges,
    NotValidator,
    NoValidators,
    OtherGeneration,
    TooManyValidators,
    TooMuchPower,
    ValidatorUnknown,
)
from gridproof.modules.consensus.keeper import MAX_VALIDATORS
from gridproof.modules.consensus.messages import (
    ChangeDecided,
    ChangeProposed,
    ChangeSupported,
    SupportChange,
    ValidatorRemoved,
    ValidatorSet,
)
from gridproof.modules.consensus.types import KEY_USES, MEMBERS, KeyUse, Member
from gridproof.modules.registry.errors import NotPermitted
from gridproof.modules.registry.messages import SetRoles
from gridproof.state import Context, Validator, address_of

from .network import AGGREGATORS, CHAIN_ID, FIRST_FOUR, IDS, Network, key, setting

ONE, TWO, THREE, FOUR, FIVE, SIX = AGGREGATORS[:6]


@pytest.fixture
def network() -> Network:
    """Four validators with a power of 10 each."""
    return Network(FIRST_FOUR)


# --- who decides -----------------------------------------------------------------------------------------------------


def test_a_ledger_without_validators_takes_no_support() -> None:
    alone = Network()
    alone.refuses(ONE, setting(ONE), NoValidators)
    assert alone.application.validators() == ()


def test_v1_only_validators_support(network: Network) -> None:
    for name in (FIVE, "operator", "auditor"):
        refusal = network.refuses(name, setting(FIVE), NotValidator)
        assert refusal.particulars == {"participant": IDS[name]}


def test_v2_a_change_takes_effect_with_more_than_two_thirds_and_not_before(network: Network) -> None:
    network.support(ONE, setting(FIVE))
    first = network.events()
    assert isinstance(first[0], ChangeProposed)
    assert [type(each) for each in first] == [ChangeProposed, ChangeSupported]
    assert not network.support(TWO, setting(FIVE)).validator_updates
    assert IDS[FIVE] not in network.powers
    result = network.support(THREE, setting(FIVE))
    assert result.validator_updates == (Validator(IDS[FIVE], key(FIVE), 10),)
    assert network.powers[IDS[FIVE]] == 10
    supported, decided, seated = network.events()
    assert supported == ChangeSupported(first[0].proposal, IDS[THREE], 30, 40)
    assert decided == ChangeDecided(first[0].proposal, 1)
    assert seated == ValidatorSet(IDS[FIVE], key(FIVE), 10)
    assert network.generation == 1


def test_v2_exactly_two_thirds_are_not_enough() -> None:
    three = Network({ONE: 10, TWO: 10, THREE: 10})
    three.support(ONE, setting(FOUR))
    three.support(TWO, setting(FOUR))
    assert IDS[FOUR] not in three.powers
    three.support(THREE, setting(FOUR))
    assert IDS[FOUR] in three.powers


def test_v2_a_decision_voids_all_else_that_is_open(network: Network) -> None:
    network.support(FOUR, setting(SIX))
    network.decide(setting(FIVE), ONE, TWO, THREE)
    with network.application.reading() as view:
        assert queries.proposals(view) == ()
    refusal = network.refuses(ONE, setting(SIX), OtherGeneration, generation=0)
    assert refusal.particulars == {"generation": 0, "present": 1}
    network.refuses(ONE, setting(SIX), OtherGeneration, generation=2)


def test_v2_supporting_another_change_moves_the_support(network: Network) -> None:
    network.support(ONE, setting(FIVE))
    network.support(TWO, setting(FIVE))
    network.support(ONE, setting(SIX))
    with network.application.reading() as view:
        told = [(each.change, each.supporters, each.power) for each in queries.proposals(view)]
    assert len(told) == 2
    assert (setting(FIVE), (IDS[TWO],), 10) in told
    assert (setting(SIX), (IDS[ONE],), 10) in told
    network.support(TWO, setting(SIX))
    with network.application.reading() as view:
        assert len(queries.proposals(view)) == 1, "a proposal that nobody supports any more is forgotten"
    network.support(THREE, setting(FIVE))
    assert IDS[FIVE] not in network.powers, "support that has moved counts no more"


def test_v2_the_same_support_twice_is_told(network: Network) -> None:
    network.support(ONE, setting(FIVE))
    network.refuses(ONE, setting(FIVE), AlreadySupported)


def test_v2_two_decisions_can_fall_in_one_block() -> None:
    alone = Network({ONE: 10})
    first = alone.sign(ONE, SupportChange(0, setting(TWO, 1)))
    second = alone.sign(ONE, SupportChange(1, setting(THREE, 1)), ahead=1)
    result = alone.block(first, second)
    assert [each.code for each in result.results] == [0, 0]
    assert {each.participant for each in result.validator_updates} == {IDS[TWO], IDS[THREE]}
    assert alone.generation == 2


def test_v2_what_comes_and_goes_in_one_block_is_no_update() -> None:
    alone = Network({ONE: 10})
    result = alone.block(
        alone.sign(ONE, SupportChange(0, setting(TWO, 1))),
        alone.sign(ONE, SupportChange(1, RemoveValidator(IDS[TWO])), ahead=1),
    )
    assert [each.code for each in result.results] == [0, 0]
    assert result.validator_updates == ()


def test_a_vote_that_changes_nothing_but_a_nonce_leaves_no_update(network: Network) -> None:
    assert network.block().validator_updates == ()
    assert network.support(ONE, setting(FIVE)).validator_updates == ()


# --- what a message must be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0, -1, MAX_POWER + 1])
def test_v3_a_power_lies_within_its_limits(power: int) -> None:
    with pytest.raises(BadPower) as refused:
        SupportChange(0, setting(FIVE, power)).check(CHAIN_ID)
    assert (refused.value.power, refused.value.limit) == (power, MAX_POWER)
    SupportChange(0, setting(FIVE, MAX_POWER)).check(CHAIN_ID)


def test_v4_a_key_that_anyone_can_sign_for_is_none() -> None:
    change = setting(FIVE)
    for key_bytes in (bytes(32), b"\x01" + bytes(31), b"", bytes(33)):
        with pytest.raises(BadConsensusKey):
            SupportChange(0, SetValidator(change.participant, key_bytes, 1, change.proof)).check(CHAIN_ID)


def test_v4_a_key_signs_for_its_participant_and_chain() -> None:
    change = setting(FIVE)
    SupportChange(0, change).check(CHAIN_ID)
    false = (
        SetValidator(IDS[SIX], change.key, 10, change.proof),
        SetValidator(change.participant, key(SIX), 10, change.proof),
        SetValidator(change.participant, change.key, 10, bytes(64)),
        SetValidator(change.participant, change.key, 10, b""),
        setting(FIVE, chain_id="network-2"),
    )
    for each in false:
        with pytest.raises(BadPossession) as refused:
            SupportChange(0, each).check(CHAIN_ID)
        assert refused.value.participant == each.participant


def test_v3_and_v4_ask_nothing_of_other_changes() -> None:
    for change in (RemoveValidator(1), ScheduleUpgrade(2, 100), CancelUpgrade()):
        SupportChange(0, change).check(CHAIN_ID)


# --- the set ---------------------------------------------------------------------------------------------------------


def test_v5_only_data_aggregators_become_validators(network: Network) -> None:
    for name in ("operator", "auditor"):
        assert network.refuses(ONE, setting(name), NotPermitted).code == 1007


def test_v5_the_role_counts_at_every_support(network: Network) -> None:
    network.support(ONE, setting(FIVE))
    network.block(network.sign("operator", SetRoles(IDS[FIVE], 0)))
    network.refuses(TWO, setting(FIVE), NotPermitted)


def test_v6_a_key_is_used_once_in_the_ledgers_life(network: Network) -> None:
    network.decide(RemoveValidator(IDS[FOUR]), ONE, TWO, THREE)
    refusal = network.refuses(ONE, setting(FOUR), ConsensusKeyUsed)
    assert refusal.particulars == {"key": key(FOUR), "participant": IDS[FOUR]}
    network.decide(setting(FOUR, number=1), ONE, TWO, THREE)
    assert IDS[FOUR] in network.powers


def test_v6_nobody_takes_anothers_key(network: Network) -> None:
    network.decide(setting(ONE, number=1), ONE, TWO, THREE)
    network.refuses(ONE, setting(ONE, number=0), ConsensusKeyUsed)
    with network.application.reading() as view:
        former, present = KEY_USES.get(view, address_of(key(ONE))), KEY_USES.get(view, address_of(key(ONE, 1)))
    assert former.participant == present.participant == IDS[ONE]


def test_v6_a_replaced_key_votes_no_more_and_the_new_one_does(network: Network) -> None:
    result = network.decide(setting(ONE, number=1), ONE, TWO, THREE)
    updates = {each.key: each.power for each in result.validator_updates}
    assert updates == {key(ONE): 0, key(ONE, 1): 10}


def test_a_changed_power_is_one_update(network: Network) -> None:
    result = network.decide(setting(ONE, 12), ONE, TWO, THREE)
    assert result.validator_updates == (Validator(IDS[ONE], key(ONE), 12),)
    network.refuses(ONE, setting(ONE, 12), NothingChanges)


def test_v7_the_ledger_holds_a_hundred_validators(network: Network) -> None:
    network.block()

    def fill(ctx: Context) -> None:
        for number in range(1_000, 1_000 + MAX_VALIDATORS - len(FIRST_FOUR)):
            made = Member(key(f"made {number}"), 1)
            MEMBERS.put(ctx, number, value=made)
            KEY_USES.put(ctx, address_of(made.key), value=KeyUse(number))
            network.engine.powers[made.key] = 1

    network.put(fill)
    refusal = network.refuses(ONE, setting(FIVE), TooManyValidators)
    assert refusal.particulars == {"limit": MAX_VALIDATORS}
    network.support(ONE, setting(ONE, 11))


def test_v8_nobody_gets_a_third_where_four_or_more_vote(network: Network) -> None:
    refusal = network.refuses(ONE, setting(FIVE, 20), TooMuchPower)
    assert refusal.particulars == {"power": 20, "total": 60}
    network.support(ONE, setting(FIVE, 19))
    network.refuses(ONE, setting(TWO, 15), TooMuchPower)
    network.support(ONE, setting(TWO, 14))


def test_v8_three_or_fewer_are_as_they_must_be() -> None:
    alone = Network({ONE: 10})
    alone.decide(setting(TWO, 10), ONE)
    alone.decide(setting(THREE, 10), ONE, TWO)
    alone.refuses(ONE, setting(FOUR, 15), TooMuchPower)
    alone.decide(setting(FOUR, 10), ONE, TWO, THREE)
    assert set(alone.powers.values()) == {10}


def test_v8_lowering_and_a_new_key_are_free_of_it() -> None:
    uneven = Network({ONE: 100, TWO: 10, THREE: 10, FOUR: 10})
    uneven.decide(setting(ONE, 100, number=1), ONE)
    uneven.decide(setting(ONE, 90, number=1), ONE)
    assert uneven.powers[IDS[ONE]] == 90


def test_v9_only_members_go_and_one_remains() -> None:
    two = Network({ONE: 10, TWO: 1})
    two.refuses(ONE, RemoveValidator(IDS[FIVE]), ValidatorUnknown)
    result = two.decide(RemoveValidator(IDS[TWO]), ONE)
    assert result.validator_updates == (Validator(IDS[TWO], key(TWO), 0),)
    assert two.events()[-1] == ValidatorRemoved(IDS[TWO], key(TWO))
    assert two.refuses(ONE, RemoveValidator(IDS[ONE]), LastValidator).particulars == {"participant": IDS[ONE]}
    assert two.powers == {IDS[ONE]: 10}


def test_v9_a_validator_that_is_gone_supports_nothing(network: Network) -> None:
    network.decide(RemoveValidator(IDS[FOUR]), ONE, TWO, THREE)
    network.refuses(FOUR, setting(FIVE), NotValidator)


def test_the_application_knows_who_votes_and_whose_an_address_is(network: Network) -> None:
    assert network.application.validators() == tuple(Validator(IDS[name], key(name), 10) for name in FIRST_FOUR)
    network.decide(RemoveValidator(IDS[TWO]), ONE, TWO, THREE)
    assert network.application.participant_at(address_of(key(TWO))) == IDS[TWO], "past ones too"
    assert network.application.participant_at(address_of(key(FIVE))) == 0
    assert network.application.participant_at(b"") == 0
