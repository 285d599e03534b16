"""The other parts of the page: what is out of the ordinary, the register, the history, days and slots, how to check."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gridproof.actors.bills.report import ChannelName, ReportAbsence, ReportChannel

from .context import Context
from .figures import DayRows, Entry, Event, SlotRow, Sums, charged_wh, events
from .numbers import Exact
from .pictures import priced

NOTHING: Final = "\u2013"
COMMANDS: Final = (
    ("open", "gridproof bill open"),
    ("verify", "gridproof verify bill"),
    ("object", "gridproof bill object"),
)
_FEW: Final = 12
_PRINTED: Final = 100
_EVENTS: Final[tuple[Event, ...]] = ("silent", "dropped", "excluded", "void", "fallback", "late")
_PER_CENT: Final = 100


class OddKind(NamedTuple):
    """A kind of thing out of the ordinary.

    Attributes:
        name: of the kind.
        slots: how many.
        explained: what it means.
    """

    name: str
    slots: str
    explained: str


class OddRow(NamedTuple):
    """Slots in a row to which the same thing happened."""

    when: str
    slots: str
    what: str
    channel: str
    cost: Exact | None


class Odd(NamedTuple):
    """What is out of the ordinary.

    Attributes:
        slots: how many slots, each once.
        kinds: what happened, explained.
        rows: by time.
        few: whether the rows are so few that they are shown at once.
        printed: whether they are so few that they are printed though folded; else the days' remarks must do.
        costs: whether any of them costs something.
    """

    slots: str
    kinds: tuple[OddKind, ...]
    rows: tuple[OddRow, ...]
    few: bool
    printed: bool
    costs: bool


class RegisterTable(NamedTuple):
    """A channel's register against its records.

    Attributes:
        channel: its name.
        rows: what was read, in kWh; empty where the meter signed nothing.
        missing: the sentence that says so.
    """

    channel: str
    rows: tuple[tuple[str, str], ...]
    missing: str


class HistoryRow(NamedTuple):
    """A month."""

    month: str
    cells: tuple[str, ...]
    current: bool


class DayRow(NamedTuple):
    """A day's sums, or those of all days.

    Attributes:
        name: the day.
        anchor: identity of its slots within the page.
        cells: energy, average price and amount of each channel.
        remark: how many slots are out of the ordinary.
    """

    name: str
    anchor: str
    cells: tuple[tuple[str, str, Exact], ...]
    remark: str


class SlotTable(NamedTuple):
    """A day's slots.

    Attributes:
        name: the day.
        anchor: identity within the page.
        slots: how many.
        rows: time, cells of each channel (None where it has no line), remark.
    """

    name: str
    anchor: str
    slots: str
    rows: tuple[tuple[str, tuple[tuple[str, str, Exact] | None, ...], str], ...]


def odd_of(context: Context) -> Odd:
    """Name what is out of the ordinary, explained and by time."""
    words, numbers, stretches = context.words, context.numbers, context.figures.stretches
    kinds = []
    for event in _EVENTS:
        slots = len({row.k for row in context.rows if any(event in events(entry) for entry in row.entries)})
        if slots:
            shown = words.count("unit.slots", slots, numbers.whole(slots))
            kinds.append(OddKind(words(f"odd.{event}.name"), shown, words(f"odd.{event}.explained")))
    decimals = numbers.exact_decimals([stretch.cost_e9 for stretch in stretches])
    rows = tuple(
        OddRow(
            context.clock.span(stretch.start_s, stretch.end_s),
            words.count("unit.slots", stretch.slots, numbers.whole(stretch.slots)),
            words(f"odd.{stretch.event}.name"),
            _channels(context, stretch.channels),
            numbers.exact(stretch.cost_e9, decimals) if stretch.cost_e9 else None,
        )
        for stretch in stretches
    )
    count = sum(day.odd for day in context.figures.days)
    costs = any(stretch.cost_e9 for stretch in stretches)
    slots_shown = words.count("unit.slots", count, numbers.whole(count))
    return Odd(slots_shown if count else "", tuple(kinds), rows, len(rows) <= _FEW, len(rows) <= _PRINTED, costs)


def _channels(context: Context, channels: Sequence[ChannelName]) -> str:
    return context.words("odd.both" if len(channels) > 1 else f"odd.{channels[0]}")


def registers_of(context: Context) -> list[RegisterTable]:
    """What each channel's register says against its records."""
    found = []
    for name in context.figures.channels:
        channel = context.report.channel(name)
        if channel is not None:
            found.append(_register(context, name, channel))
    return found


def _register(context: Context, name: ChannelName, channel: ReportChannel) -> RegisterTable:
    words, numbers, register = context.words, context.numbers, channel.register
    label = words(f"register.{name}")
    if register is None:
        return RegisterTable(label, (), words(f"register.none.{name}"))
    period_s = context.report.period_s
    told = [
        (words("register.end", moment=context.clock.moment(register.end_k * period_s)), register.end_wh),
        (words("register.start", moment=context.clock.moment(register.start_k * period_s)), register.start_wh),
        (words("register.difference"), register.end_wh - register.start_wh),
        (words("register.recorded"), register.recorded_wh),
        *([(words("register.carried"), register.carried_wh)] if register.carried_wh else []),
        (words("register.reconciled"), register.reconciled_wh),
    ]
    return RegisterTable(label, tuple((text, numbers.kwh(energy_wh)) for text, energy_wh in told), "")


def history_rows(context: Context) -> list[HistoryRow]:
    """Earlier months and this one, the newest first."""
    report, numbers = context.report, context.numbers
    exported = context.exports or any(past.export_wh for past in report.history)
    months = [(past.month, past.import_wh, past.export_wh, past.payable_e9) for past in report.history]
    months.append((report.month, charged_wh(report, "import"), charged_wh(report, "export"), report.payable_e9))
    decimals = numbers.exact_decimals([report.rounding_e9, *(payable_e9 for *_, payable_e9 in months)])
    rows = []
    for label, import_wh, export_wh, payable_e9 in reversed(months):
        shown = context.clock.month(label)
        current = label == report.month
        cells = [numbers.kwh(import_wh), *([numbers.kwh(export_wh)] if exported else [])]
        cells.append(numbers.fixed(payable_e9, 9, decimals))
        rows.append(HistoryRow(shown, tuple(cells), current))
    return rows


def comparisons(context: Context) -> list[str]:
    """Sentences that compare this month with the one before it in the history, and with the same month a year ago."""
    report = context.report
    now_wh = charged_wh(report, "import")
    year_ago = f"{int(report.month[:4]) - 1:04d}{report.month[4:]}"
    chosen = [past for past in report.history if past.month == year_ago and past != report.history[-1]]
    sentences = [
        _compared(context, now_wh - past.import_wh, past.import_wh, past.month)
        for past in (*report.history[-1:], *chosen)
    ]
    return [*sentences, context.words("history.partial")] if sentences and context.is_partial else sentences


def _compared(context: Context, more_wh: int, than_wh: int, label: str) -> str:
    words, numbers = context.words, context.numbers
    month = context.clock.month(label)
    if not more_wh:
        return words("history.same", month=month)
    energy = numbers.kwh(abs(more_wh), 1)
    if not than_wh:
        return words("history.more_from_none", month=month, energy=energy)
    share = (2 * _PER_CENT * abs(more_wh) + than_wh) // (2 * than_wh)
    key = "history.more" if more_wh > 0 else "history.less"
    return words(key, month=month, energy=energy, share=numbers.whole(share))


def day_rows(context: Context) -> list[DayRow]:
    """Each day's sums, and last those of all days."""
    figures, numbers = context.figures, context.numbers
    decimals = numbers.exact_decimals([sums.amount_e9 for day in figures.days for sums in day.sums])

    def row(name: str, anchor: str, each: Sequence[Sums], odd: int) -> DayRow:
        cells = tuple(
            (numbers.kwh(sums.energy_wh), priced(context, at, sums), numbers.exact(sums.amount_e9, decimals))
            for at, sums in enumerate(each)
        )
        return DayRow(name, anchor, cells, _remark(context, odd))

    rows = [row(context.clock.day(day.start_s), _anchor(context, day), day.sums, day.odd) for day in figures.days]
    return [*rows, row(context.words("days.sum"), "", figures.sums, sum(day.odd for day in figures.days))]


def _remark(context: Context, odd: int) -> str:
    if not odd:
        return ""
    return context.words.count("days.odd", odd, context.numbers.whole(odd))


def _anchor(context: Context, day: DayRows) -> str:
    return f"day-{context.clock.local(day.start_s).date().isoformat()}"


def slot_tables(context: Context) -> list[SlotTable]:
    """Every slot, by day."""
    numbers = context.numbers
    lines = [line for channel in context.report.channels for line in channel.lines]
    money = numbers.exact_decimals([line.amount_e9 for line in lines])
    prices = numbers.price_decimals([line.price_e5 for line in lines])
    return [
        SlotTable(
            context.clock.day(day.start_s),
            _anchor(context, day),
            context.words.count("unit.slots", len(day.rows), numbers.whole(len(day.rows))),
            tuple(_slot(context, row, prices, money) for row in day.rows),
        )
        for day in context.figures.days
    ]


def _slot(
    context: Context, row: SlotRow, prices: int, money: int
) -> tuple[str, tuple[tuple[str, str, Exact] | None, ...], str]:
    cells = tuple(_cells(context, entry, prices, money) for entry in row.entries)
    return context.clock.time(row.start_s), cells, _slot_remark(context, row)


def _cells(context: Context, entry: Entry, prices: int, money: int) -> tuple[str, str, Exact] | None:
    if isinstance(entry, ReportAbsence):
        return None
    numbers = context.numbers
    return (
        numbers.kwh(entry.energy_wh),
        numbers.price(entry.price_e5, prices),
        numbers.exact(entry.amount_e9, money),
    )


def _slot_remark(context: Context, row: SlotRow) -> str:
    found = [events(entry) for entry in row.entries]
    if not any(found):
        return ""
    words = context.words
    shared = found[0] if len(found) == 2 and found[0] == found[1] else None
    if shared is not None or len(found) == 1:
        return ", ".join(words(f"odd.{event}.short") for event in found[0])
    return ", ".join(
        f"{words(f'odd.{event}.short')} ({words(f'odd.{name}')})"
        for name, each in zip(context.figures.channels, found, strict=True)
        for event in each
    )
