"""The snapshots that a node keeps for those who join: a folder each, named by its height.

    00000000000000001200/
      manifest            as `form` says
      000000.chunk ...    the pieces

A snapshot is written into a hidden folder, and gets its name only when it is whole and on the disk: what a killed
process leaves does not count, and goes at the next taking. One process takes snapshots of a ledger; any thread of it,
and other processes that only read, may list and load.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import Final

from gridproof.errors import GridproofError
from gridproof.primitives.encoding import decode
from gridproof.state.store import Snapshot as Moment
from gridproof.state.store import Store

from ..errors import SnapshotFailedError, SnapshotRefusedError, SnapshotUnknownError
from .form import (
    CHUNK_BYTES,
    FORMAT,
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    Manifest,
    Snapshot,
    chain_of,
    content,
    cut,
    head_of,
    read_manifest,
    snapshot_hash,
)

FOLDER_NAME: Final = "snapshots"  # beside the ledger's database
MANIFEST_NAME: Final = "manifest"
HIDDEN: Final = "."


class SnapshotFolder:
    """Takes, keeps and gives out snapshots.

    Args:
        path: made at the first taking; the folder above it must be there.
        keep: how many are kept, the newest ones.
        chunk_bytes: the size of a piece; any other than the default makes snapshots that no other node has.
        reached: called with the name of each step once it is done (`begun`, `chunk`, `whole`, `named`); tests kill
            the process there.
    """

    def __init__(
        self,
        path: str | Path,
        keep: int = 2,
        chunk_bytes: int = CHUNK_BYTES,
        reached: Callable[[str], None] = lambda _step: None,
    ) -> None:
        self.path = Path(path)
        self.keep = max(1, keep)
        self._chunk_bytes = min(chunk_bytes, MAX_CHUNK_BYTES)
        self._reached = reached
        self._taking = Lock()

    # --- taking ----------------------------------------------------------------------------------------------------

    def take(self, store: Store) -> Snapshot:
        """Take a snapshot of a ledger as it is now, and let go of those that are too many; writing may go on meanwhile.

        Args:
            store: the ledger's.

        Returns:
            The snapshot; the one that is there already where one of this height is.

        Raises:
            SnapshotFailedError: the folder or the disk does not take it, or there is no block yet; nothing is left.
            StoreError: the store cannot be read.
        """
        with store.snapshot() as moment:
            return self.take_at(moment)

    def take_at(self, moment: Moment) -> Snapshot:
        """As `take`, of a moment that the caller chose: it may be another thread that writes the pieces.

        Args:
            moment: of the ledger's store; stays open until this returns.

        Raises:
            SnapshotFailedError: the folder or the disk does not take it, or there is no block yet; nothing is left.
            StoreError: the store cannot be read.
        """
        with self._taking:
            head = head_of(moment)
            if head is None:
                raise self._failed("there is no block yet")
            kept = self._find(head.height)
            if kept is not None and read_manifest(kept).head == head:
                return kept
            try:
                snapshot = self._write(moment)
                self._prune()
            except OSError as wrong:
                raise self._failed(wrong.strerror or str(wrong)) from wrong
        return snapshot

    def _write(self, moment: Moment) -> Snapshot:
        head = head_of(moment)
        if head is None:
            raise self._failed("there is no block yet")
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._clean()
        part = Path(mkdtemp(prefix=HIDDEN, dir=self.path))
        try:
            self._reached("begun")
            hashes: list[bytes] = []
            for index, chunk in enumerate(cut(content(moment), self._chunk_bytes)):
                if index >= MAX_CHUNKS:
                    raise self._failed(f"the state is larger than {MAX_CHUNKS} pieces")
                _put(part / _chunk_name(index), chunk)
                hashes.append(sha256(chunk).digest())
                self._reached("chunk")
            manifest = Manifest(chain_of(moment), head.height, head.time_s, head.app_hash, tuple(hashes))
            snapshot = Snapshot.of(manifest)
            _put(part / MANIFEST_NAME, snapshot.metadata)
            _sync(part)
            self._reached("whole")
            self._remove(self._place(head.height))
            part.rename(self._place(head.height))
            _sync(self.path)
            self._reached("named")
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        return snapshot

    # --- giving ----------------------------------------------------------------------------------------------------

    def list(self) -> tuple[Snapshot, ...]:
        """The snapshots that are kept, oldest first; one that cannot be read is left out."""
        found = (self._find(height) for height in self._heights())
        return tuple(snapshot for snapshot in found if snapshot is not None)

    def find_beginning(self, base: int, last: int) -> Snapshot | None:
        """The oldest snapshot from which all later blocks are kept; None where there is none.

        Args:
            base: height of the last block that is gone.
            last: the ledger's height.
        """
        return next((snapshot for snapshot in self.list() if base <= snapshot.height <= last), None)

    def copy_to(self, target: Path, snapshot: Snapshot) -> None:
        """Copy a snapshot that is kept into another folder of snapshots; one that is there already stays as it is.

        Args:
            target: the other folder; made where it is not there.
            snapshot: which.

        Raises:
            SnapshotUnknownError, SnapshotFailedError: a piece is gone or altered; nothing is left of the copy.
            OSError: the other folder does not take it; nothing is left of the copy.
        """
        place = target / self._place(snapshot.height).name
        if place.exists():
            return
        target.mkdir(mode=0o700, exist_ok=True)
        part = Path(mkdtemp(prefix=HIDDEN, dir=target))
        try:
            for index in range(snapshot.chunks):
                _put(part / _chunk_name(index), self.load(snapshot.height, snapshot.format, index))
            _put(part / MANIFEST_NAME, snapshot.metadata)
            _sync(part)
            part.rename(place)
            _sync(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def size_of(self, snapshot: Snapshot) -> int:
        """How much room a snapshot's pieces take, bytes; those that are gone count for nothing."""
        pieces = self._place(snapshot.height).glob(_CHUNKS)
        with suppress(OSError):  # it was let go of meanwhile
            return sum(piece.stat().st_size for piece in pieces)
        return 0

    def load(self, height: int, format: int, index: int) -> bytes:  # noqa: A002 - the engine's name for it
        """A piece of a snapshot, held to its hash.

        Args:
            height: the snapshot's.
            format: 1.
            index: from 0.

        Raises:
            SnapshotUnknownError: it is not here, or not any more.
            SnapshotFailedError: it cannot be read, or is not what it was.
        """
        snapshot = self._find(height) if format == FORMAT else None
        if snapshot is None or not 0 <= index < snapshot.chunks:
            raise SnapshotUnknownError(height=height, index=index)
        path = self._place(height) / _chunk_name(index)
        try:
            chunk = path.read_bytes()
        except FileNotFoundError as gone:
            raise SnapshotUnknownError(height=height, index=index) from gone
        except OSError as wrong:
            raise self._failed(wrong.strerror or str(wrong)) from wrong
        if sha256(chunk).digest() != read_manifest(snapshot).chunks[index]:
            raise self._failed(f"piece {index} of the snapshot of height {height} was altered")
        return chunk

    def prune(self) -> None:
        """Let go of all but the newest.

        Raises:
            SnapshotFailedError: a folder cannot be removed.
        """
        with self._taking:
            try:
                self._prune()
            except OSError as wrong:
                raise self._failed(wrong.strerror or str(wrong)) from wrong

    def _prune(self) -> None:
        for snapshot in self.list()[: -self.keep]:
            self._remove(self._place(snapshot.height))

    def _remove(self, place: Path) -> None:
        """Remove a snapshot; it loses its name first, so that no half of it is ever offered."""
        if place.exists():
            gone = Path(mkdtemp(prefix=HIDDEN, dir=self.path))
            place.rename(gone / place.name)
            shutil.rmtree(gone)

    def _clean(self) -> None:
        """Remove what a killed process left."""
        for path in self.path.iterdir():
            if path.name.startswith(HIDDEN):
                shutil.rmtree(path)

    def _find(self, height: int) -> Snapshot | None:
        try:
            raw = (self._place(height) / MANIFEST_NAME).read_bytes()
        except OSError:
            return None
        with suppress(GridproofError):
            return _read(height, raw)
        return None

    def _heights(self) -> tuple[int, ...]:
        if not self.path.is_dir():
            return ()
        return tuple(sorted(int(path.name) for path in self.path.iterdir() if path.name.isdecimal()))

    def _place(self, height: int) -> Path:
        return self.path / f"{height:020d}"

    def _failed(self, detail: str) -> SnapshotFailedError:
        return SnapshotFailedError(path=str(self.path), detail=detail)


def _read(height: int, raw: bytes) -> Snapshot:
    """The snapshot whose manifest is kept under a height."""
    manifest = decode(raw, Manifest)
    if manifest.height != height:
        raise SnapshotRefusedError(height=height, detail=f"it is of height {manifest.height}")
    return Snapshot(height, FORMAT, len(manifest.chunks), snapshot_hash(raw), raw)


_CHUNKS: Final = "*.chunk"


def _chunk_name(index: int) -> str:
    return f"{index:06d}.chunk"


def _put(path: Path, raw: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as writer:
        writer.write(raw)
        writer.flush()
        os.fsync(writer.fileno())


def _sync(folder: Path) -> None:
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
