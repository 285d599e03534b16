"""A household: finds its own records on the ledger by its view secret alone, and makes its proof file.

It needs no one's help: the first half of each reading is known in advance to whoever has the view secret (its value
depends on no reading), and the second is the record that adds up with it. Nobody else can tell the two from the others.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.rosters import RosterFile, RosterFiles
from gridproof.domain import MAX_READING_WH, Direction, MonthBounds, MonthId, RegionId, Slot, metering
from gridproof.errors import GridproofError
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import FOLDS, SLOTS, BatchBody, SlotRecord
from gridproof.modules.registry import queries as registry
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode

from .enrolment import HouseholdFile
from .errors import LedgerMovedError, RecordUnknownError
from .proof_file import FORMAT, VERSION, ProofFile, ProvenRecord, ProvenSlot, ProvenState

ATTEMPTS: Final = 5
LeavesOf = Callable[[Slot, int], list[bytes]]  # slot, its month -> the leaves of its roster, ascending


class Placed(NamedTuple):
    """A record, and where it stands among what a slot's batches added."""

    record: SlotRecord
    batch: int
    place: int


class Household:
    """Someone who lives behind a meter.

    Args:
        file: what the bill provider gave out at the enrolment: the view secret.
        ledger: where the records stand.
        leaves_of: gives the leaves of a slot's roster, which are public (`public_leaves`).
    """

    def __init__(self, file: HouseholdFile, ledger: LedgerClient, leaves_of: LeavesOf) -> None:
        self._file = file
        self._ledger = ledger
        self._leaves_of = leaves_of

    def month_of(self, k: int, period_s: int) -> MonthBounds | None:
        """The month that a period lies in, or None where none was opened."""
        for number, month in self._ledger.ask(registry.months, self._file.region):
            bounds = MonthBounds(MonthId(number), month.start_s, month.end_s, period_s)
            if bounds.contains(k):
                return bounds
        return None

    def find_records(self, channel: Direction, k: int, bounds: MonthBounds) -> tuple[Placed, Placed] | None:
        """The household's two records of a period, or None where they are not both there.

        Args:
            channel: import or export.
            k: the period.
            bounds: its month.
        """
        bodies = self._ledger.ask(aggregation.bodies, self._file.region, channel, k)
        return find_own(self._file, channel, k, bounds, bodies)

    def export_records(
        self, channels: Iterable[Direction], ks: Iterable[int], step: Callable[[int], None] = lambda _k: None
    ) -> ProofFile:
        """Make a proof file of the household's records.

        All proofs of a file are against one app hash: where the ledger moves on meanwhile, the file is made again.

        Args:
            channels: which of the household's channels.
            ks: periods; those without the household's records are left out.
            step: told each period when it is done.

        Raises:
            FileError, RosterFileError: the public roster of a slot cannot be read.
            RecordUnknownError: none of the periods has the household's records.
            LedgerMovedError: the ledger moved on each time the file was made.
        """
        wanted = [(channel, k) for channel in channels for k in ks]
        for _ in range(ATTEMPTS):
            status = self._ledger.status()
            region = self._ledger.ask(registry.region, self._file.region)
            period_s = region.period_s if region else 0
            slots = []
            for channel, k in wanted:
                bounds = self.month_of(k, period_s)
                found = self.find_records(channel, k, bounds) if bounds else None
                if bounds and found:
                    slots.append(self._prove(channel, k, bounds, found))
                step(k)
            if self._ledger.status().height == status.height:
                break
        else:
            raise LedgerMovedError(attempts=ATTEMPTS)
        if not slots:
            raise RecordUnknownError(channel=wanted[0][0].label if wanted else "", k=wanted[0][1] if wanted else 0)
        app_hash, chain_id = status.app_hash.hex(), self._file.chain_id
        return ProofFile(FORMAT, VERSION, chain_id, status.height, app_hash, self._file.region, period_s, slots)

    def _prove(self, channel: Direction, k: int, bounds: MonthBounds, found: tuple[Placed, Placed]) -> ProvenSlot:
        bodies = self._ledger.ask(aggregation.bodies, self._file.region, channel, k)
        leaves = self._leaves_of(Slot(RegionId(self._file.region), channel, k), bounds.month)
        first, second = (_proven(placed, bodies[placed.batch], leaves) for placed in found)
        state = self._prove_state(channel, k, bounds)
        instants = (bounds.month, bounds.start_s, bounds.end_s)
        return ProvenSlot("import" if channel == Direction.IMPORT else "export", k, *instants, state, first, second)

    def _prove_state(self, channel: Direction, k: int, bounds: MonthBounds) -> ProvenState:
        region, month = self._file.region, bounds.month
        folded = self._ledger.ask(aggregation.fold_proof, region, channel, month, k)
        if folded is None:
            slot = self._ledger.prove(SLOTS, region, channel, k)
            return ProvenState(encode(slot.value).hex(), "", [], encode(slot.proof).hex())
        fold = self._ledger.prove(FOLDS, region, channel, month)
        path = [step.hex() for step in folded.path]
        return ProvenState(encode(folded.slot).hex(), encode(fold.value).hex(), path, encode(fold.proof).hex())


def find_own(
    file: HouseholdFile, channel: Direction, k: int, bounds: MonthBounds, bodies: tuple[BatchBody, ...]
) -> tuple[Placed, Placed] | None:
    """Find the two records of a period that a view secret belongs to.

    Args:
        file: holds the view secret.
        channel: import or export.
        k: the period.
        bounds: its month.
        bodies: what the slot's batches added.

    Returns:
        First and second half, or None where they are not both there.
    """
    try:
        seeds = metering.view_seeds(file.view_in_month(channel, bounds.month), channel)
    except GridproofError:
        return None  # a month before the household's, or a channel that it has not
    first_leaf, second_leaf = (metering.leaf_at(seed, bounds, k) for seed in seeds)
    expected = metering.halves(0, first_leaf, second_leaf).first
    placed = [
        Placed(record, batch, index) for batch, body in enumerate(bodies) for index, record in enumerate(body.records)
    ]
    first = next((each for each in placed if each.record.rc == expected), None)
    if first is None:
        return None
    # A stranger's record adds up to less than 2**32 Wh with a chance of 2**-32: among many slots that does occur,
    # so the least sum is taken, which a stranger's undercuts with no chance to speak of.
    sums = [
        (metering.reading(metering.Halves(expected, each.record.rc), first_leaf, second_leaf), index)
        for index, each in enumerate(placed)
        if each is not first
    ]
    energy_wh, second = min(sums, default=(MAX_READING_WH, 0))
    return (first, placed[second]) if energy_wh < MAX_READING_WH else None


def public_leaves(ledger: LedgerClient, files: RosterFiles) -> LeavesOf:
    """Find the leaves of slots' rosters in the bill provider's public files.

    Args:
        ledger: tells which epoch a slot lies in.
        files: the public files; what is in them is held against the ledger by whoever checks the proof.
    """
    opened: dict[tuple[int, int, int, int], RosterFile] = {}

    def leaves_of(slot: Slot, month: int) -> list[bytes]:
        epochs = ledger.ask(aggregation.epochs, slot.region, slot.channel, month)
        number = sum(epoch.from_k <= slot.k for epoch in epochs)
        name = (slot.region, slot.channel, month, number)
        if name not in opened:
            opened[name] = files.open(*name)
        return opened[name].leaves(slot.k)

    return leaves_of


def _proven(placed: Placed, body: BatchBody, leaves: list[bytes]) -> ProvenRecord:
    record, position = placed.record, body.positions[placed.place]
    path = merkle.inclusion_proof([encode(each) for each in body.records], placed.place)
    leaf_path = merkle.inclusion_proof(leaves, position)
    return ProvenRecord(
        record.prid.hex(),
        str(record.rc),
        record.signature.hex(),
        placed.batch,
        placed.place,
        [step.hex() for step in path],
        position,
        [step.hex() for step in leaf_path],
    )
