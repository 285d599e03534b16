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
        name: of the lock's file.
        for_another: whether it is taken for a process to come, which `hand_on` names; until then nobody is.

    Raises:
        LedgerLockedError: another process holds it.
        FolderUnusableError: it cannot be made or written to.
    """

    def __init__(
        self, folder: Path, patience_s: float = 0.0, name: str = LOCK_NAME, *, for_another: bool = False
    ) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as wrong:
            raise FolderUnusableError(folder=str(folder), detail=wrong.strerror or str(wrong)) from wrong
        deadline = monotonic() + patience_s
        while not _locked(self._file, fcntl.LOCK_EX):
            if monotonic() >= deadline:
                holder = _written(self._file)
                os.close(self._file)
                raise LedgerLockedError(folder=str(folder), held_by=f"process {holder}" if holder else "unknown")
            sleep(_LOOK_S)
        self._write("" if for_another else f"{os.getpid()}\n")

    @property
    def file(self) -> int:
        """The open file that the lock hangs on: a process that inherits it holds the lock too, as long as it lives."""
        return self._file

    def hand_on(self, process: int) -> None:
        """Name the process that inherited the lock, and let it alone hold it.

        Raises:
            FolderUnusableError: it cannot be written down.
        """
        self._write(f"{process}\n")
        self.release()

    def _write(self, holder: str) -> None:
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, holder.encode(), 0)
        except OSError as wrong:
            self.release()
            raise FolderUnusableError(folder=str(self._folder), detail=wrong.strerror or str(wrong)) from wrong

    def release(self) -> None:
        """Let others have the folder."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def holder_of(folder: Path, name: str = LOCK_NAME) -> int | None:
    """The process that holds a folder, or None; looking does not take the folder from anybody, nor changes it.

    Raises:
        FolderUnusableError: the lock's file cannot be read.
    """
    holder = _looked_at(folder, name)
    return int(holder) if holder is not None and holder.isdecimal() else None


def is_held(folder: Path, name: str = LOCK_NAME) -> bool:
    """Whether a process holds a folder, even one that is not written down yet.

    Raises:
        FolderUnusableError: the lock's file cannot be read.
    """
    return _looked_at(folder, name) is not None


def _looked_at(folder: Path, name: str) -> str | None:
    """What is written of the one who holds a folder; None where nobody does."""
    try:
        file = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise FolderUnusableError(folder=str(folder), detail=wrong.strerror or str(wrong)) from wrong
    try:
        return None if _locked(file, fcntl.LOCK_SH) else _written(file)
    finally:
        os.close(file)


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(file: int) -> str:
    return os.pread(file, 64, 0).decode("ascii", "replace").strip()
