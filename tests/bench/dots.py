"""What attackers reached as a self-contained SVG picture: a row an attacker, a logarithmic axis, the gate as a line."""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from math import log10
from typing import Final

from .drawing import COLOURS, FAINT, GRID, INK
from .results import Link

WIDTH: Final = 980
LEFT, RIGHT, TOP, BOTTOM = 270, 400, 84, 40
LINE: Final = 17
GAP: Final = 12
LEAST: Final = 0.001  # what is below stands at the edge
GATE: Final = 0.01
OURS, WEAKER = COLOURS[0], COLOURS[1]
TITLE: Final = "How far attackers get who link records"
TOLD: Final = "Our bounds lie left of the gate; each attacker gets right of it against something weaker."


def draw(links: Sequence[Link]) -> str:
    """Draw the outcomes, attacker by attacker in the order given.

    Args:
        links: an attacker's stand together.

    Returns:
        The SVG document.
    """
    parts, top = [], float(TOP)
    for attacker, group in groupby(links, key=lambda link: link.attacker):
        found = list(group)
        weaker = [link for link in found if not link.ours]
        height = LINE * max(1, len(weaker)) + GAP
        parts += _row(attacker, found, weaker, top)
        top += height
        parts.append(f'<line x1="16" y1="{top - GAP / 2}" x2="{WIDTH - 16}" y2="{top - GAP / 2}" stroke="{GRID}"/>')
    return "\n".join([*_head(top + BOTTOM), *_axis(top), *parts, "</svg>", ""])


def _at(value: float) -> float:
    """Where a value lies across."""
    share = log10(max(value, LEAST) / LEAST) / -log10(LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _head(height: float) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="t d"',
        f"""  font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="{INK}">""",
        f'<title id="t">{TITLE}</title><desc id="d">{TOLD}</desc>',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="15" font-weight="600">{TITLE}</text>',
        _mark(24, 42, "", ours=True),
        '<text x="36" y="46">ours: upper 99 % bound of the advantage</text>',
        _mark(336, 42, "", ours=False),
        '<text x="348" y="46">what the attacker must win against: its advantage</text>',
    ]


def _axis(bottom: float) -> list[str]:
    parts = []
    for value in (0.001, 0.01, 0.1, 1.0):
        at, colour = _at(value), INK if value == GATE else GRID
        dash = ' stroke-dasharray="5 3"' if value == GATE else ""
        parts.append(
            f'<line x1="{at:.1f}" y1="{TOP - 10}" x2="{at:.1f}" y2="{bottom}" stroke="{colour}"{dash}/>'
            f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle" fill="{FAINT}">{value:g}</text>'
        )
    parts.append(f'<text x="{_at(GATE):.1f}" y="{TOP - 15}" text-anchor="middle">gate {GATE:g}</text>')
    return parts


def _row(attacker: str, found: Sequence[Link], weaker: Sequence[Link], top: float) -> list[str]:
    parts = [f'<text x="16" y="{top + 12}" font-weight="600">{escape(attacker)}</text>']
    for link in found:
        if link.ours:
            told = f"{link.scheme}: bound {link.bound:.4f} {link.measure}".strip()
            parts.append(_mark(_at(link.bound), top + 8, told, ours=True))
    for line, link in enumerate(weaker):
        told = f"{link.scheme}{', ' + link.measure if link.measure else ''}: {link.advantage:.3f}"
        parts.append(_mark(_at(link.advantage), top + 8 + LINE * line, told, ours=False))
        left = WIDTH - RIGHT + 20
        parts.append(
            f'<text x="{left}" y="{top + 12 + LINE * line}" font-size="11" fill="{FAINT}">{escape(told)}</text>'
        )
    return parts


def _mark(x: float, y: float, told: str, *, ours: bool) -> str:
    """A disc for ours, a hollow diamond for others: told apart without seeing colour as well."""
    title = f"<title>{escape(told)}</title>" if told else ""
    if ours:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{OURS}">{title}</circle>'
    corners = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
    return f'<polygon points="{corners}" fill="#ffffff" stroke="{WEAKER}" stroke-width="2">{title}</polygon>'
