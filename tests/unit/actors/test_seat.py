"""A seat at the ledger: what is said stands in blocks later, and refusals come back when it is settled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.actors.seat import Seat
from gridproof.modules.aggregation.messages import CloseSlot
from gridproof.modules.registry.errors import NoMonth, NotPermitted, PrivacyTooWeak
from gridproof.modules.registry.messages import AdvanceClock, SetPrivacy
from gridproof.state import system

from tests.simulation.village import CHAIN, REGION, START_S, Village, slot


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        yield village


@pytest.fixture
def seat(village: Village) -> Seat:
    return village.seat("operator")


def test_what_is_said_stands_in_a_block_once_the_seat_is_settled(seat: Seat) -> None:
    assert (seat.chain_id, seat.participant) == (CHAIN, 1)
    height = seat.height
    seat.send(AdvanceClock(START_S))
    seat.send(AdvanceClock(START_S + 1))
    assert (seat.height, seat.ask(system.operator_clock_s)) == (height, START_S - 2 * 86_400)
    assert seat.settle() == []
    assert (seat.height, seat.ask(system.operator_clock_s)) == (height + 1, START_S + 1)
    assert seat.settle() == []


def test_refusals_come_back_with_what_was_said(seat: Seat, village: Village) -> None:
    weak = SetPrivacy(REGION, 1, 1)  # fails its own check: refused before it is handed in
    unknown = CloseSlot(*slot(0))  # refused in its block
    seat.send(weak)
    seat.send(unknown)
    seat.send(AdvanceClock(START_S))
    refused = seat.settle()
    assert [(type(each.refusal), each.messages) for each in refused] == [
        (PrivacyTooWeak, (weak,)),
        (NoMonth, (unknown,)),
    ]
    assert seat.ask(system.operator_clock_s) == START_S
    stranger = village.seat("bill provider")
    stranger.send(AdvanceClock(START_S + 9))
    assert [type(each.refusal) for each in stranger.settle()] == [NotPermitted]
