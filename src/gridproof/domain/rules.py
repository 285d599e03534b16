"""What modules tell one another about regions, months and slots: plain values, passed through ports."""

from typing import NamedTuple

from .time import MonthBounds, MonthId


class RegionRules(NamedTuple):
    """How a region's slots are worked.

    Attributes:
        period_s: length of a period in seconds.
        window_s: how long after a period's end batches are taken, seconds.
        window_blocks: blocks that must follow a slot's first batch before it closes.
        opening_s: how long after the window the live set may be fixed and masks opened, seconds.
        claim_s: how long after the window a dropped record may be claimed, seconds.
        retention_months: months for which bodies are kept after the month was closed.
    """

    period_s: int
    window_s: int
    window_blocks: int
    opening_s: int
    claim_s: int
    retention_months: int


class MonthRules(NamedTuple):
    """A region's month and the privacy parameters that hold in it.

    Attributes:
        bounds: the month's number, instants and period length.
        k_min: the fewest live pairs for which a total comes out.
        min_live_permille: the least live share of enrolled meters, in 1/1000.
        closed: whether its slots were folded.
    """

    bounds: MonthBounds
    k_min: int
    min_live_permille: int
    closed: bool

    @property
    def month(self) -> MonthId:
        """The month's number."""
        return self.bounds.month


class SlotOutcome(NamedTuple):
    """How a slot came to its end.

    Attributes:
        total_wh: its total; None where it is sealed or void.
        batch_roots: roots of the batches that were taken, in order, 32 bytes each.
    """

    total_wh: int | None
    batch_roots: tuple[bytes, ...]
