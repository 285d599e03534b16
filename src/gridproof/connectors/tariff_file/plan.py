"""A tariff as people mean it, and how a month of it is cut for the ledger.

Rules:
    T-1 A time band is written in the zone's own time; a period takes the band that its first instant falls into, by
        the zone's clock then. So an hour that the clock shows twice has its band twice, and one that it skips never.
    T-2 A window over midnight belongs to the day on which it begins, and so do its weekday and month.
    T-3 Where no window holds, the default band does.
    T-4 A standing charge by the month is for the whole calendar month, also where the ledger's month was cut.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from gridproof.calendar import Calendar
from gridproof.domain import (
    DEFAULT_LIMIT_WH,
    MAX_SWITCHES,
    SECONDS_PER_DAY,
    Band,
    ChannelTariff,
    DomainError,
    Flat,
    Levy,
    Linear,
    MisalignedError,
    MonthBounds,
    Penalties,
    Standing,
    Stepped,
    Switch,
    Tariff,
    Tax,
    TimeOfUse,
    month_id,
    month_label,
    require_range,
    require_tariff,
)

from .errors import TariffMonthError

MINUTES_PER_DAY: Final = 24 * 60
_DAY: Final = timedelta(days=1)


class Per(StrEnum):
    """What a standing charge is for."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Window(NamedTuple):
    """When a band holds.

    Attributes:
        days: weekdays on which it begins, 0 for Monday, ascending.
        months: months in which it begins, 1 .. 12, ascending.
        from_min: minute of the day at which it begins.
        to_min: minute of the day at which it ends, at most 1440; not after `from_min`: on the next day.
    """

    days: tuple[int, ...]
    months: tuple[int, ...]
    from_min: int
    to_min: int

    @property
    def is_overnight(self) -> bool:
        """Whether it goes on over midnight."""
        return self.to_min <= self.from_min

    def holds(self, local: datetime) -> bool:
        """Whether it holds when the zone's clock shows this (T-2)."""
        minute = local.hour * 60 + local.minute
        if not self.is_overnight:
            return self.from_min <= minute < self.to_min and self._begins_on(local)
        if minute >= self.from_min and self._begins_on(local):
            return True
        return minute < self.to_min and self._begins_on(local.replace(tzinfo=None) - _DAY)

    def _begins_on(self, day: datetime) -> bool:
        return day.weekday() in self.days and day.month in self.months


class BandPlan(NamedTuple):
    """A time band as people write it.

    Attributes:
        name: for people, `high`.
        price_e5: 1e-5 currency per kWh.
        windows: when it holds; none for the default band.
    """

    name: str
    price_e5: int
    windows: tuple[Window, ...]


class TimeBands(NamedTuple):
    """A price by time band.

    Attributes:
        bands: the bands, in the file's order.
        default: index of the one that holds where no other does.
    """

    bands: tuple[BandPlan, ...]
    default: int

    def band_at(self, local: datetime) -> int:
        """Index of the band that holds when the zone's clock shows this (T-3)."""
        for at, band in enumerate(self.bands):
            if any(window.holds(local) for window in band.windows):
                return at
        return self.default

    def cut(self, calendar: Calendar, bounds: MonthBounds, from_s: int) -> TimeOfUse:
        """The bands with their switches from an instant to the month's end (T-1)."""
        bands = tuple(Band(band.name, band.price_e5) for band in self.bands)
        return TimeOfUse(bands, tuple(self._switches(calendar, from_s, bounds)))

    def _switches(self, calendar: Calendar, from_s: int, bounds: MonthBounds) -> Iterator[Switch]:
        last = None
        for start_s in range(from_s, bounds.end_s, bounds.period_s):
            band = self.band_at(calendar.local(start_s))
            if band != last:
                yield Switch(start_s, band)
                last = band


class ChannelPlan(NamedTuple):
    """How a channel's energy is priced.

    Attributes:
        scheme: of periods with a total.
        fallback_e5: of periods without one, 1e-5 currency per kWh.
    """

    scheme: Flat | TimeBands | Linear | Stepped
    fallback_e5: int

    @property
    def label(self) -> str:
        """Its scheme for people."""
        scheme = self.scheme
        if isinstance(scheme, TimeBands):
            return f"by time ({', '.join(band.name for band in scheme.bands)})"
        return "flat" if isinstance(scheme, Flat) else "linear in the load" if isinstance(scheme, Linear) else "by load"

    def cut(self, calendar: Calendar, bounds: MonthBounds, from_s: int) -> ChannelTariff:
        """The same for the ledger, from an instant to the month's end."""
        scheme = self.scheme
        if isinstance(scheme, TimeBands):
            return ChannelTariff(scheme.cut(calendar, bounds, from_s), self.fallback_e5)
        return ChannelTariff(scheme, self.fallback_e5)


class StandingPlan(NamedTuple):
    """A standing charge as people write it.

    Attributes:
        name: for people.
        amount_e9: 1e-9 currency.
        per: what that is for.
    """

    name: str
    amount_e9: int
    per: Per

    def cut(self, calendar: Calendar, bounds: MonthBounds) -> Standing:
        """The same for the ledger (T-4)."""
        return Standing(self.name, self.amount_e9, _seconds(self.per, calendar, bounds))


class TariffPlan(NamedTuple):
    """A community's tariff as its file says it, of no month in particular.

    Attributes:
        name: for people.
        rounding_e9: the payable sum is a multiple of this, 1e-9 currency.
        imports: how drawn energy is priced.
        feed_in: how delivered energy is credited.
        levies: for each imported kWh.
        standing: for time enrolled.
        taxes: shares of the charges.
        penalties: for missing and late periods.
    """

    name: str
    rounding_e9: int
    imports: ChannelPlan
    feed_in: ChannelPlan
    levies: tuple[Levy, ...] = ()
    standing: tuple[StandingPlan, ...] = ()
    taxes: tuple[Tax, ...] = ()
    penalties: Penalties = Penalties(0, 0)

    def for_month(
        self,
        calendar: Calendar,
        bounds: MonthBounds,
        currency: str,
        from_s: int | None = None,
        *,
        limit_wh: int = DEFAULT_LIMIT_WH,
    ) -> Tariff:
        """Cut the tariff for a month of the ledger.

        Args:
            calendar: of the community; its periods are as long as the month's.
            bounds: the month.
            currency: ISO 4217 code.
            from_s: first instant that it is for, UTC epoch seconds, between two periods; the month's first by default.
            limit_wh: the largest reading of a period that can be true, Wh.

        Returns:
            A tariff that passed `require_tariff`.

        Raises:
            OutOfRangeError: `from_s` lies outside the month.
            MisalignedError: `from_s` does not lie between two periods.
            TariffMonthError: the ledger would refuse it: too many switches, or a currency that is no code.
        """
        start_s = bounds.start_s if from_s is None else from_s
        require_range("from_s", start_s, bounds.start_s, bounds.end_s - 1)
        if start_s % bounds.period_s:
            raise MisalignedError(what="from_s", instant_s=start_s, period_s=bounds.period_s)
        tariff = Tariff(
            name=self.name,
            currency=currency,
            rounding_e9=self.rounding_e9,
            imports=self.imports.cut(calendar, bounds, start_s),
            feed_in=self.feed_in.cut(calendar, bounds, start_s),
            levies=self.levies,
            standing=tuple(each.cut(calendar, bounds) for each in self.standing),
            taxes=self.taxes,
            penalties=self.penalties,
            limit_wh=limit_wh,
        )
        _require_priced(tariff, bounds, start_s)
        return tariff

    def summary(self) -> str:
        """What there is of it, in a line."""
        names = [levy.name for levy in self.levies] + [each.name for each in self.standing]
        names += [tax.name for tax in self.taxes]
        rest = ", ".join(names) or "nothing else"
        return f"{self.name}: import {self.imports.label}, feed-in {self.feed_in.label}; {rest}"


def _require_priced(tariff: Tariff, bounds: MonthBounds, start_s: int) -> None:
    month = month_label(bounds.month)
    for channel in (tariff.imports, tariff.feed_in):
        if isinstance(channel.scheme, TimeOfUse) and len(channel.scheme.switches) > MAX_SWITCHES:
            detail = f"its bands change {len(channel.scheme.switches)} times, more than {MAX_SWITCHES}"
            raise TariffMonthError(month=month, detail=detail)
    try:
        require_tariff(tariff, start_s)
    except DomainError as wrong:
        raise TariffMonthError(month=month, detail=str(wrong)) from wrong


def _seconds(per: Per, calendar: Calendar, bounds: MonthBounds) -> int:
    """How long what a standing charge is for lasts."""
    if per is Per.DAY:
        return SECONDS_PER_DAY
    if per is Per.MONTH:
        whole = calendar.bounds(bounds.month)
        return whole.end_s - whole.start_s
    year = bounds.month // 12
    return calendar.bounds(month_id(year, 12)).end_s - calendar.bounds(month_id(year, 1)).start_s
