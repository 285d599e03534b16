"""Measuring: works that take turns, their spread, and what a process and its children used.

Rules:
- works that are compared take turns within one round, and a ratio is formed round by round;
- what runs on one core is measured in that thread's processor time, which other programs do not lengthen; what runs on
  several is measured by the clock on the wall;
- a figure is a median, shown with the least and the greatest.
"""

import gc
import resource
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter_ns, process_time, process_time_ns, thread_time_ns
from typing import Final

import msgspec

KIBI: Final = 1024
Clock = Callable[[], int]
on_core: Final[Clock] = thread_time_ns
on_all_cores: Final[Clock] = process_time_ns  # processor time of all threads
on_wall: Final[Clock] = perf_counter_ns


class Spread(msgspec.Struct, frozen=True):
    """A figure measured several times.

    Attributes:
        median: what is judged.
        least: of all times.
        greatest: of all times.
    """

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of some values, at least one."""
        return cls(median(values), min(values), max(values))

    def times(self, factor: float) -> "Spread":
        """In another unit."""
        return Spread(self.median * factor, self.least * factor, self.greatest * factor)


class Rounds:
    """Times of works that took turns, in nanoseconds.

    Args:
        times: for each work its time in each round.
    """

    def __init__(self, times: dict[str, list[int]]) -> None:
        self.times = times

    def each(self, work: str, items: int = 1) -> Spread:
        """A work's time an item, microseconds."""
        return Spread.of([time / items / 1_000 for time in self.times[work]])

    def ratio(self, work: str, bare: str, less: Sequence[str] = ()) -> Spread:
        """How many times the bare work's time a work took, round by round.

        Args:
            work: the one above the line.
            bare: the one below it.
            less: works whose time is taken off the bare one's: what measuring it cost.
        """
        off = [sum(self.times[each][at] for each in less) for at in range(len(self.times[bare]))]
        lines = zip(self.times[work], self.times[bare], off, strict=True)
        return Spread.of([above / (below - cost) for above, below, cost in lines])


def take_turns(rounds: int, clock: Clock, **works: Callable[[], object]) -> Rounds:
    """Let works run in turn, after one turn that is not counted.

    Args:
        rounds: how many turns count.
        clock: what to measure them by.
        works: by name.
    """
    times: dict[str, list[int]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            gc.collect()
            start = clock()
            work()
            taken = clock() - start
            if turn:
                times[name].append(taken)
    return Rounds(times)


def timed(clock: Clock, work: Callable[[], object]) -> int:
    """One work's time, nanoseconds."""
    start = clock()
    work()
    return clock() - start


def processor_s() -> float:
    """Processor time of this process and of the children that it has waited for, seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def peak_bytes() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBI


def greatest_child_bytes() -> int:
    """The most memory that one of the children held that this process has waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KIBI
