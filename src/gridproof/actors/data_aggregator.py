"""A data aggregator: takes meters' records, signs for each, and brings them to the ledger in batches.

The checks of a record, in this order; the first that fails turns it away:
    1. the slot's period is over and its window is not;
    2. the filter BF1 knows its identity (cheap, no proof);
    3. its identity is one of the slot's roster, which agrees with the ledger;
    4. its signature holds for this chain, slot, identity and value;
    5. its identity has sent no other record: the first stays, and the same one gets the same receipt, or one under the
       present key if that was replaced in between.
A receipt is given only when the record lies durably in the inbox.

Source: seed 002, data aggregation phase; private-metering.md, rows 4 to 9, 14 and 15.
"""

from collections.abc import Sequence
from typing import Final

from gridproof.connectors.inbox import Inbox, Taken
from gridproof.domain import (
    PRID_SIZE,
    U64_MAX,
    RegionRules,
    Slot,
    bitmap_of,
    is_marked,
    receipt_hash,
    record_hasher,
    roster_leaf,
)
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import SubmitBatch, SubmitLate
from gridproof.modules.aggregation.rules.timetable import timetable
from gridproof.modules.aggregation.types import SlotRecord, Status
from gridproof.modules.registry import queries as registry
from gridproof.primitives import merkle, schnorr
from gridproof.primitives.schnorr import Signer

from .clock import Clock
from .errors import (
    BadRecordError,
    DeliveryError,
    NoRosterError,
    OtherRecordError,
    RecordTooEarlyError,
    RecordTooLateError,
    UnknownIdentityError,
)
from .public_rosters import PublicRosters, SlotRoster
from .seat import Seat
from .transport import Delivery, Receipt, Reply

_KEPT_SLOTS: Final = 64


class DataAggregator:
    """A data aggregator.

    Args:
        seat: at the ledger.
        receipt_signer: holds its receipt key.
        rosters: the bill provider's public files.
        inbox: where records are kept.
        clock: tells which windows are open.
    """

    def __init__(self, seat: Seat, receipt_signer: Signer, rosters: PublicRosters, inbox: Inbox, clock: Clock) -> None:
        self.seat = seat
        self._signer = receipt_signer
        self._rosters = rosters
        self._inbox = inbox
        self._clock = clock
        self._rules: dict[int, RegionRules] = {}
        self._taken: dict[Slot, dict[int, Taken]] = {}
        self._brought: dict[Slot, tuple[frozenset[int], int]] = {}  # positions, and the height at which

    # --- taking records ----------------------------------------------------------------------------------------------

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        """Take records as a `Transport` does; whose answer is another's gets none.

        Args:
            aggregator: to whom they were sent.
            deliveries: in the order in which they came.
        """
        if aggregator != self.seat.participant:
            return [None] * len(deliveries)
        self._rosters.recheck()
        try:
            with self._inbox.transaction():
                return [self._answer(delivery) for delivery in deliveries]
        except BaseException:
            for delivery in deliveries:
                self._taken.pop(delivery.slot, None)  # nothing of this was stored
            raise

    def take(self, slot: Slot, record: SlotRecord) -> Receipt:
        """Take one record, durably, and sign for it.

        Args:
            slot: where it claims to belong.
            record: as it came.

        Raises:
            DeliveryError: it is not taken, for this reason; the inbox stays as it was.
            OtherRecordError: its identity has sent another one.
        """
        roster = self._check(slot, record)  # steps 1 to 4
        position = roster.positions[roster_leaf(record.prid)]
        # Step 5.
        held = self._held(slot)
        taken = held.get(position)
        if taken is None:
            taken = Taken(position, record, self._sign(slot, record))
            self._inbox.put(slot, [taken])
            held[position] = taken
        elif taken.record.rc != record.rc:
            raise OtherRecordError(prid=record.prid)
        elif not self._is_own(
            slot, taken
        ):  # the receipt key was replaced since: meters hold it against the present one
            taken = taken._replace(receipt=self._sign(slot, record))
            held[position] = taken
        return Receipt(self.seat.participant, taken.receipt)

    def _answer(self, delivery: Delivery) -> Reply:
        try:
            return self.take(delivery.slot, delivery.record)
        except DeliveryError as refused:
            return refused

    def _check(self, slot: Slot, record: SlotRecord) -> SlotRoster:
        _require_form(record)
        # Step 1.
        now_s = self._clock.now_s()
        times = timetable(slot.k, self._rules_of(slot))
        if now_s < times.period_end_s:
            raise RecordTooEarlyError(now_s=now_s, end_s=times.period_end_s)
        if now_s >= times.window_end_s:
            raise RecordTooLateError(now_s=now_s, end_s=times.window_end_s)
        # Step 2.
        roster = self._rosters.of(slot)
        leaf = roster_leaf(record.prid)
        if leaf not in roster.bloom:
            raise UnknownIdentityError(prid=record.prid, filtered=True)
        # Step 3.
        if leaf not in roster.positions:
            raise UnknownIdentityError(prid=record.prid, filtered=False)
        # Step 4.
        signed = record_hasher(self.seat.chain_id, slot)(record.prid, record.rc)
        if not schnorr.is_valid(record.prid, signed, record.signature):
            raise BadRecordError(prid=record.prid)
        return roster

    def _sign(self, slot: Slot, record: SlotRecord) -> bytes:
        return self._signer.sign(self._receipted(slot, record))

    def _is_own(self, slot: Slot, taken: Taken) -> bool:
        """Whether a receipt was signed with the present key."""
        return schnorr.is_valid(self._signer.public_key, self._receipted(slot, taken.record), taken.receipt)

    def _receipted(self, slot: Slot, record: SlotRecord) -> bytes:
        chain_id, aggregator = self.seat.chain_id, self.seat.participant
        signed = record_hasher(chain_id, slot)(record.prid, record.rc)
        return receipt_hash(chain_id, slot, record.prid, signed, aggregator)

    def _rules_of(self, slot: Slot) -> RegionRules:
        if slot.region not in self._rules:
            region = self.seat.ask(registry.region, slot.region)
            if region is None:
                raise NoRosterError(
                    region=slot.region, channel=slot.channel.label, k=slot.k, detail="there is no such region"
                )
            self._rules[slot.region] = region.rules
        return self._rules[slot.region]

    def _held(self, slot: Slot) -> dict[int, Taken]:
        if slot not in self._taken:
            while len(self._taken) >= _KEPT_SLOTS:
                self._taken.pop(next(iter(self._taken)))
            self._taken[slot] = self._inbox.of(slot)
        return self._taken[slot]

    # --- bringing batches --------------------------------------------------------------------------------------------

    def submit(self, slot: Slot) -> int:
        """Bring the records of a slot that the ledger lacks, if there are any and it still takes them.

        What was brought a moment ago and stands in no block yet is not brought again; a restart may bring it twice,
        which counts once.

        Returns:
            How many records were brought.

        Raises:
            NoRosterError: no roster file agrees with the ledger.
        """
        positions = self.pending(slot)
        if not positions:
            return 0
        held = self._held(slot)
        roster = self._rosters.of(slot)
        count = len(roster.leaves)
        self.seat.send(
            SubmitBatch(
                *slot,
                roster.root,
                count,
                bitmap_of(count, positions),
                tuple(held[position].record for position in positions),
                merkle.multi_proof(roster.leaves, positions),
            )
        )
        self._brought[slot] = (frozenset(held), self.seat.height)
        while len(self._brought) > _KEPT_SLOTS:
            self._brought.pop(next(iter(self._brought)))
        return len(positions)

    def submit_late(self, slot: Slot, records: Sequence[SlotRecord]) -> int:
        """Bring records of a slot that takes no more batches: they go on bills only.

        Args:
            slot: where they belong.
            records: as meters kept them; those of no leaf, or not signed by theirs, are left out.

        Returns:
            How many records were brought.

        Raises:
            NoRosterError: no roster file agrees with the ledger.
        """
        roster = self._rosters.of(slot)
        signed = record_hasher(self.seat.chain_id, slot)
        held: dict[int, SlotRecord] = {}
        for record in records:
            position = roster.positions.get(roster_leaf(record.prid)) if _is_formed(record) else None
            if position is not None and schnorr.is_valid(record.prid, signed(record.prid, record.rc), record.signature):
                held.setdefault(position, record)
        positions, count = sorted(held), len(roster.leaves)
        if positions:
            brought = tuple(held[position] for position in positions)
            proof = merkle.multi_proof(roster.leaves, positions)
            bitmap = bitmap_of(count, positions)
            self.seat.send(SubmitLate(*slot, roster.root, count, bitmap, brought, proof))
        return len(positions)

    def pending(self, slot: Slot) -> list[int]:
        """Positions of the records that are here, that the slot takes, and that the ledger lacks, ascending."""
        held = self._held(slot)
        if not held or self._brought.get(slot) == (frozenset(held), self.seat.height):
            return []
        state = self.seat.ask(aggregation.slot, *slot)
        if state is not None and state.status != Status.OPEN:
            return []
        filled = b"" if state is None else state.filled
        return sorted(position for position in held if not is_marked(filled, position))

    def forget(self, region: int, before_k: int) -> None:
        """Erase a region's records of periods before `before_k`: their claim deadline has passed."""
        self._inbox.forget(region, before_k)
        self._taken.clear()


def _require_form(record: SlotRecord) -> None:
    """Return if the record's parts have their widths: what comes over a wire may be anything."""
    if not _is_formed(record):
        raise BadRecordError(prid=record.prid)


def _is_formed(record: SlotRecord) -> bool:
    sized = len(record.prid) == PRID_SIZE and len(record.signature) == schnorr.SIGNATURE_SIZE
    return sized and 0 <= record.rc <= U64_MAX
