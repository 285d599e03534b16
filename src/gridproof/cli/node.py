"""`gridproof node`: one company's node of a network."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from gridproof.actors.commands import command

from . import node_init
from .console import Speaker, say_error, table
from .net import follow_logs, state_of
from .node_init import From
from .options import HERE, AsJson, NodeDir, PassphraseFile, open_secrets

if TYPE_CHECKING:
    from gridproof.actors.node.blocks import Seen
    from gridproof.actors.node.deciding import Council, Standing
    from gridproof.actors.node.folder import NodeFolder
    from gridproof.actors.node.running import NodeStatus
    from gridproof.connectors.ledger import LedgerClient
    from gridproof.modules.consensus.changes import Change

app = typer.Typer(help="Run a company's node of a network, and have a say in it.", no_args_is_help=True)
REQUEST: Final = "join.json"
LASTS: Final = 3  # the exit code that keeps a service manager from starting the node again


# --- running ---------------------------------------------------------------------------------------------------------


@app.command(hidden=True)
def serve(*, folder: NodeDir = HERE) -> int:
    """Serve the ledger to the engine: the process that `start` watches over."""
    from gridproof.actors.node.serving import collect_seldom
    from gridproof.actors.node.serving import serve as serve_node
    from gridproof.drivers import logs as logging

    logging.begin()
    collect_seldom()
    return 0 if serve_node(_node(folder)) is None else 1


@app.command()
def start(*, folder: NodeDir = HERE, as_json: AsJson = False) -> int:
    """Run the node until it is told to stop: it starts ledger and engine, watches both, and starts them again.

    Exits with 3 where a new start would fail again, until somebody has seen to the cause.
    """
    from gridproof.actors.node.errors import LastingError
    from gridproof.actors.node.supervisor import Supervisor
    from gridproof.actors.stopping import stopped_by_signals

    speaker = Speaker(as_json=as_json)
    try:
        with stopped_by_signals() as stop:
            supervisor = Supervisor(_node(folder), stop, speaker.note)
            node = supervisor.settings
            speaker.note(f"Node of {node.node.name} on {node.node.chain_id}; clients ask http://{node.engine.rpc}")
            supervisor.run()
    except LastingError as wrong:
        say_error(wrong, as_json=as_json)
        return LASTS
    speaker.result({"stopped": True}, lambda words: words.print("Stopped."))
    return 0


@app.command()
def status(*, folder: NodeDir = HERE, as_json: AsJson = False) -> int:
    """Tell how the node is, who votes, and what is proposed. The exit code is 1 where it does not run."""
    from gridproof.actors.node.running import status_of
    from gridproof.actors.node.standing import standstill_of
    from gridproof.actors.node.upgrading import program_version

    node = _node(folder)
    found = status_of(node)
    told: dict[str, Any] = {**found._asdict(), "ok": found.height is not None, "program": program_version()}
    told["standstill"] = standstill_of(node, found)
    if found.height and not found.catching_up:  # before, it has nothing to tell, or only of the past
        told |= _agreed(node)
    Speaker(as_json=as_json).result(told, lambda words: _say_status(words, found, told))
    return 0 if told["ok"] else 1


def _agreed(node: "NodeFolder") -> dict[str, Any]:
    """Who votes, by which version, and what is scheduled; empty where the node does not tell just now."""
    from gridproof.actors.node.errors import NodeSilentError
    from gridproof.connectors.ledger import ClientError

    try:
        with _ledger(node) as client:
            return _told_by(client)
    except (ClientError, NodeSilentError):
        return {}


def _told_by(client: "LedgerClient") -> dict[str, Any]:
    from gridproof.actors.node.deciding import names_of
    from gridproof.actors.node.upgrading import find_upgrade, is_too_old_for
    from gridproof.modules.consensus import queries as consensus

    names = names_of(client)
    members = client.ask(consensus.validators)
    due = find_upgrade(client)
    return {
        "validators": [
            {"name": names.get(number, ""), "power": each.power, "key": each.key} for number, each in members
        ],
        "version": client.ask(consensus.version),
        "upgrade": None if due is None else {"version": due[0], "height": due[1], "too_old": is_too_old_for(due[0])},
        "offences": len(client.ask(consensus.offences)),
        "proposals": len(client.ask(consensus.proposals)),
    }


def _say_status(words: Console, found: "NodeStatus", told: dict[str, Any]) -> None:
    from gridproof.actors.node.running import words_of_silence
    from gridproof.actors.node.upgrading import words_of_upgrade

    words.print(f"{found.name}: {state_of(found)}", markup=False)
    if found.stopped:
        words.print(found.stopped, markup=False)
    if found.height is None:
        return
    words.print(
        f"Height {found.height} of {found.time}, {found.peers} peers, {found.waiting} transactions wait.", markup=False
    )
    if told["standstill"]:
        words.print(told["standstill"], markup=False)
    if found.silent_until is not None:
        words.print(f"The node was recovered: {words_of_silence(found)}.", markup=False)
    if "validators" not in told:
        words.print("What the ledger says of validators and versions is told once the node has caught up.")
        return
    shown = table("validator", "#power")
    for each in told["validators"]:
        shown.add_row(each["name"], str(each["power"]))
    words.print(shown)
    words.print(f"Version {told['version']} is in force; this program has version {told['program']}.")
    if told["upgrade"]:
        words.print(f"To come: {words_of_upgrade(told['upgrade']['version'], told['upgrade']['height'])}.")
    if told["proposals"]:
        words.print(f"Open proposals: {told['proposals']}; see `gridproof node proposals`.")
    if told["offences"]:
        words.print(f"Offences on record: {told['offences']}.")


@app.command()
def block(
    height: Annotated[int | None, typer.Argument(metavar="[HEIGHT]", min=1, show_default="the last one")] = None,
    *,
    folder: NodeDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Show a block: who proposed it, who signed it, and what it holds."""
    from gridproof.actors.node.blocks import look_at
    from gridproof.actors.node.settings import load
    from gridproof.connectors.engine_headers import EngineRpc

    node = _node(folder)
    with closing(EngineRpc(f"http://{load(node.root).engine.rpc}")) as rpc, _ledger(node) as client:
        seen = look_at(rpc, client, height or client.status().height)
    told = {**seen._asdict(), "signed_power": seen.signed_power, "total_power": seen.total_power}
    told["signers"] = [each._asdict() for each in seen.signers]
    told["transactions"] = [each._asdict() for each in seen.transactions]
    Speaker(as_json=as_json).result(told, lambda words: _say_block(words, seen))


def _say_block(words: Console, seen: "Seen") -> None:
    words.print(f"Block {seen.height}, {seen.hash.hex()}", markup=False)
    words.print(
        f"proposed by {seen.proposer}; signed by {seen.signed_power} of {seen.total_power} power:", markup=False
    )
    for signer in seen.signers:
        words.print(
            f"  {signer.name}, power {signer.power}{'' if signer.signed else ': not in the commit'}", markup=False
        )
    shown = table("sender", "says", "#code")
    for each in seen.transactions:
        shown.add_row(
            each.sender, ", ".join(each.messages[:5]) + ("…" if len(each.messages) > 5 else ""), str(each.code)
        )
    words.print(shown if seen.transactions else "It holds no transaction.")
    words.print(f"app hash after it {seen.app_hash.hex()}", markup=False)


@app.command()
def logs(
    *,
    folder: NodeDir = HERE,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines of each.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the node says."""
    node = _node(folder)
    follow_logs({path.stem: path for path in sorted(node.logs.glob("*.log"))}, lines, follow=follow, as_json=as_json)


@app.command()
def doctor(*, folder: NodeDir = HERE, as_json: AsJson = False) -> int:
    """Look for what is wrong with the node: engine, addresses, clock, disk, files. Exit code 1 if anything is."""
    from gridproof.actors.node.doctor import examine

    findings = list(examine(_node(folder)))
    is_well = not any(each.is_wrong for each in findings)
    told = {"ok": is_well, "findings": [each._asdict() for each in findings]}

    def tell(words: Console) -> None:
        for each in findings:
            words.print(f"{'wrong' if each.is_wrong else 'ok':<6} {each.what}: {each.told}", markup=False)

    Speaker(as_json=as_json).result(told, tell)
    return 0 if is_well else 1


@app.command()
def recover(
    *,
    folder: NodeDir = HERE,
    url: From,
    anew: Annotated[
        bool, typer.Option("--anew", help="Fetch everything again, as after an old backup was put back.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Even where the network makes no block without this node's vote.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Mend the node's folder after something in it was lost, so that it can start and never signs twice."""
    from gridproof.actors.node.recovering import recover as recover_node

    done = recover_node(_node(folder), url, anew=anew, sure=yes)

    def tell(words: Console) -> None:
        for path in done.laid_aside:
            words.print(f"Laid aside: {path}", markup=False)
        if done.silent_until is not None:
            words.print(f"The node votes again after height {done.silent_until}: what it signed before is not known.")
            words.print(f"The network is at height {done.height}; `gridproof node status` tells how far it has come.")
        if done.trusted is not None:
            words.print(f"It joins by header {done.trusted[1].hex()} of height {done.trusted[0]}.", markup=False)
            words.print("That is what the asked node says: compare it with what other members say.")
        words.print("Start it with `gridproof node start`.")

    trusted = None if done.trusted is None else {"height": done.trusted[0], "header": done.trusted[1]}
    Speaker(as_json=as_json).result({**done._asdict(), "trusted": trusted}, tell)


# --- joining and leaving ---------------------------------------------------------------------------------------------


app.command()(node_init.init)


@app.command()
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

    node = _node(folder)
    path = into or Path(REQUEST)
    with _ledger(node) as client:
        change = make_request(node, client, power)
        write_request(path, client.status().chain_id, change)

    def tell(words: Console) -> None:
        words.print(f"The request is in {path}. Give it to the validators; each runs:", markup=False)
        words.print(f"  {command('node', 'support', path, '-C', 'ITS-FOLDER')}", markup=False)

    told = {"path": path, "participant": change.participant, "power": power, "key": change.key}
    Speaker(as_json=as_json).result(told, tell)


@app.command()
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


@app.command()
def leave(*, folder: NodeDir = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """Give the vote back. The others must support it too; until then the node must go on running."""
    from gridproof.modules.consensus.changes import RemoveValidator

    with _council(folder, passphrase_file) as (client, council):
        _say_standing(client, council.support(RemoveValidator(council.participant)), as_json=as_json)


@app.command()
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


@app.command()
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


@app.command()
def proposals(*, folder: NodeDir = HERE, as_json: AsJson = False) -> None:
    """List what waits for more support."""
    from gridproof.actors.node.deciding import named, names_of, words_of
    from gridproof.modules.consensus import queries as consensus

    with _ledger(_node(folder)) as client:
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


# --- shared ----------------------------------------------------------------------------------------------------------


def _node(folder: Path) -> "NodeFolder":
    from gridproof.actors.node.folder import NodeFolder

    node = NodeFolder(folder)
    node.require_node()
    return node


@contextmanager
def _ledger(node: "NodeFolder") -> "Iterator[LedgerClient]":
    """The way to the ledger, by the node itself.

    Raises:
        NodeSilentError: it gives no answer; a NodeSilentSinceError where something was sent.
    """
    from gridproof.actors.node.errors import NodeSilentError, NodeSilentSinceError
    from gridproof.actors.node.settings import load
    from gridproof.connectors.ledger import NetworkClient, NodesUnreachableError, SentUnansweredError

    settings = load(node.root)
    client = NetworkClient((f"http://{settings.engine.rpc}",), settings.node.chain_id)
    try:
        yield client
    except NodesUnreachableError as silent:  # the settings that it speaks of are the community's
        kind = NodeSilentSinceError if isinstance(silent, SentUnansweredError) else NodeSilentError
        raise kind(node=silent.nodes) from silent
    finally:
        client.close()


@contextmanager
def _council(folder: Path, passphrase_file: Path | None) -> "Iterator[tuple[LedgerClient, Council]]":
    from gridproof.actors.node.deciding import Council

    node = _node(folder)
    with _ledger(node) as client:
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
