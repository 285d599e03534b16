"""The independent count: each period's total from the true readings and the list of faults, and from nothing else.

It asks neither ledger nor bill provider, so that what they say can be held against it.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from gridproof.connectors.readings import ReadingsStore
from gridproof.domain import Direction, RegionId, Slot

from .script import Part, Script, Shaving


class Why(Enum):
    """Why a meter's reading is not in a total."""

    SILENT = "silent"
    HALF_SENT = "half-sent"
    ABSURD = "absurd"
    DROPPED = "dropped"


class Counted(NamedTuple):
    """A period as it must come out.

    Attributes:
        live: what the meters reported that count, Wh by name.
        missing: the others, with the reason.
        late: what those of them reported whose records come too late for the total, Wh by name.
        understated: what meters reported that drew more, Wh by name.
    """

    live: dict[str, int]
    missing: dict[str, Why]
    late: Mapping[str, int] = MappingProxyType({})
    understated: Mapping[str, int] = MappingProxyType({})

    @property
    def is_heard(self) -> bool:
        """Whether anybody's record comes in time."""
        return bool(self.live) or any(why in (Why.HALF_SENT, Why.ABSURD) for why in self.missing.values())

    @property
    def total_wh(self) -> int:
        """What the total must be."""
        return sum(self.live.values())


class Counter:
    """Counts.

    Args:
        readings: the true ones.
        regions: for each region its meters, each with what it reports.
        script: the faults.
        period_s: length of a period in seconds.
        limit_wh: a reading above this is taken for a fault.
    """

    def __init__(
        self,
        readings: ReadingsStore,
        regions: Mapping[int, Mapping[str, tuple[Direction, ...]]],
        script: Script,
        period_s: int,
        limit_wh: int,
    ) -> None:
        self._readings = readings
        self._regions = regions
        self._script = script
        self._period_s = period_s
        self._limit_wh = limit_wh

    def count(self, slot: Slot, dropped: Part | None) -> Counted:
        """Count a slot.

        Args:
            slot: which one.
            dropped: the meter that an aggregator dropped, and where.
        """
        read = {
            each.meter: self._script.shown_wh(Part(slot, each.meter), each.energy_wh)
            for each in self._readings.slot(slot.channel, slot.k * self._period_s)
        }
        late: dict[str, int] = {}
        shaving = self._script.shaving
        cheats = {meter: wh for meter, wh in read.items() if shaving and shaving.holds(Part(slot, meter))}
        counted = Counted({}, {}, late, cheats)
        for meter, channels in self._regions[slot.region].items():
            if slot.channel not in channels:
                continue
            why = self._why(Part(slot, meter), read.get(meter), dropped)
            if why is None:
                counted.live[meter] = read[meter]
            else:
                counted.missing[meter] = why
                if why in (Why.HALF_SENT, Why.DROPPED):
                    late[meter] = read[meter]
        return counted

    def register_wh(self, meter: str, channel: Direction, from_k: int, until_k: int) -> int:
        """What a meter's register counts from the start of one period to that of another: the truth, whatever it says.

        Args:
            meter: its name.
            channel: import or export.
            from_k: the first period.
            until_k: the first period after the last.
        """
        span_s = from_k * self._period_s, until_k * self._period_s
        return sum(each.energy_wh for each in self._readings.of_meter(meter, channel, *span_s))

    def kept_back_wh(self, shaving: Shaving) -> int:
        """What a meter that under-reports keeps back."""
        ks = range(shaving.from_k, shaving.until_k)
        slots = [Slot(RegionId(shaving.region), Direction.IMPORT, k) for k in ks]
        true, told = (
            sum(each.count(slot, None).live.get(shaving.meter, 0) for slot in slots) for each in (self.honest(), self)
        )
        return true - told

    def honest(self) -> "Counter":
        """The same with a meter that under-reports being honest."""
        script = self._script._replace(shaving=None)
        return Counter(self._readings, self._regions, script, self._period_s, self._limit_wh)

    def _why(self, part: Part, energy_wh: int | None, dropped: Part | None) -> Why | None:
        if energy_wh is None or self._script.is_silent(part.meter, part.slot.k):
            return Why.SILENT
        if part == self._script.half_sent:
            return Why.HALF_SENT
        if part == self._script.absurd or energy_wh > self._limit_wh:
            return Why.ABSURD
        return Why.DROPPED if part == dropped else None
