"""The embedded store of readings: one SQLite file, durable (write-ahead log), private (mode 0600).

An intake is one transaction, however long: SQLite spools it to the log, so memory stays bounded. Each reading keeps the
number of its intake, by which a repetition within a file is told from a reading that was there before.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from gridproof.connectors.files import PRIVATE_FILE, make_private_folder, require_private
from gridproof.domain import Direction

from .port import (
    Clash,
    MeterSpan,
    Reading,
    ReadingsBusyError,
    ReadingsDamagedError,
    ReadingsError,
    ReadingsFullError,
    ReadingsUnavailableError,
    ReadingsVersionError,
    add_all,
)

VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 10.0
_CACHE_KIB: Final = 64 * 1024
_PRIMARY_CODE: Final = 0xFF  # extended result codes carry the primary one in their low byte

_SCHEMA: Final = """
CREATE TABLE meters (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE intakes (number INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE readings (
    start_s INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    meter INTEGER NOT NULL REFERENCES meters,
    energy_wh INTEGER NOT NULL,
    intake INTEGER NOT NULL,
    PRIMARY KEY (start_s, channel, meter)
) WITHOUT ROWID;
CREATE INDEX readings_of_meter ON readings (meter, channel, start_s);
"""
_INSERT: Final = "INSERT INTO readings (start_s, channel, meter, energy_wh, intake) VALUES (?, ?, ?, ?, ?)"
_SELECT: Final = "SELECT name, channel, start_s, energy_wh FROM readings JOIN meters ON meter = number "
_DIRECTIONS: Final = {int(direction): direction for direction in Direction}


class SqliteReadings:
    """Readings in a file of their own.

    Args:
        path: the file; made with mode 0600 (and its folder 0700) where it is missing.
        busy_timeout_s: how long to wait for another process's intake to end.

    Raises:
        FileExposedError: others may open the file; run `chmod 600`.
        ReadingsDamagedError: it is no store of readings.
        ReadingsVersionError: another version made it.
        ReadingsUnavailableError: it cannot be made or opened.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._numbers: dict[str, int] = {}
        _make_private(path)
        with _translated(path):
            self._db = sqlite3.connect(
                f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=busy_timeout_s
            )
        try:
            with _translated(path):
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; the store is not used again."""
        self._db.close()

    @contextmanager
    def intake(self) -> Iterator["_SqliteIntake"]:
        """Open an intake: stored when the block ends, nothing if an error leaves it (R-2).

        Raises:
            ReadingsBusyError: another process's intake did not end in time.
            ReadingsFullError: no space is left; nothing was stored.
            ReadingsUnavailableError: the file cannot be written, or this store has an intake open already.
        """
        with _translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
        try:
            with _translated(self.path):
                number = self._db.execute("INSERT INTO intakes DEFAULT VALUES").lastrowid or 0
            yield _SqliteIntake(self, self._db, number)
            with _translated(self.path):
                self._db.execute("COMMIT")
        except BaseException:
            self._numbers.clear()  # it may hold meters that are not stored now
            with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    def add(self, readings: Iterable[Reading]) -> int:
        """Store readings, all or nothing; return how many (R-1, R-2).

        Raises:
            ReadingExistsError: one is there already, or comes twice; nothing was stored.
            OutOfRangeError: one's time or energy is impossible; nothing was stored.
        """
        return add_all(self, readings)

    def find(self, meter: str, channel: Direction, start_s: int) -> Reading | None:
        """The reading of one meter in one period, or None: a gap (R-3)."""
        return next(self._select("WHERE name = ? AND channel = ? AND start_s = ?", meter, int(channel), start_s), None)

    def slot(self, channel: Direction, start_s: int) -> list[Reading]:
        """All meters' readings of one period, by name."""
        return list(self._select("WHERE start_s = ? AND channel = ? ORDER BY name", start_s, int(channel)))

    def of_meter(self, meter: str, channel: Direction, start_s: int, end_s: int) -> Iterator[Reading]:
        """One meter's readings whose periods start in [start_s, end_s), in order."""
        where = "WHERE name = ? AND channel = ? AND start_s >= ? AND start_s < ? ORDER BY start_s"
        return self._select(where, meter, int(channel), start_s, end_s)

    def between(self, start_s: int, end_s: int) -> Iterator[Reading]:
        """All readings whose periods start in [start_s, end_s), by period, channel and name."""
        return self._select("WHERE start_s >= ? AND start_s < ? ORDER BY start_s, channel, name", start_s, end_s)

    def meters(self) -> list[MeterSpan]:
        """What there is of each meter, by name and channel."""
        query = (
            "SELECT name, channel, count(*), min(start_s), max(start_s) FROM readings JOIN meters ON meter = number "
            "GROUP BY meter, channel ORDER BY name, channel"
        )
        with _translated(self.path):
            return [MeterSpan(name, _DIRECTIONS[channel], *rest) for name, channel, *rest in self._db.execute(query)]

    def span(self) -> tuple[int, int] | None:
        """Starts of the first and the last period that have readings, or None if there are none."""
        with _translated(self.path):  # each subquery is one step in the index; both in one would read all
            first_s, last_s = self._db.execute(
                "SELECT (SELECT min(start_s) FROM readings), (SELECT max(start_s) FROM readings)"
            ).fetchone()
        return None if first_s is None else (first_s, last_s)

    def forget(self, before_s: int) -> int:
        """Erase the readings whose periods start before `before_s`, overwriting them; return how many there were.

        Raises:
            ReadingsBusyError: another process's intake did not end in time; nothing was erased.
        """
        with _translated(self.path):
            count = self._db.execute("DELETE FROM readings WHERE start_s < ?", (before_s,)).rowcount
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def forget_meter(self, meter: str, start_s: int, end_s: int) -> int:
        """Erase a meter's readings whose periods start in [start_s, end_s), and its name with the last; overwritten.

        Returns:
            How many readings there were.

        Raises:
            ReadingsBusyError: another process's intake did not end in time; nothing was erased.
        """
        self._numbers.pop(meter, None)
        within = "meter = (SELECT number FROM meters WHERE name = ?)"
        unused = "NOT EXISTS (SELECT 1 FROM readings WHERE readings.meter = meters.number)"
        with _translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                delete = f"DELETE FROM readings WHERE {within} AND start_s >= ? AND start_s < ?"  # noqa: S608 - constants
                count = self._db.execute(delete, (meter, start_s, end_s)).rowcount
                self._db.execute(f"DELETE FROM meters WHERE name = ? AND {unused}", (meter,))  # noqa: S608 - constants
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def number_of(self, meter: str) -> int:
        """The number under which a meter's readings stand; a new one within an intake if there is none."""
        if meter not in self._numbers:
            found = self._db.execute("SELECT number FROM meters WHERE name = ?", (meter,)).fetchone()
            insert = "INSERT INTO meters (name) VALUES (?)"
            self._numbers[meter] = found[0] if found else self._db.execute(insert, (meter,)).lastrowid or 0
        return self._numbers[meter]

    def _select(self, where: str, *values: object) -> Iterator[Reading]:
        with _translated(self.path):
            for name, channel, start_s, energy_wh in self._db.execute(_SELECT + where, values):
                yield Reading(name, _DIRECTIONS[channel], start_s, energy_wh)

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise ReadingsVersionError(store=str(self.path), version=version, known=VERSION)
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA journal_mode = WAL")
        if version == 0:
            self._make_tables()

    def _make_tables(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()  # another process may have been first
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == 0 and tables:
            self._db.execute("ROLLBACK")
            raise ReadingsDamagedError(store=str(self.path), detail="it holds other tables")
        if version == 0:
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("COMMIT")


class _SqliteIntake:
    """An intake as a transaction."""

    def __init__(self, store: SqliteReadings, db: sqlite3.Connection, number: int) -> None:
        self._store, self._db, self._number = store, db, number

    def offer(self, readings: Sequence[Reading]) -> list[tuple[int, Clash]]:
        """Take readings that are not there yet, and name the others by their position, in order (R-1)."""
        number_of, intake = self._store.number_of, self._number
        with _translated(self._store.path):
            rows = [
                (start_s, int(channel), number_of(meter), energy_wh, intake)
                for meter, channel, start_s, energy_wh in readings
            ]
            self._db.execute("SAVEPOINT chunk")
            try:
                self._db.executemany(_INSERT, rows)
                clashes = []
            except sqlite3.IntegrityError:  # at least one is there: find which
                self._db.execute("ROLLBACK TO chunk")
                clashes = self._one_by_one(rows)
            self._db.execute("RELEASE chunk")
        return clashes

    def _one_by_one(self, rows: Sequence[tuple[int, int, int, int, int]]) -> list[tuple[int, Clash]]:
        clashes = []
        for position, row in enumerate(rows):
            if self._db.execute(_INSERT + " ON CONFLICT DO NOTHING", row).rowcount == 0:
                query = "SELECT intake FROM readings WHERE start_s = ? AND channel = ? AND meter = ?"
                (intake,) = self._db.execute(query, row[:3]).fetchone()
                clashes.append((position, Clash.REPEATED if intake == self._number else Clash.STORED))
        return clashes


def _make_private(path: Path) -> None:
    make_private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))
    except FileExistsError:
        require_private(path)
    except OSError as failure:
        raise ReadingsUnavailableError(store=str(path), detail=failure.strerror or str(failure)) from failure


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's failures into the port's."""
    try:
        yield
    except sqlite3.Error as failure:
        raise _failure(path, failure) from failure


def _failure(path: Path, failure: sqlite3.Error) -> ReadingsError:
    code = getattr(failure, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ReadingsBusyError(store=str(path))
    if code == sqlite3.SQLITE_FULL:
        return ReadingsFullError(store=str(path))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ReadingsDamagedError(store=str(path), detail=str(failure))
    return ReadingsUnavailableError(store=str(path), detail=str(failure))
