"""What one may read of notices."""

from gridproof.state import Reader

from .types import NOTICES, Notice


def notice(view: Reader, region: int, number: int) -> Notice | None:
    """A region's notice by its number, or None."""
    return NOTICES.find(view, region, number)


def running(view: Reader, region: int, now_s: int) -> tuple[int, ...]:
    """Numbers of a region's notices that have not ended at `now_s`, UTC epoch seconds."""
    return tuple(key[1] for key, each in NOTICES.under(view, region) if each.until_s > now_s)
