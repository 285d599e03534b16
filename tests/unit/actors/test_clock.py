"""The two clocks: what actors may rely on with either."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.clock import Clock, SimulatedClock, SystemClock
from gridproof.domain import OutOfRangeError

NOON_S = 1_761_566_400


@pytest.fixture(params=[SystemClock, lambda: SimulatedClock(int(time.time()))], ids=["system", "simulated"])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_a_wait_ends_when_its_time_has_come(clock: Clock) -> None:
    end_s = clock.now_s() + 1
    clock.sleep_until_s(end_s)
    assert clock.now_s() >= end_s


def test_a_wait_for_the_past_ends_at_once_and_turns_nothing_back(clock: Clock) -> None:
    before_s = clock.now_s()
    clock.sleep_until_s(before_s - 3_600)
    assert clock.now_s() >= before_s


def test_the_simulated_clock_stands_until_somebody_waits() -> None:
    clock = SimulatedClock(NOON_S)
    assert {clock.now_s() for _ in range(3)} == {NOON_S}
    clock.sleep_until_s(NOON_S + 900)
    assert clock.now_s() == NOON_S + 900


@given(waits=st.lists(st.integers(0, 2**40)))
def test_the_simulated_clock_never_goes_back(waits: list[int]) -> None:
    clock, shown = SimulatedClock(NOON_S), [NOON_S]
    for instant_s in waits:
        clock.sleep_until_s(instant_s)
        shown.append(clock.now_s())
    assert shown == sorted(shown)
    assert shown[-1] == max([NOON_S, *waits])


@pytest.mark.parametrize("instant_s", [-1, 2**64])
def test_the_simulated_clock_takes_instants_only(instant_s: int) -> None:
    with pytest.raises(OutOfRangeError):
        SimulatedClock(instant_s)
    clock = SimulatedClock(NOON_S)
    with pytest.raises(OutOfRangeError):
        clock.sleep_until_s(instant_s)
    assert clock.now_s() == NOON_S


def test_the_system_clock_shows_the_machines_time() -> None:
    before_s = int(time.time())
    assert before_s <= SystemClock().now_s() <= time.time() + 1


def test_the_system_clock_stands_when_the_machines_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before_s = clock.now_s()
    monkeypatch.setattr(time, "time", lambda: before_s - 7_200.5)
    assert clock.now_s() == before_s
    monkeypatch.setattr(time, "time", lambda: before_s + 5.9)
    assert clock.now_s() == before_s + 5


def test_a_stop_ends_the_system_clocks_wait() -> None:
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    clock = SystemClock(stop)
    clock.sleep_until_s(clock.now_s() + 600)
    timer.join()
    assert stop.is_set()
