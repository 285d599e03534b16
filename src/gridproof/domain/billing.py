"""What a household's month comes to: the one arithmetic that bill provider, household and auditor share.

Amounts are what they add to the bill: energy fed in and credits are negative.

Rules:
    Z-1 A line is a slot's energy at that slot's price, exactly: Wh x price x 10, in 1e-9 currency.
    Z-2 Levies are due for each imported Wh; a standing charge for the seconds enrolled under a tariff, half-up to 1e-9.
    Z-3 A tax is taken once on the month's base (imported energy, levies, standing, reconciled import), half-up to 1e-9;
        tariffs of one month that name the same tax at the same rate share a base.
    Z-4 A missing slot costs its penalty, and so does a late one. One that an aggregator dropped, that the bill provider
        left out of the total, or that no batch came for costs nothing: the meter is not to blame.
    Z-5 What the register says beyond the records is reconciled: import at the month's dearest slot, with that slot's
        levies and taxes, feed-in at the month's lowest price. So silence is never cheaper than speaking. A register
        that says less is an error, never a credit.
    Z-6 The bill is the sum of its charges, and energy charges are the sums of their lines. Only the payable sum is
        rounded, half-up, to the currency's step.
    Z-7 Where a tariff changes in the month, each slot has the prices, levies and penalties of its own.

Source: seed 002, dynamic billing phase; private-metering.md, rows 21 and 22; architecture.md, Units and time.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from .errors import DomainError
from .ids import Direction, require_range
from .tariff import TAX_WHOLE, Tariff
from .time import MonthBounds
from .units import AMOUNT_E9_PER_WH_AND_PRICE_E5, MAX_READING_WH

__all__ = [
    "Absence",
    "Absent",
    "Bill",
    "BillMonth",
    "ChannelMonth",
    "Charge",
    "ChargeKind",
    "Line",
    "Metered",
    "NoTariffError",
    "RegisterBehindError",
    "Registers",
    "SlotPrice",
    "SlotsUncoveredError",
    "TariffStep",
    "Why",
    "billed_wh",
    "half_up",
    "make_bill",
    "tariff_at",
]

MAX_REGISTER_WH: Final = 2**53  # what a JSON number holds for everybody


class RegisterBehindError(DomainError):
    """The register says less than the records that were billed; no bill was made. Have the meter checked."""

    channel: str
    register_wh: int
    recorded_wh: int


class NoTariffError(DomainError):
    """No tariff is in force at this slot; no bill was made. Open the month with a tariff."""

    k: int


class SlotsUncoveredError(DomainError):
    """Not every slot of the stretch is metered or absent, once, in order; no bill was made. Give each its place."""

    channel: str
    from_k: int
    until_k: int


class Why(StrEnum):
    """Why a slot has no line."""

    SILENT = "silent"  # the records never came
    DROPPED = "dropped"  # an aggregator had signed for them
    EXCLUDED = "excluded"  # they came, and cannot be true
    VOID = "void"  # no batch came for anybody, or there was no roster


class ChargeKind(StrEnum):
    """What a charge is for."""

    ENERGY = "energy"
    FEED_IN = "feed_in"
    LEVY = "levy"
    STANDING = "standing"
    RECONCILIATION = "reconciliation"
    PENALTY = "penalty"
    TAX = "tax"


_TAXED: Final = (ChargeKind.ENERGY, ChargeKind.LEVY, ChargeKind.STANDING)


class TariffStep(NamedTuple):
    """A tariff, and the period from which it is in force.

    Attributes:
        from_k: that period.
        tariff: the tariff.
    """

    from_k: int
    tariff: Tariff


class SlotPrice(NamedTuple):
    """A slot's price as it stands on the ledger.

    Attributes:
        price_e5: 1e-5 currency per kWh.
        fallback: whether the slot has no total, so that this is the tariff's fallback price.
    """

    price_e5: int
    fallback: bool


class Metered(NamedTuple):
    """What a meter read in a slot.

    Attributes:
        k: the period.
        energy_wh: Wh.
        late: whether a record of it came into the side batch, and no aggregator is to blame for that.
    """

    k: int
    energy_wh: int
    late: bool = False


class Absent(NamedTuple):
    """A slot of the meter that no reading is known of.

    Attributes:
        k: the period.
        why: the reason.
    """

    k: int
    why: Why


class Registers(NamedTuple):
    """A meter's cumulative register at both ends of what is billed.

    Attributes:
        start_wh: at the beginning, Wh.
        end_wh: at the end.
        carried_wh: what was billed since `start_wh` in earlier months that had no signed register.
    """

    start_wh: int
    end_wh: int
    carried_wh: int = 0


class ChannelMonth(NamedTuple):
    """A channel's month of a household.

    Attributes:
        channel: import or export.
        prices: of all slots of the month, from its first period on.
        readings: what is known, k ascending.
        absent: the other slots in which the meter was enrolled, k ascending.
        registers: what the meter signed at both ends, or None where it signed nothing.
    """

    channel: Direction
    prices: Sequence[SlotPrice]
    readings: Sequence[Metered]
    absent: Sequence[Absent]
    registers: Registers | None


class BillMonth(NamedTuple):
    """All that a bill is made of.

    Attributes:
        bounds: the month.
        from_k: first period in which the meter was enrolled.
        until_k: first period in which it no longer was, at most the month's end.
        tariffs: those in force in the month, from_k ascending, the first at or before `from_k`.
        channels: what the meter reports.
    """

    bounds: MonthBounds
    from_k: int
    until_k: int
    tariffs: Sequence[TariffStep]
    channels: Sequence[ChannelMonth]


class Line(NamedTuple):
    """A slot's line (Z-1).

    Attributes:
        channel: import or export.
        k: the period.
        energy_wh: Wh.
        price_e5: 1e-5 currency per kWh.
        fallback: whether that is the fallback price.
        late: whether a record came into the side batch, and no aggregator is to blame for that.
        amount_e9: what it adds to the bill, 1e-9 currency.
    """

    channel: Direction
    k: int
    energy_wh: int
    price_e5: int
    fallback: bool
    late: bool
    amount_e9: int


class Absence(NamedTuple):
    """A slot without a line, and what it costs (Z-4)."""

    channel: Direction
    k: int
    why: Why
    penalty_e9: int


class Charge(NamedTuple):
    """A component of the bill.

    Attributes:
        kind: what it is for.
        name: for people; empty where the kind says it all.
        channel: import or export.
        from_k: first period that it is for.
        until_k: first period that it is no longer for.
        quantity: Wh, slots, seconds or 1e-9 currency, as the kind has it.
        rate: price in 1e-5 per kWh, amount in 1e-9, or tax in 1/10,000; 0 where each slot has its own.
        amount_e9: what it adds to the bill, 1e-9 currency.
    """

    kind: ChargeKind
    name: str
    channel: Direction
    from_k: int
    until_k: int
    quantity: int
    rate: int
    amount_e9: int


class Bill(NamedTuple):
    """A household's month.

    Attributes:
        lines: by channel and period.
        absences: by channel and period.
        charges: the components.
        total_e9: their sum.
        payable_e9: the sum as it is to be paid; negative where the household gets it.
    """

    lines: tuple[Line, ...]
    absences: tuple[Absence, ...]
    charges: tuple[Charge, ...]
    total_e9: int
    payable_e9: int


class _Segment(NamedTuple):
    """A stretch of the bill under one tariff."""

    from_k: int
    until_k: int
    tariff: Tariff

    def holds(self, k: int) -> bool:
        return self.from_k <= k < self.until_k


def half_up(value: int, step: int) -> int:
    """The multiple of `step` nearest to a value; the higher one where it lies in the middle."""
    return (2 * value + step) // (2 * step) * step


def tariff_at(tariffs: Sequence[TariffStep], k: int) -> Tariff:
    """The tariff in force at a period.

    Raises:
        NoTariffError: none is.
    """
    begun = [step.tariff for step in tariffs if step.from_k <= k]
    if not begun:
        raise NoTariffError(k=k)
    return begun[-1]


def billed_wh(month: ChannelMonth) -> int:
    """The energy of a channel's lines, Wh."""
    return sum(reading.energy_wh for reading in month.readings)


def make_bill(month: BillMonth) -> Bill:
    """Bill a household's month.

    Args:
        month: what is known of it.

    Raises:
        OutOfRangeError: a reading, register or period lies outside what it can be.
        RegisterBehindError: a register says less than the records.
        NoTariffError: no tariff is in force at a slot.

    Source: seed 002, dynamic billing phase, steps b to d.
    """
    _require_stretch(month)
    segments = list(_segments(month))
    lines = tuple(line for channel in month.channels for line in _lines(month, channel))
    absences = tuple(each for channel in month.channels for each in _absences(month, channel))
    charges = [charge for segment in segments for charge in _segment_charges(month, segment, lines, absences)]
    charges += [charge for channel in month.channels for charge in _reconciled(month, channel)]
    charges += _taxes(month, segments, charges)
    total_e9 = sum(charge.amount_e9 for charge in charges)
    step_e9 = segments[-1].tariff.rounding_e9
    return Bill(lines, absences, tuple(charges), total_e9, half_up(total_e9, step_e9))


def _require_stretch(month: BillMonth) -> None:
    bounds = month.bounds
    require_range("from_k", month.from_k, bounds.first_k, bounds.end_k - 1)
    require_range("until_k", month.until_k, month.from_k + 1, bounds.end_k)
    for channel in month.channels:
        require_range("prices", len(channel.prices), bounds.periods, bounds.periods)
        for reading in channel.readings:
            require_range("energy_wh", reading.energy_wh, 0, MAX_READING_WH - 1)
        if not _is_covered(month, channel):
            raise SlotsUncoveredError(channel=channel.channel.label, from_k=month.from_k, until_k=month.until_k)


def _is_covered(month: BillMonth, channel: ChannelMonth) -> bool:
    """Whether the channel comes once, and every slot of the stretch once in it, ascending."""
    metered, absent = [each.k for each in channel.readings], [each.k for each in channel.absent]
    ascending = metered == sorted(metered) and absent == sorted(absent)
    whole = sorted(metered + absent) == list(range(month.from_k, month.until_k))
    return ascending and whole and sum(each.channel == channel.channel for each in month.channels) == 1


def _segments(month: BillMonth) -> Iterator[_Segment]:
    """The stretch, cut where the tariff changes (Z-7)."""
    tariff_at(month.tariffs, month.from_k)
    ends = [*(step.from_k for step in month.tariffs[1:]), month.until_k]
    for step, end_k in zip(month.tariffs, ends, strict=True):
        from_k, until_k = max(step.from_k, month.from_k), min(end_k, month.until_k)
        if from_k < until_k:
            yield _Segment(from_k, until_k, step.tariff)


def _lines(month: BillMonth, channel: ChannelMonth) -> Iterator[Line]:
    first_k = month.bounds.first_k
    factor = _sign(channel.channel) * AMOUNT_E9_PER_WH_AND_PRICE_E5
    for k, energy_wh, late in channel.readings:
        price_e5, fallback = channel.prices[k - first_k]
        yield Line(channel.channel, k, energy_wh, price_e5, fallback, late, energy_wh * price_e5 * factor)


def _absences(month: BillMonth, channel: ChannelMonth) -> Iterator[Absence]:
    for k, why in channel.absent:
        costs = tariff_at(month.tariffs, k).penalties.missing_e9 if why == Why.SILENT else 0
        yield Absence(channel.channel, k, why, costs)


def _segment_charges(
    month: BillMonth, segment: _Segment, lines: Iterable[Line], absences: Iterable[Absence]
) -> Iterator[Charge]:
    """What is due under one tariff: energy, levies, standing charges, penalties."""
    own = [line for line in lines if segment.holds(line.k)]
    missed = [absence for absence in absences if segment.holds(absence.k) and absence.why == Why.SILENT]
    span = segment.from_k, segment.until_k
    for channel in month.channels:
        direction = channel.channel
        mine = [line for line in own if line.channel == direction]
        energy_wh, amount_e9 = sum(line.energy_wh for line in mine), sum(line.amount_e9 for line in mine)
        kind = ChargeKind.ENERGY if direction == Direction.IMPORT else ChargeKind.FEED_IN
        yield Charge(kind, "", direction, *span, energy_wh, 0, amount_e9)
        if direction == Direction.IMPORT:
            yield from _levies(segment, energy_wh)
    seconds = (segment.until_k - segment.from_k) * month.bounds.period_s
    for standing in segment.tariff.standing:
        due_e9 = half_up(standing.amount_e9 * seconds, standing.per_s) // standing.per_s
        yield Charge(ChargeKind.STANDING, standing.name, Direction.IMPORT, *span, seconds, standing.amount_e9, due_e9)
    penalties = segment.tariff.penalties
    for channel in month.channels:
        direction = channel.channel
        silent = sum(absence.channel == direction for absence in missed)
        late = sum(line.late for line in own if line.channel == direction)
        for name, count, each_e9 in (("missing", silent, penalties.missing_e9), ("late", late, penalties.late_e9)):
            if count:
                yield Charge(ChargeKind.PENALTY, name, direction, *span, count, each_e9, count * each_e9)


def _levies(segment: _Segment, energy_wh: int) -> Iterator[Charge]:
    for levy in segment.tariff.levies:
        amount_e9 = energy_wh * levy.price_e5 * AMOUNT_E9_PER_WH_AND_PRICE_E5
        span = segment.from_k, segment.until_k
        yield Charge(ChargeKind.LEVY, levy.name, Direction.IMPORT, *span, energy_wh, levy.price_e5, amount_e9)


def _reconciled(month: BillMonth, channel: ChannelMonth) -> Iterator[Charge]:
    """What the register says beyond the records (Z-5)."""
    if channel.registers is None:
        return
    start_wh, end_wh, carried_wh = channel.registers
    for what, value in channel.registers._asdict().items():
        require_range(what, value, 0, MAX_REGISTER_WH)
    register_wh, recorded_wh = end_wh - start_wh, billed_wh(channel) + carried_wh
    if register_wh < recorded_wh:
        raise RegisterBehindError(channel=channel.channel.label, register_wh=register_wh, recorded_wh=recorded_wh)
    if register_wh == recorded_wh:
        return
    energy_wh = register_wh - recorded_wh
    if channel.channel == Direction.IMPORT:
        price_e5, tariff = _dearest(month, channel)
        levies_e5 = tariff.levies_e5
    else:
        price_e5, levies_e5 = min(price.price_e5 for price in channel.prices), 0
    factor = _sign(channel.channel) * AMOUNT_E9_PER_WH_AND_PRICE_E5
    for name, rate_e5 in (("energy", price_e5), ("levies", levies_e5)):
        if name == "energy" or rate_e5:
            yield Charge(
                ChargeKind.RECONCILIATION,
                name,
                channel.channel,
                month.from_k,
                month.until_k,
                energy_wh,
                rate_e5,
                energy_wh * rate_e5 * factor,
            )


def _dearest(month: BillMonth, channel: ChannelMonth) -> tuple[int, Tariff]:
    """The month's dearest slot, levies and taxes included: its price and its tariff; the earliest tariff of equal ones.

    Under one tariff the slot with the highest price is the dearest. Slots before the first tariff are counted with it.
    """
    first_k = from_k = month.bounds.first_k
    ends = [*(step.from_k for step in month.tariffs[1:]), month.bounds.end_k]
    found = []
    for step, end_k in zip(month.tariffs, ends, strict=True):
        until_k = max(end_k, first_k)
        prices = channel.prices[from_k - first_k : until_k - first_k]
        found += [(max(price.price_e5 for price in prices), step.tariff)] if prices else []
        from_k = until_k
    return max(found, key=lambda each: (each[0] + each[1].levies_e5) * (TAX_WHOLE + each[1].taxes_e4))


def _taxes(month: BillMonth, segments: Sequence[_Segment], charges: Sequence[Charge]) -> list[Charge]:
    """Taxes, each once on its base (Z-3)."""
    bases: dict[tuple[str, int], int] = {}
    for tariff, due_e9 in _taxed(month, segments, charges):
        for tax in tariff.taxes:
            bases[tax.name, tax.rate_e4] = bases.get((tax.name, tax.rate_e4), 0) + due_e9
    return [
        Charge(
            ChargeKind.TAX,
            name,
            Direction.IMPORT,
            month.from_k,
            month.until_k,
            base_e9,
            rate_e4,
            half_up(base_e9 * rate_e4, TAX_WHOLE) // TAX_WHOLE,
        )
        for (name, rate_e4), base_e9 in bases.items()
    ]


def _taxed(month: BillMonth, segments: Iterable[_Segment], charges: Sequence[Charge]) -> Iterator[tuple[Tariff, int]]:
    """What each tariff's taxes are taken of; what is reconciled has those of the slot that gave its price (Z-5)."""
    for segment in segments:
        own = [charge for charge in charges if charge.kind in _TAXED and segment.holds(charge.from_k)]
        yield segment.tariff, sum(charge.amount_e9 for charge in own)
    for channel in month.channels:
        own = [charge for charge in charges if charge.kind == ChargeKind.RECONCILIATION]
        own = [charge for charge in own if charge.channel == channel.channel == Direction.IMPORT]
        if own:
            yield _dearest(month, channel)[1], sum(charge.amount_e9 for charge in own)


def _sign(channel: Direction) -> int:
    """Drawn energy adds to the bill, fed-in energy takes from it."""
    return 1 if channel == Direction.IMPORT else -1
