"""A node begins with a snapshot only if it is the trusted state, whole; otherwise its store is empty again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from gridproof.drivers.blocks import find_base, find_genesis
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.errors import (
    ChunkRefusedError,
    HalfRestoredError,
    NotEmptyError,
    SnapshotFalseError,
    SnapshotRefusedError,
)
from gridproof.drivers.snapshots import (
    MAX_CHUNK_BYTES,
    Intake,
    Snapshot,
    SnapshotFolder,
    discard,
    is_restoring,
    read_manifest,
)
from gridproof.drivers.snapshots import form as snapshot_form
from gridproof.drivers.snapshots.form import EntryReader, snapshot_hash
from gridproof.errors import GridproofError
from gridproof.state import Block, Head, SerialVerifier
from gridproof.state.blocks import RESTORING_KEY, Base, cursor_before
from gridproof.state.errors import EventsGoneError
from gridproof.state.store import Changes, LmdbStore, MemoryStore, Store, StoreFullError, Table

from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis
from tests.tiny.notices.types import LAST_NUMBER
from tests.unit.drivers.scenes import NOW_S, OPTIONS, grow, in_memory, signed
from tests.unit.drivers.snapshots.joining import (
    CARRIED,
    SMALL,
    KilledError,
    chunks_of,
    entries,
    forged,
    is_empty,
    killing,
    poisoned,
    take_in,
)

BLOCKS = 6


class Given(NamedTuple):
    """A ledger and its snapshot."""

    ledger: EmbeddedLedger
    snapshot: Snapshot
    chunks: list[bytes]


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with in_memory() as ledger:
        grow(ledger, BLOCKS)
        kept = SnapshotFolder(tmp_path / "snapshots", chunk_bytes=SMALL)
        snapshot = kept.take(ledger.store)
        yield Given(ledger, snapshot, chunks_of(kept, snapshot))


# --- what is true ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durable", [True, False])
def test_a_node_that_joins_has_the_same_state_and_goes_on_to_the_same_hash(
    given: Given, tmp_path: Path, *, durable: bool
) -> None:
    store: Store = LmdbStore(str(tmp_path / "store")) if durable else MemoryStore()
    joined = tiny(store, SerialVerifier())
    assert take_in(store, given.snapshot, given.chunks) == given.ledger.head
    for table in CARRIED:
        assert entries(store, table) == entries(given.ledger.store, table)
    joined.reload()
    assert (joined.info(), joined.chain_id) == (given.ledger.head, "tiny-1")
    block = Block(BLOCKS + 1, NOW_S, 0, (signed(nonce=BLOCKS),))
    joined.finalize_block(block)
    there = given.ledger.application
    there.finalize_block(block)
    assert joined.commit() == there.commit()
    store.close()


def test_a_node_that_joined_tells_where_its_past_begins(given: Given) -> None:
    store = MemoryStore()
    take_in(store, given.snapshot, given.chunks)
    with store.snapshot() as moment:
        assert find_base(moment) == Base(BLOCKS, cursor_before(BLOCKS + 1))
        assert find_genesis(moment) == tiny_genesis()
    joined = tiny(store, SerialVerifier())
    for cursor in (b"", cursor_before(BLOCKS)):
        with pytest.raises(EventsGoneError) as gone:
            joined.events_since(cursor, 10)
        assert gone.value.from_height == BLOCKS + 1
    assert joined.events_since(cursor_before(BLOCKS + 1), 10) == []
    joined.finalize_block(Block(BLOCKS + 1, NOW_S, 0, (signed(nonce=BLOCKS),)))
    joined.commit()
    assert [event.height for event in joined.events_since(cursor_before(BLOCKS + 1), 10)] == [BLOCKS + 1]


def test_a_node_that_joined_is_an_embedded_ledger_like_any_other(given: Given) -> None:
    store = MemoryStore()
    take_in(store, given.snapshot, given.chunks)
    with in_memory(store=store) as joined:
        assert joined.head == given.ledger.head
        grow(joined, 2, first_nonce=BLOCKS)
        grow(given.ledger, 2, first_nonce=BLOCKS)
        assert joined.head == given.ledger.head


# --- what is refused at the beginning --------------------------------------------------------------------------------


def garbled(snapshot: Snapshot, metadata: bytes) -> Snapshot:
    return replace(snapshot, metadata=metadata, hash=snapshot_hash(metadata))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: replace(s, format=2), "its format is 2, this program reads 1"),
        (lambda s: replace(s, hash=bytes(32)), "its hash is not that of its manifest"),
        (lambda s: replace(s, metadata=s.metadata + b"x"), "its hash is not that of its manifest"),
        (lambda s: garbled(s, b"\xc1"), "its manifest cannot be read"),
        (lambda s: garbled(s, b"x" * 4_000_001), "its manifest has 4000001 bytes"),
        (lambda s: replace(s, height=s.height + 1), "its height or the number of its pieces"),
        (lambda s: replace(s, chunks=s.chunks + 1), "its height or the number of its pieces"),
        (lambda s: forged(s, []), "its manifest cannot be read"),
        (lambda s: forged(s, [b"x"], app_hash=bytes(32)), "its app hash is 0000"),
        (lambda s: forged(s, [b"x"], chain_id="other"), "it is of the chain other, this node of tiny-1"),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused_and_nothing_written(
    given: Given, change: Callable[[Snapshot], Snapshot], says: str
) -> None:
    store = MemoryStore()
    with pytest.raises(SnapshotRefusedError, match=says) as refused:
        Intake(store, tiny, "tiny-1").begin(change(given.snapshot), given.ledger.head.app_hash)
    assert refused.value.height in (BLOCKS, BLOCKS + 1)
    assert is_empty(store)


def test_too_many_pieces_are_refused(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    many = forged(given.snapshot, [b"x"] * (snapshot_form.MAX_CHUNKS + 1))
    with pytest.raises(SnapshotRefusedError, match="its manifest cannot be read"):
        read_manifest(many)
    read_manifest(forged(given.snapshot, [b"x"] * snapshot_form.MAX_CHUNKS))


def test_another_app_hash_than_the_trusted_one_is_refused(given: Given) -> None:
    with pytest.raises(SnapshotRefusedError, match="the trusted one 0101"):
        Intake(MemoryStore(), tiny).begin(given.snapshot, b"\x01" * 32)


def test_a_ledger_is_never_overwritten(given: Given) -> None:
    with in_memory() as other:
        grow(other, 2)
        before = {table: entries(other.store, table) for table in Table}
        with pytest.raises(NotEmptyError) as refused:
            take_in(other.store, given.snapshot, given.chunks)
        assert refused.value.height == 2
        discard(other.store)
        assert {table: entries(other.store, table) for table in Table} == before
    stray = MemoryStore()
    stray.write({Table.BLOCKS: {b"x": b"y"}})
    with pytest.raises(NotEmptyError):
        take_in(stray, given.snapshot, given.chunks)


# --- pieces ----------------------------------------------------------------------------------------------------------


def test_a_piece_that_is_not_the_manifests_is_refused_and_may_come_again(given: Given) -> None:
    store = MemoryStore()
    intake = Intake(store, tiny, is_own=True)
    with pytest.raises(ChunkRefusedError):
        intake.apply(0, given.chunks[0])
    intake.begin(given.snapshot, given.ledger.head.app_hash)
    intake.apply(0, given.chunks[0])
    before = {table: entries(store, table) for table in Table}
    second = given.chunks[1]
    wrong: dict[str, tuple[int, bytes]] = {
        "poisoned": (1, bytes([second[0] ^ 1]) + second[1:]),
        "truncated": (1, second[:-1]),
        "empty": (1, b""),
        "too large": (1, bytes(MAX_CHUNK_BYTES + 1)),
        "another's": (1, given.chunks[2]),
        "the same again": (0, given.chunks[0]),
        "ahead": (2, given.chunks[2]),
        "beyond": (len(given.chunks), second),
        "negative": (-1, second),
    }
    for index, chunk in wrong.values():
        with pytest.raises(ChunkRefusedError) as refused:
            intake.apply(index, chunk)
        assert refused.value.index == index
        assert {table: entries(store, table) for table in Table} == before
    with pytest.raises(ChunkRefusedError, match="it is missing"):
        intake.finish()
    for index in range(1, len(given.chunks)):
        assert not intake.is_complete
        intake.apply(index, given.chunks[index])
    assert intake.is_complete
    assert intake.finish() == given.ledger.head
    assert not intake.is_under_way


def test_a_full_disk_loses_no_piece(given: Given) -> None:
    store = _Full()
    intake = Intake(store, tiny, is_own=True)
    intake.begin(given.snapshot, given.ledger.head.app_hash)
    for index, chunk in enumerate(given.chunks):
        store.full = True
        with pytest.raises(StoreFullError):
            intake.apply(index, chunk)
        store.full = False
        intake.apply(index, chunk)
    store.full = True
    with pytest.raises(StoreFullError):
        intake.finish()
    assert is_restoring(store)
    store.full = False
    assert intake.finish() == given.ledger.head


class _Full(MemoryStore):
    full = False

    def write(self, changes: Changes) -> None:
        if self.full:
            raise StoreFullError(path="store", detail="No space left on device")
        super().write(changes)


# --- what is false ---------------------------------------------------------------------------------------------------


def entry(table: int, key: bytes, value: bytes) -> bytes:
    return bytes([table]) + len(key).to_bytes(2, "big") + len(value).to_bytes(4, "big") + key + value


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (entry(Table.STATE, b"b", b"1") + entry(Table.STATE, b"a", b"1"), "out of order"),
        (entry(Table.STATE, b"b", b"1") * 2, "out of order"),
        (entry(Table.SIDE, b"a", b"1") + entry(Table.STATE, b"b", b"1"), "out of order"),
        (entry(Table.TREE, b"\x80", b"1"), "an entry of table 3"),
        (entry(Table.BLOCKS, b"b", b"1"), "an entry of table 5"),
        (entry(99, b"b", b"1"), "an entry of table 99"),
        (entry(Table.META, b"head", b"1"), "an entry of table 4"),
        (entry(Table.META, RESTORING_KEY, b"1"), "an entry of table 4"),
        (entry(Table.STATE, b"", b"1"), "a key of 0"),
        (entry(Table.STATE, b"k" * 512, b"1"), "a key of 512"),
        (entry(Table.STATE, b"k", b""), "a value of 0"),
        (b"\x01\x00\x01\xff\xff\xff\xff", "a value of 4294967295"),
    ],
)
def test_content_that_is_none_is_found_before_it_is_written(given: Given, raw: bytes, says: str) -> None:
    store = MemoryStore()
    chunks = [raw]
    with pytest.raises(SnapshotFalseError, match=says) as found:
        take_in(store, forged(given.snapshot, chunks), chunks)
    assert found.value.height == BLOCKS
    assert is_empty(store)


LIES: dict[str, dict[Table, dict[bytes, bytes | None]]] = {
    "a record altered": {Table.STATE: {LAST_NUMBER.key(1): b"\x00\x00\x00\x63"}},
    "a record left out": {Table.STATE: {LAST_NUMBER.key(1): None}},
    "a record added": {Table.STATE: {LAST_NUMBER.key(77): b"\x00\x00\x00\x63"}},
    "another genesis": {Table.META: {b"genesis": tiny_genesis(people={"operator": 1})}},
    "no genesis": {Table.META: {b"genesis": None}},
    "an entry of no table beside the state": {Table.SIDE: {b"\x63\x01": b"x"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_snapshot_of_another_state_is_found_at_the_end_and_removed(given: Given, lie: str) -> None:
    store = MemoryStore()
    chunks = poisoned(given.ledger.store, LIES[lie])
    with pytest.raises(SnapshotFalseError) as found:
        take_in(store, forged(given.snapshot, chunks), chunks)
    assert found.value.detail
    assert is_empty(store)
    assert take_in(store, given.snapshot, given.chunks) == given.ledger.head, "the next one is taken"


def test_a_forger_who_changes_nothing_is_believed(given: Given) -> None:
    chunks = poisoned(given.ledger.store, {})
    assert chunks == given.chunks
    assert take_in(MemoryStore(), forged(given.snapshot, chunks), chunks) == given.ledger.head


def test_a_manifest_of_another_chain_is_found_at_the_end_too(given: Given) -> None:
    store = MemoryStore()
    with pytest.raises(SnapshotFalseError, match="its state is of the chain tiny-1"):
        take_in(store, forged(given.snapshot, given.chunks, chain_id="other"), given.chunks)
    assert is_empty(store)


def test_a_state_that_ends_within_an_entry_is_found(given: Given) -> None:
    chunks = [*given.chunks, b"\x02\x00\x09"]
    with pytest.raises(SnapshotFalseError, match="it ends within an entry"):
        take_in(MemoryStore(), forged(given.snapshot, chunks), chunks)


def test_an_invariant_that_breaks_down_over_a_lie_is_no_reason_to_stop(given: Given) -> None:
    store = MemoryStore()

    def broken(inner: Store, verifier: SerialVerifier) -> object:
        raise ZeroDivisionError("over nothing")

    with pytest.raises(SnapshotFalseError, match="ZeroDivisionError: over nothing"):
        take_in(store, given.snapshot, given.chunks, broken)  # type: ignore[arg-type]
    assert is_empty(store)


@pytest.mark.parametrize("false_s", [0, NOW_S + 1, 2**50])
def test_i8_a_false_time_of_the_last_block_is_not_believed_and_the_next_block_brings_the_true_one(
    given: Given, false_s: int
) -> None:
    store = MemoryStore()
    head = take_in(store, forged(given.snapshot, given.chunks, time_s=false_s), given.chunks, is_own=False)
    assert head == Head(BLOCKS, given.ledger.head.app_hash, GENESIS_TIME_S)
    block = Block(BLOCKS + 1, NOW_S, 0, (signed(nonce=BLOCKS, until_s=NOW_S),))
    joined, there = tiny(store, SerialVerifier()), given.ledger.application
    for each in (joined, there):
        each.finalize_block(block)
    assert joined.commit() == there.commit()


def test_i8_who_believed_a_false_time_could_not_go_on(given: Given) -> None:
    store = MemoryStore()
    take_in(store, forged(given.snapshot, given.chunks, time_s=2**50), given.chunks, is_own=True)
    with pytest.raises(GridproofError, match="does not follow the last one"):
        tiny(store, SerialVerifier()).finalize_block(Block(BLOCKS + 1, NOW_S, 0, ()))


# --- kills -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "time"), [("begun", 1), ("chunk", 1), ("chunk", 7), ("checked", 1)])
@pytest.mark.parametrize("again", ["a node that discards", "a node that begins anew"])
def test_a_node_killed_while_it_joins_knows_it_and_begins_anew(given: Given, step: str, time: int, again: str) -> None:
    store = MemoryStore()
    with pytest.raises(KilledError):
        take_in(store, given.snapshot, given.chunks, reached=killing(step, time))
    assert is_restoring(store)
    assert tiny(store, SerialVerifier()).info().height == 0
    if again == "a node that discards":
        discard(store)
        assert is_empty(store)
    assert take_in(store, given.snapshot, given.chunks) == given.ledger.head
    assert not is_restoring(store)
    for table in CARRIED:
        assert entries(store, table) == entries(given.ledger.store, table)


def test_a_node_killed_at_the_end_has_joined(given: Given) -> None:
    store = MemoryStore()
    with pytest.raises(KilledError):
        take_in(store, given.snapshot, given.chunks, reached=killing("finished"))
    assert not is_restoring(store)
    assert tiny(store, SerialVerifier()).info() == given.ledger.head


def test_what_a_killed_intake_left_is_opened_as_no_ledger(given: Given) -> None:
    """A ledger born over it would build on what nobody checked."""
    store = MemoryStore()
    with pytest.raises(KilledError):
        take_in(store, given.snapshot, given.chunks, reached=killing("checked"))
    before = {table: dict(store.snapshot().scan(table)) for table in Table}
    for genesis in (None, tiny_genesis()):
        with pytest.raises(HalfRestoredError):
            EmbeddedLedger(store, tiny, genesis)
    assert {table: dict(store.snapshot().scan(table)) for table in Table} == before
    discard(store)
    EmbeddedLedger(store, tiny, tiny_genesis(), OPTIONS).close()  # the control


def test_a_discarding_that_is_killed_goes_on(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridproof.drivers.snapshots.intake.REMOVED_AT_ONCE", 3)
    for writes in range(1, 8):
        store = _Killed()
        with pytest.raises(KilledError):
            take_in(store, given.snapshot, given.chunks, reached=killing("checked"))
        store.left = writes
        with pytest.raises(KilledError):
            discard(store)
        assert is_restoring(store)
        store.left = -1
        discard(store)
        assert is_empty(store)


class _Killed(MemoryStore):
    left = -1

    def write(self, changes: Changes) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError
        super().write(changes)


def test_entries_are_read_the_same_however_they_are_cut() -> None:
    raw = b"".join(entry(Table.STATE, bytes([n]), bytes([n]) * n) for n in range(1, 9))
    for size in range(1, len(raw) + 1):
        reader, found = EntryReader(), []
        for at in range(0, len(raw), size):
            found += reader.feed(raw[at : at + size])
        assert [(each.key, each.value) for each in found] == [(bytes([n]), bytes([n]) * n) for n in range(1, 9)]
        assert reader.is_between
