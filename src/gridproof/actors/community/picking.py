"""Finding the periods that people mean."""

from collections.abc import Sequence
from typing import NamedTuple

from gridproof.connectors.config import Region
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import Direction, RegionId
from gridproof.modules.aggregation import queries as aggregation

from .community import Community
from .errors import NoSuchPeriodError, NothingYetError
from .periods import Period, months_of, periods


class Span(NamedTuple):
    """A stretch of periods.

    Attributes:
        first_k: first period.
        stop_k: first period after it.
        title: what people call it.
    """

    first_k: int
    stop_k: int
    title: str


def worked_span(community: Community, client: LedgerClient, region: Region, channel: Direction) -> tuple[int, int]:
    """The periods that the ledger has on a region's channel, up to the last that something was sent for: [first, stop).

    Raises:
        NothingYetError: it has none.
    """
    past_k = client.status().ledger_time_s // community.period_s
    bounds = [
        view.bounds
        for view in months_of(client, region.number)
        if client.ask(aggregation.last_epoch, region.number, channel, view.bounds.month)
    ]
    first, stop = (bounds[0].first_k, min(bounds[-1].end_k, past_k)) if bounds else (0, 0)
    while stop > first:
        at = max(first, stop - aggregation.MAX_SLOTS)
        sent = [
            each.k for each in periods(client, RegionId(region.number), channel, at, stop) if each.state is not None
        ]
        if sent:
            return first, sent[-1] + 1
        stop = at
    raise NothingYetError(region=f"{region.number} {region.name}", channel=channel.label)


def span_of(community: Community, worked: tuple[int, int], day: str | None, month: str | None) -> Span:
    """The periods of a day or month; without one, of the last day that has any.

    Args:
        community: whose.
        worked: the periods that there are.
        day: as people write it.
        month: likewise.

    Raises:
        NoDayError: it is none.
        NoMonthGivenError: it is none.
    """
    period_s, times = community.period_s, community.times
    if month is not None:
        bounds = community.calendar.bounds(times.month(month))
        return Span(bounds.first_k, bounds.end_k, month.strip())
    wanted = times.day(day if day is not None else times.label((worked[1] - 1) * period_s)[:10])
    return Span(wanted.start_s // period_s, wanted.end_s // period_s, wanted.label)


def listed(
    client: LedgerClient, region: Region, channel: Direction, span: Span, worked: tuple[int, int]
) -> list[Period]:
    """The periods of a stretch that the ledger has, up to ledger time."""
    first, stop = max(span.first_k, worked[0]), min(span.stop_k, worked[1])
    return list(periods(client, RegionId(region.number), channel, first, stop))


def require_some(community: Community, found: Sequence[Period], wanted: str, worked: tuple[int, int]) -> None:
    """Return if periods were found.

    Args:
        community: whose.
        found: what was found.
        wanted: what was asked for, for the error.
        worked: the periods that there are: [first, stop).

    Raises:
        NoSuchPeriodError: none was found.
    """
    if not found:
        label, period_s = community.times.label, community.period_s
        raise NoSuchPeriodError(
            period=wanted, first=label(worked[0] * period_s), last=label((worked[1] - 1) * period_s)
        )


def worked_spans(
    community: Community, client: LedgerClient, regions: Sequence[Region], channel: Direction
) -> list[tuple[Region, tuple[int, int]]]:
    """The regions among some that have periods, with those periods.

    Raises:
        NothingYetError: none has.
    """
    found = []
    for region in regions:
        try:
            found.append((region, worked_span(community, client, region, channel)))
        except NothingYetError:
            if region is regions[-1] and not found:
                raise
    return found


def period_at(
    community: Community, client: LedgerClient, region: Region, channel: Direction, when: str | None
) -> Period:
    """The period of a number or time; without one, the last that ended in a total, or the last there is.

    Raises:
        NoSuchPeriodError: the ledger has none then.
        NothingYetError: it has none at all.
        TimeError: it is no time.
    """
    first, stop = worked_span(community, client, region, channel)
    number = RegionId(region.number)
    if when is None:
        recent = list(periods(client, number, channel, max(first, stop - aggregation.MAX_SLOTS), stop))
        opened = [period for period in recent if period.total_wh is not None]
        return (opened or recent)[-1]
    period_s = community.period_s
    k = int(when) if when.strip().isdigit() and when.isascii() else community.times.parse(when) // period_s
    found = list(periods(client, number, channel, k, k + 1))
    require_some(community, found, when, (first, stop))
    return found[0]
