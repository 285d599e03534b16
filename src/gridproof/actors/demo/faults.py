"""Meters and lines that fail: what stands between a meter's register and its records, and between it and aggregators.

Nothing in meters or aggregators knows of it: the store of readings and the transport are wrapped.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from gridproof.actors.data_aggregator import DataAggregator
from gridproof.actors.fleet import Fleet
from gridproof.actors.transport import Delivery, Receipt, Reply, Transport
from gridproof.connectors.readings import Reading, SqliteReadings
from gridproof.domain import WORD, Direction, Half, Slot, receipt_hash, record_hash
from gridproof.errors import GridproofError
from gridproof.modules.aggregation.types import SlotRecord
from gridproof.primitives.schnorr import Signer

from .script import ABSURD_WH, Part, Script


class FailingRegisters(SqliteReadings):
    """Readings as the meters report them: a dead meter none, a broken one an absurd one, a dishonest one too little.

    Args:
        path: the true readings.
        script: which meters fail, and when.
        period_s: length of a period in seconds.
    """

    def __init__(self, path: Path, script: Script, period_s: int) -> None:
        super().__init__(path)
        self._script = script
        self._period_s = period_s

    def slot(self, channel: Direction, start_s: int) -> list[Reading]:
        """All meters' readings of one period, by name, as they report them."""
        k, part, shown_wh = start_s // self._period_s, self._script.absurd, self._script.shown_wh
        readings = [
            each._replace(energy_wh=shown_wh(Part(Slot(part.slot.region, channel, k), each.meter), each.energy_wh))
            for each in super().slot(channel, start_s)
            if not self._script.is_silent(each.meter, k)
        ]
        if (channel, k) != (part.slot.channel, part.slot.k):
            return readings
        return [each._replace(energy_wh=ABSURD_WH) if each.meter == part.meter else each for each in readings]


class Line(Transport):
    """A part of the way from meters to aggregators; whoever sits there may do with what passes what it likes.

    Args:
        onward: the rest of the way.
    """

    def __init__(self, onward: Transport) -> None:
        self._onward = onward

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        """Carry records on, as far as they get past here."""
        met = [self.meet(aggregator, delivery) for delivery in deliveries]
        replies = iter(self._onward.deliver(aggregator, [each for each in met if isinstance(each, Delivery)]))
        answers = [next(replies) if isinstance(each, Delivery) else each for each in met]
        for sent, passed, answer in zip(deliveries, met, answers, strict=True):
            if isinstance(passed, Delivery) and passed != sent:
                self.answered(aggregator, answer)
        return answers

    def meet(self, aggregator: int, delivery: Delivery) -> Delivery | Reply:
        """What is carried on in a record's stead, or the answer that its sender gets at once."""
        return delivery

    def answered(self, aggregator: int, reply: Reply) -> None:
        """The aggregator's answer to something that was carried on in another's stead."""


class Tap(Line):
    """Remembers what passed in some slots, and to whom.

    Args:
        onward: the rest of the way.
        slots: those to remember.
    """

    def __init__(self, onward: Transport, slots: Iterable[Slot]) -> None:
        super().__init__(onward)
        self._seen: dict[Slot, dict[bytes, tuple[int, SlotRecord]]] = {slot: {} for slot in slots}

    def meet(self, aggregator: int, delivery: Delivery) -> Delivery | Reply:
        """Look, and let it pass."""
        if delivery.slot in self._seen:
            self._seen[delivery.slot][delivery.record.prid] = (aggregator, delivery.record)
        return delivery

    def records(self, slot: Slot, aggregator: int | None = None) -> list[SlotRecord]:
        """What passed in a slot, to one aggregator or to any, in the order in which it did."""
        return [record for to, record in self._seen[slot].values() if aggregator in (None, to)]


class LossyLine(Line):
    """Loses one half of a meter's reading, as often as it is sent, and keeps it.

    Args:
        onward: the rest of the way.
        part: whose, and where.
        fleet: tells which record is that meter's second half.
    """

    def __init__(self, onward: Transport, part: Part, fleet: Fleet) -> None:
        super().__init__(onward)
        self._part = part
        self._fleet = fleet
        self.kept: SlotRecord | None = None

    def meet(self, aggregator: int, delivery: Delivery) -> Delivery | Reply:
        """Let everything pass but this."""
        if delivery.slot != self._part.slot:
            return delivery
        meter = self._fleet.find(self._part.meter, delivery.slot.k)
        entries = self._fleet.outbox.find(meter.handle, delivery.slot) if meter else []
        if any(entry.half == Half.SECOND and entry.record == delivery.record for entry in entries):
            self.kept = delivery.record
            return None
        return delivery


class Tamperer(Line):
    """Adds 1,000 Wh to the first record that passes to an aggregator in a slot.

    Args:
        onward: the rest of the way.
        slot: where.
        aggregator: to whom.
        told: of the answer.
    """

    def __init__(self, onward: Transport, slot: Slot, aggregator: int, told: Callable[[Reply], None]) -> None:
        super().__init__(onward)
        self._slot = slot
        self._aggregator = aggregator
        self._told = told
        self._done = False

    def meet(self, aggregator: int, delivery: Delivery) -> Delivery | Reply:
        """Alter one, let the others pass."""
        if self._done or (aggregator, delivery.slot) != (self._aggregator, self._slot):
            return delivery
        self._done = True
        return Delivery(delivery.slot, altered(delivery.record))

    def answered(self, aggregator: int, reply: Reply) -> None:
        """Tell what came of it."""
        self._told(reply)


class Desk(NamedTuple):
    """An aggregator's reception.

    Attributes:
        aggregator: its participant id.
        signer: its receipt key.
        chain_id: of the ledger.
    """

    aggregator: int
    signer: Signer
    chain_id: str

    def receipt(self, delivery: Delivery) -> Receipt:
        """Sign for a record, as if it were taken."""
        slot, record = delivery
        signed = record_hash(self.chain_id, slot, record.prid, record.rc)
        receipted = receipt_hash(self.chain_id, slot, record.prid, signed, self.aggregator)
        return Receipt(self.aggregator, self.signer.sign(receipted))


class DroppingDesk(Line):
    """An aggregator's reception that signs for one meter's records of a slot, and lets them fall.

    Args:
        onward: the rest of the way.
        desk: whose reception.
        slot: from this slot on, in its region and channel, the first meter that can be dropped is.
        spared: meters that have other parts.
        fleet: tells whose a record is, for the report alone.
    """

    def __init__(self, onward: Transport, desk: Desk, slot: Slot, spared: frozenset[str], fleet: Fleet) -> None:
        super().__init__(onward)
        self._desk = desk
        self._slot = slot
        self._spared = spared
        self._fleet = fleet
        self._known_slot: Slot | None = None
        self._owners: dict[bytes, str] = {}
        self.dropped: Part | None = None
        self.records: list[SlotRecord] = []

    def meet(self, aggregator: int, delivery: Delivery) -> Delivery | Reply:
        """Sign for the victim's records, and hand on the others."""
        if aggregator != self._desk.aggregator or not self._is_victims(delivery):
            return delivery
        self.records.append(delivery.record)
        return self._desk.receipt(delivery)

    @property
    def aggregator(self) -> int:
        """Whose reception it is."""
        return self._desk.aggregator

    def _is_victims(self, delivery: Delivery) -> bool:
        slot = delivery.slot
        if slot[:2] != self._slot[:2] or slot.k < self._slot.k or (self.dropped and slot != self.dropped.slot):
            return False
        owner = self._owner(delivery)
        if self.dropped is None and owner and owner not in self._spared:
            self.dropped = Part(slot, owner)
        return self.dropped == Part(slot, owner)

    def _owner(self, delivery: Delivery) -> str:
        if delivery.slot != self._known_slot:
            self._known_slot = delivery.slot
            self._owners = {
                entry.record.prid: meter.name
                for handle, entries in self._fleet.outbox.of_slot(delivery.slot).items()
                if (meter := self._fleet.by_handle(handle)) is not None
                for entry in entries
            }
        return self._owners.get(delivery.record.prid, "")


def altered(record: SlotRecord) -> SlotRecord:
    """A record that says 1,000 Wh more, under the same signature."""
    return SlotRecord(record.prid, (record.rc + 1_000) % WORD, record.signature)


def reason_of(aggregator: DataAggregator, delivery: Delivery) -> GridproofError | None:
    """Hand a record in at an aggregator's door, and return why it was turned away; None if it was taken."""
    (reply,) = aggregator.deliver(aggregator.seat.participant, [delivery])
    return reply if isinstance(reply, GridproofError) else None
