"""Ending politely: a signal asks a process to stop where it may."""

import _thread
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """Let Ctrl-C and a polite kill set an event; a second one ends the process at once. For the main thread."""
    stop = Event()

    def ask_to_stop(number: int, _frame: object) -> None:
        # Not here: whoever waits in this thread may hold the event's lock just now, and the process would never end.
        _thread.start_new_thread(stop.set, ())
        signal.signal(number, signal.default_int_handler)

    kept = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
