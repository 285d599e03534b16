"""Each invariant finds what it is there to find: states that no message leads to, written past the rules."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.modules.billing.module import billing
from gridproof.modules.billing.types import (
    BILLS,
    LAST_OBJECTION,
    LAST_VERSION,
    OBJECTIONS,
    TALLIES,
    Bill,
    Tally,
)
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.types import METERS, MONTHS
from gridproof.state import BlockInfo, Context, Overlay, Violation

from tests.unit.modules.aggregation.community import CHAIN_ID, MONTH, REGION, TARIFF, Community, bid_of

Spoil = Callable[[Context], None]
PLACE = (REGION, MONTH)
BID, STRANGER = bid_of(0).public_key, bid_of(9).public_key


@pytest.fixture(scope="module")
def town() -> Community:
    """Two bills, one corrected, two objections to it, one answered; nothing of it is changed by these tests."""
    town = Community().begin(tariff=TARIFF).end_month()
    town.accepts("provider", town.bills(town.bill(0), town.bill(1)))
    town.accepts("household", town.objection(0))
    town.accepts("provider", town.answer(0))
    town.accepts("provider", town.bills(town.bill(0, 2)))
    town.accepts("household", town.objection(0, 2, 2))
    return town


def violations(town: Community, spoil: Spoil) -> list[str]:
    """What the invariants say of the state once it is spoilt."""
    found = []
    with town.node.application.reading() as view:
        ctx = Context(BlockInfo(CHAIN_ID, 1, town.now_s), Overlay(view))
        spoil(ctx)
        for invariant in billing(Registry()).invariants:
            try:
                invariant(ctx)
            except Violation as wrong:
                found.append(wrong.detail)
    return found


def bill_gone(version: int) -> Spoil:
    return lambda ctx: BILLS.delete(ctx, *PLACE, BID, version)


def bill_more(bid: bytes, version: int) -> Spoil:
    return lambda ctx: BILLS.put(ctx, *PLACE, bid, version, value=Bill("x", bytes(32), 0))


def last_version(version: int) -> Spoil:
    return lambda ctx: LAST_VERSION.put(ctx, *PLACE, BID, value=version)


def last_objection(number: int) -> Spoil:
    return lambda ctx: LAST_OBJECTION.put(ctx, *PLACE, BID, value=number)


def objection_gone(ctx: Context) -> None:
    OBJECTIONS.delete(ctx, *PLACE, BID, 1)


def objection_to_nothing(ctx: Context) -> None:
    OBJECTIONS.put(ctx, *PLACE, BID, 2, value=replace(OBJECTIONS.get(ctx, *PLACE, BID, 2), version=3))


def answer_withdrawn(ctx: Context) -> None:
    OBJECTIONS.put(ctx, *PLACE, BID, 1, value=replace(OBJECTIONS.get(ctx, *PLACE, BID, 1), answer=None))


def tally(**changes: Any) -> Spoil:
    return lambda ctx: TALLIES.put(ctx, *PLACE, value=replace(TALLIES.get(ctx, *PLACE), **changes))


def tally_gone(ctx: Context) -> None:
    TALLIES.delete(ctx, *PLACE)


def month_reopened(ctx: Context) -> None:
    MONTHS.put(ctx, *PLACE, value=replace(MONTHS.get(ctx, *PLACE), closed=False))


def meters_gone(ctx: Context) -> None:
    for number in (1, 2, 3):
        METERS.delete(ctx, number.to_bytes(16, "big"))


def test_a_sound_state_violates_nothing(town: Community) -> None:
    assert violations(town, lambda _ctx: None) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (bill_gone(1), "the versions are not those from 1 to the last"),
        (bill_gone(2), "the versions are not those from 1 to the last"),
        (bill_more(BID, 4), "the versions are not those from 1 to the last"),
        (bill_more(STRANGER, 1), "the versions are not those from 1 to the last"),
        (last_version(1), "the versions are not those from 1 to the last"),
        (last_version(3), "the versions are not those from 1 to the last"),
        (objection_gone, "the numbers are not those from 1 to the last"),
        (last_objection(1), "the numbers are not those from 1 to the last"),
        (last_objection(3), "the numbers are not those from 1 to the last"),
        (objection_to_nothing, "its bill is not registered"),
        (bill_gone(2), "its bill is not registered"),
        (answer_withdrawn, "the tally is not that of its bills"),
        (tally(bills=1), "the tally is not that of its bills"),
        (tally(corrections=0), "the tally is not that of its bills"),
        (tally(objections=1), "the tally is not that of its bills"),
        (tally(answered=2), "the tally is not that of its bills"),
        (bill_more(STRANGER, 1), "the tally is not that of its bills"),
        (tally_gone, "it has bills and no tally"),
        (month_reopened, "it has bills and is open"),
        (meters_gone, "it has more bills than meters"),
    ],
)
def test_a_spoilt_state_is_found(town: Community, spoil: Spoil, says: str) -> None:
    assert any(says in each for each in violations(town, spoil))


def test_the_tally_is_what_was_counted(town: Community) -> None:
    with town.node.application.reading() as view:
        assert TALLIES.get(view, *PLACE) == Tally(2, 1, 2, 1)
