"""Reasons for which the demonstration cannot be told."""

from gridproof.errors import GridproofError


class DemoError(GridproofError):
    """The demonstration cannot be told."""


class TooFewPeriodsError(DemoError):
    """The story needs more periods, for some of its attacks take several; nothing was made. Ask for more."""

    periods: int
    needed: int


class TooFewHouseholdsError(DemoError):
    """With so few households a region's totals stay sealed; nothing was made. Take more of them, or fewer regions."""

    households: int
    regions: int
    needed: int


class ThinReadingsError(DemoError):
    """Too few meters have readings in a period that the story needs; it was not told. Take other readings."""

    needed_for: str
    k: int
