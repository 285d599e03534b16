"""A picture of a region's day: each period's total, and how many meters were missing from it, as a self-contained SVG.

Colours are told apart without seeing colour as well: what has no total is hatched and named in the legend. The picture
carries its figures as text for screen readers (title, description, and a tooltip on every bar).
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 960, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 56, 96
MISSING_HEIGHT = 34
INK, FAINT, GRID = "#1d2733", "#5c6b7a", "#dfe5ea"
TOTAL, MISSING, HIDDEN = "#1f6f8b", "#c8553d", "#b8c1c9"
MAX_TIME_LABELS = 12


class Bar(NamedTuple):
    """One period of the picture.

    Attributes:
        label: the period's start as people write it.
        total_wh: the total, or None where there is none.
        missing: enrolled meters without a live pair.
        note: why there is no total; empty where there is one.
    """

    label: str
    total_wh: int | None
    missing: int
    note: str = ""


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Draw the picture.

    Args:
        title: what it shows, in a line.
        bars: the periods in order, at least one.

    Returns:
        The SVG document.
    """
    top_wh = _round_up(max((bar.total_wh or 0 for bar in bars), default=0))
    width = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    floor = HEIGHT - BOTTOM
    parts = [_head(title, bars), _axis(top_wh, floor), _times(bars, width, floor)]
    most_missing = max([1, *(bar.missing for bar in bars)])
    for index, bar in enumerate(bars):
        parts.append(_bar(bar, LEFT + index * width, width, top_wh, floor))
        parts.append(_missing(bar, LEFT + index * width, width, most_missing, floor))
    parts.extend((_legend(bars, floor), "</svg>\n"))
    return "\n".join(part for part in parts if part)


def _head(title: str, bars: Sequence[Bar]) -> str:
    told = sum(bar.total_wh or 0 for bar in bars)
    described = (
        f"{len(bars)} periods, {told / 1000:,.1f} kWh in all, {sum(bar.missing for bar in bars)} missing readings"
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d"
  font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="{INK}">
<title id="t">{escape(title)}</title><desc id="d">{escape(described)}</desc>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="6" height="6" fill="#f4f6f8"/>
<line x1="0" y1="0" x2="0" y2="6" stroke="{HIDDEN}" stroke-width="3"/></pattern></defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="24" font-size="16" font-weight="600">{escape(title)}</text>
<text x="{LEFT}" y="43" fill="{FAINT}">{escape(described)}</text>"""


def _axis(top_wh: int, floor: int) -> str:
    lines = []
    for step in range(5):
        y = floor - (floor - TOP) * step / 4
        lines.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{GRID}"/>')
        lines.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{top_wh * step / 4000:g}</text>'
        )
    lines.append(f'<text x="{LEFT - 8}" y="{TOP - 10}" text-anchor="end" fill="{FAINT}">kWh</text>')
    return "\n".join(lines)


def _times(bars: Sequence[Bar], width: float, floor: int) -> str:
    every = max(1, -(-len(bars) // MAX_TIME_LABELS))
    labels = []
    for index in range(0, len(bars), every):
        x = LEFT + index * width
        labels.append(
            f'<text x="{x:.1f}" y="{floor + MISSING_HEIGHT + 24}" fill="{FAINT}">{escape(bars[index].label)}</text>'
        )
    return "\n".join(labels)


def _bar(bar: Bar, x: float, width: float, top_wh: int, floor: int) -> str:
    gap = min(1.5, width * 0.15)
    if bar.total_wh is None:
        drawn = f'y="{TOP}" height="{floor - TOP}" fill="url(#hatch)"'
        told = f"{bar.label}: no total, {bar.note}"
    else:
        height = (floor - TOP) * bar.total_wh / top_wh
        drawn = f'y="{floor - height:.1f}" height="{height:.1f}" fill="{TOTAL}"'
        told = f"{bar.label}: {bar.total_wh:,} Wh"
    return f'<rect x="{x:.1f}" width="{max(0.5, width - gap):.1f}" {drawn}><title>{escape(told)}</title></rect>'


def _missing(bar: Bar, x: float, width: float, most: int, floor: int) -> str:
    if not bar.missing:
        return ""
    height, drawn = (MISSING_HEIGHT - 4) * bar.missing / most, max(0.5, width - min(1.5, width * 0.15))
    return (
        f'<rect x="{x:.1f}" width="{drawn:.1f}" y="{floor + 4}" height="{height:.1f}" '
        f'fill="{MISSING}"><title>{escape(bar.label)}: {bar.missing} missing</title></rect>'
    )


def _legend(bars: Sequence[Bar], floor: int) -> str:
    entries = [(TOTAL, "total of the region")]
    if any(bar.missing for bar in bars):
        entries.append((MISSING, f"meters missing (at most {max(bar.missing for bar in bars)})"))
    if any(bar.total_wh is None for bar in bars):
        entries.append(("url(#hatch)", "no total: too few meters, or none opened"))
    parts, x, y = [], LEFT, floor + MISSING_HEIGHT + 50
    for fill, text in entries:
        parts.append(
            f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{fill}" stroke="{FAINT}" stroke-width="0.5"/>'
        )
        parts.append(f'<text x="{x + 18}" y="{y}">{escape(text)}</text>')
        x += 40 + 7 * len(text)
    return "\n".join(parts)


def _round_up(value: int) -> int:
    """The next height of an axis that four steps divide into round figures."""
    unit = 1
    while True:
        for factor in (4, 8, 12, 16, 24, 32):
            if factor * unit >= value:
                return factor * unit
        unit *= 10
