"""`gridproof tariff`: what energy costs, costs from then on, or would have cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .console import Speaker
from .options import HERE, AsJson, Dir, PassphraseFile, open_community
from .tariff_words import picture, say, told

if TYPE_CHECKING:
    from gridproof.actors.community import Community, Folder
    from gridproof.actors.community.tariffs import InForce
    from gridproof.connectors.config import Faults, Region
    from gridproof.connectors.readings import SqliteReadings

app = typer.Typer(help="Tariffs: show, check, simulate, change.", no_args_is_help=True)

OneRegion = Annotated[
    str | None, typer.Option("--region", metavar="REGION", help="By number or name.", show_default="the first")
]
Month = Annotated[str | None, typer.Option(metavar="YYYY-MM", show_default="the last one")]
Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into this new file.")]


@app.command()
def show(
    *,
    month: Month = None,
    region: OneRegion = None,
    svg: Svg = None,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what energy costs in a month: by the ledger, or by the file where the month is not opened yet."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.tariffs import in_force

    community = open_community(folder)
    chosen = _region(community, region)
    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger:
        found = in_force(community, ledger.client, chosen, wanted)
    value = _told(community, chosen, found)
    if svg is not None:
        last = found.steps[-1].tariff
        title = f"{community.settings.community.name}, {chosen.name}: {last.name}"
        _draw(svg, picture(title, last, community.times, found.span(len(found.steps) - 1)))
        value["svg"] = svg
    Speaker(as_json=as_json).result(value, lambda words: _say(words, community, chosen, found))


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The file.", show_default="those of the community")
    ] = None,
    *,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> int:
    """Name everything that is wrong with a tariff's file, each in a line; else say what it comes to."""
    from gridproof.connectors.tariff_file import check_tariff, load_tariff

    paths = [path] if path is not None else _own_files(folder)
    faults = {each: check_tariff(each) for each in paths}
    plans = {each: load_tariff(each) for each in paths if not faults[each]}
    files = [
        {
            "path": each,
            "ok": not found,
            "faults": [{"key": fault.key, "sentence": fault.sentence} for fault in found],
            "name": plans[each].name if each in plans else None,
        }
        for each, found in faults.items()
    ]

    def tell(words: Console) -> None:
        for each, found in faults.items():
            _say_faults(words, each, found)
            if each in plans:
                words.print(f"{each}: {plans[each].summary()}", markup=False)

    Speaker(as_json=as_json).result({"ok": not any(faults.values()), "files": files}, tell)
    return 1 if any(faults.values()) else 0


@app.command()
def simulate(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The new tariff.")],
    *,
    month: Month = None,
    region: OneRegion = None,
    readings: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Take the readings of this file instead of those imported.")
    ] = None,
    household: Annotated[str | None, typer.Option(metavar="NAME", help="Tell of this household as well.")] = None,
    svg: Svg = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a month would have cost under another tariff. Nothing is written, and no household is named."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.simulating import Case, simulate
    from gridproof.connectors.tariff_file import load_tariff

    from .tariff_simulation import drawn, say_simulation, told_simulation

    plan = load_tariff(path)
    community = open_community(folder, passphrase_file)
    chosen = _region(community, region)
    wanted = None if month is None else community.times.month(month)
    speaker = Speaker(as_json=as_json)
    source = _readings(community, readings)
    with reached(community.folder) as ledger, source as (store, names), speaker.progress("billing") as step:
        found = simulate(Case(community, ledger.client, store, chosen, names), plan, wanted, step)
    one = None if household is None else found.household(household)
    currency = community.settings.community.currency
    value = told_simulation(found, community.times, currency, one)
    if svg is not None:
        _draw(svg, drawn(found, currency))
        value["svg"] = svg
    speaker.result(value, lambda words: say_simulation(words, found, community.times, currency, one))


@app.command()
def change(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The new tariff.")],
    *,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="Since when; a period that has not begun.")],
    region: OneRegion = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Change the tariff of an open month, as the operator; what was before stays priced as it was."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.tariffs import change_tariff
    from gridproof.connectors.tariff_file import load_tariff

    plan = load_tariff(path)
    community = open_community(folder, passphrase_file)
    chosen = _region(community, region)
    with at_work(community.folder), reached(community.folder) as ledger:
        found = change_tariff(community, ledger.client, chosen, plan, start)
    label = community.times.label
    from_s, until_s = found.span(len(found.steps) - 1)

    def tell(words: Console) -> None:
        words.print(f"{plan.name} is in force from {label(from_s)} until {label(until_s)}.", markup=False)
        own = community.folder.tariff_of(chosen.number)
        words.print(f"The next month is opened with what stands in {own}.", markup=False)

    Speaker(as_json=as_json).result(_told(community, chosen, found), tell)


def _region(community: "Community", given: str | None) -> "Region":
    return community.settings.regions[0] if given is None else community.region(given)


def _own_files(root: Path) -> list[Path]:
    """The community's file, and those that stand in for it in some regions."""
    community = open_community(root)
    place: Folder = community.folder
    return list(dict.fromkeys([place.tariff, *(place.tariff_of(each.number) for each in community.settings.regions)]))


@contextmanager
def _readings(community: "Community", path: Path | None) -> "Iterator[tuple[SqliteReadings, list[str] | None]]":
    """The readings: those imported, or a file's with the names that it has."""
    from gridproof.connectors.readings import SqliteReadings, import_csv

    if path is None:
        store = community.readings()
        try:
            yield store, None
        finally:
            store.close()
        return
    with TemporaryDirectory(prefix="gridproof-") as folder:
        store = SqliteReadings(Path(folder) / "readings.db")
        try:
            report = import_csv(store, path, period_s=community.period_s)
            yield store, list(report.meters)
        finally:
            store.close()


def _told(community: "Community", region: "Region", found: "InForce") -> dict[str, Any]:
    from gridproof.domain import month_label

    label = community.times.label
    return {
        "region": region.number,
        "month": month_label(found.bounds.month),
        "source": "ledger" if found.on_ledger else "file",
        "tariffs": [
            {"from": label(found.span(at)[0]), "until": label(found.span(at)[1]), **told(step.tariff)}
            for at, step in enumerate(found.steps)
        ],
    }


def _say(words: Console, community: "Community", region: "Region", found: "InForce") -> None:
    from gridproof.domain import month_label

    where = "as the ledger has it" if found.on_ledger else "as the file has it; the month is not opened yet"
    words.print(f"{region.number} {region.name}, {month_label(found.bounds.month)}, {where}", markup=False)
    for at, step in enumerate(found.steps):
        say(words, step.tariff, community.times, found.span(at))


def _say_faults(words: Console, path: Path, faults: "Faults") -> None:
    for fault in faults:
        words.print(f"{path}: {fault}", markup=False)


def _draw(path: Path, drawn: str) -> None:
    from gridproof.connectors.files import write_whole

    write_whole(path, drawn.encode(), replace=False)
