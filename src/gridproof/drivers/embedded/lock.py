"""One ledger, one writer: a lock on the folder that ends with the process, however that ends."""

import fcntl
import os
from pathlib import Path

from gridproof.drivers.errors import FolderUnusableError, LedgerLockedError

LOCK_NAME = "lock"


class FolderLock:
    """Holds a folder for this process alone.

    Args:
        folder: made where it is missing.

    Raises:
        LedgerLockedError: another process holds it.
        FolderUnusableError: it cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as wrong:
            raise FolderUnusableError(folder=str(folder), detail=wrong.strerror or str(wrong)) from wrong
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as held:
            holder = os.pread(self._file, 64, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise LedgerLockedError(folder=str(folder), held_by=f"process {holder}" if holder else "unknown") from held
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as wrong:
            os.close(self._file)
            raise FolderUnusableError(folder=str(folder), detail=wrong.strerror or str(wrong)) from wrong

    def release(self) -> None:
        """Let others have the folder."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
