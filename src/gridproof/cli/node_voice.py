"""`gridproof node`: a company's say among the validators, to join, to leave and to decide."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from gridproof.actors.commands import command

from .console import Speaker, table
from .options import HERE, AsJson, NodeDir, PassphraseFile, node_ledger, open_node, open_secrets

if TYPE_CHECKING:
    from gridproof.actors.node.deciding import Council, Standing
    from gridproof.connectors.ledger import LedgerClient
    from gridproof.modules.consensus.changes import Change

REQUEST: Final = "join.json"


def join(
    *,
    folder: NodeDir = HERE,
    power: Annotated[int, typer.Option(min=1, help="Weight of the node's vote.")] = 10,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FILE", help="The request's file.", show_default="join.json")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a vote, or for another weight of it: writes a request that the validators support, each for itself."""
    from gridproof.actors.node.deciding import make_request, write_request

    node = open_node(folder)
    path = into or Path(REQUEST)
    with node_ledger(node) as client:
        change = make_request(node, client, power)
        write_request(path, client.status().chain_id, change)

    def tell(words: Console) -> None:
        words.print(f"The request is in {path}. Give it to the validators; each runs:", markup=False)
        words.print(f"  {command('node', 'support', path, '-C', 'ITS-FOLDER')}", markup=False)

    told = {"path": path, "participant": change.participant, "power": power, "key": change.key}
    Speaker(as_json=as_json).result(told, tell)


def support(
    what: Annotated[
        str, typer.Argument(metavar="FILE|PROPOSAL", help="A request's file, or a proposal's first digits.")
    ],
    *,
    folder: NodeDir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Support a request to join, or an open proposal. What more than two thirds of the power support takes effect."""
    from gridproof.actors.node.deciding import read_change

    with _council(folder, passphrase_file) as (client, council):
        _say_standing(client, council.support(read_change(client, what)), as_json=as_json)


def leave(*, folder: NodeDir = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """Give the vote back. The others must support it too; until then the node must go on running."""
    from gridproof.modules.consensus.changes import RemoveValidator

    with _council(folder, passphrase_file) as (client, council):
        _say_standing(client, council.support(RemoveValidator(council.participant)), as_json=as_json)


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The company whose vote is to be taken.")],
    *,
    folder: NodeDir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Support that another company votes no more, such as one whose node is lost for good."""
    from gridproof.actors.node.deciding import other_validator
    from gridproof.modules.consensus.changes import RemoveValidator

    with _council(folder, passphrase_file) as (client, council):
        change = RemoveValidator(other_validator(client, council.name, name))
        _say_standing(client, council.support(change), as_json=as_json)


def upgrade(
    *,
    version: Annotated[int | None, typer.Option("--version", min=1, help="Of the program.")] = None,
    height: Annotated[int | None, typer.Option("--height", min=1, help="The first block under it.")] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Support that the scheduled one does not take place.")
    ] = False,
    folder: NodeDir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Support that a version of the program takes over at a height. Install it before: an older one stops there.

    Raises:
        BadParameter: the options do not say which upgrade.
    """
    from gridproof.modules.consensus.changes import CancelUpgrade, ScheduleUpgrade

    if cancel is (version is not None or height is not None) or (not cancel and (version is None or height is None)):
        raise typer.BadParameter("give --version and --height, or --cancel alone")
    with _council(folder, passphrase_file) as (client, council):
        change: Change = CancelUpgrade() if cancel else ScheduleUpgrade(version or 0, height or 0)
        _say_standing(client, council.support(change), as_json=as_json)


def proposals(*, folder: NodeDir = HERE, as_json: AsJson = False) -> None:
    """List what waits for more support."""
    from gridproof.actors.node.deciding import named, names_of, words_of
    from gridproof.modules.consensus import queries as consensus

    with node_ledger(open_node(folder)) as client:
        names = names_of(client)
        total = sum(member.power for _, member in client.ask(consensus.validators))
        open_ = client.ask(consensus.proposals)
    told = [
        {
            "proposal": each.proposal,
            "change": words_of(each.change, names),
            "since_height": each.height,
            "supporters": [names.get(number, str(number)) for number in each.supporters],
            "power": each.power,
        }
        for each in open_
    ]

    def tell(words: Console) -> None:
        shown = table("proposal", "what", "#power", "supported by")
        shown.columns[0].no_wrap = True  # it is typed off
        for each in told:
            supporters: Any = each["supporters"]
            shown.add_row(
                named(open_[told.index(each)].proposal), str(each["change"]), f"{each['power']} of {total}",
                ", ".join(supporters),
            )  # fmt: skip
        words.print(shown if told else "Nothing is proposed.")

    Speaker(as_json=as_json).result({"proposals": told, "total_power": total}, tell)


@contextmanager
def _council(folder: Path, passphrase_file: Path | None) -> "Iterator[tuple[LedgerClient, Council]]":
    from gridproof.actors.node.deciding import Council

    node = open_node(folder)
    with node_ledger(node) as client:
        yield client, Council(node, open_secrets(node.secret_files, passphrase_file), client)


def _say_standing(client: "LedgerClient", standing: "Standing", *, as_json: bool) -> None:
    from gridproof.actors.node.deciding import named, names_of, words_of

    words_ = words_of(standing.change, names_of(client))
    told = {**standing._asdict(), "change": words_}

    def tell(words: Console) -> None:
        if standing.instead_of:
            before = standing.instead_of.hex()[:8]
            words.print(f"A company supports one thing at a time: its support of {before} is taken back.", markup=False)
        if standing.decided:
            words.print(f"Decided: {words_}.", markup=False)
            return
        words.print(
            f"Supported: {words_}; {standing.power} of {standing.total}, more than two thirds decide.", markup=False
        )
        asked = command("node", "support", named(standing.proposal), "-C", "ITS-FOLDER")
        words.print(f"The others run: {asked}", markup=False)

    Speaker(as_json=as_json).result(told, tell)
