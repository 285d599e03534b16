"""A meter: makes two masked records of each reading, keeps them, and sends them at random times.

Rules:
    T-1 A period's records are made once and stored before the first send; what is sent again are the same bytes.
    T-2 Another reading of a recorded period is refused.
    T-3 The halves are sent apart, at times drawn over a share of what is left of the slot's window, each to an
        aggregator drawn for it; what gets no receipt is sent again, to the next one.
    T-4 When the window of a month's last slot is over, its keys are led on and the old ones erased: nothing of a past
        month can be signed any more. Until then the meter works in both months.

Source: seed 002, data aggregation phase; private-metering.md, rows 2, 9, 11, 15 and scheme P.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.connectors.outbox import Entry, Outbox
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import (
    Direction,
    Half,
    MonthBounds,
    MonthId,
    RegionId,
    RegionRules,
    RegisterSpan,
    SignSeeds,
    Slot,
    ViewSeeds,
    halves,
    leaf_at,
    receipt_hash,
    record_hash,
    register_hash,
    register_key,
    sign_seeds,
    signer,
    view_seeds,
)
from gridproof.modules.aggregation.messages import ClaimDropped
from gridproof.modules.aggregation.types import SlotRecord
from gridproof.primitives import schnorr
from gridproof.primitives.schnorr import Signer

from .bills.words import RegisterWord
from .enrolment import MeterFile, read_meter, write_meter
from .errors import MonthErasedError, ReadingDiffersError, RecordTooLateError, WrongMonthError
from .public_rosters import FindLeaf
from .randomness import Randomness, below
from .transport import Delivery, Receipt, Reply, Transport

SENDING_SHARE: Final = (1, 2)  # of what is left of the window: when meters send first; the rest is for sending again
RETRY_SHARE: Final = (1, 8)  # of the window, after which a record without receipt is sent again


class Surroundings(NamedTuple):
    """What a meter knows of the world; all of it is public.

    Attributes:
        rules: of its region.
        receipt_keys: the data aggregators that serve its region, by participant id, with their receipt keys.
    """

    rules: RegionRules
    receipt_keys: Mapping[int, bytes]


class _Seeds(NamedTuple):
    sign: SignSeeds
    view: ViewSeeds


class _Month(NamedTuple):
    """A month that a meter works in: its instants, the seeds of each channel, and what signs each one's registers."""

    bounds: MonthBounds
    seeds: dict[int, _Seeds]
    registers: dict[int, Signer]


class Meter:
    """A meter.

    Args:
        path: its enrolment file, which it leads on from month to month.
        secrets: opens and seals that file.
        outbox: keeps its records.
        surroundings: its region's rules and aggregators.
        randomness: draws times and aggregators.

    Raises:
        FileError, SecretFileError: the file is not there, exposed, sealed, or no secret of a meter.
        SecretFormatError: its content is not a meter's.
    """

    def __init__(
        self, path: Path, secrets: SecretFiles, outbox: Outbox, surroundings: Surroundings, randomness: Randomness
    ) -> None:
        self._path = path
        self._secrets = secrets
        self._outbox = outbox
        self._around = surroundings
        self._randomness = randomness
        self._file: MeterFile = read_meter(secrets, path)
        self._months: dict[int, _Month] = {}
        self._waiting = {(entry.slot, entry.half): entry for entry in outbox.unsent(self._file.meter)}

    def __repr__(self) -> str:
        return f"Meter({self._file.name!r})"

    @property
    def name(self) -> str:
        """Its name among people."""
        return self._file.name

    @property
    def handle(self) -> bytes:
        """Its handle on the ledger, 16 bytes."""
        return self._file.meter

    @property
    def region(self) -> RegionId:
        """Where it stands."""
        return RegionId(self._file.region)

    @property
    def from_k(self) -> int:
        """First period that it reports."""
        return self._file.from_k

    @property
    def channels(self) -> tuple[Direction, ...]:
        """What it reports."""
        return tuple(Direction(each.channel) for each in self._file.chains)

    # --- months ----------------------------------------------------------------------------------------------------

    def begin_month(self, bounds: MonthBounds, now_s: int) -> None:
        """Work in a month; once the months before are over, lead the keys on and erase theirs (T-4).

        Harmless where it is so already: it is called again at each period, until the windows of the month before end.

        Args:
            bounds: the month as the operator opened it.
            now_s: the time, UTC epoch seconds.

        Raises:
            MonthErasedError: the month is past and its keys are erased.
            FileUnwritableError: the keys cannot be written; the month stays as it was.
        """
        over = now_s >= bounds.start_s + self._around.rules.window_s
        known = self._months.get(bounds.month)
        if known is not None and known.bounds == bounds and not (over and self._file.month < bounds.month):
            return
        moved = self._file.in_month(bounds.month)
        if over and moved.month != self._file.month:
            write_meter(self._secrets, self._path, moved)
            self._file = moved
            self._months = {month: each for month, each in self._months.items() if month >= bounds.month}
        registers = {chain.channel: register_key(chain.sign) for chain in moved.chains}
        self._months[bounds.month] = _Month(bounds, _seeds(moved), registers)

    # --- records ---------------------------------------------------------------------------------------------------

    def record(self, slot: Slot, reading_wh: int, now_s: int) -> None:
        """Make and store the records of a reading; harmless where they are there already (T-1, T-2).

        Args:
            slot: channel and period, in the meter's region and in a month that it works in.
            reading_wh: what it read, Wh.
            now_s: the time, UTC epoch seconds.

        Raises:
            ReadingDiffersError: the period has records of another reading.
            MonthErasedError: the period lies in a month whose keys are erased.
            WrongMonthError: it lies outside the months that the meter works in.
            ChannelUnknownError: the meter does not report on this channel.
            OutOfRangeError: the reading is negative or beyond any household's meter.
        """
        records = self._make(slot, reading_wh)
        stored = self._outbox.find(self.handle, slot)
        if stored:
            if [entry.record for entry in stored] != records:
                raise ReadingDiffersError(meter=self.name, channel=slot.channel.label, k=slot.k)
            return
        entries = [
            Entry(slot, half, record, send_s, self._draw_aggregator())
            for half, record, send_s in zip(Half, records, self._sending_times(slot, now_s), strict=True)
        ]
        self._outbox.put(self.handle, entries)
        self._waiting |= {(entry.slot, entry.half): entry for entry in entries}

    def _make(self, slot: Slot, reading_wh: int) -> list[SlotRecord]:
        bounds, seeds, _ = self._month_of(slot)
        self._file.chain(slot.channel)
        values = halves(reading_wh, *(leaf_at(seed, bounds, slot.k) for seed in seeds[slot.channel].view))
        records = []
        for seed, rc in zip(seeds[slot.channel].sign, values, strict=True):
            one_time = signer(seed, bounds, slot.k)
            prid = one_time.public_key
            signed = one_time.sign(record_hash(self._file.chain_id, slot, prid, rc))
            records.append(SlotRecord(prid, rc, signed))
        return records

    def _month_of(self, slot: Slot) -> _Month:
        firsts = [month.bounds.first_k for month in self._months.values()]
        if firsts and slot.k < min(firsts):
            raise MonthErasedError(what=f"meter {self.name}", month=min(self._months) - 1)
        if slot.region == self.region and slot.k >= self.from_k:
            for month in self._months.values():
                if month.bounds.contains(slot.k):
                    return month
        raise WrongMonthError(meter=self.name, k=slot.k)

    def _sending_times(self, slot: Slot, now_s: int) -> tuple[int, int]:
        """Draw a time for each half, over a share of what is left of the window; never the same while there are two."""
        rules, (above, below_) = self._around.rules, SENDING_SHARE
        end_s = (slot.k + 1) * rules.period_s
        start_s = max(now_s, end_s)
        span_s = max(1, (end_s + rules.window_s - start_s) * above // below_)
        first = below(self._randomness, span_s)
        second = (first + 1 + below(self._randomness, max(1, span_s - 1))) % span_s
        return start_s + first, start_s + second

    def _draw_aggregator(self) -> int:
        serving = sorted(self._around.receipt_keys)
        return serving[below(self._randomness, len(serving))]

    # --- sending ---------------------------------------------------------------------------------------------------

    def due(self, now_s: int, last_call: Collection[int] = ()) -> list[Entry]:
        """The records that are to be sent by now, in the order of their times (T-3).

        Args:
            now_s: the time, UTC epoch seconds.
            last_call: periods of which nothing can be sent later, so that all is due.
        """
        due = (each for each in self._waiting.values() if each.send_s <= now_s or each.slot.k in last_call)
        return sorted(due, key=lambda each: each.send_s)

    @property
    def next_send_s(self) -> int | None:
        """When the next record is to be sent, UTC epoch seconds, or None where none waits."""
        return min((each.send_s for each in self._waiting.values()), default=None)

    def take_reply(self, entry: Entry, reply: Reply, now_s: int) -> None:
        """Keep a receipt, or plan another sending; after the window, give up.

        Args:
            entry: what was sent.
            reply: what came back for it.
            now_s: the time, UTC epoch seconds.
        """
        place = (entry.slot, entry.half)
        key = self._checked_key(entry, reply) if isinstance(reply, Receipt) else None
        if isinstance(reply, Receipt) and key is not None:
            kept = entry._replace(aggregator=reply.aggregator, receipt=reply.signature, receipt_key=key)
            self._outbox.receipted(self.handle, [kept])
            self._waiting.pop(place, None)
            return
        rules = self._around.rules
        window_end_s = (entry.slot.k + 1) * rules.period_s + rules.window_s
        if now_s >= window_end_s or isinstance(reply, RecordTooLateError):
            self._outbox.give_up(self.handle, [entry])
            self._waiting.pop(place, None)
            return
        above, below_ = RETRY_SHARE
        again_s = now_s + max(1, rules.window_s * above // below_)
        later = entry._replace(send_s=again_s, aggregator=self._after(entry.aggregator))
        self._outbox.postpone(self.handle, [later])
        self._waiting[place] = later

    def _after(self, aggregator: int) -> int:
        serving = sorted(self._around.receipt_keys)
        return next((each for each in serving if each > aggregator), serving[0])

    def _checked_key(self, entry: Entry, receipt: Receipt) -> bytes | None:
        """The key that a receipt is good under, or None where it is good for nothing."""
        key = self._around.receipt_keys.get(receipt.aggregator)
        if key is None:
            return None
        chain_id, record = self._file.chain_id, entry.record
        signed = record_hash(chain_id, entry.slot, record.prid, record.rc)
        receipted = receipt_hash(chain_id, entry.slot, record.prid, signed, receipt.aggregator)
        return key if schnorr.is_valid(key, receipted, receipt.signature) else None

    # --- registers ---------------------------------------------------------------------------------------------------

    def sign_register(self, month: MonthId, span: RegisterSpan) -> RegisterWord:
        """Sign what the register said at both ends of a stretch, for the bill.

        Args:
            month: the month that the stretch ends in, in which the meter works.
            span: channel, and the register at both ends.

        Raises:
            MonthErasedError: the month is past and its keys are erased, or not begun.
            ChannelUnknownError: the meter does not report on this channel.
        """
        known = self._months.get(month)
        self._file.chain(span.channel)
        if known is None:
            raise MonthErasedError(what=f"meter {self.name}", month=month)
        signed = register_hash(self._file.chain_id, self.handle, month, span)
        return RegisterWord(self.handle, month, *span, known.registers[span.channel].sign(signed))

    # --- dropped records ---------------------------------------------------------------------------------------------

    def claims(self, entries: Sequence[Entry], find: FindLeaf) -> list[ClaimDropped]:
        """Claims for records that were receipted and are not on the ledger; another participant brings them.

        A claim names the key under which the receipt was checked when it came, whatever the aggregator's is by now.

        Args:
            entries: the meter's records of a closed slot.
            find: tells of an identity its leaf's position and path, if that leaf stayed empty.
        """
        claims = []
        for entry in entries:
            receipt, key = entry.receipt, entry.receipt_key
            if receipt is None or key is None:
                continue
            leaf = find(entry.record.prid)
            if leaf is not None:
                claims.append(ClaimDropped(*entry.slot, entry.aggregator, key, receipt, entry.record, *leaf))
        return claims

    def forget(self, before_k: int) -> None:
        """Erase the records of periods before `before_k`: their bills are final."""
        self._outbox.forget([self.handle], before_k)


def _seeds(file: MeterFile) -> dict[int, _Seeds]:
    return {
        each.channel: _Seeds(
            sign_seeds(each.sign, Direction(each.channel)), view_seeds(each.view, Direction(each.channel))
        )
        for each in file.chains
    }


def send_due(
    meters: Sequence[Meter],
    transport: Transport,
    outbox: Outbox,
    now_s: int,
    last_call: Mapping[int, Collection[int]] | None = None,
) -> int:
    """Send what is due of many meters in the order of the drawn times, and store all replies with one sync.

    Args:
        meters: that share an outbox and a way to the aggregators.
        transport: that way.
        outbox: theirs.
        now_s: the time, UTC epoch seconds.
        last_call: periods of each region that are not visited again before their window ends.

    Returns:
        How many records were sent.
    """
    last = last_call or {}
    due = sorted(
        ((entry, meter) for meter in meters for entry in meter.due(now_s, last.get(meter.region, ()))),
        key=lambda each: (each[0].send_s, each[0].record.prid),
    )
    groups: dict[int, list[tuple[Entry, Meter]]] = {}
    for entry, meter in due:
        groups.setdefault(entry.aggregator, []).append((entry, meter))
    answered: list[tuple[Entry, Meter, Reply]] = []
    for aggregator, group in groups.items():
        replies = transport.deliver(aggregator, [Delivery(entry.slot, entry.record) for entry, _ in group])
        answered += [(*sent, reply) for sent, reply in zip(group, replies, strict=True)]
    if answered:
        with outbox.transaction():
            for entry, meter, reply in answered:
                meter.take_reply(entry, reply, now_s)
    return len(due)
