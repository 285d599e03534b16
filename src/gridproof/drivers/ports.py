"""What a driver is given: how to make the Application, and whom to tell of progress."""

from collections.abc import Callable
from typing import TypeAlias

from gridproof.state import Application, Verifier
from gridproof.state.store import Store

ApplicationFactory: TypeAlias = Callable[[Store, Verifier], Application]
Progress: TypeAlias = Callable[[int, int], None]  # blocks done, blocks in all


def no_progress(_done: int, _all: int) -> None:
    """Tell nobody."""
