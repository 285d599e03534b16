"""Bloom filters: is an item in a set? Never a false no; a false yes once in `one_in`.

Every index is drawn independently from SHAKE-128 of the item: the customary double hashing of two hashes misses its
nominal rate on a small filter. A filter is a pre-filter, never a proof: who holds it finds items that it takes for
its own.

Source: seed 002, definition 10; private-metering.md, rows 4 and 7.
"""

import struct
from collections.abc import Iterable, Iterator
from hashlib import shake_128
from itertools import islice
from typing import Final

import numpy as np

from .checks import is_bytes
from .errors import InvalidArgumentError, MalformedEncodingError
from .hashing import Tag

__all__ = ["MAX_CAPACITY", "MAX_ONE_IN", "BloomFilter"]

MAX_CAPACITY: Final = 2**32
MAX_ONE_IN: Final = 2**40

_DIGEST: Final = Tag("gridproof/bloom/v1")
_HEAD: Final = struct.Struct(">QQ")  # capacity, one_in
_INDEX_SIZE: Final = 8  # bytes drawn for an index: its bias is below 2**-20 for the largest filter
_CHUNK: Final = 4096  # items that are added together
_LOG_UNIT: Final = 1024  # log2 is counted in 1/1024: exact integers, the same on every machine
_BITS_PER_LOG2: Final = (1_442_696, 1_000_000)  # 1 / ln 2, rounded up: bits per item and per halving of the false rate


class BloomFilter:
    """A filter of fixed size; made by `sized` or `from_bytes`."""

    __slots__ = ("_array", "_bits", "bits", "capacity", "hashes", "one_in")

    def __init__(self, capacity: int, one_in: int) -> None:
        """Make an empty filter; `sized` says what for.

        Raises:
            InvalidArgumentError: a figure is out of range.
        """
        self.bits, self.hashes = _dimensions(capacity, one_in)
        self.capacity = capacity
        self.one_in = one_in
        self._bits = bytearray((self.bits + 7) // 8)
        self._array = np.frombuffer(self._bits, dtype=np.uint8)  # the same memory, for many items at a time

    @classmethod
    def sized(cls, capacity: int, one_in: int) -> "BloomFilter":
        """An empty filter that keeps a false positive rate of 1 / `one_in` up to `capacity` items.

        Args:
            capacity: number of items, 1 .. 2**32.
            one_in: 2 .. 2**40; 1,000,000 means a rate of 1e-6.

        Raises:
            InvalidArgumentError: a figure is out of range.
        """
        return cls(capacity, one_in)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "BloomFilter":
        """Read a filter that `to_bytes` wrote.

        Raises:
            MalformedEncodingError: the length does not fit the figures in its head, these are out of range, or a bit
                beyond the last is set.
        """
        if not is_bytes(raw) or len(raw) < _HEAD.size:
            raise MalformedEncodingError(what="BloomFilter", detail="no head")
        capacity, one_in = _HEAD.unpack_from(raw)
        try:
            bits, _ = _dimensions(capacity, one_in)
        except InvalidArgumentError as fault:
            raise MalformedEncodingError(what="BloomFilter", detail=fault.detail) from fault
        body = len(raw) - _HEAD.size
        if body != (bits + 7) // 8:  # before anything of that size is made
            raise MalformedEncodingError(what="BloomFilter", detail=f"{body} bytes for {bits} bits")
        if bits % 8 and raw[-1] >> bits % 8:
            raise MalformedEncodingError(what="BloomFilter", detail="a bit beyond the last is set")
        made = cls(capacity, one_in)
        made._bits[:] = raw[_HEAD.size :]
        return made

    def add(self, item: bytes) -> None:
        """Put an item in.

        Raises:
            InvalidArgumentError: it is not bytes.
        """
        bits = self._bits
        for index in self._indices(item):
            bits[index >> 3] |= 1 << (index & 7)

    def update(self, items: Iterable[bytes]) -> None:
        """Put many items in.

        Raises:
            InvalidArgumentError: one is not bytes; those before it may be in.
        """
        rest = iter(items)
        size = self.hashes * _INDEX_SIZE
        while chunk := list(islice(rest, _CHUNK)):
            drawn = np.frombuffer(b"".join(_draw(item, size) for item in chunk), dtype=">u8")
            index = drawn.astype(np.uint64) % np.uint64(self.bits)
            bit = np.left_shift(1, index & np.uint64(7), dtype=np.uint64).astype(np.uint8)
            np.bitwise_or.at(self._array, index >> np.uint64(3), bit)

    def __contains__(self, item: bytes) -> bool:
        bits = self._bits
        return all(bits[index >> 3] >> (index & 7) & 1 for index in self._indices(item))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BloomFilter):
            return NotImplemented
        return (self.capacity, self.one_in, self._bits) == (other.capacity, other.one_in, other._bits)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"BloomFilter(capacity={self.capacity}, one_in={self.one_in}, bits={self.bits}, hashes={self.hashes})"

    def to_bytes(self) -> bytes:
        """The filter as bytes: capacity u64, one_in u64, then the bits, bit i at byte i // 8, value 2**(i % 8)."""
        return _HEAD.pack(self.capacity, self.one_in) + self._bits

    def digest(self) -> bytes:
        """Tagged hash of `to_bytes`: 32 bytes that the ledger keeps so that all copies are one."""
        return _DIGEST(self.to_bytes())

    def _indices(self, item: bytes) -> Iterator[int]:
        size = self.hashes * _INDEX_SIZE
        drawn = _draw(item, size)
        return (index % self.bits for index in struct.unpack(f">{self.hashes}Q", drawn))


def _draw(item: bytes, size: int) -> bytes:
    try:
        return shake_128(item).digest(size)
    except TypeError as fault:
        raise InvalidArgumentError(what="item", detail=str(fault)) from fault


def _dimensions(capacity: int, one_in: int) -> tuple[int, int]:
    """Number of bits and of indices: n log2(1/p) / ln 2 and log2(1/p), in integers.

    Source: Broder, Mitzenmacher, "Network applications of Bloom filters", section 2.1.
    """
    if not 1 <= capacity <= MAX_CAPACITY:
        raise InvalidArgumentError(what="capacity", detail=f"{capacity} is not within 1 .. {MAX_CAPACITY}")
    if not 2 <= one_in <= MAX_ONE_IN:
        raise InvalidArgumentError(what="one_in", detail=f"{one_in} is not within 2 .. {MAX_ONE_IN}")
    log2 = (one_in**_LOG_UNIT).bit_length()  # in 1/1024, rounded up
    above, below = _BITS_PER_LOG2
    bits = -(-capacity * log2 * above // (_LOG_UNIT * below))
    return bits, max(1, (log2 + _LOG_UNIT // 2) // _LOG_UNIT)
