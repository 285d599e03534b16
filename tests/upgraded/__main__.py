"""`python -m tests.upgraded ARGUMENTS`: version 2's command line."""

import sys

from gridproof.cli.main import run

from . import become_the_program

if __name__ == "__main__":
    become_the_program()
    sys.exit(run())
