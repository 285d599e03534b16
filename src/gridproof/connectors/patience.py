"""Telling that something takes long: once, after some seconds, what is waited for and for how long at most.

Who waits opens a frame with `over` and calls `look` now and then. Of frames within each other the outermost tells, for
it knows best; while what was told still holds, nobody tells anything more, in no thread.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock, local
from time import monotonic
from typing import Final, NamedTuple

AFTER_S: Final = 5.0
_hears: ContextVar[Callable[[str], None] | None] = ContextVar("hears", default=None)


class _Frame(NamedTuple):
    what: str
    since: float
    until: float


@contextmanager
def telling(hears: Callable[[str], None]) -> Iterator[None]:
    """Have somebody hear of the long waits of all clients that are made within; without it nobody does.

    Args:
        hears: told a sentence; perhaps by another thread.
    """
    before = _hears.set(hears)
    try:
        yield
    finally:
        _hears.reset(before)


class Patience:
    """What a client tells of its waits; may be used by many threads.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._hears = _hears.get()
        self._clock = clock
        self._guard = Lock()
        self._frame = local()
        self._told_until = float("-inf")

    @contextmanager
    def over(self, what: str, most_s: float) -> Iterator[None]:
        """A wait of this thread.

        Args:
            what: is waited for, in words.
            most_s: the longest that it is.
        """
        if getattr(self._frame, "open", None) is not None:
            yield
            return
        now = self._clock()
        self._frame.open = _Frame(what, now, now + most_s)
        try:
            yield
        finally:
            self._frame.open = None

    def look(self) -> None:
        """Tell of this thread's wait, where it takes long by now."""
        frame: _Frame | None = getattr(self._frame, "open", None)
        if frame is None or self._hears is None:
            return
        now = self._clock()
        if now < frame.since + AFTER_S or now >= frame.until:
            return
        with self._guard:
            if now < self._told_until:
                return
            self._told_until = frame.until
        self._hears(f"waiting for {frame.what}; about {max(1, round(frame.until - now))} s more, then no longer")
