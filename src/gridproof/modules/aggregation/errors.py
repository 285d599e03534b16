"""Reasons for which aggregation refuses. Numbers are part of the protocol: never reused."""

from typing import ClassVar

from gridproof.errors import Refusal, TooEarly

from .types import Status


class AggregationError(Refusal):
    """Root of this module's refusals."""


# Months and slots


class MonthIsClosed(AggregationError):
    """The month's slots were folded; nothing changes in it any more."""

    code: ClassVar[int] = 2001
    region: int
    month: int


class RosterUnknown(AggregationError):
    """No roster binds for this slot, so nothing can be booked under it. Check region, channel and period."""

    code: ClassVar[int] = 2002
    region: int
    channel: int
    k: int


class PeriodRunning(AggregationError, TooEarly):
    """The slot's period is not over; nothing was booked. Send again after its end."""

    code: ClassVar[int] = 2003
    now_s: int
    end_s: int

    @property
    def not_before_s(self) -> int:
        """The ledger time from which on it may be accepted, UTC epoch seconds."""
        return self.end_s


# Rosters


class OddRoster(AggregationError):
    """A roster has two leaves a place, an even number; nothing was published. Add the missing half."""

    code: ClassVar[int] = 2004
    count: int


class RootsMismatch(AggregationError):
    """There is not one roster root of 32 bytes for each period of the stretch; nothing was published."""

    code: ClassVar[int] = 2005
    size: int
    expected: int | None


class RemovedMalformed(AggregationError):
    """Removed leaves are 32 bytes each and strictly ascending; nothing was published. Sort them."""

    code: ClassVar[int] = 2006
    size: int


class BadEpochStart(AggregationError):
    """A month's first rosters begin with the month, later ones after the last ones and within it; none were published.
    Choose another first period.
    """

    code: ClassVar[int] = 2007
    from_k: int
    low_k: int
    high_k: int


class RosterTooLate(AggregationError):
    """The window of the first period is open already, so its roster stays as it was. Begin with a later period."""

    code: ClassVar[int] = 2008
    now_s: int
    end_s: int


class RosterResized(AggregationError):
    """The number of leaves stays the same all month; nothing was published. Use spare places."""

    code: ClassVar[int] = 2009
    count: int
    expected: int


# Batches


class BadBatchBitmap(AggregationError):
    """The batch's bitmap does not fit its roster and its records; the batch was dropped. Build it again."""

    code: ClassVar[int] = 2010
    count: int
    records: int
    detail: str


class LeavesUnsorted(AggregationError):
    """A batch's records stand in the strictly ascending order of their leaves; the batch was dropped.
    Sort it, and name no identity twice.
    """

    code: ClassVar[int] = 2011
    index: int


class BatchUnproven(AggregationError):
    """Not all records stand in the roster that the batch names; the batch was dropped. Leave out the foreign ones."""

    code: ClassVar[int] = 2012
    detail: str


class OtherRoster(AggregationError):
    """The batch was made against another roster than the slot's; nothing was booked. Fetch the current one."""

    code: ClassVar[int] = 2013
    root: bytes
    count: int
    expected_root: bytes
    expected_count: int


class SlotIsClosed(AggregationError):
    """The slot takes no more batches; it stayed as it was. Late records go on the bill only."""

    code: ClassVar[int] = 2014
    status: Status


class NothingNew(AggregationError):
    """Every leaf of the batch has a record already, and the first one stays; nothing was booked."""

    code: ClassVar[int] = 2015
    records: int


class TooManyBatches(AggregationError):
    """The aggregator has brought its most batches for this slot; nothing was booked. Gather records before sending."""

    code: ClassVar[int] = 2016
    limit: int


# Closing


class WindowOpen(AggregationError, TooEarly):
    """The slot's window is open; it stayed so. Send again when it is over."""

    code: ClassVar[int] = 2017
    now_s: int
    end_s: int

    @property
    def not_before_s(self) -> int:
        """The ledger time from which on it may be accepted, UTC epoch seconds."""
        return self.end_s


class BlocksMissing(AggregationError):
    """Too few blocks followed the slot's first batch for others to bring theirs; it stayed open.
    Send again at the height that is named.
    """

    code: ClassVar[int] = 2018
    height: int
    from_height: int


class AlreadyClosed(AggregationError):
    """The slot is closed, and no deadline has passed since that would change it; it stayed as it was."""

    code: ClassVar[int] = 2019
    status: Status


# Live set and masks


class SlotNotClosed(AggregationError):
    """The slot still takes batches; nothing was changed. Close it first."""

    code: ClassVar[int] = 2020
    status: Status


class LiveSetExists(AggregationError):
    """The slot's live set was fixed before; the first one stays, for the difference of two would tell a reading."""

    code: ClassVar[int] = 2021
    status: Status


class SlotIsVoid(AggregationError):
    """The slot has no total and will have none; it stayed as it was. The tariff's fallback price holds."""

    code: ClassVar[int] = 2022
    region: int
    channel: int
    k: int


class OpeningOver(AggregationError):
    """The time to fix the live set and to open masks is over; the slot has no total. The fallback price holds."""

    code: ClassVar[int] = 2023
    now_s: int
    deadline_s: int


class PositionsUnsorted(AggregationError):
    """Orphans and excluded leaves are each strictly ascending and share none; the list was dropped. Sort them."""

    code: ClassVar[int] = 2024
    detail: str


class PositionEmpty(AggregationError):
    """Only a leaf with a record can be left out of the live set; nothing was fixed. Take the position off the list."""

    code: ClassVar[int] = 2025
    position: int


class LiveSetOdd(AggregationError):
    """A meter has two halves, so a live set is even; nothing was fixed. Name all orphans."""

    code: ClassVar[int] = 2026
    live: int


class LiveBeyondEnrolled(AggregationError):
    """More pairs are live than meters are enrolled at this period; nothing was fixed. Check which places are in use."""

    code: ClassVar[int] = 2027
    pairs: int
    enrolled: int


class LiveSetNotFixed(AggregationError):
    """The slot's live set is not fixed; its masks stay shut. Send it first."""

    code: ClassVar[int] = 2028
    status: Status


class OtherLiveSet(AggregationError):
    """The mask sum was made for another live set; it was not used. Sum the masks of the fixed one."""

    code: ClassVar[int] = 2029
    live_set: bytes
    expected: bytes


class SlotIsSealed(AggregationError):
    """Too few meters were live; the slot's total stays hidden for good. The fallback price holds."""

    code: ClassVar[int] = 2030
    pairs: int
    enrolled: int


class AlreadyOpened(AggregationError):
    """The slot's masks are open; the first opening stays."""

    code: ClassVar[int] = 2031
    total_wh: int


class TotalAbsurd(AggregationError):
    """The opening gives a total that no region can have; it was not taken. Send the right sum before the deadline."""

    code: ClassVar[int] = 2032
    total_wh: int
    limit_wh: int


# Dropped records


class ClaimTooLate(AggregationError):
    """The time to claim a dropped record is over; nothing was changed."""

    code: ClassVar[int] = 2033
    now_s: int
    deadline_s: int


class ReceiptKeyUnknown(AggregationError):
    """The receipt's key is not the aggregator's, nor was it when the slot's window opened; nothing was changed."""

    code: ClassVar[int] = 2034
    aggregator: int
    receipt_key: bytes


class LeafUnproven(AggregationError):
    """The record does not stand at this position of the slot's roster; nothing was changed. Check position and path."""

    code: ClassVar[int] = 2035
    position: int
    detail: str


class NotDropped(AggregationError):
    """The leaf has a record, so none was dropped; nothing was changed."""

    code: ClassVar[int] = 2036
    position: int


class AlreadyClaimed(AggregationError):
    """The dropped record was claimed before; the first claim stays."""

    code: ClassVar[int] = 2037
    position: int
    aggregator: int


# Closing a month


class DeadlinesPending(AggregationError, TooEarly):
    """Slots of the month may still be opened or claimed; it stayed open. Send again after the last deadline."""

    code: ClassVar[int] = 2038
    now_s: int
    deadline_s: int

    @property
    def not_before_s(self) -> int:
        """The ledger time from which on it may be accepted, UTC epoch seconds."""
        return self.deadline_s


# Side batches


class LateOver(AggregationError):
    """The deadline for late records has passed, nothing was taken. What is missing is billed from the register."""

    code: ClassVar[int] = 2039
    now_s: int
    deadline_s: int
