"""Backups of a ledger's folder: made while it runs, verified before they take a place.

A backup is a folder with the database. It is consistent: one read transaction of the database copies it whole. Where
the ledger's first blocks are gone, the kept snapshot from which the others lead on lies beside it, for a ledger is put
in place only once its history was found true, and that begins there.
"""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

from gridproof.drivers.blocks import find_base
from gridproof.drivers.errors import (
    BackupError,
    HistoryPrunedError,
    SnapshotFailedError,
    SnapshotFalseError,
    SnapshotUnknownError,
)
from gridproof.drivers.ports import ApplicationFactory, Progress, no_progress
from gridproof.drivers.snapshots import FOLDER_NAME, SnapshotFolder, head_of
from gridproof.drivers.verification import Report, verify_store
from gridproof.state.store import LmdbStore, Store, StoreError, find_damage

from .ledger import DATABASE_NAME
from .lock import FolderLock


def back_up(store: Store, target: str | Path, snapshots: SnapshotFolder | None = None) -> Path:
    """Copy a ledger's store into a new folder; the ledger may be running, in this process or another.

    Args:
        store: the ledger's.
        target: must not exist yet; the folder above it must.
        snapshots: those that are kept beside the ledger.

    Returns:
        The backup's folder.

    Raises:
        BackupError: the target exists, or cannot be written; or the ledger is damaged, or its first blocks are gone
            and no snapshot is kept from which the others lead on; nothing is left of its copy.
        StoreError: the copy failed; nothing is left of it.
    """
    target = Path(target)
    if target.exists():
        raise BackupError(path=str(target), detail="something is there already")
    try:
        part = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as wrong:
        raise BackupError(path=str(target), detail=wrong.strerror or str(wrong)) from wrong
    try:
        store.copy_to(str(part / DATABASE_NAME))
        damage = find_damage(str(part / DATABASE_NAME))
        if damage:
            raise BackupError(path=str(target), detail=f"the ledger's database is damaged: {damage[0]}")
        _copy_beginning(part, snapshots)
        part.rename(target)
        _sync(target.parent)
    except (HistoryPrunedError, SnapshotUnknownError, SnapshotFailedError) as wrong:
        raise BackupError(path=str(target), detail=str(wrong)) from wrong
    except OSError as wrong:
        raise BackupError(path=str(target), detail=wrong.strerror or str(wrong)) from wrong
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def restore(
    backup: str | Path, folder: str | Path, application: ApplicationFactory, progress: Progress = no_progress
) -> Report:
    """Put a backup in place of a ledger that is not there, once its whole history was replayed and found true.

    Args:
        backup: a folder that `back_up` made; a snapshot in it is put in place with it.
        folder: the ledger's; must hold no ledger.
        application: makes the Application.
        progress: told after each block of the replay.

    Returns:
        What the verification found.

    Raises:
        BackupError: the folder holds a ledger, or the backup is not whole or not true; nothing was put in place.
        LedgerLockedError: another process holds the folder.
        FolderUnusableError: the folder cannot be made or written to.
    """
    backup, folder = Path(backup), Path(folder)
    lock = FolderLock(folder)
    part = folder / f"{DATABASE_NAME}.part"
    kept = SnapshotFolder(backup / FOLDER_NAME)
    try:
        if (folder / DATABASE_NAME).exists():
            raise BackupError(path=str(folder), detail="there is a ledger in this folder")
        shutil.rmtree(part, ignore_errors=True)
        _copy(backup / DATABASE_NAME, part)
        report = _verified(part, application, progress, kept)
        for snapshot in kept.list():
            kept.copy_to(folder / FOLDER_NAME, snapshot)
        part.rename(folder / DATABASE_NAME)
        _sync(folder)
        return report
    except (StoreError, HistoryPrunedError, SnapshotUnknownError, SnapshotFailedError, SnapshotFalseError) as wrong:
        raise BackupError(path=str(backup), detail=str(wrong)) from wrong
    except OSError as wrong:
        raise BackupError(path=str(folder), detail=wrong.strerror or str(wrong)) from wrong
    finally:
        shutil.rmtree(part, ignore_errors=True)
        lock.release()


def _copy(source: Path, target: Path) -> None:
    store = LmdbStore(str(source), read_only=True)
    try:
        store.copy_to(str(target))
    finally:
        store.close()


def _copy_beginning(part: Path, snapshots: SnapshotFolder | None) -> None:
    """Lay the snapshot with which the history begins beside a copied database whose first blocks are gone.

    Raises:
        HistoryPrunedError: there is none.
        SnapshotUnknownError, SnapshotFailedError: it went meanwhile, or cannot be read.
    """
    store = LmdbStore(str(part / DATABASE_NAME), read_only=True)
    try:
        with store.snapshot() as moment:
            base, head = find_base(moment).height, head_of(moment)
    finally:
        store.close()
    if base == 0 or head is None:
        return
    beginning = snapshots.find_beginning(base, head.height) if snapshots else None
    if snapshots is None or beginning is None:
        raise HistoryPrunedError(from_height=base + 1)
    snapshots.copy_to(part / FOLDER_NAME, beginning)


def _verified(path: Path, application: ApplicationFactory, progress: Progress, kept: SnapshotFolder) -> Report:
    store = LmdbStore(str(path), read_only=True)
    try:
        report = verify_store(store, application, progress=progress, snapshots=kept)
    finally:
        store.close()
    if not report.is_true:
        raise BackupError(
            path=str(path), detail=f"{len(report.falsehoods)} falsehoods, the first: {report.falsehoods[0]}"
        )
    return report


def _sync(folder: Path) -> None:
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
