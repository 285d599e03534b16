"""Reasons for which a word of the trade is refused."""

from gridproof.errors import GridproofError


class DomainError(GridproofError):
    """A value does not belong to the domain."""


class OutOfRangeError(DomainError):
    """A value lies outside what its type can hold; nothing was computed from it. Check the unit."""

    what: str
    value: int
    low: int
    high: int


class MisalignedError(DomainError):
    """An instant does not lie on a boundary of the region's periods. Use a multiple of the period's length."""

    what: str
    instant_s: int
    period_s: int


class UnknownNameError(DomainError):
    """The name is none of those that the domain knows. Use one of the known ones."""

    what: str
    name: str
    known: tuple[str, ...]
