"""`verify ledger` over a day of a thousand meters, against the bare checks of its signatures on all cores.

The ledger is built through the product's own blocks: each slot's batch is accepted, the slot closed, its live set
fixed, its masks opened. Then it is verified as the command does it: replayed from its genesis, everything compared.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gridproof.app import application
from gridproof.drivers.blocks import KeptBlock, keep_block, keep_genesis
from gridproof.drivers.verification import verify_store
from gridproof.drivers.verifying import ThreadedVerifier, available_cores
from gridproof.modules.aggregation.messages import SubmitBatch
from gridproof.state import Block, SignatureClaim
from gridproof.state.store import LmdbStore, Store

from . import bare
from .community import CHAIN_ID, PEOPLE, Community, Ledger, Meters, genesis
from .measure import Rounds, Spread, on_all_cores, on_wall, timed
from .results import Figure, Row, Section
from .sampling import Sampler

LIMIT: Final = 1.5
ROUNDS: Final = 5
DAY: Final = 48  # half-hours


class _KeptLedger(Ledger):
    """A ledger whose blocks are kept beside its state, as the embedded driver keeps them."""

    def finalize(self, block: Block) -> None:
        keep_block(self.store, KeptBlock(self.application.info().app_hash, block))
        super().finalize(block)


def run(*, quick: bool) -> Section:
    """Build a day, and verify it in turn with the bare checks."""
    meters = Meters(20, 4) if quick else Meters(1_000, DAY)
    section = Section()
    with TemporaryDirectory() as folder, closing(LmdbStore(str(Path(folder) / "store"))) as store:
        claims = _build(meters, store)
        verify = partial(_verify, store)
        _measure(section, meters, claims, verify, rounds=1 if quick else ROUNDS)
        sampler = Sampler()
        with sampler:
            verify()
        section.profiles.append(sampler.profile(f"`verify ledger`, {_name(meters)}, checks on all cores"))
    return section


def _name(meters: Meters) -> str:
    return f"{meters.meters:,} meters x {meters.bounds.periods} half-hours"


def _build(meters: Meters, store: Store) -> list[SignatureClaim]:
    """Bring all slots of a day to their totals; gives the signatures that are on the ledger then."""
    with ThreadedVerifier() as verifier:
        keep_genesis(store, genesis(PEOPLE, meters.bounds.start_s - 86_400))
        community = Community(meters, store, verifier, _KeptLedger)
        claims: list[SignatureClaim] = []
        for at in range(meters.bounds.periods):
            batch = meters.batch(at, meters.records(at))
            claims += _slot(community, at, batch)
    return claims


def _slot(community: Community, at: int, batch: SubmitBatch) -> Iterable[SignatureClaim]:
    ledger = community.ledger
    community.end_period(at)
    ledger.send("aggregator", batch)
    community.end_window(at)
    ledger.send("aggregator", community.close(at))
    ledger.send("provider", community.fixing(at, community.judge(at)))
    ledger.send("provider", community.opening(at, community.state(at)))
    return batch.claims(CHAIN_ID)


def _verify(store: Store) -> None:
    """As the command does it; it must find everything true."""
    report = verify_store(store, application)
    if not report.is_true:
        raise AssertionError(report.falsehoods)


def _measure(
    section: Section, meters: Meters, claims: list[SignatureClaim], verify: partial[None], rounds: int
) -> None:
    cores = available_cores()
    times: dict[str, list[int]] = {"bare": [], "bare_used": [], "ours": [], "ours_used": []}
    with ThreadPoolExecutor(cores) as pool:
        for turn in range(rounds + 1):
            for name, do in (("bare", partial(bare.verify_on, pool, claims)), ("ours", verify)):
                used = on_all_cores()
                wall = timed(on_wall, do)
                if turn:
                    times[name].append(wall)
                    times[f"{name}_used"].append(on_all_cores() - used)
    taken = Rounds(times)
    work = f"`verify ledger`, {_name(meters)} ({len(claims):,} records)"
    section.rows.append(
        Row(
            work=work,
            target="≤ 1.5 x the bare checks, all cores",
            unit=f"x bare checks on {cores} cores",
            limit=LIMIT,
            actual=taken.ratio("ours", "bare"),
        )
    )
    section.figures += [
        Figure(f"{work}: processor time of all threads", "x bare checks", taken.ratio("ours_used", "bare_used")),
        Figure("bare checks of a day's signatures, all cores, by the clock", "s", _seconds(taken, "bare")),
        Figure(f"{work}: by the clock", "s", _seconds(taken, "ours")),
        Figure(f"{work}: processor time of all threads", "core-s", _seconds(taken, "ours_used")),
    ]


def _seconds(rounds: Rounds, work: str) -> Spread:
    return rounds.each(work).times(1e-6)
