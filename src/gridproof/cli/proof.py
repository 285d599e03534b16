"""`gridproof proof`: statements of the ledger to take away, believed by the signatures of its validators alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from . import proof_export
from .console import Speaker, printable
from .options import HERE, AsJson, Dir, PassphraseFile
from .proof_options import DAY_S, Node, PeriodDays, Trust, TrustHash, TrustHeight, anchor_from, instant, nodes_of
from .proof_words import say as say_shown
from .proof_words import told as told_of

if TYPE_CHECKING:
    from gridproof.actors.proofs.file import LightProof

app = typer.Typer(
    help="Proofs to take away: checked offline, from a header that you trust and its validators' signatures.",
    no_args_is_help=True,
)
app.add_typer(proof_export.app, name="export")


@app.command()
def trust(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; nothing is overwritten.")],
    *,
    node: Node = None,
    height: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The header's height.", show_default="the last one")
    ] = None,
    period_days: PeriodDays = 14,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> None:
    """Write down a header to trust, from nodes that agree on it; compare its hash with what other members say."""
    from gridproof.actors.proofs.anchor import anchor_of, write_anchor
    from gridproof.actors.proofs.proving import agreed_block
    from gridproof.light import Policy, verify_chain

    with nodes_of(node, folder) as nodes:
        agreed = agreed_block(nodes, height)
    anchor = anchor_of(agreed.block, period_days * DAY_S)
    # The first block has the time of the founding: what is too old to be trusted from the start is refused here.
    verify_chain(agreed.block, (), Policy(anchor.period_s), instant(None))
    write_anchor(path, anchor)
    told = {
        "path": path,
        "chain_id": anchor.chain_id,
        "height": anchor.height,
        "header": anchor.header,
        "period_s": anchor.period_s,
        "nodes": agreed.nodes,
        "silent": list(agreed.silent),
    }

    def tell(words: Console) -> None:
        words.print(f"Header {anchor.header} at height {anchor.height} of {anchor.chain_id}, in {path}.", markup=False)
        words.print(f"{agreed.nodes} of {agreed.nodes + len(agreed.silent)} nodes name it, and none another.")
        if agreed.silent:
            words.print(f"No answer came from {', '.join(agreed.silent)}.", markup=False)
        words.print("Compare it with what other members say before you rely on it.")

    Speaker(as_json=as_json).result(told, tell)


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `gridproof proof export`.")],
    *,
    trust: Trust = None,
    trust_hash: TrustHash = None,
    trust_height: TrustHeight = None,
    trust_days: PeriodDays = 14,
    household: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The household's file, for its own records and bill.")
    ] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE", help="The card of the bill's month.")] = None,
    now: Annotated[
        str | None, typer.Option(metavar="TIME", help="The time to check at, with its offset.", show_default="now")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof offline: that the validators signed the state, and that the statement follows from it."""
    from gridproof.actors.bills.words import read_card
    from gridproof.actors.enrolment import read_household
    from gridproof.actors.proofs.file import read_light_proof, verify_light_proof
    from gridproof.actors.proofs.statements import OwnBill, OwnRecords
    from gridproof.connectors.passphrase import read_passphrase
    from gridproof.connectors.secret_files import SecretFiles

    proof = read_light_proof(path)
    anchor = anchor_from(trust, trust_hash, trust_height, trust_days, proof.trusted.header.chain_id)
    secrets = SecretFiles(read_passphrase(file=passphrase_file))
    own = None if household is None else read_household(secrets, household)
    month = proof.statement.file.month if isinstance(proof.statement, OwnBill) else 0
    shown_card = None if card is None else read_card(secrets, card, month)
    proven = verify_light_proof(proof, anchor, instant(now), own, shown_card)
    told = {"ok": True, **_told(proof), **told_of(proven.shown)}
    period_s = proof.statement.file.period_s if isinstance(proof.statement, OwnRecords) else None

    def tell(words: Console) -> None:
        say_shown(words, proven.shown, period_s)
        _say_header(words, told, "proven")

    Speaker(as_json=as_json).result(told, tell)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `gridproof proof export`.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a file claims; nothing of it is checked."""
    from gridproof.actors.proofs.file import read_light_proof

    proof = read_light_proof(path)
    told = {"checked": False, "kind": proof.statement.claims, **_told(proof)}

    def tell(words: Console) -> None:
        words.print(printable(proof.statement.claims), markup=False)
        _say_header(words, told, "claimed, and not checked")

    Speaker(as_json=as_json).result(told, tell)


def _told(proof: "LightProof") -> dict[str, Any]:
    """What a file says of its headers."""
    from gridproof.actors.proofs.proving import signed_power
    from gridproof.light import header_hash

    end, first = proof.end.header, proof.trusted.header
    signed, total = signed_power(proof)
    return {
        "chain_id": end.chain_id,
        "state_height": end.height - 1,
        "app_hash": end.app_hash,
        "header": header_hash(end),
        "header_height": end.height,
        "header_time_s": end.time.seconds,
        "trusted_height": first.height,
        "trusted_header": header_hash(first),
        "headers": len(proof.blocks),
        "signed_power": signed,
        "total_power": total,
    }


def _say_header(words: Console, told: dict[str, Any], how: str) -> None:
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(told["header_time_s"], UTC)
    votes = (
        "which is the trusted one itself"
        if told["signed_power"] is None
        else f"which {told['signed_power']} of {told['total_power']} of the validators' power signed; "
        f"{told['headers']} header{'s' * (told['headers'] != 1)} from the trusted one at {told['trusted_height']}"
    )
    words.print(
        f"{how}: state {told['app_hash'].hex()} after block {told['state_height']} of {printable(told['chain_id'])}, "
        f"told by the header of {when:%Y-%m-%d %H:%M:%S} UTC, {votes}.",
        markup=False,
    )
