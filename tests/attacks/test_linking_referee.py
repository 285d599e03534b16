"""The game itself: its referee is fair, its matching is the best one, and ours are the product's own traces."""

from itertools import permutations

import numpy as np
import pytest

from gridproof.domain import WORD, Direction, Secret, identity, leaf_at, reading, roster, roster_leaf, sign_seeds
from gridproof.domain.metering import Halves, view_seeds

from .linking import households, ours
from .linking.assignment import assign
from .linking.attackers import PaperLikelihood, SmallSum, is_matched
from .linking.contest import Target
from .linking.game import Challenge, Floats, Outcome, Words, above_chance, fit, of_others, outcome, play
from .linking.households import METERS
from .linking.ours import Ours, bounds_of, chain_key

SEED = b"referee"


def drawn(*shape: int, seed: int = 1) -> Words:
    return np.random.default_rng(seed).integers(-(2**62), 2**62, shape)


# The referee --------------------------------------------------------------------------------------------------------


class Oracle:
    """Knows by equality; keeps what it was shown."""

    def __init__(self) -> None:
        self.learnt = 0
        self.scored: list[int] = []

    def learn(self, near: Words, same: Words, other: Words) -> None:
        self.learnt = len(near)

    def score(self, near: Words, far: Words) -> Floats:
        self.scored.append(len(near))
        known: Floats = (near == far)[..., 0].astype(np.float64)
        return known


class Guesser(Oracle):
    """Knows nothing."""

    def score(self, near: Words, far: Words) -> Floats:
        return np.random.default_rng(abs(int(far[0, 0, 0]))).random(near.shape[:2])


def test_who_knows_has_the_whole_advantage_and_who_guesses_none() -> None:
    values = drawn(4_000, 20, 1)
    assert play(Oracle(), Challenge(values, values), 1) == Outcome(80_000, 1.0, 1.0)
    guessed = play(Guesser(), Challenge(values, values), 1)
    assert abs(guessed.advantage) < 0.02
    assert 0.005 < guessed.bound - guessed.advantage < 0.009  # at most 2.33 * sqrt(0.5 / 40,000)


def test_a_quarter_is_learnt_from_a_quarter_fits_and_the_other_half_counts() -> None:
    oracle, values = Oracle(), drawn(100, 20, 1)
    play(oracle, Challenge(values, values), 1)
    assert oracle.learnt == 25
    assert oracle.scored == [25, 25, 50, 50]


def test_nobody_gets_its_own_part_as_anothers() -> None:
    names = np.broadcast_to(np.arange(5)[None, :, None], (1_000, 5, 1))
    others = of_others(names, np.random.default_rng(1))
    assert not (others == names).any()
    assert (np.sort(others, axis=1) == names).all()
    assert {tuple(row) for row in others[..., 0].tolist()} == {
        tuple(np.roll(np.arange(5), -step).tolist()) for step in range(1, 5)
    }


def test_the_threshold_is_the_best_one_and_never_says_always() -> None:
    same, other = np.array([1.0, 2.0, 3.0, 3.0]), np.array([0.0, 1.0, 1.0, 2.0])
    assert fit(same, other) == 2.0
    assert fit(np.zeros(4), np.array([0.0, 0.0, 1.0, 1.0])) == 1.0  # worse than nothing, and still an answer
    assert fit(np.zeros(4), np.zeros(4)) == 0.0


def test_the_bound_is_the_upper_one_of_99_in_100() -> None:
    found = outcome(1_000, 0.6, 0.5, 500)
    assert found.advantage == pytest.approx(0.1)
    assert found.bound == pytest.approx(0.1 + 2.3263 * ((0.24 + 0.25) / 500) ** 0.5, rel=1e-4)
    assert above_chance(30, 100, 0.01).advantage == pytest.approx(0.29)


def test_a_target_holds_the_advantage_and_the_bound() -> None:
    good, wide = Outcome(9, 0.005, 0.008), Outcome(9, 0.005, 0.012)
    assert Target("", gate=0.01).is_met(good)
    assert not Target("", gate=0.01).is_met(wide)
    assert Target("", least=0.004, most=0.006).is_met(good)
    assert not Target("", least=0.006).is_met(good)
    assert not Target("", most=0.004).is_met(good)


# The attackers' tools -----------------------------------------------------------------------------------------------


def test_the_matching_costs_least_of_all_permutations() -> None:
    cost = np.random.default_rng(2).random((40, 6, 6))
    for table, columns in zip(cost, assign(cost), strict=True):
        least = min(sum(table[row, each[row]] for row in range(6)) for each in permutations(range(6)))
        assert sorted(columns) == list(range(6))
        assert table[range(6), columns].sum() == pytest.approx(least)


def test_whole_numbers_and_negative_costs_are_matched_as_well() -> None:
    cost = np.random.default_rng(3).integers(-3, 4, (40, 5, 5)).astype(np.float64)
    for table, columns in zip(cost, assign(cost), strict=True):
        least = min(sum(table[row, each[row]] for row in range(5)) for each in permutations(range(5)))
        assert table[range(5), columns].sum() == least


def test_where_all_costs_are_equal_the_order_of_the_records_tells_nothing() -> None:
    hits = is_matched(np.zeros((2_000, 20, 20)), np.random.default_rng(4)).mean()
    assert hits == pytest.approx(1 / 20, abs=0.005)


def test_sums_are_taken_modulo_a_word_and_read_as_signed() -> None:
    near, far = (np.array([[[value]]], dtype=np.uint64).view(np.int64) for value in (WORD - 5, 8))
    assert SmallSum().score(near, far).tolist() == [[-3.0]]


def test_the_papers_formula_is_the_share_of_splits_that_give_both_values() -> None:
    """Against a count of how often halves drawn as the paper draws them fall near a pair of values."""
    chance, draws, width = np.random.default_rng(5), 2_000_000, float(2**32)
    part, one, two = (chance.random(draws) - 0.5 for _ in range(3))
    first, second = part + one, two - part
    for at in ((0.3, -0.2), (0.5, 0.1)):
        near = [np.abs(values - value) < 0.05 for values, value in zip((first, second), at, strict=True)]
        counted = np.log((near[0] & near[1]).mean() / (near[0].mean() * near[1].mean()))
        values = [np.array([[[round(value * width)]]]) for value in at]
        assert PaperLikelihood().score(values[0], values[1])[0, 0] == pytest.approx(counted, abs=0.05)


# Ours are the product's traces --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def traces() -> Ours:
    return Ours(2, SEED)


@pytest.mark.shared("data")
def test_the_households_are_real_and_each_month_begins_a_day_later() -> None:
    first, second = households.readings(2)
    assert first.shape == (100, 672)
    assert (first[:, 96:] == second[:, :-96]).all()
    assert 300 < first.mean() < 500


@pytest.mark.shared("data")
def test_with_the_view_seeds_the_records_give_the_readings_back(traces: Ours) -> None:
    for month, meter, at in ((0, 0, 0), (0, 57, 300), (1, 99, 671)):
        bounds, key = bounds_of(month), chain_key(SEED, Secret.VIEW, meter, month)
        leaves = [leaf_at(seed, bounds, bounds.first_k + at) for seed in view_seeds(key, Direction.IMPORT)]
        first, second = (int(value) % WORD for value in traces.records[:, month, meter, at])
        assert reading(Halves(first, second), *leaves) == traces.readings[month, meter, at]


@pytest.mark.shared("data")
def test_records_less_the_opened_mask_sum_are_the_live_meters_total(traces: Ours) -> None:
    near, far = traces.withheld(2_000, twice=True)
    everyone, without = far[..., 0], far[..., 1]
    records, readings = near.sum(axis=-1), traces.withheld_readings(2_000)
    assert (records.sum(axis=1)[:, None] - everyone == readings.sum(axis=1)[:, None]).all()
    assert (records.sum(axis=1)[:, None] - records - without == readings.sum(axis=1)[:, None] - readings).all()


@pytest.mark.shared("data")
def test_no_two_games_of_the_withheld_set_one_slots_sum_against_one_other(traces: Ours) -> None:
    near, far = traces.withheld(67_200)
    differences = far[..., 0] - far[..., 1] - near.sum(axis=-1) + traces.withheld_readings(67_200)
    assert len(np.unique(differences)) == differences.size


@pytest.mark.shared("data")
def test_a_position_is_the_rank_of_the_identitys_leaf_in_its_roster(traces: Ours) -> None:
    places, slots = traces.places(200), 2
    assert places.shape == (2, 1, METERS, slots)
    bounds = bounds_of(0)
    k = bounds.end_k - slots
    meters = [*range(20, 40), *range(METERS + 20, METERS + 24)]  # the second region's, and its spares
    prids = [
        [identity(seed, bounds, k) for seed in sign_seeds(chain_key(SEED, Secret.SIGN, place), Direction.IMPORT)]
        for place in meters
    ]
    leaves = roster(prid for pair in prids for prid in pair)
    for meter, pair in zip(range(20, 40), prids, strict=False):
        assert [leaves.index(roster_leaf(prid)) for prid in pair] == places[:, 0, meter, 0].tolist()
    words = traces.identities(67_200 // 96)
    assert words.near.shape == (35, 20, 1)


@pytest.mark.shared("data")
def test_times_lie_in_the_first_half_of_the_window_and_go_to_all_aggregators(traces: Ours) -> None:
    for window_s in (ours.WINDOW_S, ours.SHORTEST_WINDOW_S):
        sent = np.concatenate(traces.sent(10_000, window_s))
        assert sent[..., 0].min() >= 0
        assert sent[..., 0].max() < window_s // 2
        assert set(sent[..., 1].ravel().tolist()) == set(ours.AGGREGATORS)


@pytest.mark.shared("data")
def test_without_the_chain_the_records_of_two_months_differ_by_readings_only() -> None:
    near, far = Ours(2, SEED, chained=False).months(2_000)
    assert np.abs((near - far)[..., 0]).max() == 0  # the split comes from the same leaf
    assert np.abs((near - far)[..., 1]).max() < 5_000
