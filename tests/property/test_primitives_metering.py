"""Scheme P's arithmetic for any reading, leaf and bitmap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.domain import metering
from gridproof.domain.metering import BitmapError
from gridproof.domain.units import MAX_READING_WH, WORD

LEAVES = st.binary(min_size=32, max_size=32)
READINGS = st.integers(0, MAX_READING_WH - 1)


@given(READINGS, LEAVES, LEAVES)
def test_a_reading_comes_back_from_its_halves(reading_wh: int, first: bytes, second: bytes) -> None:
    record = metering.halves(reading_wh, first, second)
    assert all(0 <= half < WORD for half in record)
    assert metering.reading(record, first, second) == reading_wh


@given(st.lists(st.tuples(READINGS, LEAVES, LEAVES), max_size=8))
def test_a_slots_total_is_the_sum_of_halves_less_the_sum_of_masks(meters: list[tuple[int, bytes, bytes]]) -> None:
    halves = [half for meter in meters for half in metering.halves(*meter)]
    masks = [metering.mask(leaf) for _, *leaves in meters for leaf in leaves]
    assert (sum(halves) - sum(masks)) % WORD == sum(reading for reading, _, _ in meters)


@given(READINGS, READINGS, LEAVES, LEAVES)
def test_the_first_half_is_the_same_whatever_was_read(one: int, other: int, first: bytes, second: bytes) -> None:
    assert metering.halves(one, first, second).first == metering.halves(other, first, second).first


@given(st.integers(0, 200), st.data())
def test_a_bitmap_gives_its_positions_back(count: int, data: st.DataObject) -> None:
    positions = data.draw(st.sets(st.integers(0, count - 1)) if count else st.just(set[int]()))
    bitmap = metering.bitmap_of(count, positions)
    assert metering.positions_in(bitmap, count) == tuple(sorted(positions))
    assert metering.marked(bitmap) == len(positions)
    assert [n for n in range(count + 9) if metering.is_marked(bitmap, n)] == sorted(positions)
    more = data.draw(st.sets(st.integers(0, count - 1)) if count else st.just(set[int]()))
    joined = metering.join_bitmaps([bitmap, metering.bitmap_of(count, more)], count)
    assert joined == metering.bitmap_of(count, positions | more)


@given(st.binary(max_size=10), st.integers(0, 80))
def test_any_bytes_are_a_bitmap_in_its_one_form_or_refused(raw: bytes, count: int) -> None:
    try:
        positions = metering.positions_in(raw, count)
    except BitmapError:
        with pytest.raises(BitmapError) as refusal:
            metering.require_bitmap(raw, count)
        assert refusal.value.count == count
    else:
        assert metering.bitmap_of(count, positions) == raw
