"""Periods as people look at them: what became of each, from the ledger alone."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import Direction, MonthBounds, MonthId, RegionId
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import SlotState, Status
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.errors import CountForgotten

SETTLED: Final = (Status.FIXED, Status.OPENED, Status.SEALED)
EMPTY: Final = "nothing yet"


class Period(NamedTuple):
    """What the ledger tells of a slot.

    Attributes:
        region: the region.
        channel: import or export.
        k: the period.
        month: the month that it lies in.
        state: the slot's, or None while nothing was sent for it.
        enrolled: meters enrolled on the channel; None where the ledger forgot the count with the month.
    """

    region: RegionId
    channel: Direction
    k: int
    month: MonthId
    state: SlotState | None
    enrolled: int | None

    @property
    def status(self) -> str:
        """How far it has come: `open`, `closed`, `fixed`, `opened`, `sealed`, `void`, or `nothing yet`."""
        return EMPTY if self.state is None else str(Status(self.state.status))

    @property
    def total_wh(self) -> int | None:
        """The total, where it is known."""
        state = self.state
        return state.total_wh if state is not None and state.status == Status.OPENED else None

    @property
    def live(self) -> int | None:
        """Meters whose pair counts; None before that is fixed."""
        state = self.state
        return state.live_pairs if state is not None and state.status in SETTLED else None

    @property
    def missing(self) -> int | None:
        """Enrolled meters without a live pair; None before that is known."""
        if self.live is None or self.enrolled is None:
            return None
        return self.enrolled - self.live


class MonthView(NamedTuple):
    """A region's month on the ledger.

    Attributes:
        bounds: its instants.
        closed: whether its slots were folded.
    """

    bounds: MonthBounds
    closed: bool


def months_of(client: LedgerClient, region: int) -> list[MonthView]:
    """A region's months that were opened, in order.

    Raises:
        Refusal: there is no such region.
        ClientError: the ledger gave no answer.
    """
    known = client.ask(registry.region, region)
    period_s = known.period_s if known else 0
    return [
        MonthView(MonthBounds(MonthId(number), month.start_s, month.end_s, period_s), month.closed)
        for number, month in client.ask(registry.months, region)
    ]


def periods(client: LedgerClient, region: RegionId, channel: Direction, from_k: int, until_k: int) -> Iterator[Period]:
    """The periods from_k <= k < until_k of the months that have rosters on the channel, in order.

    Raises:
        Refusal: there is no such region.
        ClientError: the ledger gave no answer.
    """
    for view in months_of(client, region):
        first, stop = max(from_k, view.bounds.first_k), min(until_k, view.bounds.end_k)
        if first >= stop or not client.ask(aggregation.last_epoch, region, channel, view.bounds.month):
            continue
        states = _closed(client, region, channel, view.bounds, first, stop)
        if not view.closed:
            states = _open(client, region, channel, first, stop)
        for k, state in states:
            enrolled = _enrolled(client, region, channel, k, state)
            yield Period(region, channel, k, view.bounds.month, state, enrolled)


def _open(
    client: LedgerClient, region: RegionId, channel: Direction, first: int, stop: int
) -> Iterator[tuple[int, SlotState | None]]:
    for at in range(first, stop, aggregation.MAX_SLOTS):
        until = min(stop, at + aggregation.MAX_SLOTS)
        found = {each.k: each.state for each in client.ask(aggregation.slots, region, channel, at, until)}
        for k in range(at, until):
            yield k, found.get(k)


def _closed(
    client: LedgerClient, region: RegionId, channel: Direction, bounds: MonthBounds, first: int, stop: int
) -> Iterator[tuple[int, SlotState | None]]:
    for k in range(first, stop):
        folded = client.ask(aggregation.folded_slot, region, channel, bounds.month, k)
        yield k, None if folded is None else folded.state


def _enrolled(
    client: LedgerClient, region: RegionId, channel: Direction, k: int, state: SlotState | None
) -> int | None:
    if state is not None and state.status in SETTLED:
        return state.enrolled
    try:
        return client.ask(registry.enrolled, region, channel, k)
    except CountForgotten:
        return None
