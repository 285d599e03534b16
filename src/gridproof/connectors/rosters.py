"""Public roster files: what the bill provider hands to data aggregators so that they can place records.

For each epoch of a region's channel there are two files under `<folder>/<region>-<channel>/`:

| file | content |
|---|---|
| `<month>-<epoch>.leaves` | head, then 32 bytes a slot: roster roots, then 32 bytes a leaf: slot by slot, ascending |
| `<month>-<epoch>.filter` | the filter BF1 over the leaves of the whole month, as `BloomFilter.to_bytes` has it |

The head is 48 bytes, numbers big-endian: `gproster`, version u8, channel u8, region u16, month u32, epoch u16, six
bytes of zero, from_k u64, until_k u64, leaves a slot u32 (two a place), four bytes of zero.

Rules:
    P-1 A file is whole or not there; it is never changed.
    P-2 A reader trusts nothing in it: roots and digest are held against the ledger's before use.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridproof.domain import U64_MAX, Direction, MonthId, RegionId, require_range
from gridproof.errors import GridproofError
from gridproof.primitives.bloom import BloomFilter
from gridproof.primitives.errors import PrimitiveError
from gridproof.primitives.hashing import HASH_SIZE

from .files import FileMissingError, FileUnreadableError, FileUnwritableError, write_whole

VERSION: Final = 1
MAGIC: Final = b"gproster"
_HEAD: Final = struct.Struct(">8sBBHIH6xQQI4x")


class RosterFileError(GridproofError):
    """A roster file cannot be used."""


class NoRosterFileError(RosterFileError):
    """This is no roster file, or one cut short; nothing was taken from it. Fetch it again from the bill provider."""

    path: str
    detail: str


class Stretch(NamedTuple):
    """Which slots a roster file is for.

    Attributes:
        region: the region.
        channel: import or export.
        month: the month.
        epoch: the month's first rosters are epoch 0.
        from_k: first period.
        until_k: first period after the stretch.
        width: leaves of each roster.
    """

    region: RegionId
    channel: Direction
    month: MonthId
    epoch: int
    from_k: int
    until_k: int
    width: int

    @property
    def periods(self) -> int:
        """How many slots it has."""
        return self.until_k - self.from_k


class RosterFile:
    """A roster file, mapped into memory: a month of a thousand meters is not read for one slot.

    Args:
        path: the file.

    Raises:
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses.
        NoRosterFileError: it is none, or cut short.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD.size)
            size = path.stat().st_size
            self.stretch = stretch = _parse_head(path, head)
            expected = _HEAD.size + HASH_SIZE * stretch.periods * (1 + stretch.width)
            if size != expected:
                raise NoRosterFileError(path=str(path), detail=f"{size} bytes where {expected} belong")
            body = np.memmap(path, dtype=np.uint8, mode="r", offset=_HEAD.size)
        except FileNotFoundError as missing:
            raise FileMissingError(path=str(path)) from missing
        except OSError as failure:
            raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
        border = stretch.periods * HASH_SIZE
        self._roots = body[:border].reshape(stretch.periods, HASH_SIZE)
        self._leaves = body[border:].reshape(stretch.periods, stretch.width * HASH_SIZE)

    def roots(self) -> bytes:
        """The roster roots in the order of k, 32 bytes each."""
        return self._roots.tobytes()

    def leaves(self, k: int) -> list[bytes]:
        """The leaves of a slot's roster, ascending.

        Raises:
            OutOfRangeError: the slot lies outside the stretch.
        """
        raw = self.rows(k).tobytes()
        return [raw[at : at + HASH_SIZE] for at in range(0, len(raw), HASH_SIZE)]

    def rows(self, k: int) -> NDArray[np.uint8]:
        """The leaves of a slot's roster, ascending: shape (leaves, 32).

        Raises:
            OutOfRangeError: the slot lies outside the stretch.
        """
        require_range("k", k, self.stretch.from_k, self.stretch.until_k - 1)
        row: NDArray[np.uint8] = self._leaves[k - self.stretch.from_k].reshape(-1, HASH_SIZE)
        return row


class RosterFiles:
    """The folder of public roster files.

    Args:
        folder: above the regions' folders.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def leaves_path(self, region: int, channel: int, month: int, epoch: int) -> Path:
        """Where an epoch's leaves lie."""
        return self._path(region, channel, month, epoch, "leaves")

    def filter_path(self, region: int, channel: int, month: int, epoch: int) -> Path:
        """Where an epoch's filter BF1 lies."""
        return self._path(region, channel, month, epoch, "filter")

    def open(self, region: int, channel: int, month: int, epoch: int) -> RosterFile:
        """An epoch's leaves.

        Raises:
            FileMissingError: they were not handed out yet.
            FileUnreadableError: the system refuses.
            NoRosterFileError: the file is none, or another epoch's.
        """
        path = self.leaves_path(region, channel, month, epoch)
        opened = RosterFile(path)
        if opened.stretch[:4] != (region, channel, month, epoch):
            raise NoRosterFileError(path=str(path), detail=f"it is for {opened.stretch[:4]}")
        return opened

    def filter(self, region: int, channel: int, month: int, epoch: int) -> BloomFilter:
        """An epoch's filter BF1.

        Raises:
            FileMissingError: it was not handed out yet.
            FileUnreadableError: the system refuses.
            NoRosterFileError: it is no filter.
        """
        path = self.filter_path(region, channel, month, epoch)
        try:
            return BloomFilter.from_bytes(path.read_bytes())
        except FileNotFoundError as missing:
            raise FileMissingError(path=str(path)) from missing
        except OSError as failure:
            raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
        except PrimitiveError as wrong:
            raise NoRosterFileError(path=str(path), detail=str(wrong)) from wrong

    def write(
        self, stretch: Stretch, roots: Sequence[bytes], leaves: Sequence[bytes] | NDArray[np.uint8], bloom: BloomFilter
    ) -> None:
        """Write an epoch's files; the leaves last, so that who finds them finds all.

        Args:
            stretch: which slots.
            roots: a root for each slot.
            leaves: for each slot its leaves, ascending, joined: `width` times 32 bytes.
            bloom: the filter BF1 that goes with them.

        Raises:
            FileUnwritableError: the disk is full, the folder read-only and the like.
        """
        path = self.leaves_path(*stretch[:4])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure
        write_whole(self.filter_path(*stretch[:4]), bloom.to_bytes())
        head = _HEAD.pack(MAGIC, VERSION, stretch.channel, stretch.region, *stretch[2:])
        write_whole(path, b"".join((head, *roots, *(bytes(each) for each in leaves))))

    def remove(self, region: int, channel: int, month: int) -> None:
        """Take a month's files down; harmless where there are none.

        Raises:
            FileUnwritableError: the system refuses.
        """
        folder = self._path(region, channel, month, 0, "leaves").parent
        try:
            for path in sorted(folder.glob(f"{month}-*")):
                path.unlink(missing_ok=True)
        except OSError as failure:
            raise FileUnwritableError(path=str(folder), detail=failure.strerror or str(failure)) from failure

    def _path(self, region: int, channel: int, month: int, epoch: int, kind: str) -> Path:
        return self._folder / f"{region}-{Direction(channel).label}" / f"{month}-{epoch}.{kind}"


def _parse_head(path: Path, head: bytes) -> Stretch:
    if len(head) != _HEAD.size or not head.startswith(MAGIC):
        raise NoRosterFileError(path=str(path), detail="no head")
    _, version, channel, region, month, epoch, from_k, until_k, width = _HEAD.unpack(head)
    if version != VERSION or channel not in tuple(Direction):
        raise NoRosterFileError(path=str(path), detail=f"version {version}, channel {channel}")
    if not from_k < until_k <= U64_MAX or not width:
        raise NoRosterFileError(path=str(path), detail="it holds no slot")
    return Stretch(RegionId(region), Direction(channel), MonthId(month), epoch, from_k, until_k, width)
