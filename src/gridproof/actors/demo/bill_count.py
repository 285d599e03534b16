"""The independent count of prices and bills: from the count of the totals and the tariff's file, and from nothing else.

It asks neither ledger nor bill provider, and shares no arithmetic with them: amounts are decimal numbers of the
currency here, whole numbers of its 1e-9 there.
"""

import tomllib
from collections.abc import Iterator, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final, NamedTuple

from gridproof.actors.bills.report import Report, ReportChannel
from gridproof.domain import Direction, RegionId, Slot

from .count import Counted, Counter, Why

_PRICE_STEP: Final = Decimal("0.00001")
_STEP: Final = Decimal("0.000000001")
_WH: Final = Decimal(1_000)  # in a kWh
_LEFT_OUT: Final = {Why.SILENT: "silent", Why.ABSURD: "excluded"}
_MAX_TOLD: Final = 3

Where = tuple[str, int]  # name of the channel, period
CountedLine = tuple[int, Decimal, bool, Decimal]  # Wh, price, whether it came late, amount


class CountedSlot(NamedTuple):
    """A slot as it must come out.

    Attributes:
        counted: who counts, and who is missing.
        may_open: whether enough meters count to hide each other.
    """

    counted: Counted
    may_open: bool


class Stretch(NamedTuple):
    """What a bill is for.

    Attributes:
        from_k: the first period.
        until_k: the first period after the last.
        period_s: length of a period in seconds.
        month_s: length of the whole calendar month in seconds.
    """

    from_k: int
    until_k: int
    period_s: int
    month_s: int

    @property
    def ks(self) -> range:
        """The periods."""
        return range(self.from_k, self.until_k)


class CountedBill(NamedTuple):
    """A bill as it must come out; amounts in the currency.

    Attributes:
        lines: energy in Wh, price per kWh, whether it came late, and amount.
        absences: reason and penalty.
        reconciled_wh: what registers say beyond the lines, by channel.
        total: the sum.
        payable: as it is to be paid.
    """

    lines: Mapping[Where, CountedLine]
    absences: Mapping[Where, tuple[str, Decimal]]
    reconciled_wh: Mapping[str, int]
    total: Decimal
    payable: Decimal

    def differences(self, report: Report) -> tuple[str, ...]:
        """What a report says otherwise; the first few things."""
        told = [*self._slots(report), *self._sums(report)]
        more = [f"and {len(told) - _MAX_TOLD} more"] if len(told) > _MAX_TOLD else []
        return (*told[:_MAX_TOLD], *more)

    def _slots(self, report: Report) -> Iterator[str]:
        lines: dict[Where, object] = {
            (channel.channel, line.k): (
                line.energy_wh,
                line.price_e5 * _PRICE_STEP,
                line.late,
                line.amount_e9 * _STEP,
            )
            for channel in report.channels
            for line in channel.lines
        }
        absences: dict[Where, object] = {
            (channel.channel, each.k): (each.why, each.penalty_e9 * _STEP)
            for channel in report.channels
            for each in channel.absences
        }
        yield from _other("line", lines, self.lines)
        yield from _other("absence", absences, self.absences)

    def _sums(self, report: Report) -> Iterator[str]:
        reconciled = {channel.channel: _reconciled_wh(channel) for channel in report.channels}
        for what, said, counted in (
            ("reconciled", reconciled, dict(self.reconciled_wh)),
            ("sum", report.total_e9 * _STEP, self.total),
            ("sum of the charges", sum(charge.amount_e9 for charge in report.charges) * _STEP, self.total),
            ("to be paid", report.payable_e9 * _STEP, self.payable),
        ):
            if said != counted:
                yield f"{what}: {said}, counted {counted}"


class BillCounter:
    """Counts prices and bills.

    Args:
        tariff: the tariff's file.
        counter: knows what the registers count.
        slots: how each slot must come out.
    """

    def __init__(self, tariff: bytes, counter: Counter, slots: Mapping[Slot, CountedSlot]) -> None:
        self._tariff: dict[str, Any] = tomllib.loads(tariff.decode(), parse_float=Decimal)
        self._counter = counter
        self._slots = slots
        self._prices: dict[Slot, Decimal] = {}

    def price(self, slot: Slot) -> Decimal:
        """What a kWh must cost in a slot."""
        if slot not in self._prices:
            known = self._slots[slot]
            total_wh = known.counted.total_wh if known.may_open else None
            self._prices[slot] = _price(self._tariff["import" if _is_import(slot) else "feed-in"], total_wh)
        return self._prices[slot]

    def bill(self, region: int, meter: str, channels: tuple[Direction, ...], stretch: Stretch) -> CountedBill:
        """Count a household's bill.

        Args:
            region: where it lives.
            meter: its meter's name.
            channels: what that reports.
            stretch: what the bill is for.
        """
        lines: dict[Where, CountedLine] = {}
        absences: dict[Where, tuple[str, Decimal]] = {}
        for channel in channels:
            for k in stretch.ks:
                self._count_slot(Slot(RegionId(region), channel, k), meter, lines, absences)
        reconciled = {channel.label: self._reconciled_wh(meter, channel, lines, stretch) for channel in channels}
        taxed, untaxed = self._sums(region, lines, reconciled, stretch)
        untaxed += sum(late * self._penalty("late") for _, _, late, _ in lines.values())
        untaxed += sum(penalty for _, penalty in absences.values())
        taxes = sum(_half_up(taxed * each["percent"] / 100, _STEP) for each in self._tariff["tax"])
        total = taxed + untaxed + taxes
        return CountedBill(lines, absences, reconciled, total, _half_up(total, self._tariff["rounding"]))

    def _count_slot(
        self,
        slot: Slot,
        meter: str,
        lines: dict[Where, CountedLine],
        absences: dict[Where, tuple[str, Decimal]],
    ) -> None:
        counted, where = self._slots[slot].counted, (slot.channel.label, slot.k)
        energy_wh = counted.live.get(meter, counted.late.get(meter))
        if energy_wh is not None:
            price = self.price(slot)
            amount = energy_wh * price / _WH
            is_late = counted.is_heard and meter in counted.late and counted.missing[meter] != Why.DROPPED
            lines[where] = energy_wh, price, is_late, amount if _is_import(slot) else -amount
        elif counted.is_heard:
            why = _LEFT_OUT[counted.missing[meter]]
            absences[where] = why, self._penalty("missing") if why == "silent" else Decimal()
        else:
            absences[where] = "void", Decimal()

    def _reconciled_wh(
        self, meter: str, channel: Direction, lines: Mapping[Where, CountedLine], stretch: Stretch
    ) -> int:
        recorded_wh = sum(line[0] for (name, _), line in lines.items() if name == channel.label)
        return self._counter.register_wh(meter, channel, stretch.from_k, stretch.until_k) - recorded_wh

    def _sums(
        self, region: int, lines: Mapping[Where, CountedLine], reconciled: Mapping[str, int],
        stretch: Stretch,
    ) -> tuple[Decimal, Decimal]:  # fmt: skip
        """What is taxed, and the feed-in, which is not; standing charges and reconciled energy among them."""
        levies = Decimal(sum(levy["price"] for levy in self._tariff["levy"]))
        taxed, fed_in = Decimal(), Decimal()
        for (channel, _), (energy_wh, _, _, amount) in lines.items():
            if channel == Direction.IMPORT.label:
                taxed += amount + energy_wh * levies / _WH
            else:
                fed_in += amount
        seconds = len(stretch.ks) * stretch.period_s
        for each in self._tariff["standing"]:
            taxed += _half_up(Decimal(each["amount"]) * seconds / stretch.month_s, _STEP)
        for name, energy_wh in reconciled.items():
            prices = [self.price(Slot(RegionId(region), Direction.parse(name), k)) for k in stretch.ks]
            if name == Direction.IMPORT.label:
                taxed += energy_wh * (max(prices) + levies) / _WH
            else:
                fed_in -= energy_wh * min(prices) / _WH
        return taxed, fed_in

    def _penalty(self, what: str) -> Decimal:
        return Decimal(self._tariff["penalties"][what])


def _other(what: str, said: Mapping[Where, Any], counted: Mapping[Where, Any]) -> Iterator[str]:
    for where in sorted(said.keys() | counted.keys()):
        if said.get(where) != counted.get(where):
            yield f"{what} {where[0]} {where[1]}: {said.get(where)}, counted {counted.get(where)}"


def _reconciled_wh(channel: ReportChannel) -> int:
    return channel.register.reconciled_wh if channel.register else 0


def _is_import(slot: Slot) -> bool:
    return slot.channel == Direction.IMPORT


def _price(scheme: Mapping[str, Any], total_wh: int | None) -> Decimal:
    if total_wh is None:
        return Decimal(scheme["fallback"])
    if scheme["scheme"] == "flat":
        return Decimal(scheme["price"])
    low, high = Decimal(scheme["from_kwh"]), Decimal(scheme["to_kwh"])
    cheap, dear = Decimal(scheme["from_price"]), Decimal(scheme["to_price"])
    load = min(max(total_wh / _WH, low), high)
    return (cheap + (dear - cheap) * (load - low) / (high - low)).quantize(_PRICE_STEP, ROUND_FLOOR)


def _half_up(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of a step nearest to a value; the higher one where it lies in the middle."""
    return (value / step + Decimal("0.5")).to_integral_value(ROUND_FLOOR) * step
