"""Snapshots are taken while the ledger goes on, are the same on all nodes, and count only when they are whole."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from gridproof.drivers.errors import SnapshotFailedError, SnapshotUnknownError
from gridproof.drivers.snapshots import CHUNK_BYTES, FORMAT, SnapshotFolder, folder, read_manifest
from gridproof.state.store import MemoryStore, Store, Table

from tests.unit.drivers.scenes import grow, in_folder, in_memory
from tests.unit.drivers.snapshots.joining import SMALL, KilledError, chunks_of, killing


def names_in(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir()) if path.exists() else []


def test_two_nodes_of_one_history_take_the_same_snapshot_whatever_their_store(tmp_path: Path) -> None:
    with in_folder(tmp_path / "a") as durable, in_memory() as fleeting:
        taken = []
        for n, ledger in enumerate((durable, fleeting)):
            grow(ledger, 6)
            kept = SnapshotFolder(tmp_path / f"snapshots {n}", chunk_bytes=SMALL)
            taken.append((kept.take(ledger.store), chunks_of(kept, kept.list()[0])))
    assert taken[0] == taken[1]
    snapshot, chunks = taken[0]
    assert (snapshot.height, snapshot.format, snapshot.chunks) == (6, FORMAT, len(chunks))
    assert len(chunks) > 5
    assert {len(chunk) for chunk in chunks[:-1]} == {SMALL}


def test_a_manifest_names_chain_height_time_and_app_hash(tmp_path: Path) -> None:
    with in_memory() as ledger:
        grow(ledger, 3)
        manifest = read_manifest(SnapshotFolder(tmp_path / "s").take(ledger.store))
        assert (manifest.chain_id, manifest.head) == ("tiny-1", ledger.head)
    assert len(manifest.chunks) == 1
    assert CHUNK_BYTES == 4 * 2**20, "part of the form: another size makes snapshots that no other node has"


def test_blocks_made_while_a_snapshot_is_taken_are_not_in_it(tmp_path: Path) -> None:
    with in_folder(tmp_path / "ledger") as ledger:
        grow(ledger, 4)
        quiet = SnapshotFolder(tmp_path / "quiet", chunk_bytes=SMALL)
        expected = quiet.take(ledger.store)
        nonces = iter(range(4, 100))
        busy = SnapshotFolder(
            tmp_path / "busy", chunk_bytes=SMALL, reached=lambda _step: grow(ledger, 1, first_nonce=next(nonces))
        )
        with ledger.store.snapshot() as moment:
            assert busy.take_at(moment) == expected
        assert chunks_of(busy, expected) == chunks_of(quiet, expected)
        assert ledger.head.height > 8


def test_a_snapshot_of_a_height_that_is_kept_is_not_taken_again(tmp_path: Path) -> None:
    with in_memory() as ledger:
        grow(ledger, 2)
        SnapshotFolder(tmp_path / "s").take(ledger.store)
        again = SnapshotFolder(tmp_path / "s", reached=killing("begun"))
        assert again.take(ledger.store) == again.list()[0]


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    kept = SnapshotFolder(tmp_path / "s", keep=2, chunk_bytes=SMALL)
    assert kept.list() == ()
    with in_memory() as ledger:
        for n in range(4):
            grow(ledger, 1, first_nonce=n)
            kept.take(ledger.store)
    assert [snapshot.height for snapshot in kept.list()] == [3, 4]
    with pytest.raises(SnapshotUnknownError) as gone:
        kept.load(2, FORMAT, 0)
    assert (gone.value.height, gone.value.index) == (2, 0)
    SnapshotFolder(tmp_path / "s", keep=1).prune()
    assert [snapshot.height for snapshot in kept.list()] == [4]
    assert names_in(tmp_path / "s") == [f"{4:020d}"]


def test_what_is_not_there_is_not_given(tmp_path: Path) -> None:
    kept = SnapshotFolder(tmp_path / "s")
    with in_memory() as ledger:
        grow(ledger, 1)
        snapshot = kept.take(ledger.store)
    for height, form, index in ((2, 1, 0), (1, 2, 0), (1, 1, 1), (1, 1, -1)):
        with pytest.raises(SnapshotUnknownError):
            kept.load(height, form, index)
    assert kept.load(snapshot.height, snapshot.format, 0)


def test_a_ledger_without_a_block_has_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(SnapshotFailedError, match="no block yet"):
        SnapshotFolder(tmp_path / "s").take(MemoryStore())
    assert names_in(tmp_path / "s") == []


@pytest.mark.parametrize(("step", "time"), [("begun", 1), ("chunk", 1), ("chunk", 4), ("whole", 1)])
def test_a_killed_taking_leaves_nothing_that_counts_and_goes_at_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, time: int
) -> None:
    with in_memory() as ledger:
        grow(ledger, 3)
        first = SnapshotFolder(tmp_path / "s", chunk_bytes=SMALL).take(ledger.store)
        grow(ledger, 1, first_nonce=3)
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "rmtree", lambda *_args, **_options: None)  # who is killed cleans up nothing
            with pytest.raises(KilledError):
                SnapshotFolder(tmp_path / "s", chunk_bytes=SMALL, reached=killing(step, time)).take(ledger.store)
        kept = SnapshotFolder(tmp_path / "s", chunk_bytes=SMALL)
        assert kept.list() == (first,)
        assert len(names_in(tmp_path / "s")) == 2, "the killed one left its hidden folder, or this proves nothing"
        second = kept.take(ledger.store)
        assert kept.list() == (first, second)
        assert names_in(tmp_path / "s") == [f"{height:020d}" for height in (3, 4)]


def test_one_killed_after_its_naming_counts(tmp_path: Path) -> None:
    with in_memory() as ledger:
        grow(ledger, 3)
        with pytest.raises(KilledError):
            SnapshotFolder(tmp_path / "s", reached=killing("named")).take(ledger.store)
    assert [snapshot.height for snapshot in SnapshotFolder(tmp_path / "s").list()] == [3]


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    kept = SnapshotFolder(tmp_path / "s", chunk_bytes=SMALL)
    with in_memory() as ledger:
        grow(ledger, 2)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SnapshotFailedError, match="No space left on device") as refused:
            kept.take(ledger.store)
        assert refused.value.path == str(tmp_path / "s")
        assert names_in(tmp_path / "s") == []
        monkeypatch.undo()
        kept.take(ledger.store)
    assert len(kept.list()) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"a file")
    with in_memory() as ledger:
        grow(ledger, 1)
        with pytest.raises(SnapshotFailedError):
            SnapshotFolder(tmp_path / "s").take(ledger.store)
        with pytest.raises(SnapshotFailedError):
            SnapshotFolder(tmp_path / "none" / "s").take(ledger.store)


def test_pieces_that_were_altered_are_not_given_and_broken_manifests_not_listed(tmp_path: Path) -> None:
    kept = SnapshotFolder(tmp_path / "s", chunk_bytes=SMALL)
    with in_memory() as ledger:
        grow(ledger, 2)
        snapshot = kept.take(ledger.store)
    place = tmp_path / "s" / f"{2:020d}"
    (place / "000001.chunk").write_bytes(b"altered")
    with pytest.raises(SnapshotFailedError, match="piece 1"):
        kept.load(2, FORMAT, 1)
    (place / "000002.chunk").unlink()
    with pytest.raises(SnapshotUnknownError):
        kept.load(2, FORMAT, 2)
    shutil.copytree(place, tmp_path / "s" / f"{7:020d}")
    assert kept.list() == (snapshot,), "a snapshot under another height is none"
    (place / "manifest").write_bytes(b"\xc1")
    assert kept.list() == ()


def test_a_state_of_too_many_pieces_has_no_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_CHUNKS", 2)
    with in_memory() as ledger:
        grow(ledger, 2)
        with pytest.raises(SnapshotFailedError, match="larger than 2 pieces"):
            SnapshotFolder(tmp_path / "s", chunk_bytes=SMALL).take(ledger.store)
    assert names_in(tmp_path / "s") == []


def test_a_value_larger_than_a_piece_is_cut_and_whole_again(tmp_path: Path) -> None:
    store: Store
    with in_memory() as ledger:
        store = ledger.store
        grow(ledger, 1)
        store.write({Table.SIDE: {b"\x63\x01": b"v" * (3 * SMALL)}})
        kept = SnapshotFolder(tmp_path / "s", chunk_bytes=SMALL)
        joined = b"".join(chunks_of(kept, kept.take(store)))
    assert joined.endswith(b"\x63\x01" + b"v" * (3 * SMALL))
