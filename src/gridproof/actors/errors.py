"""Reasons for which an actor turns something away, or cannot go on."""

from gridproof.errors import GridproofError


class ActorError(GridproofError):
    """An actor cannot do what was asked."""


# Enrolment and months


class AlreadyEnrolledError(ActorError):
    """A meter of this name is enrolled at that period already; nothing changed. If it is the one you mean, all is done;
    for another one, revoke or swap it first.
    """

    meter: str
    from_k: int
    until_k: int


class NotEnrolledError(ActorError):
    """No meter of this name is enrolled at that period; nothing changed. `gridproof meter list` shows who is."""

    meter: str
    k: int


class NoSparePlaceError(ActorError):
    """Too few never-used places are left in the month's rosters; nothing changed. Enrol from the next month on."""

    region: int
    channel: str
    month: int


class MonthNotPreparedError(ActorError):
    """The bill provider made no rosters for this period; nothing was computed. Prepare the month first."""

    region: int
    channel: str
    k: int


class MonthErasedError(ActorError):
    """The keys of this month were erased at its end; nothing can be signed or opened with them any more."""

    what: str
    month: int


class WrongMonthError(ActorError):
    """The period does not lie in the month that the meter works in; nothing was recorded. Begin its month first."""

    meter: str
    k: int


class SecretFormatError(ActorError):
    """The file's content is not of the form that it should have; nothing was taken from it. Ask for it anew."""

    what: str
    detail: str


# Records


class ReadingDiffersError(ActorError):
    """The period has a record with another reading; the first stays, as its bytes may be under way already."""

    meter: str
    channel: str
    k: int


class ChannelUnknownError(ActorError):
    """The meter was not enrolled on this channel; nothing was recorded. Enrol it for both channels."""

    meter: str
    channel: str


class DeliveryError(ActorError):
    """The data aggregator does not take the record."""


class RecordTooEarlyError(DeliveryError):
    """The period is not over yet; the record was not taken. Send it after the period's end."""

    now_s: int
    end_s: int


class RecordTooLateError(DeliveryError):
    """The slot's window is over; the record was not taken. What it says can go on the bill only."""

    now_s: int
    end_s: int


class NoRosterError(DeliveryError):
    """No roster here for this slot agrees with the ledger; the record was not taken. Try again later."""

    region: int
    channel: str
    k: int
    detail: str


class UnknownIdentityError(DeliveryError):
    """The identity belongs to none of the slot's places; the record was not taken.

    Attributes:
        filtered: whether the filter told it already, before the roster was asked.
    """

    prid: bytes
    filtered: bool


class BadRecordError(DeliveryError):
    """The record's signature does not hold: it was altered, or signed for another slot or chain; it was not taken."""

    prid: bytes


class OtherRecordError(DeliveryError):
    """The identity sent another record before; the first stays and this one was not taken."""

    prid: bytes


class BadReceiptError(ActorError):
    """The receipt is not signed by the aggregator's key; the record counts as not received. It is sent again."""

    aggregator: int


# Proof files


class ProofFileError(ActorError):
    """The file is no proof file of a version that is known here; nothing was checked. Ask for it again."""

    detail: str


class RecordUnknownError(ActorError):
    """The ledger has no such record of the household in this slot, so there is nothing to prove."""

    channel: str
    k: int


class LedgerMovedError(ActorError):
    """The ledger made new blocks each time the proofs were gathered, so they are not of one state. Try later."""

    attempts: int


class NodeUnclearError(ActorError):
    """The ledger did not do what was asked of it; see the reason, then start again: nothing counts twice."""

    what: str
    detail: str


class RegisterUnsignedError(ActorError):
    """The meter's keys of this month are gone, so its register is not signed; its next one is reconciled from before.

    A meter signs when the month ends: let the community run then.
    """

    meter: str
    month: str


class EarlierBillMissingError(ActorError):
    """The meter's register reaches back over a month that has no bill yet; none was made. Bill the earlier month first.

    Otherwise that month's energy would be billed twice.
    """

    meter: str
    month: str


class MonthForgottenError(ActorError):
    """The ledger has forgotten the month's records, as it does after the retention time; they are proven no more.
    What was exported before stays proven.
    """

    month: str


class BillsNotFinalError(ActorError):
    """The month's bills are not final, so nothing of it was erased. See to what is said, then finish it again."""

    region: int
    month: str
    detail: str


class BillsNeverMadeError(ActorError):
    """The ledger has forgotten the month's records before all its bills were made; the others cannot be made any more.
    Make bills within the retention time that the settings name.
    """

    region: int
    month: str
    detail: str


class MonthFinishedError(ActorError):
    """The month's bills are final, and what they were made from is erased; nothing about them changes any more."""

    region: int
    month: str


class MonthNeverOpenedError(ActorError):
    """The month passed without being opened, so nothing was metered in it and it has no bills. `gridproof status` lists
    the months that were opened.
    """

    region: int
    month: str


class MonthNotBillableError(ActorError):
    """The month cannot be billed, no bill was made. Let the community run past the month's last deadline."""

    region: int
    month: str
    detail: str


class ReportLostError(ActorError):
    """The bill provider's archive has not got this report whole either, so it was not published again.
    Restore the archive from a backup, or have it from the household that fetched it.
    """

    cid: str


class NoSuchObjectionError(ActorError):
    """The household has raised no such objection in this month; nothing was answered. `gridproof bill objections` lists
    them.
    """

    meter: str
    month: str
    objection: int
