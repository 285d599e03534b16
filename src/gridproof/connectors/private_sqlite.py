"""A private SQLite file: durable, mode 0600, its failures told in one sentence.

Rules:
    Q-1 What a transaction wrote is there after a crash, all of it or none (write-ahead log, synced at each commit).
    Q-2 The file is its owner's only; one that others may open is refused.
    Q-3 What is deleted is overwritten.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from gridproof.errors import GridproofError

from .files import PRIVATE_FILE, make_private_folder, require_private

BUSY_TIMEOUT_S: Final = 10.0
_PRIMARY_CODE: Final = 0xFF  # extended result codes carry the primary one in their low byte


class DatabaseError(GridproofError):
    """A private database cannot be used."""


class DatabaseBusyError(DatabaseError):
    """Another process is writing to this file; nothing was changed. Wait for it, then try again."""

    path: str


class DatabaseFullError(DatabaseError):
    """No space is left for this file; nothing of this step was stored. Free some, then try again."""

    path: str


class DatabaseDamagedError(DatabaseError):
    """The file is damaged, or none of gridproof's; it was left as it is. Restore it from a backup."""

    path: str
    detail: str


class DatabaseVersionError(DatabaseError):
    """The file was made by another version of gridproof; it was left as it is. Use that version."""

    path: str
    version: int
    known: int


class DatabaseUnavailableError(DatabaseError):
    """The file cannot be opened or written. See to the cause, then try again."""

    path: str
    detail: str


class PrivateDatabase:
    """A connection to a private file; one thread uses it at a time.

    Args:
        path: the file; made with mode 0600 (and its folder 0700) where it is missing.
        schema: statements that make its tables, parted by semicolons.
        version: number of that schema.

    Raises:
        FileExposedError: others may open the file; run `chmod 600`.
        DatabaseDamagedError: it is no such file.
        DatabaseVersionError: another version made it.
        DatabaseUnavailableError: it cannot be made or opened.
    """

    def __init__(self, path: Path, schema: str, version: int) -> None:
        self.path = path
        self._inside = False
        _make_private(path)
        with _translated(path):
            self._db = sqlite3.connect(
                f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
            )
        try:
            with _translated(path):
                self._prepare(schema, version)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the file; it is not used again."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store what the block writes when it ends, and nothing of it if an error leaves it; blocks within join it.

        Raises:
            DatabaseBusyError: another process did not finish in time.
            DatabaseFullError: no space is left.
        """
        if self._inside:
            yield
            return
        with _translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
        self._inside = True
        try:
            yield
            with _translated(self.path):
                self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._inside = False

    def run(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement once for each row, in a transaction.

        Raises:
            DatabaseFullError: no space is left; nothing was stored.
            DatabaseUnavailableError: the file cannot be written.
        """
        with self.transaction(), _translated(self.path):
            self._db.executemany(statement, rows)

    def select(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows that a query finds.

        Raises:
            DatabaseDamagedError: the file cannot be read.
        """
        with _translated(self.path):
            return self._db.execute(query, values).fetchall()

    def truncate_log(self) -> None:
        """Fold the write-ahead log into the file and empty it, so that nothing deleted stays in it (Q-3).

        Raises:
            DatabaseBusyError: another process is reading.
        """
        with _translated(self.path):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _prepare(self, schema: str, known: int) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, known):
            raise DatabaseVersionError(path=str(self.path), version=version, known=known)
        for setting in ("synchronous = FULL", "secure_delete = ON", "journal_mode = WAL"):
            self._db.execute(f"PRAGMA {setting}")
        if version:
            return
        with self.transaction():
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()  # another process may have been first
            if version == 0 and tables:
                raise DatabaseDamagedError(path=str(self.path), detail="it holds other tables")
            if version == 0:
                for statement in schema.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {known}")


def _make_private(path: Path) -> None:
    make_private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))
    except FileExistsError:
        require_private(path)
    except OSError as failure:
        raise DatabaseUnavailableError(path=str(path), detail=failure.strerror or str(failure)) from failure


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as failure:
        raise _failure(str(path), failure) from failure


def _failure(path: str, failure: sqlite3.Error) -> DatabaseError:
    code = getattr(failure, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusyError(path=path)
    if code == sqlite3.SQLITE_FULL:
        return DatabaseFullError(path=path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseDamagedError(path=path, detail=str(failure))
    return DatabaseUnavailableError(path=path, detail=str(failure))
