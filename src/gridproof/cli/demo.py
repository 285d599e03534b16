"""`gridproof demo`: a community's day and its bills, with faults and attacks, held against an independent count."""

import json
import os
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from gridproof.actors.commands import command

from .console import Speaker, Step, table
from .options import AsJson

if TYPE_CHECKING:
    from gridproof.actors.demo import Agreement, Order, Outcome, Period, Stage, Try

WIDTH: Final = 100


def demo(
    *,
    households: Annotated[
        int | None,
        typer.Option("--households", metavar="N", min=1, help="How many.", show_default="100, or all of the file"),
    ] = None,
    periods: Annotated[int, typer.Option("--periods", metavar="P", min=1, help="How many quarter-hours.")] = 96,
    regions: Annotated[int, typer.Option("--regions", metavar="R", min=1, max=99, help="How many regions.")] = 1,
    readings: Annotated[
        Path | None,
        typer.Option(
            "--readings",
            metavar="FILE.csv",
            help="Take the first periods of a file of quarter-hours, columns as for `gridproof readings import`.",
            show_default="plausible households",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Where all shall lie; not there yet, or empty.",
            show_default="a new temporary folder",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            help="Where the report for people shall lie; not there yet.",
            show_default="demo/report.html in the folder",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed gives the same app hash.")] = 1,
    net: Annotated[
        int | None,
        typer.Option("--net", metavar="N", min=4, max=20, help="Tell it on N validators; one is killed in the middle."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """See a community's day, from readings over totals and prices to bills, at work and attacked.

    Every total, price and bill is held against an independent count; all lies in a report for people. The exit code is
    1 if an attack succeeds or a figure is wrong.
    """
    from gridproof.actors.demo import Order, Stage

    if report is not None:
        _require_free(report)
    speaker = Speaker(as_json=as_json)
    began_s = monotonic()
    order = Order(households, periods, regions, readings, seed)
    stage = None if net is None else Stage(net)
    with speaker.progress("slots and bills") as step:
        root, outcome = _tell(order, folder, stage, step)
    files = _write(root, outcome, seed, report)
    summary = {**outcome.to_json(), "seed": seed, "folder": root, **files}
    summary["seconds"] = round(monotonic() - began_s, 2)
    agreement = stage.agreement if stage else None
    is_well = outcome.is_well and (stage is None or (agreement is not None and agreement.is_well))
    summary["ok"] = is_well
    if agreement is not None:
        summary["network"] = agreement._asdict()

    def say(words: Console) -> None:
        if agreement is not None:
            _say_network(words, agreement)
        _say(words, outcome, summary)

    speaker.result(summary, say)
    return 0 if is_well else 1


def _tell(order: "Order", folder: Path | None, stage: "Stage | None", step: Step) -> "tuple[Path, Outcome]":
    """Tell the story in a folder, a temporary one where none was named, which goes if nothing was put in it."""
    from gridproof.actors.demo import Venue, tell

    root = Path(mkdtemp(prefix="gridproof-demo.")) if folder is None else folder
    venue, progress = (Venue(), step) if stage is None else (stage.venue, stage.watch(step))
    try:
        return root.absolute(), tell(order, root, progress=progress, venue=venue)
    except BaseException:
        if folder is None:
            _remove_empty(root)
        raise


def _say_network(words: Console, agreement: "Agreement") -> None:
    words.print(f"Told on {agreement.validators} validators.", end=" ")
    if agreement.killed:
        words.print(f"The node of {agreement.killed} was killed after step {agreement.killed_after}", end="")
        words.print(f" and came back after step {agreement.back_after}.")
    if agreement.app_hash:
        words.print(f"All agree at height {agreement.height} on app hash {agreement.app_hash}.\n", markup=False)
    else:
        words.print("[bold red]They do not agree.[/]\n")


def _remove_empty(root: Path) -> None:
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()


# --- files -----------------------------------------------------------------------------------------------------------


def _require_free(report: Path) -> None:
    """Return if the report can be written at its end, as far as one can tell now.

    Raises:
        FileExistsAlreadyError: something is there.
        FileUnwritableError: there is no folder for it.
    """
    from gridproof.connectors.files import FileExistsAlreadyError, FileUnwritableError

    if report.exists():
        raise FileExistsAlreadyError(path=str(report))
    if not report.absolute().parent.is_dir():
        raise FileUnwritableError(path=str(report), detail="there is no such folder")


def _write(root: Path, outcome: "Outcome", seed: int, report: Path | None) -> dict[str, Any]:
    """Write what people and programs may want to look at; return where it lies."""
    from gridproof.actors.demo import FOLDER, render_report
    from gridproof.connectors.files import PRIVATE_FILE, write_whole

    place = root / FOLDER
    page = place / "report.html" if report is None else report.absolute()
    files: dict[str, Any] = {
        "report": page,
        "bill_pages": place / "bills",
        "bills_file": place / "bills.json",
        "summary": place / "summary.json",
        "periods_file": place / "periods.json",
        "tries_file": place / "tries.json",
        "pictures": [place / f"region-{region}.svg" for region in range(1, outcome.regions + 1)],
    }
    write_whole(files["summary"], _json(outcome.to_json()))
    write_whole(files["periods_file"], _json([each.to_json() for each in outcome.slots]))
    write_whole(files["tries_file"], _json([_told(each) for each in outcome.tries]))
    write_whole(files["bills_file"], _json([each.to_json() for each in outcome.bills]))
    written = render_report(outcome, seed, os.path.relpath(files["bill_pages"], page.parent))
    write_whole(page, written.encode(), PRIVATE_FILE, replace=False)
    for region, path in enumerate(files["pictures"], 1):
        write_whole(path, _picture(outcome, region).encode())
    return files


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def _told(each: "Try") -> dict[str, str]:
    told = {"attack": each.attack, "door": each.door, "result": each.result.value, "told": each.told}
    return {**told, "reason": each.reason}


def _picture(outcome: "Outcome", region: int) -> str:
    from gridproof.domain import Direction

    from .chart import Bar, draw

    slots = [each for each in outcome.slots if each.slot.region == region and each.slot.channel == Direction.IMPORT]
    days = outcome.start[:10] != slots[-1].start[:10]
    bars = [Bar(_label(each, days=days), each.total_wh, each.missing, str(each.status)) for each in slots]
    span = f"{_short(outcome.start)} to {_short(outcome.end)}"
    return draw(f"Region {region}: energy drawn, {span}", bars)


def _label(period: "Period", *, days: bool) -> str:
    clock = period.start[11:16]
    return f"{period.start[8:10]}. {clock}" if days else clock


def _short(label: str) -> str:
    return f"{label[:10]} {label[11:16]}"


# --- words -----------------------------------------------------------------------------------------------------------


def _say(words: Console, outcome: "Outcome", summary: dict[str, Any]) -> None:
    head = f"{outcome.households} households in {_count(outcome.regions, 'region')}, {outcome.periods} quarter-hours"
    words.print(f"{head}: {_short(outcome.start)} to {_short(outcome.end)}.\n")
    _say_attacks(words, outcome)
    _say_totals(words, outcome)
    _say_bills(words, outcome)
    words.print(f"The ledger {outcome.chain_id} has {outcome.final.height} blocks; app hash after the last price")
    words.print(f"  {outcome.priced.app_hash.hex()}\n", markup=False)
    words.print(f"Report:     {summary['report']}", markup=False)
    words.print(f"Bills:      {summary['bill_pages']}", markup=False)
    for picture in summary["pictures"]:
        words.print(f"Picture:    {picture}", markup=False)
    words.print(f"Each total: {summary['periods_file']}", markup=False)
    words.print(f"All lies in {summary['folder']}", markup=False)
    at = ("--dir", summary["folder"])
    words.print(f"Look around with  {command('status', *at)}", markup=False)
    words.print(f"Check it with     {command('verify', 'ledger', *at)}", markup=False)
    words.print(f"{summary['seconds']:.1f} seconds.")


def _say_attacks(words: Console, outcome: "Outcome") -> None:
    from gridproof.actors.demo import CHARGES

    shown = table("what was tried", "result", "by whom it was stopped or found, and how")
    shown.width = min(WIDTH, words.width)
    shown.padding = (0, 1, 1, 0)
    shown.columns[0].width = 38
    shown.columns[1].width = 9
    for name, result in outcome.attacks.items():
        charge = CHARGES[name]
        tries = [f"{each.door}: {each.told}" for each in outcome.tries if each.attack == name]
        style = "green" if result.is_well else "bold red"
        shown.add_row(
            f"[bold]{charge.title}[/]\n{escape(charge.by)} {escape(charge.tried)}",
            f"[{style}]{result.value}[/]",
            escape("\n".join(dict.fromkeys(tries)) or "it did not come to that"),
        )
    words.print(shown)
    words.print()


def _say_totals(words: Console, outcome: "Outcome") -> None:
    from gridproof.domain import Direction
    from gridproof.modules.aggregation.types import Status

    opened, sealed, void = (outcome.ended(each) for each in (Status.OPENED, Status.SEALED, Status.VOID))
    right = sum(each.total_wh is not None and each.is_right for each in outcome.slots)
    words.print(
        f"[bold]{right} of {opened} totals[/] equal the sum of what the live meters reported, to the watt-hour,"
    )
    words.print("and have the price that the tariff gives for it.")
    if sealed:
        words.print(f"{_count(sealed, 'slot')} stay sealed: too few meters to hide one another.")
    if void:
        words.print(f"{_count(void, 'slot')} are void: nobody sent anything.")
    drawn, given = (outcome.total_wh(each) / 1_000 for each in (Direction.IMPORT, Direction.EXPORT))
    words.print(f"{drawn:,.1f} kWh drawn, {given:,.1f} kWh given away; {outcome.records:,} records;")
    words.print(f"{_count(outcome.missing, 'reading')} missing; the bill provider names each meter, the ledger none.")
    for name, result in outcome.attacks.items():
        if not result.is_well:
            words.print(f"[bold red]{name}: {result.value}.[/]")
    for each in outcome.wrong:
        words.print(f"[bold red]{each.slot}: {each.total_wh} Wh, counted {each.counted.total_wh} Wh.[/]")
    for problem in outcome.problems:
        words.print(f"problem: {problem}", markup=False)


def _say_bills(words: Console, outcome: "Outcome") -> None:
    bills = outcome.bills
    right = sum(each.is_right for each in bills)
    currency = bills[0].currency if bills else ""
    words.print(f"[bold]{right} of {_count(len(bills), 'bill')}[/] found true by their household, line by line,")
    words.print("and equal to an independent count to the last 1e-9.")
    due, kwh = sum(each.payable_e9 for each in bills) / 1e9, outcome.billed_wh / 1_000
    words.print(f"{kwh:,.1f} kWh billed; {currency} {due:,.2f} to be paid in all.")
    for each in outcome.wrong_bills:
        told = "; ".join((*each.falsehoods, *each.differences))
        words.print(f"[bold red]bill of {escape(each.meter)}, {each.month}: {escape(told)}[/]")
    words.print()


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
