"""Reasons for which billing refuses. Numbers are part of the protocol: never reused."""

from typing import ClassVar

from gridproof.errors import Refusal


class BillingError(Refusal):
    """Root of this module's refusals."""


# Bills


class MonthNotClosed(BillingError):
    """Totals and prices of the month may still change; no bill was registered. Register it when the month is closed."""

    code: ClassVar[int] = 4001
    region: int
    month: int


class BillExists(BillingError):
    """The bill has this version already, and it stays; none of these was registered. A correction has the next one."""

    code: ClassVar[int] = 4002
    bid: bytes
    version: int


class VersionSkipped(BillingError):
    """A bill's versions follow one another; none of these was registered. Take the next version."""

    code: ClassVar[int] = 4003
    bid: bytes
    version: int
    expected: int


class BadIdentity(BillingError):
    """A billing identity is the x of a point of secp256k1; none of these bills was registered. Check the list."""

    code: ClassVar[int] = 4004
    bid: bytes


class BillsUnsorted(BillingError):
    """Bills come in ascending order of their identities, each once; none was registered. Sort the list."""

    code: ClassVar[int] = 4005
    index: int


class BadContent(BillingError):
    """This is no content identifier in its one spelling (CIDv1, base32); nothing was registered. Check it."""

    code: ClassVar[int] = 4006
    cid: str


class TooManyBills(BillingError):
    """The region had fewer meters in the month than bills were registered; none of these was. Check the list."""

    code: ClassVar[int] = 4007
    bills: int
    meters: int


# Objections


class BillUnknown(BillingError):
    """No such bill is registered; nothing changed. Check region, month, identity and version."""

    code: ClassVar[int] = 4008
    region: int
    month: int
    bid: bytes
    version: int


class ObjectionMisnumbered(BillingError):
    """An objection's number is the next one of its bill's identity; nothing changed. Sign it under that number."""

    code: ClassVar[int] = 4009
    number: int
    expected: int


class TooManyObjections(BillingError):
    """The identity has raised its most objections; nothing changed. Settle the matter with the bill provider."""

    code: ClassVar[int] = 4010
    limit: int


class ObjectionUnknown(BillingError):
    """No such objection was raised; nothing changed. Check identity and number."""

    code: ClassVar[int] = 4011
    bid: bytes
    number: int


class AlreadyAnswered(BillingError):
    """The objection has its answer, and that stays."""

    code: ClassVar[int] = 4012
    number: int
