"""Numbers for people: N-1 to N-6, against values that CLDR and bills on paper give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.bills.page.numbers import Exact, Numbers, needed_decimals, numbers_of

EN, CH, DE = numbers_of("en", "CHF"), numbers_of("de", "CHF"), numbers_of("de", "EUR")
E9 = 10**9


@pytest.mark.parametrize(
    ("numbers", "amount_e9", "told"),
    [
        (EN, 1_234_550_000_000, "CHF\u00a01,234.55"),
        (CH, 1_234_550_000_000, "CHF\u00a01\u2019234.55"),
        (DE, 1_234_550_000_000, "1.234,55\u00a0EUR"),
        (numbers_of("en", "EUR"), 1_234_550_000_000, "EUR\u00a01,234.55"),
        (CH, 1_234_567 * E9, "CHF\u00a01\u2019234\u2019567.00"),
        (CH, -50_000_000, "\u2212CHF\u00a00.05"),
        (DE, -50_000_000, "\u22120,05\u00a0EUR"),
        (EN, 5_000_000, "CHF\u00a00.01"),
        (EN, 4_999_999, "CHF\u00a00.00"),
        (EN, -4_999_999, "CHF\u00a00.00"),
        (EN, 0, "CHF\u00a00.00"),
        (EN, 999_995_000_000, "CHF\u00a01,000.00"),
        (numbers_of("en", "JPY"), 1_234 * E9, "JPY\u00a01,234"),
        (numbers_of("de", "JPY"), 1_234 * E9, "1.234\u00a0JPY"),
        (numbers_of("en", "KWD"), 1_234_567_000_000, "KWD\u00a01,234.567"),
    ],
)
def test_n1_n2_money_is_written_as_people_of_the_language_do(numbers: Numbers, amount_e9: int, told: str) -> None:
    assert numbers.money(amount_e9) == told


@pytest.mark.parametrize(
    ("amount_e9", "rounding_e9", "told"),
    [
        (84_100_000_000, 50_000_000, "CHF\u00a084.10"),
        (84 * E9, E9, "CHF\u00a084.00"),
        (84_125_000_000, 1_000_000, "CHF\u00a084.125"),
        (84_000_000_001, 1, "CHF\u00a084.000000001"),
        (0, 50_000_000, "CHF\u00a00.00"),
    ],
)
def test_n3_what_is_to_be_paid_has_the_decimals_that_its_rounding_needs(
    amount_e9: int, rounding_e9: int, told: str
) -> None:
    assert EN.payable(amount_e9, rounding_e9) == told


def test_n4_exact_amounts_show_every_digit_in_two_parts() -> None:
    amounts = [1_234_567_890_000, 5 * E9]
    decimals = CH.exact_decimals(amounts)
    assert [CH.exact(each, decimals) for each in amounts] == [Exact("1\u2019234.56", "789"), Exact("5.00", "000")]
    assert CH.exact(-1_500_000_000, 2) == Exact("\u22121.50", "")
    yen = numbers_of("en", "JPY")
    assert yen.exact(1_500_000_000, 1) == Exact("1", ".5")
    assert yen.exact(2 * E9, 0) == Exact("2", "")


@pytest.mark.parametrize(
    ("currency", "price", "unit"),
    [
        ("CHF", "27.135", "Rp./kWh"),
        ("EUR", "27.135", "ct/kWh"),
        ("GBP", "27.135", "p/kWh"),
        ("SEK", "0.27135", "SEK/kWh"),
    ],
)
def test_n5_prices_are_told_in_hundredths_where_people_name_them(currency: str, price: str, unit: str) -> None:
    numbers = numbers_of("en", currency)
    assert (numbers.price(27_135), numbers.price_unit) == (price, unit)


def test_prices_show_no_more_decimals_than_the_table_needs() -> None:
    assert EN.price_decimals([27_130, 8_000]) == 2
    assert EN.price_decimals([27_130, 8_001]) == 3
    assert EN.price(27_130, 2) == "27.13"
    assert EN.price(-4_005) == "\u22124.005"


def test_energy_and_shares() -> None:
    assert (EN.kwh(1_234_567), CH.kwh(50), DE.kwh(1_234_567, 1)) == ("1,234.567", "0.050", "1.234,6")
    assert (EN.share(810), DE.share(1_900), EN.share(775)) == ("8.1\u00a0%", "19,0\u00a0%", "7.75\u00a0%")
    assert EN.trimmed(1_500, 3) == "1.5"


@given(st.integers(-(2**62), 2**62))
def test_an_exact_amount_can_be_read_back(amount_e9: int) -> None:
    for numbers in (EN, CH, DE):
        text = "".join(numbers.exact(amount_e9, numbers.exact_decimals([amount_e9])))
        assert numbers.decimals <= len(text.partition(numbers.point)[2]) <= 9
        plain = text.replace(numbers.group, "").replace(numbers.point, ".").replace("\u2212", "-")
        whole, _, part = plain.partition(".")
        magnitude = int(whole.removeprefix("-")) * E9 + int(part.ljust(9, "0"))
        assert (-magnitude if plain.startswith("-") else magnitude) == amount_e9


@given(st.lists(st.integers(-(10**6), 10**6), max_size=5), st.integers(0, 3))
def test_needed_decimals_lose_nothing_and_waste_nothing(values: list[int], least: int) -> None:
    decimals = needed_decimals(values, 3, least)
    assert least <= decimals <= 3
    assert all(value % 10 ** (3 - decimals) == 0 for value in values)
    if decimals > least:
        assert any(value % 10 ** (4 - decimals) for value in values)
