"""Gathering a month: which of the ledger's records are whose, laid out by household in a file of its own.

The ledger's order is by slot, a bill's is by household. A month of a thousand meters is turned in one pass over the
slots, through a file that is mapped into memory: what the process holds does not grow with the number of households.

Rules:
    H-1 The file tells whose each record is: it lies among the bill provider's secrets, is erased when the bills are
        made, and what a killed run left of it is erased by the next.
    H-2 Its space is had before it is mapped: a disk that is full is told, and kills nobody.
    H-3 A household's leaves are those of the month's first rosters: a card binds them to the month's end, and those of
        a revoked place stand in no later ones.
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
from gridproof.modules.aggregation.types import BatchBody
from gridproof.modules.pricing import queries as pricing

from .keys import Line
from .months import Months
from .places import Epoch, PlaceBook

FILLED: Final = 1  # the slot has a record of this half
LATE: Final = 2  # its side batch has
DROPPED: Final = 4  # an aggregator was proved to have dropped it

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
        prices: of all slots.
    """

    channel: Direction
    path: Path
    shape: tuple[int, int]
    rows: Mapping[int, int]
    heard: tuple[bool, ...]
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

    def clear(self) -> None:
        """Erase what killed runs left (H-1).

        Raises:
            FileUnwritableError: the system refuses.
        """
        for path in sorted(self._folder.glob("*.cells")):
            _erase(path)

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
        epochs = self._book.epochs(line, bounds.month)
        heard = []
        for index, k in enumerate(range(bounds.first_k, bounds.end_k)):
            slot = Slot(RegionId(line.region), Direction(line.channel), k)
            folded = self._ledger.ask(aggregation.folded_slot, *slot[:2], bounds.month, k)
            state = None if folded is None else folded.state
            heard.append(state is not None and state.filled_count > 0)
            epoch = self._book.epoch_at(line, k)
            if epoch is not None and state is not None:
                self._put_leaves(cells[:, index], slot, self._rows_of(epochs[0], rows))
                self._fill_slot(cells[:, index], slot, self._rows_of(epoch, rows))
            progress(k)
        cells.flush()
        return Sheet(Direction(line.channel), path, shape, rows, tuple(heard), self._prices(line, bounds))

    @staticmethod
    def _rows_of(epoch: Epoch, rows: Mapping[int, int]) -> NDArray[np.int64]:
        """The row of each place of an epoch, -1 where no meter ever had it."""
        return np.array([rows.get(number, -1) for number in epoch.places], dtype=np.int64)

    def _put_leaves(self, column: Cells, slot: Slot, rows_of: NDArray[np.int64]) -> None:
        """Put every household's leaves of a slot (H-3)."""
        leaves, owners = self._months.first_slot(slot)
        row, half = _Where(owners, rows_of).of(np.arange(len(leaves)))
        kept = row >= 0
        column["leaf"][row[kept], half[kept]] = leaves[kept]

    def _fill_slot(self, column: Cells, slot: Slot, rows_of: NDArray[np.int64]) -> None:
        """Put the records of a slot, and what is known of each."""
        where = _Where(self._months.owners(slot), rows_of)
        for flag, bodies in (
            (FILLED, self._ledger.ask(aggregation.bodies, *slot)),
            (LATE, self._ledger.ask(aggregation.late_bodies, *slot)),
        ):
            for body in bodies:
                _put_body(column, where, body, flag)
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
