"""Making the proof file of a household's bill, from a node that keeps the month's bodies.

All proofs of a file are against one app hash: where the ledger moves on meanwhile, the file is made again.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from gridproof.actors.errors import LedgerMovedError, MonthForgottenError, RecordUnknownError
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import Direction, MonthBounds, MonthId, RegionId, Slot, Why, roster_leaf
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation import types as aggregation_types
from gridproof.modules.aggregation.types import BatchBody
from gridproof.modules.billing.types import BILLS
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing import types as pricing_types
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry import types as registry_types
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode
from gridproof.state import Map

from .evidence import LeavesOf, is_pruned
from .proof import (
    BillProof,
    ProvenAbsence,
    ProvenChannel,
    ProvenEntry,
    ProvenHalf,
    ProvenLate,
    ProvenLeaf,
    ProvenLine,
)
from .reading import OpenedBill
from .report import Report, ReportAbsence, ReportChannel, ReportLine
from .words import Card

ATTEMPTS: Final = 5

Step = Callable[[int], None]
_Bodies = list[tuple[bool, int, BatchBody]]  # whether it came late, its number there, what it brought


class BillProver:
    """Makes proof files.

    Args:
        ledger: where the month stands.
        leaves_of: gives the leaves of slots' rosters, which are public.
    """

    def __init__(self, ledger: LedgerClient, leaves_of: LeavesOf) -> None:
        self._ledger = ledger
        self._leaves_of = leaves_of

    def prove(self, opened: OpenedBill, month: MonthId, card: Card | None, step: Step = lambda _k: None) -> BillProof:
        """Make the proof file of an opened bill.

        Args:
            opened: the bill.
            month: its month.
            card: the month's card, or None; the file shows whose key signed it.
            step: told each slot when it is done.

        Raises:
            MonthForgottenError: the ledger no longer has the month's records.
            RecordUnknownError: it does not have a record that the bill names.
            FileError, RosterFileError: the public roster of a slot cannot be read.
            LedgerMovedError: the ledger moved on each time the file was made.
        """
        report = opened.report
        bounds = MonthBounds(month, report.month_start_s, report.month_end_s, report.period_s)
        if is_pruned(self._ledger, report.region, bounds):
            raise MonthForgottenError(month=report.month)
        for _ in range(ATTEMPTS):
            status = self._ledger.status()
            made = self._prove(opened, month, card, step)
            if self._ledger.status().height == status.height:
                return BillProof(status.chain_id, status.height, status.app_hash, *made)
        raise LedgerMovedError(attempts=ATTEMPTS)

    def _prove(self, opened: OpenedBill, month: MonthId, card: Card | None, step: Step) -> tuple[Any, ...]:
        """All fields of the file but the first three."""
        report = opened.report
        region, bid, meter = report.region, bytes.fromhex(report.bid), bytes.fromhex(report.meter)
        steps = self._ledger.ask(pricing.tariffs, region, month)
        tariffs = tuple(self._entry(pricing_types.TARIFFS, region, month, from_k) for from_k, _ in steps)
        channels = tuple(self._channel(report, month, channel, step) for channel in report.channels)
        return (
            region,
            month,
            opened.version,
            opened.sealed,
            self._entry(BILLS, region, month, bid, opened.version),
            self._entry(registry_types.MONTHS, region, month),
            self._entry(registry_types.REGIONS, region),
            self._entry(registry_types.METERS, meter),
            self._entry(pricing_types.STEPS, region, month),
            tariffs,
            self._key(card),
            channels,
        )

    def _key(self, card: Card | None) -> tuple[ProvenEntry, ...]:
        """Whose the key is that signed the card, and who that is."""
        use = self._ledger.ask(registry.key_use, card.key) if card else None
        if card is None or use is None:
            return ()
        key = self._entry(registry_types.KEY_USES, card.key)
        return key, self._entry(registry_types.PARTICIPANTS, use.participant)

    def _entry(self, table: Map[Any], *key: Any) -> ProvenEntry:
        proven = self._ledger.prove(table, *key)
        value = b"" if proven.value is None else _encoded(table, proven.value)
        return ProvenEntry(value, encode(proven.proof))

    def _channel(self, report: Report, month: MonthId, channel: ReportChannel, step: Step) -> ProvenChannel:
        direction, region = Direction.parse(channel.channel), report.region
        bounds = MonthBounds(month, report.month_start_s, report.month_end_s, report.period_s)
        slots = []
        for k in range(bounds.first_k, bounds.end_k):
            folded = self._ledger.ask(aggregation.folded_slot, region, direction, month, k)
            if folded is None:
                raise RecordUnknownError(channel=direction.label, k=k)
            slots.append(encode(folded))
            step(k)
        lines = tuple(self._line(report, month, direction, line, step) for line in channel.lines)
        named = [line.k for line in lines if line.claims] + [absence.k for absence in channel.absences]
        return ProvenChannel(
            direction,
            self._entry(aggregation_types.FOLDS, region, direction, month),
            tuple(slots),
            self._entry(pricing_types.FOLDS, region, direction, month),
            self._ledger.ask(pricing.month_prices, region, direction, month),
            lines,
            tuple(self._absence(report, month, direction, absence) for absence in channel.absences),
            tuple(ProvenLate(k, self._entry(aggregation_types.LATE, region, direction, k)) for k in named),
        )

    # --- slots -------------------------------------------------------------------------------------------------------

    def _line(self, report: Report, month: MonthId, direction: Direction, line: ReportLine, step: Step) -> ProvenLine:
        slot = Slot(RegionId(report.region), direction, line.k)
        bodies, leaves = self._bodies(slot), self._leaves_of(slot, month)
        first, second = _halves(bodies, leaves, slot, [bytes.fromhex(prid) for prid in line.prids])
        step(line.k)
        positions = (first.leaf.position, second.leaf.position) if first.late or second.late else ()
        claims = tuple(self._entry(aggregation_types.CLAIMED, *slot, position) for position in positions)
        return ProvenLine(line.k, first, second, claims)

    def _absence(self, report: Report, month: MonthId, direction: Direction, absence: ReportAbsence) -> ProvenAbsence:
        slot = Slot(RegionId(report.region), direction, absence.k)
        if self._ledger.ask(aggregation.roster, *slot) is None:
            return ProvenAbsence(absence.k, (), (), (), ())
        leaves, named = self._leaves_of(slot, month), tuple(bytes.fromhex(leaf) for leaf in absence.leaves)
        places = tuple(_places(leaves, named, slot))
        claims = tuple(self._entry(aggregation_types.CLAIMED, *slot, place.position) for place in places)
        halves: tuple[ProvenHalf, ...] = ()
        if absence.why == Why.EXCLUDED.value:
            bodies = self._bodies(slot)
            by_leaf = {roster_leaf(each.prid): each.prid for _, _, body in bodies for each in body.records}
            halves = tuple(_halves(bodies, leaves, slot, [by_leaf[leaf] for leaf in named if leaf in by_leaf]))
        return ProvenAbsence(absence.k, named, places, claims, halves)

    def _bodies(self, slot: Slot) -> _Bodies:
        """A slot's batches with their numbers, and those of its side batch."""
        bodies = [(False, at, body) for at, body in enumerate(self._ledger.ask(aggregation.bodies, *slot))]
        if self._ledger.ask(aggregation.late, *slot):
            bodies += [(True, at, body) for at, body in enumerate(self._ledger.ask(aggregation.late_bodies, *slot))]
        return bodies


def _halves(bodies: _Bodies, leaves: list[bytes], slot: Slot, prids: Sequence[bytes]) -> list[ProvenHalf]:
    """Records of a slot with what proves them; each tree is computed once."""
    placed = [_place(bodies, slot, prid) for prid in prids]
    positions = [bodies[at][2].positions[index] for at, index in placed]
    proofs = zip(placed, _paths(bodies, placed), positions, merkle.inclusion_proofs(leaves, positions), strict=True)
    halves = []
    for (at, index), path, position, leaf_path in proofs:
        late, batch, body = bodies[at]
        halves.append(ProvenHalf(body.records[index], late, batch, index, path, ProvenLeaf(position, leaf_path)))
    return halves


def _place(bodies: _Bodies, slot: Slot, prid: bytes) -> tuple[int, int]:
    """Which of a slot's batches a record stands in, and where there."""
    for at, (_, _, body) in enumerate(bodies):
        for index, record in enumerate(body.records):
            if record.prid == prid:
                return at, index
    raise RecordUnknownError(channel=slot.channel.label, k=slot.k)


def _paths(bodies: _Bodies, placed: Sequence[tuple[int, int]]) -> list[merkle.Proof]:
    """What leads from each record to the root of its batch; a batch's tree is computed once."""
    paths: dict[tuple[int, int], merkle.Proof] = {}
    for at in {at for at, _ in placed}:
        own = [each for each in placed if each[0] == at]
        found = merkle.inclusion_proofs([encode(each) for each in bodies[at][2].records], [index for _, index in own])
        paths |= zip(own, found, strict=True)
    return [paths[each] for each in placed]


def _places(leaves: list[bytes], named: tuple[bytes, ...], slot: Slot) -> Iterator[ProvenLeaf]:
    for leaf in named:
        position = bisect_left(leaves, leaf)
        if leaves[position : position + 1] != [leaf]:
            raise RecordUnknownError(channel=slot.channel.label, k=slot.k)
        yield ProvenLeaf(position, tuple(merkle.inclusion_proof(leaves, position)))


def _encoded(table: Map[Any], value: Any) -> bytes:
    """A value as the table stores it."""
    return encode(value) if isinstance(table.value, type) else table.value.encode(value)
