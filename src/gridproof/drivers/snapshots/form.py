"""The form of a snapshot, version 1: the same bytes on every node that takes one at the same height.

    entry    table u8 | length of the key u16 | length of the value u32 | key | value, all big-endian
    content  the genesis document (META), then all entries of STATE, then all of SIDE, keys ascending
    chunks   the content cut every 4 MiB, wherever that falls; the last one is shorter
    manifest chain id, height, the block's time, app hash after the block, SHA-256 of each chunk, as MessagePack

The tree is not in it, for it follows from the state; nor are blocks, results and events. A snapshot is named by the
tagged hash of its manifest. The app hash binds STATE, and with it the chain and the hash of the genesis document;
SIDE is bound by roots in the state, which the modules' invariants hold it to. The block's time is bound by nothing:
who takes in another's snapshot does not believe it.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from gridproof.primitives.encoding import Codec, encode
from gridproof.primitives.errors import PrimitiveError
from gridproof.primitives.hashing import Tag
from gridproof.state import Head, Record, system
from gridproof.state.blocks import GENESIS_KEY, HEAD_KEY
from gridproof.state.context import SnapshotReader
from gridproof.state.genesis import MAX_GENESIS_BYTES
from gridproof.state.store import MAX_KEY_BYTES, Table
from gridproof.state.store import Snapshot as Moment

from ..errors import SnapshotRefusedError

FORMAT: Final = 1
CHUNK_BYTES: Final = 4 * 2**20  # part of the form: a node that cuts otherwise has a snapshot that only it can serve
MAX_CHUNK_BYTES: Final = 15 * 2**20  # the engine passes on no more than 16 MB in one piece
MAX_CHUNKS: Final = 100_000
MAX_MANIFEST_BYTES: Final = 4_000_000  # the engine's limit
MAX_VALUE_BYTES: Final = MAX_GENESIS_BYTES
TABLES: Final = (Table.META, Table.STATE, Table.SIDE)  # in the order in which they are sent

snapshot_hash: Final = Tag("gridproof/snapshot/v1")

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
_ENTRY: Final = struct.Struct(">BHI")


class Manifest(Record, frozen=True):
    """What a snapshot holds, as all nodes agree on it.

    Attributes:
        chain_id: name of the chain.
        height: of the last block whose effects are in it.
        time_s: that block's time, UTC epoch seconds.
        app_hash: the state's root after that block, 32 bytes.
        chunks: SHA-256 of each chunk, in order.
    """

    chain_id: Annotated[str, Meta(max_length=64)]
    height: Annotated[int, Meta(ge=1, lt=2**62)]
    time_s: Annotated[int, Meta(ge=0, lt=2**62)]
    app_hash: Hash
    chunks: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=MAX_CHUNKS)]

    @property
    def head(self) -> Head:
        """The ledger's head once the snapshot is taken in."""
        return Head(self.height, self.app_hash, self.time_s)


class Snapshot(Record, frozen=True):
    """A snapshot as it is offered.

    Attributes:
        height: of the last block whose effects are in it.
        format: 1.
        chunks: how many there are.
        hash: of the manifest, 32 bytes.
        metadata: the encoded manifest.
    """

    height: int
    format: int
    chunks: int
    hash: bytes
    metadata: bytes

    @classmethod
    def of(cls, manifest: Manifest) -> "Snapshot":
        """The snapshot that a manifest describes."""
        raw = encode(manifest)
        return cls(manifest.height, FORMAT, len(manifest.chunks), snapshot_hash(raw), raw)


class Entry(NamedTuple):
    """An entry of a table."""

    table: Table
    key: bytes
    value: bytes


_MANIFEST: Final = Codec(Manifest)
_HEAD: Final = Codec(Head)


def read_manifest(snapshot: Snapshot) -> Manifest:
    """The manifest of a snapshot that was offered, held to what else was said of it.

    Raises:
        SnapshotRefusedError: its format is another one, or it contradicts itself.
    """
    if snapshot.format != FORMAT:
        raise _refused(snapshot, f"its format is {snapshot.format}, this program reads {FORMAT}")
    if len(snapshot.metadata) > MAX_MANIFEST_BYTES:
        raise _refused(snapshot, f"its manifest has {len(snapshot.metadata)} bytes")
    if snapshot_hash(snapshot.metadata) != snapshot.hash:
        raise _refused(snapshot, "its hash is not that of its manifest")
    try:
        manifest = _MANIFEST.decode(snapshot.metadata)
    except PrimitiveError as wrong:
        raise _refused(snapshot, f"its manifest cannot be read: {wrong}") from wrong
    if (manifest.height, len(manifest.chunks)) != (snapshot.height, snapshot.chunks):
        raise _refused(snapshot, "its height or the number of its pieces is not that of its manifest")
    return manifest


def _refused(snapshot: Snapshot, detail: str) -> SnapshotRefusedError:
    return SnapshotRefusedError(height=snapshot.height, detail=detail)


def head_of(moment: Moment) -> Head | None:
    """The last committed block of a store at a moment, None where there is none."""
    raw = moment.get(Table.META, HEAD_KEY)
    return None if raw is None else _HEAD.decode(raw)


def chain_of(moment: Moment) -> str:
    """The name of the chain whose state a store holds."""
    return system.chain(SnapshotReader(moment)).chain_id


# --- content ---------------------------------------------------------------------------------------------------------


def content(moment: Moment) -> Iterator[bytes]:
    """A snapshot's content, in pieces of one entry each."""
    genesis = moment.get(Table.META, GENESIS_KEY)
    if genesis is not None:
        yield _packed(Table.META, GENESIS_KEY, genesis)
    for table in (Table.STATE, Table.SIDE):
        for key, value in moment.scan(table):
            yield _packed(table, key, value)


def _packed(table: Table, key: bytes, value: bytes) -> bytes:
    return _ENTRY.pack(table, len(key), len(value)) + key + value


def cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Join pieces and cut them anew, `size` bytes each; the last one is shorter."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


class EntryReader:
    """Reads entries from chunks that come one after the other; holds them to the order of a snapshot's content."""

    def __init__(self) -> None:
        self._rest = b""
        self._last: tuple[int, bytes] = (-1, b"")

    def copy(self) -> "EntryReader":
        """A reader that stands at the same place."""
        copied = EntryReader()
        copied._rest, copied._last = self._rest, self._last
        return copied

    @property
    def is_between(self) -> bool:
        """Whether no entry is left unfinished."""
        return not self._rest

    def feed(self, chunk: bytes) -> list[Entry]:
        """The entries that are whole with this chunk.

        Raises:
            ValueError: the bytes are no content of a snapshot; the words say where.
        """
        raw, at, found = self._rest + chunk, 0, []
        while len(raw) - at >= _ENTRY.size:
            number, key_size, value_size = _ENTRY.unpack_from(raw, at)
            self._require_sizes(key_size, value_size)
            start = at + _ENTRY.size
            end = start + key_size + value_size
            if end > len(raw):
                break
            key = raw[start : start + key_size]
            found.append(Entry(self._table(number, key), key, raw[start + key_size : end]))
            at = end
        self._rest = raw[at:]
        return found

    def _require_sizes(self, key_size: int, value_size: int) -> None:
        if not (0 < key_size <= MAX_KEY_BYTES and 0 < value_size <= MAX_VALUE_BYTES):
            raise ValueError(f"an entry has a key of {key_size} and a value of {value_size} bytes")

    def _table(self, number: int, key: bytes) -> Table:
        table = next((each for each in TABLES if each == number), None)
        if table is None or (table == Table.META and key != GENESIS_KEY):
            raise ValueError(f"there is an entry of table {number}, key {key.hex()}")
        place = (TABLES.index(table), key)
        if place <= self._last:
            raise ValueError(f"entry {key.hex()} of table {number} is out of order")
        self._last = place
        return table
