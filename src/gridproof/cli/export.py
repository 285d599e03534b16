"""`gridproof export`: files that others can check without us."""

from pathlib import Path
from typing import Annotated

import typer

from .console import Speaker
from .options import HERE, AsJson, Dir, PassphraseFile, open_community, require_one

app = typer.Typer(
    help="Files that anyone can check: the ledger's history, a household's records.", no_args_is_help=True
)


@app.command()
def history(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; nothing is overwritten.")],
    *,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> None:
    """Export genesis and all blocks: whoever has the file replays the ledger with `gridproof verify ledger FILE`."""
    from gridproof.actors.community.access import stored
    from gridproof.actors.community.histories import export

    community = open_community(folder)
    speaker = Speaker(as_json=as_json)
    with stored(community.folder) as store, speaker.progress("blocks") as step:
        head, chain_id = export(store, path, step)
    told = {"path": path, "chain_id": chain_id, "height": head.height, "app_hash": head.app_hash}
    speaker.result(
        told,
        lambda words: words.print(f"{head.height} blocks in {path}; app hash {head.app_hash.hex()}.", markup=False),
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
