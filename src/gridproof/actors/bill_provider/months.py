"""A month's rosters from keys to files: the first epoch, and those that revocations begin.

Rules:
    M-1 An epoch stands in the book only when all its files lie on the disk, so that a kill leaves it out, or whole.
    M-2 A revocation exchanges what is left of a place for leaves of a fresh place: the number of leaves stays.
    M-3 The filter of a later epoch keeps the past leaves of revoked places, or the difference of two would link them.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from gridproof.actors.errors import MonthNotPreparedError
from gridproof.connectors.rosters import RosterFile, RosterFiles, Stretch
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import Direction, MonthBounds, RegionId, Slot, sign_seeds
from gridproof.modules.aggregation.messages import PublishRosters

from . import rosters
from .keys import Keys, Line
from .places import Epoch, PlaceBook

_KEPT_FILES: Final = 8


class Shelf(NamedTuple):
    """Where the bill provider's files lie.

    Attributes:
        own: its own secrets.
        enrolments: files to hand to meters and households.
        rosters: public roster files.
        secrets: seals the secret ones, where there is a passphrase.
    """

    own: Path
    enrolments: Path
    rosters: RosterFiles
    secrets: SecretFiles

    @property
    def cards(self) -> Path:
        """The households' cards, beside the files of the enrolments."""
        return self.enrolments.with_name("cards")

    @property
    def bills(self) -> Path:
        """The bill provider's book of bills and its archive of sealed reports."""
        return self.enrolments.with_name("bills")


class Months:
    """Makes epochs and reads them.

    Args:
        book: of places.
        keys: of the months.
        shelf: where files lie.
        one_in: one stranger's identity in so many passes the filter BF1.
        executor: computes identities, a process pool for many; on the calling thread when none is given.
    """

    def __init__(self, book: PlaceBook, keys: Keys, shelf: Shelf, one_in: int, executor: Executor | None) -> None:
        self._book = book
        self._keys = keys
        self._files = shelf.rosters
        self._one_in = one_in
        self._executor = executor
        self._opened: dict[tuple[Line, int, int], RosterFile] = {}

    # --- making ----------------------------------------------------------------------------------------------------

    def make_first(self, line: Line, bounds: MonthBounds, from_k: int, spares: int) -> None:
        """Make a month's first epoch.

        Args:
            line: region and channel.
            bounds: the month.
            from_k: first period: the month's, or where that is past the next one that can be had.
            spares: how many never-used places it shall have.
        """
        places = self._book.for_month(line, bounds)
        lacking = spares - sum(place.is_spare for place in places)
        places += [self._book.add(line) for _ in range(lacking)]
        numbers = tuple(place.number for place in places)
        chains = self._keys.chains(line, bounds.month, numbers)
        self._keys.keep_views(line, bounds.month, chains)
        seeds = [sign_seeds(chains[number].sign, Direction(line.channel)) for number in numbers]
        made = rosters.make(seeds, bounds, from_k, self._executor)
        roots = dict(zip(numbers, made.place_roots, strict=True))
        self._keys.keep_accounts(line, bounds.month, from_k, chains, roots)
        first = Epoch(*line, bounds.month, bounds.start_s, bounds.end_s, bounds.period_s, 1, from_k, numbers)
        self._store(first, made, ())

    def exchange(self, old: Epoch, going: Sequence[int], from_k: int) -> None:
        """Begin an epoch in which fresh places stand for some that were revoked (M-2).

        Args:
            old: the month's last epoch.
            going: numbers of the revoked places.
            from_k: first period of the new epoch.
        """
        line, end_k = old.line, old.bounds.end_k
        indices = [old.places.index(number) for number in going]
        fresh = [self._book.add(line).number for _ in going]
        chains = self._keys.chains(line, old.month, (*old.places, *fresh))
        self._keys.keep_views(line, old.month, chains)
        seeds = [sign_seeds(chains[number].sign, Direction(line.channel)) for number in fresh]
        pairs = list(rosters.leaf_pairs(seeds, old.bounds, from_k, None))
        slots = (self.slot(Slot(RegionId(line.region), Direction(line.channel), k)) for k in range(from_k, end_k))
        made = rosters.exchanged(slots, indices, pairs)
        places = list(old.places)
        for index, number in zip(indices, fresh, strict=True):
            places[index] = number
        begun_k = self._book.epochs(line, old.month)[0].from_k
        before = (self._leaves(line, k) for k in range(begun_k, from_k))
        self._store(replace(old, epoch=old.epoch + 1, from_k=from_k, places=tuple(places)), made, before)

    def _store(self, epoch: Epoch, made: rosters.Rosters, before: Iterable[Sequence[bytes]]) -> None:
        """Write an epoch's files, then note it (M-1).

        Args:
            epoch: what was made.
            made: its rosters.
            before: leaves of the month's slots before it (M-3).
        """
        bounds = epoch.bounds
        self._keys.keep_owners(epoch.line, epoch.month, epoch.epoch, epoch.from_k, made.owners)
        leaves = (row for part in (before, map(rosters.cut, made.rows)) for row in part)
        bloom = rosters.filter_of(leaves, bounds.periods * epoch.count, self._one_in)
        region, channel = RegionId(epoch.region), Direction(epoch.channel)
        stretch = Stretch(region, channel, bounds.month, epoch.epoch, epoch.from_k, bounds.end_k, epoch.count)
        self._opened.pop((epoch.line, epoch.month, epoch.epoch), None)
        self._files.write(stretch, made.roots, made.rows, bloom)
        self._book.begin(epoch)
        self._book.save()

    # --- reading ---------------------------------------------------------------------------------------------------

    def epoch_of(self, slot: Slot) -> Epoch:
        """The epoch that a slot lies in.

        Raises:
            MonthNotPreparedError: there is none.
        """
        epoch = self._book.epoch_at(Line(slot.region, slot.channel), slot.k)
        if epoch is None:
            raise MonthNotPreparedError(region=slot.region, channel=slot.channel.label, k=slot.k)
        return epoch

    def slot(self, slot: Slot) -> tuple[list[bytes], NDArray[np.uint32]]:
        """A slot's leaves, ascending, and whose each is.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: whose the leaves are was erased.
        """
        return self._leaves(Line(slot.region, slot.channel), slot.k), self.owners(slot)

    def first_slot(self, slot: Slot) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
        """A slot's leaves as the month's first rosters have them, with those of places revoked since; whose each is.

        The leaves have the shape (leaves, 32).

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: whose the leaves are was erased.
        """
        present = self.epoch_of(slot)
        first = self._book.epochs(present.line, present.month)[0]
        at = slot.k - first.from_k
        owners = self._keys.owners(first.line, first.month, first.epoch, at, first.count)
        return self._file(first).rows(slot.k), owners

    def owners(self, slot: Slot) -> NDArray[np.uint32]:
        """Whose each of a slot's leaves is.

        Raises:
            MonthNotPreparedError: the slot has no roster.
            MonthErasedError: it was erased.
        """
        epoch = self.epoch_of(slot)
        return self._keys.owners(epoch.line, epoch.month, epoch.epoch, slot.k - epoch.from_k, epoch.count)

    def publication(self, epoch: Epoch) -> PublishRosters:
        """The message that binds an epoch's rosters."""
        digest = self._files.filter(*epoch.line, epoch.month, epoch.epoch).digest()
        roots = self._file(epoch).roots()
        return PublishRosters(
            *epoch.line, epoch.month, epoch.from_k, epoch.count, roots, digest, removed=self._removed(epoch)
        )

    def _removed(self, epoch: Epoch) -> bytes:
        """The leaves that an epoch no longer has, strictly ascending and joined."""
        before = next(
            (each for each in self._book.epochs(epoch.line, epoch.month) if each.epoch == epoch.epoch - 1), None
        )
        if before is None:
            return b""
        old, new = self._file(before), self._file(epoch)
        gone: list[bytes] = []
        for k in range(epoch.from_k, epoch.bounds.end_k):
            gone += set(old.leaves(k)) - set(new.leaves(k))
        return b"".join(sorted(gone))

    def _leaves(self, line: Line, k: int) -> list[bytes]:
        return self._file(self.epoch_of(Slot(RegionId(line.region), Direction(line.channel), k))).leaves(k)

    def _file(self, epoch: Epoch) -> RosterFile:
        name = (epoch.line, epoch.month, epoch.epoch)
        if name not in self._opened:
            while len(self._opened) >= _KEPT_FILES:
                self._opened.pop(next(iter(self._opened)))
            self._opened[name] = self._files.open(*epoch.line, epoch.month, epoch.epoch)
        return self._opened[name]
