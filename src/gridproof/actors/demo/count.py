"""The independent count: each period's total from the true readings and the list of faults, and from nothing else.

It asks neither ledger nor bill provider, so that what they say can be held against it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from gridproof.connectors.readings import ReadingsStore
from gridproof.domain import Direction, Slot

from .script import Part, Script


class Why(Enum):
    """Why a meter's reading is not in a total."""

    SILENT = "silent"
    HALF_SENT = "half-sent"
    ABSURD = "absurd"
    DROPPED = "dropped"


class Counted(NamedTuple):
    """A period as it must come out.

    Attributes:
        live: what the meters read that count, Wh by name.
        missing: the others, with the reason.
    """

    live: dict[str, int]
    missing: dict[str, Why]

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
        read = {each.meter: each.energy_wh for each in self._readings.slot(slot.channel, slot.k * self._period_s)}
        counted = Counted({}, {})
        for meter, channels in self._regions[slot.region].items():
            if slot.channel not in channels:
                continue
            why = self._why(Part(slot, meter), read.get(meter), dropped)
            if why is None:
                counted.live[meter] = read[meter]
            else:
                counted.missing[meter] = why
        return counted

    def _why(self, part: Part, energy_wh: int | None, dropped: Part | None) -> Why | None:
        if energy_wh is None or self._script.is_silent(part.meter, part.slot.k):
            return Why.SILENT
        if part == self._script.half_sent:
            return Why.HALF_SENT
        if part == self._script.absurd or energy_wh > self._limit_wh:
            return Why.ABSURD
        return Why.DROPPED if part == dropped else None
