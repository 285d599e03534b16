"""The genesis section, and what it refuses."""

from typing import Any

import pytest

from gridproof.modules.consensus import queries
from gridproof.modules.consensus.changes import MAX_POWER
from gridproof.modules.consensus.types import Member
from gridproof.state import GenesisError
from gridproof.state.store import MemoryStore

from .network import AGGREGATORS, FIRST_FOUR, IDS, Network, application, genesis, key, section

ONE, TWO = AGGREGATORS[:2]


def validator(name: str = ONE, **changes: Any) -> dict[str, Any]:
    return {"participant": name, "key": key(name).hex(), "power": 10} | changes


def refused(consensus_section: Any) -> str:
    made = application(MemoryStore())
    with pytest.raises(GenesisError) as wrong:
        made.init_chain(genesis(consensus_section))
    return wrong.value.detail


def test_the_section_may_be_missing() -> None:
    alone = Network()
    with alone.application.reading() as view:
        assert queries.validators(view) == ()
        assert queries.generation(view) == 0
        assert queries.version(view) is None
    assert alone.application.app_version == 1, "the program's own"


def test_it_names_the_validators_by_their_participants() -> None:
    made = Network(FIRST_FOUR)
    with made.application.reading() as view:
        assert queries.validators(view) == tuple((IDS[name], Member(key(name), 10)) for name in FIRST_FOUR)
        assert queries.version(view) == 1


def test_the_version_at_birth_can_be_an_older_one() -> None:
    made = application(MemoryStore(), version=3)
    made.init_chain(genesis(section(FIRST_FOUR) | {"version": 2}))
    assert made.app_version == 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"validators": []}, "length >= 1"),
        ({"validators": [validator("nobody")]}, "no participant is named 'nobody'"),
        ({"validators": [validator("operator")]}, "validators[0]"),
        ({"validators": [validator(), validator(TWO, key=key(ONE).hex())]}, "validators[1]"),
        ({"validators": [validator(), validator(key=key(TWO).hex())]}, "validators[1]"),
        ({"validators": [validator(key="00" * 32)]}, "validators[0]"),
        ({"validators": [validator(key=key(ONE).hex().upper())]}, "regex"),
        ({"validators": [validator(power=0)]}, ">= 1"),
        ({"validators": [validator(power=MAX_POWER + 1)]}, "<= "),
        ({"validators": [validator()], "version": 2}, "begins with version 2"),
        ({"validators": [validator()], "version": 0}, ">= 1"),
        ({"validators": [validator()], "more": 1}, "more"),
    ],
)
def test_a_wrong_section_is_refused_at_its_place(wrong: Any, told: str) -> None:
    assert told in refused(wrong)


def test_too_many_are_refused() -> None:
    with pytest.MonkeyPatch.context() as limits:
        limits.setattr("gridproof.modules.consensus.keeper.MAX_VALIDATORS", 3)
        assert "validators[3]" in refused(section(FIRST_FOUR))
