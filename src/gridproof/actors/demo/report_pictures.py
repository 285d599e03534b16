"""The report's pictures: a region's energy and prices over time, and how many meters were missing.

Where the story is long, some periods share a column: their energy added up, their price as its average by energy.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from gridproof.actors.bills.page.chart import Column, Picture, draw
from gridproof.actors.bills.page.clock import WallClock
from gridproof.actors.bills.page.numbers import Numbers
from gridproof.actors.bills.page.words import Words
from gridproof.domain import Direction

from .outcome import Period
from .supply import PERIOD_S, ZONE

LANGUAGE: Final = "en"
MAX_COLUMNS: Final = 192
WIDE: Final = 860
NARROW: Final = 340
_PERIODS_A_COLUMN: Final = (1, 2, 4, 8, 16, 32, 96)
_DASH: Final = "\u2013"


class Sum(NamedTuple):
    """A channel's energy in a column.

    Attributes:
        total_wh: what the totals come to; None where no slot has one.
        price_e5: the average price by energy, 1e-5 currency per kWh; None where there is none.
    """

    total_wh: int | None
    price_e5: int | None


class Row(NamedTuple):
    """What a column shows.

    Attributes:
        when: the time, as people write it.
        label: what may stand under the column.
        is_anchor: whether it may be labelled.
        drawn: import.
        fed_in: export.
        missing: the most meters missing from a total of drawn energy.
        cells: the same as they are written, in the order of the table.
    """

    when: str
    label: str
    is_anchor: bool
    drawn: Sum
    fed_in: Sum
    missing: int
    cells: tuple[str, ...]


class Shown(NamedTuple):
    """A picture for both widths.

    Attributes:
        wide: for a sheet and a screen.
        narrow: for a telephone.
        has_gaps: whether some column has no total.
        has_export: whether anything was fed in that a total tells.
        has_feed_in: whether feed-in has prices.
    """

    wide: Markup
    narrow: Markup
    has_gaps: bool
    has_export: bool
    has_feed_in: bool


def rows_of(slots: Sequence[Period], numbers: Numbers) -> tuple[Row, ...]:
    """What the columns of a region show, in order.

    Args:
        slots: the region's.
        numbers: how numbers are written.
    """
    by_channel = {
        channel: {each.slot.k: each for each in slots if each.slot.channel == channel} for channel in Direction
    }
    drawn, fed_in = by_channel[Direction.IMPORT], by_channel[Direction.EXPORT]
    ks = sorted(drawn)
    size = next((n for n in _PERIODS_A_COLUMN if len(ks) <= n * MAX_COLUMNS), _PERIODS_A_COLUMN[-1])
    clock = WallClock(ZONE, Words(LANGUAGE))
    is_long = clock.day(ks[0] * PERIOD_S) != clock.day(ks[-1] * PERIOD_S)
    rows = []
    for at in range(0, len(ks), size):
        own = ks[at : at + size]
        sums = _sum([drawn[k] for k in own]), _sum([fed_in[k] for k in own if k in fed_in])
        missing = max(drawn[k].missing for k in own)
        cells = (*_cells(sums[0], numbers), *_cells(sums[1], numbers), str(missing))
        rows.append(Row(*_named(own[0] * PERIOD_S, clock, is_long=is_long), *sums, missing, cells))
    return tuple(rows)


def usage_picture(region: int, rows: Sequence[Row], numbers: Numbers) -> Shown:
    """Energy, up for what was drawn and down for what was fed in, and prices above it."""
    columns = tuple(_column(row) for row in rows)
    drawn_wh = sum(row.drawn.total_wh or 0 for row in rows)
    given_wh = sum(row.fed_in.total_wh or 0 for row in rows)
    described = f"{numbers.kwh(drawn_wh, 1)} kWh drawn, {numbers.kwh(given_wh, 1)} kWh fed in."
    picture = Picture(
        f"usage{region}",
        f"Region {region}: energy and price",
        described,
        columns,
        _anchors(rows),
        "Energy of the region, kWh",
        f"Price, {numbers.price_unit}",
        190,
        numbers.kwh,
        lambda price_e5, step: _tick(numbers, price_e5, step),
    )
    return _shown(picture, rows)


def missing_picture(region: int, rows: Sequence[Row]) -> Shown:
    """How many meters were missing."""
    columns = tuple(Column(row.label, row.when, f"{row.when}: {row.missing} missing", row.missing) for row in rows)
    most = max(row.missing for row in rows)
    picture = Picture(
        f"missing{region}",
        f"Region {region}: missing meters",
        f"At most {most} at a time.",
        columns,
        _anchors(rows),
        "Meters missing from the total",
        "",
        80,
        lambda count, _decimals: str(count),
        lambda price_e5, _step: str(price_e5),
    )
    return _shown(picture, rows)


def _shown(picture: Picture, rows: Sequence[Row]) -> Shown:
    has_gaps = any(row.drawn.total_wh is None for row in rows)
    has_export = any(row.fed_in.total_wh for row in rows)
    has_feed_in = any(row.fed_in.price_e5 is not None for row in rows)
    return Shown(draw(picture, WIDE, "wide"), draw(picture, NARROW, "narrow"), has_gaps, has_export, has_feed_in)


def _named(start_s: int, clock: WallClock, *, is_long: bool) -> tuple[str, str, bool]:
    """A column's time, what may stand under it, and whether it may: whole hours of a day, days of a longer span."""
    local, day = clock.local(start_s), clock.day(start_s)
    is_anchor = not (local.minute or (is_long and local.hour))
    return f"{day}, {clock.time(start_s)}", day if is_long else f"{local.hour:02d}", is_anchor


def _cells(each: Sum, numbers: Numbers) -> Iterator[str]:
    yield _DASH if each.total_wh is None else numbers.kwh(each.total_wh)
    yield _DASH if each.price_e5 is None else numbers.price(each.price_e5)


def _column(row: Row) -> Column:
    drawn, price, given, _, missing = row.cells
    told = f"{row.when}: {drawn} kWh drawn at {price}, {given} kWh fed in, {missing} missing"
    prices = (row.drawn.price_e5, row.fed_in.price_e5)
    is_gap = row.drawn.total_wh is None
    return Column(row.label, row.when, told, row.drawn.total_wh, row.fed_in.total_wh, prices, marked=is_gap)


def _sum(slots: Sequence[Period]) -> Sum:
    known = [each.total_wh for each in slots if each.total_wh is not None]
    priced = [(each.price_e5, each.total_wh or 0) for each in slots if each.price_e5 is not None]
    weight = sum(total_wh for _, total_wh in priced)
    price_e5 = None
    if weight:
        price_e5 = sum(price * total_wh for price, total_wh in priced) // weight
    elif priced:
        price_e5 = sum(price for price, _ in priced) // len(priced)
    return Sum(sum(known) if known else None, price_e5)


def _anchors(rows: Sequence[Row]) -> tuple[int, ...]:
    return tuple(at for at, row in enumerate(rows) if row.is_anchor) or (0,)


def _tick(numbers: Numbers, price_e5: int, step: int) -> str:
    return numbers.price(price_e5, next((n for n in range(3) if step % 10 ** (3 - n) == 0), 3))
