"""Rules B-6 to B-8: a household's word against its bill, and the bill provider's answer, on record."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.modules.billing import errors, queries
from gridproof.modules.billing.keeper import MAX_OBJECTIONS
from gridproof.modules.billing.messages import BillContested, ObjectionAnswered, objection_hash
from gridproof.modules.billing.types import Answer, Objection, Tally
from gridproof.modules.registry.errors import NotPermitted
from gridproof.primitives.cid import cid_v1
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state.errors import CheckFailed

from tests.unit.modules.aggregation.community import CHAIN_ID, MONTH, REGION, Community, bid_of

BID = bid_of(0).public_key
OFF_CURVE = (5).to_bytes(32, "big")


@pytest.fixture
def billed(town: Community) -> Community:
    """Two households have their bills."""
    town.accepts("provider", town.bills(town.bill(0), town.bill(1)))
    return town


def objections(town: Community, bid: bytes = BID) -> tuple[tuple[int, Objection], ...]:
    found: tuple[tuple[int, Objection], ...] = town.ask(queries.objections, REGION, MONTH, bid)
    return found


@pytest.mark.parametrize("name", ["household", "operator", "provider", "first"])
def test_b6_an_objection_is_on_record_whoever_brings_it(billed: Community, name: str) -> None:
    message = billed.objection(0)
    assert billed.accepts(name, message) == BillContested(REGION, MONTH, BID, 1, 1)
    raised = Objection(1, message.cid, message.digest, billed.now_s, None)
    assert objections(billed) == ((1, raised),)
    assert billed.ask(queries.month_objections, REGION, MONTH) == ((BID, 1, raised),)
    assert billed.ask(queries.last_objection, REGION, MONTH, BID) == 1
    assert billed.ask(queries.tally, REGION, MONTH) == Tally(2, 0, 1, 0)


def test_b6_an_objection_is_to_a_bill_that_is_registered(billed: Community) -> None:
    for message, bid, version in (
        (billed.objection(2), bid_of(2).public_key, 1),
        (billed.objection(0, 1, 2), BID, 2),
    ):
        particulars = {"region": REGION, "month": MONTH, "bid": bid, "version": version}
        billed.refuses_by("household", message, errors.BillUnknown, **particulars)
    for elsewhere in (billed.objection(0, month=MONTH + 1), billed.objection(0, region=2)):
        billed.refuses("household", elsewhere, code=errors.BillUnknown.code)


def test_b6_a_replaced_bill_may_be_objected_to_as_well(billed: Community) -> None:
    billed.accepts("provider", billed.bills(billed.bill(0, 2)))
    billed.accepts("household", billed.objection(0, 1, 1))
    billed.accepts("household", billed.objection(0, 2, 2))
    assert [raised.version for _, raised in objections(billed)] == [1, 2]


def test_b6_a_word_counts_once(billed: Community) -> None:
    """Replayed under its own number it is refused; the number is signed."""
    message = billed.objection(0)
    billed.accepts("household", message)
    billed.refuses_by("first", message, errors.ObjectionMisnumbered, number=1, expected=2)
    renumbered = replace(message, number=2)
    billed.refuses("first", renumbered, code=CheckFailed.code)
    assert len(objections(billed)) == 1


@pytest.mark.parametrize("number", [2, 16, 65_535])
def test_b6_numbers_follow_one_another(billed: Community, number: int) -> None:
    billed.refuses_by("household", billed.objection(0, number), errors.ObjectionMisnumbered, number=number, expected=1)


def test_b6_each_identity_has_numbers_of_its_own(billed: Community) -> None:
    billed.accepts("household", billed.objection(0))
    billed.accepts("household", billed.objection(1))
    assert [(bid, number) for bid, number, _ in billed.ask(queries.month_objections, REGION, MONTH)] == sorted(
        [(BID, 1), (bid_of(1).public_key, 1)]
    )


def test_b6_an_identity_raises_at_most_16(billed: Community) -> None:
    for number in range(1, MAX_OBJECTIONS + 1):
        billed.accepts("household", billed.objection(0, number))
    message = billed.objection(0, MAX_OBJECTIONS + 1)
    billed.refuses_by("household", message, errors.TooManyObjections, limit=MAX_OBJECTIONS)
    billed.accepts("household", billed.objection(1))
    billed.accepts("provider", billed.answer(0, MAX_OBJECTIONS))


@pytest.mark.parametrize(
    "signed",
    [
        {"by": Signer(sha256(b"anyone"))},
        {"by": bid_of(1)},
        {"signature": bytes(64)},
    ],
)
def test_b6_only_the_identity_objects(billed: Community, signed: dict[str, Any]) -> None:
    billed.refuses("provider", billed.objection(0, **signed), code=CheckFailed.code)


@pytest.mark.parametrize(
    "altered",
    [
        {"region": 2},
        {"month": MONTH + 1},
        {"version": 2},
        {"number": 2},
        {"cid": cid_v1(b"other reasons")},
        {"digest": bytes(32)},
        {"bid": bid_of(1).public_key},
    ],
)
def test_b6_every_field_is_signed(billed: Community, altered: dict[str, Any]) -> None:
    message = billed.objection(0)
    billed.refuses("household", replace(message, **altered), code=CheckFailed.code)
    billed.accepts("household", message)


def test_b6_the_chain_is_signed_too(billed: Community) -> None:
    message = billed.objection(0)
    elsewhere = bid_of(0).sign(objection_hash(CHAIN_ID + "x", message))
    billed.refuses("household", replace(message, signature=elsewhere), code=CheckFailed.code)


def test_b6_no_two_objections_sign_the_same_bytes(billed: Community) -> None:
    """Chain and place are of fixed width or led by their length: moving a byte over a border gives another hash."""
    message = billed.objection(0)
    assert objection_hash("ab", message) != objection_hash("a", replace(message, region=0x6201))
    assert objection_hash("a", message) != objection_hash("b", message)


def test_b4_an_objections_reasons_have_a_content_identifier(billed: Community) -> None:
    billed.refuses_by("household", billed.objection(0, cid="x"), errors.BadContent, cid="x")


def test_b6_an_identity_is_the_x_of_a_point(billed: Community) -> None:
    billed.refuses_by("household", billed.objection(0, bid=OFF_CURVE), errors.BadIdentity, bid=OFF_CURVE)


# --- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upheld", [True, False])
def test_b7_an_objection_is_answered_once(billed: Community, upheld: bool) -> None:
    billed.accepts("household", billed.objection(0))
    raised = objections(billed)[0][1]
    billed.advance(100)
    message = billed.answer(0, upheld=upheld)
    assert billed.accepts("provider", message) == ObjectionAnswered(REGION, MONTH, BID, 1, upheld)
    answer = Answer(upheld, message.cid, message.digest, raised.raised_s + 100)
    assert objections(billed) == ((1, replace(raised, answer=answer)),)
    assert billed.ask(queries.tally, REGION, MONTH) == Tally(2, 0, 1, 1)
    for again in (message, billed.answer(0, upheld=not upheld)):
        billed.refuses_by("provider", again, errors.AlreadyAnswered, number=1)
    assert objections(billed)[0][1].answer == answer


def test_b7_what_was_not_raised_is_not_answered(billed: Community) -> None:
    billed.refuses_by("provider", billed.answer(0), errors.ObjectionUnknown, bid=BID, number=1)
    billed.accepts("household", billed.objection(0))
    billed.refuses_by("provider", billed.answer(0, 2), errors.ObjectionUnknown, bid=BID, number=2)
    billed.refuses_by("provider", billed.answer(1), errors.ObjectionUnknown, bid=bid_of(1).public_key, number=1)


@pytest.mark.parametrize("name", ["household", "operator", "center", "first"])
def test_b1_only_a_bill_provider_answers(billed: Community, name: str) -> None:
    billed.accepts("household", billed.objection(0))
    particulars = {"participant": billed.people[name].id, "needed": "bill_provider"}
    billed.refuses_by(name, billed.answer(0), NotPermitted, **particulars)


def test_b4_an_answers_reasons_have_a_content_identifier(billed: Community) -> None:
    billed.accepts("household", billed.objection(0))
    billed.refuses_by("provider", billed.answer(0, cid="x"), errors.BadContent, cid="x")


def test_b7_answers_may_come_in_any_order(billed: Community) -> None:
    billed.accepts("household", billed.objection(0))
    billed.accepts("household", billed.objection(0, 2))
    billed.accepts("provider", billed.answer(0, 2))
    assert [raised.answer is not None for _, raised in objections(billed)] == [False, True]
    billed.accepts("provider", billed.answer(0, 1))
    assert all(raised.answer is not None for _, raised in objections(billed))


def test_an_upheld_objection_is_followed_by_a_correction(billed: Community) -> None:
    billed.accepts("household", billed.objection(0))
    billed.accepts("provider", billed.answer(0))
    billed.accepts("provider", billed.bills(billed.bill(0, 2)))
    billed.accepts("household", billed.objection(0, 2, 2))
    assert billed.ask(queries.tally, REGION, MONTH) == Tally(2, 1, 2, 1)
