"""What pricing keeps, and under which keys (README.md, State)."""

from typing import Final

from gridproof.domain import Tariff
from gridproof.state import U8, U16, U32, U64, Map, Record, SideMap

MODULE: Final = 3


class Price(Record, frozen=True):
    """A slot's price.

    Attributes:
        price_e5: 1e-5 currency per kWh.
        fallback: whether the slot has no total, so that this is the tariff's fallback price.
        total_wh: the total that it follows from, Wh; 0 where there is none.
    """

    price_e5: int
    fallback: bool
    total_wh: int


class FoldedPrice(Record, frozen=True):
    """A slot's price under its period: what a closed month's prices are folded from.

    Attributes:
        k: the period.
        price_e5: 1e-5 currency per kWh.
        fallback: whether it is the tariff's fallback price.
    """

    k: int
    price_e5: int
    fallback: bool


class MonthPrices(Record, frozen=True):
    """All prices of a closed month of a region's channel, in the order of k."""

    prices: tuple[FoldedPrice, ...]


class PriceFold(Record, frozen=True):
    """A closed month's prices in one root.

    Attributes:
        first_k: first period.
        slots: number of slots.
        root: RFC 6962 root over the encoded `FoldedPrice`s in the order of k.
        fallbacks: slots that took the fallback price.
    """

    first_k: int
    slots: int
    root: bytes
    fallbacks: int


class TariffSteps(Record, frozen=True):
    """From which periods on a month's tariffs are in force: a proof of it shows that none was left out.

    Attributes:
        from_ks: ascending.
    """

    from_ks: tuple[int, ...]


TARIFFS: Final = Map(module=MODULE, collection=1, key=(U16, U32, U64), value=Tariff)  # region, month, from_k
PRICES: Final = Map(module=MODULE, collection=2, key=(U16, U8, U64), value=Price)  # region, channel, k
FOLDS: Final = Map(module=MODULE, collection=3, key=(U16, U8, U32), value=PriceFold)  # region, channel, month
STEPS: Final = Map(module=MODULE, collection=4, key=(U16, U32), value=TariffSteps)  # region, month

FOLDED: Final = SideMap(module=MODULE, collection=1, key=(U16, U8, U32), value=MonthPrices)  # region, channel, month
