"""Each invariant finds the state that it forbids: written behind the keeper's back, which no message could do."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from gridproof.modules.registry import invariants
from gridproof.modules.registry.keeper import Keeper
from gridproof.modules.registry.module import registry
from gridproof.modules.registry.types import (
    ENROLMENTS,
    KEY_USES,
    KEYS,
    LAST_MONTH,
    LAST_PARTICIPANT,
    METERS,
    MONTHS,
    NAMES,
    PARTICIPANTS,
    REGIONS,
    Enrolment,
    KeyRole,
    KeyUse,
    Meter,
)
from gridproof.state import Context, Violation

from .community import FIRST_K, NOVEMBER, OCTOBER, context, enrol, handle, november, october, signer
from tests.ledger import Ledger

Tamper = Callable[[Context], None]


def beyond_the_last(ctx: Context) -> None:
    LAST_PARTICIPANT.put(ctx, value=4)


def renamed(ctx: Context) -> None:
    PARTICIPANTS.put(ctx, 2, value=replace(PARTICIPANTS.get(ctx, 2), name="another"))


def named_without_being(ctx: Context) -> None:
    NAMES.put(ctx, bytes(32), value=2)


def recovered_in_the_future(ctx: Context) -> None:
    PARTICIPANTS.put(ctx, 2, value=replace(PARTICIPANTS.get(ctx, 2), recovered_at=1))


def key_off_the_curve(ctx: Context) -> None:
    bad = (5).to_bytes(32, "big")
    KEYS.put(ctx, 2, KeyRole.RECEIPT, value=bad)
    KEY_USES.put(ctx, bad, value=KeyUse(2, KeyRole.RECEIPT, 0))


def key_not_in_the_index(ctx: Context) -> None:
    KEYS.put(ctx, 2, KeyRole.RECEIPT, value=signer("nobody").public_key)


def key_held_twice(ctx: Context) -> None:
    KEYS.put(ctx, 2, KeyRole.RECEIPT, value=signer("bill-provider").public_key)


def key_of_nobody(ctx: Context) -> None:
    KEYS.put(ctx, 77, KeyRole.RECEIPT, value=signer("nobody").public_key)
    KEY_USES.put(ctx, signer("nobody").public_key, value=KeyUse(77, KeyRole.RECEIPT, 0))


def no_transaction_key(ctx: Context) -> None:
    KEYS.delete(ctx, 3, KeyRole.TRANSACTION)


def no_operator(ctx: Context) -> None:
    PARTICIPANTS.put(ctx, 1, value=replace(PARTICIPANTS.get(ctx, 1), roles=16))


def months_overlap(ctx: Context) -> None:
    month = MONTHS.get(ctx, 1, NOVEMBER)
    MONTHS.put(ctx, 1, NOVEMBER, value=replace(month, start_s=month.start_s - 900))


def month_misaligned(ctx: Context) -> None:
    month = MONTHS.get(ctx, 1, NOVEMBER)
    MONTHS.put(ctx, 1, NOVEMBER, value=replace(month, end_s=month.end_s + 1))


def chain_broken(ctx: Context) -> None:
    MONTHS.put(ctx, 1, NOVEMBER, value=replace(MONTHS.get(ctx, 1, NOVEMBER), previous=0))


def last_month_wrong(ctx: Context) -> None:
    LAST_MONTH.put(ctx, 1, value=OCTOBER)


def region_below_the_floor(ctx: Context) -> None:
    REGIONS.put(ctx, 1, value=replace(REGIONS.get(ctx, 1), k_min=2))


def month_below_the_floor(ctx: Context) -> None:
    MONTHS.put(ctx, 1, OCTOBER, value=replace(MONTHS.get(ctx, 1, OCTOBER), min_live_permille=499))


def miscounted(ctx: Context) -> None:
    ENROLMENTS.put(ctx, 1, 1, value=Enrolment(((FIRST_K, 2),)))


def uncounted(ctx: Context) -> None:
    METERS.put(ctx, handle(9), value=Meter(1, (2,), FIRST_K, 0))


def negative(ctx: Context) -> None:
    METERS.put(ctx, handle(1), value=Meter(1, (1,), FIRST_K + 2, FIRST_K + 1))
    ENROLMENTS.put(ctx, 1, 1, value=Enrolment(((FIRST_K + 1, -1), (FIRST_K + 2, 0))))


def forgotten_too_soon(ctx: Context) -> None:
    ENROLMENTS.put(ctx, 1, 1, value=Enrolment(((FIRST_K + 1, 1),), FIRST_K + 1))


BROKEN: list[tuple[Tamper, Callable[[Context], None], str]] = [
    (beyond_the_last, invariants.ids_and_names_stand_for_one, "participant 5 is beyond the last, 4"),
    (renamed, invariants.ids_and_names_stand_for_one, "index of names"),
    (named_without_being, invariants.ids_and_names_stand_for_one, "index of names"),
    (recovered_in_the_future, invariants.ids_and_names_stand_for_one, "participant 2 recovered after"),
    (key_off_the_curve, invariants.keys_are_valid_and_used_once, "a key of participant 2"),
    (key_not_in_the_index, invariants.keys_are_valid_and_used_once, "not in the index"),
    (key_held_twice, invariants.keys_are_valid_and_used_once, "share a key"),
    (key_of_nobody, invariants.keys_are_valid_and_used_once, "participant 77"),
    (no_transaction_key, invariants.keys_are_valid_and_used_once, "participant 3 has no transaction key"),
    (no_operator, invariants.an_operator_remains, "no operator"),
    (months_overlap, invariants.months_are_ordered_and_disjoint, "does not follow"),
    (month_misaligned, invariants.months_are_ordered_and_disjoint, f"month {NOVEMBER} of region 1"),
    (chain_broken, invariants.months_are_ordered_and_disjoint, "does not follow"),
    (last_month_wrong, invariants.months_are_ordered_and_disjoint, "the last month of region 1"),
    (region_below_the_floor, invariants.privacy_keeps_its_floors, "region 1"),
    (month_below_the_floor, invariants.privacy_keeps_its_floors, f"month {OCTOBER} of region 1"),
    (miscounted, invariants.enrolments_count_the_meters, "counts"),
    (uncounted, invariants.enrolments_count_the_meters, "region 1, channel 2"),
    (negative, invariants.enrolments_count_the_meters, "negative"),
    (forgotten_too_soon, invariants.enrolments_count_the_meters, "forgot the counts of an open month"),
]


@pytest.mark.parametrize(("tamper", "broken", "detail"), BROKEN, ids=lambda each: getattr(each, "__name__", None))
def test_an_invariant_finds_what_it_forbids(
    ledger: Ledger, tamper: Tamper, broken: Callable[[Context], None], detail: str
) -> None:
    ledger.send("operator", october(), november())
    ledger.accepts("bill-provider", enrol(1))
    with context(ledger) as ctx:
        for invariant in registry(Keeper()).invariants:
            invariant(ctx)
        tamper(ctx)
        with pytest.raises(Violation) as violation:
            broken(ctx)
    assert detail in violation.value.detail
