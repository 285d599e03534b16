"""Which readings can still count: asked when they are imported, so that nobody loses one without being told.

Rules:
    A-1 A reading lies at most `MAX_AHEAD_S` after ledger time; where that is the machine's clock, at most a day after
        it. Else a wrong year would drag ledger time there, and it never goes back.
    A-2 Its meter is enrolled in its period and reports its channel.
    A-3 Its period's window is not past, and its region can meter it: the month was not opened later.
"""

from typing import Final

from gridproof.actors.clock import SystemClock
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.readings import Fault, Reading
from gridproof.modules.registry import queries as registry
from gridproof.state import system

from .community import Community, MeterRow
from .periods import months_of

MAX_AHEAD_S: Final = 400 * 86_400  # a year and a month, so that a year's file can be imported at once
MAX_FUTURE_S: Final = 86_400  # meters' clocks and the machine's are not one


class Admission:
    """Judges readings by the ledger's state as it is now.

    Args:
        community: whose.
        client: the way to the ledger.
    """

    def __init__(self, community: Community, client: LedgerClient) -> None:
        self._period_s = community.period_s
        self._calendar = community.calendar
        self._now_s, self._by_operator = now_of(client)
        self._windows = {number: region.window_s for number, region in client.ask(registry.regions)}
        self._opened = {
            (number, view.bounds.month): view.bounds.start_s
            for number in self._windows
            for view in months_of(client, number)
        }
        self._rows: dict[str, list[MeterRow]] = {}
        for row in community.meters():
            self._rows.setdefault(row.name, []).append(row)
        self._first: dict[tuple[int, int], int] = {}

    def __call__(self, reading: Reading) -> Fault | None:
        """Why a reading cannot count, or None where it can."""
        k = reading.start_s // self._period_s
        if reading.start_s > self._now_s + (MAX_AHEAD_S if self._by_operator else MAX_FUTURE_S):
            return Fault.FAR_AHEAD if self._by_operator else Fault.FUTURE
        rows = self._rows.get(reading.meter, ())
        row = next((row for row in rows if row.from_k <= k and not 0 < row.until_k <= k), None)
        if row is None:
            return Fault.NOT_ENROLLED
        if reading.channel not in row.channels:
            return Fault.NOT_ON_CHANNEL
        if reading.start_s + self._period_s + self._windows.get(row.region, 0) <= self._now_s:
            return Fault.PERIOD_CLOSED
        return Fault.TOO_EARLY if reading.start_s < self._first_of(row.region, reading.start_s) else None

    def _first_of(self, region: int, start_s: int) -> int:
        """The first instant that a region meters in the month of an instant."""
        at = region, start_s // self._period_s
        if at not in self._first:
            opened_s = self._opened.get((region, self._calendar.month_of(start_s)))
            # By the machine's clock, readings come when their period is over, and the first ones have the month opened.
            default_s = self._now_s if self._by_operator else 0
            self._first[at] = default_s if opened_s is None else opened_s
        return self._first[at]


def now_of(client: LedgerClient) -> tuple[int, bool]:
    """Ledger time, UTC epoch seconds, and whether the operator moves it; else the machine does, also between blocks.

    Raises:
        ClientError: the ledger gave no answer.
    """
    ledger_time_s = client.status().ledger_time_s
    if client.ask(system.operator_clock_s) is not None:
        return ledger_time_s, True
    return max(ledger_time_s, SystemClock().now_s()), False
