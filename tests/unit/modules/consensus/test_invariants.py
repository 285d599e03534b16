"""A state that breaks an invariant is told."""

from collections.abc import Callable

import pytest

from gridproof.modules.consensus.changes import MAX_POWER, RemoveValidator, proposal_id
from gridproof.modules.consensus.types import (
    GENERATION,
    KEY_USES,
    MEMBERS,
    OFFENCES,
    PROPOSALS,
    SUPPORTS,
    UPGRADE,
    VERSION,
    KeyUse,
    Member,
    Offence,
    Proposal,
    Scheduled,
)
from gridproof.state import Context, Violation, address_of

from .network import AGGREGATORS, CHAIN_ID, FIRST_FOUR, IDS, Network, key

ONE, TWO, THREE = (IDS[name] for name in AGGREGATORS[:3])
OWN = address_of(key(AGGREGATORS[0]))
CHANGE = RemoveValidator(TWO)
NAME = proposal_id(CHAIN_ID, 0, CHANGE)


def empty_the_set(ctx: Context) -> None:
    for name in FIRST_FOUR:
        MEMBERS.delete(ctx, IDS[name])


def crowd_the_set(ctx: Context) -> None:
    for number in range(1_000, 1_100):
        MEMBERS.put(ctx, number, value=Member(key(f"{number}"), 1))


def decide_silently(ctx: Context) -> None:
    PROPOSALS.put(ctx, NAME, value=Proposal(0, CHANGE, 1))
    for number in (ONE, TWO, THREE):
        SUPPORTS.put(ctx, number, value=NAME)


def support_from_outside(ctx: Context) -> None:
    PROPOSALS.put(ctx, NAME, value=Proposal(0, CHANGE, 1))
    SUPPORTS.put(ctx, 99, value=NAME)


def leave_it_open(ctx: Context) -> None:
    PROPOSALS.put(ctx, NAME, value=Proposal(0, CHANGE, 1))
    GENERATION.put(ctx, value=4)


def pass_over(ctx: Context) -> None:
    UPGRADE.put(ctx, value=Scheduled(2, 1))


BREACHES: dict[str, Callable[[Context], None]] = {
    "which does not fit": empty_the_set,
    "has any": VERSION.delete,
    "are too many": crowd_the_set,
    "has power 0": lambda ctx: MEMBERS.put(ctx, ONE, value=Member(key(AGGREGATORS[0]), 0)),
    f"has power {MAX_POWER + 1}": lambda ctx: MEMBERS.put(ctx, ONE, value=Member(key(AGGREGATORS[0]), MAX_POWER + 1)),
    "and key 0000": lambda ctx: MEMBERS.put(ctx, ONE, value=Member(bytes(32), 1)),
    "not in the index": lambda ctx: KEY_USES.delete(ctx, OWN),
    "as its own": lambda ctx: KEY_USES.put(ctx, OWN, value=KeyUse(TWO)),
    f"the key of validator {ONE}": lambda ctx: KEY_USES.put(ctx, OWN, value=KeyUse(ONE, convicted=True)),
    "is not its holder's": lambda ctx: OFFENCES.put(ctx, OWN, 1, 1, value=Offence(TWO, 0, 0, 0)),
    "left no trace": lambda ctx: OFFENCES.put(ctx, OWN, 1, 1, value=Offence(ONE, 0, 0, 5)),
    "or for no proposal": lambda ctx: SUPPORTS.put(ctx, ONE, value=bytes(32)),
    "is no validator's": support_from_outside,
    "is not of generation 0": lambda ctx: PROPOSALS.put(ctx, bytes(32), value=Proposal(0, CHANGE, 1)),
    "is not of generation 4": leave_it_open,
    "by nobody": lambda ctx: PROPOSALS.put(ctx, NAME, value=Proposal(0, CHANGE, 1)),
    "or by enough": decide_silently,
    "was passed over": pass_over,
    "the upgrade to 1": lambda ctx: UPGRADE.put(ctx, value=Scheduled(1, 100)),
}


@pytest.mark.parametrize("told", BREACHES)
def test_a_breach_is_told(told: str) -> None:
    network = Network(FIRST_FOUR)
    network.block()
    network.put(BREACHES[told])
    with pytest.raises(Violation) as violation:
        network.application.check_invariants()
    assert told in violation.value.detail


def test_what_the_rules_lead_to_breaks_none() -> None:
    network = Network(FIRST_FOUR)
    network.block()
    network.application.check_invariants()
