"""The Hungarian method for many small tables at once: a step is taken in all of them by one call of numpy.

Source: H. W. Kuhn, "The Hungarian method for the assignment problem" (1955), in the form with shortest augmenting
paths.
"""

import numpy as np
from numpy.typing import NDArray

from .game import Floats

Indices = NDArray[np.intp]


def assign(cost: Floats) -> Indices:
    """Match every row of each table with a column of its own at the least sum of costs.

    Args:
        cost: shape (tables, n, n), finite.

    Returns:
        Shape (tables, n): the column of each row.
    """
    tables, size, _ = cost.shape
    solver = _Solver(np.asarray(cost, dtype=np.float64))
    for row in range(1, size + 1):
        solver.add(row)
    columns = np.empty((tables, size), dtype=np.intp)
    columns[np.arange(tables)[:, None], solver.row_of[:, 1:] - 1] = np.arange(size)
    return columns


class _Solver:
    """Tables with some of their rows matched; rows and columns count from 1, column 0 holds the row to be added."""

    def __init__(self, cost: Floats) -> None:
        self.cost = cost
        tables, size, _ = cost.shape
        shape = (tables, size + 1)
        self.row_price, self.column_price = np.zeros(shape), np.zeros(shape)
        self.row_of = np.zeros(shape, dtype=np.intp)

    def add(self, row: int) -> None:
        """Match one more row of every table, by the shortest path to a free column."""
        self.row_of[:, 0] = row
        came_from, ends = self._paths()
        live, column = np.arange(len(ends)), ends
        while len(live):
            before = came_from[live, column]
            self.row_of[live, column] = self.row_of[live, before]
            live, column = live[before != 0], before[before != 0]

    def _paths(self) -> tuple[Indices, Indices]:
        shape = self.row_of.shape
        least, seen = np.full(shape, np.inf), np.zeros(shape, dtype=bool)
        came_from, ends = np.zeros(shape, dtype=np.intp), np.zeros(shape[0], dtype=np.intp)
        live, column = np.arange(shape[0]), np.zeros(shape[0], dtype=np.intp)
        while len(live):
            seen[live, column] = True
            row, known = self.row_of[live, column], seen[live]
            reach = self.cost[live, row - 1] - self.row_price[live, row][:, None] - self.column_price[live, 1:]
            far, back = least[live], came_from[live]
            better = ~known[:, 1:] & (reach < far[:, 1:])
            far[:, 1:] = np.where(better, reach, far[:, 1:])
            back[:, 1:] = np.where(better, column[:, None], back[:, 1:])
            open_columns = np.where(known, np.inf, far)
            open_columns[:, 0] = np.inf
            nearest = open_columns.argmin(axis=1)
            step = open_columns[np.arange(len(live)), nearest][:, None]
            self.row_price[live[:, None], self.row_of[live]] += np.where(known, step, 0.0)
            self.column_price[live] -= np.where(known, step, 0.0)
            least[live] = np.where(known, far, far - step)
            came_from[live] = back
            free = self.row_of[live, nearest] == 0
            ends[live[free]] = nearest[free]
            live, column = live[~free], nearest[~free]
        return came_from, ends
