"""What a bill provider, an outsider or a meddling relay may try, each shown to work where the rule is missing.

The weakened module writes down whatever it is told and checks no signature, as a notice board would.
"""

from dataclasses import replace as rewired

from msgspec.structs import replace

from gridproof.domain import ParticipantId
from gridproof.modules.billing import errors, queries
from gridproof.modules.billing.messages import ObjectToBill, RegisterBills
from gridproof.modules.billing.types import BILLS, LAST_OBJECTION, OBJECTIONS, Bill, Objection
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Context, Module, SignatureClaim, route
from gridproof.state.errors import CheckFailed

from tests.unit.modules.aggregation.community import MONTH, REGION, TARIFF, Community, bid_of

BID = bid_of(0).public_key


class Unsigned(ObjectToBill, frozen=True, tag=4002):
    """An objection that nobody need sign."""

    def claims(self, chain_id: str) -> tuple[SignatureClaim, ...]:
        """No signature is asked for."""
        return ()


def note_bills(ctx: Context, _sender: ParticipantId, message: RegisterBills) -> None:
    """Write every bill down, over the one before."""
    for bill in message.bills:
        BILLS.put(ctx, message.region, message.month, bill.bid, bill.version, value=Bill(bill.cid, bill.digest, 0))


def note_objection(ctx: Context, _sender: ParticipantId, message: ObjectToBill) -> None:
    """Write every objection down under the next number, whatever number it has."""
    place = (message.region, message.month, message.bid)
    number = LAST_OBJECTION.get(ctx, *place, default=0) + 1
    LAST_OBJECTION.put(ctx, *place, value=number)
    raised = Objection(message.version, message.cid, message.digest, 0, None)
    OBJECTIONS.put(ctx, *place, number, value=raised)


def notice_board(module: Module) -> Module:
    """Billing without its rules, and without the invariants that would tell."""
    if module.name != "billing":
        return module
    routes = (route(RegisterBills, note_bills), route(Unsigned, note_objection))
    return rewired(module, routes=routes, invariants=())


def weak_town() -> Community:
    """The notice board, the month still open."""
    return Community(weaken=notice_board).begin(tariff=TARIFF)


def digest_of(town: Community, meter: int) -> bytes:
    bill = town.ask(queries.bill, REGION, MONTH, bid_of(meter).public_key, 1)
    assert isinstance(bill, Bill)
    return bill.digest


def test_a_bill_registered_twice_does_not_replace_the_first(town: Community) -> None:
    """The provider would show the household another bill than it showed the auditor."""
    weak = weak_town()
    for board in (weak, town):
        board.accepts("provider", board.bills(board.bill(0)))
    other = {"digest": sha256(b"another")}
    weak.accepts("provider", weak.bills(weak.bill(0, 1, **other)))
    assert digest_of(weak, 0) == other["digest"]

    message = town.bills(town.bill(0, 1, **other))
    town.refuses_by("provider", message, errors.BillExists, bid=BID, version=1)
    assert digest_of(town, 0) == town.bill(0).digest


def test_a_bill_is_not_registered_under_an_identity_that_has_one(town: Community) -> None:
    """Household 1's bill under household 0's identity; what is sealed to another nobody opens, the place is taken."""
    weak = weak_town()
    for board in (weak, town):
        board.accepts("provider", board.bills(board.bill(0), board.bill(1)))
    weak.accepts("provider", weak.bills(weak.bill(1, bid=BID)))
    assert digest_of(weak, 0) == weak.bill(1).digest

    town.refuses_by("provider", town.bills(town.bill(1, bid=BID)), errors.BillExists, bid=BID, version=1)
    assert [digest_of(town, n) for n in (0, 1)] == [town.bill(n).digest for n in (0, 1)]


def test_an_outsider_registers_no_bill(town: Community) -> None:
    weak = weak_town()
    weak.accepts("household", weak.bills(weak.bill(0)))
    assert digest_of(weak, 0) == weak.bill(0).digest

    town.refuses("household", town.bills(town.bill(0)), code=1007)
    assert town.ask(queries.bills, REGION, MONTH) == ()


def test_nobody_is_billed_for_a_month_that_still_runs(open_town: Community) -> None:
    weak = weak_town()
    weak.accepts("provider", weak.bills(weak.bill(0)))
    assert digest_of(weak, 0) == weak.bill(0).digest
    open_town.refuses("provider", open_town.bills(open_town.bill(0)), code=errors.MonthNotClosed.code)


def test_nobody_is_billed_twice_under_two_identities_unseen(town: Community) -> None:
    """Four meters, and a fifth bill that no meter stands behind."""
    weak = weak_town()
    weak.accepts("provider", weak.bills(*(weak.bill(n) for n in range(5))))
    assert len(weak.ask(queries.bills, REGION, MONTH)) == 5
    town.refuses_by("provider", town.bills(*(town.bill(n) for n in range(5))), errors.TooManyBills, bills=5, meters=4)


def unsigned(message: ObjectToBill, **changes: object) -> Unsigned:
    """The same, for the board that asks for no signature."""
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    return Unsigned(**(fields | changes))


def words(town: Community) -> int:
    return len(town.ask(queries.objections, REGION, MONTH, BID))


def test_an_objection_is_neither_replayed_nor_renumbered_nor_forged(town: Community) -> None:
    """Sixteen replays would take the household's word from it."""
    weak = weak_town()
    for board in (weak, town):
        board.accepts("provider", board.bills(board.bill(0)))
    weak.accepts("household", unsigned(weak.objection(0)))
    weak.accepts("first", unsigned(weak.objection(0)))
    weak.accepts("first", unsigned(weak.objection(0), number=3))
    weak.accepts("first", unsigned(weak.objection(0), signature=bytes(64), digest=bytes(32)))
    assert words(weak) == 4

    message = town.objection(0)
    town.accepts("household", message)
    town.refuses_by("first", message, errors.ObjectionMisnumbered, number=1, expected=2)
    town.refuses("first", replace(message, number=2), code=CheckFailed.code)
    town.refuses("first", replace(message, number=2, signature=bytes(64)), code=CheckFailed.code)
    forged = town.objection(0, 2, by=Signer(sha256(b"forger")))
    town.refuses("first", forged, code=CheckFailed.code)
    assert words(town) == 1
    town.accepts("household", town.objection(0, 2))
    assert words(town) == 2
