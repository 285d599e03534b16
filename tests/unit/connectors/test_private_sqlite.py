"""Private databases: rules Q-1 to Q-3, and failures in one sentence."""

import sqlite3
from pathlib import Path

import pytest

from gridproof.connectors.files import FileExposedError, FileUnreadableError
from gridproof.connectors.private_sqlite import (
    DatabaseBusyError,
    DatabaseDamagedError,
    DatabaseFullError,
    DatabaseUnavailableError,
    DatabaseVersionError,
    PrivateDatabase,
)

SCHEMA = "CREATE TABLE things (name TEXT PRIMARY KEY, body BLOB)"
PUT = "INSERT INTO things VALUES (?, ?)"


def opened(folder: Path) -> PrivateDatabase:
    return PrivateDatabase(folder / "deep" / "things.db", SCHEMA, 1)


def interrupted(db: PrivateDatabase) -> None:
    with db.transaction():
        db.run(PUT, [("c", b"")])
        raise RuntimeError


def names(db: PrivateDatabase) -> list[str]:
    return [name for (name,) in db.select("SELECT name FROM things ORDER BY name")]


def test_q1_what_a_transaction_wrote_is_there_afterwards_all_or_nothing(tmp_path: Path) -> None:
    db = opened(tmp_path)
    with db.transaction():
        db.run(PUT, [("a", b"")])
        with db.transaction():
            db.run(PUT, [("b", b"")])
    with pytest.raises(RuntimeError):
        interrupted(db)
    db.close()
    assert names(opened(tmp_path)) == ["a", "b"]


def test_q1_rows_are_stored_together_or_not_at_all(tmp_path: Path) -> None:
    db = opened(tmp_path)
    with pytest.raises(DatabaseUnavailableError):
        db.run(PUT, [("a", b""), ("a", b"")])
    assert names(db) == []


def test_q2_file_and_folder_are_their_owners_and_an_exposed_file_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    path = tmp_path / "deep" / "things.db"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.chmod(0o640)
    with pytest.raises(FileExposedError):
        opened(tmp_path)


def test_q3_nothing_deleted_stays_in_the_files(tmp_path: Path) -> None:
    db = opened(tmp_path)
    secret = b"a very particular body"
    db.run(PUT, [("a", secret)])
    folder = tmp_path / "deep"
    assert any(secret in path.read_bytes() for path in folder.iterdir())
    db.run("DELETE FROM things WHERE name = ?", [("a",)])
    db.truncate_log()
    assert not any(secret in path.read_bytes() for path in folder.iterdir())


def test_a_second_writer_is_told_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridproof.connectors.private_sqlite.BUSY_TIMEOUT_S", 0.05)
    first, second = opened(tmp_path), opened(tmp_path)
    with first.transaction():
        first.run(PUT, [("a", b"")])
        with pytest.raises(DatabaseBusyError) as refused:
            second.run(PUT, [("b", b"")])
    assert refused.value.path.endswith("things.db")
    assert names(second) == ["a"]


def test_a_full_disk_is_told_and_nothing_of_the_step_is_stored(tmp_path: Path) -> None:
    db = opened(tmp_path)
    db.run(PUT, [("a", b"")])
    db.select("PRAGMA max_page_count = 5")
    with pytest.raises(DatabaseFullError), db.transaction():
        db.run(PUT, [("b", b""), ("c", bytes(100_000))])
    assert names(db) == ["a"]
    db.select("PRAGMA max_page_count = 5000")
    db.run(PUT, [("b", b"")])
    assert names(db) == ["a", "b"]


def test_a_file_of_another_kind_version_or_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "things.db"
    opened(tmp_path).close()
    path.write_bytes(b"no database at all, but long enough to look at" * 30)
    with pytest.raises(DatabaseDamagedError):
        opened(tmp_path)
    path.unlink()
    for leftover in path.parent.iterdir():
        leftover.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE strangers (x)")
    other.close()
    path.chmod(0o600)
    with pytest.raises(DatabaseDamagedError) as refused:
        opened(tmp_path)
    assert refused.value.detail == "it holds other tables"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(DatabaseVersionError) as later:
        opened(tmp_path)
    assert (later.value.version, later.value.known) == (7, 1)
    with pytest.raises(FileUnreadableError):
        PrivateDatabase(tmp_path / "deep", SCHEMA, 1)
    with pytest.raises(DatabaseUnavailableError):
        PrivateDatabase(tmp_path / ("x" * 300), SCHEMA, 1)
