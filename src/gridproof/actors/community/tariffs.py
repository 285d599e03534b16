"""What energy costs: the tariffs in force on the ledger, and putting another one into force."""

from typing import NamedTuple

from gridproof.actors.operator import Operator
from gridproof.connectors.config import Region
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.tariff_file import TariffPlan
from gridproof.domain import MonthBounds, MonthId, RegionId, TariffStep, month_label
from gridproof.modules.pricing import queries as pricing

from .community import Community
from .errors import NoMonthThenError, NoTariffFileError, UnpricedMonthError
from .people import OPERATOR
from .periods import MonthView, months_of
from .times import require_between_periods


class InForce(NamedTuple):
    """The tariffs of a region's month.

    Attributes:
        bounds: the month.
        steps: the tariffs with the periods from which they are in force, ascending.
        on_ledger: whether they stand on the ledger; else the file says them, for a month that is not opened yet.
    """

    bounds: MonthBounds
    steps: tuple[TariffStep, ...]
    on_ledger: bool

    def span(self, at: int) -> tuple[int, int]:
        """From when until when a tariff is in force, UTC epoch seconds."""
        ends = [*(step.from_k for step in self.steps[1:]), self.bounds.end_k]
        return self.steps[at].from_k * self.bounds.period_s, ends[at] * self.bounds.period_s


def in_force(community: Community, client: LedgerClient, region: Region, month: MonthId | None = None) -> InForce:
    """The tariffs of a region's month: from the ledger, or from the file where the month is not opened yet.

    Args:
        community: whose.
        client: the way to the ledger.
        region: the region.
        month: the month; without one the last that was opened with a tariff, or the one of ledger time.

    Raises:
        UnpricedMonthError: the month was opened without a tariff.
        NoTariffFileError: it was not opened, and there is no file.
        TariffInvalidError, TariffMonthError: the file cannot be used.
    """
    for view in reversed(months_of(client, region.number)):
        if month is None or view.bounds.month == month:
            steps = pricing_steps(client, region, view)
            if steps:
                return InForce(view.bounds, steps, on_ledger=True)
            if month is not None:
                raise UnpricedMonthError(region=_named(region), month=month_label(month))
    month = community.calendar.month_of(client.status().ledger_time_s) if month is None else month
    bounds = community.calendar.bounds(month)
    tariff = community.tariff(RegionId(region.number), bounds)
    if tariff is None:
        raise NoTariffFileError(path=str(community.folder.tariff))
    return InForce(bounds, (TariffStep(bounds.first_k, tariff),), on_ledger=False)


def pricing_steps(client: LedgerClient, region: Region, view: MonthView) -> tuple[TariffStep, ...]:
    """The tariffs of a month of the ledger, with the periods from which they are in force."""
    found = client.ask(pricing.tariffs, region.number, view.bounds.month)
    return tuple(TariffStep(from_k, tariff) for from_k, tariff in found)


def change_tariff(community: Community, client: LedgerClient, region: Region, plan: TariffPlan, start: str) -> InForce:
    """Put a tariff into force in an open month, as the operator; what is in force from then on already stays.

    Args:
        community: whose.
        client: the way to the ledger.
        region: the region.
        plan: the tariff.
        start: from when on, as people write it.

    Returns:
        The month's tariffs afterwards.

    Raises:
        NoMonthThenError: no month that was opened holds that time.
        TimeError: it is no time, or no period starts then.
        TariffMonthError: the tariff cannot be cut for this month.
        PricesFolded, NoTariff, TariffTooEarly, TariffTooLate, OtherMoney: the ledger refuses it.
    """
    from_s = require_between_periods(community.times, start, community.times.parse(start))
    view = _month_at(community, client, region, from_s, start)
    tariff = community.cut_tariff(plan, view.bounds, from_s)
    operator = Operator(community.sender(client, OPERATOR))
    operator.change_tariff(RegionId(region.number), view.bounds.month, from_s // view.bounds.period_s, tariff)
    return InForce(view.bounds, pricing_steps(client, region, view), on_ledger=True)


def _month_at(community: Community, client: LedgerClient, region: Region, instant_s: int, given: str) -> MonthView:
    views = months_of(client, region.number)
    for view in views:
        if view.bounds.start_s <= instant_s < view.bounds.end_s:
            return view
    until = community.times.label(views[-1].bounds.end_s) if views else "none is open"
    raise NoMonthThenError(given=given, region=_named(region), until=until)


def _named(region: Region) -> str:
    return f"{region.number} {region.name}"
