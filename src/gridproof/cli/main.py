"""The entry point: builds the command tree, and turns foreseen errors into one sentence and an exit code.

Exit codes: 0 all is well; 1 something was refused, missing or found false; 2 the words of the command are off;
3 a node stopped, and would again if it were started now (`node start` only); 130 interrupted.
"""

import json
import os
import sys

import typer
from typer._click.exceptions import ClickException  # Typer carries a Click of its own and does not export this

from gridproof import __version__
from gridproof.connectors.patience import telling
from gridproof.errors import GridproofError

from . import (
    backup,
    bill,
    config,
    demo,
    export,
    household,
    init,
    key,
    meter,
    net,
    node,
    period,
    proof,
    readings,
    status,
    tariff,
    verify,
)
from . import run as running
from .console import say_error, say_wait

REFUSED, MISUSED, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="gridproof",
    help="The trust layer of an energy community: totals proved against meters' records, revealing nobody's habits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _version(value: bool) -> None:
    if value:
        print(f"gridproof {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """The trust layer of an energy community."""


# In the order in which one needs them.
app.command()(demo.demo)
app.command()(init.init)
app.add_typer(config.app, name="config")
app.add_typer(meter.app, name="meter")
app.add_typer(key.app, name="key")
app.add_typer(readings.app, name="readings")
app.add_typer(tariff.app, name="tariff")
app.command()(running.run)
app.command()(status.status)
app.add_typer(period.app, name="period")
app.add_typer(bill.app, name="bill")
app.add_typer(household.app, name="household")
app.add_typer(net.app, name="net")
app.add_typer(node.app, name="node")
app.add_typer(verify.app, name="verify")
app.add_typer(export.app, name="export")
app.add_typer(proof.app, name="proof")
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(status.doctor)


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; the process's entry point."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    try:
        with telling(say_wait):
            outcome = app(given, prog_name="gridproof", standalone_mode=False)
    except GridproofError as error:
        say_error(error, as_json=as_json)
        return REFUSED
    except typer.Abort:
        outcome = INTERRUPTED
    except ClickException as misuse:
        if as_json:
            print(json.dumps({"error": type(misuse).__name__, "sentence": misuse.format_message(), "particulars": {}}))
        misuse.show()
        return misuse.exit_code
    except BrokenPipeError:
        # Whoever read our output went away; standard output must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as failure:
        _say_system_error(failure, as_json=as_json)
        return REFUSED
    if outcome == INTERRUPTED:
        print("gridproof: interrupted; what was committed stays. Run the command again to go on.", file=sys.stderr)
    return outcome if isinstance(outcome, int) else 0


def _say_system_error(failure: OSError, *, as_json: bool) -> None:
    where = f"{failure.filename}: " if failure.filename else ""
    sentence = f"{where}{failure.strerror or failure}; nothing more was done. See to the cause and try again."
    if as_json:
        print(json.dumps({"error": type(failure).__name__, "sentence": sentence, "particulars": {}}))
    print(f"gridproof: {sentence}", file=sys.stderr)
