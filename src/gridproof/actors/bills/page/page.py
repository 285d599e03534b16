"""A bill as one page for people: HTML that stands alone, from the report and nothing else.

Rules:
    B-1 The page is one file. It has no script and loads nothing; its policy forbids both.
    B-2 Every text that came with the report, the verdict or the caller is escaped.
    B-3 Every figure is the report's own, or a sum or average of the report's own.
    B-4 A picture's figures stand in a table as well; nothing is told by colour alone.

Source: seed 002, dynamic billing phase, step d; P1 to P4 of the report's form.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from gridproof.actors.bills.report import Report
from gridproof.calendar import Calendar

from .charges import charges_of
from .clock import WallClock
from .context import Context
from .figures import figures_of
from .numbers import numbers_of
from .pictures import history_picture, hour_rows, priced, typical_picture, usage_picture
from .sections import (
    COMMANDS,
    comparisons,
    day_rows,
    history_rows,
    odd_of,
    registers_of,
    slot_tables,
)
from .words import Words

_MINUTE_S: int = 60
_A_FEW_DAYS: int = 3


class Check(NamedTuple):
    """Something that the household verified.

    Attributes:
        name: what it is, in the reader's language.
        ok: whether it holds.
        detail: a sentence; may be empty.
    """

    name: str
    ok: bool
    detail: str = ""


class Verdict(NamedTuple):
    """What the household's own verification came to.

    Attributes:
        ok: whether all of it holds.
        checks: one by one.
        partial: whether the ledger has forgotten the month's records, so that not all could be checked.
    """

    ok: bool
    checks: tuple[Check, ...] = ()
    partial: bool = False


class Fact(NamedTuple):
    """A figure at the head of the page."""

    name: str
    value: str


def render_page(
    report: Report,
    language: str,
    *,
    verdict: Verdict | None = None,
    cid: str | None = None,
    digest: str | None = None,
) -> str:
    """Write a bill's page.

    Args:
        report: the report; whether it is true is for `verify bill` to say, not for the page.
        language: `de` or `en`.
        verdict: what the household's own verification came to, to be shown; None where there was none.
        cid: content address under which the encrypted report lies, if known.
        digest: its hash as registered, in hexadecimal digits, if known.

    Returns:
        An HTML document that needs nothing beside it.

    Raises:
        UnknownLanguageError: there is no page in this language.
        UnknownZoneError: the report's time zone is none.
        OutOfRangeError: the report's period or stretch is none.
        MisalignedError: likewise.
        ReportContradictsError: its slots are not those of its stretch.
    """
    words = Words(language)
    calendar = Calendar(report.zone, report.period_s)
    clock = WallClock(report.zone, words)
    context = Context(report, figures_of(report, calendar, clock), words, numbers_of(language, report.currency), clock)
    return _template().render(
        t=words,
        style=page_style(),
        report=report,
        context=context,
        facts=_facts(context),
        verdict=verdict,
        pay=_pay(context),
        charges=charges_of(context),
        usage=usage_picture(context),
        typical=typical_picture(context) if len(context.figures.days) >= _A_FEW_DAYS else None,
        hours=hour_rows(context),
        odd=odd_of(context),
        registers=registers_of(context),
        history=history_picture(context) if report.history else None,
        history_rows=history_rows(context),
        comparisons=comparisons(context),
        days=day_rows(context),
        slots=slot_tables(context),
        commands=COMMANDS,
        identity=_identity(context, cid, digest),
        **_head(context),
    )


def _head(context: Context) -> dict[str, str]:
    report, figures, words = context.report, context.figures, context.words
    month = context.clock.month(report.month)
    days = context.clock.days(figures.start_s, figures.end_s)
    return {
        "month": month,
        "title": words("page.title", month=month, household=report.household),
        "stretch": words("page.partial" if context.is_partial else "page.from_to", days=days),
        "made": words("page.made", moment=context.clock.moment(report.made_s)),
        "footer": words(
            "page.footer",
            zone=report.zone,
            minutes=context.numbers.whole(report.period_s // _MINUTE_S),
            form=report.version,
        ),
    }


def _pay(context: Context) -> dict[str, str]:
    report, words, numbers = context.report, context.words, context.numbers
    key = "pay.due" if report.payable_e9 > 0 else "pay.credit" if report.payable_e9 < 0 else "pay.nothing"
    step_e9 = max(1, report.rounding_e9)
    exact = numbers.money(report.total_e9, numbers.exact_decimals([report.total_e9]))
    return {
        "label": words(key),
        "amount": numbers.payable(abs(report.payable_e9), step_e9),
        "exact": words("pay.unrounded", sum=exact),
        "step": words("pay.rounding", step=numbers.money(step_e9, numbers.exact_decimals([step_e9]))),
    }


def _facts(context: Context) -> list[Fact]:
    words, numbers, figures = context.words, context.numbers, context.figures
    facts = []
    for at, (name, sums) in enumerate(zip(figures.channels, figures.sums, strict=True)):
        facts.append(Fact(words(f"fact.{name}"), words("unit.kwh", n=numbers.kwh(sums.energy_wh, 1))))
        if sums.energy_wh:
            price = f"{priced(context, at, sums, 2)}\u00a0{numbers.price_unit}"
            facts.append(Fact(words(f"fact.{name}_price"), price))
    odd = sum(day.odd for day in figures.days)
    facts.append(Fact(words("fact.odd"), numbers.whole(odd) if odd else words("fact.odd_none")))
    return facts


def _identity(context: Context, cid: str | None, digest: str | None) -> list[Fact]:
    report, words = context.report, context.words
    told = (
        ("chain", report.chain_id),
        ("meter", report.meter),
        ("bid", report.bid),
        ("version", str(report.bill_version)),
        ("cid", cid),
        ("digest", digest),
    )
    return [Fact(words(f"check.{key}"), value) for key, value in told if value]


@cache
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("bill.html.j2")


@cache
def page_style() -> Markup:
    """How the page looks; other pages of this program take it over."""
    return Markup(_packaged("bill.css"))  # noqa: S704 - a file of this package


def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
