"""Work a little ahead: the results in order, few pieces at a time, none left over."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from gridproof.actors.bill_provider.ahead import in_order


class _Lazy(Future[Any]):
    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.work = work
        self.taken = False

    def result(self, timeout: float | None = None) -> Any:
        self.taken = True
        return self.work()


class Waiting(Executor):
    """An executor whose pieces are done when somebody wants their result, and that knows how many wait."""

    def __init__(self) -> None:
        self.pieces: list[_Lazy] = []
        self.most = 0

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        piece = _Lazy(lambda: work(*args, **kwargs))
        self.pieces.append(piece)
        self.most = max(self.most, sum(not each.taken for each in self.pieces))
        return piece


@pytest.mark.parametrize("ahead", [1, 3, 100])
@pytest.mark.parametrize("count", [0, 1, 10])
def test_results_come_in_the_order_of_the_inputs_and_few_wait(ahead: int, count: int) -> None:
    executor = Waiting()
    assert list(in_order(executor, lambda at: at * at, range(count), ahead)) == [at * at for at in range(count)]
    assert executor.most == min(ahead, count)


def test_what_nobody_takes_is_not_begun() -> None:
    executor = Waiting()
    results = in_order(executor, str, range(10), 3)
    assert [next(results), next(results)] == ["0", "1"]
    assert len(executor.pieces) == 4
    results.close()
    assert [piece.cancelled() for piece in executor.pieces] == [False, False, True, True]


def test_a_failure_comes_out_at_its_place_and_the_rest_is_cancelled() -> None:
    executor = Waiting()
    results = in_order(executor, lambda at: 1 // (2 - at), range(10), 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(executor.pieces) == 6
    assert all(piece.cancelled() for piece in executor.pieces[3:])
