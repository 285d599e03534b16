"""`gridproof node`: one company's node of a network."""

import signal
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated, Final

import typer

from .console import Speaker, say_error
from .options import HERE, AsJson

LASTS: Final = 3  # the exit code that keeps a service manager from starting the node again

app = typer.Typer(help="Run a company's node of a network.", no_args_is_help=True)

NodeDir = Annotated[Path, typer.Option("--dir", "-C", metavar="DIR", help="The node's folder.", show_default="here")]


@app.command(hidden=True)
def serve(*, folder: NodeDir = HERE) -> int:
    """Serve the ledger to the engine: the process that `start` watches over."""
    from gridproof.actors.node.folder import NodeFolder
    from gridproof.actors.node.serving import serve as serve_node
    from gridproof.drivers import logs

    logs.begin()
    node = NodeFolder(folder)
    node.require_node()
    return 0 if serve_node(node) is None else 1


@app.command()
def start(*, folder: NodeDir = HERE, as_json: AsJson = False) -> int:
    """Run the node until it is told to stop: it starts ledger and engine, watches both, and starts them again.

    Exits with 3 where a new start would fail again, until somebody has seen to the cause.
    """
    from gridproof.actors.node.errors import LastingError
    from gridproof.actors.node.folder import NodeFolder
    from gridproof.actors.node.supervisor import Supervisor

    speaker = Speaker(as_json=as_json)
    stop = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        supervisor = Supervisor(NodeFolder(folder), stop, speaker.note)
        settings = supervisor.settings
        speaker.note(
            f"Node of {settings.node.name} on {settings.node.chain_id}; clients ask http://{settings.engine.rpc}"
        )
        supervisor.run()
    except LastingError as wrong:
        say_error(wrong, as_json=as_json)
        return LASTS
    speaker.result({"stopped": True}, lambda words: words.print("Stopped."))
    return 0
