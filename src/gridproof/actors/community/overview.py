"""Where a community stands, from the ledger and the readings alone: no secret is needed."""

from collections import Counter
from contextlib import closing
from typing import Final, NamedTuple

from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.readings import MeterSpan
from gridproof.domain import Direction, MonthId
from gridproof.drivers.wire import Status as LedgerStatus
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Status
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.errors import CountForgotten

from .community import Community
from .periods import EMPTY, MonthView, months_of

STATUSES: Final = (*(str(status) for status in Status), EMPTY)


class LineView(NamedTuple):
    """A region's channel in a month.

    Attributes:
        region: number of the region.
        channel: import or export.
        month: the month.
        closed: whether it was folded.
        slots: how many slots whose period is over stand how.
        total_wh: sum of the totals.
    """

    region: int
    channel: Direction
    month: MonthId
    closed: bool
    slots: dict[str, int]
    total_wh: int


class Backlog(NamedTuple):
    """Readings that the ledger has not worked off.

    Attributes:
        readings: how many there are in all.
        first_s: start of the first one's period, UTC epoch seconds; None without any.
        last_s: start of the last one's.
        periods: periods up to the last reading whose window ledger time has not passed.
    """

    readings: int
    first_s: int | None
    last_s: int | None
    periods: int


class Overview(NamedTuple):
    """Where a community stands.

    Attributes:
        ledger: height, app hash, ledger time.
        lines: what became of the slots.
        enrolled: meters enrolled now, by region and channel.
        backlog: what waits.
    """

    ledger: LedgerStatus
    lines: list[LineView]
    enrolled: dict[tuple[int, Direction], int]
    backlog: Backlog


def overview(community: Community, client: LedgerClient) -> Overview:
    """Look where the community stands.

    Raises:
        ClientError: the ledger gave no answer.
        ReadingsError: the readings cannot be read.
    """
    status = client.status()
    now_k = status.ledger_time_s // community.period_s
    lines: list[LineView] = []
    enrolled: dict[tuple[int, Direction], int] = {}
    window_s = 0
    for number, region in client.ask(registry.regions):
        window_s = max(window_s, region.window_s)
        for channel in Direction:
            try:
                enrolled[number, channel] = client.ask(registry.enrolled, number, channel, now_k)
            except CountForgotten:
                enrolled[number, channel] = 0
            lines += [
                _line(client, number, channel, view, now_k)
                for view in months_of(client, number)
                if client.ask(aggregation.last_epoch, number, channel, view.bounds.month)
            ]
    return Overview(status, lines, enrolled, _backlog(community, status.ledger_time_s - window_s))


def _line(client: LedgerClient, region: int, channel: Direction, view: MonthView, now_k: int) -> LineView:
    if view.closed:
        return _closed_line(client, region, channel, view)
    counted: Counter[str] = Counter()
    total_wh = 0
    stop_k = min(view.bounds.end_k, max(now_k, view.bounds.first_k))
    for at in range(view.bounds.first_k, stop_k, aggregation.MAX_SLOTS):
        until = min(at + aggregation.MAX_SLOTS, stop_k)
        found = client.ask(aggregation.slots, region, channel, at, until)
        counted.update(str(Status(each.state.status)) for each in found)
        counted[EMPTY] += until - at - len(found)
        total_wh += sum(each.state.total_wh for each in found)
    slots = {name: counted[name] for name in STATUSES}
    return LineView(region, channel, view.bounds.month, closed=False, slots=slots, total_wh=total_wh)


def _closed_line(client: LedgerClient, region: int, channel: Direction, view: MonthView) -> LineView:
    """A folded month keeps how many slots were opened; the others were sealed or void."""
    fold = client.ask(aggregation.fold, region, channel, view.bounds.month)
    opened, total_wh, slots = (fold.opened, fold.total_wh, fold.slots) if fold else (0, 0, view.bounds.periods)
    counted = {str(Status.OPENED): opened, "without a total": slots - opened}
    return LineView(region, channel, view.bounds.month, closed=True, slots=counted, total_wh=total_wh)


def _backlog(community: Community, settled_s: int) -> Backlog:
    with closing(community.readings()) as readings:
        spans: list[MeterSpan] = readings.meters()
    if not spans:
        return Backlog(0, None, None, 0)
    first_s, last_s = min(span.first_s for span in spans), max(span.last_s for span in spans)
    next_k = max(first_s, settled_s) // community.period_s
    behind = max(0, last_s // community.period_s + 1 - next_k)
    return Backlog(sum(span.readings for span in spans), first_s, last_s, behind)
