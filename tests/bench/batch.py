"""A batch of a thousand meters: what the ledger adds to the bare checks of its signatures."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gridproof.drivers.verifying import ThreadedVerifier, available_cores
from gridproof.modules.aggregation.messages import SubmitBatch
from gridproof.state import SignatureClaim, Verifier
from gridproof.state.store import LmdbStore, MemoryStore, Store

from . import bare
from .community import CHAIN_ID, Community, Meters
from .measure import Rounds, Spread, on_all_cores, on_wall, timed
from .results import Figure, Row, Section

LIMIT_ALL: Final = 1.5
LIMIT_FINALIZE: Final = 0.2
STEPS: Final = ("prepare", "finalize", "commit")


class _Trial:
    """A store under a community's ledger, and the times that its batches took.

    Args:
        meters: report in every slot.
        store: keeps the ledger's state.
        verifier: checks signatures.
    """

    def __init__(self, meters: Meters, store: Store, verifier: Verifier) -> None:
        self.community = Community(meters, store, verifier)
        self.times: dict[str, list[int]] = {}

    def accept(self, at: int, batch: SubmitBatch, pool: ThreadPoolExecutor) -> None:
        """Time the bare checks of a slot's records, then the ledger's acceptance of its batch."""
        community, ledger = self.community, self.community.ledger
        community.end_period(at)
        raw = ledger.sign("aggregator", batch)
        claims: list[SignatureClaim] = list(batch.claims(CHAIN_ID))
        start, used = on_wall(), on_all_cores()
        bare.verify_on(pool, claims)
        times = {"bare": on_wall() - start, "bare_used": on_all_cores() - used}
        used = on_all_cores()
        start = on_wall()
        block = ledger.prepare(raw)
        times["prepare"] = on_wall() - start
        times["finalize"] = timed(on_wall, partial(ledger.finalize, block))
        times["commit"] = timed(on_wall, ledger.application.commit)
        times["used"] = on_all_cores() - used
        if at:
            for work, taken in times.items():
                self.times.setdefault(work, []).append(taken)

    @property
    def rounds(self) -> Rounds:
        """The times, with their sum."""
        each = zip(*(self.times[step] for step in STEPS), strict=True)
        return Rounds({**self.times, "accept": [sum(times) for times in each]})


def run(*, quick: bool) -> Section:
    """Accept batch after batch, on the durable store and on its twin in memory."""
    meters = Meters(50, 3) if quick else Meters(1_000, 16)
    batches = [meters.batch(at, meters.records(at)) for at in range(meters.bounds.periods)]
    cores = available_cores()
    section = Section()
    with TemporaryDirectory() as folder, ThreadedVerifier() as verifier, ThreadPoolExecutor(cores) as pool:
        stores: dict[str, Store] = {"LMDB": LmdbStore(str(Path(folder) / "store")), "memory": MemoryStore()}
        for name, store in stores.items():
            with closing(store):
                trial = _Trial(meters, store, verifier)
                for at, batch in enumerate(batches):
                    trial.accept(at, batch, pool)
                _tell(section, name, meters.meters, trial.rounds, cores)
    return section


def _tell(section: Section, store: str, meters: int, rounds: Rounds, cores: int) -> None:
    work = f"accept a batch of {meters:,} meters ({2 * meters:,} records), {store}"
    section.rows += [
        Row(
            work=f"{work}: CheckTx to commit",
            target="< 1.5 x the bare checks, spread over the cores",
            unit=f"x bare checks on {cores} cores",
            limit=LIMIT_ALL,
            actual=rounds.ratio("accept", "bare"),
        ),
        Row(
            work=f"{work}: finalize, after check",
            target="< 20 % of the bare checks",
            unit=f"x bare checks on {cores} cores",
            limit=LIMIT_FINALIZE,
            actual=rounds.ratio("finalize", "bare"),
        ),
    ]
    used = rounds.ratio("used", "bare_used")
    section.figures.append(Figure(f"{store}: batch accepted, processor time of all threads", "x bare checks", used))
    for step in ("bare", "accept", *STEPS):
        section.figures.append(Figure(f"{store}: {NAMES[step]}", "ms", _milliseconds(rounds, step)))


NAMES: Final = {
    "bare": "bare signature checks, all cores",
    "accept": "batch accepted",
    "prepare": "of it CheckTx and PrepareProposal: decoding, roster proof, all signatures",
    "finalize": "of it FinalizeBlock",
    "commit": "of it commit",
}


def _milliseconds(rounds: Rounds, step: str) -> Spread:
    return rounds.each(step).times(1e-3)
