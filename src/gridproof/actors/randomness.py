"""Where actors draw chance from: the system's generator, or a seed that makes a demonstration repeatable."""

import os
from collections.abc import Callable
from typing import Final

from gridproof.primitives.hashing import HASH_SIZE, Tag

Randomness = Callable[[int], bytes]  # n -> n bytes that nobody can foresee

system: Final[Randomness] = os.urandom
_STREAM: Final = Tag("gridproof/seeded-randomness/v1")
_CHOICE_SIZE: Final = 16  # bytes of a choice: its bias is below 2**-64 for any bound that occurs here


class Seeded:
    """Chance that follows from a seed: for demonstrations and tests, never for a real community.

    Args:
        seed: the same seed gives the same bytes, call by call.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._calls = 0

    def __call__(self, size: int) -> bytes:
        """The next `size` bytes."""
        call = self._calls.to_bytes(8, "big")
        self._calls += 1
        blocks = -(-size // HASH_SIZE)
        return b"".join(_STREAM(self._seed, call, block.to_bytes(8, "big")) for block in range(blocks))[:size]

    def fork(self, name: str) -> "Seeded":
        """Chance of its own for someone, which draws of others do not move."""
        return Seeded(_STREAM(self._seed, b"fork", name.encode()))


def below(randomness: Randomness, bound: int) -> int:
    """A whole number 0 .. bound - 1, each as likely as the others."""
    return int.from_bytes(randomness(_CHOICE_SIZE), "big") % bound
