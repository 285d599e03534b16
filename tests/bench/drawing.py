"""Curves as self-contained SVG pictures: both axes logarithmic, every point with its figure as a tooltip."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final, NamedTuple

from .results import Curve

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 72, 260, 48, 56
INK, FAINT, GRID = "#1d2733", "#5c6b7a", "#dfe5ea"
COLOURS: Final = ("#1f6f8b", "#c8553d", "#588157", "#7b4b94", "#b08900", "#2b2d42", "#d1495b", "#3d7ea6", "#6c757d")
DASHES: Final = ("", "6 3", "2 3")  # told apart without seeing colour as well


class _Axis(NamedTuple):
    """A logarithmic axis: where a value lies, and its round values."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def of(cls, values: Sequence[float], start: float, stop: float) -> "_Axis":
        """An axis over positive values, from picture coordinate `start` to `stop`."""
        low, high = floor(log10(min(values))), ceil(log10(max(values)))
        return cls(low, max(high, low + 1), start, stop)

    def at(self, value: float) -> float:
        """The picture's coordinate of a value."""
        return self.start + (self.stop - self.start) * (log10(value) - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """Powers of ten."""
        return [10.0**power for power in range(int(self.low), int(self.high) + 1)]


def draw(curve: Curve) -> str:
    """Draw a curve.

    Args:
        curve: its values are positive; lines without a point are left out.

    Returns:
        The SVG document.
    """
    lines = {name: points for name, points in curve.lines.items() if points}
    every = [point for points in lines.values() for point in points]
    x = _Axis.of([point[0] for point in every], LEFT, WIDTH - RIGHT)
    y = _Axis.of([point[1] for point in every], HEIGHT - BOTTOM, TOP)
    parts = [_head(curve), *_grid(x, y), *_names(curve)]
    for number, (name, points) in enumerate(lines.items()):
        parts += _line(name, points, x, y, number)
    return "\n".join([*parts, "</svg>", ""])


def _head(curve: Curve) -> str:
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t"
  font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="{INK}">
<title id="t">{escape(curve.title)}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="16" y="24" font-size="15" font-weight="600">{escape(curve.title)}</text>"""


def _grid(x: _Axis, y: _Axis) -> list[str]:
    parts = []
    for value in x.ticks:
        at = x.at(value)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}" stroke="{GRID}"/>')
        parts.append(_label(at, HEIGHT - BOTTOM + 18, "middle", value))
    for value in y.ticks:
        at = y.at(value)
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="{GRID}"/>')
        parts.append(_label(LEFT - 8, at + 4, "end", value))
    return parts


def _label(x: float, y: float, anchor: str, value: float) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{FAINT}">{shown(value)}</text>'


def _names(curve: Curve) -> list[str]:
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [
        f'<text x="{middle:.1f}" y="{HEIGHT - 16}" text-anchor="middle" fill="{FAINT}">{escape(curve.x)}</text>',
        f'<text x="16" y="{TOP - 8}" fill="{FAINT}">{escape(curve.y)}</text>',
    ]


def _line(name: str, points: Sequence[tuple[float, float]], x: _Axis, y: _Axis, number: int) -> list[str]:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    path = " ".join(f"{x.at(across):.1f},{y.at(up):.1f}" for across, up in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>']
    for across, up in points:
        told = f"{name}: {shown(up)} at {shown(across)}"
        at = f'cx="{x.at(across):.1f}" cy="{y.at(up):.1f}"'
        parts.append(f'<circle {at} r="3" fill="{colour}"><title>{escape(told)}</title></circle>')
    row, left = TOP + 10 + 22 * number, WIDTH - RIGHT + 16
    ends = f'x1="{left}" y1="{row - 4}" x2="{left + 22}" y2="{row - 4}"'
    parts.append(f'<line {ends} stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
    parts.append(f'<text x="{left + 30}" y="{row}">{escape(name)}</text>')
    return parts


def shown(value: float) -> str:
    """A figure as people read it: three digits, thousands apart."""
    if not value:
        return "0"
    digits = max(0, 2 - floor(log10(abs(value))))
    return f"{value:,.{digits}f}" if digits < 7 else f"{value:.2g}"
