"""The port through which signatures are checked, and its serial twin; drivers bring one that uses all cores."""

from collections.abc import Sequence
from typing import Protocol

from gridproof.primitives import schnorr

from .records import SignatureClaim


class Verifier(Protocol):
    """Checks many signatures."""

    def find_invalid(self, claims: Sequence[SignatureClaim]) -> int | None:
        """Index of the first claim that does not hold, or None when all hold."""


class SerialVerifier:
    """Checks one signature after the other on the calling thread."""

    def find_invalid(self, claims: Sequence[SignatureClaim]) -> int | None:
        """Index of the first claim that does not hold, or None when all hold."""
        return schnorr.find_invalid(claims)
