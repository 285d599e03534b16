"""All actors of a community that runs in one place, at their seats: what a conductor lets act."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.connectors.inbox import Inbox
from gridproof.connectors.outbox import Outbox
from gridproof.connectors.readings import ReadingsStore
from gridproof.connectors.registers import Registers, SignedRegister
from gridproof.domain import Direction, MonthBounds, RegionRules, RegisterSpan, Slot, is_marked, month_label
from gridproof.errors import GridproofError
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import ClaimDropped, CloseMonth
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives.schnorr import Signer

from .bill_provider import BillProvider, Policy, Shelf, Totals
from .bills.words import RegisterWord
from .clock import Clock
from .control_center import ControlCenter
from .data_aggregator import DataAggregator
from .errors import MonthErasedError, NodeUnclearError, RegisterUnsignedError
from .fleet import Fleet
from .meter import Meter, Surroundings
from .public_rosters import PublicRosters
from .randomness import Randomness, system
from .seat import Asked, Seat

REGISTERS: Final = "registers.db"


class Post(NamedTuple):
    """A data aggregator's post.

    Attributes:
        seat: at the ledger.
        receipt_signer: holds its receipt key.
        inbox: the file of its inbox.
        regions: numbers of the regions that it serves.
    """

    seat: Seat
    receipt_signer: Signer
    inbox: Path
    regions: tuple[int, ...]


class Posts(NamedTuple):
    """Who sits where.

    Attributes:
        operator: the operator's seat.
        bill_provider: the bill provider's.
        aggregators: the data aggregators' posts.
        control_center: the control centre's seat; nobody prices slots where there is none.
    """

    operator: Seat
    bill_provider: Seat
    aggregators: tuple[Post, ...]
    control_center: Seat | None = None


class Chance(NamedTuple):
    """Where actors draw chance from.

    Attributes:
        keys: for the bill provider's keys and handles.
        meter: for a meter's sending times, by its handle.
    """

    keys: Randomness
    meter: Callable[[bytes], Randomness]


SYSTEM_CHANCE = Chance(system, lambda _meter: system)


class Crew:
    """The actors.

    Args:
        posts: who sits where.
        shelf: where the bill provider's files lie; the meters' enrolment files among them.
        policy: what the bill provider decides for itself.
        outbox: file of the outboxes of the meters that run here; their registers lie beside it.
        clock: by which all act.
        chance: where they draw chance from.
        executor: for heavy work, such as a process pool; on the calling thread when none is given.

    Attributes:
        operator: the operator's seat.
        provider: the bill provider.
        totals: its work on slots.
        aggregators: data aggregators by participant id.
        fleet: the meters whose files lie here.
        registers: what their registers said.
        control_center: announces prices, or None.
        rules: of the regions, by number.

    Raises:
        FileError, SecretFileError, DatabaseError: a file is exposed, sealed, or cannot be used.
    """

    def __init__(
        self,
        posts: Posts,
        shelf: Shelf,
        policy: Policy,
        outbox: Path,
        clock: Clock,
        *,
        chance: Chance = SYSTEM_CHANCE,
        executor: Executor | None = None,
    ) -> None:
        self.operator = posts.operator
        self.rules = rules_of(posts.operator)
        self.provider = BillProvider(posts.bill_provider, shelf, clock, chance.keys, policy, executor)
        self.totals = Totals(self.provider)
        self._posts = posts
        self._inboxes = [Inbox(post.inbox) for post in posts.aggregators]
        self.aggregators: dict[int, DataAggregator] = {
            post.seat.participant: DataAggregator(
                post.seat, post.receipt_signer, PublicRosters(shelf.rosters, post.seat), inbox, clock
            )
            for post, inbox in zip(posts.aggregators, self._inboxes, strict=True)
        }
        self._outbox = Outbox(outbox)
        self.registers = Registers(outbox.with_name(REGISTERS))
        self.control_center = None if posts.control_center is None else ControlCenter(posts.control_center)
        self.fleet = Fleet(shelf.enrolments, shelf.secrets, self._outbox, self._surroundings, chance.meter)
        self._rosters = PublicRosters(shelf.rosters, posts.operator)

    @property
    def seats(self) -> Sequence[Seat]:
        """Where all actors speak from, in the order in which they are settled."""
        priced = [] if self.control_center is None else [self.control_center.seat]
        return [self.operator, self.provider.seat, *(each.seat for each in self.aggregators.values()), *priced]

    def close(self) -> None:
        """Let go of all files."""
        self._outbox.close()
        self.registers.close()
        self.provider.close()
        for inbox in self._inboxes:
            inbox.close()

    def fold_month(self, region: int, month: int) -> None:
        """Say that a month is to be folded, unless it is."""
        known = self.operator.ask(registry.month, region, month)
        if known is not None and not known.closed:
            self.operator.send(CloseMonth(region, month))

    def claim_dropped(self, slot: Slot) -> int:
        """Bring claims for records of a closed slot that meters here have receipts for and the ledger lacks.

        The operator brings them, so that a claim does not tell whose the record is.

        Returns:
            How many claims were brought.

        Raises:
            NoRosterError: no roster file agrees with the ledger.
        """
        claimed = self.operator.ask(aggregation.claimed, *slot)
        missing = [each for each in self.operator.ask(aggregation.missing, *slot) if each not in claimed]
        if not missing:
            return 0
        find = self._rosters.find_missing(slot, missing)
        claims: list[ClaimDropped] = []
        for handle, entries in self._outbox.of_slot(slot).items():
            meter = self.fleet.by_handle(handle)
            claims += meter.claims(entries, find) if meter else ()
        # In the order of the leaves: in that of the outbox a meter's claims would stand together, and those of every
        # slot in the order of the handles, which are on the ledger.
        for claim in sorted(claims, key=lambda each: each.position):
            self.operator.send(claim)
        return len(claims)

    def bring_late(self, slot: Slot) -> int:
        """Bring into a slot's side batch what meters here made for it and neither it nor the slot has.

        One of the region's aggregators brings them, so that what was lost or dropped is billed as it was metered.

        Returns:
            How many records were brought.

        Raises:
            NoRosterError: no roster file agrees with the ledger.
        """
        late = self.operator.ask(aggregation.late, *slot)
        filled = late.filled if late else b""
        held = [each for each in self.operator.ask(aggregation.missing, *slot) if not is_marked(filled, each)]
        serving = [post.seat.participant for post in self._posts.aggregators if slot.region in post.regions]
        if not held or not serving:
            return 0
        find = self._rosters.find_missing(slot, held)
        entries = [entry for made in self._outbox.of_slot(slot).values() for entry in made]
        records = [entry.record for entry in entries if find(entry.record.prid) is not None]
        return self.aggregators[serving[0]].submit_late(slot, records) if records else 0

    def sign_registers(
        self, region: int, bounds: MonthBounds, readings: ReadingsStore, now_s: int
    ) -> list[GridproofError]:
        """Let the meters of a region sign their registers of a month that is over, and tell the bill provider.

        A register that was read off at the stretch's end is what the meter says; where none was, it has followed what
        it measured. Harmless where it was done already, and nothing is done where the month's secrets are erased: every
        run comes by the ends of past months again.

        Args:
            region: the region.
            bounds: the month.
            readings: what the meters measured.
            now_s: the time, UTC epoch seconds.

        Returns:
            What went wrong with single meters.
        """
        problems: list[GridproofError] = []
        if not self.provider.wants_registers(region, bounds.month):
            return problems
        enrolled = dict(self.operator.ask(registry.meters, region))
        for meter in self.fleet:
            known = enrolled.get(meter.handle)
            if known is None:
                continue
            from_k, until_k = bounds.stretch(meter.from_k, known.until_k)
            if from_k >= until_k:
                continue
            try:
                for channel in meter.channels:
                    self._sign_register(meter, channel, bounds, until_k, readings, now_s)
            except MonthErasedError:
                problems.append(RegisterUnsignedError(meter=meter.name, month=month_label(bounds.month)))
            except GridproofError as problem:
                problems.append(problem)
        return problems

    def _sign_register(
        self, meter: Meter, channel: Direction, bounds: MonthBounds, until_k: int, readings: ReadingsStore, now_s: int
    ) -> None:
        signed = self.registers.signed(meter.handle, channel, bounds.month)
        if signed is None:
            meter.begin_month(bounds, now_s)
            span = self._read_register(meter, channel, bounds, until_k, readings)
            word = meter.sign_register(bounds.month, span)
            signed = SignedRegister(meter.handle, bounds.month, span, word.signature)
            self.registers.keep(signed)
        self.provider.cards.take_register(RegisterWord(meter.handle, bounds.month, *signed.span, signed.signature))

    def _read_register(
        self, meter: Meter, channel: Direction, bounds: MonthBounds, until_k: int, readings: ReadingsStore
    ) -> RegisterSpan:
        """What a register says at both ends of a stretch, which begins where the last one ended, or with the meter."""
        last = self.registers.last_signed(meter.handle, channel)
        start_k = last.span.end_k if last else meter.from_k
        start_s, end_s = start_k * bounds.period_s, until_k * bounds.period_s
        start_wh = last.span.end_wh if last else self.registers.find(meter.name, channel, start_s) or 0
        end_wh = self.registers.find(meter.name, channel, end_s)
        if end_wh is None:
            end_wh = start_wh + sum(each.energy_wh for each in readings.of_meter(meter.name, channel, start_s, end_s))
        return RegisterSpan(channel, start_k, until_k, start_wh, end_wh)

    def _surroundings(self, region: int) -> Surroundings:
        keys = {}
        for post in self._posts.aggregators:
            key = self.operator.ask(registry.key, post.seat.participant, KeyRole.RECEIPT)
            if region in post.regions and key is not None:
                keys[int(post.seat.participant)] = key
        if region not in self.rules or not keys:
            raise NodeUnclearError(what=f"find region {region}", detail="it is not on the ledger, or has no aggregator")
        return Surroundings(self.rules[region], keys)


def rules_of(ledger: Asked) -> dict[int, RegionRules]:
    """How the ledger's regions are worked, by number.

    Raises:
        ClientError: the ledger gave no answer.
    """
    return {number: region.rules for number, region in ledger.ask(registry.regions)}
