"""A true ledger is found true; whatever is altered in it is found, each falsehood in a line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gridproof.drivers.blocks import KeptBlock, find_block, keep_block
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.errors import GenesisMissingError
from gridproof.drivers.history import Entry, HistoryFile, StoredHistory, export_history
from gridproof.drivers.verification import MAX_LINES, Report, replay, verify_store
from gridproof.primitives.encoding import encode
from gridproof.state import Block, SerialVerifier, system
from gridproof.state.blocks import Head, TransactionPlace, TransactionResult
from gridproof.state.genesis import genesis_hash
from gridproof.state.store import LmdbStore, MemoryStore, Store, Table

from tests.tiny.app import tiny, tiny_genesis
from tests.tiny.notices.types import LAST_NUMBER, NOTICES, Notice
from tests.unit.drivers.scenes import NOW_S, grow, in_folder, in_memory, post, signed

BLOCKS = 6


@pytest.fixture
def ledger() -> EmbeddedLedger:
    made = in_memory()
    grow(made, BLOCKS)
    return made


def verified(ledger: EmbeddedLedger) -> Report:
    return verify_store(ledger.store, tiny)


class Told:
    """A history as somebody tells it."""

    def __init__(self, entries: list[Entry], genesis: bytes = tiny_genesis()) -> None:
        self.genesis = genesis
        self.last_height = len(entries)
        self._entries = entries

    def entries(self) -> Iterator[Entry]:
        return iter(self._entries)


def told(ledger: EmbeddedLedger) -> list[Entry]:
    with ledger.store.snapshot() as snapshot:
        return list(StoredHistory(snapshot, ledger.head).entries())


def changed(entry: Entry, **changes: object) -> Entry:
    return entry._replace(**changes)  # type: ignore[arg-type]


# --- what is true ----------------------------------------------------------------------------------------------------


def test_a_true_ledger_is_found_true_with_every_signature_checked(ledger: EmbeddedLedger) -> None:
    seen: list[tuple[int, int]] = []
    report = verify_store(ledger.store, tiny, progress=lambda done, total: seen.append((done, total)))
    assert report == Report(
        chain_id="tiny-1",
        genesis_hash=genesis_hash(tiny_genesis()),
        first_height=1,
        last_height=BLOCKS,
        transactions=BLOCKS + 2,
        signatures=BLOCKS + 2,
        app_hash=ledger.head.app_hash,
        falsehoods=(),
        announced={"NoticePosted": BLOCKS},  # two transactions were refused
    )
    assert report.is_true
    assert seen == [(height, BLOCKS) for height in range(1, BLOCKS + 1)]


def test_a_ledger_is_verified_while_it_runs_and_by_another_process_reading_it(tmp_path: Path) -> None:
    with in_folder(tmp_path) as ledger:
        grow(ledger, 3)
        ledger.start(0.001)
        ledger.submit(signed(nonce=3))
        report = verify_store(ledger.store, tiny, into=LmdbStore(str(tmp_path / "replay")), verifier=SerialVerifier())
        assert report.falsehoods == ()
        assert report.last_height >= 3


def test_a_ledger_of_no_blocks_is_true() -> None:
    report = verify_store(in_memory().store, tiny)
    assert report.is_true
    assert (report.first_height, report.last_height, report.transactions) == (0, 0, 0)


def test_where_no_ledger_is_nothing_is_verified() -> None:
    with pytest.raises(GenesisMissingError):
        verify_store(MemoryStore(), tiny)


def test_an_exported_history_replays_to_the_same_hash(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    with ledger.store.snapshot() as snapshot:
        export_history(StoredHistory(snapshot, ledger.head), "tiny-1", tmp_path / "h")
    for into in (None, LmdbStore(str(tmp_path / "store"))):
        report = replay(HistoryFile(tmp_path / "h"), tiny, into=into)
        assert report.is_true
        assert report.app_hash == ledger.head.app_hash
        assert (report.last_height, report.transactions) == (BLOCKS, BLOCKS + 2)


# --- what is false in a history --------------------------------------------------------------------------------------


def test_another_app_hash_is_found(ledger: EmbeddedLedger) -> None:
    entries = told(ledger)
    entries[2] = changed(entries[2], app_hash=bytes(32))
    (line,) = replay(Told(entries), tiny).falsehoods
    assert line.startswith(f"block 3: app hash {'00' * 32} is kept, the replay leads to ")


def test_another_result_is_found(ledger: EmbeddedLedger) -> None:
    entries = told(ledger)
    entries[2] = changed(entries[2], codes=(0, 0))
    (line,) = replay(Told(entries), tiny).falsehoods
    assert line.startswith("block 3, transaction 1: result 0 is kept, the replay leads to 98001")
    entries[2] = changed(entries[2], codes=(0,))
    assert replay(Told(entries), tiny).falsehoods == ("block 3: 1 results for 2 transactions",)


def test_a_transaction_nobody_signed_is_found(ledger: EmbeddedLedger) -> None:
    entries = told(ledger)
    forged = bytearray(entries[1].transactions[0])
    forged[-1] ^= 1
    entries[1] = changed(entries[1], transactions=(bytes(forged),))
    report = replay(Told(entries), tiny)
    assert not report.is_true
    assert "block 2: it holds a transaction that may not stand in it" in report.falsehoods
    assert any(
        line.startswith("block 2, transaction 0: result 0 is kept, the replay leads to 4") for line in report.falsehoods
    )


def test_a_transaction_left_out_is_found(ledger: EmbeddedLedger) -> None:
    entries = told(ledger)
    entries[1] = changed(entries[1], transactions=(), codes=())
    report = replay(Told(entries), tiny)
    assert any(line.startswith("block 2: app hash") for line in report.falsehoods)
    assert report.last_height == BLOCKS


def test_a_block_out_of_its_place_ends_the_replay(ledger: EmbeddedLedger) -> None:
    entries = told(ledger)
    del entries[3]
    report = replay(Told(entries), tiny)
    assert report.last_height == 3
    assert len(report.falsehoods) == 1
    assert report.falsehoods[0].startswith("block 4: The block does not follow the last one")


def test_another_genesis_is_found(ledger: EmbeddedLedger) -> None:
    report = replay(Told(told(ledger), tiny_genesis(people={"operator": 1, "household-1": 2})), tiny)
    assert report.genesis_hash != genesis_hash(tiny_genesis())
    assert any(line.startswith("block 1: app hash") for line in report.falsehoods)


def test_falsehoods_are_counted_beyond_a_hundred() -> None:
    ledger = in_memory()
    grow(ledger, MAX_LINES + 20)
    entries = [changed(entry, app_hash=bytes(32)) for entry in told(ledger)]
    lines = replay(Told(entries), tiny).falsehoods
    assert len(lines) == MAX_LINES + 1
    assert lines[-1] == "and 20 more"


# --- what is false in a store ----------------------------------------------------------------------------------------


def put(store: Store, table: Table, key: bytes, value: bytes | None) -> None:
    store.write({table: {key: value}})


def forged_notice(store: Store) -> None:
    forgery = MemoryStore()
    NOTICES.put(_Writer(forgery), 1, 1, value=Notice("forged", NOW_S, NOW_S + 5))
    with forgery.snapshot() as snapshot:
        put(store, Table.STATE, NOTICES.key(1, 1), snapshot.get(Table.STATE, NOTICES.key(1, 1)))


class _Writer:
    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, table: Table, key: bytes) -> bytes | None:
        return None

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(())

    def write(self, table: Table, key: bytes, value: bytes | None) -> None:
        put(self._store, table, key, value)


def altered_block(store: Store) -> None:
    with store.snapshot() as snapshot:
        kept = find_block(snapshot, 2)
    assert kept is not None
    other = Block(2, kept.block.time_s, 0, (signed("operator", post("another"), nonce=1),))
    keep_block(store, KeptBlock(kept.previous, other))


def altered_link(store: Store) -> None:
    with store.snapshot() as snapshot:
        kept = find_block(snapshot, 1)
    assert kept is not None
    keep_block(store, KeptBlock(bytes(32), kept.block))


ALTERATIONS: dict[str, tuple[Callable[[Store], None], list[str]]] = {
    "an altered record": (
        forged_notice,
        [f"state table, entry {NOTICES.key(1, 1).hex()}: it was altered", "head: app hash"],
    ),
    "a record that no block wrote": (
        lambda store: put(store, Table.STATE, NOTICES.key(9, 9), b"\x93\xa1x\x01\x02"),
        [f"state table, entry {NOTICES.key(9, 9).hex()}: it is kept though no block wrote it", "head:", "invariant: "],
    ),
    "a record that is gone": (
        lambda store: put(store, Table.STATE, LAST_NUMBER.key(1), None),
        [f"state table, entry {LAST_NUMBER.key(1).hex()}: it is missing", "head:", "invariant: "],
    ),
    "a nonce set back": (
        lambda store: put(store, Table.STATE, system.NONCES.key(1), bytes(8)),
        ["state table", "head: app hash"],
    ),
    "a record that is no record": (
        lambda store: put(store, Table.STATE, NOTICES.key(1, 1), b"\xc1"),
        ["state table", "head: app hash", "state: The bytes do not decode"],
    ),
    "an entry beside the state": (
        lambda store: put(store, Table.SIDE, b"\x63\x01", b"x"),
        ["side table, entry 6301: it is kept though no block wrote it"],
    ),
    "a node of the tree that is gone": (
        lambda store: store.write({Table.TREE: {_first(store, Table.TREE): None}}),
        ["tree table"],
    ),
    "an event that is gone": (
        lambda store: store.write({Table.EVENTS: {_first(store, Table.EVENTS): None}}),
        ["events table"],
    ),
    "a result that is gone": (
        lambda store: store.write({Table.RESULTS: {_first(store, Table.RESULTS): None}}),
        ["block "],
    ),
    "a block that is gone": (
        lambda store: put(store, Table.BLOCKS, (5).to_bytes(8, "big"), None),
        ["block 4: A block that should be kept here is not"],
    ),
    "a block that is no block": (
        lambda store: put(store, Table.BLOCKS, (1).to_bytes(8, "big"), b"\xc1"),
        ["block 1: The bytes do not decode"],
    ),
    "another block": (altered_block, ["block 2: app hash", "block 2, transaction 0: result none is kept"]),
    "a first block that builds on something else": (altered_link, ["block 1: it builds on " + "00" * 32]),
}


def _first(store: Store, table: Table) -> bytes:
    with store.snapshot() as snapshot:
        return next(iter(snapshot.scan(table)))[0]


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_what_was_altered_in_a_store_is_found(ledger: EmbeddedLedger, alteration: str) -> None:
    alter, expected = ALTERATIONS[alteration]
    assert verified(ledger).is_true
    alter(ledger.store)
    lines = verified(ledger).falsehoods
    for beginning in expected:
        assert any(line.startswith(beginning) for line in lines), lines


def test_a_head_that_claims_another_hash_is_found(ledger: EmbeddedLedger) -> None:
    ledger.store.write({Table.META: {b"head": encode(Head(BLOCKS, bytes(32), NOW_S))}})
    lines = verified(ledger).falsehoods
    assert any(line.startswith(f"block {BLOCKS}: app hash") for line in lines)
    assert any(line.startswith("head: app hash " + "00" * 32) for line in lines)


def test_a_place_of_a_transaction_that_stands_in_no_block_is_found(ledger: EmbeddedLedger) -> None:
    name = b"\x55" * 32
    ledger.store.write({Table.RESULTS: {name: encode(TransactionPlace(1, 0, TransactionResult(0, "")))}})
    assert verified(ledger).falsehoods == (f"results table, entry {name.hex()}: it is kept though no block wrote it",)


def test_a_head_that_claims_another_time_is_found(ledger: EmbeddedLedger) -> None:
    head = ledger.head
    ledger.store.write({Table.META: {b"head": encode(Head(head.height, head.app_hash, head.time_s + 1))}})
    assert verified(ledger).falsehoods == (f"meta table, entry {b'head'.hex()}: it was altered",)
