"""Gathering a month: which of the ledger's records are whose, laid out by household in a file of its own.

The ledger's order is by slot, a bill's is by household. A month of a thousand meters is turned in one pass over the
slots, through a file that is mapped into memory: what the process holds does not grow with the number of households.

Rules:
    H-1 The file tells whose each record is: it lies among the bill provider's secrets, is erased when the bills are
        made, and what a killed run left of it is erased by the next.
    H-2 Its space is had before it is mapped: a disk that is full is told, and kills nobody.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridproof.actors.seat import Asked
from gridproof.connectors.files import PRIVATE_FILE, FileMissingError, FileUnwritableError, make_private_folder
from gridproof.connectors.secret_files import erase
from gridproof.domain import Direction, MonthBounds, RegionId, Slot, SlotPrice
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import BatchBody, SlotState
from gridproof.modules.pricing import queries as pricing

from .keys import Line
from .months import Months
from .places import Epoch, PlaceBook

FILLED: Final = 1  # the slot has a record of this half
LATE: Final = 2  # its side batch has
LIVE: Final = 4  # the record counts in the slot's total
DROPPED: Final = 8  # an aggregator was proved to have dropped it

_HASH: Final = 32
CELL: Final = np.dtype(
    [("leaf", "u1", (2, _HASH)), ("prid", "u1", (2, _HASH)), ("rc", "<u8", (2,)), ("state", "u1", (2,))]
)
Cells = NDArray[np.void]


class Sheet(NamedTuple):
    """A channel's month, laid out by household.

    Attributes:
        channel: import or export.
        path: the file.
        shape: (places, slots).
        rows: the row of each place that a meter has or had, by the place's number.
        heard: for each slot whether any batch came.
        fixed: for each slot whether its live set is known.
        prices: of all slots.
    """

    channel: Direction
    path: Path
    shape: tuple[int, int]
    rows: Mapping[int, int]
    heard: tuple[bool, ...]
    fixed: tuple[bool, ...]
    prices: tuple[SlotPrice, ...]

    def cells(self, row: int, start: int, stop: int) -> Cells:
        """A household's slots from index `start` to before `stop`, with leaves, identities, values and states."""
        mapped = np.memmap(self.path, dtype=CELL, mode="r", shape=self.shape)
        return np.array(mapped[row, start:stop])


class Gatherer:
    """Gathers channels' months.

    Args:
        ledger: where the records stand.
        book: of places.
        months: of rosters.
        folder: where the files lie while they are needed, the bill provider's.
    """

    def __init__(self, ledger: Asked, book: PlaceBook, months: Months, folder: Path) -> None:
        self._ledger = ledger
        self._book = book
        self._months = months
        self._folder = folder / "gathered"

    @contextmanager
    def gather(self, line: Line, bounds: MonthBounds, progress: Callable[[int], None]) -> Iterator[Sheet | None]:
        """Lay a closed month out by household; the file is erased when the block ends (H-1).

        Args:
            line: region and channel.
            bounds: the month.
            progress: told each slot when it is done.

        Yields:
            The sheet, or None where the channel has no rosters in the month.

        Raises:
            FileError: a roster file cannot be read.
            MonthErasedError: whose the leaves are was erased.
        """
        epochs = self._book.epochs(line, bounds.month)
        if not epochs:
            yield None
            return
        numbers = {number for epoch in epochs for number in epoch.places if not self._book[number].is_spare}
        rows = {number: row for row, number in enumerate(sorted(numbers))}
        path = self._folder / f"{line}-{bounds.month}.cells"
        make_private_folder(self._folder)
        _erase(path)
        try:
            yield self._fill(line, bounds, path, rows, progress)
        finally:
            _erase(path)

    def _fill(
        self, line: Line, bounds: MonthBounds, path: Path, rows: Mapping[int, int], progress: Callable[[int], None]
    ) -> Sheet:
        shape = (max(1, len(rows)), bounds.periods)
        _reserve(path, shape[0] * shape[1] * CELL.itemsize)
        cells = np.memmap(path, dtype=CELL, mode="r+", shape=shape)
        heard, fixed = [], []
        for index, k in enumerate(range(bounds.first_k, bounds.end_k)):
            slot = Slot(RegionId(line.region), Direction(line.channel), k)
            folded = self._ledger.ask(aggregation.folded_slot, *slot[:2], bounds.month, k)
            state = None if folded is None else folded.state
            heard.append(state is not None and state.filled_count > 0)
            fixed.append(state is not None and bool(state.live))
            epoch = self._book.epoch_at(line, k)
            if epoch is not None and state is not None:
                self._fill_slot(cells[:, index], slot, state, self._rows_of(epoch, rows))
            progress(k)
        cells.flush()
        return Sheet(Direction(line.channel), path, shape, rows, tuple(heard), tuple(fixed), self._prices(line, bounds))

    @staticmethod
    def _rows_of(epoch: Epoch, rows: Mapping[int, int]) -> NDArray[np.int64]:
        """The row of each place of an epoch, -1 where no meter ever had it."""
        return np.array([rows.get(number, -1) for number in epoch.places], dtype=np.int64)

    def _fill_slot(self, column: Cells, slot: Slot, state: SlotState, rows_of: NDArray[np.int64]) -> None:
        leaves, where = self._months.rows(slot), _Where(self._months.owners(slot), rows_of)
        row, half = where.of(np.arange(len(leaves)))
        kept = row >= 0
        column["leaf"][row[kept], half[kept]] = leaves[kept]
        for flag, bodies in (
            (FILLED, self._ledger.ask(aggregation.bodies, *slot)),
            (LATE, self._ledger.ask(aggregation.late_bodies, *slot)),
        ):
            for body in bodies:
                _put_body(column, where, body, flag)
        _mark(column, where, marked_positions(state.live, state.count), LIVE)
        claimed = self._ledger.ask(aggregation.claimed, *slot)
        _mark(column, where, np.array(claimed, dtype=np.int64), DROPPED)

    def _prices(self, line: Line, bounds: MonthBounds) -> tuple[SlotPrice, ...]:
        folded = self._ledger.ask(pricing.month_prices, *line, bounds.month)
        return tuple(SlotPrice(price.price_e5, price.fallback) for price in folded)


class _Where:
    """Tells of leaf positions which row and half they belong to."""

    def __init__(self, owners: NDArray[np.uint32], rows_of: NDArray[np.int64]) -> None:
        self._owners = owners
        self._rows_of = rows_of

    def of(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        owners = self._owners[positions].astype(np.int64)
        return self._rows_of[owners // 2], owners % 2


def _put_body(column: Cells, where: _Where, body: BatchBody, flag: int) -> None:
    row, half = where.of(np.array(body.positions, dtype=np.int64))
    kept = row >= 0
    row, half = row[kept], half[kept]
    column["prid"][row, half] = _hashes([record.prid for record in body.records])[kept]
    column["rc"][row, half] = np.array([record.rc for record in body.records], dtype=np.uint64)[kept]
    column["state"][row, half] |= flag


def _mark(column: Cells, where: _Where, positions: NDArray[np.int64], flag: int) -> None:
    row, half = where.of(positions)
    kept = row >= 0
    column["state"][row[kept], half[kept]] |= flag


def marked_positions(bitmap: bytes, count: int) -> NDArray[np.int64]:
    """The positions that a bitmap of the ledger marks, ascending; none where it is empty."""
    return np.flatnonzero(np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8))[:count])


def _hashes(hashes: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, _HASH)


def _reserve(path: Path, size: int) -> None:
    """Make a private file of this size, all zeros (H-2).

    Raises:
        FileUnwritableError: there is no space for it, or the system refuses.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure


def _erase(path: Path) -> None:
    with suppress(FileMissingError):
        erase(path)
