"""Periods and months as the ledger sees them: UTC seconds only; zones exist above the modules."""

from typing import NamedTuple, NewType

from .errors import MisalignedError, OutOfRangeError
from .ids import U64_MAX, require_range

MonthId = NewType("MonthId", int)  # year x 12 + month - 1: consecutive months have consecutive numbers

SECONDS_PER_DAY = 86_400
PERIODS_S = (300, 600, 900, 1_800, 3_600)  # lengths of a period that divide the hour


def month_id(year: int, month: int) -> MonthId:
    """Number a calendar month.

    Args:
        year: 1970 .. 9999.
        month: 1 .. 12.

    Raises:
        OutOfRangeError: there is no such month.
    """
    require_range("year", year, 1970, 9999)
    require_range("month", month, 1, 12)
    return MonthId(year * 12 + month - 1)


def month_label(month: MonthId) -> str:
    """The month as people write it: `2025-10`."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def period_index(instant_s: int, period_s: int) -> int:
    """Index k of the period that contains an instant: `floor(instant / length)`.

    Args:
        instant_s: UTC epoch seconds.
        period_s: length of a period in seconds.
    """
    return instant_s // period_s


class MonthBounds(NamedTuple):
    """A region's month as instants: [start, end), cut into periods.

    Attributes:
        month: the month's number.
        start_s: first instant, UTC epoch seconds, a multiple of the period's length.
        end_s: first instant after it, likewise.
        period_s: length of a period in seconds.
    """

    month: MonthId
    start_s: int
    end_s: int
    period_s: int

    def validate(self) -> None:
        """Return if the bounds are a month's.

        Raises:
            OutOfRangeError: the period's length is unknown, or the month is empty or longer than 32 days.
            MisalignedError: a bound does not lie between two periods.
        """
        require_range("start_s", self.start_s, 0, U64_MAX)
        if self.period_s not in PERIODS_S:
            raise OutOfRangeError(what="period_s", value=self.period_s, low=PERIODS_S[0], high=PERIODS_S[-1])
        for what, instant_s in (("start_s", self.start_s), ("end_s", self.end_s)):
            if instant_s % self.period_s:
                raise MisalignedError(what=what, instant_s=instant_s, period_s=self.period_s)
        require_range("end_s", self.end_s, self.start_s + self.period_s, self.start_s + 32 * SECONDS_PER_DAY)

    @property
    def first_k(self) -> int:
        """Index of the month's first period."""
        return self.start_s // self.period_s

    @property
    def end_k(self) -> int:
        """Index of the first period after the month."""
        return self.end_s // self.period_s

    @property
    def periods(self) -> int:
        """How many periods the month has."""
        return self.end_k - self.first_k

    @property
    def depth(self) -> int:
        """Depth of a key tree with a leaf for each period: ceil(log2(periods))."""
        return max(1, (self.periods - 1).bit_length())

    def stretch(self, from_k: int, until_k: int) -> tuple[int, int]:
        """The periods of the month in which something stands that is there from one period until another.

        Args:
            from_k: its first period.
            until_k: the first period in which it no longer is, 0 while that is open.

        Returns:
            [from, until); empty, or turned about, where it lies outside the month.
        """
        return max(from_k, self.first_k), min(until_k or self.end_k, self.end_k)

    def leaf_index(self, k: int) -> int:
        """Index of period k's leaf in the month's key trees.

        Raises:
            OutOfRangeError: k lies outside the month.
        """
        require_range("k", k, self.first_k, self.end_k - 1)
        return k - self.first_k

    def contains(self, k: int) -> bool:
        """Whether period k lies in the month."""
        return self.first_k <= k < self.end_k
