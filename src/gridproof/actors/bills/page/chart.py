"""Pictures of energy and price: columns up for what was drawn, down for what was fed in, prices as steps above them.

Rules:
    V-1 Nothing is told by colour alone: what is fed in hangs below the line and is hatched, a second price is dashed,
        a column that has something out of the ordinary has a mark under it.
    V-2 Each picture is an image with a title and a description, and its figures stand in a table of the page.
    V-3 It is drawn for a width, so that its letters have one size: once for a sheet, once for a telephone.
    V-4 Coordinates are whole tenths of a unit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

from markupsafe import Markup

_RIGHT: Final = 8
_LETTER: Final = 7  # width of a digit at the axis
_PRICE_HEIGHT: Final = 84
_BETWEEN: Final = 40
_TOP: Final = 30
_LABELS: Final = 22
_MARKS: Final = 12
_STEPS: Final = 5
_WIDEST10: Final = 560  # a column, in tenths


class Column(NamedTuple):
    """A column of the picture.

    Attributes:
        label: what stands under it, if there is room.
        when: the time it is for.
        told: its figures in words.
        up_wh: drawn; None where nothing is known.
        down_wh: fed in.
        prices_e5: a price for each of the picture's price lines, None where there is none.
        marked: whether something is out of the ordinary.
        strong: whether it stands out: the month that the bill is for.
    """

    label: str
    when: str
    told: str
    up_wh: int | None
    down_wh: int | None = None
    prices_e5: tuple[int | None, ...] = ()
    marked: bool = False
    strong: bool = True


class Picture(NamedTuple):
    """What is drawn.

    Attributes:
        name: distinguishes it within the page.
        title: what it shows.
        described: the same in a sentence or two, with figures.
        columns: in order, at least one.
        anchors: the columns that may be labelled; every n-th of them is, as there is room.
        energy_title: over the columns.
        price_title: over the price lines; empty where there are none.
        height: of the columns' panel.
        energy: writes Wh at the axis: the value, and how many decimals of a kWh.
        price: writes a price at the axis.
        values: whether each column has its own figure at its head, where there is room.
    """

    name: str
    title: str
    described: str
    columns: tuple[Column, ...]
    anchors: tuple[int, ...]
    energy_title: str
    price_title: str
    height: int
    energy: Callable[[int, int], str]
    price: Callable[[int, int], str]
    values: bool = False


class _Scale(NamedTuple):
    """A value axis: `low` at the bottom, `high` at the top, in panel units from `top` down."""

    low: int
    high: int
    step: int
    top: int
    height: int

    def y10(self, value: int) -> int:
        return 10 * self.top + 10 * self.height * (self.high - value) // (self.high - self.low)

    def ticks(self) -> range:
        return range(self.low, self.high + 1, self.step)


def draw(picture: Picture, width: int, variant: str) -> Markup:
    """Draw a picture for a width.

    Args:
        picture: what is drawn.
        width: in units that are about a pixel.
        variant: class of the image, and part of its identities, since a page has it twice.

    Returns:
        The element `svg`, safe to stand in a page.
    """
    frame = _Frame.of(picture, width)
    named = f"{picture.name}-{variant}"
    head = (
        f'<svg class="{variant}" role="img" viewBox="0 0 {width} {frame.bottom}" width="{width}" '
        f'height="{frame.bottom}" aria-labelledby="{named}-t {named}-d">'
        f'<title id="{named}-t">{escape(picture.title)}</title><desc id="{named}-d">{escape(picture.described)}</desc>'
    )
    hatch = (
        f'<defs><pattern id="{named}-h" width="5" height="5" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="out-bg" width="5" height="5"/>'
        '<rect class="out" width="2.6" height="5"/></pattern></defs>'
    )
    panels = [*_price_panel(frame), *_energy_panel(frame, f"url(#{named}-h)"), *_labels(frame)]
    return Markup("".join((head, hatch, *panels, "</svg>")))  # noqa: S704 - every text in it was escaped


class _Frame(NamedTuple):
    """Where things lie."""

    picture: Picture
    width: int
    left: int
    price: _Scale | None
    energy: _Scale
    bottom: int

    @classmethod
    def of(cls, picture: Picture, width: int) -> "_Frame":
        prices = [price for column in picture.columns for price in column.prices_e5 if price is not None]
        top = _TOP
        scale = None
        if prices:
            scale = _scale(min(prices), max(prices), top, _PRICE_HEIGHT, 3)
            top += _PRICE_HEIGHT + _BETWEEN
        most = max((column.up_wh or 0 for column in picture.columns), default=0)
        least = -max((column.down_wh or 0 for column in picture.columns), default=0)
        energy = _scale(least, max(most, 1 if not least else 0), top, picture.height, _STEPS, zero=True)
        ticks = [picture.energy(abs(tick), _decimals(energy.step)) for tick in energy.ticks()]
        if scale:
            ticks += [picture.price(tick, scale.step) for tick in scale.ticks()]
        left = max(len(tick) for tick in ticks) * _LETTER + 10
        marks = _MARKS if any(column.marked for column in picture.columns) else 0
        return cls(picture, width, left, scale, energy, top + picture.height + marks + _LABELS)

    def x10(self, at: int) -> int:
        return 10 * self.left + 10 * (self.width - self.left - _RIGHT) * at // len(self.picture.columns)


def _scale(low: int, high: int, top: int, height: int, steps: int, *, zero: bool = False) -> _Scale:
    """An axis with round ticks: the finest step of 1, 2 or 5 times a power of ten that needs few enough of them."""
    if zero:
        low, high = min(low, 0), max(high, 0)
    elif low == high:
        low, high = low - max(1, abs(low) // 10), high + max(1, abs(high) // 10)
    unit = 1
    while True:
        for factor in (1, 2, 5):
            step = factor * unit
            first, last = low // step * step, -(-high // step) * step
            if last - first <= step * (steps + bool(low and zero)):
                return _Scale(first, last, step, top, height)
        unit *= 10


def _decimals(step_wh: int) -> int:
    """How many decimals of a kWh the ticks of this step need."""
    return next((decimals for decimals in range(3) if step_wh % 10 ** (3 - decimals) == 0), 3)


def _price_panel(frame: _Frame) -> Iterator[str]:
    picture, scale = frame.picture, frame.price
    if scale is None:
        return
    yield _heading(scale.top, picture.price_title)
    yield from _grid(frame, scale, lambda tick: picture.price(tick, scale.step))
    for line in range(max(len(column.prices_e5) for column in picture.columns)):
        path = _steps(frame, scale, line)
        if path:
            yield f'<path class="price p{line}" d="{path}"/>'


def _steps(frame: _Frame, scale: _Scale, line: int) -> str:
    """A price as steps: flat over each column, interrupted where there is none."""
    parts: list[str] = []
    before: int | None = None
    for at, column in enumerate(frame.picture.columns):
        price = column.prices_e5[line] if line < len(column.prices_e5) else None
        if price is None:
            before = None
            continue
        y = _tenths(scale.y10(price))
        if before is None:
            parts.append(f"M{_tenths(frame.x10(at))} {y}")
        elif price != before:
            parts.append(f"V{y}")
        end = f"H{_tenths(frame.x10(at + 1))}"
        if parts[-1].startswith("H"):
            parts.pop()
        parts.append(end)
        before = price
    return "".join(parts)


def _energy_panel(frame: _Frame, hatch: str) -> Iterator[str]:
    picture, scale = frame.picture, frame.energy
    yield _heading(scale.top, picture.energy_title)
    yield from _grid(frame, scale, lambda tick: picture.energy(abs(tick), _decimals(scale.step)))
    zero10 = scale.y10(0)
    for at, column in enumerate(picture.columns):
        left10, right10 = frame.x10(at), frame.x10(at + 1)
        middle10 = (left10 + right10) // 2
        gap10 = min(30, (right10 - left10) // 5)
        width10 = max(4, min(right10 - left10 - gap10, _WIDEST10))
        x, width = _tenths(middle10 - width10 // 2), _tenths(width10)
        yield f"<g><title>{escape(column.told)}</title>"
        if column.up_wh:
            y10 = scale.y10(column.up_wh)
            y, height = _tenths(y10), _tenths(zero10 - y10)
            weight = "in" if column.strong else "in weak"
            yield f'<rect class="{weight}" x="{x}" y="{y}" width="{width}" height="{height}"/>'
        if column.down_wh:
            height10 = scale.y10(-column.down_wh) - zero10
            yield (
                f'<rect class="edge" fill="{hatch}" x="{x}" y="{_tenths(zero10)}" width="{width}" '
                f'height="{_tenths(height10)}"/>'
            )
        yield from _head(frame, column, middle10)
        if column.marked:
            yield _mark(middle10, 10 * (scale.top + scale.height))
        yield "</g>"
    yield f'<path class="zero" d="M{frame.left} {_tenths(zero10)}H{frame.width - _RIGHT}"/>'


def _head(frame: _Frame, column: Column, middle10: int) -> Iterator[str]:
    """A column's own figure at its head."""
    if not frame.picture.values or column.up_wh is None:
        return
    text = frame.picture.energy(column.up_wh, 0)
    room10 = frame.x10(1) - frame.x10(0)
    if room10 >= 10 * (len(text) * _LETTER + 2):
        y = _tenths(frame.energy.y10(column.up_wh) - 40)
        yield f'<text class="value" x="{_tenths(middle10)}" y="{y}">{escape(text)}</text>'


def _mark(middle10: int, floor10: int) -> str:
    return f'<path class="mark" d="M{_tenths(middle10)} {_tenths(floor10 + 30)}l4 7h-8z"/>'


def _heading(top: int, text: str) -> str:
    return f'<text class="axis" x="0" y="{top - 14}">{escape(text)}</text>'


def _grid(frame: _Frame, scale: _Scale, label: Callable[[int], str]) -> Iterator[str]:
    for tick in scale.ticks():
        y = scale.y10(tick)
        yield f'<path class="grid" d="M{frame.left} {_tenths(y)}H{frame.width - _RIGHT}"/>'
        yield f'<text class="tick" x="{frame.left - 6}" y="{_tenths(y + 40)}">{escape(label(tick))}</text>'


def _labels(frame: _Frame) -> Iterator[str]:
    """The labels under the columns: so many that none touches its neighbour."""
    picture = frame.picture
    baseline = frame.bottom - 6
    for at in _chosen(frame):
        middle10 = (frame.x10(at) + frame.x10(at + 1)) // 2
        half10 = 5 * _LETTER * len(picture.columns[at].label)
        middle10 = max(half10, min(middle10, 10 * frame.width - half10))
        yield f'<text class="label" x="{_tenths(middle10)}" y="{baseline}">{escape(picture.columns[at].label)}</text>'


def _chosen(frame: _Frame) -> Sequence[int]:
    anchors, columns = frame.picture.anchors, frame.picture.columns
    for every in (1, 2, 3, 4, 6, 8, 12, 24):
        chosen = anchors[::every]
        if _clear(frame, ((at, len(columns[at].label)) for at in chosen)):
            return chosen
    return anchors[:1]


def _clear(frame: _Frame, labels: Iterable[tuple[int, int]]) -> bool:
    """Whether all of these labels (column, letters) keep a distance."""
    taken10 = -1_000
    for at, letters in labels:
        middle10 = (frame.x10(at) + frame.x10(at + 1)) // 2
        if middle10 - 5 * _LETTER * letters < taken10:
            return False
        taken10 = middle10 + 5 * _LETTER * letters + 60
    return True


def _tenths(value10: int) -> str:
    """Tenths of a unit as SVG writes them."""
    whole, part = divmod(abs(value10), 10)
    return f"{'-' if value10 < 0 else ''}{whole}{f'.{part}' if part else ''}"
