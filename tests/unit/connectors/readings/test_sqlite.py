"""The embedded store of readings: the port's contract, and what a file brings with it."""

import itertools
import sqlite3
import stat
from pathlib import Path

import pytest

from gridproof.connectors.files import FileExposedError
from gridproof.connectors.readings import (
    ReadingsBusyError,
    ReadingsDamagedError,
    ReadingsFullError,
    ReadingsUnavailableError,
    ReadingsVersionError,
    SqliteReadings,
)

from .contract import START_S, Fresh, ReadingsStoreContract, everything, reading


class TestSqliteReadings(ReadingsStoreContract):
    @pytest.fixture
    def fresh(self, tmp_path: Path) -> Fresh:
        numbers = itertools.count()
        return lambda: SqliteReadings(tmp_path / f"{next(numbers)}.db")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "readings.db"


def test_readings_outlive_the_process_that_stored_them(path: Path) -> None:
    with SqliteReadings(path) as store:
        store.add([reading()])
    with SqliteReadings(path) as store:
        assert everything(store) == [reading()]


def test_the_file_its_log_and_its_folder_are_their_owners_only(path: Path) -> None:
    with SqliteReadings(path) as store:
        store.add([reading()])
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert modes == {"readings.db": 0o600, "readings.db-wal": 0o600, "readings.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    SqliteReadings(path).close()
    path.chmod(0o640)
    with pytest.raises(FileExposedError, match="chmod 600"):
        SqliteReadings(path)


def test_r2_a_second_process_sees_nothing_of_an_open_intake_and_cannot_open_its_own(path: Path) -> None:
    with SqliteReadings(path) as store, SqliteReadings(path, busy_timeout_s=0.05) as other:
        with store.intake() as intake:
            intake.offer([reading()])
            assert everything(other) == []
            with pytest.raises(ReadingsBusyError) as refusal:
                other.add([reading()])
            assert refusal.value.store == str(path)
        assert everything(other) == [reading()]


def test_an_intake_within_an_intake_is_refused_and_the_outer_one_goes_on(path: Path) -> None:
    with SqliteReadings(path) as store:
        with store.intake() as intake:
            with pytest.raises(ReadingsUnavailableError):
                store.add([reading(k=1)])
            intake.offer([reading()])
        assert everything(store) == [reading()]


def test_r2_a_disk_that_fills_up_stores_nothing_and_the_store_lives_on(path: Path) -> None:
    with SqliteReadings(path) as store:
        store.add([reading()])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(ReadingsFullError):
            store.add(reading(k=k) for k in range(1, 20_000))
        assert everything(store) == [reading()]
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.add([reading(k=1)])
        assert everything(store) == [reading(), reading(k=1)]


def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"meter,start,energy_wh\n" * 100)
    path.chmod(0o600)
    with pytest.raises(ReadingsDamagedError):
        SqliteReadings(path)
    assert path.read_bytes() == b"meter,start,energy_wh\n" * 100


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE accounts (name TEXT)")
    other.close()
    path.chmod(0o600)
    with pytest.raises(ReadingsDamagedError, match="other tables"):
        SqliteReadings(path)


def test_a_truncated_store_is_one_sentence(path: Path) -> None:
    with SqliteReadings(path) as store:
        store.add(reading(k=k) for k in range(5_000))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ReadingsDamagedError), SqliteReadings(path) as store:
        everything(store)


def test_a_store_of_another_version_is_refused(path: Path) -> None:
    with SqliteReadings(path) as store:
        store._db.execute("PRAGMA user_version = 7")
    with pytest.raises(ReadingsVersionError) as refusal:
        SqliteReadings(path)
    assert (refusal.value.version, refusal.value.known) == (7, 1)


def test_a_place_where_no_file_can_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReadingsUnavailableError):
        SqliteReadings(Path("/proc/readings.db"))


def test_a_slot_and_a_meter_are_found_by_an_index(path: Path) -> None:
    with SqliteReadings(path) as store:
        for query in ("start_s = 1 AND channel = 1", "meter = 1 AND channel = 1 AND start_s >= 1"):
            plan = str(store._db.execute(f"EXPLAIN QUERY PLAN SELECT * FROM readings WHERE {query}").fetchall())
            assert "SEARCH" in plan


def test_forgotten_readings_are_overwritten_in_the_file(path: Path) -> None:
    with SqliteReadings(path) as store:
        store.add([reading(energy_wh=0x5EC4E7)])
        store.forget(START_S + 1)
    assert b"\x5e\xc4\xe7" not in path.read_bytes()
