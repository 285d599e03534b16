"""What a month would have cost under another tariff: every household billed twice, and nothing written.

Rules:
    S-1 Both bills are made by the one arithmetic of bills, from the same readings. A period without a reading is
        missing under both; registers and late records are left out.
    S-2 A period's total is the one that the ledger opened; where it has not ended there, the sum of the readings. A
        sealed or void period takes the fallback price.
    S-3 Only the stretch from the first reading to the last is billed, so that what is to come is not missing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gridproof.connectors.config import Region
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.readings import ReadingsStore
from gridproof.connectors.tariff_file import TariffPlan
from gridproof.domain import (
    Absent,
    Bill,
    BillMonth,
    ChannelMonth,
    ChargeKind,
    Direction,
    Metered,
    MonthBounds,
    MonthId,
    RegionId,
    SlotPrice,
    TariffStep,
    Why,
    make_bill,
    month_label,
    slot_price,
    tariff_at,
)

from .community import Community, close_names
from .errors import NoReadingsThenError, NoSuchHouseholdError, NoTariffFileError
from .periods import EMPTY, months_of, periods
from .tariffs import pricing_steps

UNSETTLED = (EMPTY, "open", "closed", "fixed")

Loads = Mapping[Direction, Sequence[int | None]]
"""A region's totals by channel and period, Wh; None where there is none."""


class Metering(NamedTuple):
    """A meter's time in the month: what one bill is for.

    Attributes:
        name: the household's.
        channels: what it reports.
        from_k: first period.
        until_k: first period after it.
    """

    name: str
    channels: tuple[Direction, ...]
    from_k: int
    until_k: int


class Twice(NamedTuple):
    """What a household's month comes to under both tariffs.

    Attributes:
        name: the household's.
        now_e9: its payable sum under the present tariff, 1e-9 currency.
        new_e9: under the new one.
        now: the present one's charges by kind, 1e-9 currency.
        new: the new one's.
        energy_wh: imported energy, Wh.
        fed_in_wh: exported energy.
    """

    name: str
    now_e9: int
    new_e9: int
    now: Mapping[ChargeKind, int]
    new: Mapping[ChargeKind, int]
    energy_wh: int
    fed_in_wh: int

    @property
    def change_e9(self) -> int:
        """What the new tariff adds; negative where the household pays less."""
        return self.new_e9 - self.now_e9

    def joined(self, other: "Twice") -> "Twice":
        """Both together: a household has several bills where its meter was swapped."""
        return Twice(
            self.name,
            self.now_e9 + other.now_e9,
            self.new_e9 + other.new_e9,
            _added(self.now, other.now),
            _added(self.new, other.new),
            self.energy_wh + other.energy_wh,
            self.fed_in_wh + other.fed_in_wh,
        )


class Simulation(NamedTuple):
    """What a region's month would have cost.

    Attributes:
        bounds: the stretch that was billed.
        present: name of the present tariff.
        proposed: name of the new one.
        households: by name.
        opened: periods and channels whose total the ledger opened.
        fallbacks: those without a total.
    """

    bounds: MonthBounds
    present: str
    proposed: str
    households: tuple[Twice, ...]
    opened: int
    fallbacks: int

    def household(self, name: str) -> Twice:
        """One household.

        Raises:
            NoSuchHouseholdError: none of this name has readings; close ones are named.
        """
        found = {each.name: each for each in self.households}
        if name not in found:
            raise NoSuchHouseholdError(household=name, close=close_names(name, found))
        return found[name]


class Case(NamedTuple):
    """What is simulated.

    Attributes:
        community: whose tariff it is.
        client: the way to the ledger.
        store: the readings.
        region: the region.
        names: households that count as enrolled all the time; None for those of the bill provider's book.
    """

    community: Community
    client: LedgerClient
    store: ReadingsStore
    region: Region
    names: Sequence[str] | None = None


def simulate(
    case: Case,
    plan: TariffPlan,
    month: MonthId | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Simulation:
    """Bill a region's month under its present tariff and a new one.

    Args:
        case: households, readings and ledger.
        plan: the new tariff.
        month: the month; without one the last that has readings.
        progress: told how many households are done, of how many.

    Raises:
        NoReadingsThenError: the month has no readings of the region's households.
        NoTariffFileError: there is no present tariff, neither on the ledger nor in the file.
        TariffMonthError: the new tariff cannot be cut for this month.
    """
    community, client, store, region, names = case
    bounds, present = _stretch(case, month)
    proposed = (TariffStep(bounds.first_k, community.cut_tariff(plan, bounds)),)
    meterings = list(_enrolled(community, region, bounds) if names is None else _named(store, bounds, names))
    loads, opened = _loads(client, store, region, bounds, {metering.name for metering in meterings})
    prices = [_prices(steps, bounds, loads) for steps in (present, proposed)]
    bills: dict[str, Twice] = {}  # not the bills themselves: memory stays small, however many households there are
    for done, metering in enumerate(meterings, 1):
        readings = {channel: _readings(store, metering, channel, bounds) for channel in metering.channels}
        if any(readings.values()):
            now, new = (
                make_bill(_month(metering, bounds, steps, readings, priced))
                for steps, priced in zip((present, proposed), prices, strict=True)
            )
            twice = _twice(metering.name, now, new)
            bills[twice.name] = bills[twice.name].joined(twice) if twice.name in bills else twice
        progress(done, len(meterings))
    if not bills:
        raise NoReadingsThenError(month=month_label(bounds.month))
    households = tuple(bills[name] for name in sorted(bills))
    fallbacks = sum(load is None for each in loads.values() for load in each)
    return Simulation(bounds, present[-1].tariff.name, plan.name, households, opened, fallbacks)


def _stretch(case: Case, month: MonthId | None) -> tuple[MonthBounds, tuple[TariffStep, ...]]:
    """What of a month is billed (S-3), and its present tariffs."""
    community, client, store, region, _ = case
    span, calendar = store.span(), community.calendar
    if month is None:
        month = calendar.month_of(client.status().ledger_time_s if span is None else span[1])
    view = next((view for view in months_of(client, region.number) if view.bounds.month == month), None)
    whole = calendar.bounds(month) if view is None else view.bounds
    starts = list(_ends(store, whole))
    if not starts:
        raise NoReadingsThenError(month=month_label(month))
    bounds = whole._replace(start_s=starts[0], end_s=starts[-1] + whole.period_s)
    steps = () if view is None else pricing_steps(client, region, view)
    if not steps:
        tariff = community.tariff(RegionId(region.number), bounds)
        if tariff is None:
            raise NoTariffFileError(path=str(community.folder.tariff))
        steps = (TariffStep(bounds.first_k, tariff),)
    return bounds, steps


def _ends(store: ReadingsStore, bounds: MonthBounds) -> Iterator[int]:
    """Starts of the first and the last period of a month that have readings."""
    last = None
    for reading in store.between(bounds.start_s, bounds.end_s):
        if last is None:
            yield reading.start_s
        last = reading.start_s
    if last is not None:
        yield last


def _enrolled(community: Community, region: Region, bounds: MonthBounds) -> Iterator[Metering]:
    """The meters of the bill provider's book that were enrolled in the stretch."""
    for row in community.meters():
        from_k, until_k = bounds.stretch(row.from_k, row.until_k)
        if row.region == region.number and from_k < until_k:
            yield Metering(row.name, row.channels, from_k, until_k)


def _named(store: ReadingsStore, bounds: MonthBounds, names: Iterable[str]) -> Iterator[Metering]:
    """Meters that report what there are readings of, all the time."""
    channels: dict[str, set[Direction]] = defaultdict(set)
    for span in store.meters():
        channels[span.meter].add(span.channel)
    for name in names:
        yield Metering(name, tuple(sorted(channels[name])), bounds.first_k, bounds.end_k)


def _loads(
    client: LedgerClient, store: ReadingsStore, region: Region, bounds: MonthBounds, names: set[str]
) -> tuple[Loads, int]:
    """The totals of all periods (S-2), and how many of them the ledger opened."""
    loads: dict[Direction, list[int | None]] = {channel: [None] * bounds.periods for channel in Direction}
    for reading in store.between(bounds.start_s, bounds.end_s):
        if reading.meter in names:
            at, known = reading.start_s // bounds.period_s - bounds.first_k, loads[reading.channel]
            known[at] = (known[at] or 0) + reading.energy_wh
    opened = 0
    for channel, known in loads.items():
        for period in periods(client, RegionId(region.number), channel, bounds.first_k, bounds.end_k):
            if period.status not in UNSETTLED:
                known[period.k - bounds.first_k] = period.total_wh
                opened += period.total_wh is not None
    return loads, opened


def _prices(steps: Sequence[TariffStep], bounds: MonthBounds, loads: Loads) -> dict[Direction, list[SlotPrice]]:
    """What each period costs under some tariffs."""
    tariffs = [tariff_at(steps, k) for k in range(bounds.first_k, bounds.end_k)]
    return {
        channel: [
            SlotPrice(slot_price(tariff, channel, bounds.start_s + at * bounds.period_s, load), load is None)
            for at, (tariff, load) in enumerate(zip(tariffs, known, strict=True))
        ]
        for channel, known in loads.items()
    }


def _readings(store: ReadingsStore, metering: Metering, channel: Direction, bounds: MonthBounds) -> list[Metered]:
    from_s, until_s = metering.from_k * bounds.period_s, metering.until_k * bounds.period_s
    return [
        Metered(reading.start_s // bounds.period_s, reading.energy_wh)
        for reading in store.of_meter(metering.name, channel, from_s, until_s)
    ]


def _month(
    metering: Metering,
    bounds: MonthBounds,
    steps: Sequence[TariffStep],
    readings: Mapping[Direction, Sequence[Metered]],
    prices: Mapping[Direction, Sequence[SlotPrice]],
) -> BillMonth:
    """All that a household's bill is made of (S-1)."""
    channels = []
    for channel, known in readings.items():
        there = {reading.k for reading in known}
        absent = [Absent(k, Why.SILENT) for k in range(metering.from_k, metering.until_k) if k not in there]
        channels.append(ChannelMonth(channel, prices[channel], known, absent, None))
    return BillMonth(bounds, metering.from_k, metering.until_k, steps, channels)


def _twice(name: str, now: Bill, new: Bill) -> Twice:
    energy = {channel: sum(line.energy_wh for line in now.lines if line.channel == channel) for channel in Direction}
    sums = now.payable_e9, new.payable_e9, _by_kind(now), _by_kind(new)
    return Twice(name, *sums, energy[Direction.IMPORT], energy[Direction.EXPORT])


def _by_kind(bill: Bill) -> dict[ChargeKind, int]:
    sums: dict[ChargeKind, int] = {}
    for charge in bill.charges:
        sums = _added(sums, {charge.kind: charge.amount_e9})
    return sums


def _added(one: Mapping[ChargeKind, int], other: Mapping[ChargeKind, int]) -> dict[ChargeKind, int]:
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in dict.fromkeys([*one, *other])}
