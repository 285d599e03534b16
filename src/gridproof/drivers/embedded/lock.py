"""One ledger, one writer: a lock on the folder that ends with the process, however that ends."""

import fcntl
import os
from pathlib import Path
from time import monotonic, sleep

from gridproof.drivers.errors import FolderUnusableError, LedgerLockedError

LOCK_NAME = "lock"
_LOOK_S = 0.02


class FolderLock:
    """Holds a folder for this process alone.

    Args:
        folder: made where it is missing.
        patience_s: for how long to try again: who looks whether a folder is held (`holder_of`) is in the way a moment.

    Raises:
        LedgerLockedError: another process holds it.
        FolderUnusableError: it cannot be made or written to.
    """

    def __init__(self, folder: Path, patience_s: float = 0.0) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as wrong:
            raise FolderUnusableError(folder=str(folder), detail=wrong.strerror or str(wrong)) from wrong
        deadline = monotonic() + patience_s
        while not _locked(self._file, fcntl.LOCK_EX):
            if monotonic() >= deadline:
                holder = _written(self._file)
                os.close(self._file)
                raise LedgerLockedError(folder=str(folder), held_by=f"process {holder}" if holder else "unknown")
            sleep(_LOOK_S)
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


def holder_of(folder: Path) -> int | None:
    """The process that holds a folder, or None; looking does not take the folder from anybody, nor changes it.

    Raises:
        FolderUnusableError: the lock's file cannot be read.
    """
    try:
        file = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise FolderUnusableError(folder=str(folder), detail=wrong.strerror or str(wrong)) from wrong
    try:
        holder = "" if _locked(file, fcntl.LOCK_SH) else _written(file)
    finally:
        os.close(file)
    return int(holder) if holder.isdecimal() else None


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(file: int) -> str:
    return os.pread(file, 64, 0).decode("ascii", "replace").strip()
