"""Counting by steps, against counting one by one."""

from hypothesis import given
from hypothesis import strategies as st

from gridproof.modules.registry.enrolment import NOBODY, changed_from, count_at, forgotten_before, recount
from gridproof.modules.registry.types import Enrolment

SPANS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 12)), max_size=12)


def of(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(from_k, from_k + length - 1 if length else 0) for from_k, length in spans]


def naive(spans: list[tuple[int, int]], k: int) -> int:
    return sum(from_k <= k and (until_k == 0 or k < until_k) for from_k, until_k in spans)


def built(spans: list[tuple[int, int]]) -> Enrolment:
    enrolment = NOBODY
    for from_k, until_k in spans:
        enrolment = changed_from(enrolment, from_k, 1)
        if until_k:
            enrolment = changed_from(enrolment, until_k, -1)
    return enrolment


@given(SPANS)
def test_steps_tell_what_counting_one_by_one_tells(lengths: list[tuple[int, int]]) -> None:
    spans = of(lengths)
    enrolment = built(spans)
    assert [count_at(enrolment, k) for k in range(45)] == [naive(spans, k) for k in range(45)]
    assert enrolment == recount(spans, 0)


@given(SPANS)
def test_the_order_of_changes_leaves_no_trace(lengths: list[tuple[int, int]]) -> None:
    spans = of(lengths)
    assert built(spans) == built(spans[::-1])


@given(SPANS, st.integers(0, 40), st.integers(0, 40))
def test_what_is_forgotten_changes_no_later_count(lengths: list[tuple[int, int]], first: int, second: int) -> None:
    spans = of(lengths)
    kept = forgotten_before(forgotten_before(built(spans), first), second)
    assert kept.known_from_k == max(first, second)
    assert [count_at(kept, k) for k in range(kept.known_from_k, 45)] == [
        naive(spans, k) for k in range(kept.known_from_k, 45)
    ]
    assert kept == recount(spans, kept.known_from_k)
    assert all(k >= kept.known_from_k for k, _ in kept.steps)
