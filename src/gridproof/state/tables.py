"""Typed tables over the ledger's flat key space.

A table's key is `module u8 | collection u8 | parts`, each part of fixed width and big-endian, so that keys sort as
their parts do and every prefix of parts is a range. A value is a `Record` or of a fixed width itself.
"""

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar, cast, overload

from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import InvalidArgumentError

from .errors import KeyPartError, MissingRecordError
from .store import Table

V = TypeVar("V")
D = TypeVar("D")
MAX_KEY_BYTES = 255


class Reader(Protocol):
    """Whatever keys can be read from: a block in the making, a committed snapshot, a client."""

    def read(self, table: Table, key: bytes) -> bytes | None:
        """The value under `key`, or None."""

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All entries whose key begins with `prefix`, ascending."""


class Writer(Reader, Protocol):
    """What the rules write to."""

    def write(self, table: Table, key: bytes, value: bytes | None) -> None:
        """Set the value under `key`; None removes it."""


class Fixed(Protocol[V]):
    """A value of fixed width: a part of a key, or the whole value of a table."""

    size: int

    def encode(self, value: V) -> bytes:
        """The value in `size` bytes."""

    def decode(self, raw: bytes) -> V:
        """The value of `size` bytes."""


class UInt:
    """A whole number of fixed width, big-endian."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, value: int) -> bytes:
        """The number in `size` bytes.

        Raises:
            OverflowError: it is negative or too large.
        """
        return value.to_bytes(self.size, "big")

    def decode(self, raw: bytes) -> int:
        """The number that the bytes hold."""
        return int.from_bytes(raw, "big")


class FixedBytes:
    """A byte string of fixed width."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, value: bytes) -> bytes:
        """The bytes themselves.

        Raises:
            OverflowError: they are more or fewer than `size`.
        """
        if len(value) != self.size:
            raise OverflowError(f"{len(value)} bytes where {self.size} belong")
        return value

    def decode(self, raw: bytes) -> bytes:
        """The bytes themselves."""
        return raw


U8, U16, U32, U64 = UInt(1), UInt(2), UInt(4), UInt(8)
B16, B20, B32 = FixedBytes(16), FixedBytes(20), FixedBytes(32)
_UNSET: Any = object()


class Map(Generic[V]):
    """A table of the state: every entry is a leaf of the tree behind the app hash.

    Args:
        module: the owning module's number.
        collection: the table's number within the module, never reused.
        key: widths of the key's parts.
        value: a `Record` class, or a fixed width.

    Raises:
        KeyPartError: the key would be longer than 255 bytes.
    """

    table = Table.STATE

    def __init__(self, *, module: int, collection: int, key: tuple[Any, ...], value: type[V] | Fixed[V]) -> None:
        self.module = module
        self.collection = collection
        self.parts = key
        self.value = value
        self._prefix = bytes((module, collection))
        self._encoders = tuple(part.encode for part in key)
        self._codec: Any = Codec(value) if isinstance(value, type) else value
        if 2 + sum(part.size for part in key) > MAX_KEY_BYTES:
            raise KeyPartError(module=module, collection=collection, detail="the key is longer than 255 bytes")

    def key(self, *parts: Any) -> bytes:
        """The key, or with fewer parts the prefix, as bytes.

        Raises:
            KeyPartError: a part does not fit its width, or there are too many.
        """
        if len(parts) > len(self.parts):
            raise KeyPartError(module=self.module, collection=self.collection, detail="too many parts")
        return self._joined(parts)

    def _whole(self, parts: tuple[Any, ...]) -> bytes:
        if len(parts) != len(self.parts):
            few = "too few parts" if len(parts) < len(self.parts) else "too many parts"
            raise KeyPartError(module=self.module, collection=self.collection, detail=few)
        return self._joined(parts)

    def _joined(self, parts: tuple[Any, ...]) -> bytes:
        key = self._prefix
        try:
            for encode, part in zip(self._encoders, parts):  # noqa: B905 - a prefix has fewer; and this is read often
                key += encode(part)
            return key
        except (OverflowError, AttributeError, TypeError) as wrong:
            raise KeyPartError(module=self.module, collection=self.collection, detail=str(wrong)) from wrong

    def decode(self, raw: bytes) -> V:
        """Read a stored value."""
        return cast("V", self._codec.decode(raw))

    def find(self, view: Reader, *parts: Any) -> V | None:
        """The value under a key, or None."""
        raw = view.read(self.table, self._whole(parts))
        return None if raw is None else self.decode(raw)

    @overload
    def get(self, view: Reader, *parts: Any) -> V: ...
    @overload
    def get(self, view: Reader, *parts: Any, default: D) -> V | D: ...
    def get(self, view: Reader, *parts: Any, default: Any = _UNSET) -> Any:
        """The value under a key, or `default`.

        Raises:
            MissingRecordError: there is none and no default was given.
        """
        found = self.find(view, *parts)
        if found is not None:
            return found
        if default is _UNSET:
            raise MissingRecordError(module=self.module, collection=self.collection, key=self.key(*parts))
        return default

    def has(self, view: Reader, *parts: Any) -> bool:
        """Whether there is a value under a key."""
        return view.read(self.table, self._whole(parts)) is not None

    def put(self, ctx: Writer, *parts: Any, value: V) -> None:
        """Set the value under a key.

        Raises:
            KeyPartError: a part of the key, or the value, does not fit its column.
        """
        try:
            encoded = self._codec.encode(value)
        except (OverflowError, AttributeError, TypeError, InvalidArgumentError) as wrong:
            raise KeyPartError(module=self.module, collection=self.collection, detail=f"value: {wrong}") from wrong
        ctx.write(self.table, self._whole(parts), encoded)

    def delete(self, ctx: Writer, *parts: Any) -> None:
        """Remove the value under a key; harmless where there is none."""
        ctx.write(self.table, self._whole(parts), None)

    def under(self, view: Reader, *parts: Any) -> Iterator[tuple[tuple[Any, ...], V]]:
        """All entries whose key begins with `parts`: (all parts, value), ascending."""
        for key, raw in view.scan(self.table, self.key(*parts)):
            yield self._split(key), self.decode(raw)

    def all(self, view: Reader) -> Iterator[tuple[tuple[Any, ...], V]]:
        """All entries: (parts, value), ascending."""
        return self.under(view)

    def _split(self, key: bytes) -> tuple[Any, ...]:
        parts, at = [], len(self._prefix)
        for form in self.parts:
            parts.append(form.decode(key[at : at + form.size]))
            at += form.size
        return tuple(parts)


class SideMap(Map[V]):
    """A table beside the state, for bodies: same database, outside the tree, bound by a root that the state holds."""

    table = Table.SIDE
