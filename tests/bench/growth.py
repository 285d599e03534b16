"""What a slot costs as its region grows from 100 to 10,000 meters, step by step, on one core."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from gridproof.actors.bill_provider.rosters import cut, leaf_pairs
from gridproof.modules.aggregation.types import Status
from gridproof.primitives import merkle
from gridproof.state import Message, SerialVerifier
from gridproof.state.store import LmdbStore

from .community import Community, Meters
from .measure import Spread, on_core
from .results import Curve, Figure, Section

SIZES: Final = (100, 300, 1_000, 3_000, 10_000)
SLOTS: Final = 3
STEPS: Final = (
    "identities of the roster",
    "roster: sorted, root",
    "records made by the meters",
    "batch put together",
    "batch accepted",
    "slot closed",
    "live set judged",
    "live set fixed",
    "masks summed and opened",
)


class _Times:
    """Processor time of steps, microseconds a meter and slot."""

    def __init__(self, meters: int) -> None:
        self._meters = meters
        self.each: dict[str, list[float]] = {step: [] for step in STEPS}

    def time(self, step: str, work: Callable[[], object], slots: int = 1) -> None:
        """Time a step that is done for some slots at once."""
        start = on_core()
        work()
        self.each[step].append((on_core() - start) / 1_000 / self._meters / slots)


def measure(meters: int, slots: int) -> _Times:
    """Bring some slots from identities to totals."""
    times, region = _Times(meters), Meters(meters, slots)
    seeds, bounds = region.seeds.sign, region.bounds
    times.time("identities of the roster", lambda: list(leaf_pairs(seeds, bounds, bounds.first_k, None)), slots)
    for row in region.rosters.rows:
        shuffled = cut(row)[::2] + cut(row)[1::2]
        times.time("roster: sorted, root", lambda leaves=shuffled: merkle.root(sorted(leaves)))  # type: ignore[misc]
    with TemporaryDirectory() as folder, closing(LmdbStore(str(Path(folder) / "store"))) as store:
        community = Community(region, store, SerialVerifier())
        for at in range(slots):
            _slot(community, at, times)
    return times


def _slot(community: Community, at: int, times: _Times) -> None:
    region, ledger = community.meters, community.ledger

    def send(step: str, name: str, message: Message) -> None:
        raw = ledger.sign(name, message)
        times.time(step, partial(_accept, community, raw))

    records = region.records(at)
    times.time("records made by the meters", partial(region.records, at))
    batch = region.batch(at, records)
    times.time("batch put together", partial(region.batch, at, records))
    community.end_period(at)
    send("batch accepted", "aggregator", batch)
    community.end_window(at)
    send("slot closed", "aggregator", community.close(at))
    judgement = community.judge(at)
    times.time("live set judged", partial(community.judge, at))
    send("live set fixed", "provider", community.fixing(at, judgement))
    fixed = community.state(at)
    opening = community.opening(at, fixed)
    raw = ledger.sign("provider", opening)

    def open_masks() -> None:
        community.opening(at, fixed)
        _accept(community, raw)

    times.time("masks summed and opened", open_masks)
    if community.state(at).status != Status.OPENED:
        raise AssertionError("a slot did not come to its total")


def _accept(community: Community, raw: bytes) -> None:
    ledger = community.ledger
    ledger.finalize(ledger.prepare(raw))
    ledger.application.commit()


def run(*, quick: bool) -> Section:
    """Measure region by region."""
    sizes = (10, 40) if quick else SIZES
    lines: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
    section = Section()
    for meters in sizes:
        times = measure(meters, SLOTS)
        for step, taken in times.each.items():
            lines[step].append((meters, median(taken)))
        whole = sum(median(taken) for taken in times.each.values())
        name = f"a slot of {meters:,} meters, all steps"
        section.figures.append(Figure(name, "ms on one core", Spread.of([whole * meters / 1_000])))
    section.curves.append(
        Curve(
            name="growth",
            title="What a slot costs a meter, by the number of meters in the region",
            x="meters",
            y="µs on one core, a meter and slot",
            lines=lines,
        )
    )
    return section
