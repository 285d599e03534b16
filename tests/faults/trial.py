"""What a row of the faults is: something done so many times, and what came of it."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final, NamedTuple

from .lab import Lab
from .load import Counted, Loader, count

SENDERS: Final = 2
WARM: Final = 8  # acknowledgements before anything is broken


class Trial:
    """One run of a row.

    Args:
        folder: for what it writes.
        times: how often each thing is done.
        seed: of all chance.
        tell: told how far it is.
        quick: whether networks may hurry where they wait for who is away.

    Attributes:
        counts: how often what happened.
        seconds: what was measured, by what it is.
        counted: what the counts of the chains came to.
    """

    def __init__(
        self,
        folder: Path,
        times: int,
        seed: int = 1,
        tell: Callable[[str], None] = lambda _words: None,
        *,
        quick: bool = False,
    ) -> None:
        self.quick = quick
        self.folder = folder
        self.times = times
        self.chance = random.Random(seed)
        self.tell = tell
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {}
        self.counted: list[Counted] = []

    @contextmanager
    def loaded(self, lab: Lab, senders: int = SENDERS) -> Iterator[Loader]:
        """Load a network while the block runs; then count."""
        log = self.folder / f"acknowledged-{len(self.counted)}"
        loader = Loader(lab.urls, lab.born.chain_id, lab.born.operators[:senders], log)
        lab.until(lambda: loader.count >= WARM or bool(loader.failures), "the load is under way")
        yield loader
        loader.stop()
        counted = count(lab, loader.acknowledged(), lab.running)
        self.counted.append(counted)
        self.counts["acknowledged"] += counted.acknowledged

    @contextmanager
    def measured(self, what: str) -> Iterator[None]:
        """Note how long the block takes."""
        began = monotonic()
        yield
        self.seconds.setdefault(what, []).append(monotonic() - began)

    def nap(self, longest_s: float) -> None:
        """Let things take their course for a moment."""
        sleep(self.chance.uniform(0.1, longest_s))


class Row(NamedTuple):
    """A row of the table of faults.

    Attributes:
        name: by which it is called.
        fault: what is done.
        outcome: what must come of it.
        full: how often `make faults` does it.
        fast: how often the tests do it.
        run: does it; raises AssertionError where something else comes of it.
    """

    name: str
    fault: str
    outcome: str
    full: int
    fast: int
    run: Callable[[Trial], None]
