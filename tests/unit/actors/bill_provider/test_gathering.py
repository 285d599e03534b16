"""Gathering: a bitmap of the ledger, read at once, marks what the domain's own reading of it marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.bill_provider.gathering import marked_positions
from gridproof.domain import bitmap_of, positions_in


@given(st.integers(2, 200).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1)))))
def test_the_positions_are_those_that_the_domain_reads(given_: tuple[int, set[int]]) -> None:
    count, positions = given_
    bitmap = bitmap_of(count, positions)
    assert tuple(marked_positions(bitmap, count).tolist()) == positions_in(bitmap, count) == tuple(sorted(positions))


@pytest.mark.parametrize("count", [2, 8, 9])
def test_a_bitmap_that_is_not_there_marks_nothing(count: int) -> None:
    assert marked_positions(b"", count).tolist() == []
