"""The charges as lines, each with how it was reckoned and, where it is unusual, a sentence that says why.

Rules:
    R-1 Amounts are exact, so that the lines as printed add up to the sum as printed; only the payable sum is rounded.
    R-2 A charge that is for less than the bill's stretch, because the tariff changed, says for which days.
    R-3 A standing charge's unit of time is told where exactly one of the usual ones (hour, day, week, month) gives its
        amount: the report does not name it.
"""

from typing import Final, NamedTuple

from gridproof.actors.bills.report import ReportCharge
from gridproof.domain import half_up

from .context import Context
from .figures import Sums
from .numbers import Exact

_ORDER: Final = ("energy", "levy", "standing", "reconciliation", "tax", "penalty", "feed_in")
_UNITS: Final = (("per_hour", 3_600), ("per_day", 86_400), ("per_week", 604_800))
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400


class ChargeRow(NamedTuple):
    """A line of the table of charges.

    Attributes:
        label: what it is for.
        reckoned: quantity and rate.
        notes: sentences.
        amount: what it adds to the bill.
    """

    label: str
    reckoned: str
    notes: tuple[str, ...]
    amount: Exact


class Charges(NamedTuple):
    """The table of charges.

    Attributes:
        tariffs: what was in force.
        rows: the lines.
        sum: their sum.
        rounding: what rounding adds; None where there is nothing to round.
        payable: what is to be paid.
        payable_label: who pays whom.
        tailed: whether amounts have digits beyond the smallest coin.
    """

    tariffs: tuple[str, ...]
    rows: tuple[ChargeRow, ...]
    sum: Exact
    rounding: Exact | None
    payable: str
    payable_label: str
    tailed: bool


def charges_of(context: Context) -> Charges:
    """Write the charges."""
    report, words, numbers = context.report, context.words, context.numbers
    decimals = numbers.exact_decimals([charge.amount_e9 for charge in report.charges] + [report.total_e9])
    names = list(dict.fromkeys((charge.channel, charge.name) for charge in report.charges))
    ordered = sorted(
        report.charges, key=lambda charge: (_place(charge), names.index((charge.channel, charge.name)), charge.from_k)
    )
    rounding_e9 = report.payable_e9 - report.total_e9
    return Charges(
        tuple(_tariffs(context)),
        tuple(_row(context, charge, decimals) for charge in ordered),
        numbers.exact(report.total_e9, decimals),
        numbers.exact(rounding_e9, decimals) if rounding_e9 else None,
        numbers.payable(abs(report.payable_e9), report.rounding_e9),
        words("charge.credit" if report.payable_e9 < 0 else "charge.payable"),
        decimals > numbers.decimals,
    )


def _place(charge: ReportCharge) -> int:
    """What lowers the bill stands last."""
    if charge.kind == "reconciliation" and charge.channel == "export":
        return len(_ORDER)
    return _ORDER.index(charge.kind)


def _tariffs(context: Context) -> list[str]:
    report, words = context.report, context.words
    if len(report.tariffs) == 1:
        return [words("charge.tariff", name=report.tariffs[0].name)]
    return [
        words("charge.tariff_from", moment=context.clock.moment(tariff.from_k * report.period_s), name=tariff.name)
        for tariff in report.tariffs
    ]


def _row(context: Context, charge: ReportCharge, decimals: int) -> ChargeRow:
    label, reckoned, notes = _TELL[charge.kind](context, charge)
    report = context.report
    if (charge.from_k, charge.until_k) != (report.from_k, report.until_k):
        days = context.clock.days(charge.from_k * report.period_s, charge.until_k * report.period_s)
        notes = [context.words("charge.span", days=days), *notes]
    return ChargeRow(label, reckoned, tuple(notes), context.numbers.exact(charge.amount_e9, decimals))


_Told = tuple[str, str, list[str]]


def _energy(context: Context, charge: ReportCharge) -> _Told:
    words, numbers = context.words, context.numbers
    quantity = words("unit.kwh", n=numbers.kwh(charge.quantity))
    sign = -1 if charge.kind == "feed_in" else 1
    price_e5 = Sums(0, charge.quantity, sign * charge.amount_e9).price_e5
    reckoned = quantity
    if price_e5 is not None:
        rate = f"{numbers.price(price_e5)}\u00a0{numbers.price_unit}"
        reckoned = words("charge.on_average", quantity=quantity, rate=rate)
    if charge.kind == "feed_in":
        notes = [words("charge.feed_in_owed" if charge.amount_e9 > 0 else "charge.feed_in_note")]
    else:
        notes = [words("charge.negative_note")] if charge.amount_e9 < 0 else []
    return words(f"charge.{charge.kind}"), reckoned, notes


def _levy(context: Context, charge: ReportCharge) -> _Told:
    return charge.name, _by_energy(context, charge), []


def _by_energy(context: Context, charge: ReportCharge) -> str:
    numbers = context.numbers
    return context.words(
        "charge.times",
        quantity=context.words("unit.kwh", n=numbers.kwh(charge.quantity)),
        rate=f"{numbers.price(charge.rate)}\u00a0{numbers.price_unit}",
    )


def _standing(context: Context, charge: ReportCharge) -> _Told:
    words, numbers = context.words, context.numbers
    rate = numbers.money(charge.rate, numbers.exact_decimals([charge.rate]))
    unit = _unit_of_time(context, charge)
    if unit:
        rate = words(f"unit.{unit}", rate=rate)
    reckoned = rate
    if unit != "per_month" or charge.amount_e9 != charge.rate:
        reckoned = words("charge.times", quantity=_duration(context, charge.quantity), rate=rate)
    return charge.name, reckoned, [words("charge.pro_rata")] if context.is_partial else []


def _unit_of_time(context: Context, charge: ReportCharge) -> str:
    """The unit that the rate is for, if exactly one of the usual ones gives the amount (R-3)."""
    month_s = context.report.month_end_s - context.report.month_start_s
    due = charge.rate * charge.quantity
    found = [
        unit for unit, per_s in (*_UNITS, ("per_month", month_s)) if half_up(due, per_s) // per_s == charge.amount_e9
    ]
    return found[0] if len(found) == 1 and due else ""


def _duration(context: Context, seconds: int) -> str:
    words, numbers = context.words, context.numbers
    days, rest_s = divmod(seconds, _DAY_S)
    parts = [words.count("unit.days", days, numbers.whole(days))] if days or not rest_s else []
    if rest_s:
        decimals = 0 if rest_s % _HOUR_S == 0 else 2
        shown = numbers.fixed(rest_s * 100 // _HOUR_S, 2, decimals)
        parts.append(words.count("unit.hours", rest_s // _HOUR_S if not decimals else 2, shown))
    return parts[0] if len(parts) == 1 else words("unit.and", first=parts[0], second=parts[1])


def _reconciliation(context: Context, charge: ReportCharge) -> _Told:
    words = context.words
    if charge.name == "levies":
        return words("charge.reconciled.levies"), _by_energy(context, charge), []
    label = words(f"charge.reconciled.energy.{charge.channel}")
    return label, _by_energy(context, charge), [words(f"charge.reconciled_note.{charge.channel}")]


def _penalty(context: Context, charge: ReportCharge) -> _Told:
    words, numbers = context.words, context.numbers
    quantity = words.count("unit.slots", charge.quantity, numbers.whole(charge.quantity))
    rate = numbers.money(charge.rate, numbers.exact_decimals([charge.rate]))
    kind = "late" if charge.name == "late" else "missing"
    label = words(f"charge.{kind}")
    if context.exports:
        label = f"{label} ({words(f'odd.{charge.channel}')})"
    return label, words("charge.times", quantity=quantity, rate=rate), [words(f"charge.{kind}_note")]


def _tax(context: Context, charge: ReportCharge) -> _Told:
    words, numbers = context.words, context.numbers
    base = numbers.money(charge.quantity, numbers.exact_decimals([charge.quantity]))
    reckoned = words("charge.share_of", share=numbers.share(charge.rate), base=base)
    return charge.name, reckoned, [words("charge.tax_note")]


_TELL: Final = {
    "energy": _energy,
    "feed_in": _energy,
    "levy": _levy,
    "standing": _standing,
    "reconciliation": _reconciliation,
    "penalty": _penalty,
    "tax": _tax,
}
