"""How numbers are written for people: whole-number arithmetic from the first digit to the last.

Rules:
    N-1 English writes 1,234.55; German writes 1.234,55, and 1'234.55 (with U+2019) where the currency is the Swiss
        franc, which is how people who pay in francs write (CLDR `en`, `de`, `de-CH`).
    N-2 A currency is named by its ISO code, before the number; in German, other than of francs, after it.
    N-3 What is to be paid has the currency's own decimals, or more where the community rounds more finely.
    N-4 An exact amount shows every digit that is not nought; digits past the currency's own are set apart as a tail.
    N-5 A price per kWh is told in the currency's hundredth where people name it so (Rp., ct), else in the currency.
    N-6 A negative number has the minus sign U+2212; blanks within a figure do not break.
"""

from typing import Final, NamedTuple

from gridproof.domain import half_up

MINUS: Final = "\u2212"
BLANK: Final = "\u00a0"
E9_DIGITS: Final = 9
_HUNDREDTHS: Final = {"CHF": "Rp.", "EUR": "ct", "GBP": "p", "USD": "ct"}
_DECIMALS: Final = dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "VND", "XAF", "XOF"), 0) | dict.fromkeys(
    ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3
)
_PRICE_DIGITS: Final = 5


class Exact(NamedTuple):
    """An exact amount, in two parts of which one is set apart (N-4).

    Attributes:
        head: up to the currency's own decimals.
        tail: the digits after them; empty where they are nought for the whole table.
    """

    head: str
    tail: str


class Numbers(NamedTuple):
    """Writes numbers in a language and a currency.

    Attributes:
        currency: ISO 4217 code.
        group: between thousands.
        point: before decimals.
        code_last: whether the currency stands after the number.
    """

    currency: str
    group: str
    point: str
    code_last: bool

    @property
    def decimals(self) -> int:
        """The currency's own decimals."""
        return _DECIMALS.get(self.currency, 2)

    def whole(self, value: int) -> str:
        """A whole number, in groups of three."""
        digits = str(abs(value))
        first = len(digits) % 3 or 3
        groups = [digits[:first], *(digits[at : at + 3] for at in range(first, len(digits), 3))]
        return (MINUS if value < 0 else "") + self.group.join(groups)

    def fixed(self, value: int, scale: int, decimals: int) -> str:
        """A number with so many decimals, rounded half-up.

        Args:
            value: the number, in 10 ** -scale.
            scale: how many decimals `value` has.
            decimals: how many are written, at most `scale`.
        """
        step: int = 10 ** (scale - decimals)
        shown = half_up(value, step) // step
        unit: int = 10**decimals
        whole, part = divmod(abs(shown), unit)
        text = self.whole(whole) + (f"{self.point}{part:0{decimals}d}" if decimals else "")
        return MINUS + text if shown < 0 else text

    def trimmed(self, value: int, scale: int, least: int = 0) -> str:
        """A number with no more decimals than it needs, and at least so many."""
        return self.fixed(value, scale, needed_decimals([value], scale, least))

    def money(self, amount_e9: int, decimals: int | None = None) -> str:
        """An amount with its currency (N-2), by default with the currency's own decimals."""
        number = self.fixed(amount_e9, E9_DIGITS, self.decimals if decimals is None else decimals)
        if self.code_last:
            return f"{number}{BLANK}{self.currency}"
        sign, plain = (MINUS, number[1:]) if number.startswith(MINUS) else ("", number)
        return f"{sign}{self.currency}{BLANK}{plain}"

    def exact(self, amount_e9: int, decimals: int) -> Exact:
        """An exact amount without its currency (N-4).

        Args:
            amount_e9: the amount.
            decimals: as `exact_decimals` found them for the table.
        """
        text = self.fixed(amount_e9, E9_DIGITS, decimals)
        tail = max(0, decimals - self.decimals)
        if not self.decimals:
            tail += bool(decimals)  # the point goes with it
        return Exact(text[: len(text) - tail], text[len(text) - tail :])

    def exact_decimals(self, amounts_e9: "list[int]") -> int:
        """How many decimals a table of exact amounts needs."""
        return needed_decimals(amounts_e9, E9_DIGITS, self.decimals)

    def payable(self, amount_e9: int, rounding_e9: int) -> str:
        """What is to be paid, with its currency (N-3)."""
        return self.money(amount_e9, self.exact_decimals([rounding_e9, amount_e9]))

    def kwh(self, energy_wh: int, decimals: int = 3) -> str:
        """Energy in kWh, without the unit."""
        return self.fixed(energy_wh, 3, decimals)

    @property
    def price_unit(self) -> str:
        """The unit of a price (N-5)."""
        return f"{_HUNDREDTHS.get(self.currency, self.currency)}/kWh"

    def price(self, price_e5: int, decimals: int = 3) -> str:
        """A price without its unit (N-5).

        Args:
            price_e5: 1e-5 currency per kWh.
            decimals: of the currency's hundredth; a currency without one shows two more.
        """
        scale, shown = self._price_scale(decimals)
        return self.fixed(price_e5, scale, shown)

    def price_decimals(self, prices_e5: "list[int]") -> int:
        """How many decimals of the hundredth a table of prices needs: two, or three."""
        return needed_decimals(prices_e5, _PRICE_DIGITS - 2, 2)

    def share(self, rate_e4: int) -> str:
        """A tax's rate, 1/10,000 of its base, in per cent."""
        return f"{self.trimmed(rate_e4, 2, 1)}{BLANK}%"

    def _price_scale(self, decimals: int) -> tuple[int, int]:
        if self.currency in _HUNDREDTHS:
            return _PRICE_DIGITS - 2, decimals
        return _PRICE_DIGITS, decimals + 2


def needed_decimals(values: "list[int]", scale: int, least: int) -> int:
    """How many decimals show all of these numbers in full.

    Args:
        values: the numbers, in 10 ** -scale.
        scale: how many decimals they have.
        least: no fewer than this.
    """
    for decimals in range(least, scale):
        step: int = 10 ** (scale - decimals)
        if not any(value % step for value in values):
            return decimals
    return scale


def numbers_of(language: str, currency: str) -> Numbers:
    """Choose how numbers are written (N-1, N-2).

    Args:
        language: `de` or `en`.
        currency: ISO 4217 code.
    """
    if language == "en":
        return Numbers(currency, ",", ".", code_last=False)
    if currency == "CHF":
        return Numbers(currency, "\u2019", ".", code_last=False)
    return Numbers(currency, ".", ",", code_last=True)
