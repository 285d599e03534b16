"""What billing keeps, and under which keys (README.md, State)."""

from typing import Final

from gridproof.state import B32, U16, U32, Map, Record

MODULE: Final = 4


class Bill(Record, frozen=True):
    """A registered bill: where its sealed report lies, and what it must hash to.

    Attributes:
        cid: content identifier of the sealed report, as text.
        digest: SHA-256 of the sealed report, 32 bytes.
        registered_s: ledger time, UTC epoch seconds.
    """

    cid: str
    digest: bytes
    registered_s: int


class Answer(Record, frozen=True):
    """The bill provider's answer to an objection.

    Attributes:
        upheld: whether it agrees, and corrects the bill.
        cid: content identifier of the sealed reasons, as text.
        digest: SHA-256 of them, 32 bytes.
        answered_s: ledger time, UTC epoch seconds.
    """

    upheld: bool
    cid: str
    digest: bytes
    answered_s: int


class Objection(Record, frozen=True):
    """A household's objection to a bill.

    Attributes:
        version: of the bill.
        cid: content identifier of the sealed reasons, as text.
        digest: SHA-256 of them, 32 bytes.
        raised_s: ledger time, UTC epoch seconds.
        answer: the bill provider's; None until it gave one.
    """

    version: int
    cid: str
    digest: bytes
    raised_s: int
    answer: Answer | None


class Tally(Record, frozen=True):
    """A region's month of bills.

    Attributes:
        bills: billing identities that have one.
        corrections: later versions.
        objections: raised.
        answered: of those.
    """

    bills: int
    corrections: int
    objections: int
    answered: int


BILLS: Final = Map(module=MODULE, collection=1, key=(U16, U32, B32, U16), value=Bill)  # region, month, BID, version
LAST_VERSION: Final = Map(module=MODULE, collection=2, key=(U16, U32, B32), value=U16)  # region, month, BID
OBJECTIONS: Final = Map(module=MODULE, collection=3, key=(U16, U32, B32, U16), value=Objection)  # .., number
LAST_OBJECTION: Final = Map(module=MODULE, collection=4, key=(U16, U32, B32), value=U16)
TALLIES: Final = Map(module=MODULE, collection=5, key=(U16, U32), value=Tally)  # region, month
