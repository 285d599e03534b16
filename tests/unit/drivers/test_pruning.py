"""Blocks go no further than the oldest kept state, and who asks for what is gone is told so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.connectors.ledger import InProcessClient, LedgerClient, SocketClient
from gridproof.drivers import pruning
from gridproof.drivers.blocks import find_base, find_block, find_genesis
from gridproof.drivers.embedded import EmbeddedLedger, Node
from gridproof.drivers.errors import HistoryPrunedError, SnapshotFailedError, SnapshotFalseError
from gridproof.drivers.history import StoredHistory, export_history
from gridproof.drivers.pruning import prune
from gridproof.drivers.snapshots import FORMAT, SnapshotFolder
from gridproof.drivers.verification import Report, verify_store
from gridproof.primitives.encoding import encode
from gridproof.state.blocks import Base, TransactionPlace, TransactionResult, cursor_before
from gridproof.state.errors import EventsGoneError
from gridproof.state.store import LmdbStore, Store, Table
from gridproof.state.transaction import transaction_hash

from tests.tiny.app import tiny, tiny_genesis
from tests.tiny.notices.types import LAST_NUMBER
from tests.unit.drivers.scenes import grow, in_memory, post, signed
from tests.unit.drivers.snapshots.joining import SMALL, KilledError, chunks_of, entries, killing, poisoned, take_in

KEPT, LAST = 6, 9


@pytest.fixture
def kept(tmp_path: Path) -> SnapshotFolder:
    return SnapshotFolder(tmp_path / "snapshots", chunk_bytes=SMALL)


@pytest.fixture
def ledger(kept: SnapshotFolder) -> Iterator[EmbeddedLedger]:
    """Nine blocks, a snapshot after the sixth."""
    with in_memory() as made:
        grow(made, KEPT)
        kept.take(made.store)
        grow(made, LAST - KEPT, first_nonce=KEPT)
        yield made


def heights(store: Store) -> list[int]:
    return [int.from_bytes(key, "big") for key, _ in entries(store, Table.BLOCKS)]


# --- what goes -------------------------------------------------------------------------------------------------------


def test_blocks_their_results_and_events_go_and_all_else_stays(ledger: EmbeddedLedger, kept: SnapshotFolder) -> None:
    before = {table: entries(ledger.store, table) for table in (Table.STATE, Table.SIDE, Table.TREE)}
    assert prune(ledger.store, 4, kept.list()) == 4
    assert heights(ledger.store) == [0, *range(4, LAST + 1)]
    assert {event.height for event in ledger.events_since(cursor_before(4), 100)} == set(range(4, LAST + 1))
    for nonce in range(LAST):
        place = ledger.find_transaction(_name(nonce))
        assert (place is not None) == (nonce + 1 >= 4)
    assert {table: entries(ledger.store, table) for table in before} == before
    with ledger.store.snapshot() as moment:
        assert find_genesis(moment) == tiny_genesis()
        assert find_base(moment) == Base(3, entries_cursor(3))


def entries_cursor(height: int) -> bytes:
    return height.to_bytes(8, "big") + bytes(8)


def _name(nonce: int) -> bytes:
    return transaction_hash(signed("operator", post(f"notice {nonce}", nonce % 5), nonce=nonce))


def test_no_block_after_the_oldest_snapshot_goes(ledger: EmbeddedLedger, kept: SnapshotFolder) -> None:
    assert prune(ledger.store, LAST, kept.list()) == KEPT + 1
    assert heights(ledger.store) == [0, *range(KEPT + 1, LAST + 1)]


def test_without_a_snapshot_nothing_goes(ledger: EmbeddedLedger) -> None:
    assert prune(ledger.store, LAST, ()) == 1
    assert heights(ledger.store) == list(range(LAST + 1))
    assert ledger.events_since(b"", 1)[0].height == 1


def test_nothing_comes_back_and_nothing_goes_twice(ledger: EmbeddedLedger, kept: SnapshotFolder) -> None:
    assert prune(ledger.store, 5, kept.list()) == 5
    before = {table: entries(ledger.store, table) for table in Table}
    for height in (5, 3, 0, -1):
        assert prune(ledger.store, height, kept.list()) == 5
    assert {table: entries(ledger.store, table) for table in Table} == before


def test_a_pruning_that_is_killed_is_known_and_goes_on(
    ledger: EmbeddedLedger, kept: SnapshotFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "REMOVED_AT_ONCE", 4)
    with pytest.raises(KilledError):
        prune(ledger.store, 6, kept.list(), killing("part", 2))
    with ledger.store.snapshot() as moment:
        base = find_base(moment).height
        assert 0 < base < 5
        assert find_block(moment, base) is None
        assert find_block(moment, base + 1) is not None
    assert verify_store(ledger.store, tiny, snapshots=kept).is_true
    assert prune(ledger.store, 6, kept.list()) == 6
    assert heights(ledger.store) == [0, *range(6, LAST + 1)]


def test_a_ledger_that_was_pruned_goes_on(ledger: EmbeddedLedger, kept: SnapshotFolder) -> None:
    prune(ledger.store, LAST, kept.list())
    with in_memory() as other:
        grow(other, LAST + 2)
        grow(ledger, 2, first_nonce=LAST)
        assert ledger.head == other.head
    with in_memory(store=ledger.store) as again:
        assert again.head.height == LAST + 2


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["in process", "over the socket"])
def client(request: pytest.FixtureRequest, ledger: EmbeddedLedger, tmp_path: Path) -> Iterator[LedgerClient]:
    if request.param == "in process":
        yield InProcessClient(ledger)
        return
    with Node(ledger, tmp_path / "node.sock"):
        made = SocketClient(tmp_path / "node.sock")
        yield made
        made.close()


def test_who_follows_events_from_before_is_told_and_skips_none(
    client: LedgerClient, ledger: EmbeddedLedger, kept: SnapshotFolder
) -> None:
    last = client.events_since(b"", 100)[4].cursor
    assert client.events_since(last, 1)[0].height == 6
    prune(ledger.store, 6, kept.list())
    for cursor in (b"", entries_cursor(1), entries_cursor(4)):
        with pytest.raises(EventsGoneError) as gone:
            client.events_since(cursor, 100)
        assert gone.value.from_height == 6
        assert "Ask another node, or begin at that height." in str(gone.value)
    assert client.events_since(last, 1)[0].height == 6, "who has seen the last event that is gone misses none"
    assert client.events_since(cursor_before(6), 1)[0].height == 6


def test_empty_blocks_that_are_gone_are_missed_by_nobody(kept: SnapshotFolder) -> None:
    with in_memory() as ledger:
        grow(ledger, 1)
        seen = ledger.events_since(b"", 1)[0].cursor
        for _ in range(4):
            ledger.make_block(empty=True)
        kept.take(ledger.store)
        assert prune(ledger.store, 5, kept.list()) == 5
        assert ledger.events_since(seen, 1) == []
        grow(ledger, 1, first_nonce=1)
        assert ledger.events_since(seen, 1)[0].height == 6


def test_a_ledger_whose_gone_blocks_had_no_events_misses_none(kept: SnapshotFolder) -> None:
    with in_memory() as ledger:
        for _ in range(3):
            ledger.make_block(empty=True)
        kept.take(ledger.store)
        assert prune(ledger.store, 3, kept.list()) == 3
        assert ledger.events_since(b"", 1) == []


# --- verification ----------------------------------------------------------------------------------------------------


def pruned_report(ledger: EmbeddedLedger, kept: SnapshotFolder) -> Report:
    prune(ledger.store, 5, kept.list())
    return verify_store(ledger.store, tiny, snapshots=kept)


def test_a_pruned_ledger_is_verified_from_the_oldest_kept_state(ledger: EmbeddedLedger, kept: SnapshotFolder) -> None:
    whole = verify_store(ledger.store, tiny, snapshots=kept)
    assert (whole.first_height, whole.base_height, whole.base_app_hash) == (1, 0, b"")
    with ledger.store.snapshot() as moment:
        following = find_block(moment, KEPT + 1)
    assert following is not None
    report = pruned_report(ledger, kept)
    assert report.falsehoods == ()
    assert (report.first_height, report.last_height) == (KEPT + 1, LAST)
    assert (report.base_height, report.base_app_hash) == (KEPT, following.previous)
    assert report.app_hash == ledger.head.app_hash
    assert report.announced == {"NoticePosted": LAST - KEPT}


def test_a_ledger_with_no_block_after_its_state_is_verified(kept: SnapshotFolder) -> None:
    with in_memory() as ledger:
        grow(ledger, 3)
        kept.take(ledger.store)
        report = pruned_report(ledger, kept)
        assert (report.falsehoods, report.base_height, report.last_height) == ((), 3, 3)
        assert report.first_height == 4


def test_a_node_that_joined_is_verified_from_what_it_joined_with(
    ledger: EmbeddedLedger, kept: SnapshotFolder, tmp_path: Path
) -> None:
    (snapshot,) = kept.list()
    store = LmdbStore(str(tmp_path / "store"))
    take_in(store, snapshot, chunks_of(kept, snapshot))
    with in_memory(store=store) as joined:
        grow(joined, 1, first_nonce=KEPT)
        with pytest.raises(HistoryPrunedError) as gone:
            verify_store(store, tiny)
        assert gone.value.from_height == KEPT + 1
        assert verify_store(store, tiny, snapshots=kept).is_true


def test_without_a_kept_state_a_pruned_ledger_is_not_verified(
    ledger: EmbeddedLedger, kept: SnapshotFolder, tmp_path: Path
) -> None:
    prune(ledger.store, 5, kept.list())
    empty = SnapshotFolder(tmp_path / "none")
    with in_memory() as young:
        grow(young, 2)
        early = SnapshotFolder(tmp_path / "early")
        early.take(young.store)
    for snapshots in (None, empty, early):
        with pytest.raises(HistoryPrunedError, match="give the folder of the snapshots") as refused:
            verify_store(ledger.store, tiny, snapshots=snapshots)
        assert refused.value.from_height == 5


def test_a_kept_state_that_is_damaged_or_false_is_no_beginning(
    ledger: EmbeddedLedger, kept: SnapshotFolder, tmp_path: Path
) -> None:
    prune(ledger.store, 5, kept.list())
    assert verify_store(ledger.store, tiny, snapshots=kept).is_true
    place = tmp_path / "snapshots" / f"{KEPT:020d}"
    chunk = (place / "000000.chunk").read_bytes()
    (place / "000000.chunk").write_bytes(chunk[:-1])
    with pytest.raises(SnapshotFailedError):
        verify_store(ledger.store, tiny, snapshots=kept)
    with in_memory() as liar:
        grow(liar, KEPT)
        liar.store.write({Table.STATE: {LAST_NUMBER.key(1): b"\x00\x00\x00\x63"}})
        false = SnapshotFolder(tmp_path / "false", chunk_bytes=SMALL)
        false.take(liar.store)
        assert poisoned(liar.store, {}) == [false.load(KEPT, FORMAT, n) for n in range(false.list()[0].chunks)]
    with pytest.raises(SnapshotFalseError):
        verify_store(ledger.store, tiny, snapshots=false)


def test_a_kept_state_of_another_past_is_found(ledger: EmbeddedLedger, kept: SnapshotFolder, tmp_path: Path) -> None:
    prune(ledger.store, 5, kept.list())
    with in_memory() as other:
        grow(other, KEPT - 1)
        other.submit(signed("household-2"))
        other.make_block()
        foreign = SnapshotFolder(tmp_path / "foreign")
        foreign.take(other.store)
    lines = verify_store(ledger.store, tiny, snapshots=foreign).falsehoods
    assert any(line.startswith(f"block {KEPT + 1}: it builds on") for line in lines)


@pytest.mark.parametrize(
    ("table", "key", "value", "says"),
    [
        (Table.STATE, LAST_NUMBER.key(1), b"\x00\x00\x00\x63", "state table"),
        (Table.SIDE, b"\x63\x01", b"x", "side table"),
        (Table.EVENTS, entries_cursor(8), None, "events table"),
        (Table.RESULTS, b"\x55" * 32, encode(TransactionPlace(2, 0, TransactionResult(0, ""))), "results table"),
        (Table.RESULTS, b"\x55" * 32, encode(TransactionPlace(8, 0, TransactionResult(0, ""))), "results table"),
        (Table.RESULTS, b"\x55" * 32, b"\xc1", "results table"),
        (Table.BLOCKS, (8).to_bytes(8, "big"), None, "block 7: A block that should be kept here is not"),
    ],
)
def test_what_was_altered_in_a_pruned_ledger_is_found(
    ledger: EmbeddedLedger, kept: SnapshotFolder, table: Table, key: bytes, value: bytes | None, says: str
) -> None:
    assert pruned_report(ledger, kept).is_true
    ledger.store.write({table: {key: value}})
    lines = verify_store(ledger.store, tiny, snapshots=kept).falsehoods
    assert any(line.startswith(says) for line in lines), lines


# --- history ---------------------------------------------------------------------------------------------------------


def test_a_pruned_history_is_not_exported_and_what_is_gone_is_named(
    ledger: EmbeddedLedger, kept: SnapshotFolder, tmp_path: Path
) -> None:
    prune(ledger.store, 5, kept.list())
    with ledger.store.snapshot() as moment, pytest.raises(HistoryPrunedError) as refused:
        export_history(StoredHistory(moment, ledger.head), "tiny-1", tmp_path / "history")
    assert refused.value.from_height == 5
    assert not any(path.name.startswith("history") for path in tmp_path.iterdir())
    with ledger.store.snapshot() as moment:
        history = StoredHistory(moment, ledger.head)
        assert history.app_hash(3) is None
        assert history.app_hash(LAST) == ledger.head.app_hash
        assert history.app_hash(5) is not None
