"""Refusals travel: the same class with the same particulars comes out at the other end."""

from typing import ClassVar

import pytest

from gridproof.domain import Direction, ParticipantId, RegionId, Slot
from gridproof.errors import GridproofError, Refusal
from gridproof.primitives.encoding import encode
from gridproof.state.blocks import TransactionResult
from gridproof.state.errors import MalformedTransaction, NonceUsed, UnknownQueryError, Violation
from gridproof.state.refusals import (
    MAX_PACKED_BYTES,
    ForeignError,
    RefusedError,
    pack_error,
    refusal_in,
    result_of,
    unpack_error,
)


class TravelError(Refusal):
    """Root."""


class TooRich(TravelError):
    """It has fields of many kinds."""

    code: ClassVar[int] = 94001
    slot: Slot
    who: ParticipantId
    names: tuple[str, ...]
    raw: bytes
    nothing: int | None


class Unsendable(TravelError):
    """Its field has no encoding."""

    code: ClassVar[int] = 94002
    thing: object


RICH = TooRich(
    slot=Slot(RegionId(1), Direction.EXPORT, 5), who=ParticipantId(3), names=("a", "b"), raw=b"\x00\xff", nothing=None
)


@pytest.mark.parametrize("error", [RICH, NonceUsed(nonce=1, expected=2), UnknownQueryError(path="x"), Violation("off")])
def test_an_error_comes_out_as_it_went_in(error: GridproofError) -> None:
    again = unpack_error(getattr(error, "code", 0), str(error), pack_error(error))
    assert type(again) is type(error)
    assert again.particulars == error.particulars
    assert str(again) == str(error)


def test_a_slot_among_the_particulars_is_a_slot_again() -> None:
    again = unpack_error(94001, str(RICH), pack_error(RICH))
    assert isinstance(again, TooRich)
    assert isinstance(again.slot, Slot)
    assert again.slot.channel is Direction.EXPORT


def test_a_result_tells_its_refusal_and_a_success_none() -> None:
    result = result_of(NonceUsed(nonce=1, expected=2))
    assert (result.code, result.text) == (5, str(NonceUsed(nonce=1, expected=2)))
    refusal = refusal_in(result)
    assert isinstance(refusal, NonceUsed)
    assert (refusal.nonce, refusal.expected) == (1, 2)
    assert refusal_in(TransactionResult(0, "")) is None


def test_a_refusal_that_this_program_does_not_know_keeps_number_and_sentence() -> None:
    refusal = unpack_error(93001, "The moon is full.", encode(["MoonFull", {"phase": 4}]))
    assert isinstance(refusal, RefusedError)
    assert (refusal.code, refusal.name, str(refusal)) == (93001, "MoonFull", "The moon is full.")
    foreign = unpack_error(0, "The node is ill.", encode(["Illness", {}]))
    assert isinstance(foreign, ForeignError)
    assert (foreign.name, str(foreign)) == ("Illness", "The node is ill.")


@pytest.mark.parametrize(
    "packed",
    [b"", b"\xc1", encode(["NonceUsed", {"nonce": 1}]), encode(["NonceUsed", {"nonce": "x", "expected": 2}])],
    ids=["empty", "noise", "a field missing", "a field of another type"],
)
def test_particulars_that_do_not_fit_leave_number_and_sentence(packed: bytes) -> None:
    refusal = unpack_error(5, "Used.", packed)
    assert isinstance(refusal, RefusedError)
    assert (refusal.code, str(refusal)) == (5, "Used.")


def test_a_class_of_another_number_is_not_taken_for_it() -> None:
    assert isinstance(unpack_error(6, "?", pack_error(NonceUsed(nonce=1, expected=2))), RefusedError)


def test_particulars_without_an_encoding_or_without_end_are_left_out() -> None:
    for error in (Unsendable(thing=object()), MalformedTransaction(detail="x" * 5_000)):
        packed = pack_error(error)
        assert len(packed) <= MAX_PACKED_BYTES
        refusal = unpack_error(error.code, "text", packed)
        assert isinstance(refusal, RefusedError)
        assert refusal.name == type(error).__name__
