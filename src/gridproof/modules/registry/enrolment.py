"""Counting a channel's meters by steps: pure functions on `Enrolment` (rule R-20 in README.md).

The steps are canonical: k ascends, and each count differs from the one before it (0 before the first), so that one
history of enrolments has one form.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from .types import Enrolment

NOBODY: Final = Enrolment(())

Step = tuple[int, int]


def count_at(enrolment: Enrolment, k: int) -> int:
    """How many meters are enrolled at period k; told only from `known_from_k` on."""
    at = bisect_right(enrolment.steps, k, key=lambda step: step[0])
    return enrolment.steps[at - 1][1] if at else 0


def changed_from(enrolment: Enrolment, k: int, by: int) -> Enrolment:
    """The enrolment with `by` meters more, or fewer, from period k on.

    Args:
        enrolment: as it was.
        k: a period that it tells of.
        by: how many more; negative for fewer.
    """
    before = [step for step in enrolment.steps if step[0] < k]
    after = [(later_k, count + by) for later_k, count in enrolment.steps if later_k > k]
    return Enrolment(_canonical([*before, (k, count_at(enrolment, k) + by), *after]), enrolment.known_from_k)


def forgotten_before(enrolment: Enrolment, k: int) -> Enrolment:
    """The enrolment without what it tells of periods before k."""
    if k <= enrolment.known_from_k:
        return enrolment
    after = [step for step in enrolment.steps if step[0] > k]
    return Enrolment(_canonical([(k, count_at(enrolment, k)), *after]), k)


def recount(spans: Iterable[tuple[int, int]], known_from_k: int) -> Enrolment:
    """Count meters anew, as far back as is asked.

    Args:
        spans: (from_k, until_k) of each meter; until_k 0 while it is enrolled.
        known_from_k: first period of interest.
    """
    changes: dict[int, int] = {}
    for from_k, until_k in spans:
        begins = max(from_k, known_from_k)
        changes[begins] = changes.get(begins, 0) + 1
        if until_k:
            ends = max(until_k, known_from_k)
            changes[ends] = changes.get(ends, 0) - 1
    steps: list[Step] = []
    count = 0
    for k in sorted(changes):
        count += changes[k]
        steps.append((k, count))
    return Enrolment(_canonical(steps), known_from_k)


def _canonical(steps: Iterable[Step]) -> tuple[Step, ...]:
    kept: list[Step] = []
    count = 0
    for step in steps:
        if step[1] != count:
            kept.append(step)
            count = step[1]
    return tuple(kept)
