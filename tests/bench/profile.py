"""Where the time of a batch's acceptance goes."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from gridproof.drivers.verifying import ThreadedVerifier
from gridproof.state.store import LmdbStore

from .community import Community, Meters
from .results import Section
from .sampling import Sampler


def run(*, quick: bool) -> Section:
    """Accept batches under the eye of the sampler: with threads as the node does it, and on one core."""
    meters = Meters(50, 4) if quick else Meters(1_000, 24)
    batches = [meters.batch(at, meters.records(at)) for at in range(meters.bounds.periods)]
    section = Section()
    for title, threads in (("checks on all cores", None), ("checks on one core", 1)):
        sampler = Sampler()
        with (
            TemporaryDirectory() as folder,
            closing(LmdbStore(str(Path(folder) / "store"))) as store,
            ThreadedVerifier(threads) as verifier,
        ):
            community = Community(meters, store, verifier)
            ledger = community.ledger
            for at, batch in enumerate(batches):
                community.end_period(at)
                raw = ledger.sign("aggregator", batch)
                with sampler:
                    ledger.finalize(ledger.prepare(raw))
                    ledger.application.commit()
        name = f"a batch of {meters.meters:,} meters accepted, CheckTx to commit, {title}"
        section.profiles.append(sampler.profile(name))
    return section
