"""Rosters, filters and masks against what a naive reader of the protocol would compute."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gridproof.actors.bill_provider import rosters
from gridproof.domain import (
    WORD,
    Direction,
    MonthBounds,
    MonthId,
    OutOfRangeError,
    SignSeeds,
    identity,
    leaf_at,
    mask,
    roster,
    roster_leaf,
    sign_seeds,
    view_seeds,
)
from gridproof.primitives import merkle
from gridproof.primitives.hashing import sha256

BOUNDS = MonthBounds(MonthId(24_000), 0, 70 * 900, 900)
PLACES = 5
CHAINS = [sha256(bytes([n])) for n in range(PLACES)]
SIGN = [sign_seeds(key, Direction.IMPORT) for key in CHAINS]
VIEW = [view_seeds(key, Direction.IMPORT) for key in CHAINS]


def naive(seeds: list[SignSeeds], k: int) -> list[bytes]:
    return [identity(seed, BOUNDS, k) for pair in seeds for seed in pair]


@pytest.fixture(scope="module")
def made() -> rosters.Rosters:
    return rosters.make(SIGN, BOUNDS, BOUNDS.first_k)


def test_each_slots_leaves_and_root_are_those_of_its_places_identities(made: rosters.Rosters) -> None:
    for k in range(BOUNDS.first_k, BOUNDS.end_k):
        leaves = roster(naive(SIGN, k))
        assert rosters.cut(made.rows[k]) == leaves
        assert made.roots[k] == merkle.root(leaves)


def test_owners_tell_whose_each_leaf_is(made: rosters.Rosters) -> None:
    assert made.owners.shape == (BOUNDS.periods, 2 * PLACES)
    for k in (0, 1, BOUNDS.periods - 1):
        owned = [roster_leaf(prid) for prid in naive(SIGN, k)]
        assert rosters.cut(made.rows[k]) == [owned[owner] for owner in made.owners[k]]


def test_no_identity_comes_twice_in_a_month(made: rosters.Rosters) -> None:
    leaves = [leaf for row in made.rows for leaf in rosters.cut(row)]
    assert len(set(leaves)) == len(leaves) == 2 * PLACES * BOUNDS.periods


def test_an_executor_gives_the_same_rosters(made: rosters.Rosters) -> None:
    with ThreadPoolExecutor(2) as executor:
        again = rosters.make(SIGN, BOUNDS, BOUNDS.first_k, executor)
    assert again.roots == made.roots
    assert again.rows == made.rows
    assert np.array_equal(again.owners, made.owners)


def test_the_filter_knows_every_leaf_and_hardly_any_other(made: rosters.Rosters) -> None:
    bloom = rosters.filter_of(map(rosters.cut, made.rows), 2 * PLACES * BOUNDS.periods, 1_000)
    assert all(leaf in bloom for row in made.rows for leaf in rosters.cut(row))
    assert sum(sha256(n.to_bytes(4, "big")) in bloom for n in range(10_000)) < 40


def test_exchanged_places_leave_all_other_leaves_as_they_were(made: rosters.Rosters) -> None:
    from_k, gone = 30, [1, 3]
    fresh = [sign_seeds(sha256(b"fresh", bytes([n])), Direction.IMPORT) for n in gone]
    pairs = list(rosters.leaf_pairs(fresh, BOUNDS, from_k, None))
    old = [(rosters.cut(made.rows[k]), made.owners[k]) for k in range(from_k, BOUNDS.end_k)]
    new = rosters.exchanged(old, gone, pairs)
    seeds = [fresh[gone.index(n)] if n in gone else SIGN[n] for n in range(PLACES)]
    for at, k in enumerate(range(from_k, BOUNDS.end_k)):
        owned = [roster_leaf(prid) for prid in naive(seeds, k)]
        assert rosters.cut(new.rows[at]) == sorted(owned)
        assert new.roots[at] == merkle.root(sorted(owned))
        assert rosters.cut(new.rows[at]) == [owned[owner] for owner in new.owners[at]]


def test_masks_are_those_of_the_view_leaves() -> None:
    table = rosters.MaskTable(VIEW, BOUNDS)
    for k in (0, 63, 64, BOUNDS.end_k - 1, 0):
        assert table.at(k).tolist() == [mask(leaf_at(seed, BOUNDS, k)) for pair in VIEW for seed in pair]
    with pytest.raises(OutOfRangeError):
        table.at(BOUNDS.end_k)
    assert repr(table) == "MaskTable(5 places, hidden)"


def test_masks_of_many_blocks_are_computed_again_rather_than_kept() -> None:
    bounds = BOUNDS._replace(end_s=64 * 6 * 900)
    table = rosters.MaskTable(VIEW[:1], bounds)
    first = table.at(0).tolist()
    for k in range(0, bounds.end_k, 64):
        table.at(k)
    assert table.at(0).tolist() == first
    assert sum(table.at(0).tolist()) % WORD == sum(first) % WORD
