"""`gridproof bill`: bills made by the bill provider, opened and contested by households."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from .console import Speaker, table
from .options import HERE, AsJson, Dir, PassphraseFile, Regions, open_community

if TYPE_CHECKING:
    from gridproof.actors.bills.report import Report
    from gridproof.actors.bills.verifying import BillVerdict
    from gridproof.actors.community import Community
    from gridproof.actors.community.bills import BillRow
    from gridproof.actors.community.household_bills import Read

app = typer.Typer(help="Bills: make, list, show, open, object.", no_args_is_help=True)

Meter = Annotated[
    str, typer.Argument(metavar="METER", help="The household's meter, by its name, or the beginning of its handle.")
]
Month = Annotated[
    str | None, typer.Option(metavar="YYYY-MM", help="The month.", show_default="the last one that has bills")
]
Months = Annotated[
    str | None, typer.Option("--month", metavar="YYYY-MM", help="Only this month.", show_default="all closed ones")
]
Version = Annotated[int | None, typer.Option(metavar="N", help="Version of the bill.", show_default="the last one")]
_PER_UNIT = 10**9
_DAY_S = 86_400


@app.command()
def make(
    *,
    month: Months = None,
    regions: Regions = None,
    correct: Annotated[
        list[str] | None,
        typer.Option(metavar="METER", help="Make this household's bill anew, as its next version; repeatable."),
    ] = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Make and register the bills of closed months that are owed. Interrupted anywhere, it goes on where it was.

    Raises:
        BadParameter: a correction is asked for, and no month.
    """
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.bills import make_bills

    _require_month(correct, month)
    community = open_community(folder, passphrase_file)
    speaker = Speaker(as_json=as_json)
    chosen = community.regions(regions or ())
    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger, speaker.progress("slots and bills") as step:
        outcomes = make_bills(community, ledger.client, chosen, wanted, correct=correct or (), progress=step)
    months = [_outcome(outcome) for outcome in outcomes]
    problems = [(name, str(problem)) for outcome in outcomes for name, problem in outcome.problems]

    def tell(words: Console) -> None:
        for told in months:
            words.print(
                f"{told['month']}, region {told['region']}: {told['made']} bills registered, "
                f"{told['before']} were there before.",
                markup=False,
            )
        if not months:
            words.print("No month with a tariff is closed yet: let the community run past the month's last deadline.")
        for name, problem in problems:
            words.print(f"{name}: {problem}", markup=False)

    speaker.result({"months": months, "problems": [{"meter": name, "sentence": told} for name, told in problems]}, tell)
    return 1 if problems else 0


@app.command("list")
def list_bills(
    meter: Annotated[str | None, typer.Argument(metavar="[METER]", help="Only this household's.")] = None,
    *,
    month: Months = None,
    regions: Regions = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """List bills as the bill provider has them: version, energy, what is to be paid, objections."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.bills import bill_rows

    community = open_community(folder, passphrase_file)
    if meter is not None:
        community.require_meter(meter)
    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger:
        rows = bill_rows(community, ledger.client, community.regions(regions or ()), wanted)
    rows = [row for row in rows if meter is None or row.name == meter]
    currency = community.settings.community.currency

    def tell(words: Console) -> None:
        shown = table("month", "household", "#version", "#drawn Wh", "#fed in Wh", f"#to pay {currency}", "objections")
        for row in rows:
            paid = "" if row.payable_e9 is None else money(row.payable_e9)
            contested = f"{row.objections}, {row.answered} answered" if row.objections else ""
            version = str(row.version) if row.version else "not registered"
            energy = str(row.import_wh), str(row.export_wh)
            shown.add_row(_month(row), escape(row.name), version, *energy, paid, contested)
        words.print(shown)

    Speaker(as_json=as_json).result({"currency": currency, "bills": [_row(row) for row in rows]}, tell)


@app.command()
def show(
    meter: Meter,
    *,
    month: Month = None,
    version: Version = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Show a household's bill in a few lines, recomputed against the ledger."""
    read = read_checked(open_community(folder, passphrase_file), meter, month, version)
    report = read.opened.report

    def tell(words: Console) -> None:
        words.print(f"{report.household}, {report.month}, version {report.bill_version}", markup=False, style="bold")
        shown = table("charge", "#for", f"#{report.currency}")
        for charge in report.charges:
            name = f"{charge.kind.replace('_', ' ')} {charge.name}".strip()
            shown.add_row(escape(name), quantity(charge.kind, charge.quantity), money(charge.amount_e9))
        shown.add_row("sum", "", money(report.total_e9))
        shown.add_row("to be paid", "", money(report.payable_e9), style="bold")
        words.print(shown)
        say_verdict(words, read.verdict)

    Speaker(as_json=as_json).result({**told_bill(read), "charges": [_charge(each) for each in report.charges]}, tell)
    return 0 if read.verdict.is_true else 1


@app.command("open")
def open_bill(
    meter: Meter,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="To write: .html, .pdf or .json; never over another.")],
    *,
    month: Month = None,
    version: Version = None,
    language: Annotated[str, typer.Option(metavar="en|de", help="Language of the page.")] = "en",
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Write a household's bill as a page, a PDF, or the report itself, with what its own check came to."""
    from gridproof.actors.community.bill_files import write_bill

    read = read_checked(open_community(folder, passphrase_file), meter, month, version)
    write_bill(read, path, language)
    told = {**told_bill(read), "path": path}

    def tell(words: Console) -> None:
        report = read.opened.report
        words.print(f"The bill of {report.household} for {report.month} is in {path}.", markup=False)
        say_verdict(words, read.verdict)

    Speaker(as_json=as_json).result(told, tell)
    return 0 if read.verdict.is_true else 1


@app.command("object")
def object_to(
    meter: Meter,
    reasons: Annotated[str, typer.Option("--because", metavar="TEXT", help="What is wrong, in your words.")],
    *,
    month: Month = None,
    version: Version = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Object to a bill: signed by the household, sealed to the bill provider, on record for good."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.household_bills import object_to_bill

    community = open_community(folder, passphrase_file)
    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger:
        done = object_to_bill(community, ledger.client, meter, wanted, version, reasons)
    told = {"meter": meter, "month": _label(done.month), "version": done.version, "objection": done.number}
    about = f"version {done.version} of the bill of {_label(done.month)}"
    sentence = (
        f"This objection to {about} is on record already as number {done.number}; nothing changed."
        if done.before
        else f"Objection {done.number} to {about} is on record."
    )
    Speaker(as_json=as_json).result({**told, "before": done.before}, lambda words: words.print(sentence, markup=False))


@app.command()
def objections(
    *,
    month: Months = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Read the households' objections, as the bill provider can."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.bills import objections_of

    community = open_community(folder, passphrase_file)
    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger:
        found = objections_of(community, ledger.client, wanted)
    told = [
        {
            "month": _label(of_month),
            "meter": name,
            "objection": number,
            "version": raised.version,
            "raised": community.times.label(raised.raised_s),
            "answer": None if raised.answer is None else ("upheld" if raised.answer.upheld else "rejected"),
            "reasons": words if isinstance(words, str) else None,
            "unreadable": None if isinstance(words, str) else str(words),
        }
        for of_month, name, number, raised, words in found
    ]

    def tell(words: Console) -> None:
        shown = table("month", "household", "#objection", "#version", "answer", "reasons")
        for each in told:
            columns = ("month", "meter", "objection", "version", "answer")
            reasons = each["reasons"] or each["unreadable"]
            shown.add_row(*(escape(str(each[name] or "")) for name in columns), escape(str(reasons)))
        words.print(shown if told else "Nobody has objected.")

    Speaker(as_json=as_json).result({"objections": told}, tell)


@app.command()
def answer(
    meter: Meter,
    number: Annotated[int, typer.Argument(metavar="N", help="The objection's number.")],
    words: Annotated[str, typer.Option("--because", metavar="TEXT", help="The reasons, for the household alone.")],
    *,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month.")],
    uphold: Annotated[bool, typer.Option("--uphold/--reject", help="Whether the bill will be corrected.")] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Answer a household's objection, once, in the bill provider's name; `bill make --correct` then corrects."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.bills import answer_objection

    community = open_community(folder, passphrase_file)
    wanted = community.times.month(month)
    with reached(community.folder) as ledger:
        answer_objection(community, ledger.client, meter, wanted, number, words, upheld=uphold)
    told = {"meter": meter, "month": _label(wanted), "objection": number, "upheld": uphold}
    verb = "upheld" if uphold else "rejected"
    Speaker(as_json=as_json).result(
        told, lambda console: console.print(f"Objection {number} of {meter} is {verb}.", markup=False)
    )


@app.command()
def finish(
    *,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month.")],
    regions: Regions = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Declare a month's bills final: what they were made from is erased, and nothing about them changes any more."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.finishing import ERASED, STAYS, finish_month

    community = open_community(folder, passphrase_file)
    wanted, chosen = community.times.month(month), community.regions(regions or ())
    with reached(community.folder) as ledger:
        done = finish_month(community, ledger.client, chosen, wanted)

    def tell(words: Console) -> None:
        for each in done:
            words.print(
                f"{_label(each.month)}, region {each.region}: {each.bills} bills are final"
                f"{', as before' if each.before else ''}.",
                markup=False,
            )
        words.print(f"Erased: {'; '.join(ERASED)}.", markup=False)
        words.print(f"What stays: {'; '.join(STAYS)}.", markup=False)

    months = [{**each._asdict(), "month": _label(each.month)} for each in done]
    Speaker(as_json=as_json).result({"months": months, "erased": list(ERASED), "stays": list(STAYS)}, tell)


@app.command()
def check(
    *,
    month: Months = None,
    regions: Regions = None,
    mend: Annotated[bool, typer.Option("--mend", help="Publish again what cannot be fetched.")] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Look whether every registered bill can be fetched as it was registered, and mend what cannot."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.bills import check_reports

    community = open_community(folder, passphrase_file)
    wanted = None if month is None else community.times.month(month)
    chosen = community.regions(regions or ())
    with reached(community.folder) as ledger:
        found, erased = check_reports(community, ledger.client, chosen, wanted, mend=mend)
    told = [
        {
            "cid": each.cid,
            "damage": each.damage.value,
            "mended": each.mended,
            "problem": None if each.problem is None else str(each.problem),
        }
        for each in found
    ]

    def tell(words: Console) -> None:
        for each in found:
            words.print(f"{each.cid}: {each.damage.value}{', mended' if each.mended else ''}", markup=False)
        for each in found:
            if each.problem is not None:
                words.print(f"{each.cid} could not be mended: {each.problem}", markup=False)
        if erased:
            words.print(f"Erased on request, as their households were forgotten: {erased}.")
        if not found:
            words.print(f"Every {'other ' if erased else ''}registered bill can be fetched.")

    Speaker(as_json=as_json).result({"damaged": told, "erased": erased}, tell)
    return 0 if all(each.mended for each in found) else 1


def _require_month(correct: list[str] | None, month: str | None) -> None:
    """Return unless bills are to be corrected of a month that was not named.

    Raises:
        BadParameter: they are.
    """
    if correct and month is None:
        raise typer.BadParameter("--correct needs --month: which bill is meant?")


# --- what is said ----------------------------------------------------------------------------------------------------


def read_checked(community: "Community", meter: str, month: str | None, version: int | None) -> "Read":
    """Open a household's bill of a month and version, or its last, and let the household check it."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.household_bills import read_bill

    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger:
        return read_bill(community, ledger.client, meter, wanted, version)


def money(amount_e9: int) -> str:
    """An amount with all its places but trailing zeros, at least two: `-12.345`."""
    whole, rest = divmod(abs(amount_e9), _PER_UNIT)
    places = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount_e9 < 0 else ''}{whole}.{places}"


def quantity(kind: str, count: int) -> str:
    """What a charge is for, with its unit: `1.25 kWh`, `21 days`, `3 slots`, or the amount that a tax is taken of."""
    if kind == "tax":
        return money(count)
    if kind == "standing":
        return f"{count / _DAY_S:,.6g} days"
    if kind == "penalty":
        return f"{count:,} slot{'' if count == 1 else 's'}"
    return f"{count / 1_000:,.3f} kWh"


def say_verdict(words: Console, verdict: "BillVerdict") -> None:
    """Say what a household's own check came to: one line, or each falsehood."""
    for falsehood in verdict.falsehoods:
        words.print(f"NOT TRUE: {falsehood}", markup=False)
    if verdict.is_true:
        checks = ", ".join(finding.check for finding in verdict.findings)
        words.print(f"Recomputed from the ledger and the household's own secret: all true ({checks}).", markup=False)
    say_gone(words, verdict)


def say_gone(words: Console, verdict: "BillVerdict") -> None:
    """Say which checks cannot be made any more, where the ledger has forgotten the month's records."""
    if verdict.gone:
        words.print(
            f"The ledger has forgotten this month's records and prices, as it does after the retention time, so that "
            f"{', '.join(verdict.gone)} cannot be recomputed any more; what was proven before stays so.",
            markup=False,
        )


def told_bill(read: "Read") -> dict[str, Any]:
    """A bill that was read, and what its check came to, for programs."""
    return {**told_report(read.opened.report, read.verdict), "cid": read.opened.registered.cid}


def told_report(report: "Report", verdict: "BillVerdict") -> dict[str, Any]:
    """A report, and what its check came to, for programs."""
    return {
        "ok": verdict.is_true,
        "meter": report.household,
        "month": report.month,
        "version": report.bill_version,
        "bid": report.bid,
        "currency": report.currency,
        "total_e9": report.total_e9,
        "payable_e9": report.payable_e9,
        "lines": sum(len(channel.lines) for channel in report.channels),
        "absences": sum(len(channel.absences) for channel in report.channels),
        "checks": {finding.check: finding.holds for finding in verdict.findings},
        "gone": list(verdict.gone),
        "falsehoods": verdict.falsehoods,
    }


def _outcome(outcome: Any) -> dict[str, Any]:
    return {
        "region": outcome.region,
        "month": _label(outcome.month),
        "made": outcome.made,
        "before": outcome.before,
        "unmade": len(outcome.problems),
    }


def _row(row: "BillRow") -> dict[str, Any]:
    return {**row._asdict(), "month": _month(row)}


def _charge(charge: Any) -> dict[str, Any]:
    names = ("kind", "name", "channel", "quantity", "rate", "amount_e9")
    return {name: getattr(charge, name) for name in names}


def _month(row: "BillRow") -> str:
    return _label(row.month)


def _label(month: int) -> str:
    from gridproof.domain import MonthId, month_label

    return month_label(MonthId(month))
