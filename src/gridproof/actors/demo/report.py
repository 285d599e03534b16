"""The demonstration's report: one page for people, with charts, attacks, and a link to each bill.

Rules:
    B-1 The page is one file. It has no script and loads nothing; its policy forbids both. Bills are linked, not held.
    B-2 Every text that came with the outcome is escaped.
    B-3 A picture's figures stand in a table as well; nothing is told by colour alone.

Looks and pictures are those of the bill page.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from gridproof.actors.bills.page.numbers import E9_DIGITS, Numbers, numbers_of
from gridproof.actors.bills.page.page import page_style
from gridproof.domain import Direction
from gridproof.modules.aggregation.types import Status

from .docket import CHARGES, Try
from .outcome import Billed, Outcome
from .report_pictures import LANGUAGE, Row, Shown, missing_picture, rows_of, usage_picture

TABLE_TITLES: Final = ("drawn", "price", "fed in", "feed-in price", "meters missing")


class AttackRow(NamedTuple):
    """An attack in the table.

    Attributes:
        title: what it is called.
        tried: who tried what.
        result: what came of it.
        is_well: whether the community stood it.
        doors: where each try was stopped or found, and how.
    """

    title: str
    tried: str
    result: str
    is_well: bool
    doors: tuple[tuple[str, str], ...]


class BillRow(NamedTuple):
    """A bill in the table.

    Attributes:
        household: whose; empty where the row above is the same household's.
        months: how many rows the household has, where it is named.
        named: whose, for those who hear the link alone.
        month: `2025-10`.
        link: to its page.
        drawn: kWh.
        fed_in: kWh.
        payable: as it is to be paid.
        checks: what household and independent count came to.
        is_right: whether both agree.
        remarks: what is out of the ordinary.
    """

    household: str
    months: int
    named: str
    month: str
    link: str
    drawn: str
    fed_in: str
    payable: str
    checks: str
    is_right: bool
    remarks: str


class RegionView(NamedTuple):
    """A region's part of the page.

    Attributes:
        number: of the region.
        usage: energy and prices over time.
        missing: missing meters over time.
        rows: the figures of both.
        unit: of the prices.
    """

    number: int
    usage: Shown
    missing: Shown
    rows: tuple[Row, ...]
    unit: str


def render_report(outcome: Outcome, seed: int, pages: str) -> str:
    """Write the report.

    Args:
        outcome: what came of the demonstration.
        seed: of all chance in it.
        pages: where the bill pages lie, as a path from the report's folder.

    Returns:
        An HTML document that needs nothing beside it.
    """
    numbers = numbers_of(LANGUAGE, outcome.bills[0].currency if outcome.bills else "CHF")
    return _template().render(
        style=page_style(),
        outcome=outcome,
        seed=seed,
        title=f"{outcome.chain_id}: report of a demonstration",
        span=f"{_moment(outcome.start)} to {_moment(outcome.end)}",
        facts=_facts(outcome, numbers),
        regions=[_region(outcome, number, numbers) for number in range(1, outcome.regions + 1)],
        titles=TABLE_TITLES,
        attacks=[_attack(outcome, name) for name in CHARGES],
        bills=_bills(outcome, numbers, pages),
        sums=_sums(outcome, numbers),
        currency=numbers.currency,
        is_fed_in=any(each.export_wh for each in outcome.bills),
        identity=_identity(outcome),
    )


def _facts(outcome: Outcome, numbers: Numbers) -> list[tuple[str, str]]:
    stood = sum(each.is_well for each in outcome.attacks.values())
    opened = [each for each in outcome.slots if each.status == Status.OPENED]
    right = sum(each.is_right for each in opened)
    true = sum(each.is_right for each in outcome.bills)
    drawn, given = (outcome.total_wh(each) for each in (Direction.IMPORT, Direction.EXPORT))
    facts = [
        ("attacks and faults stood", f"{stood} of {len(outcome.attacks)}"),
        ("totals and prices right", f"{numbers.whole(right)} of {numbers.whole(len(opened))}"),
        ("bills true to the last digit", f"{numbers.whole(true)} of {numbers.whole(len(outcome.bills))}"),
        ("drawn by all totals", f"{numbers.kwh(drawn, 1)} kWh"),
        ("to be paid in all", numbers.money(sum(each.payable_e9 for each in outcome.bills))),
    ]
    if given:
        facts.insert(4, ("fed in by all totals", f"{numbers.kwh(given, 1)} kWh"))
    return facts


def _region(outcome: Outcome, number: int, numbers: Numbers) -> RegionView:
    slots = [each for each in outcome.slots if each.slot.region == number]
    rows = rows_of(slots, numbers)
    usage, missing = usage_picture(number, rows, numbers), missing_picture(number, rows)
    return RegionView(number, usage, missing, rows, numbers.price_unit)


def _attack(outcome: Outcome, name: str) -> AttackRow:
    charge, result = CHARGES[name], outcome.attacks[name]
    tries = [each for each in outcome.tries if each.attack == name]
    doors = tuple(dict.fromkeys((each.door, _told(each)) for each in tries))
    return AttackRow(charge.title, f"{charge.by} {charge.tried}", result.value, result.is_well, doors)


def _told(each: Try) -> str:
    return f"{each.told} [{each.reason}]" if each.reason else each.told


def _bills(outcome: Outcome, numbers: Numbers, pages: str) -> list[BillRow]:
    rows: list[BillRow] = []
    ordered = sorted(outcome.bills, key=lambda each: (each.meter, each.month))
    by_meter, before = Counter(each.meter for each in ordered), ""
    for each in ordered:
        months = by_meter[each.meter] if each.meter != before else 0
        before = each.meter
        rows.append(_bill(each, months, numbers, pages))
    return rows


def _bill(bill: Billed, months: int, numbers: Numbers, pages: str) -> BillRow:
    checks = [
        f"household: {_first(bill.falsehoods)}" if bill.falsehoods else "",
        f"count: {_first(bill.differences)}" if bill.differences else "",
    ]
    return BillRow(
        bill.meter if months else "",
        months,
        bill.meter,
        bill.month,
        f"{quote(pages)}/{quote(bill.page)}",
        numbers.kwh(bill.import_wh),
        numbers.kwh(bill.export_wh) if bill.export_wh else "\u2013",
        _amount(numbers, bill.payable_e9),
        "; ".join(each for each in checks if each) or "true",
        bill.is_right,
        _remarks(bill, numbers),
    )


def _first(told: Sequence[str]) -> str:
    return told[0] + (f" (and {len(told) - 1} more)" if len(told) > 1 else "")


def _remarks(bill: Billed, numbers: Numbers) -> str:
    told = []
    if bill.version > 1:
        told.append(f"corrected: version {bill.version}")
    if bill.missing:
        told.append(f"{numbers.whole(bill.missing)} without a reading")
    if bill.late:
        told.append(f"{numbers.whole(bill.late)} late")
    if bill.reconciled_wh:
        told.append(f"{numbers.kwh(bill.reconciled_wh)} kWh by the register alone")
    return ", ".join(told)


def _sums(outcome: Outcome, numbers: Numbers) -> tuple[str, str, str]:
    exported_wh = sum(each.export_wh for each in outcome.bills)
    payable_e9 = sum(each.payable_e9 for each in outcome.bills)
    return numbers.kwh(outcome.billed_wh), numbers.kwh(exported_wh), _amount(numbers, payable_e9)


def _amount(numbers: Numbers, amount_e9: int) -> str:
    """An amount without its currency, with no more decimals than it needs beyond the currency's own."""
    return numbers.trimmed(amount_e9, E9_DIGITS, numbers.decimals)


def _identity(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        ("name", outcome.chain_id),
        ("blocks up to the last price", str(outcome.priced.height)),
        ("app hash after the last price", outcome.priced.app_hash.hex()),
        ("blocks in all", str(outcome.final.height)),
        ("app hash at the end", outcome.final.app_hash.hex()),
    ]


def _moment(label: str) -> str:
    """A label of the calendar without its seconds and offset."""
    return f"{label[:10]} {label[11:16]}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
