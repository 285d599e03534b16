"""The attackers, each good against some scheme; all see public fields only, or what a data aggregator sees as well."""

from abc import ABC, abstractmethod
from typing import Final

import numpy as np

from .assignment import Indices, assign
from .game import Attacker, Floats, Outcome, Words, above_chance
from tests.attacks.paper import HIGH, LOW

VALUE_BINS: Final = 8
SUM_BINS: Final = 8
EXACT_S: Final = 64  # gaps below are told apart to the second
WIDEST_S: Final = 3_600
WIDEST_PLACES: Final = 512
TINY: Final = 1e-9  # of a range: what is impossible is very unlikely


def size_of(words: Words) -> Floats:
    """How far from zero, the shorter way round."""
    return np.abs(words.astype(np.float64))


class _Unlearned:
    """An attacker that needs no practice."""

    def learn(self, near: Words, same: Words, other: Words) -> None:
        """Nothing to learn."""


class SmallSum(_Unlearned):
    """Two halves of one reading add up to something small."""

    def score(self, near: Words, far: Words) -> Floats:
        """Minus the sum's size."""
        return -size_of(near[..., 0] + far[..., 0])


class _Table(ABC):
    """Counts, in practice, how often pairs of one meter and of two fall into each of some cells."""

    cells: int

    @abstractmethod
    def cell(self, near: Words, far: Words) -> Indices:
        """Into which cell a pair falls."""

    def prepare(self, near: Words, same: Words, other: Words) -> None:  # noqa: B027 (most cells are fixed)
        """Choose the cells."""

    def learn(self, near: Words, same: Words, other: Words) -> None:
        """Count."""
        self.prepare(near, same, other)
        one, two = (np.bincount(self.cell(near, far).ravel(), minlength=self.cells) for far in (same, other))
        self._ratio = np.log((one + 0.5) / (two + 0.5))

    def score(self, near: Words, far: Words) -> Floats:
        """The logarithm of the likelihoods' ratio."""
        ratio: Floats = self._ratio[self.cell(near, far)]
        return ratio


class LikelihoodRatio(_Table):
    """How much likelier these two values are, and their sum, as one meter's than as two's; learned for any scheme."""

    cells = VALUE_BINS * VALUE_BINS * 2 * (SUM_BINS + 1)

    def prepare(self, near: Words, same: Words, other: Words) -> None:
        """Cut both values so that each part holds as many, and their sum likewise for pairs of each kind."""
        sums = [(near + far)[..., 0] for far in (same, other)]
        ends = [sums[0].min() - 1, sums[0].max()]
        self._near = _cuts(near[..., 0], VALUE_BINS)
        self._far = _cuts(same[..., 0], VALUE_BINS)
        self._sum = np.sort(np.concatenate([*(_cuts(each, SUM_BINS) for each in sums), ends]))

    def cell(self, near: Words, far: Words) -> Indices:
        """By both values and their sum."""
        first, second = near[..., 0], far[..., 0]
        values = np.searchsorted(self._near, first) * VALUE_BINS + np.searchsorted(self._far, second)
        return values * (len(self._sum) + 1) + np.searchsorted(self._sum, first + second)


class PaperLikelihood(_Unlearned):
    """The same ratio as a formula, for masks and splits that are integers of one range: the paper's best attacker.

    A pair of one meter has as many possible splits as three ranges have in common; a pair of two has its values'
    triangular densities.

    Args:
        width: of the range; half the word's where it is tried on words.
    """

    def __init__(self, width: float = float(HIGH - LOW)) -> None:
        self._width = width

    def score(self, near: Words, far: Words) -> Floats:
        """The logarithm of the likelihoods' ratio."""
        first, second = (part[..., 0] / self._width for part in (near, far))
        most = np.minimum(np.minimum(first, -second) + 0.5, 0.5)
        least = np.maximum(np.maximum(first, -second) - 0.5, -0.5)
        together = np.maximum(most - least, TINY)
        apart = np.maximum(1 - np.abs(first), TINY) * np.maximum(1 - np.abs(second), TINY)
        ratio: Floats = np.log(together) - np.log(apart)
        return ratio


class Hungarian:
    """Matches all first halves of a slot with all second ones so that the whole is likeliest.

    It is told which records are first halves, which nobody is.

    Args:
        single: judges a single pair.
        seed: of the order in which it looks at records, so that theirs tells it nothing.
    """

    def __init__(self, single: Attacker | None = None, seed: int = 0) -> None:
        self._ratio = single or LikelihoodRatio()
        self._chance = np.random.default_rng(seed)

    def learn(self, near: Words, same: Words, other: Words) -> None:
        """Learn the ratio for a single pair."""
        self._ratio.learn(near, same, other)

    def score(self, near: Words, far: Words) -> Floats:
        """1 where the matching joins the pair, else 0."""
        cost = -self._ratio.score(near[:, :, None], far[:, None, :])
        return is_matched(cost, self._chance).astype(np.float64)


def is_matched(cost: Floats, chance: np.random.Generator) -> Floats:
    """Whether the best matching joins each row with the column of its own number; ties are broken by chance."""
    tables, size, _ = cost.shape
    order = chance.permuted(np.tile(np.arange(size), (tables, 1)), axis=1)
    columns = assign(np.take_along_axis(cost, order[:, None, :], axis=2))
    joined: Floats = np.take_along_axis(order, columns, axis=1) == np.arange(size)
    return joined


class Profile(_Unlearned):
    """A household's habits come back: the same hours of two days, or two parts of a week, look alike."""

    def score(self, near: Words, far: Words) -> Floats:
        """Minus the mean distance of the values' magnitudes."""
        distance: Floats = np.abs(np.log1p(size_of(near)) - np.log1p(size_of(far))).mean(axis=-1)
        return -distance

    def match(self, near: Words, far: Words, seed: int = 0) -> Outcome:
        """Match pseudonyms of two times by their profiles.

        Args:
            near: shape (tables, pseudonyms, days, values a day).
            far: likewise, other days of the same households in the same order.
            seed: breaks ties.

        Returns:
            The share that was matched rightly, above that of guessing.
        """
        tables, size = near.shape[:2]
        ours, theirs = (np.log1p(size_of(part)).mean(axis=2) for part in (near, far))
        cost = np.stack([np.abs(a[:, None] - b[None]).mean(axis=-1) for a, b in zip(ours, theirs, strict=True)])
        hits = int(is_matched(cost, np.random.default_rng(seed)).sum())
        return above_chance(hits, tables * size, 1 / size)


class SendTime(_Table):
    """Two halves are sent at times, and to aggregators, that go together: the sight of all aggregators joined.

    Fields: second of sending, aggregator.
    """

    cells = 2 * 2 * (EXACT_S + WIDEST_S // EXACT_S + 1)

    def cell(self, near: Words, far: Words) -> Indices:
        """By the gap, exact where it is short, its direction, and whether the aggregator is the same."""
        gap = far[..., 0] - near[..., 0]
        wide = np.minimum(np.abs(gap), WIDEST_S)
        span = np.where(wide < EXACT_S, wide, EXACT_S + wide // EXACT_S)
        cell: Indices = ((2 * span + (gap > 0)) * 2 + (near[..., 1] == far[..., 1])).astype(np.intp)
        return cell


class Place(_Table):
    """Two records stand in places of the ledger's order that go together."""

    cells = 2 * WIDEST_PLACES + 1

    def cell(self, near: Words, far: Words) -> Indices:
        """By the distance and its direction."""
        distance = np.clip(far[..., 0] - near[..., 0], -WIDEST_PLACES, WIDEST_PLACES)
        cell: Indices = (distance + WIDEST_PLACES).astype(np.intp)
        return cell


class Identity(_Unlearned):
    """Two identities have their leading bits in common."""

    def score(self, near: Words, far: Words) -> Floats:
        """Minus the size of the bits in which they differ."""
        return -size_of(near[..., 0] ^ far[..., 0])


class MaskSumDifference(_Unlearned):
    """An aggregator withholds a meter's two records and takes the difference of two sums of masks for that meter's.

    Near fields: both withheld records. Far fields: a sum of masks with the meter, a sum without it.
    """

    def read(self, near: Words, far: Words) -> Words:
        """The withheld reading, if the difference is the meter's masks."""
        return near[..., 0] + near[..., 1] - (far[..., 0] - far[..., 1])

    def score(self, near: Words, far: Words) -> Floats:
        """Minus the size of what would be the reading."""
        return -size_of(self.read(near, far))


class MonthDifference(_Unlearned):
    """The same period of two months under one mask differs by a difference of readings only.

    Fields: both records of the meter's period.
    """

    def score(self, near: Words, far: Words) -> Floats:
        """Minus the size of the smallest difference: of the sums, of the first halves, of the second ones."""
        halves: Floats = size_of(near - far).min(axis=-1)
        least: Floats = np.minimum(halves, size_of(near.sum(axis=-1) - far.sum(axis=-1)))
        return -least


def _cuts(values: Words, parts: int) -> Words:
    """Borders between so many parts that hold as many values each."""
    cuts: Words = np.sort(values, axis=None)[[values.size * part // parts for part in range(1, parts)]]
    return cuts
