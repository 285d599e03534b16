"""No entry beside the state can be altered, left out or added in a snapshot without being found.

The product's own tables: a community in the middle of its month, with rosters that were replaced, and one whose month
is closed, with a side batch.
"""

from pathlib import Path
from typing import Any

import pytest

from gridproof.app import application
from gridproof.domain import Slot
from gridproof.drivers.errors import SnapshotFalseError
from gridproof.drivers.snapshots import Snapshot, SnapshotFolder
from gridproof.modules.aggregation import types as aggregation
from gridproof.modules.pricing import types as pricing
from gridproof.primitives.encoding import encode
from gridproof.state import Map
from gridproof.state.store import MemoryStore, Store, Table

from tests.unit.drivers.snapshots.joining import CARRIED, SMALL, chunks_of, entries, forged, is_empty, poisoned, take_in
from tests.unit.modules.aggregation.community import FIRST_K, IMPORT, REGION, TARIFF, Community

SIDE: dict[str, Map[Any]] = {
    "roster": aggregation.ROSTERS,
    "body": aggregation.BODIES,
    "folded slot": aggregation.FOLDED,
    "late body": aggregation.LATE_BODIES,
    "replaced rosters": aggregation.REPLACED,
    "month's prices": pricing.FOLDED,
}


def running() -> Community:
    """A month in its course: an opened slot, an open one by two aggregators, rosters replaced from the fourth on."""
    town = Community(periods=6).begin()
    town.accepts("provider", town.rosters(FIRST_K + 3, roots=b"\x05" * 32 * 3))
    town.opened(FIRST_K)
    town.filled(FIRST_K + 1, 0, 1)
    town.accepts("second", town.batch(FIRST_K + 1, [*town.both(2, FIRST_K + 1), *town.both(3, FIRST_K + 1)]))
    return town


def closed() -> Community:
    """A closed month with a side batch."""
    town = Community().begin(tariff=TARIFF)
    town.fixed(FIRST_K, 0, 1, 2)
    town.accepts("first", town.late(FIRST_K, town.both(3, FIRST_K)))
    town.go_to(town.claim_end_of(FIRST_K + 2))
    town.accepts("operator", town.month_over)
    return town


@pytest.fixture(scope="module", params=[running, closed])
def town(request: pytest.FixtureRequest) -> Community:
    made: Community = request.param()
    return made


@pytest.fixture(scope="module")
def snapshot(town: Community, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = SnapshotFolder(tmp_path_factory.mktemp("kept") / "snapshots", chunk_bytes=SMALL)
    return folder.take(town.node.store)


def lie(town: Community, snapshot: Snapshot, changes: dict[bytes, bytes | None]) -> str:
    """What is told of a snapshot with other side tables; empty where it is believed."""
    store = MemoryStore()
    chunks = poisoned(town.node.store, {Table.SIDE: changes})
    try:
        take_in(store, forged(snapshot, chunks), chunks, application)
    except SnapshotFalseError as found:
        assert is_empty(store)
        return found.detail
    return ""


def test_the_product_joins_and_goes_on(town: Community, tmp_path: Path) -> None:
    kept = SnapshotFolder(tmp_path / "snapshots", chunk_bytes=SMALL)
    snapshot = kept.take(town.node.store)
    store: Store = MemoryStore()
    assert take_in(store, snapshot, chunks_of(kept, snapshot), application) == town.node.head
    for table in CARRIED:
        assert entries(store, table) == entries(town.node.store, table)


def test_all_side_tables_are_looked_at() -> None:
    prefixes = {key[:2] for make in (running, closed) for key, _ in entries(make().node.store, Table.SIDE)}
    assert prefixes == {table.key() for table in SIDE.values()}


def test_who_changes_nothing_is_believed(town: Community, snapshot: Snapshot) -> None:
    assert lie(town, snapshot, {}) == ""


def test_every_entry_left_out_is_found(town: Community, snapshot: Snapshot) -> None:
    for key, _ in entries(town.node.store, Table.SIDE):
        assert lie(town, snapshot, {key: None}), key.hex()


def test_every_entry_altered_is_found(town: Community, snapshot: Snapshot) -> None:
    for key, value in entries(town.node.store, Table.SIDE):
        for at in (len(value) // 3, len(value) // 2, len(value) - 1):
            altered = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
            assert lie(town, snapshot, {key: altered}), (key.hex(), at)


def test_every_entry_under_another_key_is_found(town: Community, snapshot: Snapshot) -> None:
    there = dict(entries(town.node.store, Table.SIDE))
    for key, value in there.items():
        other = key[:-1] + bytes([key[-1] ^ 0x40])
        assert other not in there
        assert lie(town, snapshot, {other: value}), key.hex()
        assert lie(town, snapshot, {other: value, key: None}), key.hex()


def test_a_whole_table_left_out_is_found(town: Community, snapshot: Snapshot) -> None:
    keys = [key for key, _ in entries(town.node.store, Table.SIDE)]
    for name, table in SIDE.items():
        gone: dict[bytes, bytes | None] = {key: None for key in keys if key.startswith(table.key())}
        assert not gone or lie(town, snapshot, gone), name
    assert lie(town, snapshot, dict.fromkeys(keys))


def test_records_that_change_places_between_two_bodies_are_found_by_their_leaves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    town = running()
    snapshot = SnapshotFolder(tmp_path / "snapshots", chunk_bytes=SMALL).take(town.node.store)
    place = Slot(REGION, IMPORT, FIRST_K + 1)
    with town.node.application.reading() as view:
        bodies = [body for _, body in aggregation.BODIES.under(view, *place)]
    first, second = bodies
    assert len(first.positions) == len(second.positions)
    keys = [aggregation.BODIES.key(*place, number) for number in (0, 1)]
    swapped = [
        aggregation.BatchBody(first.aggregator, second.positions, first.records),
        aggregation.BatchBody(second.aggregator, first.positions, second.records),
    ]
    lies: dict[bytes, bytes | None] = {key: encode(body) for key, body in zip(keys, swapped, strict=True)}
    assert "a record lies at another leaf's position" in lie(town, snapshot, lies)
    # The same liar wins where only bitmaps, sums and roots are looked at.
    monkeypatch.setattr("gridproof.modules.aggregation.invariants._require_leaves_ascend", lambda *_: None)
    assert lie(town, snapshot, lies) == ""
