"""Pictures of a tariff: a week's prices, prices by the load, and how households fare under another one.

As text for terminals and pipes, and as self-contained SVG that carries its figures for screen readers.
"""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final, NamedTuple

from .chart import BOTTOM, FAINT, GRID, HEIGHT, INK, LEFT, MISSING, RIGHT, TOP, TOTAL, WIDTH

SIGNS: Final = "#=-.:+*o"  # in the order of the price, dearest first
BAR: Final = 40
BINS: Final = 11
PER_DAY: Final = 48
FLOOR: Final = HEIGHT - BOTTOM
_COLOURS: Final = (TOTAL, MISSING)
_DASHES: Final = ("", 'stroke-dasharray="7 4"')


class Curve(NamedTuple):
    """A line of a picture.

    Attributes:
        name: for the legend.
        points: (place along the picture from 0 to 1, value).
        is_sloped: whether it goes evenly from point to point; else each value holds up to the next point.
    """

    name: str
    points: Sequence[tuple[float, float]]
    is_sloped: bool = False


class Day(NamedTuple):
    """A day's prices.

    Attributes:
        label: `Mon 2025-10-06`.
        prices_e5: of each half-hour, 1e-5 currency per kWh; None where the clock skipped it or the day was cut.
    """

    label: str
    prices_e5: Sequence[int | None]


def week(days: Sequence[Day], names: dict[int, str]) -> list[str]:
    """A week's prices as lines of text: a sign for each half-hour, and what the signs mean.

    Args:
        days: in order.
        names: what each price is called, with the price.
    """
    dearest_first = sorted({price for day in days for price in day.prices_e5 if price is not None}, reverse=True)
    signs = {price: SIGNS[min(at, len(SIGNS) - 1)] for at, price in enumerate(dearest_first)}
    width = max(len(day.label) for day in days)
    hours = "".join(f"{hour:<6d}" for hour in range(0, 24, 3))
    lines = [f"{'':{width}} {hours}".rstrip()]
    for day in days:
        drawn = "".join(" " if price is None else signs[price] for price in day.prices_e5)
        lines.append(f"{day.label:{width}} {drawn}".rstrip())
    lines += [f"{'':{width}} {signs[price]} {names[price]}" for price in dearest_first]
    return lines


def curves(title: str, described: str, drawn: Sequence[Curve], marks: Sequence[tuple[float, str]]) -> str:
    """Draw lines over a stretch.

    Args:
        title: what the picture shows, in a line.
        described: its figures in words, with their unit.
        drawn: the lines, two at most.
        marks: words along the foot, each with its place from 0 to 1.

    Returns:
        The SVG document.
    """
    values = [value for curve in drawn for _, value in curve.points]
    ticks = _ticks(min(0.0, *values), max(0.0, *values))
    parts = [_head(title, described), _axis(ticks), _foot(marks)]
    x, y = LEFT, HEIGHT - 18
    for curve, colour, dash in zip(drawn, _COLOURS, _DASHES, strict=False):
        told = f"<title>{escape(curve.name)}: {_figures(curve)}</title>"
        look = f'fill="none" stroke="{colour}" stroke-width="2" {dash}'
        parts.append(f'<path d="{_path(curve, ticks)}" {look}>{told}</path>')
        parts.append(f'<path d="M{x} {y - 4}h26" {look}/><text x="{x + 32}" y="{y}">{escape(curve.name)}</text>')
        x += 60 + 7 * len(curve.name)
    return "\n".join([*parts, "</svg>\n"])


class Bin(NamedTuple):
    """So many households whose bill changes by so much.

    Attributes:
        low: least change, in the currency.
        high: change below which it is; the last bin holds it too.
        households: how many.
    """

    low: float
    high: float
    households: int

    @property
    def middle(self) -> float:
        """The change in its middle."""
        return (self.low + self.high) / 2


def bins(changes: Sequence[float]) -> list[Bin]:
    """Sort changes into bins of one width, one of them around zero.

    Args:
        changes: at least one, in the currency.
    """
    farthest = max(abs(change) for change in changes) or 1.0
    half = BINS / 2 - 0.5
    width = farthest / half
    counts = [0] * BINS
    for change in changes:
        counts[min(BINS - 1, max(0, int(change / width + half + 0.5)))] += 1
    return [Bin((at - half - 0.5) * width, (at - half + 0.5) * width, count) for at, count in enumerate(counts)]


def histogram(found: Sequence[Bin]) -> list[str]:
    """Bins as lines of text."""
    most = max(each.households for each in found) or 1
    labels = [f"{each.low:+.2f} to {each.high:+.2f}" for each in found]
    width = max(map(len, labels))
    return [
        f"{label:>{width}} {'#' * -(-each.households * BAR // most):{BAR}} {each.households}"
        for label, each in zip(labels, found, strict=True)
    ]


def bars(title: str, described: str, found: Sequence[Bin]) -> str:
    """Draw bins: those who pay less in one colour, those who pay more hatched in another.

    Returns:
        The SVG document.
    """
    ticks = _ticks(0, max(each.households for each in found))
    width = (WIDTH - LEFT - RIGHT) / len(found)
    marks = [((at + 0.5) / len(found), f"{each.middle:+.2f}") for at, each in enumerate(found)]
    parts = [_head(title, described), _axis(ticks), _foot(marks)]
    for at, each in enumerate(found):
        top = _y(each.households, ticks)
        fill = "url(#hatch)" if at == len(found) // 2 else TOTAL if each.middle < 0 else MISSING
        told = escape(f"{each.low:+.2f} to {each.high:+.2f}: {each.households} households")
        place = f'x="{LEFT + at * width + 2:.1f}" y="{top:.1f}" width="{width - 4:.1f}" height="{FLOOR - top:.1f}"'
        parts.append(f'<rect {place} fill="{fill}"><title>{told}</title></rect>')
    legend = "left: pay less; middle: about the same; right: pay more"
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 18}" fill="{FAINT}">{legend}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _head(title: str, described: str) -> str:
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d"
  font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="{INK}">
<title id="t">{escape(title)}</title><desc id="d">{escape(described)}</desc>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="6" height="6" fill="#f4f6f8"/>
<line x1="0" y1="0" x2="0" y2="6" stroke="{FAINT}" stroke-width="3"/></pattern></defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="24" font-size="16" font-weight="600">{escape(title)}</text>
<text x="{LEFT}" y="43" fill="{FAINT}">{escape(described)}</text>"""


def _ticks(low: float, high: float) -> list[float]:
    """Round values for an axis that holds both ends, four or more of them."""
    if high <= low:
        high = low + 1.0
    unit = 10.0 ** floor(log10(high - low))
    step = next(unit * part for part in (1.0, 0.5, 0.25, 0.2, 0.1) if (high - low) / (unit * part) >= 3)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [at * step for at in range(first, last + 1)]


def _axis(ticks: Sequence[float]) -> str:
    lines = []
    for value in ticks:
        y = _y(value, ticks)
        lines.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{GRID}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{value:.4g}</text>')
    return "\n".join(lines)


def _foot(marks: Sequence[tuple[float, str]]) -> str:
    wide, parts = WIDTH - LEFT - RIGHT, []
    for place, text in marks:
        anchor = "start" if place <= 0 else "end" if place >= 1 else "middle"
        at = f'x="{LEFT + place * wide:.1f}" y="{FLOOR + 20}" text-anchor="{anchor}" fill="{FAINT}"'
        parts.append(f"<text {at}>{escape(text)}</text>")
    return "\n".join(parts)


def _path(curve: Curve, ticks: Sequence[float]) -> str:
    wide = WIDTH - LEFT - RIGHT
    (first, value), *rest = curve.points
    path = f"M{LEFT + first * wide:.1f} {_y(value, ticks):.1f}"
    for place, value in rest:
        x, y = f"{LEFT + place * wide:.1f}", f"{_y(value, ticks):.1f}"
        path += f"L{x} {y}" if curve.is_sloped else f"H{x}V{y}"
    return f"{path}H{WIDTH - RIGHT}"


def _figures(curve: Curve) -> str:
    values = [value for _, value in curve.points]
    return f"{min(values):g} to {max(values):g}" if min(values) < max(values) else f"{values[0]:g}"


def _y(value: float, ticks: Sequence[float]) -> float:
    return FLOOR - (FLOOR - TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0])
