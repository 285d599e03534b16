"""Making a folder all or nothing: it is filled beside the wanted one (inside it, if that is there), then put in place.

A folder that is there is filled and not exchanged, for somebody may stand in it, or it may be a disk of its own.
"""

import glob
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from gridproof.connectors.files import PRIVATE_FOLDER, FileUnwritableError, make_private_folder, sync_folder

from .errors import FolderUnmadeError

STAGING: Final = ".gridproof-init."
_RANDOM_PART: Final = 8  # characters that `mkdtemp` adds


def holds(root: Path) -> list[str]:
    """What lies in a folder, but for what a founding that was killed left there; nothing where there is none.

    Raises:
        FolderUnmadeError: it cannot be looked into.
    """
    try:
        return sorted(path.name for path in root.iterdir() if not path.name.startswith(STAGING))
    except FileNotFoundError:
        return []
    except OSError as wrong:
        raise FolderUnmadeError(folder=str(root), detail=wrong.strerror or str(wrong)) from wrong


@contextmanager
def staged(root: Path, last: str) -> Iterator[Path]:
    """A folder to fill; what it holds is put in place when the block ends, and gone when an error leaves it.

    What one that was killed left for the same place is removed first, for it holds secrets.

    Args:
        root: the wanted one; not there yet, or empty (`holds`).
        last: name of what is put in place last: without it the folder counts for nothing.

    Raises:
        FolderUnmadeError: the disk or the folder above does not take it; nothing is left of it.
    """
    there = root.is_dir()
    above, prefix = root if there else root.parent, f"{STAGING}{root.name}."
    try:
        make_private_folder(above)
        for leftover in above.glob(f"{glob.escape(prefix)}{'?' * _RANDOM_PART}"):
            shutil.rmtree(leftover)
        staging = Path(mkdtemp(prefix=prefix, dir=above))
        try:
            yield staging
            if there:
                _move_in(staging, root, last)
            else:
                staging.rename(root)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        sync_folder(root.parent)
    except FileUnwritableError as wrong:
        raise FolderUnmadeError(folder=str(root), detail=wrong.detail) from wrong
    except OSError as wrong:
        raise FolderUnmadeError(folder=str(root), detail=wrong.strerror or str(wrong)) from wrong


def _move_in(staging: Path, root: Path, last: str) -> None:
    """Put all in place, or, where that fails on the way, nothing."""
    root.chmod(PRIVATE_FOLDER)
    try:
        for path in sorted(staging.iterdir(), key=lambda path: path.name == last):
            path.rename(root / path.name)
    except OSError:
        for path in root.iterdir():
            if not path.name.startswith(STAGING):
                with suppress(OSError):
                    path.rename(staging / path.name)
        raise
    sync_folder(root)
