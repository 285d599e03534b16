"""The process: `gridproof`, or `python -m gridproof`. It does what `cli.main` does, once that is loaded.

Loading it takes up to a second, in which nothing was begun that an interruption could leave half done.
"""

import sys


def run() -> int:
    """Load and run a command; its exit code."""
    try:
        from gridproof.cli.main import run as run_command  # noqa: PLC0415 - so that an interruption is caught
    except KeyboardInterrupt:
        print("gridproof: interrupted; nothing was begun.", file=sys.stderr)  # noqa: T201 - there is no console yet
        return 130
    return run_command()


if __name__ == "__main__":
    sys.exit(run())
