"""Signature checks spread over all cores: the library checks them outside the interpreter's lock."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

from gridproof.primitives import schnorr
from gridproof.state import SerialVerifier, SignatureClaim, Verifier

CHUNK = 64  # checks in a piece of work: about 2 ms, long against the cost of handing it over


class ThreadedVerifier:
    """Checks many signatures on a pool of threads.

    Args:
        threads: how many; by default one for each core that this process may use.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or available_cores()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="verify")

    def find_invalid(self, claims: Sequence[SignatureClaim]) -> int | None:
        """Index of the first claim that does not hold, or None when all hold."""
        if self.threads == 1 or len(claims) <= CHUNK:
            return schnorr.find_invalid(claims)
        starts = range(0, len(claims), CHUNK)
        pieces = [self._pool.submit(schnorr.find_invalid, claims[start : start + CHUNK]) for start in starts]
        found = [piece.result() for piece in pieces]
        return next((start + at for start, at in zip(starts, found, strict=True) if at is not None), None)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CountingVerifier:
    """Counts the signatures that go through another verifier, for reports.

    Args:
        inner: does the work.
    """

    def __init__(self, inner: Verifier | None = None) -> None:
        self._inner = inner or SerialVerifier()
        self.checked = 0

    def find_invalid(self, claims: Sequence[SignatureClaim]) -> int | None:
        """Index of the first claim that does not hold, or None when all hold."""
        self.checked += len(claims)
        return self._inner.find_invalid(claims)


def available_cores() -> int:
    """How many cores this process may use."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
