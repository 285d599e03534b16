"""What the page shows of a report, as numbers: slots, days, hours of the day and what is out of the ordinary.

Rules:
    F-1 Nothing is counted anew: energies and amounts are those of the report's lines and charges, added up.
    F-2 A slot belongs to the day in which it starts, an hour of the clock likewise; an hour that comes twice counts
        twice.
    F-3 A report of which a channel does not have every slot of the stretch once, or that has no channel, gives no page.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

from gridproof.actors.bills.report import ChannelName, Report, ReportAbsence, ReportLine
from gridproof.calendar import Calendar
from gridproof.domain import MonthBounds, half_up, month_id
from gridproof.domain.units import AMOUNT_E9_PER_WH_AND_PRICE_E5

from .clock import WallClock
from .errors import ReportContradictsError

CHANNELS: Final[tuple[ChannelName, ...]] = ("import", "export")
Event = Literal["silent", "dropped", "excluded", "void", "fallback", "late"]
Entry = ReportLine | ReportAbsence


class Sums(NamedTuple):
    """Lines of one channel, added up.

    Attributes:
        slots: how many lines.
        energy_wh: their energy.
        amount_e9: what they add to the bill.
    """

    slots: int
    energy_wh: int
    amount_e9: int

    @property
    def price_e5(self) -> int | None:
        """Their average price, weighted by energy; None where there is no energy."""
        if not self.energy_wh:
            return None
        weight = self.energy_wh * AMOUNT_E9_PER_WH_AND_PRICE_E5
        return half_up(abs(self.amount_e9), weight) // weight * (1 if self.amount_e9 >= 0 else -1)


class SlotRow(NamedTuple):
    """A slot with what each channel has in it.

    Attributes:
        k: the period.
        start_s: its start, UTC epoch seconds.
        entries: a line or an absence for each of the page's channels.
    """

    k: int
    start_s: int
    entries: tuple[Entry, ...]


class DayRows(NamedTuple):
    """A day's slots.

    Attributes:
        start_s: the day's first instant within the stretch.
        end_s: first instant after it.
        rows: its slots.
        sums: of each of the page's channels.
        odd: how many slots are out of the ordinary.
    """

    start_s: int
    end_s: int
    rows: tuple[SlotRow, ...]
    sums: tuple[Sums, ...]
    odd: int


class Stretch(NamedTuple):
    """Consecutive slots to which the same thing happened.

    Attributes:
        event: what happened.
        channels: to which of the page's channels.
        start_s: first instant.
        end_s: first instant after it.
        slots: how many slots, each once.
        cost_e9: what it adds to the bill as penalties, in all these channels.
    """

    event: Event
    channels: tuple[ChannelName, ...]
    start_s: int
    end_s: int
    slots: int
    cost_e9: int


class Figures(NamedTuple):
    """All numbers of a page.

    Attributes:
        channels: which the household has, import first.
        start_s: first instant of the stretch that is billed.
        end_s: first instant after it.
        days: its days.
        sums: of each channel.
        hours: of each hour of the clock, each channel; their slots are of all days.
        stretches: what is out of the ordinary, by time.
    """

    channels: tuple[ChannelName, ...]
    start_s: int
    end_s: int
    days: tuple[DayRows, ...]
    sums: tuple[Sums, ...]
    hours: tuple[tuple[Sums, ...], ...]
    stretches: tuple[Stretch, ...]


def figures_of(report: Report, calendar: Calendar, clock: WallClock) -> Figures:
    """Add a report up for its page.

    Args:
        report: the report.
        calendar: of its zone and period.
        clock: of its zone.

    Raises:
        OutOfRangeError: its stretch is none.
        ReportContradictsError: its slots are not its stretch's (F-3).
    """
    start_s, end_s = report.from_k * report.period_s, report.until_k * report.period_s
    bounds = MonthBounds(month_id(int(report.month[:4]), int(report.month[5:])), start_s, end_s, report.period_s)
    bounds.validate()
    channels = tuple(name for name in CHANNELS if report.channel(name) is not None)
    if not channels:
        raise ReportContradictsError(detail="it has no channel")
    entries = [_by_period(report, name) for name in channels]
    days = tuple(_day(report, day.start_s, day.end_s, entries) for day in calendar.days(bounds))
    return Figures(
        channels,
        start_s,
        end_s,
        days,
        tuple(_sums(channel.values()) for channel in entries),
        tuple(_hours(days, len(channels), clock)),
        tuple(_stretches(report, channels, entries)),
    )


def charged_wh(report: Report, channel: ChannelName) -> int:
    """A channel's energy with what was reconciled, as later months' history will tell it."""
    found = report.channel(channel)
    if found is None:
        return 0
    reconciled_wh = found.register.reconciled_wh if found.register else 0
    return sum(line.energy_wh for line in found.lines) + reconciled_wh


def _by_period(report: Report, name: ChannelName) -> dict[int, Entry]:
    channel = report.channel(name)
    both: list[Entry] = [*channel.lines, *channel.absences] if channel else []
    found = {entry.k: entry for entry in both}
    if len(found) != len(both):
        raise ReportContradictsError(detail=f"{name}: a slot stands there twice")
    for entry in both:
        if not report.from_k <= entry.k < report.until_k or entry.start_s != entry.k * report.period_s:
            raise ReportContradictsError(detail=f"{name}: slot {entry.k} does not lie in the stretch that is billed")
    if len(found) != report.until_k - report.from_k:
        raise ReportContradictsError(detail=f"{name}: a slot is missing")
    return found


def _day(report: Report, start_s: int, end_s: int, entries: Sequence[dict[int, Entry]]) -> DayRows:
    slots = range(start_s // report.period_s, end_s // report.period_s)
    rows = tuple(SlotRow(k, k * report.period_s, tuple([channel[k] for channel in entries])) for k in slots)
    sums = tuple(_sums(row.entries[at] for row in rows) for at in range(len(entries)))
    return DayRows(start_s, end_s, rows, sums, sum(any(map(events, row.entries)) for row in rows))


def events(entry: Entry) -> tuple[Event, ...]:
    """What is out of the ordinary in a slot of a channel."""
    if isinstance(entry, ReportAbsence):
        return (entry.why,)
    found: list[Event] = []
    if entry.fallback:
        found.append("fallback")
    if entry.late:
        found.append("late")
    return tuple(found)


def _sums(entries: Iterable[Entry]) -> Sums:
    lines = [entry for entry in entries if isinstance(entry, ReportLine)]
    return Sums(len(lines), sum(line.energy_wh for line in lines), sum(line.amount_e9 for line in lines))


def _hours(days: Sequence[DayRows], channels: int, clock: WallClock) -> Iterator[tuple[Sums, ...]]:
    """The 24 hours of the clock (F-2)."""
    found: list[list[list[Entry]]] = [[[] for _ in range(channels)] for _ in range(24)]
    for day in days:
        for row in day.rows:
            hour = found[clock.local(row.start_s).hour]
            for at, entry in enumerate(row.entries):
                hour[at].append(entry)
    for hour in found:
        yield tuple(_sums(entries) for entries in hour)


def _stretches(report: Report, channels: Sequence[ChannelName], entries: Sequence[dict[int, Entry]]) -> list[Stretch]:
    """What is out of the ordinary: slots in a row, channels that share a stretch together."""
    together: dict[tuple[int, int, Event], list[tuple[ChannelName, int]]] = {}
    for name, channel in zip(channels, entries, strict=True):
        marked = sorted((event, k) for k, entry in channel.items() for event in events(entry))
        for (event, _), run in groupby(enumerate(marked), lambda item: (item[1][0], item[1][1] - item[0])):
            ks = [k for _, (_, k) in run]
            cost_e9 = sum(_cost_e9(report, name, channel[k], event) for k in ks)
            together.setdefault((ks[0], ks[-1] + 1, event), []).append((name, cost_e9))
    period_s = report.period_s
    return [
        Stretch(
            event,
            tuple(name for name, _ in shared),
            first_k * period_s,
            end_k * period_s,
            end_k - first_k,
            sum(cost_e9 for _, cost_e9 in shared),
        )
        for (first_k, end_k, event), shared in sorted(together.items())
    ]


def _cost_e9(report: Report, name: ChannelName, entry: Entry, event: Event) -> int:
    """The penalty of a slot."""
    if isinstance(entry, ReportAbsence):
        return entry.penalty_e9
    if event != "late":
        return 0
    due = [
        charge.rate
        for charge in report.charges
        if charge.kind == "penalty"
        and (charge.name, charge.channel) == ("late", name)
        and charge.from_k <= entry.k < charge.until_k
    ]
    return due[0] if due else 0
