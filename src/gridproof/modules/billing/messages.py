"""What one may ask of billing, and what it announces."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from gridproof.primitives.cid import parse_cid
from gridproof.primitives.errors import PrimitiveError
from gridproof.primitives.hashing import Tag
from gridproof.primitives.secp256k1 import is_point
from gridproof.state import Event, Message, Record, SignatureClaim

from .errors import BadContent, BadIdentity, BillsUnsorted

HASH_SIZE: Final = 32
MAX_BILLS: Final = 500  # in a message
MAX_CID: Final = 80
_OBJECTION: Final = Tag("gridproof/objection/v1")

Region = Annotated[int, Meta(ge=1, le=2**16 - 1)]
Month = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
Version = Annotated[int, Meta(ge=1, le=2**16 - 1)]
Number = Annotated[int, Meta(ge=1, le=2**16 - 1)]
Cid = Annotated[str, Meta(min_length=1, max_length=MAX_CID)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]


class NewBill(Record, frozen=True):
    """A bill to register.

    Attributes:
        bid: the billing identity of the month, x-only, 32 bytes.
        version: 1, or for a correction the one after the last.
        cid: content identifier of the sealed report.
        digest: SHA-256 of the sealed report, 32 bytes.
    """

    bid: Hash
    version: Version
    cid: Cid
    digest: Hash


def objection_hash(chain_id: str, place: "ObjectToBill") -> bytes:
    """What a billing identity signs to object.

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        place: the objection; its signature is not looked at.

    Returns:
        32 bytes.
    """
    name = chain_id.encode()
    head = len(name).to_bytes(2, "big") + name + place.region.to_bytes(2, "big") + place.month.to_bytes(4, "big")
    numbers = place.version.to_bytes(2, "big") + place.number.to_bytes(2, "big")
    return _OBJECTION(head, place.bid, numbers, place.digest, place.cid.encode())


def require_content(cid: str) -> None:
    """Return if the text is a content identifier in its one spelling (rule B-4).

    Raises:
        BadContent: it is not.
    """
    try:
        parse_cid(cid)
    except PrimitiveError as wrong:
        raise BadContent(cid=cid) from wrong


class RegisterBills(Message, frozen=True, tag=4001):
    """Register sealed bills of a closed month (bill provider).

    Attributes:
        region: the region.
        month: the month.
        bills: in ascending order of their identities, which are fresh each month, so that the order tells nothing.
    """

    region: Region
    month: Month
    bills: Annotated[tuple[NewBill, ...], Meta(min_length=1, max_length=MAX_BILLS)]

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rules B-3, B-4).

        Raises:
            BillsUnsorted: the identities do not ascend.
            BadIdentity: one is no x of a point.
            BadContent: a content identifier is none.
        """
        for index, (before, after) in enumerate(pairwise(self.bills), start=1):
            if before.bid >= after.bid:
                raise BillsUnsorted(index=index)
        for bill in self.bills:
            if not is_point(bill.bid):
                raise BadIdentity(bid=bill.bid)
            require_content(bill.cid)


class ObjectToBill(Message, frozen=True, tag=4002):
    """Object to a bill (anyone brings it; the billing identity signs it).

    Attributes:
        region: the region.
        month: the month.
        bid: the billing identity.
        version: of the bill.
        number: the identity's next objection, from 1 on, so that a word counts once.
        cid: content identifier of the reasons, sealed to the bill provider.
        digest: SHA-256 of them, 32 bytes.
        signature: by the billing identity over `objection_hash`, 64 bytes.
    """

    region: Region
    month: Month
    bid: Hash
    version: Version
    number: Number
    cid: Cid
    digest: Hash
    signature: Signature

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rule B-4).

        Raises:
            BadIdentity: the identity is no x of a point.
            BadContent: the content identifier is none.
        """
        if not is_point(self.bid):
            raise BadIdentity(bid=self.bid)
        require_content(self.cid)

    def claims(self, chain_id: str) -> Sequence[SignatureClaim]:
        """The billing identity's signature (rule B-6)."""
        return (SignatureClaim(self.bid, objection_hash(chain_id, self), self.signature),)


class AnswerObjection(Message, frozen=True, tag=4003):
    """Answer an objection (bill provider).

    Attributes:
        region: the region.
        month: the month.
        bid: the billing identity.
        number: of the objection.
        upheld: whether the bill provider agrees; a correction follows as the bill's next version.
        cid: content identifier of the reasons, sealed to the household.
        digest: SHA-256 of them, 32 bytes.
    """

    region: Region
    month: Month
    bid: Hash
    number: Number
    upheld: bool
    cid: Cid
    digest: Hash

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rule B-4).

        Raises:
            BadContent: the content identifier is none.
        """
        require_content(self.cid)


class BillRegistered(Event, frozen=True, tag=4001):
    """A billing identity has a bill of this version."""

    region: int
    month: int
    bid: bytes
    version: int
    cid: str


class BillContested(Event, frozen=True, tag=4002):
    """An objection to a bill is on record."""

    region: int
    month: int
    bid: bytes
    version: int
    number: int


class ObjectionAnswered(Event, frozen=True, tag=4003):
    """An objection has its answer."""

    region: int
    month: int
    bid: bytes
    number: int
    upheld: bool
