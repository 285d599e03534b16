"""The rules of bills; the only writer of their state.

Rules B-1 to B-8 stand in README.md; B-3 and B-4 are in part the messages' own `check`.
"""

from typing import Final

from msgspec.structs import replace

from gridproof.domain import MonthId, ParticipantId, RegionId
from gridproof.state import Context

from .errors import (
    AlreadyAnswered,
    BillExists,
    BillUnknown,
    MonthNotClosed,
    ObjectionMisnumbered,
    ObjectionUnknown,
    TooManyBills,
    TooManyObjections,
    VersionSkipped,
)
from .messages import (
    AnswerObjection,
    BillContested,
    BillRegistered,
    NewBill,
    ObjectionAnswered,
    ObjectToBill,
    RegisterBills,
)
from .ports import Directory
from .types import BILLS, LAST_OBJECTION, LAST_VERSION, OBJECTIONS, TALLIES, Answer, Bill, Objection, Tally

MAX_OBJECTIONS: Final = 16  # of one identity: what it may say costs it nothing
NO_BILLS: Final = Tally(0, 0, 0, 0)


class Keeper:
    """Registers bills, objections and answers.

    Args:
        directory: who may do what, and which months there are.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def register(self, ctx: Context, sender: ParticipantId, message: RegisterBills) -> None:
        """Register sealed bills of a closed month, all or none.

        Raises:
            NotPermitted: `sender` is not a bill provider (B-1).
            MonthNotClosed: the month's totals and prices may still change (B-2).
            BillExists: a bill has this version (B-3).
            VersionSkipped: a version does not follow the last one (B-3).
            TooManyBills: the region had fewer meters in the month (B-5).

        Source: README.md, Messages; seed 002, dynamic billing phase, steps f to h.
        """
        self._directory.require_bill_provider(ctx, sender)
        region, month = RegionId(message.region), MonthId(message.month)
        if not self._directory.month_rules(ctx, region, month).closed:
            raise MonthNotClosed(region=region, month=month)
        tally = TALLIES.get(ctx, region, month, default=NO_BILLS)
        for bill in message.bills:
            tally = _put(ctx, region, month, bill, tally)
        meters = self._directory.meters_in(ctx, region, month)
        if tally.bills > meters:
            raise TooManyBills(bills=tally.bills, meters=meters)
        TALLIES.put(ctx, region, month, value=tally)

    def object(self, ctx: Context, sender: ParticipantId, message: ObjectToBill) -> None:
        """Put a household's objection on record; who brings it is not looked at, so that it names nobody.

        Raises:
            BillUnknown: no such bill is registered (B-6).
            TooManyObjections: the identity has raised its most (B-6).
            ObjectionMisnumbered: the number is not the identity's next one (B-6).

        Source: README.md, Messages; private-metering.md, row 23.
        """
        place = (message.region, message.month, message.bid)
        if not BILLS.has(ctx, *place, message.version):
            raise BillUnknown(region=message.region, month=message.month, bid=message.bid, version=message.version)
        last = LAST_OBJECTION.get(ctx, *place, default=0)
        if last >= MAX_OBJECTIONS:
            raise TooManyObjections(limit=MAX_OBJECTIONS)
        if message.number != last + 1:
            raise ObjectionMisnumbered(number=message.number, expected=last + 1)

        raised = Objection(message.version, message.cid, message.digest, ctx.ledger_time_s, answer=None)
        OBJECTIONS.put(ctx, *place, message.number, value=raised)
        LAST_OBJECTION.put(ctx, *place, value=message.number)
        tally = TALLIES.get(ctx, message.region, message.month)
        TALLIES.put(ctx, message.region, message.month, value=replace(tally, objections=tally.objections + 1))
        ctx.emit(BillContested(*place, message.version, message.number))

    def answer(self, ctx: Context, sender: ParticipantId, message: AnswerObjection) -> None:
        """Answer an objection, once.

        Raises:
            NotPermitted: `sender` is not a bill provider (B-1).
            ObjectionUnknown: no such objection was raised (B-7).
            AlreadyAnswered: it has its answer, which stays (B-7).

        Source: README.md, Messages.
        """
        self._directory.require_bill_provider(ctx, sender)
        place = (message.region, message.month, message.bid)
        raised = OBJECTIONS.find(ctx, *place, message.number)
        if raised is None:
            raise ObjectionUnknown(bid=message.bid, number=message.number)
        if raised.answer is not None:
            raise AlreadyAnswered(number=message.number)

        answer = Answer(message.upheld, message.cid, message.digest, ctx.ledger_time_s)
        OBJECTIONS.put(ctx, *place, message.number, value=replace(raised, answer=answer))
        tally = TALLIES.get(ctx, message.region, message.month)
        TALLIES.put(ctx, message.region, message.month, value=replace(tally, answered=tally.answered + 1))
        ctx.emit(ObjectionAnswered(*place, message.number, message.upheld))


def _put(ctx: Context, region: int, month: int, bill: NewBill, tally: Tally) -> Tally:
    """Store a bill under its version, and count it (B-3)."""
    last = LAST_VERSION.get(ctx, region, month, bill.bid, default=0)
    if bill.version <= last:
        raise BillExists(bid=bill.bid, version=bill.version)
    if bill.version != last + 1:
        raise VersionSkipped(bid=bill.bid, version=bill.version, expected=last + 1)
    BILLS.put(ctx, region, month, bill.bid, bill.version, value=Bill(bill.cid, bill.digest, ctx.ledger_time_s))
    LAST_VERSION.put(ctx, region, month, bill.bid, value=bill.version)
    ctx.emit(BillRegistered(region, month, bill.bid, bill.version, bill.cid))
    if last:
        return replace(tally, corrections=tally.corrections + 1)
    return replace(tally, bills=tally.bills + 1)
