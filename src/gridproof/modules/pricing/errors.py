"""Reasons for which pricing refuses. Numbers are part of the protocol: never reused."""

from typing import ClassVar

from gridproof.errors import Refusal


class PricingError(Refusal):
    """Root of this module's refusals."""


# Tariffs


class TariffInvalid(PricingError):
    """The tariff contradicts itself; the one in force stays. Correct what is named."""

    code: ClassVar[int] = 3001
    detail: str


class NoTariff(PricingError):
    """The month was opened without a tariff, so its slots have no prices; nothing changed."""

    code: ClassVar[int] = 3002
    region: int
    month: int


class TariffTooEarly(PricingError):
    """A tariff changes in its month, after the last change; nothing changed. Name a later period of the month."""

    code: ClassVar[int] = 3003
    from_k: int
    low_k: int
    high_k: int


class TariffTooLate(PricingError):
    """The period has begun, and nobody's price is changed afterwards; nothing changed. Name one that is to come."""

    code: ClassVar[int] = 3004
    from_k: int
    start_s: int
    now_s: int


class OtherMoney(PricingError):
    """A month keeps its currency and rounding; nothing changed. Give the tariff the same ones, or wait a month."""

    code: ClassVar[int] = 3005
    currency: str
    rounding_e9: int


# Prices


class PricesFolded(PricingError):
    """The month was closed and its prices are final; nothing changed."""

    code: ClassVar[int] = 3006
    region: int
    month: int


class SlotNotEnded(PricingError):
    """The slot is neither opened, sealed nor void, so it has no price yet. Announce it when the slot has ended."""

    code: ClassVar[int] = 3007
    region: int
    channel: int
    k: int


class PriceExists(PricingError):
    """The slot has its price, and that stays."""

    code: ClassVar[int] = 3008
    price_e5: int


class OtherTotal(PricingError):
    """The price is for another total, or other batches, than the slot has; no price was set. Read the slot anew."""

    code: ClassVar[int] = 3009
    total_wh: int
    expected_wh: int


class WrongPrice(PricingError):
    """The tariff gives the slot another price; no price was set. Announce the one that it gives."""

    code: ClassVar[int] = 3010
    price_e5: int
    expected_e5: int
