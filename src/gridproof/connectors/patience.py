"""Telling that something takes long: once, after some seconds, what is waited for and for how long at most.

Who waits opens a frame with `over`. Of frames within each other in one thread the outermost counts, for it knows best;
while what was told still holds, nothing more is told. A thread of its own looks, for who waits may be stuck in one
request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event, Lock, Thread, get_ident
from time import monotonic
from typing import Final, NamedTuple

AFTER_S: Final = 5.0
LOOK_S: Final = 0.2
_hears: ContextVar[Callable[[str], None] | None] = ContextVar("hears", default=None)


class _Frame(NamedTuple):
    what: str
    since: float
    until: float


@contextmanager
def telling(hears: Callable[[str], None]) -> Iterator[None]:
    """Have somebody hear of the long waits of all clients that are made within; without it nobody does.

    Args:
        hears: told a sentence, by another thread.
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
        self._frames: dict[int, _Frame] = {}
        self._told_until = float("-inf")
        self._over = Event()
        self._looks: Thread | None = None

    @contextmanager
    def over(self, what: str, most_s: float) -> Iterator[None]:
        """A wait of this thread.

        Args:
            what: is waited for, in words.
            most_s: the longest that it is.
        """
        thread = get_ident()
        if self._hears is None or thread in self._frames:
            yield
            return
        now = self._clock()
        with self._guard:
            self._frames[thread] = _Frame(what, now, now + most_s)
            if self._looks is None:
                self._looks = Thread(target=self._look_on, name="patience", daemon=True)
                self._looks.start()
        try:
            yield
        finally:
            with self._guard:
                del self._frames[thread]

    def look(self) -> None:
        """Tell of a wait that takes long by now, if there is one."""
        with self._guard:
            now = self._clock()
            long = [each for each in self._frames.values() if each.since + AFTER_S <= now < each.until]
            if self._hears is None or not long or now < self._told_until:
                return
            frame = max(long, key=lambda each: each.until)
            self._told_until = frame.until
        self._hears(f"waiting for {frame.what}, about {max(1, round(frame.until - now))} s more at most")

    def close(self) -> None:
        """Look no longer."""
        self._over.set()
        if self._looks is not None:
            self._looks.join()

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look()
