"""`python -m gridproof`."""

import sys

from gridproof.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
