"""Chance that can be repeated, and choices from it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.randomness import Seeded, below, system


def test_the_same_seed_gives_the_same_bytes_call_by_call() -> None:
    first, second = Seeded(b"seed"), Seeded(b"seed")
    assert [first(size) for size in (0, 1, 32, 33, 100)] == [second(size) for size in (0, 1, 32, 33, 100)]
    assert first(32) != first(32)
    assert Seeded(b"other")(32) != Seeded(b"seed")(32)


def test_a_fork_is_not_moved_by_the_draws_of_others() -> None:
    parent = Seeded(b"seed")
    before = parent.fork("meter 1")(16)
    parent(100)
    assert parent.fork("meter 1")(16) == before
    assert parent.fork("meter 2")(16) != before


@given(size=st.integers(0, 200))
def test_as_many_bytes_come_as_were_asked_for(size: int) -> None:
    assert len(Seeded(b"")(size)) == size
    assert len(system(size)) == size


def test_every_choice_is_as_likely_as_the_others() -> None:
    randomness = Seeded(b"dice")
    drawn = Counter(below(randomness, 6) for _ in range(6_000))
    assert sorted(drawn) == list(range(6))
    assert all(850 < count < 1_150 for count in drawn.values())
