"""The embedded twin: a folder of files named by their CIDs, `<two characters>/<CID>`.

A file is written beside its place, synced and renamed into it, so processes that put the same content at once end with
one whole file. What a killed one leaves has another name; it is cleared away by the next process that writes while no
other does: each writer holds the folder's lock together with the others, and clears only when it holds it alone.
"""

import fcntl
import os
from pathlib import Path
from threading import Lock
from typing import Final

from gridproof.connectors.files import (
    LEFTOVERS,
    PRIVATE_FILE,
    FileUnwritableError,
    make_private_folder,
    sync_folder,
    write_whole,
)
from gridproof.primitives.cid import cid_v1

from .errors import (
    ContentAlteredError,
    ContentMissingError,
    ContentNotStoredError,
    ContentStoreUnreachableError,
)
from .port import MAX_CONTENT, Damage, require_name, require_size

SETTING: Final = "paths.content"
LOCK: Final = "lock"


class FolderContent:
    """A content store in a folder. Nothing is made before the first content is put.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = Lock()
        self._lock: int | None = None

    # --- the port --------------------------------------------------------------------------------------------------

    def put(self, content: bytes) -> str:
        """Keep content (`ContentStore.put`).

        Raises:
            ContentTooLargeError: it is larger than 64 MiB.
            ContentNotStoredError: disk full, folder read-only and the like.
        """
        require_size(content)
        cid = cid_v1(content)
        path = self._file(cid)
        try:
            self._hold()
            if self.find_fault(cid) is not None:
                _make_durably(path.parent)
                write_whole(path, content, PRIVATE_FILE)
        except FileUnwritableError as failure:
            raise ContentNotStoredError(place=str(self._path), detail=failure.detail) from failure
        except OSError as failure:
            raise ContentNotStoredError(place=str(self._path), detail=_words(failure)) from failure
        return cid

    def get(self, cid: str) -> bytes:
        """Content, found to be what its name says (`ContentStore.get`).

        Raises:
            ContentNameError: this is no CID.
            ContentMissingError: it is not there.
            ContentAlteredError: what is there is not that content.
            ContentStoreUnreachableError: the folder, or the file, cannot be read.
        """
        require_name(cid)
        try:
            with self._file(cid).open("rb") as file:
                content = file.read(MAX_CONTENT + 1)
        except FileNotFoundError as missing:
            raise ContentMissingError(cid=cid) from missing
        except IsADirectoryError as other:
            raise ContentAlteredError(cid=cid) from other
        except OSError as failure:
            raise self._unreachable(failure) from failure
        if len(content) > MAX_CONTENT or cid_v1(content) != cid:
            raise ContentAlteredError(cid=cid)
        return content

    def find_fault(self, cid: str) -> Damage | None:
        """What is wrong with content (`ContentStore.find_fault`)."""
        try:
            self.get(cid)
        except ContentMissingError:
            return Damage.MISSING
        except ContentAlteredError:
            return Damage.ALTERED
        return None

    def has(self, cid: str) -> bool:
        """Whether content is there and intact."""
        return self.find_fault(cid) is None

    def remove(self, cid: str) -> None:
        """Delete content; harmless where it is not there.

        Raises:
            ContentNameError: this is no CID.
            ContentStoreUnreachableError: the folder cannot be written.
        """
        require_name(cid)
        path = self._file(cid)
        try:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                sync_folder(path.parent)
        except OSError as failure:
            raise self._unreachable(failure) from failure

    def close(self) -> None:
        """Let the folder's lock go."""
        with self._guard:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    # --- the folder ------------------------------------------------------------------------------------------------

    def _file(self, cid: str) -> Path:
        return self._path / cid[-3:-1] / cid  # of the last character three bits only are the hash's

    def _hold(self) -> None:
        """Hold the folder's lock with other writers; who finds none clears away what killed ones left."""
        with self._guard:
            if self._lock is not None:
                return
            _make_durably(self._path)
            lock = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
            try:
                self._clear(lock)
                fcntl.flock(lock, fcntl.LOCK_SH)
            except BaseException:
                os.close(lock)
                raise
            self._lock = lock

    def _clear(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process writes: what looks left over may be its own
        for leftover in self._path.glob(f"??/{LEFTOVERS}"):
            leftover.unlink(missing_ok=True)

    def _unreachable(self, failure: OSError) -> ContentStoreUnreachableError:
        return ContentStoreUnreachableError(setting=SETTING, place=str(self._path), detail=_words(failure))


def _make_durably(folder: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only, so that a crash leaves their names."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    make_private_folder(folder)
    for made in missing:
        sync_folder(made.parent)


def _words(failure: OSError) -> str:
    return failure.strerror or str(failure)
