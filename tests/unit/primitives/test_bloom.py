"""Bloom filters: no false no, a false yes as seldom as promised, one form of bytes."""

import math
from typing import Any

import pytest

from gridproof.primitives.bloom import MAX_CAPACITY, MAX_ONE_IN, BloomFilter
from gridproof.primitives.errors import InvalidArgumentError, MalformedEncodingError


def items(start: int, count: int) -> list[bytes]:
    return [number.to_bytes(8, "big") for number in range(start, start + count)]


def filled(capacity: int, one_in: int) -> BloomFilter:
    made = BloomFilter.sized(capacity, one_in)
    made.update(items(0, capacity))
    return made


@pytest.mark.parametrize(
    ("capacity", "one_in", "tries"),
    [(1_000, 2, 20_000), (2_000, 10, 60_000), (500, 100, 300_000), (20_000, 50, 150_000)],
)
def test_the_measured_false_positive_rate_is_within_a_fifth_of_the_nominal_one(
    capacity: int, one_in: int, tries: int
) -> None:
    bloom = filled(capacity, one_in)
    hits = sum(item in bloom for item in items(10**9, tries))
    assert hits <= tries * 12 // (one_in * 10)


def test_a_rate_of_one_in_a_million_holds_by_the_bits_that_are_set() -> None:
    bloom = filled(5_000, 10**6)
    bits = int.from_bytes(bloom.to_bytes()[16:], "little").bit_count()
    assert (bits / bloom.bits) ** bloom.hashes < 1.2e-6  # independent indices: this is the rate
    assert not any(item in bloom for item in items(10**9, 50_000))


def test_small_filters_keep_their_rate_too() -> None:
    """Double hashing does not: nominal 1e-6 was 5e-4 on a small filter."""
    hits = tries = 0
    for batch in range(40):
        bloom = BloomFilter.sized(4, 1_000)
        bloom.update(items(batch * 4, 4))
        hits += sum(item in bloom for item in items(10**9 + batch * 5_000, 5_000))
        tries += 5_000
    assert hits <= tries * 3 // 1_000  # four items fill a filter unevenly; far from 500 times


@pytest.mark.parametrize("one_in", [2, 3, 6, 10, 23, 1_000, 10**6, 2**20, 2**40])
@pytest.mark.parametrize("capacity", [1, 10, 10_000])
def test_the_size_is_the_textbooks(capacity: int, one_in: int) -> None:
    bloom = BloomFilter.sized(capacity, one_in)
    ideal = capacity * math.log(one_in) / math.log(2) ** 2
    assert ideal <= bloom.bits <= ideal * 1.002 + 1
    assert abs(bloom.hashes - math.log2(one_in)) <= 0.51
    full = 1 - math.exp(-bloom.hashes * capacity / bloom.bits)
    assert full**bloom.hashes <= 1.05 / one_in


def test_adding_one_by_one_and_at_once_give_the_same_filter() -> None:
    one = BloomFilter.sized(300, 1_000)
    for item in items(0, 300):
        one.add(item)
    other = BloomFilter.sized(300, 1_000)
    other.update(iter(reversed(items(0, 300))))
    assert one == other
    assert one.to_bytes() == other.to_bytes()
    assert one.digest() == other.digest()
    assert all(item in one for item in items(0, 300))


def test_more_items_than_a_chunk_are_all_found() -> None:
    bloom = filled(9_000, 100)
    assert all(item in bloom for item in items(0, 9_000))


def test_an_empty_filter_contains_nothing() -> None:
    bloom = BloomFilter.sized(10, 10)
    bloom.update([])
    assert b"" not in bloom
    bloom.add(b"")
    assert b"" in bloom


def test_a_filter_comes_back_from_its_bytes_and_goes_on_growing() -> None:
    bloom = filled(100, 1_000)
    copy = BloomFilter.from_bytes(bloom.to_bytes())
    assert copy == bloom
    assert copy.digest() == bloom.digest()
    assert (copy.capacity, copy.one_in, copy.bits, copy.hashes) == (100, 1_000, bloom.bits, bloom.hashes)
    copy.update([b"new"])
    assert b"new" in copy
    assert copy != bloom
    assert copy.digest() != bloom.digest()


def test_filters_of_other_figures_differ() -> None:
    assert BloomFilter.sized(10, 1_000) != BloomFilter.sized(11, 1_000)
    assert BloomFilter.sized(10, 1_000).digest() != BloomFilter.sized(10, 1_001).digest()
    assert BloomFilter.sized(10, 1_000) != b"filter"


@pytest.mark.parametrize(
    ("capacity", "one_in"), [(0, 10), (-1, 10), (MAX_CAPACITY + 1, 10), (10, 1), (10, 0), (10, MAX_ONE_IN + 1)]
)
def test_figures_out_of_range_are_refused(capacity: int, one_in: int) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        BloomFilter.sized(capacity, one_in)
    assert refusal.value.what in ("capacity", "one_in")


@pytest.mark.parametrize("item", ["text", None, 5])
def test_an_item_that_is_not_bytes_is_refused_and_the_filter_stays(item: Any) -> None:
    bloom = BloomFilter.sized(10, 10)
    for use in (bloom.add, bloom.__contains__, lambda item: bloom.update([item])):
        with pytest.raises(InvalidArgumentError):
            use(item)
    assert bloom == BloomFilter.sized(10, 10)


def test_bytes_that_are_no_filter_are_refused() -> None:
    raw = filled(11, 1_000).to_bytes()
    assert 0 < BloomFilter.sized(11, 1_000).bits % 8 < 8
    padded = raw[:-1] + bytes((raw[-1] | 0x80,))
    huge = MAX_CAPACITY.to_bytes(8, "big") + MAX_ONE_IN.to_bytes(8, "big") + raw[16:]
    zero = bytes(16) + raw[16:]
    wild = b"\xff" * 16 + raw[16:]
    for bad in (b"", raw[:15], raw[:16], raw[:-1], raw + b"\x00", padded, huge, zero, wild, raw.hex(), None):
        with pytest.raises(MalformedEncodingError) as refusal:
            BloomFilter.from_bytes(bad)  # type: ignore[arg-type]
        assert refusal.value.what == "BloomFilter"


def test_a_filter_shows_its_figures_and_has_no_hash() -> None:
    bloom = BloomFilter.sized(10, 1_000)
    assert repr(bloom) == f"BloomFilter(capacity=10, one_in=1000, bits={bloom.bits}, hashes={bloom.hashes})"
    with pytest.raises(TypeError):
        hash(bloom)
