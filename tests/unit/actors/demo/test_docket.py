"""An attack counts as stood only if every try of it was, for the reason that is meant to stop it."""

import pytest

from gridproof.actors.demo.docket import CHARGES, Docket, Result
from gridproof.actors.errors import BadRecordError, RecordTooLateError, UnknownIdentityError
from gridproof.modules.aggregation.errors import BatchUnproven, SlotIsClosed
from gridproof.modules.aggregation.types import Status
from gridproof.state.errors import CheckFailed

FORGED = UnknownIdentityError(prid=bytes(32), filtered=True)


def test_what_was_not_tried_is_not_well() -> None:
    assert Docket().results() == dict.fromkeys(CHARGES, Result.NOT_TRIED)
    assert not Result.NOT_TRIED.is_well


def test_a_try_that_is_refused_for_its_reason_is_refused() -> None:
    docket = Docket()
    docket.refused("forged_identity", "aggregator", FORGED, UnknownIdentityError)
    assert docket.result("forged_identity") is Result.REFUSED
    (only,) = docket.of("forged_identity")
    assert (only.door, only.reason) == ("aggregator", "UnknownIdentityError")
    assert only.told == "the identity belongs to none of the slot's places"


def test_a_try_that_is_refused_for_another_reason_is_unclear() -> None:
    docket = Docket()
    docket.refused("late_record", "aggregator", BadRecordError(prid=bytes(32)), RecordTooLateError)
    assert docket.result("late_record") is Result.UNCLEAR
    assert not Result.UNCLEAR.is_well


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_one_try_that_goes_through_makes_the_attack_succeed(order: tuple[bool, ...]) -> None:
    docket = Docket()
    for is_refused in order:
        docket.refused("forged_identity", "aggregator", FORGED if is_refused else None, UnknownIdentityError)
    assert docket.result("forged_identity") is Result.SUCCEEDED
    assert docket.result("altered_record") is Result.NOT_TRIED


def test_a_success_weighs_more_than_what_is_unclear() -> None:
    docket = Docket()
    docket.refused("late_record", "aggregator", FORGED, RecordTooLateError)
    docket.refused("late_record", "aggregator", None, RecordTooLateError)
    assert docket.result("late_record") is Result.SUCCEEDED


def test_the_ledgers_refusals_are_told_with_their_number_and_a_failed_check_with_what_failed() -> None:
    docket = Docket()
    docket.refused("late_batch", "ledger", SlotIsClosed(status=Status.CLOSED), SlotIsClosed)
    docket.refused("altered_record", "ledger", CheckFailed(detail="a signature does not hold"), CheckFailed)
    docket.refused("replayed_record", "ledger", BatchUnproven(detail="x"), BatchUnproven, more="a whole batch")
    assert [each.told for each in docket.tries] == [
        "the slot takes no more batches (2014)",
        f"a signature does not hold ({CheckFailed.code})",
        "a whole batch: not all records stand in the roster that the batch names (2012)",
    ]


def test_a_fault_that_is_not_found_succeeded() -> None:
    docket = Docket()
    docket.found("silent_meter", "bill provider", "names m1", is_found=True)
    docket.found("absurd_value", "bill provider", "does not name m2", is_found=False)
    assert docket.result("silent_meter") is Result.FOUND
    assert docket.result("absurd_value") is Result.SUCCEEDED
    assert Result.FOUND.is_well
