"""Long waits are told once, with what is waited for and for how long at most."""

from collections.abc import Iterator
from threading import Event, Thread

import pytest

from gridproof.connectors import patience as module
from gridproof.connectors.patience import AFTER_S, Patience, telling

from tests.unit.drivers.cometbft.nodes import Clock


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(heard: list[str], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patience]:
    """One that looks only when it is told to."""
    monkeypatch.setattr(module, "LOOK_S", 3_600.0)
    with telling(heard.append):
        made = Patience(clock)
    yield made
    made.close()


def test_a_long_wait_is_told_once_and_a_short_one_is_not(patience: Patience, heard: list[str], clock: Clock) -> None:
    with patience.over("a block", 60):
        patience.look()
        clock.now_s += AFTER_S - 0.1
        patience.look()
        assert heard == []
        clock.now_s += 0.1
        patience.look()
        clock.now_s += 10
        patience.look()
    assert heard == ["waiting for a block, about 55 s more at most"]


def test_the_outermost_wait_is_told(patience: Patience, heard: list[str], clock: Clock) -> None:
    with patience.over("a block", 60), patience.over("an answer", 10):
        clock.now_s += AFTER_S
        patience.look()
    assert heard == ["waiting for a block, about 55 s more at most"]


def test_nothing_more_is_told_by_any_thread_while_it_still_holds(
    patience: Patience, heard: list[str], clock: Clock
) -> None:
    def wait() -> None:
        with patience.over("a block", 60):
            clock.now_s += AFTER_S
            patience.look()

    for _ in range(3):
        thread = Thread(target=wait)
        thread.start()
        thread.join()
    assert len(heard) == 1
    clock.now_s += 60
    wait()
    assert len(heard) == 2, "that is another standstill"


def test_nothing_is_told_outside_of_waits_or_where_nobody_hears(
    patience: Patience, heard: list[str], clock: Clock
) -> None:
    with patience.over("a block", 60):
        pass
    deaf = Patience(clock)
    with deaf.over("a block", 60):
        clock.now_s += AFTER_S
        patience.look()
        deaf.look()
    assert heard == []


def test_who_is_stuck_in_a_request_is_told_of_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER_S", 0.0)
    told = Event()
    with telling(lambda _sentence: told.set()):
        made = Patience()
    with made.over("a block", 3_600):
        assert told.wait(60)
    made.close()
