"""The page's pictures: the month by day (or a day by slot), a typical day, and the months side by side."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from gridproof.actors.bills.report import ReportLine

from .chart import Column, Picture, draw
from .context import Context
from .figures import CHANNELS, Sums, charged_wh, events

WIDE: int = 720
NARROW: int = 340
_HOUR_S: int = 3_600


class Drawn(NamedTuple):
    """A picture, drawn for both widths.

    Attributes:
        wide: for a sheet and a screen.
        narrow: for a telephone.
        marked: whether it has marks that its legend must tell.
    """

    wide: Markup
    narrow: Markup
    marked: bool


class HourRow(NamedTuple):
    """An hour of a typical day.

    Attributes:
        hour: `00`.
        cells: energy and price of each channel, as they are written.
    """

    hour: str
    cells: tuple[str, ...]


def usage_picture(context: Context) -> Drawn:
    """Energy and price over the stretch: a column a day, or a slot where it has two days at most."""
    words = context.words
    columns, anchors = _slots(context) if context.by_slot else _days(context)
    return _drawn(
        Picture(
            "usage",
            words("usage.by_slot" if context.by_slot else "usage.by_day"),
            _described(context, columns),
            columns,
            anchors,
            words("usage.energy_both" if context.exports else "usage.energy"),
            words("usage.price", unit=context.numbers.price_unit),
            170,
            context.numbers.kwh,
            lambda price_e5, step: _tick(context, price_e5, step),
        ),
    )


def typical_picture(context: Context) -> Drawn:
    """The average day, by the hour of the clock."""
    words = context.words
    columns = []
    for hour, sums in enumerate(context.figures.hours):
        means = [_mean_wh(context, each) for each in sums]
        columns.append(_column(context, f"{hour:02d}:00", f"{hour:02d}", means, [each.price_e5 for each in sums]))
    return _drawn(
        Picture(
            "typical",
            words("typical.title"),
            _described(context, columns, whole=False),
            tuple(columns),
            tuple(range(24)),
            words("usage.energy_both" if context.exports else "usage.energy"),
            words("usage.price", unit=context.numbers.price_unit),
            110,
            context.numbers.kwh,
            lambda price_e5, step: _tick(context, price_e5, step),
        ),
    )


def hour_rows(context: Context) -> list[HourRow]:
    """The typical day's figures."""
    numbers, rows = context.numbers, []
    for hour, sums in enumerate(context.figures.hours):
        cells: list[str] = []
        for at, each in enumerate(sums):
            mean_wh = _mean_wh(context, each)
            cells.append("\u2013" if mean_wh is None else numbers.kwh(mean_wh))
            cells.append(priced(context, at, each))
        rows.append(HourRow(f"{hour:02d}:00", tuple(cells)))
    return rows


def history_picture(context: Context) -> Drawn:
    """This month beside earlier ones."""
    report, words = context.report, context.words
    months = [(past.month, past.import_wh, past.export_wh) for past in report.history]
    months.append((report.month, charged_wh(report, "import"), charged_wh(report, "export")))
    exported = any(export_wh for _, _, export_wh in months)
    columns = []
    for label, import_wh, export_wh in months:
        when = context.clock.month(label)
        told = words("usage.column", when=when, energy=context.numbers.kwh(import_wh))
        if exported:
            told = words("usage.column_export", before=told, energy=context.numbers.kwh(export_wh))
        strong = label == report.month
        columns.append(Column(context.clock.short_month(label), when, told, import_wh, export_wh, strong=strong))
    described = "; ".join(column.told for column in columns)
    title = words("usage.energy_both" if exported else "usage.energy")
    picture = Picture(
        "history",
        words("history.title"),
        described,
        tuple(columns),
        tuple(range(len(columns))),
        title,
        "",
        110,
        context.numbers.kwh,
        lambda price_e5, _: str(price_e5),
        values=True,
    )
    return _drawn(picture)


def priced(context: Context, at: int, sums: Sums, decimals: int = 3) -> str:
    """An average price as it is written; a dash where there is no energy."""
    price_e5 = sums.price_e5
    if price_e5 is None:
        return "\u2013"
    return context.numbers.price(price_e5 if context.figures.channels[at] == "import" else -price_e5, decimals)


def _drawn(picture: Picture) -> Drawn:
    marked = any(column.marked for column in picture.columns)
    return Drawn(draw(picture, WIDE, "wide"), draw(picture, NARROW, "narrow"), marked)


def _tick(context: Context, price_e5: int, step: int) -> str:
    return context.numbers.price(price_e5, next((n for n in range(3) if step % 10 ** (3 - n) == 0), 3))


def _days(context: Context) -> tuple[tuple[Column, ...], tuple[int, ...]]:
    columns = []
    for day in context.figures.days:
        label = str(context.clock.local(day.start_s).day)
        energies = [sums.energy_wh if sums.slots else None for sums in day.sums]
        prices = [sums.price_e5 for sums in day.sums]
        columns.append(_column(context, context.clock.day(day.start_s), label, energies, prices, marked=bool(day.odd)))
    return tuple(columns), tuple(range(len(columns)))


def _slots(context: Context) -> tuple[tuple[Column, ...], tuple[int, ...]]:
    columns, anchors = [], []
    for at, row in enumerate(context.rows):
        local = context.clock.local(row.start_s)
        if not local.minute:
            anchors.append(at)
        lines = [entry if isinstance(entry, ReportLine) else None for entry in row.entries]
        energies = [line.energy_wh if line else None for line in lines]
        when = f"{context.clock.day(row.start_s)}, {context.clock.time(row.start_s)}"
        prices = [line.price_e5 if line else None for line in lines]
        marked = any(events(entry) for entry in row.entries)
        label = context.clock.day(row.start_s) if at and not (local.hour or local.minute) else f"{local.hour:02d}"
        column = _column(context, when, label, energies, prices, marked=marked, signed=False)
        columns.append(column)
    return tuple(columns), tuple(anchors or [0])


def _column(
    context: Context,
    when: str,
    label: str,
    energies: Sequence[int | None],
    prices: Sequence[int | None],
    *,
    marked: bool = False,
    signed: bool = True,
) -> Column:
    """A column with its words.

    Args:
        context: the page's.
        when: the time it is for.
        label: what stands under it.
        energies: Wh of each channel.
        prices: of each channel.
        marked: whether something is out of the ordinary.
        signed: whether prices are averages of amounts, which are negative for energy fed in.
    """
    words, numbers, channels = context.words, context.numbers, context.figures.channels
    up_wh = down_wh = None
    straight: list[int | None] = []
    for at, (energy_wh, price_e5) in enumerate(zip(energies, prices, strict=True)):
        up, down = context.signed(at, energy_wh)
        up_wh, down_wh = (up if up is not None else up_wh), (down if down is not None else down_wh)
        turned = price_e5 is not None and signed and channels[at] == "export"
        straight.append(-price_e5 if turned and price_e5 is not None else price_e5)
    if up_wh is None:
        told = words("usage.column_none", when=when)
    else:
        told = words("usage.column", when=when, energy=numbers.kwh(up_wh))
    if down_wh is not None:
        told = words("usage.column_export", before=told, energy=numbers.kwh(down_wh))
    if straight and straight[0] is not None:
        told = words("usage.column_price", before=told, price=numbers.price(straight[0]), unit=numbers.price_unit)
    if marked:
        told = words("usage.column_odd", before=told)
    by_line = dict(zip(channels, straight, strict=True))
    return Column(label, when, told, up_wh, down_wh, tuple(by_line.get(name) for name in CHANNELS), marked)


def _described(context: Context, columns: Sequence[Column], *, whole: bool = True) -> str:
    """The picture in words."""
    words, numbers, parts = context.words, context.numbers, []
    if whole:
        sums = dict(zip(context.figures.channels, context.figures.sums, strict=True))
        what = words("usage.by_slot" if context.by_slot else "usage.by_day")
        shown = {name: numbers.kwh(each.energy_wh) for name, each in sums.items()}
        shown.setdefault("import", numbers.kwh(0))
        parts.append(words("usage.described_export" if context.exports else "usage.described", what=what, **shown))
    peak = max(columns, key=lambda column: column.up_wh or 0, default=None)
    if peak is not None and peak.up_wh:
        parts.append(words("usage.peak", when=peak.when, energy=numbers.kwh(peak.up_wh)))
    return " ".join(parts)


def _mean_wh(context: Context, sums: Sums) -> int | None:
    """The average energy of an hour, Wh."""
    if not sums.slots:
        return None
    per_hour = _HOUR_S // context.report.period_s
    return (2 * sums.energy_wh * per_hour + sums.slots) // (2 * sums.slots)
