"""The unlinkability game, whole: every attacker, 400,000 pairs, against ours and against what it must win over.

The games are those of `tests.attacks.linking`; real households' readings lie beside the checkout (`tests/shared.py`),
and without them nothing is measured.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from gridproof.drivers.verifying import available_cores

from .results import Link, Section
from tests.attacks.linking.contest import FULL, SMALL, Contest, Game


def run(*, quick: bool) -> Section:
    """Play every game."""
    try:
        if quick:
            return Section(links=list(map(_played, Contest(SMALL).games())))
        with ProcessPoolExecutor(available_cores(), mp_context=get_context("spawn")) as pool:
            return Section(links=list(map(_played, Contest(FULL, pool).games())))
    except pytest.skip.Exception as missing:
        sys.stderr.write(f"linking: not measured, {missing}\n")
        return Section()


def _played(game: Game) -> Link:
    outcome = game.play()
    return Link(
        attacker=game.attacker,
        scheme=game.scheme,
        ours=game.is_ours,
        measure=game.measure,
        pairs=outcome.pairs,
        advantage=outcome.advantage,
        bound=outcome.bound,
        target=game.target.words,
        met=game.target.is_met(outcome),
    )
