"""The charges as lines: R-1 to R-3."""

import msgspec
import pytest

from gridproof.actors.bills.page.charges import ChargeRow, charges_of
from gridproof.actors.bills.page.clock import WallClock
from gridproof.actors.bills.page.context import Context
from gridproof.actors.bills.page.figures import figures_of
from gridproof.actors.bills.page.numbers import Exact, numbers_of
from gridproof.actors.bills.page.words import Words
from gridproof.actors.bills.report import Report
from gridproof.calendar import Calendar

from tests.unit.actors.bills.samples import SAMPLES, sample

BLANK = "\u00a0"


def context(report: Report, language: str = "en") -> Context:
    words = Words(language)
    clock = WallClock(report.zone, words)
    figures = figures_of(report, Calendar(report.zone, report.period_s), clock)
    return Context(report, figures, words, numbers_of(language, report.currency), clock)


def rows(name: str, language: str = "en") -> list[ChargeRow]:
    return list(charges_of(context(sample(name), language)).rows)


def reckoned(name: str, label: str, language: str = "en") -> str:
    (row,) = [each for each in rows(name, language) if each.label == label]
    return row.reckoned.replace(BLANK, " ")


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "largest"])
def test_r1_heads_and_tails_of_a_table_have_one_length_each(name: str) -> None:
    made = charges_of(context(sample(name)))
    tails = {len(row.amount.tail) for row in made.rows} | {len(made.sum.tail)}
    assert len(tails) == 1
    assert made.tailed is (tails != {0})


def test_what_lowers_the_bill_stands_last_and_like_stands_beside_like() -> None:
    assert [row.label for row in rows("gaps")] == [
        "Energy drawn",
        "Grid usage",
        "Communal levy",
        "Basic charge",
        "Energy read at the register, without records",
        "Levies on energy without records",
        "VAT",
        "Missing slots (drawn)",
        "Late slots (drawn)",
        "Missing slots (fed in)",
        "Late slots (fed in)",
        "Energy fed in",
        "Energy fed in by the register, without records",
    ]
    assert [row.label for row in rows("tariff_change")][:6] == [
        "Energy drawn",
        "Energy drawn",
        "Grid usage",
        "Grid usage",
        "Communal levy",
        "Communal levy",
    ]


@pytest.mark.parametrize(
    ("name", "label", "told"),
    [
        ("month", "Basic charge", "CHF 6.50 per month"),
        ("move_in", "Basic charge", "22 days and 1 hour \u00d7 CHF 6.50 per month"),
        ("two_days", "Basic charge", "2 days \u00d7 CHF 6.50 per month"),
        ("far", "Meter", "31 days and 1 hour \u00d7 ISK 2 per hour"),
        ("far", "Lease", "31 days and 1 hour \u00d7 ISK 90 per week"),
        ("far", "Grid", "635.560 kWh \u00d7 9.00000 ISK/kWh"),
        ("credit", "Basic charge", "30 days \u00d7 CHF 6.50"),  # the tariff's month is October: no usual unit
        ("gaps", "Missing slots (drawn)", "14 slots \u00d7 CHF 0.10"),
        ("gaps", "Late slots (fed in)", "9 slots \u00d7 CHF 0.05"),
        ("gaps", "Levies on energy without records", "4.321 kWh \u00d7 10.020 Rp./kWh"),
        ("two_days", "Missing slots", "1 slot \u00d7 CHF 0.10"),
        ("nothing", "Energy drawn", "0.000 kWh"),
    ],
)
def test_r3_each_charge_says_how_it_was_reckoned(name: str, label: str, told: str) -> None:
    assert reckoned(name, label) == told


def test_german_reckons_in_german() -> None:
    assert reckoned("move_in", "Basic charge", "de") == "22 Tage und 1 Stunde \u00d7 CHF 6.50 pro Monat"
    assert reckoned("spring", "Bezogene Energie", "de").endswith("kWh, im Mittel 25,596 ct/kWh")
    assert reckoned("spring", "MwSt.", "de") == "19,0 % von 179,79268 EUR"


def test_r2_a_charge_for_a_part_says_for_which_days() -> None:
    notes = [row.notes for row in rows("tariff_change") if row.label == "Energy drawn"]
    assert notes == [("1 to 15 October 2025",), ("15 to 31 October 2025",)]
    assert [row.notes for row in rows("month") if row.label == "Energy drawn"] == [()]


@pytest.mark.parametrize(
    ("name", "label", "note"),
    [
        ("gaps", "Energy read at the register, without records", "silence is never cheaper than speaking"),
        ("gaps", "Energy fed in by the register, without records", "lowest price"),
        ("gaps", "Missing slots (drawn)", "never came"),
        ("gaps", "Late slots (drawn)", "after the deadline"),
        ("month", "VAT", "levies"),
        ("export", "Energy fed in", "lowers the bill"),
        ("negative", "Energy drawn", "below nought"),
        ("negative", "Energy fed in", "cost something"),
        ("move_in", "Basic charge", "enrolled"),
    ],
)
def test_what_is_unusual_is_explained_in_a_sentence(name: str, label: str, note: str) -> None:
    (row,) = [each for each in rows(name) if each.label == label]
    assert note in " ".join(row.notes)


def test_hours_that_are_no_whole_number_are_told_with_their_part() -> None:
    report = sample("day")
    (standing,) = [each for each in report.charges if each.kind == "standing"]
    for seconds, told in ((5_400, "1.50 hours"), (900, "0.25 hours"), (3_600, "1 hour"), (0, "0 days")):
        changed = msgspec.structs.replace(standing, quantity=seconds)
        made = charges_of(context(msgspec.structs.replace(report, charges=(changed,))))
        assert made.rows[0].reckoned.startswith(f"{told} \u00d7 CHF{BLANK}6.50")


def test_who_pays_whom_and_what_rounding_adds() -> None:
    owed, due, nothing = (charges_of(context(sample(name))) for name in ("credit", "month", "nothing"))
    assert (owed.payable_label, due.payable_label) == ("You receive", "To be paid")
    assert owed.payable.startswith(f"CHF{BLANK}")
    assert nothing.rounding is None
    assert nothing.sum == Exact("0.00", "")
    assert not nothing.tailed


def test_tariffs_are_named_with_the_time_from_which_they_hold() -> None:
    assert charges_of(context(sample("month"))).tariffs == ("Tariff: Riedholz 2025",)
    assert charges_of(context(sample("tariff_change"))).tariffs == (
        "Tariff from 1 October 2025, 00:00: Riedholz 2025",
        "Tariff from 15 October 2025, 01:00: Riedholz winter",
    )
