"""`gridproof household`: what is held about a household, given to it or erased. Needs the bill provider's secrets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .console import Speaker
from .options import HERE, AsJson, Dir, PassphraseFile, on_terminal, open_community

app = typer.Typer(help="A household's data: export, forget.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The household's meter, by its name.")]
Handle = Annotated[
    str | None,
    typer.Option(
        "--handle",
        metavar="HEX",
        help="How the handle of the meter that is meant begins, where one name was several households'.",
        show_default="all meters of the name",
    ),
]


@app.command()
def export(
    name: Name,
    path: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; nothing is overwritten.")],
    *,
    handle: Handle = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write all that this folder holds about a household: for programs, with an index for people."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.personal_export import export_household

    community = open_community(folder, passphrase_file)
    with reached(community.folder) as ledger:
        done = export_household(community, ledger.client, name, path, handle)

    def tell(words: Console) -> None:
        listed = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in done.counts.items())
        words.print(f"What is held about {name} is in {path}: {listed}.", markup=False)
        for lack in done.lacks:
            words.print(f"Not to be had: {lack}", markup=False)

    told = {"path": path, "name": name, "counts": done.counts, "lacks": list(done.lacks)}
    Speaker(as_json=as_json).result(told, tell)


@app.command()
def forget(
    name: Name,
    *,
    handle: Handle = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking: what is forgotten is gone.")] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Erase all that this folder holds about a household that moved out and whose months are finished.

    Raises:
        ForgettingUnconfirmedError: nobody said yes.
    """
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.errors import ForgettingUnconfirmedError
    from gridproof.actors.community.personal import forget_household

    community = open_community(folder, passphrase_file)
    if not yes and not (on_terminal() and not as_json and typer.confirm(f"Erase all that is held about {name}?")):
        raise ForgettingUnconfirmedError(meter=name)
    with reached(community.folder) as ledger:
        done = forget_household(community, ledger.client, name, handle)

    def tell(words: Console) -> None:
        words.print(
            f"Erased of {name}: {done.readings} readings, {done.registers} registers, {done.records} sent records, "
            f"{done.bills} bills noted, {done.reports} sealed documents, {done.files} files.",
            markup=False,
        )
        for each in done.remains:
            words.print(f"What remains: {each}.", markup=False)

    Speaker(as_json=as_json).result({**done._asdict(), "handles": [each.hex() for each in done.handles]}, tell)
