"""What holds for the memory twin alone."""

from pathlib import Path

import pytest

from gridproof.state.store import MemoryStore, StoreFullError, Table, lmdb_store


def test_a_snapshot_costs_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.write({Table.STATE: {b"a": b"1"}})
    assert store.snapshot()._sheets is store.snapshot()._sheets


def test_a_write_leaves_the_tables_it_does_not_touch_as_they_are() -> None:
    store = MemoryStore()
    store.write({Table.STATE: {b"a": b"1"}, Table.SIDE: {b"a": b"1"}})
    before = store._sheets
    store.write({Table.STATE: {b"a": b"2"}})
    assert store._sheets[Table.SIDE] is before[Table.SIDE]
    assert before[Table.STATE].entries == {b"a": b"1"}


def test_a_copy_that_does_not_fit_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_store, "MAP_BYTES", 1 << 20)
    store = MemoryStore()
    store.write({Table.STATE: {b"%05d" % number: b"x" * 100 for number in range(20_000)}})
    with pytest.raises(StoreFullError):
        store.copy_to(str(tmp_path / "copy"))
    assert list((tmp_path / "copy").iterdir()) == []
