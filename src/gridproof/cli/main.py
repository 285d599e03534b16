"""The entry point: builds the command tree, and turns foreseen errors into one sentence and an exit code.

Exit codes: 0 all is well; 1 something was refused, missing or found false; 2 the words of the command are off;
130 interrupted.
"""

import os
import sys

import click
import typer

from gridproof import __version__
from gridproof.errors import GridproofError

from .console import say_error

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


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; the process's entry point."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        outcome = app(given, standalone_mode=False)
    except GridproofError as error:
        say_error(error, as_json="--json" in given)
        return 1
    except click.exceptions.Abort:
        print("gridproof: interrupted; what was committed stays. Run the command again to go on.", file=sys.stderr)
        return 130
    except click.ClickException as misuse:
        misuse.show()
        return misuse.exit_code
    except BrokenPipeError:
        # Whoever read our output went away; standard output must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return outcome if isinstance(outcome, int) else 0
