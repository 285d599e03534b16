"""Running a community: all its actors over the readings that were imported, while the node serves its socket.

Rules:
    N-1 The run goes from ledger time to the end of the last reading's window, or as far as it was told.
    N-2 A run that is stopped or killed goes on where it was: what was done stands in files and on the ledger.
    N-3 Blocks are made for other processes' transactions too, also while nothing is to be done here.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from time import sleep
from typing import Final, NamedTuple

from gridproof.actors.clock import Clock, SimulatedClock, SystemClock
from gridproof.actors.conductor import Conductor, Observer
from gridproof.actors.operator import Operator
from gridproof.actors.seat import Refused
from gridproof.actors.timeline import LEAD_S
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import MonthBounds, MonthId, RegionId, Slot
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.embedded.server import Node
from gridproof.drivers.errors import LedgerStoppedError
from gridproof.drivers.verifying import available_cores
from gridproof.errors import GridproofError
from gridproof.modules.aggregation.types import SlotState, Status
from gridproof.modules.registry import queries as registry
from gridproof.state import system

from .access import Reached, at_work
from .community import Community
from .finishing import finish_forgotten
from .joining import join
from .people import OPERATOR
from .periods import MonthView, months_of

BLOCK_PAUSE_S: Final = 0.2
LOOK_S: Final = 0.5
MANY_METERS: Final = 20  # from so many on, processes of their own are worth their start
MAX_KEPT: Final = 20

Progress = Callable[[int, int], None]  # periods done, periods in all


class Stretch(NamedTuple):
    """What there is to work off.

    Attributes:
        first_s: start of the first period, UTC epoch seconds.
        end_s: end of the last one.
        months: those that are to be worked in, in order.
        until_s: how far to go on for the months' ends, or None.
        too_early: readings that lie before anything could be metered.
    """

    first_s: int
    end_s: int
    months: tuple[MonthId, ...]
    until_s: int | None
    too_early: int


class Outcome(NamedTuple):
    """What a run did.

    Attributes:
        first_s: start of the first period that was not settled before, or None where there was nothing to do.
        end_s: end of the last one.
        ended: slots that came to their end, by how: opened, sealed, void.
        total_wh: sum of the totals that were opened.
        problems: what went wrong without stopping the run; the first ones.
        problem_count: how many those were.
        too_early: readings that lie before anything could be metered.
        stopped: whether it was stopped before its end.
        was_past: whether ledger time was past the end that it was told before it began.
        joined: participants of the settings that it registered on the ledger.
    """

    first_s: int | None
    end_s: int | None
    ended: dict[str, int]
    total_wh: int
    problems: tuple[str, ...]
    problem_count: int
    too_early: int
    stopped: bool
    was_past: bool = False
    joined: tuple[str, ...] = ()


class Run:
    """A community at work.

    Args:
        community: whose folder.
        reached: its ledger; one that this process holds is served to others meanwhile.
        stop: set to end it.
        progress: told how many periods are done.
    """

    def __init__(
        self, community: Community, reached: Reached, stop: threading.Event, progress: Progress | None = None
    ) -> None:
        self._community = community
        self._ledger = reached.ledger
        self._client = reached.client
        self._stop = stop
        self._network = reached.network
        self._tally = _Tally(community.period_s, progress)
        self._joined: tuple[str, ...] = ()

    def work_off(self, until_s: int | None = None) -> Outcome:
        """Run over the readings that are there (N-1).

        Args:
            until_s: go no further than this, and as far for the ends of months, UTC epoch seconds.

        Raises:
            AtWorkError: another process acts for the participants.
            FileError, SecretFileError: a file is missing, exposed or sealed.
            NodeUnclearError: a month cannot be opened or its rosters not be published.
            LedgerStoppedError: the ledger stopped.
        """
        began_s = self._client.status().ledger_time_s
        with serving(self._ledger, self._community), self._interruptible():
            stretch = self._pass(until_s, self._stop.is_set)
        return self._outcome(stretch, began_s, until_s, stopped=self._stop.is_set())

    def serve(self, until_s: int | None = None) -> Outcome:
        """Work off what is there and what is imported later, until stopped.

        Raises:
            AtWorkError, FileError, SecretFileError, NodeUnclearError, LedgerStoppedError: as for `work_off`.
        """
        stretch: Stretch | None = None
        began_s = self._client.status().ledger_time_s
        with serving(self._ledger, self._community), self._interruptible(), closing(self._community.readings()):
            while not self._stop.is_set():
                seen = self._mark()
                stretch = self._pass(until_s, partial(self._is_news, seen)) or stretch
                while not self._stop.wait(LOOK_S) and self._mark() == seen:
                    if self._ledger is not None:
                        self._ledger.require_running()
        return self._outcome(stretch, began_s, until_s, stopped=False)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let the end of the work be the end of waiting for a network, too, that may have stopped for hours."""
        if self._network is None:
            yield
            return
        self._network.gives_up = self._stop.is_set
        try:
            yield
        finally:
            self._network.gives_up = lambda: False

    def _outcome(self, stretch: Stretch | None, began_s: int, until_s: int | None, *, stopped: bool) -> Outcome:
        """What came of it; where all windows were past before it began and no slot ended, there was nothing to do."""
        outcome = self._tally.outcome(stretch, stopped=stopped)
        was_past = until_s is not None and until_s <= began_s
        if stretch is not None and stretch.end_s + self._window_s() <= began_s and not any(outcome.ended.values()):
            outcome = outcome._replace(first_s=None, end_s=None)
        return outcome._replace(was_past=was_past, joined=self._joined)

    def _window_s(self) -> int:
        """The longest window of all regions."""
        return max((region.window_s for _, region in self._client.ask(registry.regions)), default=0)

    def _pass(self, until_s: int | None, stop: Callable[[], bool]) -> Stretch | None:
        stretch = self._stretch(until_s)
        if stretch is None:
            return None
        with at_work(self._community.folder), worker_pool(self._client) as executor:
            clock = self._clock(stop)
            self._joined += join(self._community, self._client)
            crew = self._community.crew(self._client, clock, executor)
            with closing(crew), closing(self._community.readings()) as readings:
                self._tally.begin(stretch, clock.now_s() - self._window_s())
                tariffs = self._community.tariff
                conductor = Conductor(crew, readings, self._bounds, clock, self._tally, tariffs=tariffs)
                conductor.run(stretch.months, stretch.first_s, stretch.end_s, until_s=stretch.until_s, stop=stop)
                if stretch.until_s is not None and not stop():
                    Operator(self._community.sender(self._client, OPERATOR)).advance_clock(stretch.until_s)
            for problem in finish_forgotten(self._community, self._client):
                self._tally.problem(problem)
        return stretch

    def _stretch(self, until_s: int | None) -> Stretch | None:
        """What there is to work off, or None where there is nothing."""
        period_s = self._community.period_s
        start_s = self._start()
        with closing(self._community.readings()) as readings:
            span = readings.span()
            too_early = sum(1 for _ in readings.between(0, start_s)) if span and span[0] < start_s else 0
        first_s, end_s = (span[0], span[1] + period_s) if span else (start_s, start_s)
        reach_s = end_s
        if until_s is not None:
            # A month that begins less than a window before is opened too: later, its first periods would be past.
            reach_s = min(end_s, until_s + LEAD_S)
            end_s = min(end_s, (until_s - self._window_s()) // period_s * period_s)
        first_s = max(first_s, start_s)
        months = self._live_months(min(first_s, self._first_open(first_s)), max(reach_s, first_s))
        if end_s <= first_s and until_s is None:
            return None
        return Stretch(first_s, max(first_s, end_s), months, until_s, too_early)

    def _live_months(self, first_s: int, end_s: int) -> tuple[MonthId, ...]:
        """The months of a range, less those that ended before any region opened them: nothing was metered in them."""
        now_s, calendar = self._now(), self._community.calendar
        opened = {view.bounds.month for view in self._months()}
        months = calendar.months_between(first_s, end_s)
        return tuple(month for month in months if month in opened or calendar.bounds(month).end_s > now_s)

    def _start(self) -> int:
        """The first instant that can be metered: of the first month, or from now on if there is none yet."""
        return min((view.bounds.start_s for view in self._months()), default=self._now())

    def _first_open(self, default_s: int) -> int:
        """Start of the earliest month that is not folded yet."""
        return min((view.bounds.start_s for view in self._months() if not view.closed), default=default_s)

    def _months(self) -> Iterator[MonthView]:
        """The months of all regions on the ledger."""
        for number, _ in self._client.ask(registry.regions):
            yield from months_of(self._client, number)

    def _now(self) -> int:
        """Ledger time, moved up to the next period's start."""
        period_s = self._community.period_s
        return -(-self._client.status().ledger_time_s // period_s) * period_s

    def _bounds(self, region: RegionId, month: MonthId) -> MonthBounds:
        """A month that is opened late begins with the next period: nothing before it can be metered.

        A month that was over before the region came to the ledger gives way to the one that is on.
        """
        calendar, now_s = self._community.calendar, self._now()
        month = max(month, calendar.month_of(now_s))
        known = self._client.ask(registry.month, region, month)
        if known is not None:
            return MonthBounds(month, known.start_s, known.end_s, calendar.period_s)
        whole = calendar.bounds(month)
        return calendar.bounds_between(month, max(whole.start_s, now_s), whole.end_s)

    def _clock(self, stop: Callable[[], bool]) -> Clock:
        set_s = self._client.ask(system.operator_clock_s)
        return _Watch(stop) if set_s is None else SimulatedClock(set_s)

    def _is_news(self, seen: tuple[tuple[int, int], ...]) -> bool:
        return self._stop.is_set() or self._mark() != seen

    def _mark(self) -> tuple[tuple[int, int], ...]:
        """Changes with the store of readings, as long as a connection to it is open, which keeps its log in place."""
        path = self._community.folder.readings
        marks = []
        for name in (path.name, f"{path.name}-wal"):
            with suppress(FileNotFoundError):
                status = path.with_name(name).stat()
                marks.append((status.st_mtime_ns, status.st_size))
        return tuple(marks)


class _Watch:
    """The machine's clock, which also looks whether it is time to stop.

    Args:
        stop: whether it is.
    """

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop
        self._clock = SystemClock()

    def now_s(self) -> int:
        """The time in UTC epoch seconds."""
        return self._clock.now_s()

    def sleep_until_s(self, instant_s: int) -> None:
        """Return once it is `instant_s` or later, or time to stop."""
        while self._clock.now_s() < instant_s and not self._stop():
            sleep(LOOK_S)


class _Tally(Observer):
    """Counts what happens."""

    def __init__(self, period_s: int, progress: Progress | None) -> None:
        self._period_s = period_s
        self._progress = progress
        self._first_s, self._periods = 0, 0
        self._began_s: int | None = None
        self._ended = {str(status): 0 for status in (Status.OPENED, Status.SEALED, Status.VOID)}
        self._total_wh = 0
        self._problems: list[str] = []
        self._problem_count = 0

    def begin(self, stretch: Stretch, settled_s: int) -> None:
        """Count towards a stretch, of which earlier runs have done what is settled.

        Args:
            stretch: all that there is, from the first reading on.
            settled_s: periods that end before are settled, UTC epoch seconds.
        """
        settled_s = settled_s // self._period_s * self._period_s
        self._first_s = min(max(stretch.first_s, settled_s), stretch.end_s)
        self._periods = (stretch.end_s - self._first_s) // self._period_s
        self._reach(self._first_s)

    def instant(self, now_s: int) -> None:
        if self._progress is not None and self._periods:
            done = (now_s - self._first_s) // self._period_s
            self._progress(max(0, min(done, self._periods)), self._periods)

    def slot_ended(self, slot: Slot, state: SlotState) -> None:
        self._ended[str(Status(state.status))] += 1
        self._total_wh += state.total_wh
        self._reach(slot.k * self._period_s)  # one that an earlier run left halfway

    def refused(self, refused: Refused) -> None:
        self._note(f"{type(refused.messages[0]).__name__}: {refused.refusal}")

    def problem(self, problem: GridproofError) -> None:
        self._note(str(problem))

    def outcome(self, stretch: Stretch | None, *, stopped: bool) -> Outcome:
        """What came of it all."""
        end_s, too_early = (stretch.end_s, stretch.too_early) if stretch else (None, 0)
        problems = tuple(self._problems)
        return Outcome(
            self._began_s, end_s, self._ended, self._total_wh, problems, self._problem_count, too_early, stopped
        )

    def _reach(self, start_s: int) -> None:
        self._began_s = start_s if self._began_s is None else min(self._began_s, start_s)

    def _note(self, problem: str) -> None:
        self._problem_count += 1
        if len(self._problems) < MAX_KEPT:
            self._problems.append(problem)


@contextmanager
def serving(ledger: EmbeddedLedger | None, community: Community) -> Iterator[None]:
    """Serve the ledger at the community's socket, and make blocks of what other processes send (N-3).

    Args:
        ledger: held by this process; None where it is a network, which does all that by itself.
        community: whose folder.

    Raises:
        SocketInUseError: another node answers there.
        SocketPathError: no socket can be opened there.
    """
    if ledger is None:
        yield
        return
    over = threading.Event()

    def make_blocks() -> None:
        with suppress(LedgerStoppedError):  # told to whoever works with the ledger
            while not over.wait(BLOCK_PAUSE_S):
                ledger.make_block()

    maker = threading.Thread(target=make_blocks, name="blocks", daemon=True)
    with Node(ledger, community.folder.socket):
        maker.start()
        try:
            yield
        finally:
            over.set()
            maker.join()


@contextmanager
def worker_pool(client: LedgerClient) -> Iterator[Executor | None]:
    """Processes for heavy work, where there are meters enough and cores to spare."""
    meters = sum(len(client.ask(registry.meters, number)) for number, _ in client.ask(registry.regions))
    cores = available_cores()
    if meters < MANY_METERS or cores == 1:
        yield None
        return
    context = get_context("spawn")  # a fork would copy the locks that the node's threads hold
    with ProcessPoolExecutor(cores, context, initializer=_end_with_parent, initargs=(os.getpid(),)) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent(parent: int) -> None:
    """In a process of the pool: leave Ctrl-C to the parent, and end when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
