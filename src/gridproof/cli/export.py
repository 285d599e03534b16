"""`gridproof export`: files that others can check without us."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .bill import Version, read_checked
from .console import Speaker
from .options import HERE, AsJson, Dir, PassphraseFile, open_community, require_one

if TYPE_CHECKING:
    from gridproof.actors.community.household_bills import Read

app = typer.Typer(
    help="Files to take away: the ledger's history; a household's records, bill and tables.", no_args_is_help=True
)


@app.command()
def history(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; nothing is overwritten.")],
    *,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> None:
    """Export genesis and all blocks: whoever has the file replays the ledger with `gridproof verify ledger FILE`."""
    from contextlib import closing

    from gridproof.actors.community.access import history_of, network_of, stored
    from gridproof.actors.community.histories import export, export_remote

    community = open_community(folder)
    speaker = Speaker(as_json=as_json)
    network = network_of(community.folder)
    if network is not None:
        with closing(network), speaker.progress("blocks") as step:
            past = history_of(community.folder, network)
            export_remote(past, path, step)
        chain_id, height, app_hash = past.chain_id, past.last_height, past.last_hash
    else:
        with stored(community.folder) as store, speaker.progress("blocks") as step:
            head, chain_id = export(store, path, step)
        height, app_hash = head.height, head.app_hash
    told = {"path": path, "chain_id": chain_id, "height": height, "app_hash": app_hash}
    speaker.result(
        told,
        lambda words: words.print(f"{height} blocks in {path}; app hash {app_hash.hex()}.", markup=False),
    )


@app.command()
def records(
    meter: Annotated[str, typer.Argument(metavar="METER", help="The household's meter, by its name.")],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; nothing is overwritten.")],
    *,
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Only this day.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only from this time on.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only before this time.")] = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Export a household's own records with their proofs, checked offline by `gridproof verify record FILE`."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.proving import export_records
    from gridproof.actors.proof_file import write_proof_file

    require_one(day=day, **{"from": start})
    require_one(day=day, to=end)
    community = open_community(folder, passphrase_file)
    speaker = Speaker(as_json=as_json)
    span = community.times.span(start, end)
    if day is not None:
        found = community.times.day(day)
        span = found.start_s, found.end_s
    with reached(community.folder) as ledger, speaker.progress("periods") as step:
        proof = export_records(community, ledger.client, meter, span, step)
    write_proof_file(path, proof)
    told = {
        "path": path,
        "meter": meter,
        "records": 2 * len(proof.slots),
        "periods": len(proof.slots),
        "height": proof.height,
        "app_hash": proof.app_hash,
    }
    speaker.result(
        told,
        lambda words: words.print(
            f"{len(proof.slots)} periods of {meter} in {path}, proven against app hash {proof.app_hash}.", markup=False
        ),
    )


Household = Annotated[str, typer.Argument(metavar="METER", help="The household's meter, by its name.")]
Target = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; nothing is overwritten.")]
Month = Annotated[str | None, typer.Option(metavar="YYYY-MM", help="The month.", show_default="its last bill's")]


@app.command("bill")
def bill_proof(
    meter: Household,
    path: Target,
    *,
    month: Month = None,
    version: Version = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Export a household's bill with all that proves it, recomputed offline by `gridproof verify bill FILE`."""
    from gridproof.actors.bills.proof import write_bill_proof
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.household_bills import prove_bill
    from gridproof.domain import MonthId, month_label

    community = open_community(folder, passphrase_file)
    speaker = Speaker(as_json=as_json)
    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger, speaker.progress("slots and lines") as step:
        count = Counter()
        proof = prove_bill(community, ledger.client, meter, wanted, version, lambda _k: step(count.next(), count.value))
    write_bill_proof(path, proof)
    label = month_label(MonthId(proof.month))
    told = {
        "path": path,
        "meter": meter,
        "month": label,
        "version": proof.version,
        "height": proof.height,
        "app_hash": proof.app_hash,
    }
    sentence = f"The bill of {meter} for {label} is in {path}, proven against app hash {proof.app_hash.hex()}."
    speaker.result(told, lambda words: words.print(sentence, markup=False))


@app.command()
def csv(
    meter: Household,
    path: Target,
    *,
    month: Month = None,
    version: Version = None,
    what: Annotated[str, typer.Option(metavar="slots|charges|readings", help="What stands in the table.")] = "slots",
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Export a household's month as a table: slots (UTC and offset), charges, or readings as they are imported.

    Raises:
        BadParameter: there is no such table.
    """
    from gridproof.actors.bills.exports import csv_charges, csv_lines, csv_readings
    from gridproof.actors.community.bill_files import write_table

    tables = {"slots": csv_lines, "charges": csv_charges, "readings": csv_readings}
    if what not in tables:
        raise typer.BadParameter(f"--what takes {', '.join(tables)}; not {what[:20]}")
    read = read_checked(open_community(folder, passphrase_file), meter, month, version)
    write_table(read, path, tables[what])
    return _say_written(as_json, read, path, what)


@app.command("green-button")
def green_button_file(
    meter: Household,
    path: Target,
    *,
    month: Month = None,
    version: Version = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Export a household's month as a Green Button file (ESPI 4.0), which other programs for energy data read."""
    from gridproof.actors.community.bill_files import write_green_button

    read = read_checked(open_community(folder, passphrase_file), meter, month, version)
    write_green_button(read, path)
    return _say_written(as_json, read, path, "Green Button data")


class Counter:
    """Counts steps whose number is not known beforehand."""

    def __init__(self) -> None:
        self.value = 0

    def next(self) -> int:
        """One more."""
        self.value += 1
        return self.value


def _say_written(as_json: bool, read: "Read", path: Path, what: str) -> int:
    """Say what was written, and each falsehood of the bill that it is from; give the exit code."""
    report, verdict = read.opened.report, read.verdict
    told = {
        "path": path,
        "meter": report.household,
        "month": report.month,
        "version": report.bill_version,
        "ok": verdict.is_true,
        "falsehoods": verdict.falsehoods,
    }

    def tell(words: Console) -> None:
        words.print(f"The {what} of {report.household} for {report.month} are in {path}.", markup=False)
        for falsehood in verdict.falsehoods:
            words.print(f"NOT TRUE: {falsehood}", markup=False)

    Speaker(as_json=as_json).result(told, tell)
    return 0 if verdict.is_true else 1
