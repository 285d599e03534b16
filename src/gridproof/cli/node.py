"""`gridproof node`: one company's node of a network."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from . import node_init, node_voice
from .console import Speaker, say_error, table
from .net import follow_logs, state_of
from .node_init import From
from .options import HERE, AsJson, NodeDir, node_ledger, open_node

if TYPE_CHECKING:
    from gridproof.actors.node.blocks import Seen
    from gridproof.actors.node.folder import NodeFolder
    from gridproof.actors.node.running import NodeStatus
    from gridproof.connectors.ledger import LedgerClient

app = typer.Typer(help="Run a company's node of a network, and have a say in it.", no_args_is_help=True)
LASTS: Final = 3  # the exit code that keeps a service manager from starting the node again


@app.command(hidden=True)
def serve(*, folder: NodeDir = HERE) -> int:
    """Serve the ledger to the engine: the process that `start` watches over."""
    from gridproof.actors.node.serving import collect_seldom
    from gridproof.actors.node.serving import serve as serve_node
    from gridproof.drivers import logs as logging

    logging.begin()
    collect_seldom()
    return 0 if serve_node(open_node(folder)) is None else 1


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
            supervisor = Supervisor(open_node(folder), stop, speaker.note)
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

    node = open_node(folder)
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
        with node_ledger(node) as client:
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

    node = open_node(folder)
    with closing(EngineRpc(f"http://{load(node.root).engine.rpc}")) as rpc, node_ledger(node) as client:
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
    node = open_node(folder)
    follow_logs({path.stem: path for path in sorted(node.logs.glob("*.log"))}, lines, follow=follow, as_json=as_json)


@app.command()
def doctor(*, folder: NodeDir = HERE, as_json: AsJson = False) -> int:
    """Look for what is wrong with the node: engine, addresses, clock, disk, files. Exit code 1 if anything is."""
    from gridproof.actors.node.doctor import examine

    findings = list(examine(open_node(folder)))
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

    done = recover_node(open_node(folder), url, anew=anew, sure=yes)

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


app.command()(node_init.init)
app.command()(node_voice.join)
app.command()(node_voice.support)
app.command()(node_voice.leave)
app.command()(node_voice.remove)
app.command()(node_voice.upgrade)
app.command()(node_voice.proposals)
