"""The clock that actors live by: the machine's, or a simulated one that a demonstration or a test turns.

Actors ask the time and wait through `Clock` alone, so nothing in them can tell which of the two it is.
"""

import threading
import time
from typing import Final, Protocol

from gridproof.domain import U64_MAX, require_range

_LONGEST_WAIT_S: Final = 60  # then look again: the machine may have slept, or its clock been set


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now_s(self) -> int:
        """The time in UTC epoch seconds; it never goes back."""

    def sleep_until_s(self, instant_s: int) -> None:
        """Return once it is `instant_s` or later: at once if it is so already.

        Args:
            instant_s: UTC epoch seconds.
        """


class SystemClock:
    """The machine's clock.

    Args:
        stop: when set, waits end early, so that a process can shut down; whoever waits looks at it afterwards.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._latest_s = 0

    def now_s(self) -> int:
        """The time in UTC epoch seconds; if the machine's clock is set back, it stands until that has caught up."""
        self._latest_s = max(self._latest_s, int(time.time()))
        return self._latest_s

    def sleep_until_s(self, instant_s: int) -> None:
        """Return once it is `instant_s` or later, or when the process shall stop."""
        while not self._stop.is_set() and self.now_s() < instant_s:
            self._stop.wait(min(instant_s - time.time(), _LONGEST_WAIT_S))


class SimulatedClock:
    """A clock that stands until somebody waits: then it is at once the time waited for.

    Args:
        start_s: what it shows at first, UTC epoch seconds.

    Raises:
        OutOfRangeError: the start is no instant.
    """

    def __init__(self, start_s: int) -> None:
        require_range("start_s", start_s, 0, U64_MAX)
        self._now_s = start_s

    def now_s(self) -> int:
        """The simulated time in UTC epoch seconds."""
        return self._now_s

    def sleep_until_s(self, instant_s: int) -> None:
        """Turn the clock to `instant_s`, never back.

        Raises:
            OutOfRangeError: it is no instant.
        """
        require_range("instant_s", instant_s, 0, U64_MAX)
        self._now_s = max(self._now_s, instant_s)
