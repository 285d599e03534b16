"""A signal asks a process to stop, whatever it is doing just then; a second one ends it."""

import os
import signal
from time import sleep

import pytest

from gridproof.actors.stopping import stopped_by_signals

PATIENCE_S = 60.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def tell(number: signal.Signals) -> None:
    """Send this process a signal, and let it be handled."""
    os.kill(os.getpid(), number)
    sleep(0.001)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_sets_the_event_even_while_who_waits_for_it_holds_its_lock(number: signal.Signals) -> None:
    with stopped_by_signals() as stop:
        assert not stop.is_set()
        with stop._cond:  # type: ignore[attr-defined]  # as within every wait, for a moment
            tell(number)
        assert stop.wait(PATIENCE_S)


def test_a_second_signal_ends_it_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), stopped_by_signals() as stop:  # noqa: PT012 - the second one shall end it
        tell(signal.SIGTERM)
        assert stop.wait(PATIENCE_S)
        tell(signal.SIGTERM)


def test_what_signals_did_before_they_do_again() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with stopped_by_signals():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
