"""The unlinkability game in its fast form: every attacker wins against a weaker scheme, and none against ours.

`make bench` plays it whole, with 400,000 pairs and a gate of 0.01: `tests/bench/linking.py`.
"""

from collections import defaultdict

import pytest

from .linking.contest import FAST, Contest, Game
from .linking.game import Outcome

pytestmark = pytest.mark.shared("data")

ATTACKERS = [
    "small sum",
    "likelihood ratio, learnt",
    "likelihood ratio, the paper's formula",
    "Hungarian matching",
    "profile of an hour, two days",
    "weekly profile",
    "send time",
    "place on the ledger",
    "place, slot to slot",
    "identity",
    "mask sum difference",
    "month to month",
]
Played = dict[str, list[tuple[Game, Outcome]]]


@pytest.fixture(scope="module")
def played() -> Played:
    """What came of every game, by attacker."""
    found: Played = defaultdict(list)
    for game in Contest(FAST).games():
        found[game.attacker].append((game, game.play()))
    return found


def test_every_attacker_of_the_protocol_page_plays_against_ours_and_against_something_weaker(played: Played) -> None:
    assert list(played) == ATTACKERS
    for games in played.values():
        assert {game.is_ours for game, _ in games} == {True, False}


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_the_attacker_wins_against_the_weaker_scheme(played: Played, attacker: str) -> None:
    for game, outcome in played[attacker]:
        if not game.is_ours:
            assert game.target.is_met(outcome), (game.scheme, game.target.words, outcome)
            assert outcome.advantage > 0.01


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_the_attacker_gains_nothing_against_ours(played: Played, attacker: str) -> None:
    for game, outcome in played[attacker]:
        if game.is_ours:
            assert outcome.bound < FAST.gate, (game.measure, outcome)


def test_withheld_readings_are_read_to_the_watt_hour_in_the_paper_and_not_once_in_ours(played: Played) -> None:
    read = {game.scheme: outcome.advantage for game, outcome in played["mask sum difference"] if game.measure}
    assert read == {"ours": 0.0, "the paper's masks": 1.0}
