"""Energy, prices and amounts."""

import pytest

from gridproof.domain import EnergyWh, OutOfRangeError, PriceE5, amount_e9, energy_wh, to_signed
from gridproof.domain.units import MAX_READING_WH


def test_an_amount_is_exact() -> None:
    # 1,234 Wh at 0.27650 per kWh are 0.341201000
    assert amount_e9(EnergyWh(1_234), PriceE5(27_650)) == 341_201_000
    assert amount_e9(EnergyWh(1), PriceE5(1)) == 10
    assert amount_e9(EnergyWh(5), PriceE5(-3)) == -150


def test_readings_are_taken_within_a_meters_range() -> None:
    assert energy_wh(0) == 0
    assert energy_wh(MAX_READING_WH - 1) == MAX_READING_WH - 1
    for value in (-1, MAX_READING_WH):
        with pytest.raises(OutOfRangeError) as refusal:
            energy_wh(value)
        assert refusal.value.value == value


@pytest.mark.parametrize(
    ("word", "signed"), [(0, 0), (1, 1), (2**63 - 1, 2**63 - 1), (2**63, -(2**63)), (2**64 - 1, -1)]
)
def test_a_word_reads_as_a_signed_number(word: int, signed: int) -> None:
    assert to_signed(word) == signed


@pytest.mark.parametrize("word", [-1, 2**64])
def test_a_number_that_is_no_word_is_refused(word: int) -> None:
    with pytest.raises(OutOfRangeError):
        to_signed(word)
