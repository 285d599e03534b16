"""What energy costs: a community's tariff, and the price that it gives to a slot.

Rules:
    Y-1 A channel's price follows one scheme: flat, time of use, linear in the load or stepped by it. The load is the
        slot's total on that channel, in Wh.
    Y-2 A slot without a total (sealed or void) takes the channel's fallback price, whatever the scheme.
    Y-3 Beside the energy a tariff names levies (for each imported kWh), standing charges (for time enrolled), taxes (on
        what is charged for import, levies and standing) and penalties for missing and for late slots. A missing slot
        costs no less than a late one.
    Y-4 Zones do not exist here: a time-of-use scheme names its switches as instants.
    Y-5 A reading above the limit is taken for a fault: it has no line, and its energy comes in through the register.

Prices may be negative, where energy costs its producer; levies, standing charges, taxes and penalties are not.

Source: seed 002, dynamic pricing phase; private-metering.md, row 18.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from .errors import DomainError
from .ids import Direction
from .names import MAX_NAME, is_name
from .units import MAX_READING_WH, MAX_TOTAL_WH, PriceE5

__all__ = [
    "DEFAULT_LIMIT_WH",
    "MAX_PRICE_E5",
    "MAX_SWITCHES",
    "TAX_WHOLE",
    "Band",
    "ChannelTariff",
    "Flat",
    "Levy",
    "Linear",
    "Penalties",
    "Scheme",
    "Standing",
    "Step",
    "Stepped",
    "Switch",
    "Tariff",
    "TariffError",
    "Tax",
    "TimeOfUse",
    "require_tariff",
    "slot_price",
]

DEFAULT_LIMIT_WH: Final = 50_000
MAX_PRICE_E5: Final = 10**9  # 10,000 of the currency per kWh
MAX_CHARGE_E9: Final = 10**15  # a million of the currency
MAX_SWITCHES: Final = 2_000  # of a month: more than two an hour
MAX_BANDS: Final = 64
MAX_NAMED: Final = 16
MAX_SECONDS: Final = 366 * 86_400
TAX_WHOLE: Final = 10_000  # a tax of so many parts doubles the price

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]  # and one that people see, says `require_tariff`
Price = Annotated[int, Meta(ge=-MAX_PRICE_E5, le=MAX_PRICE_E5)]
Charge = Annotated[int, Meta(ge=0, le=MAX_CHARGE_E9)]
Load = Annotated[int, Meta(ge=0, le=MAX_TOTAL_WH)]
Instant = Annotated[int, Meta(ge=0, le=2**40)]


class TariffError(DomainError):
    """The tariff contradicts itself; nothing was taken from it. Correct what is named."""

    detail: str


class _Part(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of a tariff, with one encoding: an array of its fields."""


class Flat(_Part, frozen=True, tag=1):
    """One price at all times.

    Attributes:
        price_e5: 1e-5 currency per kWh.
    """

    price_e5: Price


class Band(_Part, frozen=True):
    """A time band.

    Attributes:
        name: for people, `high`.
        price_e5: 1e-5 currency per kWh.
    """

    name: Name
    price_e5: Price


class Switch(_Part, frozen=True):
    """An instant from which a band holds.

    Attributes:
        at_s: UTC epoch seconds; a slot takes the band that holds at its start.
        band: index of the band.
    """

    at_s: Instant
    band: Annotated[int, Meta(ge=0, lt=MAX_BANDS)]


class TimeOfUse(_Part, frozen=True, tag=2):
    """A price by time band.

    Attributes:
        bands: the bands.
        switches: when they change, strictly ascending; the first one is at or before the tariff's first slot.
    """

    bands: Annotated[tuple[Band, ...], Meta(min_length=1, max_length=MAX_BANDS)]
    switches: Annotated[tuple[Switch, ...], Meta(min_length=1, max_length=MAX_SWITCHES)]


class Linear(_Part, frozen=True, tag=3):
    """A price that goes with the load between two points, and stays beyond them.

    Attributes:
        from_wh: load at and below which the first price holds.
        from_price_e5: that price, 1e-5 currency per kWh.
        to_wh: load at and above which the second price holds.
        to_price_e5: that price.
    """

    from_wh: Load
    from_price_e5: Price
    to_wh: Load
    to_price_e5: Price


class Step(_Part, frozen=True):
    """A step.

    Attributes:
        from_wh: load from which on it holds.
        price_e5: 1e-5 currency per kWh.
    """

    from_wh: Load
    price_e5: Price


class Stepped(_Part, frozen=True, tag=4):
    """A price by steps of the load.

    Attributes:
        steps: strictly ascending; the first one begins at 0 Wh.
    """

    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=MAX_BANDS)]


Scheme = Flat | TimeOfUse | Linear | Stepped


class ChannelTariff(_Part, frozen=True):
    """How a channel's energy is priced.

    Attributes:
        scheme: of slots with a total.
        fallback_e5: of slots without one, 1e-5 currency per kWh.
    """

    scheme: Scheme
    fallback_e5: Price


class Levy(_Part, frozen=True):
    """What is due for each imported kWh beside its price: grid usage, a levy, a concession fee.

    Attributes:
        name: for people.
        price_e5: 1e-5 currency per kWh.
    """

    name: Name
    price_e5: Annotated[int, Meta(ge=0, le=MAX_PRICE_E5)]


class Standing(_Part, frozen=True):
    """What is due for being connected.

    Attributes:
        name: for people.
        amount_e9: for `per_s` seconds, 1e-9 currency.
        per_s: a month's length in seconds where the charge is by month, a day's where it is by day.
    """

    name: Name
    amount_e9: Charge
    per_s: Annotated[int, Meta(ge=1, le=MAX_SECONDS)]


class Tax(_Part, frozen=True):
    """A share of what is charged for import, levies and standing.

    Attributes:
        name: for people.
        rate_e4: in 1/10,000 of the base.
    """

    name: Name
    rate_e4: Annotated[int, Meta(ge=0, le=TAX_WHOLE)]


class Penalties(_Part, frozen=True):
    """What a slot costs for which the meter's records did not come in time, 1e-9 currency.

    Attributes:
        missing_e9: they never came.
        late_e9: they came into the side batch.
    """

    missing_e9: Charge
    late_e9: Charge


class Tariff(_Part, frozen=True):
    """A community's tariff.

    Attributes:
        name: for people.
        currency: ISO 4217 code.
        rounding_e9: the payable sum is a multiple of this, 1e-9 currency.
        imports: how drawn energy is priced.
        feed_in: how delivered energy is credited.
        levies: for each imported kWh.
        standing: for time enrolled.
        taxes: shares of the charges.
        penalties: for missing and late slots.
        limit_wh: the largest reading of a period that can be true, Wh (Y-5).
    """

    name: Name
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
    rounding_e9: Annotated[int, Meta(ge=1, le=MAX_CHARGE_E9)]
    imports: ChannelTariff
    feed_in: ChannelTariff
    levies: Annotated[tuple[Levy, ...], Meta(max_length=MAX_NAMED)] = ()
    standing: Annotated[tuple[Standing, ...], Meta(max_length=MAX_NAMED)] = ()
    taxes: Annotated[tuple[Tax, ...], Meta(max_length=MAX_NAMED)] = ()
    penalties: Penalties = Penalties(0, 0)
    limit_wh: Annotated[int, Meta(ge=1, lt=MAX_READING_WH)] = DEFAULT_LIMIT_WH

    def channel(self, channel: Direction) -> ChannelTariff:
        """How a channel's energy is priced."""
        return self.imports if channel == Direction.IMPORT else self.feed_in

    @property
    def levies_e5(self) -> int:
        """What all levies come to, 1e-5 currency per imported kWh."""
        return sum(levy.price_e5 for levy in self.levies)

    @property
    def taxes_e4(self) -> int:
        """What all taxes come to, in 1/10,000 of their base."""
        return sum(tax.rate_e4 for tax in self.taxes)


def require_tariff(tariff: Tariff, from_s: int) -> None:
    """Return if a tariff can give every slot from an instant on its price.

    Args:
        tariff: its fields are within their widths (its decoder sees to that).
        from_s: start of the first slot that it is for, UTC epoch seconds.

    Raises:
        TariffError: a scheme does not ascend, leaves its first slot without a price, or names a band that is not there;
            a name comes twice, or shows nothing; or being late costs more than being silent.
    """
    for channel in Direction:
        _require_scheme(tariff.channel(channel).scheme, channel.label, from_s)
    for name in _names(tariff):
        if not is_name(name):
            raise TariffError(detail=f"the name {name!a}: it begins or ends with a space, or has an unseen character")
    if tariff.penalties.late_e9 > tariff.penalties.missing_e9:
        raise TariffError(detail="penalties: a late slot costs more than a missing one")
    for what, names in (
        ("levies", [levy.name for levy in tariff.levies]),
        ("standing", [standing.name for standing in tariff.standing]),
        ("taxes", [tax.name for tax in tariff.taxes]),
    ):
        if len(dict.fromkeys(names)) != len(names):
            raise TariffError(detail=f"{what}: a name comes twice")


def _names(tariff: Tariff) -> Iterator[str]:
    """All names that people read."""
    yield tariff.name
    for channel in Direction:
        scheme = tariff.channel(channel).scheme
        if isinstance(scheme, TimeOfUse):
            yield from (band.name for band in scheme.bands)
    yield from (levy.name for levy in tariff.levies)
    yield from (standing.name for standing in tariff.standing)
    yield from (tax.name for tax in tariff.taxes)


def _require_scheme(scheme: Scheme, where: str, from_s: int) -> None:
    match scheme:
        case TimeOfUse(bands, switches):
            _require_ascending([switch.at_s for switch in switches], f"{where}: the switches")
            if switches[0].at_s > from_s:
                raise TariffError(detail=f"{where}: no band holds at {from_s}, where the tariff begins")
            if any(switch.band >= len(bands) for switch in switches):
                raise TariffError(detail=f"{where}: a switch names a band that is not there")
        case Linear(from_wh, _, to_wh, _):
            _require_ascending([from_wh, to_wh], f"{where}: the two loads")
        case Stepped(steps):
            _require_ascending([step.from_wh for step in steps], f"{where}: the steps")
            if steps[0].from_wh:
                raise TariffError(detail=f"{where}: the first step does not begin at 0 Wh")


def _require_ascending(values: Sequence[int], what: str) -> None:
    if any(before >= after for before, after in pairwise(values)):
        raise TariffError(detail=f"{what} do not ascend")


def slot_price(tariff: Tariff, channel: Direction, start_s: int, total_wh: int | None) -> PriceE5:
    """The price of a slot (Y-1, Y-2).

    Args:
        tariff: the one in force, which passed `require_tariff`.
        channel: import or export.
        start_s: the slot's start, UTC epoch seconds.
        total_wh: the slot's total; None where it has none.

    Returns:
        1e-5 currency per kWh.

    Source: seed 002, dynamic pricing phase.
    """
    priced = tariff.channel(channel)
    if total_wh is None:
        return PriceE5(priced.fallback_e5)
    match priced.scheme:
        case Flat(price_e5):
            return PriceE5(price_e5)
        case TimeOfUse(bands, switches):
            return PriceE5(bands[_last(switches, start_s)].price_e5)
        case Linear():
            return PriceE5(_between(priced.scheme, total_wh))
        case Stepped(steps):
            return PriceE5([step.price_e5 for step in steps if step.from_wh <= total_wh][-1])


def _last(switches: Sequence[Switch], start_s: int) -> int:
    """The band that holds at an instant."""
    return [switch.band for switch in switches if switch.at_s <= start_s][-1]


def _between(line: Linear, load_wh: int) -> int:
    """The price on the line, rounded down to 1e-5."""
    along = min(max(load_wh, line.from_wh), line.to_wh) - line.from_wh
    return line.from_price_e5 + (line.to_price_e5 - line.from_price_e5) * along // (line.to_wh - line.from_wh)
