"""Lets all actors of a community act in the order of time: meters, aggregators, bill provider and operator.

The conductor decides when; what is done, each actor decides from its own files and the ledger's state. So a process
that is killed anywhere goes on where it stopped, and nothing counts twice:
    C-1 What was recorded stays in the outbox, what was receipted in the inbox; both are asked before anything is made.
    C-2 What a slot needs next follows from its status on the ledger.
    C-3 At the start, the slots whose window is past are looked through, so that none is left open or shut halfway.
    C-4 Slots that nobody brought anything for have nothing that presses: in simulated time they are closed and priced
        together, many at once and before any deadline, for each round costs a network two blocks.
What is said in a round shares a block: closing one slot, fixing another's live set, opening a third's masks.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from gridproof.connectors.readings import Reading, ReadingsStore
from gridproof.domain import Direction, MonthBounds, MonthId, RegionId, RegionRules, Slot, Tariff
from gridproof.errors import GridproofError, Refusal
from gridproof.modules.aggregation import errors as aggregation_errors
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import CloseSlot
from gridproof.modules.aggregation.rules.timetable import timetable
from gridproof.modules.aggregation.types import SlotState, Status
from gridproof.modules.pricing import errors as pricing_errors
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import AdvanceClock, OpenMonth
from gridproof.state import errors as state_errors
from gridproof.state import system

from .clock import Clock
from .crew import Crew
from .errors import MonthErasedError, NodeUnclearError
from .meter import Meter, send_due
from .seat import Refused, Seat
from .timeline import PARTS, SENDING, Kind, Step, month_steps, slot_steps, together
from .transport import DirectTransport, Transport

ENDED: Final = (Status.OPENED, Status.SEALED, Status.VOID)
SCAN: Final = 1_000  # slots asked for at a time
MAX_TRIES: Final = 8  # of the same word for a slot, before it is left to its deadline
MAX_DRAIN_ROUNDS: Final = 64
MANY: Final = 32  # slots that are closed at once (C-4); a node takes 64 words of one sender ahead
_HARMLESS: Final = (  # another was first, or a restart said it twice
    aggregation_errors.AlreadyClosed,
    aggregation_errors.AlreadyClaimed,
    aggregation_errors.AlreadyOpened,
    aggregation_errors.BlocksMissing,
    aggregation_errors.LiveSetExists,
    aggregation_errors.NothingNew,
    aggregation_errors.SlotIsClosed,
    pricing_errors.PriceExists,
    state_errors.ClockBackwards,
)


class Observer:
    """Told what happens; does nothing by itself."""

    def instant(self, now_s: int) -> None:
        """The time has come to act; whoever acts beside the actors acts here."""

    def slot_ended(self, slot: Slot, state: SlotState) -> None:
        """A slot is opened, sealed or void."""

    def refused(self, refused: Refused) -> None:
        """The ledger refused what an actor said, and not because it was said twice."""

    def problem(self, problem: GridproofError) -> None:
        """A reading was not recorded, or a slot could not be worked on."""


class Conductor:
    """Runs a community over readings.

    Args:
        crew: all actors.
        readings: what the meters measured.
        bounds: cuts a month where the operator has not opened it yet.
        clock: by which all act.
        observer: told what happens.
        transport: from meters to aggregators; straight when none is given.
        tariffs: the tariff that a region's month is opened with, or None; no month has one when it is not given.

    Attributes:
        registers: what the meters' registers followed; the readings, unless somebody sets others.
    """

    def __init__(
        self,
        crew: Crew,
        readings: ReadingsStore,
        bounds: Callable[[RegionId, MonthId], MonthBounds],
        clock: Clock,
        observer: Observer | None = None,
        transport: Transport | None = None,
        *,
        tariffs: Callable[[RegionId, MonthBounds], Tariff | None] = lambda _region, _bounds: None,
    ) -> None:
        self._tariffs = tariffs
        self.registers = readings
        self._crew = crew
        self._readings = readings
        self._bounds = bounds
        self._clock = clock
        self._observer = observer or Observer()
        self._transport = transport or DirectTransport(crew.aggregators)
        self._months: dict[int, list[MonthBounds]] = {}
        self._begun: dict[int, MonthId] = {}
        self._closing: dict[Slot, int] = {}
        self._working: dict[Slot, int] = {}
        self._pricing: dict[Slot, int] = {}

    # --- the run -----------------------------------------------------------------------------------------------------

    def run(
        self,
        months: Sequence[MonthId],
        first_s: int,
        end_s: int,
        *,
        until_s: int | None = None,
        stop: "Stop | None" = None,
    ) -> None:
        """Act from the ledger's time on until all slots of a range have come to their end.

        Args:
            months: those that the range touches, in order.
            first_s: start of the first period, UTC epoch seconds.
            end_s: end of the last one.
            until_s: go on until then, to fold the months whose deadlines pass; by default the last slot ends the run.
            stop: asked between instants; the run ends when it says so, and another one goes on.

        Raises:
            NodeUnclearError: a month cannot be opened or its rosters not be published.
            ClientError: the ledger gave no answer.
        """
        crew = self._crew
        crew.fleet.refresh()
        crew.provider.catch_up()
        self._settle()
        for region, rules in crew.rules.items():
            self._months[region] = [self._month(region, rules, month) for month in months]
        self._recover(first_s, end_s)
        for at_s, steps in groupby(self._steps(first_s, end_s, until_s), key=lambda step: step.at_s):
            if stop is not None and stop():
                return
            if not self._can_wait(at_s):
                self._drain()
            self._clock.sleep_until_s(at_s)
            self._observer.instant(self._clock.now_s())
            self._act(list(steps))
        self._drain()
        self._advance(self._clock.now_s())
        self._settle()

    def _can_wait(self, until_s: int) -> bool:
        """Whether the slots under way may share later rounds: in simulated time, and before any deadline passes."""
        rules, under_way = self._crew.rules, (*self._closing, *self._working, *self._pricing)
        if not under_way or self._crew.operator.ask(system.operator_clock_s) is None:
            return not under_way
        times = [timetable(slot.k, rules[slot.region]) for slot in under_way]
        return until_s < min(min(each.opening_end_s, each.claim_end_s) for each in times)

    def _steps(self, first_s: int, end_s: int, until_s: int | None) -> Iterator[Step]:
        now_s, sequences = self._clock.now_s(), []
        for region, rules in self._crew.rules.items():
            earliest = (now_s - rules.window_s) // rules.period_s
            first_k, end_k = max(first_s // rules.period_s, earliest), end_s // rules.period_s
            last_s = max(until_s or 0, end_s + rules.window_s)
            sequences.append(slot_steps(region, rules, first_k, end_k))
            steps = month_steps(region, rules, self._months[region])
            sequences.append(step for step in steps if step.at_s <= last_s)
        return together(sequences)

    def _month(self, region: int, rules: RegionRules, month: MonthId) -> MonthBounds:
        """A month as the operator opened it, or as it will."""
        known = self._crew.operator.ask(registry.month, region, month)
        if known is None:
            return self._bounds(RegionId(region), month)
        return MonthBounds(month, known.start_s, known.end_s, rules.period_s)

    def _act(self, steps: list[Step]) -> None:
        """Do what is due at an instant, then one round of words to the ledger where there is something to say."""
        now_s = self._clock.now_s()
        speak = False
        for kind, same in groupby(steps, key=lambda step: step.kind):
            due = list(same)
            if kind == Kind.SEND:
                fleet = self._crew.fleet
                send_due(list(fleet), self._transport, fleet.outbox, now_s, self._last_call(due))
            elif kind == Kind.BRING:
                speak |= self._bring(due, now_s)
            elif kind == Kind.CLOSE:
                over = [slot for step in due for slot in self._slots(step)]
                self._closing |= dict.fromkeys(over, 0)
                speak |= self._presses(over)
            else:
                self._do_each(kind, due, now_s)
        if speak:
            self._round(now_s)

    def _presses(self, over: list[Slot]) -> bool:
        """Whether there is something to say now that some slots' windows are over (C-4)."""
        ask = self._crew.operator.ask
        if self._working or len(self._closing) >= MANY or ask(system.operator_clock_s) is None:
            return True
        return any(ask(aggregation.slot, *slot) is not None for slot in over)

    def _last_call(self, steps: list[Step]) -> dict[int, set[int]]:
        """The periods, by region, that are not visited again: a meter that recorded late drew times after this."""
        last: dict[int, set[int]] = {}
        for step in steps:
            rules = self._crew.rules[step.region]
            if step.at_s == (step.number + 1) * rules.period_s + rules.window_s * SENDING[-1] // PARTS:
                last.setdefault(step.region, set()).add(step.number)
        return last

    def _do_each(self, kind: Kind, steps: list[Step], now_s: int) -> None:
        for step in steps:
            if kind == Kind.PREPARE:
                self._prepare(step, now_s)
            elif kind == Kind.ROLL_OVER:
                self._roll_over(step, now_s)
            elif kind == Kind.RECORD:
                self._record(step, now_s)
            else:
                self._fold(step, now_s)

    # --- months ------------------------------------------------------------------------------------------------------

    def _bounds_of(self, region: int, k: int) -> MonthBounds | None:
        return next((bounds for bounds in self._months[region] if bounds.contains(k)), None)

    def _month_of(self, step: Step) -> MonthBounds:
        return next(bounds for bounds in self._months[step.region] if bounds.month == step.number)

    def _prepare(self, step: Step, now_s: int) -> None:
        """Open a month and publish its rosters, unless that was done."""
        crew, region = self._crew, step.region
        known = crew.operator.ask(registry.month, region, step.number)
        if known is not None and known.closed:
            return
        bounds = self._month_of(step)
        if known is None:
            self._advance(now_s)
            tariff = self._tariffs(RegionId(region), bounds)
            crew.operator.send(OpenMonth(region, bounds.month, bounds.start_s, bounds.end_s, tariff))
            refused = self._settle()
            opened = crew.operator.ask(registry.month, region, step.number)
            if opened is None or (opened.start_s, opened.end_s) != (bounds.start_s, bounds.end_s):
                self._require(
                    refused, f"open month {bounds.month} of region {region}"
                )  # else an earlier word came late
        crew.provider.prepare_month(region, bounds)
        refused = self._settle()
        if not crew.provider.is_caught_up:
            self._require(refused, f"publish rosters of month {bounds.month} of region {region}")

    def _roll_over(self, step: Step, now_s: int) -> None:
        """A month is over: meters sign their registers while they have its keys, the bill provider erases its own."""
        bounds = self._month_of(step)
        for problem in self._crew.sign_registers(step.region, bounds, self.registers, now_s):
            self._observer.problem(problem)
        self._crew.provider.roll_over(step.region, bounds)

    def _fold(self, step: Step, now_s: int) -> None:
        self._drain()
        self._advance(now_s)
        self._crew.fold_month(step.region, step.number)
        self._settle()
        for aggregator in self._crew.aggregators.values():
            aggregator.forget(step.region, self._month_of(step).end_k)

    @staticmethod
    def _require(refused: Sequence[Refused], what: str) -> None:
        for each in refused:
            raise NodeUnclearError(what=what, detail=str(each.refusal)) from each.refusal

    # --- meters ------------------------------------------------------------------------------------------------------

    def _record(self, step: Step, now_s: int) -> None:
        """Let the meters of a region record a period; stored with one sync."""
        crew, region, k = self._crew, RegionId(step.region), step.number
        bounds = self._bounds_of(region, k)
        if bounds is None:
            return
        crew.fleet.refresh()
        self._begin_month(bounds, region, now_s)
        start_s = k * crew.rules[region].period_s
        ended = {handle for handle, known in crew.operator.ask(registry.meters, region) if 0 < known.until_k <= k}
        with crew.fleet.outbox.transaction():
            for channel in Direction:
                for reading in self._readings.slot(channel, start_s):
                    meter = crew.fleet.find(reading.meter, k)
                    if meter is not None and meter.region == region and meter.handle not in ended:
                        self._record_one(meter, Slot(region, channel, k), reading, now_s)

    def _record_one(self, meter: Meter, slot: Slot, reading: Reading, now_s: int) -> None:
        try:
            meter.record(slot, reading.energy_wh, now_s)
        except MonthErasedError as over:
            if not self._crew.fleet.outbox.find(meter.handle, slot):  # else it was recorded before a restart
                self._observer.problem(over)
        except GridproofError as problem:
            self._observer.problem(problem)

    def _begin_month(self, bounds: MonthBounds, region: RegionId, now_s: int) -> None:
        """Lead all meters' keys on, also of those that are silent: no key outlives its month's last window."""
        for meter in self._crew.fleet:
            if meter.region == region and meter.from_k < bounds.end_k:
                try:
                    meter.begin_month(bounds, now_s)
                except MonthErasedError:
                    continue  # it is in a later month already

    # --- slots -------------------------------------------------------------------------------------------------------

    def _slots(self, step: Step) -> list[Slot]:
        """A period's slots on the channels that have rosters then."""
        bounds = self._bounds_of(step.region, step.number)
        if bounds is None:
            return []
        region, k = RegionId(step.region), step.number
        return [Slot(region, each, k) for each, from_k in self._channels(region, bounds).items() if from_k <= k]

    def _channels(self, region: int, bounds: MonthBounds) -> dict[Direction, int]:
        """The channels that have rosters in a month, with the first period that has one."""
        ask = self._crew.operator.ask
        epochs = {each: ask(aggregation.epochs, region, each, bounds.month) for each in Direction}
        return {channel: found[0].from_k for channel, found in epochs.items() if found}

    def _bring(self, steps: list[Step], now_s: int) -> bool:
        """Let the aggregators bring what they have; nothing is said where they have nothing."""
        slots = [slot for step in steps for slot in self._slots(step)]
        aggregators = self._crew.aggregators.values()
        if not any(aggregator.pending(slot) for aggregator in aggregators for slot in slots):
            return False
        self._advance(now_s)
        for aggregator in aggregators:
            for slot in slots:
                try:
                    aggregator.submit(slot)
                except GridproofError as problem:
                    self._observer.problem(problem)
        return True

    def _round(self, now_s: int, *, pressing: bool = False) -> None:
        """Say all that is to be said now, let it stand in a block, and see what came of it.

        Args:
            now_s: the time, UTC epoch seconds.
            pressing: close slots before enough blocks followed their first batch: the refusals themselves make blocks.
        """
        self._advance(now_s)
        height = self._crew.operator.height
        for slot in list(self._closing):
            if pressing or self._may_close(slot, height):
                self._closing[slot] += 1
                self._crew.operator.send(CloseSlot(*slot))
        for slot in list(self._working):
            self._work(slot)
        for slot in list(self._pricing):
            self._price(slot)
        self._settle()
        for slot in (*self._closing, *self._working):
            self._look_at(slot)

    def _may_close(self, slot: Slot, height: int) -> bool:
        blocks = self._crew.rules[slot.region].window_blocks
        state = self._crew.operator.ask(aggregation.slot, *slot)
        return state is None or not state.batches or height + 1 >= state.first_height + blocks

    def _look_at(self, slot: Slot) -> None:
        """See what became of a slot, and go on with it where it did not come to its end."""
        state = self._crew.operator.ask(aggregation.slot, *slot)
        if state is not None and state.status in ENDED:
            if self._closing.pop(slot, None) is not None:
                self._claim(slot)
            self._working.pop(slot, None)
            self._pricing[slot] = 0
            self._observer.slot_ended(slot, state)
        elif state is not None and state.status != Status.OPEN:
            self._closing.pop(slot, None)
            self._working.setdefault(slot, 0)
        elif self._closing.get(slot, 0) >= MAX_TRIES + self._crew.rules[slot.region].window_blocks:
            del self._closing[slot]

    def _work(self, slot: Slot) -> None:
        """Bring a closed slot a step on: dropped records are claimed, the live set is fixed, the masks are opened."""
        self._working[slot] += 1
        if self._working[slot] == 1:
            self._speak_of_missing(slot)
        try:
            self._crew.totals.work(slot)
        except GridproofError as problem:
            self._observer.problem(problem)
            del self._working[slot]
            return
        if self._working[slot] > MAX_TRIES:
            del self._working[slot]

    def _claim(self, slot: Slot) -> None:
        """Claim what was dropped of a slot that is void at once: whoever drops all of it is named like any other."""
        if self._clock.now_s() >= timetable(slot.k, self._crew.rules[slot.region]).claim_end_s:
            return
        if self._speak_of_missing(slot):
            self._settle()

    def _speak_of_missing(self, slot: Slot) -> int:
        """Claim what was dropped, and bring for the bills what came too late; a total waits for neither."""
        said = 0
        for speak in (self._crew.claim_dropped, self._crew.bring_late):
            try:
                said += speak(slot)
            except GridproofError as problem:
                self._observer.problem(problem)
        return said

    def _price(self, slot: Slot) -> None:
        """Let the control centre announce the price of a slot that has ended."""
        self._pricing[slot] += 1
        center = self._crew.control_center
        if center is None or not center.announce(slot) or self._pricing[slot] > MAX_TRIES:
            del self._pricing[slot]

    def _drain(self) -> None:
        """Go on until nothing is left to say about the slots whose window is over."""
        blocks = max((self._crew.rules[slot.region].window_blocks for slot in self._closing), default=0)
        for _ in range(MAX_DRAIN_ROUNDS + blocks):
            if not (self._closing or self._working or self._pricing):
                return
            self._round(self._clock.now_s(), pressing=True)

    def _recover(self, first_s: int, end_s: int) -> None:
        """Take up the slots whose window is past and that have not come to their end (C-3)."""
        now_s = self._clock.now_s()
        for region, rules in self._crew.rules.items():
            end_k = min(end_s // rules.period_s, (now_s - rules.window_s) // rules.period_s)
            for bounds in self._months[region]:
                start_k, stop_k = max(bounds.first_k, first_s // rules.period_s), min(bounds.end_k, end_k)
                known = self._crew.operator.ask(registry.month, region, bounds.month)
                if start_k < stop_k and known is not None and not known.closed:
                    for channel, from_k in self._channels(region, bounds).items():
                        self._recover_slots(RegionId(region), channel, max(start_k, from_k), stop_k)

    def _recover_slots(self, region: RegionId, channel: Direction, start_k: int, stop_k: int) -> None:
        for at in range(start_k, stop_k, SCAN):
            stop = min(at + SCAN, stop_k)
            found = self._crew.operator.ask(aggregation.slots, region, channel, at, stop)
            states = {each.k: each.state.status for each in found}
            priced = {each.k for each in self._crew.operator.ask(pricing.prices, region, channel, at, stop)}
            for k in range(at, stop):
                slot, status = Slot(region, channel, k), states.get(k, Status.OPEN)
                if status == Status.OPEN:
                    self._closing[slot] = 0
                elif status not in ENDED:
                    self._working[slot] = 0
                elif k not in priced:
                    self._pricing[slot] = 0
                    if status == Status.VOID:  # it ended when it was closed: perhaps before anybody spoke of it
                        self._claim(slot)

    # --- the ledger --------------------------------------------------------------------------------------------------

    def _advance(self, now_s: int) -> None:
        """Move ledger time, where the operator does that."""
        set_s = self._crew.operator.ask(system.operator_clock_s)
        if set_s is not None and set_s < now_s:
            self._crew.operator.send(AdvanceClock(now_s))

    def _settle(self) -> list[Refused]:
        """Let all that was said come into blocks; tell what was refused for a reason that matters."""
        refused = [each for seat in self._crew.seats for each in seat.settle()]
        mattering = [each for each in refused if not isinstance(each.refusal, _HARMLESS)]
        for each in mattering:
            self._observer.refused(each)
        return mattering


Stop = Callable[[], bool]
__all__ = ["Conductor", "Observer", "Refusal", "Seat", "Stop"]
