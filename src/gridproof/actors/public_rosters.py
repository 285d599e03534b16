"""Rosters as anyone may use them: public files, held against the ledger before the first use.

Rules:
    R-1 A slot's leaves count only if they lead to the root, and are as many, as the ledger has it for the slot.
    R-2 A filter counts only if its digest is that of the epoch on the ledger.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from gridproof.connectors.files import FileError
from gridproof.connectors.rosters import RosterFile, RosterFileError, RosterFiles
from gridproof.domain import MonthBounds, MonthId, Slot, roster_leaf
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Roster
from gridproof.modules.registry import queries as registry
from gridproof.primitives import merkle
from gridproof.primitives.bloom import BloomFilter

from .errors import NoRosterError
from .seat import Seat

_KEPT_SLOTS: Final = 64
_KEPT_EPOCHS: Final = 8

FindLeaf = Callable[[bytes], tuple[int, tuple[bytes, ...]] | None]  # identity -> position and path of its empty leaf


class SlotRoster(NamedTuple):
    """A slot's roster, held against the ledger.

    Attributes:
        root: its root.
        leaves: its leaves, ascending.
        positions: of each leaf.
        bloom: the filter BF1 of its epoch.
    """

    root: bytes
    leaves: list[bytes]
    positions: dict[bytes, int]
    bloom: BloomFilter


class _Opened(NamedTuple):
    file: RosterFile
    bloom: BloomFilter


class PublicRosters:
    """Reads roster files and trusts none of them.

    Args:
        files: the public folder.
        seat: knows the ledger.
    """

    def __init__(self, files: RosterFiles, seat: Seat) -> None:
        self._files = files
        self._seat = seat
        self._slots: OrderedDict[Slot, SlotRoster] = OrderedDict()
        self._epochs: OrderedDict[tuple[int, int, int, int], _Opened] = OrderedDict()
        self._months: dict[int, list[MonthBounds]] = {}
        self._checked: set[Slot] = set()

    def of(self, slot: Slot) -> SlotRoster:
        """A slot's roster.

        Raises:
            NoRosterError: the ledger has none for the slot, or no file agrees with it.
        """
        known = self._slots.get(slot)
        if known is not None and slot in self._checked:
            return known
        bound = self._seat.ask(aggregation.roster, *slot)
        if bound is None:
            raise _none(slot, "the ledger has none")
        if known is None or known.root != bound.root:
            known = self._slots[slot] = self._load(slot, bound)
            while len(self._slots) > _KEPT_SLOTS:
                self._slots.popitem(last=False)
        self._checked.add(slot)
        return known

    def recheck(self) -> None:
        """Ask the ledger again before the next use: a revocation may have changed rosters."""
        self._checked.clear()

    def find_missing(self, slot: Slot, missing: Iterable[int]) -> FindLeaf:
        """Make the function that tells of an identity its leaf's position and path, if that leaf stayed empty.

        Args:
            slot: the slot.
            missing: positions of its empty leaves.

        Raises:
            NoRosterError: no roster file agrees with the ledger.
        """
        roster = self.of(slot)
        empty = {roster.leaves[position]: position for position in missing}

        def find(prid: bytes) -> tuple[int, tuple[bytes, ...]] | None:
            position = empty.get(roster_leaf(prid))
            return None if position is None else (position, merkle.inclusion_proof(roster.leaves, position))

        return find

    def _load(self, slot: Slot, bound: Roster) -> SlotRoster:
        try:
            opened = self._epoch(slot)
            leaves = opened.file.leaves(slot.k)
        except (FileError, RosterFileError) as missing:
            raise _none(slot, str(missing)) from missing
        if (merkle.root(leaves), len(leaves)) != (bound.root, bound.count):
            raise _none(slot, "the file's leaves lead to another root")
        return SlotRoster(bound.root, leaves, {leaf: at for at, leaf in enumerate(leaves)}, opened.bloom)

    def _epoch(self, slot: Slot) -> _Opened:
        month = self._month(slot)
        epochs = self._seat.ask(aggregation.epochs, slot.region, slot.channel, month)
        found = [(at, each) for at, each in enumerate(epochs, start=1) if each.from_k <= slot.k < each.until_k]
        if not found:
            raise _none(slot, "no epoch of the ledger holds it")
        number, epoch = found[0]
        name = (slot.region, slot.channel, month, number)
        if name not in self._epochs:
            opened = _Opened(self._files.open(*name), self._files.filter(*name))
            if opened.bloom.digest() != epoch.filter_hash:
                raise _none(slot, "the file's filter is another")
            self._epochs[name] = opened
            while len(self._epochs) > _KEPT_EPOCHS:
                self._epochs.popitem(last=False)
        return self._epochs[name]

    def _month(self, slot: Slot) -> MonthId:
        for known in (self._months.get(slot.region, []), self._ask_months(slot.region)):
            for bounds in known:
                if bounds.contains(slot.k):
                    return bounds.month
        raise _none(slot, "it lies in no month that was opened")

    def _ask_months(self, region: int) -> list[MonthBounds]:
        known = self._seat.ask(registry.region, region)
        if known is None:
            return []
        self._months[region] = [
            MonthBounds(MonthId(number), month.start_s, month.end_s, known.period_s)
            for number, month in self._seat.ask(registry.months, region)
        ]
        return self._months[region]


def _none(slot: Slot, detail: str) -> NoRosterError:
    return NoRosterError(region=slot.region, channel=slot.channel.label, k=slot.k, detail=detail)
