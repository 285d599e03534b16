"""When a slot's deadlines fall, in ledger time."""

from typing import NamedTuple

from gridproof.domain import MonthBounds, RegionRules


class Timetable(NamedTuple):
    """A slot's instants, UTC epoch seconds; each is the first second after what it ends.

    Attributes:
        period_end_s: of its period: batches are taken from here on.
        window_end_s: of its window: it may be closed from here on.
        opening_end_s: of the time to fix its live set and to open its masks.
        claim_end_s: of the time to claim records that were dropped.
    """

    period_end_s: int
    window_end_s: int
    opening_end_s: int
    claim_end_s: int


def timetable(k: int, rules: RegionRules) -> Timetable:
    """The deadlines of period k.

    Args:
        k: the period's index.
        rules: of its region.
    """
    return _after((k + 1) * rules.period_s, rules)


def month_settled_s(bounds: MonthBounds, rules: RegionRules) -> int:
    """When the last deadline of a month's last slot has passed, UTC epoch seconds."""
    last = _after(bounds.end_s, rules)
    return max(last.opening_end_s, last.claim_end_s)


def _after(period_end_s: int, rules: RegionRules) -> Timetable:
    window_end_s = period_end_s + rules.window_s
    return Timetable(period_end_s, window_end_s, window_end_s + rules.opening_s, window_end_s + rules.claim_s)
