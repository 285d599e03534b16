"""When what is to be done: the instants of slots and months, in order.

A slot's window is cut into eighths: in the first four meters send, until the seventh they send again what got no
receipt; at the end of the sixth and the seventh aggregators bring batches; at the window's end the slot is closed.
Meters are visited a few times only, so that what many send is stored with one sync.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from heapq import merge
from typing import Final, NamedTuple

from gridproof.domain import MonthBounds, RegionRules
from gridproof.modules.aggregation.rules.timetable import month_settled_s

PARTS: Final = 8
SENDING: Final = (2, 4, 6, 7)
BRINGING: Final = (6, 7)
LEAD_S: Final = 86_400  # how long before its beginning a month is opened and its rosters are published


class Kind(IntEnum):
    """What is to be done; what is due at the same instant is done in this order."""

    PREPARE = 1  # open a month and publish its rosters
    ROLL_OVER = 2  # a month is over: its sign seeds are erased
    RECORD = 3  # a period is over: meters record it
    SEND = 4
    BRING = 5  # aggregators bring what they have
    CLOSE = 6  # the window is over
    SETTLE = 7  # a month's last deadline has passed: it is folded


class Step(NamedTuple):
    """Something to do.

    Attributes:
        at_s: when, UTC epoch seconds.
        kind: what.
        region: where.
        number: the period, or for a month's step the month.
    """

    at_s: int
    kind: Kind
    region: int
    number: int


def slot_steps(region: int, rules: RegionRules, first_k: int, end_k: int) -> Iterator[Step]:
    """The steps of a region's slots, in order.

    Args:
        region: the region.
        rules: its times.
        first_k: first period.
        end_k: first period after the last.
    """

    def at(kind: Kind, part: int) -> Iterator[Step]:
        after_s = rules.window_s * part // PARTS
        for k in range(first_k, end_k):
            yield Step((k + 1) * rules.period_s + after_s, kind, region, k)

    return merge(
        at(Kind.RECORD, 0),
        *(at(Kind.SEND, part) for part in SENDING),
        *(at(Kind.BRING, part) for part in BRINGING),
        at(Kind.CLOSE, PARTS),
    )


def month_steps(region: int, rules: RegionRules, months: Sequence[MonthBounds]) -> Iterator[Step]:
    """The steps of a region's months, in order."""
    steps = []
    for bounds in months:
        steps.append(Step(max(0, bounds.start_s - LEAD_S), Kind.PREPARE, region, bounds.month))
        steps.append(Step(bounds.end_s, Kind.ROLL_OVER, region, bounds.month))
        steps.append(Step(month_settled_s(bounds, rules), Kind.SETTLE, region, bounds.month))
    return iter(sorted(steps))


def together(steps: Iterable[Iterator[Step]]) -> Iterator[Step]:
    """The steps of several sequences, in order."""
    return merge(*steps)
