"""The content store: reports of a month's bills put and fetched, in a folder and in a Kubo node on the same machine."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from gridproof.connectors.content import ContentStore, FolderContent, KuboContent, find_damage

from .measure import Spread, on_wall, timed
from .results import Figure, Section
from tools.engines import kubo
from tools.engines.kubo_node import KuboNode

REPORT_BYTES: Final = 128 * 1024
_TO_MS: Final = 1e-6
_MEBI: Final = 2**20
T = TypeVar("T")
R = TypeVar("R")


def run(*, quick: bool) -> Section:
    """Put a thousand reports, put them again, fetch them, look for damage; Kubo's part where it is installed."""
    reports = [os.urandom(REPORT_BYTES) for _ in range(20 if quick else 1_000)]
    section = Section()
    with TemporaryDirectory() as folder:
        with closing(FolderContent(Path(folder) / "content")) as store:
            _measure(section, "folder", store, reports)
        program = kubo.find()
        if program is not None:
            with KuboNode(program, Path(folder) / "kubo") as node, closing(KuboContent(node.url)) as store:
                _measure(section, "Kubo", store, reports)
    return section


def _measure(section: Section, name: str, store: ContentStore, reports: Sequence[bytes]) -> None:
    puts, cids = _each(store.put, reports)
    again, _ = _each(store.put, reports)
    gets, fetched = _each(store.get, cids)
    if fetched != list(reports) or find_damage(store, cids):
        raise AssertionError(f"{name} does not give back what was put")
    head = f"content store, {name}: report of {REPORT_BYTES // 1024} KiB"
    for work, times in (("put", puts), ("put again", again), ("fetched and checked", gets)):
        section.figures.append(Figure(f"{head} {work}", "ms", Spread.of(times)))
    work = f"content store, {name}: {len(reports):,} reports put, then fetched"
    rate = REPORT_BYTES * len(reports) / _MEBI / (sum(puts) + sum(gets)) * 1e3
    section.figures.append(Figure(work, "MiB/s", Spread.of([rate])))


def _each(work: Callable[[T], R], inputs: Sequence[T]) -> tuple[list[float], list[R]]:
    """Each work's time in milliseconds, and what it gave."""
    results: list[R] = []
    times = [timed(on_wall, partial(lambda given: results.append(work(given)), given)) * _TO_MS for given in inputs]
    return times, results
