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
        dropped: whether an aggregator was proved to have dropped it before it came.
    """

    rc: int
    late: bool
    dropped: bool = False


class LeafFacts(NamedTuple):
    """What the ledger says of a roster leaf of a slot.

    Attributes:
        filled: whether it has a record, in the slot or in its side batch.
        dropped: whether an aggregator was proved to have dropped its record.
        rc: that record's value, modulo 2**64; None where there is none, or where it is not shown.
    """

    filled: bool
    dropped: bool
    rc: int | None = None


class SlotFacts(NamedTuple):
    """What the ledger says of a slot.

    Attributes:
        heard: whether any batch came.
    """

    heard: bool


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
    claimed: frozenset[int]

    def find(self, prid: bytes) -> FoundRecord | None:
        """The record of an identity; the one that came late, where there are two."""
        for late, bodies in ((True, self.late_bodies), (False, self.bodies)):
            for body in bodies:
                for position, record in zip(body.positions, body.records, strict=True):
                    if record.prid == prid:
                        return FoundRecord(record.rc, late, position in self.claimed)
        return None

    def find_rc(self, position: int) -> int | None:
        """The value of the record at a leaf's position, likewise."""
        for body in (*self.late_bodies, *self.bodies):
            at = bisect_left(body.positions, position)
            if body.positions[at : at + 1] == (position,):
                return body.records[at].rc
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
        if known.state is None or not known.state.count:
            return None
        leaves = self._leaves_of(Slot(RegionId(self._region), channel, k), self._month)
        position = bisect_left(leaves, leaf)
        if leaves[position : position + 1] != [leaf]:
            return None
        rc = known.find_rc(position)
        return LeafFacts(rc is not None, position in known.claimed, rc)

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
            return _KnownSlot(None, (), (), frozenset())
        place = self._region, channel, k
        bodies, late = self._ledger.ask(aggregation.bodies, *place), self._ledger.ask(aggregation.late, *place)
        late_bodies = self._ledger.ask(aggregation.late_bodies, *place) if late else ()
        return _KnownSlot(folded.state, bodies, late_bodies, frozenset(self._ledger.ask(aggregation.claimed, *place)))


def is_pruned(ledger: Asked, region: int, bounds: MonthBounds) -> bool:
    """Whether the ledger has forgotten a closed month's records and prices, as it does after the retention time.

    Args:
        ledger: answers queries.
        region: the region.
        bounds: the month.
    """
    folded = [each for each in Direction if ledger.ask(aggregation.fold, region, each, bounds.month) is not None]
    kept = (ledger.ask(aggregation.folded_slot, region, each, bounds.month, bounds.first_k) for each in folded)
    return bool(folded) and all(slot is None for slot in kept)


def facts_of(state: SlotState | None) -> SlotFacts:
    """What a slot's state says of it; a slot without a roster has none."""
    if state is None:
        return SlotFacts(heard=False)
    return SlotFacts(state.filled_count > 0)


def uncovered(ks: Sequence[int], from_k: int, until_k: int) -> bool:
    """Whether some periods are not those of a stretch, each once."""
    return sorted(ks) != list(range(from_k, until_k))
