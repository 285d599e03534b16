"""What a run found, as it is kept in JSON and shown in tables."""

from typing import Final

import msgspec

from .measure import Spread

NOT_THERE: Final = "not there yet"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A work that was held to a target.

    Attributes:
        work: what was done, in a line.
        target: what the project set itself, in words.
        unit: of the figure and of the limit.
        actual: what was measured; None where it could not be.
        limit: the target as a number.
        at_most: whether the limit is an upper one.
        note: why there is no figure, or what it is of.
    """

    work: str
    target: str
    unit: str
    limit: float
    actual: Spread | None
    at_most: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None where nothing was measured."""
        if self.actual is None:
            return None
        return self.actual.median <= self.limit if self.at_most else self.actual.median >= self.limit


class Figure(msgspec.Struct, frozen=True):
    """A figure that stands for itself."""

    name: str
    unit: str
    value: Spread


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that grow with something: lines over one axis.

    Attributes:
        name: of the picture's file, after `bench-`.
        title: in a line.
        x: what grows.
        y: what it costs, with its unit.
        lines: by name, points (x, y).
    """

    name: str
    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Where a work's time went.

    Attributes:
        title: of the work.
        samples: how often the work was looked at.
        parts: part and how many samples fell on it, the greatest first.
        functions: likewise by function, the first few.
    """

    title: str
    samples: int
    parts: list[tuple[str, int]]
    functions: list[tuple[str, int]]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What an attacker reached who tells which records are of one meter.

    Attributes:
        attacker: by name.
        scheme: that was attacked.
        ours: whether that is the product as it is.
        measure: what the advantage is, where it is not that of the pair game.
        pairs: of one meter, and as many of two.
        advantage: true positives' rate less false positives'.
        bound: its upper 99 % bound.
        target: what had to come of it, in words.
        met: whether it did.
    """

    attacker: str
    scheme: str
    ours: bool
    measure: str
    pairs: int
    advantage: float
    bound: float
    target: str
    met: bool


class Section(msgspec.Struct, kw_only=True):
    """What one script found.

    Attributes:
        rows: works with targets.
        figures: what else is worth knowing.
        curves: pictures.
        profiles: where time went.
        links: what attackers reached; they stand on a page of their own.
        seconds: how long the script took.
    """

    rows: list[Row] = []
    figures: list[Figure] = []
    curves: list[Curve] = []
    profiles: list[Profile] = []
    links: list[Link] = []
    seconds: float = 0.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures were taken on."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    libraries: dict[str, str]


class Run(msgspec.Struct, kw_only=True):
    """A run of the benchmarks.

    Attributes:
        quick: whether it was the short one, whose figures say little.
        machine: what it ran on.
        busy: how many other programs wanted a core at the beginning (load average of a minute).
        sections: by script.
        pieced: whether some sections are of earlier runs on the same kind of machine.
    """

    quick: bool
    machine: Machine
    busy: float
    sections: dict[str, Section]
    pieced: bool = False


def to_json(run: Run) -> bytes:
    """The run as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n"


def from_json(raw: bytes) -> Run:
    """Read a run that `to_json` wrote."""
    return msgspec.json.decode(raw, type=Run)
