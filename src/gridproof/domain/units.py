"""Energy, prices and amounts as whole numbers of their smallest unit.

Energy is counted in Wh with a direction beside it, prices in 1e-5 of the currency per kWh, amounts in 1e-9 of the
currency: a Wh at a price of 1e-5 per kWh costs exactly 10 of them, so that sums are exact and nothing is rounded on
the way.
"""

from typing import Final, NewType

from .ids import U64_MAX, require_range

EnergyWh = NewType("EnergyWh", int)
PriceE5 = NewType("PriceE5", int)  # 1e-5 currency per kWh
AmountE9 = NewType("AmountE9", int)  # 1e-9 currency

AMOUNT_E9_PER_WH_AND_PRICE_E5: Final = 10
WORD: Final = 2**64  # records and masks are integers modulo this
MAX_TOTAL_WH: Final = 2**40  # a slot's total at or above this is absurd: 1.1 TWh in one period
MAX_READING_WH: Final = 2**32  # no household's meter reads this much in one period


def energy_wh(value: int) -> EnergyWh:
    """Take a meter's reading of one period, in Wh.

    Raises:
        OutOfRangeError: it is negative, or beyond any household's meter.
    """
    require_range("energy_wh", value, 0, MAX_READING_WH - 1)
    return EnergyWh(value)


def amount_e9(energy: EnergyWh, price: PriceE5) -> AmountE9:
    """Price energy exactly.

    Args:
        energy: in Wh.
        price: in 1e-5 currency per kWh; negative where energy costs its producer.
    """
    return AmountE9(energy * price * AMOUNT_E9_PER_WH_AND_PRICE_E5)


def to_signed(word: int) -> int:
    """Read an integer modulo 2**64 as a number from -2**63 to 2**63 - 1.

    Raises:
        OutOfRangeError: `word` is not within 0 .. 2**64 - 1.
    """
    require_range("word", word, 0, U64_MAX)
    return word - WORD if word >= WORD // 2 else word
