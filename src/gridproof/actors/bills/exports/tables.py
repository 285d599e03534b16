"""The report as CSV (RFC 4180): its slots, its charges, and its readings as `gridproof readings import` takes them.

Rules:
    T-1 Text is UTF-8 without a byte order mark; a line ends in CR LF; the first one names the columns.
    T-2 A slot's time stands in UTC and in the zone with its offset, so that no hour stands twice and none is missing.
    T-3 Prices and amounts are exact decimals of the currency: 5 places a price, 9 an amount.
    T-4 What is not known is an empty cell, never a zero: a slot without a line has no energy, price and amount.
    T-5 A name cannot become a spreadsheet's formula. Where a name is an identity (`csv_readings`) it stands as it is.

Source: RFC 4180; issue 4, part 3.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Final

from gridproof.actors.bills.report import Report, ReportAbsence, ReportCharge, ReportLine
from gridproof.calendar import Calendar

from .text import exact, harmless, utc

LINE_COLUMNS: Final = (
    "start_utc",
    "start_local",
    "end_utc",
    "channel",
    "energy_wh",
    "price_per_kwh",
    "amount",
    "currency",
    "state",
    "fallback",
    "penalty",
)
CHARGE_COLUMNS: Final = (
    "kind",
    "name",
    "channel",
    "from_utc",
    "from_local",
    "until_utc",
    "until_local",
    "quantity",
    "quantity_unit",
    "rate",
    "rate_unit",
    "amount",
    "currency",
)
READING_COLUMNS: Final = ("meter", "start", "energy_wh", "channel")
PRICE_PLACES: Final = 5
AMOUNT_PLACES: Final = 9
_QUOTED: Final = frozenset('",;\t\r\n')


def csv_lines(report: Report) -> Iterator[str]:
    """A line of text for each slot and channel, absences included; channel by channel, by time.

    Args:
        report: the bill report.

    Yields:
        Lines with their ends: write them without translating line ends (`newline=""`).

    Raises:
        UnknownZoneError: the report's zone is none.
        OutOfRangeError: no region has such periods, or a slot lies beyond the calendar.
    """
    calendar = Calendar(report.zone, report.period_s)
    yield _row(LINE_COLUMNS)
    for channel in report.channels:
        slots: list[ReportLine | ReportAbsence] = [*channel.lines, *channel.absences]
        for slot in sorted(slots, key=attrgetter("k")):
            label, start_s, end_s = calendar.label(slot.start_s), slot.start_s, slot.start_s + report.period_s
            cells = _line(report, slot) if isinstance(slot, ReportLine) else _absence(report, slot)
            yield _row((utc(start_s), label, utc(end_s), channel.channel, *cells))


def csv_charges(report: Report) -> Iterator[str]:
    """A line of text for each charge, and one for the rounding: the amounts add up to what is to be paid.

    Args:
        report: the bill report.

    Yields:
        Lines with their ends: write them without translating line ends (`newline=""`).

    Raises:
        UnknownZoneError: the report's zone is none.
        OutOfRangeError: no region has such periods, or a charge lies beyond the calendar.
    """
    calendar = Calendar(report.zone, report.period_s)
    yield _row(CHARGE_COLUMNS)
    for charge in report.charges:
        yield _row(
            (
                charge.kind,
                harmless(charge.name),
                charge.channel,
                *_times(calendar, charge.from_k, charge.until_k),
                *_quantity(report, charge),
                *_rate(report, charge),
                exact(charge.amount_e9, AMOUNT_PLACES),
                report.currency,
            )
        )
    span = _times(calendar, report.from_k, report.until_k)
    rounding_e9 = report.payable_e9 - report.total_e9
    yield _row(("rounding", "", "", *span, "", "", "", "", exact(rounding_e9, AMOUNT_PLACES), report.currency))


def csv_readings(report: Report) -> Iterator[str]:
    """The readings, as a file for `gridproof readings import`; what is missing is not in it, not even as a zero.

    Args:
        report: the bill report.

    Yields:
        Lines with their ends: write them without translating line ends (`newline=""`).

    Raises:
        OutOfRangeError: a slot lies beyond the calendar.
    """
    yield _row(READING_COLUMNS)
    for channel in report.channels:
        for line in channel.lines:
            yield _row((report.household, utc(line.start_s), str(line.energy_wh), channel.channel))


def _line(report: Report, line: ReportLine) -> tuple[str, ...]:
    return (
        str(line.energy_wh),
        exact(line.price_e5, PRICE_PLACES),
        exact(line.amount_e9, AMOUNT_PLACES),
        report.currency,
        "late" if line.late else "metered",
        "yes" if line.fallback else "no",
        "",
    )


def _absence(report: Report, absence: ReportAbsence) -> tuple[str, ...]:
    return "", "", "", report.currency, absence.why, "", exact(absence.penalty_e9, AMOUNT_PLACES)


def _times(calendar: Calendar, from_k: int, until_k: int) -> tuple[str, ...]:
    from_s, until_s = from_k * calendar.period_s, until_k * calendar.period_s
    return utc(from_s), calendar.label(from_s), utc(until_s), calendar.label(until_s)


def _quantity(report: Report, charge: ReportCharge) -> tuple[str, str]:
    """What a charge is for how much of, and the unit."""
    match charge.kind:
        case "standing":
            return str(charge.quantity), "s"
        case "penalty":
            return str(charge.quantity), "slots"
        case "tax":
            return exact(charge.quantity, AMOUNT_PLACES), report.currency
        case _:
            return str(charge.quantity), "Wh"


def _rate(report: Report, charge: ReportCharge) -> tuple[str, str]:
    """What a charge costs each, and per what; empty where each slot has a price of its own."""
    match charge.kind:
        case "energy" | "feed_in":
            return "", ""
        case "standing":
            return exact(charge.rate, AMOUNT_PLACES), f"{report.currency}/time unit"
        case "penalty":
            return exact(charge.rate, AMOUNT_PLACES), f"{report.currency}/slot"
        case "tax":
            return exact(charge.rate, 2), "%"
        case _:
            return exact(charge.rate, PRICE_PLACES), f"{report.currency}/kWh"


def _row(cells: tuple[str, ...]) -> str:
    return (
        ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' if _QUOTED & set(cell) else cell for cell in cells) + "\r\n"
    )
