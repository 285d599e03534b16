"""How far the heights that a network's nodes tell are believed.

Rules:
    H-1 Sure is a height that two nodes told, or the only one that there is.
    H-2 A height that one node alone told binds the others all the same: who is below it is behind. So reads never go
        back, although one node is always a moment ahead of the others.
    H-3 Such a height is given up when it has kept others behind for a while and two of them, asked one after the other,
        still are below it. From then on that node's word alone binds nobody.
    Of three nodes or more, one may lie then. Of two, nobody can tell who lies and who stands still: the higher one is
    believed.
"""

from collections.abc import Callable
from threading import Lock


class Heights:
    """What was told by each node; may be used by many threads.

    Args:
        nodes: how many there are.
        patience_s: how long a height that one node told may keep others behind.
        monotonic: seconds, for that.

    Attributes:
        floor: below it a node is behind.
        sure: up to it heights are sure (H-1); never above `floor`.
        teller: number of the node that alone told the floor, where it is not sure.
    """

    def __init__(self, nodes: int, patience_s: float, monotonic: Callable[[], float]) -> None:
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._guard = Lock()
        self._told = [0] * nodes
        self._doubted: set[int] = set()
        self._kept_behind_since: float | None = None
        self.floor = self.sure = self.teller = 0

    @property
    def is_sure(self) -> bool:
        """Whether the floor is sure."""
        return self.floor == self.sure

    def told_by(self, node: int) -> int:
        """The highest that a node told."""
        return self._told[node]

    def note(self, node: int, height: int) -> None:
        """A node tells a height."""
        with self._guard:
            if height <= self._told[node]:
                return
            self._told[node] = height
            self.sure = max(self.sure, sorted(self._told)[-2:][0])
            if self.sure >= self.floor:
                self.floor, self._kept_behind_since = self.sure, None
            if height > self.floor and node not in self._doubted:
                self.floor, self.teller = height, node

    def is_doubtful(self, below: int) -> bool:
        """Whether the floor is one node's word and has kept others behind for long enough (H-3).

        Args:
            below: the node that is below it now.
        """
        with self._guard:
            if self.is_sure or below == self.teller:
                return False
            now = self._monotonic()
            if self._kept_behind_since is None:
                self._kept_behind_since = now
            return now - self._kept_behind_since >= self._patience_s

    def give_up(self, height: int) -> None:
        """Believe the floor no longer (H-3); nothing happens where it is another by now.

        Args:
            height: the floor that two nodes are below.
        """
        with self._guard:
            if not self.is_sure and self.floor == height:
                self._doubted.add(self.teller)
                self.floor, self._kept_behind_since = self.sure, None
