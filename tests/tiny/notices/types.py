"""What notices keep, and under which keys (README.md, State)."""

from typing import Final

from gridproof.state import U16, U32, Map, Record

MODULE: Final = 99


class Notice(Record, frozen=True):
    """A text to all households of a region.

    Attributes:
        text: what to tell, 1 to 500 characters.
        posted_s: ledger time of posting, UTC epoch seconds.
        until_s: end of validity, UTC epoch seconds, not included.
    """

    text: str
    posted_s: int
    until_s: int


NOTICES: Final = Map(module=MODULE, collection=1, key=(U16, U32), value=Notice)
LAST_NUMBER: Final = Map(module=MODULE, collection=2, key=(U16,), value=U32)
