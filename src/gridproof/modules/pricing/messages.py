"""What one may ask of pricing, and what it announces."""

from typing import Annotated, Final

from msgspec import Meta

from gridproof.domain import MAX_PRICE_E5, MAX_TOTAL_WH, Direction, RegionId, Slot, Tariff
from gridproof.state import Event, Message

HASH_SIZE: Final = 32
MAX_BATCHES: Final = 65_536

Region = Annotated[int, Meta(ge=1, le=2**16 - 1)]
Channel = Annotated[int, Meta(ge=1, le=2)]  # a `Direction`
Month = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Period = Annotated[int, Meta(ge=0, le=2**40)]
Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]


class ChangeTariff(Message, frozen=True, tag=3001):
    """Put another tariff into force from a period of an open month on (operator).

    Attributes:
        region: the region.
        month: the month, open and opened with a tariff.
        from_k: first period that it is for, not begun yet.
        tariff: the tariff; currency and rounding are those of the month.
    """

    region: Region
    month: Month
    from_k: Period
    tariff: Tariff


class AnnouncePrice(Message, frozen=True, tag=3002):
    """Say what a slot's energy costs (control centre).

    Attributes:
        region: the region.
        channel: import or export.
        k: the period.
        total_wh: the slot's total, Wh; 0 where it is sealed or void.
        batch_roots: roots of the slot's batches, in order.
        price_e5: what the tariff gives for that total, 1e-5 currency per kWh.
    """

    region: Region
    channel: Channel
    k: Period
    total_wh: Annotated[int, Meta(ge=0, lt=MAX_TOTAL_WH)]
    batch_roots: Annotated[tuple[Hash, ...], Meta(max_length=MAX_BATCHES)]
    price_e5: Annotated[int, Meta(ge=-MAX_PRICE_E5, le=MAX_PRICE_E5)]

    @property
    def slot(self) -> Slot:
        """The slot that the message is about."""
        return Slot(RegionId(self.region), Direction(self.channel), self.k)


class TariffSet(Event, frozen=True, tag=3001):
    """A tariff is in force from a period on."""

    region: int
    month: int
    from_k: int
    name: str


class PriceSet(Event, frozen=True, tag=3002):
    """A slot has its price."""

    region: int
    channel: int
    k: int
    price_e5: int
    fallback: bool


class PricesClosed(Event, frozen=True, tag=3003):
    """A channel's month of prices was folded into one root."""

    region: int
    channel: int
    month: int
    root: bytes
    fallbacks: int
