"""`gridproof readings`: what the meters measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from .console import Speaker
from .options import HERE, AsJson, Dir, PassphraseFile, open_community

if TYPE_CHECKING:
    from gridproof.actors.community import Community
    from gridproof.connectors.readings import BadRow, ImportReport
    from gridproof.connectors.register_file import RegisterReport

_MAX_SAID: Final = 1_000

app = typer.Typer(help="Readings: import, import-registers.", no_args_is_help=True)


@app.command("import")
def import_readings(
    path: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Columns meter,start,energy_wh and perhaps channel.")
    ],
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows of a file that has bad ones.")
    ] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Import a file of readings: all of it or nothing, every bad row in a line."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.admitting import Admission
    from gridproof.connectors.readings import ReadingsRefusedError, import_csv

    community = open_community(folder, passphrase_file)
    known = {meter.name for meter in community.meters()}
    speaker = Speaker(as_json=as_json)
    with reached(community.folder) as ledger:
        judge = Admission(community, ledger.client)
    store = community.readings()
    refused: ReadingsRefusedError | None = None
    try:
        with speaker.progress(f"importing {path.name}") as step:
            size = path.stat().st_size if path.exists() else 0
            report = import_csv(
                store,
                path,
                period_s=community.period_s,
                known_meters=known,
                judge=judge,
                skip_bad=skip_bad,
                progress=lambda done: step(done, size),
            )
    except ReadingsRefusedError as found:
        refused, report = found, found.report
    finally:
        store.close()
    told = _told(community, path, report, stored=refused is None)
    speaker.result(told, lambda words: _say(words, community, report, stored=refused is None))
    if refused is not None:
        speaker.note(f"gridproof: {refused.reason}")
    return 1 if refused is not None else 0


@app.command("import-registers")
def import_registers(
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns meter,at,register_wh and perhaps channel.")],
    *,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Import what registers said at the ends of months and enrolments: all of it or nothing, every bad row in a line.

    Before `run` comes to the month's end: there the meters sign their registers, and bills reconcile by them.
    """
    from gridproof.actors.community.register_admitting import RegisterAdmission
    from gridproof.connectors.register_file import RegistersRefusedError
    from gridproof.connectors.register_file import import_registers as take

    community = open_community(folder, passphrase_file)
    known, period_s = {meter.name for meter in community.meters()}, community.period_s
    store = community.registers()
    refused: RegistersRefusedError | None = None
    try:
        judge = RegisterAdmission(community, store)
        report = take(store, path, period_s=period_s, known_meters=known, judge=judge)
    except RegistersRefusedError as found:
        refused, report = found, found.report
    finally:
        store.close()
    told = {
        "path": path,
        "stored": refused is None,
        "accepted": report.accepted,
        "already": report.already,
        "bad": _told_bad(report.bad),
        "meters": list(report.meters),
    }
    Speaker(as_json=as_json).result(told, lambda words: _say_registers(words, report, stored=refused is None))
    if refused is not None:
        Speaker(as_json=as_json).note(f"gridproof: {refused.reason}")
    return 1 if refused is not None else 0


def _told_bad(bad: "Sequence[BadRow]") -> list[dict[str, Any]]:
    return [{"line": each.line, "reason": each.fault.value, "text": each.text} for each in bad]


def _say_registers(words: Console, report: "RegisterReport", *, stored: bool) -> None:
    for bad in report.bad[:_MAX_SAID]:
        words.print(str(bad), markup=False)
    if len(report.bad) > _MAX_SAID:
        words.print(f"and {len(report.bad) - _MAX_SAID} more bad rows")
    if report.already:
        words.print(f"{report.already} registers were there already, with the same value.")
    did = "imported" if stored else "would be good; nothing was imported"
    words.print(f"{report.accepted} registers of {len(report.meters)} meters {did}.")


def _told(community: "Community", path: Path, report: "ImportReport", *, stored: bool) -> dict[str, Any]:
    label = community.times.label
    return {
        "path": path,
        "stored": stored,
        "accepted": report.accepted,
        "already": report.already,
        "bad_total": report.bad_total,
        "bad": _told_bad(report.bad),
        "meters": list(report.meters),
        "first": None if report.first_s is None else label(report.first_s),
        "last": None if report.last_s is None else label(report.last_s),
    }


def _say(words: Console, community: "Community", report: "ImportReport", *, stored: bool) -> None:
    for bad in report.bad:
        words.print(str(bad), markup=False)
    if report.bad_total > len(report.bad):
        words.print(f"and {report.bad_total - len(report.bad)} more bad rows")
    if report.already:
        words.print(f"{report.already} readings were there already, with the same value.")
    if report.first_s is None or report.last_s is None:
        words.print("No new readings imported." if report.already else "No readings imported.")
        return
    label = community.times.label
    did = "imported" if stored else "would be good; nothing was imported"
    words.print(
        f"{report.accepted} readings of {len(report.meters)} meters {did}: "
        f"{label(report.first_s)} to {label(report.last_s)}."
    )
