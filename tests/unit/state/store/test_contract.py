"""What every store keeps to, the durable one and its twin in memory (rules of `port`)."""

import threading
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridproof.state.store import (
    MAX_KEY_BYTES,
    EmptyValueError,
    KeySizeError,
    LmdbStore,
    Store,
    StoreClosedError,
    StoreExistsError,
    StoreMissingError,
    Table,
)
from gridproof.state.store.port import Changes

Content = dict[Table, dict[bytes, bytes]]


def content(store: Store) -> Content:
    with store.snapshot() as snapshot:
        return {table: dict(snapshot.scan(table)) for table in Table}


def test_a_new_store_is_empty(store: Store) -> None:
    assert content(store) == {table: {} for table in Table}
    with store.snapshot() as snapshot:
        assert snapshot.get(Table.STATE, b"k") is None


def test_what_was_written_is_read_and_none_removes_it(store: Store) -> None:
    store.write({Table.STATE: {b"a": b"1", b"b": b"2"}, Table.SIDE: {b"a": b"side"}})
    store.write({Table.STATE: {b"a": None, b"b": b"3", b"c": None}})
    with store.snapshot() as snapshot:
        assert snapshot.get(Table.STATE, b"a") is None
        assert snapshot.get(Table.STATE, b"b") == b"3"
        assert snapshot.get(Table.SIDE, b"a") == b"side"


def test_tables_do_not_share_keys(store: Store) -> None:
    store.write({table: {b"key": b"%d" % table} for table in Table})
    with store.snapshot() as snapshot:
        assert [snapshot.get(table, b"key") for table in Table] == [b"%d" % table for table in Table]


def test_an_empty_write_changes_nothing(store: Store) -> None:
    store.write({Table.STATE: {b"a": b"1"}})
    before = content(store)
    store.write({})
    store.write({Table.STATE: {}})
    assert content(store) == before


def test_a_value_of_a_megabyte_comes_back(store: Store) -> None:
    body = bytes(range(256)) * 4096
    store.write({Table.BLOCKS: {b"1": body}})
    with store.snapshot() as snapshot:
        assert snapshot.get(Table.BLOCKS, b"1") == body


# --- rule 1: whole or not at all -------------------------------------------------------------------------------------


def test_an_empty_value_is_refused_and_nothing_of_its_write_is_made(store: Store) -> None:
    store.write({Table.STATE: {b"a": b"1"}})
    with pytest.raises(EmptyValueError) as refusal:
        store.write({Table.META: {b"m": b"1"}, Table.STATE: {b"a": None, b"z": b""}})
    assert (refusal.value.table, refusal.value.key) == (Table.STATE, b"z")
    assert content(store)[Table.STATE] == {b"a": b"1"}
    assert content(store)[Table.META] == {}


@pytest.mark.parametrize("length", [0, MAX_KEY_BYTES + 1])
@pytest.mark.parametrize("value", [b"v", None])
def test_a_key_of_a_wrong_size_is_refused_and_nothing_of_its_write_is_made(
    store: Store, length: int, value: bytes | None
) -> None:
    with pytest.raises(KeySizeError) as refusal:
        store.write({Table.SIDE: {b"good": b"1", bytes(length): value}})
    assert (refusal.value.table, refusal.value.length) == (Table.SIDE, length)
    assert content(store)[Table.SIDE] == {}


def test_the_longest_key_is_taken(store: Store) -> None:
    store.write({Table.SIDE: {b"k" * MAX_KEY_BYTES: b"1"}})
    with store.snapshot() as snapshot:
        assert snapshot.get(Table.SIDE, b"k" * MAX_KEY_BYTES) == b"1"


@pytest.mark.parametrize("length", [0, MAX_KEY_BYTES + 1])
def test_reading_a_key_of_a_wrong_size_is_refused(store: Store, length: int) -> None:
    with store.snapshot() as snapshot, pytest.raises(KeySizeError) as refusal:
        snapshot.get(Table.META, bytes(length))
    assert (refusal.value.table, refusal.value.length) == (Table.META, length)


# --- rule 2: snapshots -----------------------------------------------------------------------------------------------


def test_a_snapshot_shows_its_moment_whatever_is_written_later(store: Store) -> None:
    store.write({Table.STATE: {b"a": b"1", b"b": b"2"}})
    with store.snapshot() as before:
        store.write({Table.STATE: {b"a": b"changed", b"b": None, b"c": b"new"}})
        assert before.get(Table.STATE, b"a") == b"1"
        assert before.get(Table.STATE, b"c") is None
        assert dict(before.scan(Table.STATE)) == {b"a": b"1", b"b": b"2"}
        with store.snapshot() as after:
            assert dict(after.scan(Table.STATE)) == {b"a": b"changed", b"c": b"new"}


def test_many_snapshots_each_show_their_moment(store: Store) -> None:
    snapshots = []
    for number in range(50):
        store.write({Table.META: {b"n": b"%d" % number}})
        snapshots.append(store.snapshot())
    for number, snapshot in enumerate(snapshots):
        assert snapshot.get(Table.META, b"n") == b"%d" % number
        snapshot.close()


def test_a_snapshot_can_be_used_from_another_thread(store: Store) -> None:
    store.write({Table.STATE: {b"%03d" % number: b"x" for number in range(200)}})
    snapshot = store.snapshot()
    seen: list[int] = []

    def read() -> None:
        seen.append(len(list(snapshot.scan(Table.STATE))))
        snapshot.close()

    thread = threading.Thread(target=read)
    thread.start()
    store.write({Table.STATE: {b"later": b"x"}})
    thread.join()
    assert seen == [200]


def test_readers_in_threads_never_see_half_a_write(store: Store) -> None:
    store.write({Table.STATE: {b"n": b"0"}, Table.EVENTS: {b"n": b"0"}})
    torn: list[tuple[bytes | None, bytes | None]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with store.snapshot() as snapshot:
                pair = snapshot.get(Table.STATE, b"n"), snapshot.get(Table.EVENTS, b"n")
                if pair[0] != pair[1]:
                    torn.append(pair)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(100):
        store.write({Table.STATE: {b"n": b"%d" % number}, Table.EVENTS: {b"n": b"%d" % number}})
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []


def test_a_closed_snapshot_is_refused_and_closing_again_does_nothing(store: Store) -> None:
    store.write({Table.STATE: {b"a": b"1", b"b": b"2"}})
    snapshot = store.snapshot()
    running = snapshot.scan(Table.STATE)
    assert next(running) == (b"a", b"1")
    snapshot.close()
    snapshot.close()
    with pytest.raises(StoreClosedError):
        snapshot.get(Table.STATE, b"a")
    with pytest.raises(StoreClosedError):
        snapshot.scan(Table.STATE)
    with pytest.raises(StoreClosedError):
        next(running)
    assert content(store)[Table.STATE] == {b"a": b"1", b"b": b"2"}


def test_a_closed_store_is_refused_with_its_snapshots_and_closing_again_does_nothing(
    store: Store, tmp_path: Path
) -> None:
    store.write({Table.STATE: {b"a": b"1"}})
    snapshot = store.snapshot()
    store.close()
    store.close()
    with pytest.raises(StoreClosedError):
        store.snapshot()
    with pytest.raises(StoreClosedError):
        store.write({Table.STATE: {b"a": b"2"}})
    with pytest.raises(StoreClosedError):
        store.copy_to(str(tmp_path / "copy"))
    with pytest.raises(StoreClosedError):
        snapshot.get(Table.STATE, b"a")
    snapshot.close()


# --- rule 3: order ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "start", "expected"),
    [
        (b"", b"", [b"\x00", b"a", b"ab", b"abc", b"b", b"\xff"]),
        (b"a", b"", [b"a", b"ab", b"abc"]),
        (b"a", b"ab", [b"ab", b"abc"]),
        (b"a", b"aa", [b"ab", b"abc"]),
        (b"a", b"\x00", [b"a", b"ab", b"abc"]),
        (b"a", b"b", []),
        (b"ac", b"", []),
        (b"", b"abd", [b"b", b"\xff"]),
        (b"\xff", b"", [b"\xff"]),
        (b"\xff\xff", b"", []),
    ],
)
def test_a_scan_goes_up_from_its_start_within_its_prefix(
    store: Store, prefix: bytes, start: bytes, expected: list[bytes]
) -> None:
    keys = [b"abc", b"\xff", b"a", b"b", b"\x00", b"ab"]
    store.write({Table.EVENTS: {key: b"v" + key for key in keys}})
    with store.snapshot() as snapshot:
        assert list(snapshot.scan(Table.EVENTS, prefix, start)) == [(key, b"v" + key) for key in expected]


@pytest.mark.parametrize("place", ["prefix", "start"])
def test_a_scan_with_too_long_a_key_is_refused(store: Store, place: str) -> None:
    with store.snapshot() as snapshot, pytest.raises(KeySizeError) as refusal:
        snapshot.scan(Table.META, **{place: bytes(MAX_KEY_BYTES + 1)})
    assert (refusal.value.table, refusal.value.length) == (Table.META, MAX_KEY_BYTES + 1)


def test_a_scan_can_be_left_and_others_run_beside_it(store: Store) -> None:
    store.write({Table.STATE: {b"%03d" % number: b"x" for number in range(100)}})
    with store.snapshot() as snapshot:
        first, second = snapshot.scan(Table.STATE), snapshot.scan(Table.STATE, start=b"050")
        assert [key for key, _ in islice(first, 2)] == [b"000", b"001"]
        assert next(second)[0] == b"050"
        store.write({Table.STATE: {b"002": None}})
        assert next(first)[0] == b"002"


# --- copies ----------------------------------------------------------------------------------------------------------


def test_a_copy_holds_what_the_store_held_and_neither_follows_the_other(store: Store, tmp_path: Path) -> None:
    store.write({Table.STATE: {b"%04d" % number: b"x" * 100 for number in range(500)}, Table.META: {b"m": b"1"}})
    before = content(store)
    store.copy_to(str(tmp_path / "copy"))
    store.write({Table.META: {b"m": b"2"}})
    copy = LmdbStore(str(tmp_path / "copy"))
    assert content(copy) == before
    copy.write({Table.META: {b"m": b"3"}})
    assert content(store)[Table.META] == {b"m": b"2"}
    copy.close()
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "copy" / "data.mdb").stat().st_mode & 0o777 == 0o600


def test_a_copy_made_while_writing_goes_on_is_of_one_moment(store: Store, tmp_path: Path) -> None:
    padding = {b"pad%04d" % number: b"x" * 400 for number in range(1500)}
    store.write({Table.STATE: {b"n": b"0", **padding}, Table.EVENTS: {b"n": b"0"}})
    started, done = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            store.write({Table.STATE: {b"n": b"%d" % number}, Table.EVENTS: {b"n": b"%d" % number}})
            started.set()

    writer = threading.Thread(target=write)
    writer.start()
    started.wait()
    for number in range(2):
        store.copy_to(str(tmp_path / f"copy{number}"))
    done.set()
    writer.join()
    for number in range(2):
        copy = LmdbStore(str(tmp_path / f"copy{number}"))
        held = content(copy)
        copy.close()
        assert held[Table.STATE][b"n"] == held[Table.EVENTS][b"n"]
        assert len(held[Table.STATE]) == len(padding) + 1


def test_a_copy_onto_a_store_is_refused_and_that_store_kept(store: Store, tmp_path: Path) -> None:
    target = str(tmp_path / "copy")
    store.write({Table.META: {b"m": b"1"}})
    store.copy_to(target)
    store.write({Table.META: {b"m": b"2"}})
    with pytest.raises(StoreExistsError) as refusal:
        store.copy_to(target)
    assert refusal.value.path == target
    copy = LmdbStore(target)
    assert content(copy)[Table.META] == {b"m": b"1"}
    copy.close()


def test_a_copy_below_a_missing_folder_is_refused(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "copy"
    with pytest.raises(StoreMissingError) as refusal:
        store.copy_to(str(target))
    assert refusal.value.path == str(target)
    assert not target.parent.exists()


# --- against a model -------------------------------------------------------------------------------------------------

KEYS = st.binary(min_size=1, max_size=3)
WRITES = st.lists(
    st.dictionaries(
        st.sampled_from([Table.STATE, Table.EVENTS]),
        st.dictionaries(KEYS, st.none() | st.binary(min_size=1, max_size=4), max_size=8),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES, prefix=st.binary(max_size=2), start=st.binary(max_size=3))
def test_random_writes_are_read_as_a_model_has_them(
    store: Store, writes: list[Changes], prefix: bytes, start: bytes
) -> None:
    store.write({table: dict.fromkeys(entries) for table, entries in content(store).items()})
    model: Content = {table: {} for table in Table}
    for changes in writes:
        store.write(changes)
        for table, entries in changes.items():
            for key, value in entries.items():
                if value is None:
                    model[table].pop(key, None)
                else:
                    model[table][key] = value
    with store.snapshot() as snapshot:
        for table in Table:
            expected = [
                (key, value) for key, value in sorted(model[table].items()) if key.startswith(prefix) and key >= start
            ]
            assert list(snapshot.scan(table, prefix, start)) == expected
