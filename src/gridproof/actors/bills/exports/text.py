"""Numbers, times and people's words as exports write them."""

import re
from datetime import UTC, datetime
from typing import Final

from gridproof.calendar import LAST_INSTANT_S
from gridproof.domain import require_range

_REPLACEMENT: Final = "�"
# What a spreadsheet takes for a formula: a sign at the start of a cell, or behind what another locale splits cells at.
_FORMULA: Final = re.compile(r"(?:^|(?<=[;,|]))(?=\s*[=+\-@＝＋－＠])")  # noqa: RUF001  the wide signs are meant


def exact(value: int, places: int) -> str:
    """Write a whole number of 10**-places as a decimal, exactly: `exact(-5, 2)` is `-0.05`."""
    whole, rest = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{places}d}"


def utc(instant_s: int) -> str:
    """Write an instant in UTC: `2025-10-26T00:00:00Z`.

    Args:
        instant_s: UTC epoch seconds.

    Raises:
        OutOfRangeError: the instant lies before 1970 or beyond the calendar.
    """
    require_range("instant_s", instant_s, 0, LAST_INSTANT_S)
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def printable(text: str) -> str:
    """The text without signs that steer a terminal, break a line or may not stand in XML; each becomes U+FFFD."""
    return "".join(sign if sign.isprintable() else _REPLACEMENT for sign in text)


def harmless(text: str) -> str:
    """The text, printable, for a spreadsheet's cell: what would be taken for a formula gets an apostrophe before it."""
    return _FORMULA.sub("'", printable(text))
