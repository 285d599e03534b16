"""The pair game's referee: a pair is one meter's, or its second part is another meter's of the same region and slot.

Rules:
- the attacker gets numbers without names: what was seen of the near part and of the far one;
- the first quarter of the rows is for learning, the next for fitting a threshold, the other half alone counts;
- the advantage is TPR - FPR, and what is judged is its upper 99 % bound;
- every row brings as many pairs of one meter as of two.
"""

from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int64]  # integers modulo 2**64, read as signed numbers: numpy's own arithmetic is the scheme's
Floats = NDArray[np.float64]

ONE_SIDED_99: Final = 2.3263478740408408  # the normal distribution's quantile


class Challenge(NamedTuple):
    """What is seen, by meter: each row is a region's slot, so that all of a row's parts could belong together.

    Attributes:
        near: shape (rows, meters, fields), one part of what each meter left.
        far: shape (rows, meters, fields), the other part, in the same order: the referee's secret.
    """

    near: Words
    far: Words

    @property
    def pairs(self) -> int:
        """How many pairs of one meter there are, and as many of two."""
        return int(self.near.shape[0] * self.near.shape[1])


class Attacker(Protocol):
    """Someone who links."""

    def learn(self, near: Words, same: Words, other: Words) -> None:
        """Look at pairs of which it is told that they are one meter's (near, same) or two's (near, other)."""

    def score(self, near: Words, far: Words) -> Floats:
        """For each row and meter how much the pair looks like one meter's; shape (rows, meters)."""


class Outcome(NamedTuple):
    """What came of a game.

    Attributes:
        pairs: of each kind.
        advantage: TPR - FPR where it counts, or what else was measured, above chance.
        bound: its upper 99 % bound.
    """

    pairs: int
    advantage: float
    bound: float


def play(attacker: Attacker, challenge: Challenge, seed: int) -> Outcome:
    """Let an attacker play all pairs of a challenge.

    Args:
        attacker: learns anew.
        challenge: at least four rows.
        seed: of the referee's choices.
    """
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(challenge.near))
    near, same = challenge.near[order], challenge.far[order]
    other = of_others(same, chance)
    learnt, fitted = len(order) // 4, len(order) // 2
    attacker.learn(near[:learnt], same[:learnt], other[:learnt])
    practice, counted = slice(learnt, fitted), slice(fitted, None)
    threshold = fit(
        attacker.score(near[practice], same[practice]).ravel(), attacker.score(near[practice], other[practice]).ravel()
    )
    right = attacker.score(near[counted], same[counted]) >= threshold
    wrong = attacker.score(near[counted], other[counted]) >= threshold
    return outcome(challenge.pairs, float(right.mean()), float(wrong.mean()), right.size)


def of_others(far: Words, chance: np.random.Generator) -> Words:
    """Give every meter the part of another one of its row: all move on by a drawn number of places."""
    rows, meters = far.shape[:2]
    steps = chance.integers(1, meters, (rows, 1))
    moved = (np.arange(meters)[None, :] + steps) % meters
    return np.take_along_axis(far, moved[:, :, None], axis=1)


def fit(same: Floats, other: Floats) -> float:
    """The threshold from which on "one meter's" is said: where TPR - FPR is greatest.

    To say it always would be no attempt: it is left out wherever scores differ at all.
    """
    values = np.unique(np.concatenate([same, other]))
    values = values[1:] if len(values) > 1 else values
    found = [1 - np.searchsorted(np.sort(scores), values, side="left") / scores.size for scores in (same, other)]
    return float(values[(found[0] - found[1]).argmax()])


def outcome(pairs: int, right: float, wrong: float, counted: int) -> Outcome:
    """The advantage of a rate over another, and its bound; both rates are of so many counted pairs."""
    spread = float(np.sqrt((right * (1 - right) + wrong * (1 - wrong)) / counted))
    return Outcome(pairs, right - wrong, min(1.0, right - wrong + ONE_SIDED_99 * spread))


def above_chance(hits: int, tries: int, chance: float) -> Outcome:
    """How much more often than by chance something succeeded, and the bound."""
    share = hits / tries
    return Outcome(tries, share - chance, share - chance + ONE_SIDED_99 * float(np.sqrt(share * (1 - share) / tries)))
