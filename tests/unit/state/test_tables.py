"""Typed tables: keys sort as their parts do, prefixes are ranges, and what does not fit is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.state import B16, U8, U16, U32, U64, Map, Record, SideMap
from gridproof.state.context import Overlay
from gridproof.state.errors import KeyPartError, MissingRecordError
from gridproof.state.store import Table


class Thing(Record, frozen=True):
    size: int
    name: str


class Nothing:
    def read(self, table: Table, key: bytes) -> bytes | None:
        return None

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(())


THINGS = Map(module=7, collection=3, key=(U16, U8), value=Thing)
COUNTS = Map(module=7, collection=4, key=(), value=U64)
BODIES = SideMap(module=7, collection=5, key=(B16,), value=Thing)


@pytest.fixture
def view() -> Overlay:
    return Overlay(Nothing())


def test_a_key_is_module_collection_and_the_parts_big_endian() -> None:
    assert THINGS.key(0x0102, 3) == bytes((7, 3, 1, 2, 3))
    assert THINGS.key(0x0102) == bytes((7, 3, 1, 2))
    assert COUNTS.key() == bytes((7, 4))


def test_what_is_put_is_found_and_what_is_deleted_is_not(view: Overlay) -> None:
    assert THINGS.find(view, 1, 2) is None
    THINGS.put(view, 1, 2, value=Thing(5, "a"))
    assert THINGS.get(view, 1, 2) == Thing(5, "a")
    assert THINGS.has(view, 1, 2)
    THINGS.delete(view, 1, 2)
    THINGS.delete(view, 1, 2)
    assert not THINGS.has(view, 1, 2)


def test_get_without_a_record_is_a_fault_unless_a_default_is_given(view: Overlay) -> None:
    assert THINGS.get(view, 1, 2, default=None) is None
    assert COUNTS.get(view, default=9) == 9
    with pytest.raises(MissingRecordError) as missing:
        THINGS.get(view, 1, 2)
    assert (missing.value.module, missing.value.collection, missing.value.key) == (7, 3, THINGS.key(1, 2))


def test_a_zero_is_a_value_and_not_a_gap(view: Overlay) -> None:
    COUNTS.put(view, value=0)
    assert COUNTS.get(view, default=9) == 0
    assert COUNTS.has(view)


@pytest.mark.parametrize("parts", [(2**16, 1), (-1, 1), (1, 256), ("x", 1), (b"ab", 1), (None, 1), (1, 2, 3), (1,), ()])
def test_a_part_that_does_not_fit_is_refused_and_nothing_written(view: Overlay, parts: tuple[Any, ...]) -> None:
    with pytest.raises(KeyPartError) as refused:
        THINGS.put(view, *parts, value=Thing(1, "x"))
    assert (refused.value.module, refused.value.collection) == (7, 3)
    assert not view.changes[Table.STATE]


@pytest.mark.parametrize("value", [-1, 2**64, "1", None])
def test_a_value_that_does_not_fit_is_refused_and_nothing_written(view: Overlay, value: Any) -> None:
    with pytest.raises(KeyPartError):
        COUNTS.put(view, value=value)
    with pytest.raises(KeyPartError):
        THINGS.put(view, 1, 2, value=Thing(2**70, "x"))
    assert not view.changes[Table.STATE]


def test_bytes_of_another_width_are_refused(view: Overlay) -> None:
    with pytest.raises(KeyPartError):
        BODIES.has(view, b"short")


def test_a_side_table_lies_beside_the_state(view: Overlay) -> None:
    BODIES.put(view, bytes(16), value=Thing(1, "x"))
    assert not view.changes[Table.STATE]
    assert list(view.changes[Table.SIDE]) == [BODIES.key(bytes(16))]


def test_a_key_of_more_than_255_bytes_is_refused_when_it_is_declared() -> None:
    with pytest.raises(KeyPartError):
        Map(module=7, collection=9, key=(B16,) * 16, value=U8)


@given(st.dictionaries(st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 255)), st.integers(0, 9), max_size=12))
def test_entries_come_in_the_order_of_their_parts_and_a_prefix_is_a_range(entries: dict[tuple[int, int], int]) -> None:
    view = Overlay(Nothing())
    for (first, second), size in entries.items():
        THINGS.put(view, first, second, value=Thing(size, ""))
    assert [key for key, _ in THINGS.all(view)] == sorted(entries)
    for first, _ in entries:
        assert [key for key, _ in THINGS.under(view, first)] == sorted(key for key in entries if key[0] == first)


def test_tables_of_one_module_do_not_see_each_other(view: Overlay) -> None:
    wide = Map(module=7, collection=6, key=(U32,), value=U8)
    wide.put(view, 1, value=1)
    COUNTS.put(view, value=2)
    assert [key for key, _ in wide.all(view)] == [(1,)]
    assert list(THINGS.all(view)) == []
