"""Work on an executor, a little ahead of whoever takes its results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(executor: Executor, work: Callable[[T], R], inputs: Iterable[T], ahead: int) -> Generator[R, None, None]:
    """Do work on an executor and give its results in the order of the inputs.

    `Executor.map` hands all in at once, and keeps all results that nobody has taken yet: of a month's bills they would
    fill the memory. Here at most `ahead` pieces are under way or wait to be taken; those that nobody wants any more
    are cancelled.

    Args:
        executor: does the work.
        work: what it does.
        inputs: of each piece.
        ahead: how many pieces, at least one.
    """
    pieces: deque[Future[R]] = deque()
    try:
        for each in inputs:
            if len(pieces) >= ahead:
                yield pieces.popleft().result()
            pieces.append(executor.submit(work, each))
        while pieces:
            yield pieces.popleft().result()
    finally:
        for piece in pieces:
            piece.cancel()
