"""`gridproof backup` and `gridproof restore`: copies of the ledger."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .console import Speaker
from .options import HERE, AsJson, Dir, open_community


def backup(
    target: Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder to make; nothing is overwritten.")],
    *,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> None:
    """Copy the ledger, consistently, also while it runs. Secrets and readings are not in it: keep those yourself."""
    from gridproof.actors.community.access import stored
    from gridproof.drivers.embedded import back_up
    from gridproof.drivers.snapshots import SnapshotFolder

    community = open_community(folder)
    with stored(community.folder) as store:
        made = back_up(store, target.absolute(), SnapshotFolder(community.folder.snapshots))
    Speaker(as_json=as_json).result(
        {"backup": made}, lambda words: words.print(f"Ledger copied to {made}.", markup=False)
    )


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder that `gridproof backup` made.")],
    target: Annotated[
        Path, typer.Argument(metavar="DIR", help="A community's folder without a ledger, or any new folder.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Put a backup in place of a ledger that is gone, once all of its history was found true. Overwrites nothing."""
    from gridproof.actors.community.restoring import put_back

    speaker = Speaker(as_json=as_json)
    with speaker.progress("blocks") as step:
        done = put_back(source, target, step)
    report = done.report
    told = {
        "ledger": done.place,
        "chain_id": report.chain_id,
        "height": report.last_height,
        "app_hash": report.app_hash,
        "transactions": report.transactions,
        "signatures": report.signatures,
        "lacks": done.lacks,
    }

    def tell(words: Console) -> None:
        words.print(f"{report.chain_id} restored in {done.place} at height {report.last_height}.", markup=False)
        if done.lacks:
            needed = ", ".join(done.lacks)
            words.print(
                f"To go on as a community it needs besides: {needed}. Bring them from your copies.", markup=False
            )

    speaker.result(told, tell)
