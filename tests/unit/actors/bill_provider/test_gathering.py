"""A month is turned from slots to households in a file: what lies where, how much memory it takes, and what is left."""

import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gridproof.actors.bill_provider.gathering import CELL, DROPPED, FILLED, LATE, Gatherer, Sheet
from gridproof.actors.bill_provider.keys import Line
from gridproof.actors.bill_provider.places import Epoch, Place
from gridproof.connectors.files import FileUnwritableError
from gridproof.domain import Direction, MonthBounds, Slot
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import BatchBody, FoldedSlot, SlotRecord, SlotState
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing.types import FoldedPrice
from gridproof.primitives.hashing import Tag

from tests.simulation.village import OCTOBER, PERIOD_S, START_S

LINE = Line(1, Direction.IMPORT)
FIRST_K = START_S // PERIOD_S
HASH = Tag("test/leaf")


class Month:
    """A ledger, a book and rosters of a month that is made up slot by slot: nothing of it is kept in memory.

    Places are numbered from 1; the last one is a spare. Leaves stand in reverse order of their owners.
    """

    def __init__(self, places: int, periods: int) -> None:
        self.bounds = MonthBounds(OCTOBER, START_S, START_S + periods * PERIOD_S, PERIOD_S)
        self.numbers = tuple(range(1, places + 1))
        self.epoch = Epoch(*LINE, OCTOBER, *self.bounds[1:], 1, FIRST_K, self.numbers)
        self.late: dict[int, tuple[int, ...]] = {}  # period -> positions that came late
        self.claimed: dict[int, tuple[int, ...]] = {}
        self.silent: dict[int, tuple[int, ...]] = {}

    # --- the book and the rosters ------------------------------------------------------------------------------------

    def epochs(self, *_: object) -> list[Epoch]:
        return [self.epoch]

    def epoch_at(self, _line: Line, k: int) -> Epoch | None:
        return self.epoch if k >= self.epoch.from_k else None

    def __getitem__(self, number: int) -> Place:
        return Place(*LINE, number, name="" if number == self.numbers[-1] else f"meter {number}")

    def owners(self, _slot: Slot) -> NDArray[np.uint32]:
        return np.arange(2 * len(self.numbers), dtype=np.uint32)[::-1]

    def leaf(self, k: int, position: int) -> bytes:
        return HASH(k.to_bytes(8, "big"), position.to_bytes(4, "big"))

    def first_slot(self, slot: Slot) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
        leaves = b"".join(self.leaf(slot.k, position) for position in range(2 * len(self.numbers)))
        return np.frombuffer(leaves, dtype=np.uint8).reshape(-1, 32), self.owners(slot)

    # --- the ledger --------------------------------------------------------------------------------------------------

    def ask(self, query: Callable[..., Any], *args: Any) -> Any:
        answers: dict[Callable[..., Any], Callable[..., Any]] = {
            aggregation.folded_slot: lambda *asked: self._folded(asked[-1]),
            aggregation.bodies: lambda *asked: self._bodies(asked[-1], late=False),
            aggregation.late_bodies: lambda *asked: self._bodies(asked[-1], late=True),
            aggregation.claimed: lambda *asked: self.claimed.get(asked[-1], ()),
            pricing.month_prices: lambda *_: tuple(
                FoldedPrice(k, k % 7, fallback=False) for k in range(FIRST_K, self.bounds.end_k)
            ),
        }
        return answers[query](*args)

    def _folded(self, k: int) -> FoldedSlot:
        heard = len(self._positions(k, late=False))
        return FoldedSlot(k, SlotState(1, bytes(32), 2, b"", heard, 0, (), 0, b"", 0, 0, 0, 0, 0, 0))

    def _positions(self, k: int, *, late: bool) -> tuple[int, ...]:
        came_late = self.late.get(k, ())
        if late:
            return came_late
        gone = {*came_late, *self.silent.get(k, ())}
        return tuple(position for position in range(2 * len(self.numbers)) if position not in gone)

    def _bodies(self, k: int, *, late: bool) -> tuple[BatchBody, ...]:
        positions = self._positions(k, late=late)
        records = tuple(SlotRecord(self.prid(k, at), 1_000 * (k - FIRST_K) + at, bytes(64)) for at in positions)
        return (BatchBody(3, positions, records),) if positions else ()

    def prid(self, k: int, position: int) -> bytes:
        return HASH(b"prid", k.to_bytes(8, "big"), position.to_bytes(4, "big"))


def gatherer(month: Month, folder: Path) -> Gatherer:
    return Gatherer(month, month, month, folder)  # type: ignore[arg-type]


@pytest.fixture
def month() -> Month:
    return Month(4, 6)


@pytest.fixture
def sheet(month: Month, tmp_path: Path) -> Iterator[Sheet]:
    month.late[FIRST_K + 1] = (5,)
    month.claimed[FIRST_K + 1] = (5, 4)
    month.silent[FIRST_K + 2] = tuple(range(8))
    with gatherer(month, tmp_path).gather(LINE, month.bounds, lambda _k: None) as sheet:
        assert sheet is not None
        yield sheet


def test_each_record_lies_with_its_place_and_half(month: Month, sheet: Sheet) -> None:
    assert (sheet.shape, dict(sheet.rows)) == ((3, 6), {1: 0, 2: 1, 3: 2})
    for number in (1, 2, 3):
        cells = sheet.cells(sheet.rows[number], 3, 5)
        for at, k in enumerate((FIRST_K + 3, FIRST_K + 4)):
            for half in (0, 1):
                position = 7 - (2 * (number - 1) + half)
                assert cells["leaf"][at, half].tobytes() == month.leaf(k, position)
                assert cells["prid"][at, half].tobytes() == month.prid(k, position)
                assert cells["rc"][at, half] == 1_000 * (k - FIRST_K) + position
                assert cells["state"][at, half] == FILLED


def test_late_and_dropped_records_are_told_and_void_slots_are_not_heard(month: Month, sheet: Sheet) -> None:
    late = sheet.cells(sheet.rows[2], 1, 2)["state"][0]  # positions 5 and 4
    assert late.tolist() == [LATE | DROPPED, FILLED | DROPPED]
    void = sheet.cells(sheet.rows[1], 2, 3)
    assert void["state"].tolist() == [[0, 0]]
    assert void["prid"].tobytes() == bytes(64)
    assert void["leaf"][0, 0].tobytes() == month.leaf(FIRST_K + 2, 7)
    assert sheet.heard == (True, True, False, True, True, True)
    assert [price.price_e5 for price in sheet.prices] == [k % 7 for k in range(FIRST_K, FIRST_K + 6)]


def test_slots_before_the_months_first_rosters_are_empty(tmp_path: Path) -> None:
    month = Month(4, 6)
    month.epoch = Epoch(*LINE, OCTOBER, *month.bounds[1:], 1, FIRST_K + 2, month.numbers)
    with gatherer(month, tmp_path).gather(LINE, month.bounds, lambda _k: None) as sheet:
        assert sheet is not None
        assert sheet.cells(0, 0, 2)["leaf"].tobytes() == bytes(2 * 64)
        assert sheet.cells(0, 2, 3)["state"].tolist() == [[FILLED, FILLED]]


def test_a_channel_without_rosters_has_no_sheet(month: Month, tmp_path: Path) -> None:
    month.epochs = lambda *_: []  # type: ignore[method-assign]
    with gatherer(month, tmp_path).gather(LINE, month.bounds, lambda _k: None) as sheet:
        assert sheet is None
    assert list(tmp_path.iterdir()) == []


def test_it_does_not_hold_the_month_in_memory(tmp_path: Path) -> None:
    """Sixteen times the periods take the same memory, but for two words and a price a slot."""

    def peak(periods: int) -> tuple[int, int]:
        month = Month(40, periods)
        tracemalloc.start()
        try:
            with gatherer(month, tmp_path).gather(LINE, month.bounds, lambda _k: None) as sheet:
                assert sheet is not None
                return tracemalloc.get_traced_memory()[1], sheet.path.stat().st_size
        finally:
            tracemalloc.stop()

    peak(2)
    (few, small), (many, large) = peak(30), peak(480)
    assert large == 16 * small == 39 * 480 * CELL.itemsize
    assert many - few < large // 10
    assert many < large // 2


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_file_is_private_and_erased_however_the_block_ends(
    month: Month, tmp_path: Path, error: type[BaseException]
) -> None:
    paths: list[Path] = []

    def interrupted() -> None:
        with gatherer(month, tmp_path).gather(LINE, month.bounds, lambda _k: None) as sheet:
            assert sheet is not None
            paths.append(sheet.path)
            assert sheet.path.stat().st_mode & 0o777 == 0o600
            assert sheet.path.parent.stat().st_mode & 0o777 == 0o700
            raise error

    with pytest.raises(error):
        interrupted()
    assert [path.exists() for path in paths] == [False]


def test_the_file_is_erased_where_gathering_itself_fails(month: Month, tmp_path: Path) -> None:
    def stop(k: int) -> None:
        if k == FIRST_K + 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), gatherer(month, tmp_path).gather(LINE, month.bounds, stop):
        raise AssertionError("the block is not reached")
    assert list((tmp_path / "gathered").iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_mapped(
    month: Month, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(np, "memmap", lambda *_, **__: pytest.fail("it was mapped"))
    with pytest.raises(FileUnwritableError) as refused, gatherer(month, tmp_path).gather(LINE, month.bounds, print):
        raise AssertionError("the block is not reached")
    assert refused.value.detail == "No space left on device"
    assert list((tmp_path / "gathered").iterdir()) == []


def test_what_killed_runs_left_is_erased_and_nothing_else(month: Month, tmp_path: Path) -> None:
    folder = tmp_path / "gathered"
    folder.mkdir()
    for name in ("1-import-1.cells", "2-export-9.cells", "note.txt"):
        (folder / name).write_bytes(b"x")
    gatherer(month, tmp_path).clear()
    assert [path.name for path in folder.iterdir()] == ["note.txt"]
    gatherer(month, tmp_path / "nowhere").clear()
