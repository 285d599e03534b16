"""`gridproof config`: check and show the settings."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from .console import Speaker
from .options import HERE, AsJson, Dir

if TYPE_CHECKING:
    from gridproof.connectors.config import Faults

app = typer.Typer(help="Check and show the settings.", no_args_is_help=True)


@app.command()
def check(folder: Dir = HERE, as_json: AsJson = False) -> int:
    """Name everything that is wrong with gridproof.toml, or contradicts the folder's ledger, each in a line."""
    from gridproof.connectors.config import FILE_NAME
    from gridproof.connectors.config import check as find_faults

    path = folder / FILE_NAME
    faults = find_faults(path)
    silent = ""
    if not faults:
        faults, silent = _against_ledger(folder)

    def tell(words: Console) -> None:
        for fault in faults:
            words.print(str(fault), markup=False)
        if not faults:
            words.print(f"{path}: all settings are good.", markup=False)
        if silent:
            words.print(f"They were not held against the ledger: {silent}", markup=False)

    told = [{"key": fault.key, "sentence": fault.sentence} for fault in faults]
    Speaker(as_json=as_json).result({"path": path, "ok": not faults, "faults": told, "unasked": silent}, tell)
    return 1 if faults else 0


@app.command()
def show(folder: Dir = HERE, as_json: AsJson = False) -> None:
    """Show all settings as they count, defaults included, each with its meaning."""
    import msgspec

    from gridproof.connectors.config import FILE_NAME, load, render

    settings = load(folder / FILE_NAME)
    Speaker(as_json=as_json).result(
        msgspec.to_builtins(settings), lambda words: words.print(render(settings), markup=False, end="")
    )


def _against_ledger(root: Path) -> tuple["Faults", str]:
    """What good settings say otherwise than the community's ledger, where there is one; or why it gives no answer."""
    from gridproof.actors.community import Folder
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.agreement import differences, kind_faults
    from gridproof.connectors.config import Faults, load
    from gridproof.connectors.ledger import ClientError

    settings = load(Folder(root).config)
    place = Folder(root, settings.paths)
    wrong_kind = kind_faults(place, settings)
    if wrong_kind:
        return wrong_kind, ""
    if settings.ledger.kind != "network" and not place.database.is_dir():
        return Faults(), ""
    try:
        with reached(place) as ledger:
            return differences(place, settings, ledger.client), ""
    except ClientError as silence:
        return Faults(), str(silence)
