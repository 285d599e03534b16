"""`gridproof net`: a network of nodes, founded in one place, and run on one machine where that is wanted."""

import re
from contextlib import ExitStack, closing
from pathlib import Path
from time import sleep, time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from gridproof.actors.commands import command

from .console import Speaker, printable, table
from .init import counted, secrets_of, settings_of, start_of, tariff_of, times_of
from .options import HERE, AsJson, NetDir, PassphraseFile

if TYPE_CHECKING:
    from gridproof.actors.node.folder import NodeFolder
    from gridproof.actors.node.network import FoundedNetwork, Seat
    from gridproof.actors.node.running import NodeStatus

app = typer.Typer(help="Found a network of validators, and run it on this machine.", no_args_is_help=True)

LOOK_S: Final = 0.5
HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
SUBNET: Final = r"127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){2}"
LAST_ADDRESS: Final = 254


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it may be there if it is empty.")],
    *,
    validators: Annotated[str, typer.Option(help="How many companies with a node, or their names.")] = "4",
    name: Annotated[str | None, typer.Option(help="Name of the community.", show_default="the folder's")] = None,
    zone: Annotated[str, typer.Option(help="Time zone of months and days, by its IANA name.")] = "Europe/Zurich",
    currency: Annotated[str, typer.Option(help="Currency by its ISO 4217 code.")] = "CHF",
    period_s: Annotated[int, typer.Option("--period-s", help="Length of a metering period in seconds.")] = 900,
    regions: Annotated[str, typer.Option(help="How many regions, up to 1000, or their names parted by commas.")] = "1",
    clock: Annotated[
        str,
        typer.Option(
            metavar="operator|block", help="What moves ledger time: imported readings, or the time of the day."
        ),
    ] = "operator",
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Ledger time at the start.", show_default="this month's first instant; or now"
        ),
    ] = None,
    tariff: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the tariff from this file.", show_default="one to start from"),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=HOST", help="Where a company's node is reached; repeatable.", show_default="this machine"
        ),
    ] = None,
    subnet: Annotated[str, typer.Option(help="Loopback addresses of nodes on this machine.")] = "127.0.1",
    commit_ms: Annotated[
        int, typer.Option("--commit-ms", min=0, max=60_000, help="Pause after a block, for late votes.")
    ] = 1_000,
    sealed: Annotated[bool, typer.Option("--sealed", help="Seal the companies' keys with a passphrase.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Found a community whose ledger is a network: a folder for the operator, and one for each company's node.

    All or nothing. Send each company its folder, or run all of them here with `gridproof net up`.
    """
    from gridproof.actors.node.network import Order, Shape, found_network
    from gridproof.actors.randomness import system

    speaker = Speaker(as_json=as_json)
    companies = counted("--validators", validators, "company")
    parted = counted("--regions", regions, "Region"), companies
    settings = settings_of(name or folder.absolute().name, zone, currency, period_s, *parted, clock)
    times = times_of(settings)
    start_s = start_of(settings, times, start)
    shape = Shape(_seats(companies, host or [], subnet), commit_ms)
    order = Order(settings, shape, start_s, int(time()), tariff_of(tariff, settings))
    made = found_network(folder, order, secrets_of(passphrase_file, sealed=sealed), system)
    told = {
        "folder": made.root,
        "chain_id": made.community.chain_id,
        "start": times.label(start_s),
        "app_hash": made.community.app_hash,
        "community": made.community.root,
        "recovery_keys": made.community.recovery,
        "nodes": {each: str(path) for each, path in made.nodes.items()},
    }
    speaker.result(told, lambda words: _say_made(words, made, folder))


def _seats(companies: tuple[str, ...], hosts: list[str], subnet: str) -> "tuple[Seat, ...]":
    """Where the nodes are.

    Raises:
        BadParameter: an option names no company, or has no host.
    """
    from gridproof.actors.node.network import Seat, loopback_seats

    named: dict[str, str] = {}
    for given in hosts:
        company, parted, address = given.partition("=")
        if not parted or company not in companies or not address:
            raise typer.BadParameter(f"--host takes NAME=HOST with a name of {', '.join(companies)}; not {given[:60]}")
        named[company] = address
        if not re.fullmatch(HOST, address):
            raise typer.BadParameter(f"--host takes a host name or an IPv4 address, without a port; not {address[:60]}")
    if not named:
        if len(companies) > LAST_ADDRESS:
            raise typer.BadParameter(f"--validators takes at most {LAST_ADDRESS} on one machine; not {len(companies)}")
        if not re.fullmatch(SUBNET, subnet):
            raise typer.BadParameter(
                f"--subnet takes the first three numbers of loopback addresses, as in 127.0.1; not {subnet[:30]}"
            )
        return loopback_seats(companies, subnet)
    missing = [company for company in companies if company not in named]
    if missing:
        raise typer.BadParameter(f"--host is missing for {', '.join(missing)}")
    return tuple(Seat(company, named[company], "0.0.0.0") for company in companies)  # noqa: S104 - its own machine


def _say_made(words: Console, made: "FoundedNetwork", folder: Path) -> None:
    words.print(
        f"Founded [bold]{made.community.chain_id}[/] with {len(made.nodes)} validators in {escape(str(made.root))}."
    )
    words.print(f"Operator:  {made.community.root}", markup=False)
    for name, path in made.nodes.items():
        words.print(f"{name}: {path}", markup=False)
    words.print(f"Move the recovery keys to a safe place, offline: {made.community.recovery}", markup=False)
    words.print("Send each company its folder; it runs `gridproof node start -C FOLDER`.")
    words.print(f"Or run all here: {command('net', 'up', '-C', folder)}", markup=False)


@app.command()
def up(
    *,
    folder: NetDir = HERE,
    patience_s: Annotated[int, typer.Option("--patience-s", min=1, help="How long to wait for the nodes.")] = 90,
    as_json: AsJson = False,
) -> int:
    """Start all nodes on this machine, and wait until they agreed on a block. Nodes that run already go on.

    The exit code is 1 where one still catches up.
    """
    from gridproof.actors.node.network import nodes_in
    from gridproof.actors.node.program import find_engine
    from gridproof.actors.node.running import await_nodes, process_of, start_node
    from gridproof.actors.node.settings import load

    speaker = Speaker(as_json=as_json)
    nodes = nodes_in(folder)
    for program in sorted({load(node.root).engine.program for node in nodes}):
        find_engine(program)
    with speaker.progress("nodes that answer") as step:
        try:
            started = {node: start_node(node) for node in nodes if process_of(node) is None}
            await_nodes(nodes, patience_s, started, step)
        except KeyboardInterrupt:
            speaker.note(f"What was started goes on; this stops it: {command('net', 'down', '-C', folder)}")
            raise
    return _say_status(speaker, folder)


@app.command()
def down(*, folder: NetDir = HERE, as_json: AsJson = False) -> None:
    """Stop all nodes of this machine."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    from gridproof.actors.node.network import nodes_in
    from gridproof.actors.node.running import stop_node

    speaker, nodes, stopped = Speaker(as_json=as_json), nodes_in(folder), 0
    with speaker.progress("nodes that have ended") as step, ThreadPoolExecutor(len(nodes)) as pool:
        for ended, stopping in enumerate(as_completed([pool.submit(stop_node, node) for node in nodes]), 1):
            stopped += stopping.result()
            step(ended, len(nodes))
    speaker.result(
        {"stopped": stopped}, lambda words: words.print(f"{stopped} {'node' if stopped == 1 else 'nodes'} stopped.")
    )


@app.command()
def status(*, folder: NetDir = HERE, as_json: AsJson = False) -> int:
    """Tell how all nodes are. The exit code is 1 where one does not run, catches up, or they do not agree."""
    return _say_status(Speaker(as_json=as_json), folder)


def _say_status(speaker: Speaker, folder: Path) -> int:
    from gridproof.actors.node.network import nodes_in
    from gridproof.actors.node.running import statuses_of

    nodes = statuses_of(nodes_in(folder))
    heights = [each.height for each in nodes if each.height is not None]
    told: dict[str, Any] = {"nodes": [each._asdict() for each in nodes], "height": max(heights, default=None)}
    hashes = {each.app_hash for each in nodes if each.height == told["height"]}
    all_there = len(heights) == len(nodes) and not any(each.catching_up for each in nodes)
    told["ok"] = all_there and len(hashes) == 1
    speaker.result(told, lambda words: _say_nodes(words, nodes))
    return 0 if told["ok"] else 1


def _say_nodes(words: Console, nodes: "list[NodeStatus]") -> None:
    shown = table("node", "is", "#height", "app hash", "#power", "#peers", "#waiting", "clients ask")
    for each in nodes:
        height = "" if each.height is None else str(each.height)
        shown.add_row(
            each.name, state_of(each), height, each.app_hash[:16], str(each.power), str(each.peers), str(each.waiting),
            each.rpc,
        )  # fmt: skip
    words.print(shown)
    for each in nodes:
        if each.stopped:
            words.print(f"{each.name}: {each.stopped}", markup=False)
        if each.foreign:
            words.print(
                f"{each.name}: at its address answers a node of the chain {each.foreign[:64]!r}. Give each network "
                "addresses of its own.",
                markup=False,
            )


def state_of(status: "NodeStatus") -> str:
    """How a node is, in a word or two."""
    if not status.runs:
        return "down"
    if status.foreign:
        return "address taken"
    if status.height is None:
        return "silent"
    if status.catching_up:
        return "catching up"
    return "up" if status.silent_until is None else "up, key silent"


@app.command()
def logs(
    *,
    folder: NetDir = HERE,
    node: Annotated[str | None, typer.Option(metavar="NAME", help="Only this node's.")] = None,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines of each.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the nodes say."""
    chosen = _chosen(folder, node)
    files = {f"{name} {path.stem}": path for name, each in chosen.items() for path in each.logs.glob("*.log")}
    follow_logs(files, lines, follow=follow, as_json=as_json)


def _chosen(folder: Path, name: str | None) -> "dict[str, NodeFolder]":
    """The nodes that are meant, by their names."""
    from gridproof.actors.node.network import nodes_in
    from gridproof.actors.node.settings import load

    nodes = {load(each.root).node.name: each for each in nodes_in(folder)}
    if name is not None and name not in nodes:
        raise typer.BadParameter(f"--node takes one of {', '.join(nodes)}")
    return {each: nodes[each] for each in nodes if name in (None, each)}


def follow_logs(files: dict[str, Path], lines: int, *, follow: bool, as_json: bool) -> None:
    """Print the last lines of logs, each with its name, and what comes after them where that is wanted.

    Raises:
        BadParameter: one object is asked for, of what has no end.
    """
    if follow and as_json:
        raise typer.BadParameter("--json prints one object, --follow has no end: give one of them")
    from gridproof.actors.node.logs import LogReader

    with ExitStack() as stack:
        logs = {name: stack.enter_context(closing(LogReader(path))) for name, path in files.items()}
        told = [{"log": name, "line": line} for name, log in logs.items() for line in log.last(lines)]

        def tell(_words: Console) -> None:
            for each in told:
                print(f"{each['log']}: {printable(each['line'])}")

        Speaker(as_json=as_json).result({"lines": told}, tell)
        while follow:
            sleep(LOOK_S)
            for name, log in logs.items():
                for line in log.fresh():
                    print(f"{name}: {printable(line)}", flush=True)
