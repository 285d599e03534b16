"""How far heights are believed: two nodes make one sure, and one node's word does not bind the others for good."""

import pytest

from gridproof.connectors.ledger.heights import Heights

from tests.unit.drivers.cometbft.nodes import Clock

PATIENCE_S = 10.0
ABSURD = 10**17


@pytest.fixture
def clock() -> Clock:
    return Clock()


def of(count: int, clock: Clock, *told: int) -> Heights:
    heights = Heights(count, PATIENCE_S, clock)
    for node, height in enumerate(told):
        heights.note(node, height)
    return heights


def test_h1_the_only_node_is_believed(clock: Clock) -> None:
    heights = of(1, clock, ABSURD)
    assert (heights.floor, heights.sure, heights.is_sure) == (ABSURD, ABSURD, True)


def test_h1_sure_is_what_two_told_and_never_falls(clock: Clock) -> None:
    heights = of(3, clock, 7)
    assert (heights.floor, heights.sure) == (7, 0)
    heights.note(2, 5)
    assert (heights.floor, heights.sure) == (7, 5)
    heights.note(1, 9)
    assert (heights.floor, heights.sure) == (9, 7)
    heights.note(1, 3)
    assert (heights.floor, heights.sure, heights.told_by(1)) == (9, 7, 9)


def test_h2_what_one_told_binds_the_others(clock: Clock) -> None:
    heights = of(3, clock, 7, 5, 5)
    assert (heights.floor, heights.teller) == (7, 0)
    clock.now_s += 100 * PATIENCE_S
    assert heights.floor == 7


def test_h3_only_what_has_kept_others_behind_for_a_while_is_doubtful(clock: Clock) -> None:
    heights = of(3, clock, ABSURD, 5, 5)
    clock.now_s += 100 * PATIENCE_S
    assert not heights.is_doubtful(1), "nobody was behind yet"
    clock.now_s += PATIENCE_S - 1
    assert not heights.is_doubtful(2)
    clock.now_s += 1
    assert not heights.is_doubtful(0), "who told it is no witness against it"
    assert heights.is_doubtful(1)


def test_h3_more_of_the_same_gives_a_liar_no_more_time(clock: Clock) -> None:
    heights = of(3, clock, ABSURD, 5, 5)
    for more in range(1, 11):
        assert not heights.is_doubtful(1)
        clock.now_s += PATIENCE_S / 10
        heights.note(0, ABSURD + more)
        heights.note(2, 5 + more)
    assert heights.is_doubtful(1)


def test_h3_what_another_node_tells_too_is_doubtful_no_more(clock: Clock) -> None:
    heights = of(3, clock, 7, 5, 5)
    assert not heights.is_doubtful(1)
    clock.now_s += PATIENCE_S
    heights.note(2, 7)
    assert not heights.is_doubtful(1)
    heights.note(0, 8)
    assert not heights.is_doubtful(1), "the next one has its own time"


def test_h3_what_is_given_up_falls_to_what_is_sure_and_its_teller_binds_nobody_any_more(clock: Clock) -> None:
    heights = of(3, clock, ABSURD, 5, 6)
    heights.give_up(ABSURD - 1)
    assert heights.floor == ABSURD, "another height is meant"
    heights.give_up(ABSURD)
    assert (heights.floor, heights.sure, heights.is_sure) == (6, 6, True)
    heights.note(0, 2 * ABSURD)
    assert heights.floor == 6
    heights.note(1, 8)
    assert heights.floor == 8, "the others' word still counts"
    heights.give_up(8)
    assert heights.floor == 8, "what is sure is not given up"
