"""What one may read of billing. Where nothing is kept under what was asked for, the answer is None, or empty."""

from gridproof.state import Reader

from .keeper import NO_BILLS
from .types import BILLS, LAST_OBJECTION, LAST_VERSION, OBJECTIONS, TALLIES, Bill, Objection, Tally

IDENTITY_SIZE = 32


def bill(view: Reader, region: int, month: int, bid: bytes, version: int) -> Bill | None:
    """The bill that a billing identity has under a version."""
    return BILLS.find(view, region, month, bid, version) if len(bid) == IDENTITY_SIZE else None


def last_version(view: Reader, region: int, month: int, bid: bytes) -> int:
    """The version of a billing identity's last bill; 0 where it has none."""
    return LAST_VERSION.get(view, region, month, bid, default=0) if len(bid) == IDENTITY_SIZE else 0


def versions(view: Reader, region: int, month: int, bid: bytes) -> tuple[tuple[int, Bill], ...]:
    """All versions of a billing identity's bill, ascending."""
    if len(bid) != IDENTITY_SIZE:
        return ()
    return tuple((version, known) for (*_, version), known in BILLS.under(view, region, month, bid))


def bills(view: Reader, region: int, month: int) -> tuple[tuple[bytes, int, Bill], ...]:
    """A month's bills, all versions, by billing identity and version."""
    return tuple((bid, version, known) for (_, _, bid, version), known in BILLS.under(view, region, month))


def objections(view: Reader, region: int, month: int, bid: bytes) -> tuple[tuple[int, Objection], ...]:
    """A billing identity's objections with their numbers, ascending."""
    if len(bid) != IDENTITY_SIZE:
        return ()
    return tuple((number, raised) for (*_, number), raised in OBJECTIONS.under(view, region, month, bid))


def last_objection(view: Reader, region: int, month: int, bid: bytes) -> int:
    """The number of a billing identity's last objection; 0 before the first."""
    return LAST_OBJECTION.get(view, region, month, bid, default=0) if len(bid) == IDENTITY_SIZE else 0


def month_objections(view: Reader, region: int, month: int) -> tuple[tuple[bytes, int, Objection], ...]:
    """A month's objections, by billing identity and number."""
    return tuple((bid, number, raised) for (_, _, bid, number), raised in OBJECTIONS.under(view, region, month))


def tally(view: Reader, region: int, month: int) -> Tally:
    """How many bills, corrections, objections and answers a month has."""
    return TALLIES.get(view, region, month, default=NO_BILLS)
