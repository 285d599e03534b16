"""What holds for the durable store alone: files, disks, processes, damage."""

import errno
import os
import signal
import subprocess
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import lmdb
import pytest

from gridproof.state.store import (
    LmdbStore,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreFailedError,
    StoreFullError,
    StoreInUseError,
    StoreMissingError,
    StoreReadOnlyError,
    Table,
    TooManySnapshotsError,
    lmdb_store,
)

from .conftest import Child, child_command, child_environment


def filled(folder: str, entries: int = 100) -> None:
    store = LmdbStore(folder)
    store.write({Table.STATE: {b"%05d" % number: b"x" * 100 for number in range(entries)}})
    store.close()


def state_of(folder: str) -> dict[bytes, bytes]:
    store = LmdbStore(folder)
    with store.snapshot() as snapshot:
        found = dict(snapshot.scan(Table.STATE))
    store.close()
    return found


def failure(kind: type[lmdb.Error], code: int) -> lmdb.Error:
    """An error as the database's binding raises it."""
    made = kind("words of the database")
    made.__dict__["code"] = code
    return made


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_store_opened_again_holds_what_was_written(folder: str) -> None:
    filled(folder)
    assert state_of(folder) == {b"%05d" % number: b"x" * 100 for number in range(100)}


def test_folder_and_files_are_their_owners_alone(folder: str) -> None:
    before = os.umask(0)
    try:
        filled(folder)
    finally:
        os.umask(before)
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in Path(folder).iterdir()}
    assert modes == {"data.mdb": 0o600, "lock.mdb": 0o600}


def test_a_folder_that_is_there_keeps_its_mode(folder: str) -> None:
    Path(folder).mkdir(mode=0o750)
    filled(folder)
    assert Path(folder).stat().st_mode & 0o777 == 0o750


def test_a_large_map_does_not_make_a_large_file(folder: str) -> None:
    filled(folder)
    assert (Path(folder) / "data.mdb").stat().st_size < 1 << 20


def test_a_store_below_a_missing_folder_is_refused_and_nothing_made(tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "store")
    with pytest.raises(StoreMissingError) as refusal:
        LmdbStore(path)
    assert refusal.value.path == path
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_folders_place_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.write_text("letters")
    for read_only in (False, True):
        with pytest.raises(StoreMissingError):
            LmdbStore(str(file), read_only=read_only)
    assert file.read_text() == "letters"


def test_a_second_opening_in_one_process_is_refused_and_the_first_goes_on(folder: str) -> None:
    store = LmdbStore(folder)
    with pytest.raises(StoreInUseError) as refusal:
        LmdbStore(folder)
    assert refusal.value.path == folder
    store.write({Table.META: {b"m": b"1"}})
    store.close()


# --- reading only ----------------------------------------------------------------------------------------------------


def test_a_store_opened_for_reading_reads_and_refuses_to_write(folder: str) -> None:
    filled(folder)
    store = LmdbStore(folder, read_only=True)
    with pytest.raises(StoreReadOnlyError) as refusal:
        store.write({Table.STATE: {b"00000": b"changed"}})
    assert refusal.value.path == folder
    with store.snapshot() as snapshot:
        assert snapshot.get(Table.STATE, b"00000") == b"x" * 100
    store.close()


def test_reading_a_missing_store_is_refused_and_nothing_made(folder: str) -> None:
    with pytest.raises(StoreMissingError):
        LmdbStore(folder, read_only=True)
    assert not Path(folder).exists()
    Path(folder).mkdir()
    with pytest.raises(StoreMissingError):
        LmdbStore(folder, read_only=True)
    assert list(Path(folder).iterdir()) == []


def test_reading_a_database_without_the_tables_is_refused(folder: str) -> None:
    Path(folder).mkdir()
    lmdb.open(folder).close()
    with pytest.raises(StoreMissingError):
        LmdbStore(folder, read_only=True)


def test_another_process_reads_while_this_one_writes(folder: str, child: Child) -> None:
    store = LmdbStore(folder)
    store.write({Table.META: {b"n": b"1"}})
    script = """
        store = LmdbStore(sys.argv[1], read_only=True)
        with store.snapshot() as snapshot:
            print(snapshot.get(Table.META, b"n").decode())
    """
    assert child(script, folder) == "1"
    store.write({Table.META: {b"n": b"2"}})
    assert child(script, folder) == "2"
    store.close()


PROTECTED_SCRIPT = """
    import os, pathlib
    folder = sys.argv[1]
    LmdbStore(folder).close()
    for place in (folder, folder + "/data.mdb", folder + "/lock.mdb"):
        os.chmod(place, int(sys.argv[2], 8))
    os.chmod(folder, int(sys.argv[3], 8))
    before = pathlib.Path(folder, "data.mdb").read_bytes()
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        assert pathlib.Path(folder, "data.mdb").read_bytes() == before
        assert sorted(os.listdir(folder)) == ["data.mdb", "lock.mdb"]
    else:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            try:
                LmdbStore(folder if sys.argv[4] == "open" else folder + "/below")
            except StoreReadOnlyError as refusal:
                assert refusal.path.startswith(folder)
                os._exit(0)
        finally:
            os._exit(1)
"""


@pytest.mark.parametrize(
    ("files", "mode", "what"), [("444", "555", "open"), ("400", "500", "open"), ("644", "555", "below")]
)
def test_a_protected_folder_is_refused_in_one_sentence_and_kept(child: Child, files: str, mode: str, what: str) -> None:
    with TemporaryDirectory() as above:  # not below pytest's own, which other users may not enter
        Path(above).chmod(0o755)
        child(PROTECTED_SCRIPT, above + "/store", files, mode, what)


# --- damage ----------------------------------------------------------------------------------------------------------


def test_no_truncation_goes_unnoticed_or_kills_the_process(folder: str, child: Child) -> None:
    store = LmdbStore(folder)
    for number in range(12):
        store.write({Table.STATE: {b"%02d-%04d" % (number, entry): b"x" * 200 for entry in range(150)}})
    # A table that comes and goes leaves free pages at the end, which the file may lack without harm.
    store.write({Table.EVENTS: {b"%04d" % entry: b"x" * 200 for entry in range(600)}})
    store.write({Table.EVENTS: {b"%04d" % entry: None for entry in range(600)}})
    for number in range(6):
        store.write({Table.META: {b"m": b"%d" % number}, Table.EVENTS: {b"m": b"%d" % number}})
    store.close()
    before = state_of(folder)
    script = """
        import pathlib
        file = pathlib.Path(sys.argv[1], "data.mdb")
        whole = file.read_bytes()
        counts = {"refused": 0, "whole": 0}
        sizes = [0, 1, 100, 151, 152, 4095, 4096, 4300, 8191, 8192, *range(12288, len(whole), 4096), len(whole)]
        for size in sizes:
            file.write_bytes(whole[:size])
            try:
                store = LmdbStore(sys.argv[1])
            except StoreCorruptError as refusal:
                assert refusal.path == sys.argv[1] and refusal.detail
                assert file.read_bytes() == whole[:size]
                counts["refused"] += 1
                continue
            with store.snapshot() as snapshot:
                assert len(list(snapshot.scan(Table.STATE))) == int(sys.argv[2]), size
            store.write({Table.META: {b"m": b"1"}})
            store.close()
            counts["whole"] += 1
        print(counts["refused"], counts["whole"])
    """
    refused, whole = map(int, child(script, folder, str(len(before))).split())
    assert refused > 10
    assert whole >= 2


@pytest.mark.parametrize(
    ("at", "damage"),
    [
        (0, b"this is a letter, not a database" * 300),
        (16, b"\0\0\0\0"),
        (20, b"\x63\0\0\0"),
        (40, b"\0\0\0\0"),
        (40, b"\x07\0\0\0"),
        (4096 + 16, b"\xff\xff\xff\xff"),
    ],
)
def test_what_is_no_database_is_refused_and_kept(folder: str, at: int, damage: bytes) -> None:
    filled(folder)
    file = Path(folder) / "data.mdb"
    raw = bytearray(file.read_bytes())
    raw[at : at + len(damage)] = damage
    file.write_bytes(raw)
    with pytest.raises(StoreCorruptError) as refusal:
        LmdbStore(folder)
    assert refusal.value.path == folder
    assert file.read_bytes() == raw


def test_a_damaged_page_met_while_reading_is_told_as_damage(folder: str, child: Child) -> None:
    filled(folder, 2000)
    script = """
        import pathlib
        file = pathlib.Path(sys.argv[1], "data.mdb")
        raw = bytearray(file.read_bytes())
        for page in range(2, len(raw) // 4096):
            raw[page * 4096 + 10 : page * 4096 + 16] = bytes(6)
        file.write_bytes(raw)
        try:
            store = LmdbStore(sys.argv[1])
            with store.snapshot() as snapshot:
                list(snapshot.scan(Table.STATE))
        except StoreCorruptError as refusal:
            print(refusal.path)
    """
    assert child(script, folder) == folder


# --- room ------------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_and_nothing_lost(folder: str, child: Child) -> None:
    script = """
        import resource
        store = LmdbStore(sys.argv[1])
        store.write({Table.STATE: {b"kept": b"1"}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        try:
            store.write({Table.STATE: {b"%05d" % n: b"x" * 100 for n in range(10_000)}, Table.META: {b"m": b"1"}})
        except StoreFullError as refusal:
            assert refusal.path == sys.argv[1]
        else:
            sys.exit(3)
        with store.snapshot() as snapshot:
            assert dict(snapshot.scan(Table.STATE)) == {b"kept": b"1"}
            assert snapshot.get(Table.META, b"m") is None
        store.write({Table.STATE: {b"fits": b"2"}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.write({Table.STATE: {b"after": b"3" * 1_000_000}})
        store.close()
    """
    child(script, folder)
    assert list(state_of(folder)) == [b"after", b"fits", b"kept"]


def test_a_copy_to_a_full_disk_is_told_and_leaves_no_file(folder: str, tmp_path: Path, child: Child) -> None:
    filled(folder, 5000)
    script = """
        import resource
        store = LmdbStore(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            store.copy_to(sys.argv[2])
        except StoreFullError as refusal:
            assert refusal.path == sys.argv[2]
        else:
            sys.exit(3)
    """
    child(script, folder, str(tmp_path / "copy"))
    assert list((tmp_path / "copy").iterdir()) == []
    assert len(state_of(folder)) == 5000


def test_a_full_map_is_told_and_nothing_lost(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_store, "MAP_BYTES", 1 << 20)
    store = LmdbStore(folder)
    store.write({Table.STATE: {b"kept": b"1"}})
    with pytest.raises(StoreFullError) as refusal:
        store.write({Table.STATE: {b"%05d" % number: b"x" * 100 for number in range(20_000)}})
    assert refusal.value.path == folder
    store.write({Table.STATE: {b"also": b"2"}})
    store.close()
    assert state_of(folder) == {b"also": b"2", b"kept": b"1"}


def test_a_system_with_few_addresses_gets_a_smaller_map(folder: str, child: Child) -> None:
    script = """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
        store = LmdbStore(sys.argv[1])
        store.write({Table.META: {b"m": b"1"}})
        print(store._environment.info()["map_size"])
        store.close()
    """
    assert lmdb_store.LEAST_MAP_BYTES <= int(child(script, folder)) <= 8 << 30


def test_a_system_without_addresses_is_told(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def refuse(path: str, *, map_size: int, **options: object) -> lmdb.Environment:
        tried.append(map_size)
        raise failure(lmdb.Error, errno.ENOMEM)

    monkeypatch.setattr(lmdb, "open", refuse)
    with pytest.raises(StoreFailedError) as refusal:
        LmdbStore(folder)
    assert refusal.value.path == folder
    assert tried[0] == 1 << 40
    assert tried[-1] == lmdb_store.LEAST_MAP_BYTES


def test_one_snapshot_too_many_is_refused_and_the_others_read_on(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_store, "MAX_SNAPSHOTS", 4)
    store = LmdbStore(folder)
    store.write({Table.META: {b"m": b"1"}})
    snapshots = [store.snapshot() for _ in range(4)]
    with pytest.raises(TooManySnapshotsError) as refusal:
        store.snapshot()
    assert refusal.value.limit == 4
    assert [snapshot.get(Table.META, b"m") for snapshot in snapshots] == [b"1"] * 4
    snapshots.pop().close()
    store.snapshot().close()
    store.close()


# --- processes that end --------------------------------------------------------------------------------------------


def test_killed_while_writing_the_last_write_stands_whole(folder: str) -> None:
    script = """
        store = LmdbStore(sys.argv[1])
        with store.snapshot() as snapshot:
            number = int(snapshot.get(Table.META, b"n") or b"0")
        while True:
            number += 1
            text = b"%d" % number
            store.write({Table.META: {b"n": text}, Table.STATE: {b"%03d" % key: text for key in range(200)}})
            print(number, flush=True)
    """
    reached = 0
    for _ in range(3):
        writer = subprocess.Popen(child_command(script, folder), stdout=subprocess.PIPE, env=child_environment())
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().splitlines()]
        writer.wait()
        writer.stdout.close()
        store = LmdbStore(folder)
        with store.snapshot() as snapshot:
            number = int(snapshot.get(Table.META, b"n") or b"0")
            values = [int(value) for _, value in snapshot.scan(Table.STATE)]
        store.close()
        assert reached < told[-1] <= number <= told[-1] + 1
        assert values == [number] * 200
        reached = number


def test_snapshots_of_a_dead_process_do_not_stay_in_the_way(
    folder: str, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_store, "MAX_SNAPSHOTS", 4)
    filled(folder)
    script = """
        import os
        store = LmdbStore(sys.argv[1], read_only=True)
        snapshots = [store.snapshot() for _ in range(4)]
        os._exit(0)
    """
    child(script, folder)
    store = LmdbStore(folder)
    snapshots = [store.snapshot() for _ in range(4)]
    for snapshot in snapshots:
        snapshot.close()
    store.close()


def test_long_readers_in_threads_do_not_stop_the_map_from_filling(folder: str) -> None:
    store = LmdbStore(folder)
    store.write({Table.STATE: {b"n": b"0"}})
    holding, done, seen = threading.Event(), threading.Event(), []

    def hold() -> None:
        with store.snapshot() as snapshot:
            holding.set()
            done.wait()
            seen.append(len(list(snapshot.scan(Table.STATE))))

    reader = threading.Thread(target=hold)
    reader.start()
    holding.wait()
    for number in range(8):
        store.write({Table.STATE: {b"%d-%04d" % (number, entry): b"x" * 1000 for entry in range(2000)}})
    done.set()
    reader.join()
    store.close()
    assert seen == [1]
    assert (Path(folder) / "data.mdb").stat().st_size > 12 << 20  # more than LMDB's own default map


# --- the words of the database ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        (lmdb.Error, errno.ENOSPC, StoreFullError),
        (lmdb.Error, errno.EIO, StoreFullError),
        (lmdb.Error, errno.EACCES, StoreReadOnlyError),
        (lmdb.Error, errno.EROFS, StoreReadOnlyError),
        (lmdb.Error, errno.ENOENT, StoreMissingError),
        (lmdb.Error, errno.EAGAIN, StoreFailedError),
        (lmdb.PanicError, -30795, StoreFailedError),
        (lmdb.CorruptedError, -30796, StoreCorruptError),
        (lmdb.VersionMismatchError, -30794, StoreCorruptError),
        (lmdb.Error, 0, StoreClosedError),
    ],
)
def test_every_failure_of_the_database_is_told_by_its_kind(
    folder: str, kind: type[lmdb.Error], code: int, expected: type[StoreError]
) -> None:
    assert type(lmdb_store._refusal(folder, failure(kind, code))) is expected
