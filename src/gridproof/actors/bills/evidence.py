"""What a bill is held against: the ledger's own word on a month, asked of a node or taken from a proof file.

Both twins answer the same questions; who verifies cannot tell which of them it has.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from gridproof.actors.seat import Asked
from gridproof.domain import (
    Direction,
    MonthBounds,
    MonthId,
    RegionId,
    Slot,
    SlotPrice,
    TariffStep,
    is_marked,
)
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import BatchBody, SlotState
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.types import Bill
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole, Meter, Role

LeavesOf = Callable[[Slot, int], list[bytes]]  # slot, its month -> the leaves of its roster, ascending

_KEPT_SLOTS: Final = 4


class FoundRecord(NamedTuple):
    """A record on the ledger.

    Attributes:
        rc: its value, modulo 2**64.
        late: whether it stands in the slot's side batch.
        live: whether it counts in the slot's total.
    """

    rc: int
    late: bool
    live: bool


class LeafFacts(NamedTuple):
    """What the ledger says of a roster leaf of a slot.

    Attributes:
        filled: whether it has a record, in the slot or in its side batch.
        live: whether that counts in the slot's total.
    """

    filled: bool
    live: bool


class SlotFacts(NamedTuple):
    """What the ledger says of a slot.

    Attributes:
        heard: whether any batch came.
        fixed: whether its live set is known.
    """

    heard: bool
    fixed: bool


class Evidence(Protocol):
    """The ledger's word on a region's month."""

    @property
    def chain_id(self) -> str:
        """Of the ledger."""

    def bounds(self) -> MonthBounds | None:
        """The month as it was opened, once it is closed; None before, or where there is none."""

    def meter(self, handle: bytes) -> Meter | None:
        """The meter under a handle, or None."""

    def tariffs(self) -> tuple[TariffStep, ...]:
        """The tariffs in force in the month; none where it has no prices."""

    def prices(self, channel: Direction) -> tuple[SlotPrice, ...]:
        """The prices of all slots of the month."""

    def bill(self, bid: bytes, version: int) -> Bill | None:
        """A registered bill, or None."""

    def slot(self, channel: Direction, k: int) -> SlotFacts:
        """What is known of a slot."""

    def find_record(self, channel: Direction, k: int, prid: bytes) -> FoundRecord | None:
        """The record of an identity in a slot or its side batch, or None."""

    def find_leaf(self, channel: Direction, k: int, leaf: bytes) -> LeafFacts | None:
        """What is known of a leaf of a slot's roster; None where the roster does not hold it."""

    def is_provider_key(self, key: bytes) -> bool:
        """Whether a transaction key is or was a bill provider's."""


class _KnownSlot(NamedTuple):
    """A slot as the ledger tells of it, with the batches of its records and of those that came late."""

    state: SlotState | None
    bodies: tuple[BatchBody, ...]
    late_bodies: tuple[BatchBody, ...]
    late_filled: bytes

    def find(self, prid: bytes) -> FoundRecord | None:
        for body in self.late_bodies:
            for record in body.records:
                if record.prid == prid:
                    return FoundRecord(record.rc, late=True, live=False)
        for body in self.bodies:
            for position, record in zip(body.positions, body.records, strict=True):
                if record.prid == prid:
                    live = self.state is not None and is_marked(self.state.live, position)
                    return FoundRecord(record.rc, late=False, live=live)
        return None


class LedgerEvidence:
    """Evidence asked of a node whose word is trusted: the household's own, or one that `verify ledger` found true.

    Args:
        ledger: answers queries.
        chain_id: of the ledger.
        region: the region.
        month: the month.
        leaves_of: gives the leaves of a slot's roster, which are public.
    """

    def __init__(self, ledger: Asked, chain_id: str, region: int, month: MonthId, leaves_of: LeavesOf) -> None:
        self._ledger = ledger
        self._chain_id = chain_id
        self._region = region
        self._month = month
        self._leaves_of = leaves_of
        self._slots: dict[tuple[int, int], _KnownSlot] = {}
        self._prices: dict[int, tuple[SlotPrice, ...]] = {}

    @property
    def chain_id(self) -> str:
        """Of the ledger."""
        return self._chain_id

    def bounds(self) -> MonthBounds | None:
        """The month as it was opened, once it is closed; None before, or where there is none."""
        known = self._ledger.ask(registry.month, self._region, self._month)
        region = self._ledger.ask(registry.region, self._region)
        if known is None or region is None or not known.closed:
            return None
        return MonthBounds(self._month, known.start_s, known.end_s, region.period_s)

    def meter(self, handle: bytes) -> Meter | None:
        """The meter under a handle, or None."""
        return self._ledger.ask(registry.meter, handle)

    def tariffs(self) -> tuple[TariffStep, ...]:
        """The tariffs in force in the month; none where it has no prices."""
        steps = self._ledger.ask(pricing.tariffs, self._region, self._month)
        return tuple(TariffStep(from_k, tariff) for from_k, tariff in steps)

    def prices(self, channel: Direction) -> tuple[SlotPrice, ...]:
        """The prices of all slots of the month."""
        if channel not in self._prices:
            folded = self._ledger.ask(pricing.month_prices, self._region, channel, self._month)
            self._prices[channel] = tuple(SlotPrice(each.price_e5, each.fallback) for each in folded)
        return self._prices[channel]

    def bill(self, bid: bytes, version: int) -> Bill | None:
        """A registered bill, or None."""
        return self._ledger.ask(billing.bill, self._region, self._month, bid, version)

    def slot(self, channel: Direction, k: int) -> SlotFacts:
        """What is known of a slot."""
        state = self._known(channel, k).state
        return facts_of(state)

    def find_record(self, channel: Direction, k: int, prid: bytes) -> FoundRecord | None:
        """The record of an identity in a slot or its side batch, or None."""
        return self._known(channel, k).find(prid)

    def find_leaf(self, channel: Direction, k: int, leaf: bytes) -> LeafFacts | None:
        """What is known of a leaf of a slot's roster; None where the roster does not hold it."""
        known = self._known(channel, k)
        if known.state is None:
            return None
        leaves = self._leaves_of(Slot(RegionId(self._region), channel, k), self._month)
        position = bisect_left(leaves, leaf)
        if leaves[position : position + 1] != [leaf]:
            return None
        return leaf_facts(known.state, known.late_filled, position)

    def is_provider_key(self, key: bytes) -> bool:
        """Whether a transaction key is or was a bill provider's."""
        use = self._ledger.ask(registry.key_use, key)
        if use is None or use.role != KeyRole.TRANSACTION:
            return False
        holder = self._ledger.ask(registry.participant, use.participant)
        return holder is not None and bool(holder.roles & Role.BILL_PROVIDER)

    def _known(self, channel: Direction, k: int) -> _KnownSlot:
        """A slot. A region's month of records is far more than a household's: the last few slots are kept."""
        if (channel, k) not in self._slots:
            while len(self._slots) >= _KEPT_SLOTS:
                self._slots.pop(next(iter(self._slots)))
            self._slots[channel, k] = self._ask(channel, k)
        return self._slots[channel, k]

    def _ask(self, channel: Direction, k: int) -> _KnownSlot:
        folded = self._ledger.ask(aggregation.folded_slot, self._region, channel, self._month, k)
        if folded is None:
            return _KnownSlot(None, (), (), b"")
        place = self._region, channel, k
        late = self._ledger.ask(aggregation.late, *place)
        return _KnownSlot(
            folded.state,
            self._ledger.ask(aggregation.bodies, *place),
            self._ledger.ask(aggregation.late_bodies, *place) if late else (),
            late.filled if late else b"",
        )


def facts_of(state: SlotState | None) -> SlotFacts:
    """What a slot's state says of it; a slot without a roster has none."""
    if state is None:
        return SlotFacts(heard=False, fixed=False)
    return SlotFacts(state.filled_count > 0, bool(state.live))


def leaf_facts(state: SlotState, late_filled: bytes, position: int) -> LeafFacts:
    """What a slot and its side batch say of a leaf."""
    filled = is_marked(state.filled, position) or is_marked(late_filled, position)
    return LeafFacts(filled, is_marked(state.live, position))


def stretch_of(meter: Meter, bounds: MonthBounds) -> tuple[int, int]:
    """The periods of a month in which a meter was enrolled: [from, until)."""
    until_k = min(meter.until_k, bounds.end_k) if meter.until_k else bounds.end_k
    return max(meter.from_k, bounds.first_k), until_k


def uncovered(ks: Sequence[int], from_k: int, until_k: int) -> bool:
    """Whether some periods are not those of a stretch, each once."""
    return sorted(ks) != list(range(from_k, until_k))
