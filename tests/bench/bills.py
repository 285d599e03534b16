"""A month's bills: made by the bill provider for a whole region, and recomputed by a household.

Each month lies on the disk before anything is measured (`closed_month`). Bills are made in a process of its own with
as many workers as cores, as `gridproof bill make` has them; registered, archived and published, each durably.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final, NamedTuple, ParamSpec, Self, TypeVar

from gridproof.actors.bill_provider import Billing
from gridproof.actors.bills.proof import read_bill_proof, verify_bill_proof, write_bill_proof
from gridproof.actors.bills.proving import BillProver
from gridproof.actors.bills.reading import BillReader
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.actors.enrolment import read_household
from gridproof.actors.household import public_leaves
from gridproof.connectors.secret_files import SecretFiles
from gridproof.drivers.verifying import available_cores

from .closed_month import LETTERHEAD, Files, build
from .community import REGION
from .measure import KIBI, Spread, on_core, processor_s
from .results import Figure, Profile, Row, Section
from .sampling import Sampler

LIMIT_MINUTES: Final = 1.5
LIMIT_S: Final = 0.5
LIMIT_GROWTH: Final = 1.25  # "flat": a thousand households take at most a quarter more than 250
SIZES: Final = (250, 500, 1_000)
ROUNDS: Final = 5
_LOOK_S: Final = 0.02
_TO_S: Final = 1e-9

P = ParamSpec("P")
R = TypeVar("R")


class Made(NamedTuple):
    """What making a month's bills took.

    Attributes:
        core_s: processor time of all processes.
        wall_s: by the clock.
        gathered_s: of it, until all slots were laid out by household.
        main_bytes: the most memory of its own that the main process held.
        worker_bytes: the most that all workers held together.
        sealed_bytes: size of a sealed report, median.
    """

    core_s: float
    wall_s: float
    gathered_s: float
    main_bytes: int
    worker_bytes: int
    sealed_bytes: int


class Checked(NamedTuple):
    """What a household's check took, seconds of one core.

    Attributes:
        node: asked of its own node, bill fetched and opened first.
        node_bytes: memory that the process held more afterwards at the most.
        file: from a proof file, read and checked.
        proving: the making of that file.
        file_bytes: its size.
    """

    node: list[float]
    node_bytes: int
    file: list[float]
    proving: float
    file_bytes: int


def run(*, quick: bool) -> Section:
    """Make the bills of ever larger regions; let a household of the largest one check its own."""
    sizes, periods = ((8, 16), 48) if quick else (SIZES, 1_440)
    made: dict[int, Made] = {}
    with TemporaryDirectory() as folder:
        for meters in sizes:
            files = Files(Path(folder) / str(meters), periods)
            files.folder.mkdir()
            build(files, meters)
            made[meters] = _apart(make, files)
        checked = _apart(check, files, 1 if quick else ROUNDS)
        watched = _apart(watch_again, Files(Path(folder) / str(min(sizes)), periods))
    section = Section(profiles=[watched])
    _tell_made(section, made, periods)
    _tell_checked(section, checked, max(sizes), periods)
    return section


def _apart(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do work in a fresh process, which inherits nobody's memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


# --- the bill provider -----------------------------------------------------------------------------------------------


class Watch:
    """Looks at the memory that this process and its children have of their own, while it is entered.

    Mapped files are left out: they are the system's cache, which gives way to whoever needs the memory.
    """

    def __init__(self) -> None:
        self.main = self.workers = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(_LOOK_S):
            self.main = max(self.main, anonymous_bytes(os.getpid()))
            self.workers = max(self.workers, sum(map(anonymous_bytes, _children())))


def anonymous_bytes(pid: int) -> int:
    """What a process holds of memory that no file stands behind; nothing if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * KIBI for line in lines if line.startswith(("RssAnon", "RssShmem")))


def _children() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text(encoding="ascii").split()]


def make(files: Files) -> Made:
    """Make a month's bills, watched."""
    slots: list[float] = []
    stores, bounds = files.stores, files.bounds
    with files.opened() as (_, provider), closing(stores.public), closing(stores.archive), Watch() as watch:
        start_s, used_s = perf_counter(), processor_s()

        def progress(done: int, _all: int) -> None:
            if done <= bounds.periods:
                slots.append(perf_counter())

        with ProcessPoolExecutor(available_cores(), mp_context=get_context("spawn")) as pool:
            outcome = Billing(provider, stores, LETTERHEAD, pool).make(REGION, bounds.month, progress=progress)
        core_s, wall_s = processor_s() - used_s, perf_counter() - start_s
        notes = provider.bills.bills(REGION, bounds.month)
        if outcome.problems or outcome.made != len(notes):
            raise AssertionError(outcome)
        sealed_bytes = sorted(len(stores.public.get(note.cid)) for note in notes)[len(notes) // 2]
    return Made(core_s, wall_s, slots[-1] - start_s, watch.main, watch.workers, sealed_bytes)


def watch_again(files: Files) -> Profile:
    """Make all bills of a month anew, as their next versions and on one core, under the eye of the sampler."""
    stores, month = files.stores, files.bounds.month
    with files.opened() as (_, provider), closing(stores.public), closing(stores.archive):
        work = Billing(provider, stores, LETTERHEAD)
        names = [name for name, _ in work.billed(REGION, month).values()]
        sampler = Sampler()
        with sampler:
            work.make(REGION, month, correct=names)
    return sampler.profile(f"a month's bills of {len(names):,} meters ({files.periods:,} half-hours) on one core")


# --- the household ---------------------------------------------------------------------------------------------------


def check(files: Files, rounds: int) -> Checked:
    """Let a household check its bill, with its own node and from a proof file."""
    secrets, month = SecretFiles(), files.bounds.month
    file = read_household(secrets, next(iter(sorted(files.shelf.enrolments.glob("H7.*.household")))))
    stores = files.stores
    with files.opened() as (client, _), closing(stores.public), Watch() as watch:
        leaves_of = public_leaves(client, files.shelf.rosters)
        reader = BillReader(file, client, stores.public, files.shelf.cards, secrets, leaves_of)
        opened, card = reader.open(month), reader.card(month)
        before = anonymous_bytes(os.getpid())
        node = [_true(lambda: reader.verify(reader.open(month), month)) for _ in range(min(2, rounds))]
        node_bytes = max(0, watch.main - before)
        path = files.folder / "bill.proof"
        path.unlink(missing_ok=True)
        start = on_core()
        write_bill_proof(path, BillProver(client, leaves_of).prove(opened, month, card))
        proving = (on_core() - start) * _TO_S
    offline = [_true(lambda: verify_bill_proof(read_bill_proof(path), file, card).verdict) for _ in range(rounds)]
    return Checked(node, node_bytes, offline, proving, path.stat().st_size)


def _true(verify: Callable[[], BillVerdict]) -> float:
    """Seconds of this thread that a check took, which must find all true."""
    start = on_core()
    verdict = verify()
    taken = (on_core() - start) * _TO_S
    if not verdict.is_true:
        raise AssertionError(verdict.falsehoods)
    return taken


# --- what came of it -------------------------------------------------------------------------------------------------


def _tell_made(section: Section, made: dict[int, Made], periods: int) -> None:
    least, most = min(made), max(made)
    name = f"a month's bills of {most:,} meters ({periods:,} half-hours)"
    whole = made[most]
    held = {meters: (each.main_bytes + each.worker_bytes) / 2**20 for meters, each in made.items()}
    section.rows += [
        Row(
            work=f"{name}: made, sealed, archived, published, registered",
            target="< 1.5 core-minutes",
            unit="core-minutes",
            limit=LIMIT_MINUTES,
            actual=Spread.of([whole.core_s / 60]),
            note="processor time of all processes",
        ),
        Row(
            work=f"{name}: memory",
            target="flat in the number of households",
            unit=f"x that of {least:,} meters",
            limit=LIMIT_GROWTH,
            actual=Spread.of([held[most] / held[least]]),
            note="peak of the main process and of all workers, mapped files left out",
        ),
    ]
    section.figures += [
        Figure(f"{name}, on {available_cores()} cores, by the clock", "s", Spread.of([whole.wall_s])),
        Figure(f"{name}: of it until the slots are laid out by household", "s", Spread.of([whole.gathered_s])),
        Figure(f"{name}: memory of the main process", "MiB", Spread.of([whole.main_bytes / 2**20])),
        Figure(f"{name}: memory of all workers", "MiB", Spread.of([whole.worker_bytes / 2**20])),
        Figure(f"{name}: a sealed report", "KiB", Spread.of([whole.sealed_bytes / 1024])),
    ]
    for meters, each in made.items():
        section.figures.append(Figure(f"bills of {meters:,} meters", "core-s", Spread.of([each.core_s])))
        section.figures.append(Figure(f"bills of {meters:,} meters: memory", "MiB", Spread.of([held[meters]])))


def _tell_checked(section: Section, checked: Checked, meters: int, periods: int) -> None:
    name = f"a household verifies its month's bill ({periods:,} half-hours)"
    section.rows.append(
        Row(
            work=f"{name}, from its proof file",
            target="< 0.5 s after start-up",
            unit="s on one core",
            limit=LIMIT_S,
            actual=Spread.of(checked.file),
        )
    )
    asked = f"{name}, asked of a node with slots of {meters:,} meters"
    section.figures += [
        Figure(asked, "s on one core", Spread.of(checked.node)),
        Figure(f"{asked}: memory", "MiB", Spread.of([checked.node_bytes / 2**20])),
        Figure("a bill's proof file made at that node", "s on one core", Spread.of([checked.proving])),
        Figure("a bill's proof file, size", "MiB", Spread.of([checked.file_bytes / 2**20])),
    ]
