"""From closed slots to totals: the live set, once, and the masks of that set, and no others.

What is done next follows from the slot's status on the ledger, so that a restart neither fixes twice nor opens another
set.

Source: seed 002, data aggregation phase, and finding faulty smart meters; private-metering.md, rows 1, 10 and 21.
"""

from typing import NamedTuple

from gridproof.domain import Slot, live_set_hash, positions_in
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import FixLiveSet, OpenMasks
from gridproof.modules.aggregation.types import SlotState, Status

from .keys import Line
from .live_set import Judgement, Kind, SlotView, judge, mask_sum
from .places import Epoch
from .provider import BillProvider
from .rosters import MaskTable

_KEPT_TABLES = 4


class Fault(NamedTuple):
    """A meter with which something is wrong in a slot.

    Attributes:
        meter: its name among people; empty for a place that never had a meter.
        kind: what is wrong.
        slot: where.
        positions: its leaf positions that are empty (silent, half-sent) or filled (otherwise), ascending.
        reading_wh: what its records say, Wh, where both are there.
    """

    meter: str
    kind: Kind
    slot: Slot
    positions: tuple[int, ...]
    reading_wh: int | None


class Totals:
    """The bill provider's work on slots.

    Args:
        provider: whose book, keys and seat are used.
    """

    def __init__(self, provider: BillProvider) -> None:
        self._provider = provider
        self._tables: dict[tuple[Line, int, int], MaskTable] = {}

    def work(self, slot: Slot) -> Status | None:
        """Do what a slot needs next: fix its live set when it is closed, open its masks when that is fixed.

        Returns:
            The slot's status as it was found; None while nothing was sent for it.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: the month's view seeds were erased.
        """
        state = self._provider.seat.ask(aggregation.slot, *slot)
        if state is None:
            return None
        if state.status == Status.CLOSED:
            judgement = self.judge(slot)
            self._provider.seat.send(FixLiveSet(*slot, judgement.orphans, judgement.excluded))
        elif state.status == Status.FIXED:
            self._provider.seat.send(self.opening(slot, state))
        return Status(state.status)

    def judge(self, slot: Slot) -> Judgement:
        """Tell which of a slot's records count, and which places are faulty, from what the ledger has.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: the month's view seeds were erased.
        """
        months, book = self._provider.months, self._provider.book
        epoch = months.epoch_of(slot)
        bodies = self._provider.seat.ask(aggregation.bodies, *slot)
        values = {
            position: record.rc
            for body in bodies
            for position, record in zip(body.positions, body.records, strict=True)
        }
        active = [book[number].is_active(slot.k) for number in epoch.places]
        view = SlotView(months.owners(slot), self._masks(epoch).at(slot.k), active, values)
        return judge(view, self._provider.policy.limit_wh)

    def opening(self, slot: Slot, state: SlotState) -> OpenMasks:
        """The opening of a slot's masks for the live set that the ledger fixed.

        Args:
            slot: the slot.
            state: as the ledger has it, its live set fixed.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: the month's view seeds were erased.
        """
        months = self._provider.months
        live = positions_in(state.live, state.count)
        summed = mask_sum(months.owners(slot), self._masks(months.epoch_of(slot)).at(slot.k), live)
        return OpenMasks(*slot, live_set_hash(slot, state.live), summed)

    def find_faults(self, slot: Slot) -> tuple[Fault, ...]:
        """Name the meters with which something is wrong in a slot; spare places that stayed empty are none.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: whose the leaves are was erased.
        """
        epoch = self._provider.months.epoch_of(slot)
        book = self._provider.book
        return tuple(
            Fault(book[epoch.places[each.place]].name, each.kind, slot, each.positions, each.reading_wh)
            for each in self.judge(slot).findings
        )

    def find_missing(self, slot: Slot) -> tuple[str, ...]:
        """Names of the meters behind a slot's empty leaves, sorted.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: whose the leaves are was erased.
        """
        kinds = (Kind.SILENT, Kind.HALF_SENT)
        return tuple(sorted(fault.meter for fault in self.find_faults(slot) if fault.kind in kinds))

    def readings(self, slot: Slot) -> dict[str, int]:
        """What the live meters of a slot read, Wh by name: for bills, and for nobody else's eyes.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: the month's view seeds were erased.
        """
        epoch = self._provider.months.epoch_of(slot)
        book = self._provider.book
        return {book[epoch.places[place]].name: value for place, value in self.judge(slot).readings.items()}

    def _masks(self, epoch: Epoch) -> MaskTable:
        name = (epoch.line, epoch.month, epoch.epoch)
        if name not in self._tables:
            while len(self._tables) >= _KEPT_TABLES:
                self._tables.pop(next(iter(self._tables)))
            seeds = self._provider.keys.views(epoch.line, epoch.month)
            self._tables[name] = MaskTable([seeds[number] for number in epoch.places], epoch.bounds)
        return self._tables[name]
