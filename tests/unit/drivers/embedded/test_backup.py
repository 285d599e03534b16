"""Backups are made while the ledger runs, and take no place before they were found true."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.drivers.embedded import EmbeddedLedger, back_up, restore
from gridproof.drivers.embedded.ledger import DATABASE_NAME
from gridproof.drivers.errors import BackupError, LedgerLockedError
from gridproof.drivers.pruning import prune
from gridproof.drivers.snapshots import FOLDER_NAME, SnapshotFolder
from gridproof.drivers.verification import verify_store
from gridproof.state.store import LmdbStore, MemoryStore, StoreError, Table

from tests.tiny.app import tiny
from tests.tiny.notices.types import LAST_NUMBER
from tests.unit.drivers.scenes import grow, in_folder, in_memory, signed
from tests.unit.drivers.snapshots.joining import SMALL


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_backup_of_a_running_ledger_is_restored_and_goes_on(tmp_path: Path) -> None:
    with in_folder(tmp_path / "a") as ledger:
        grow(ledger, 3)
        saved = ledger.head
        ledger.start(0.001)
        assert back_up(ledger.store, tmp_path / "saved") == tmp_path / "saved"
        ledger.wait(ledger.submit(signed(nonce=3)), 10)
    report = restore(tmp_path / "saved", tmp_path / "b", tiny)
    assert report.is_true
    assert (report.last_height, report.app_hash) == (saved.height, saved.app_hash)
    with in_folder(tmp_path / "b") as ledger:
        assert ledger.head == saved
        grow(ledger, 1, first_nonce=3)
    assert (tmp_path / "saved").stat().st_mode & 0o077 == 0


def test_a_ledger_in_memory_is_backed_up_too(tmp_path: Path) -> None:
    ledger = in_memory()
    grow(ledger, 2)
    back_up(ledger.store, tmp_path / "saved")
    restore(tmp_path / "saved", tmp_path / "b", tiny)
    with in_folder(tmp_path / "b") as again:
        assert again.head == ledger.head


@pytest.fixture
def pruned(tmp_path: Path) -> Iterator[tuple[EmbeddedLedger, SnapshotFolder]]:
    """A ledger of eight blocks whose first three are gone, with snapshots of the fourth and the sixth."""
    kept = SnapshotFolder(tmp_path / "kept", chunk_bytes=SMALL)
    with in_memory() as ledger:
        grow(ledger, 4)
        kept.take(ledger.store)
        grow(ledger, 2, first_nonce=4)
        kept.take(ledger.store)
        grow(ledger, 2, first_nonce=6)
        assert prune(ledger.store, 4, kept.list()) == 4
        yield ledger, kept


def test_a_backup_of_a_pruned_ledger_has_the_state_with_which_its_history_begins(
    pruned: tuple[EmbeddedLedger, SnapshotFolder], tmp_path: Path
) -> None:
    ledger, kept = pruned
    back_up(ledger.store, tmp_path / "saved", kept)
    first, _ = kept.list()
    assert SnapshotFolder(tmp_path / "saved" / FOLDER_NAME).list() == (first,), "of two, the one that proves most"
    shutil.rmtree(kept.path)
    report = restore(tmp_path / "saved", tmp_path / "b", tiny)
    assert (report.is_true, report.base_height, report.last_height) == (True, 4, 8)
    with in_folder(tmp_path / "b") as again:
        assert again.head == ledger.head
        beside = SnapshotFolder(tmp_path / "b" / FOLDER_NAME)
        assert verify_store(again.store, tiny, snapshots=beside).is_true


def test_a_pruned_ledger_without_a_kept_state_is_not_backed_up_for_nobody_could_restore_it(
    pruned: tuple[EmbeddedLedger, SnapshotFolder], tmp_path: Path
) -> None:
    ledger, kept = pruned
    before = listing(tmp_path)
    for snapshots in (None, SnapshotFolder(tmp_path / "none")):
        with pytest.raises(BackupError, match="give the folder of the snapshots"):
            back_up(ledger.store, tmp_path / "saved", snapshots)
    for piece in kept.path.glob("*/*.chunk"):
        piece.write_bytes(b"altered")
    with pytest.raises(BackupError, match="was altered"):
        back_up(ledger.store, tmp_path / "saved", kept)
    assert listing(tmp_path) == before


def test_a_pruned_backup_whose_state_is_gone_or_false_is_not_put_in_place(
    pruned: tuple[EmbeddedLedger, SnapshotFolder], tmp_path: Path
) -> None:
    back_up(pruned[0].store, tmp_path / "saved", pruned[1])
    for piece in (tmp_path / "saved" / FOLDER_NAME).glob("*/*.chunk"):
        piece.write_bytes(b"altered")
    with pytest.raises(BackupError, match="was altered"):
        restore(tmp_path / "saved", tmp_path / "b", tiny)
    shutil.rmtree(tmp_path / "saved" / FOLDER_NAME)
    with pytest.raises(BackupError, match="give the folder of the snapshots"):
        restore(tmp_path / "saved", tmp_path / "b", tiny)
    assert listing(tmp_path / "b") == ["lock"]


def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "file").write_text("kept")
    ledger = in_memory()
    for target in ("saved", "file"):
        with pytest.raises(BackupError) as refused:
            back_up(ledger.store, tmp_path / target)
        assert refused.value.path == str(tmp_path / target)
    with pytest.raises(BackupError):
        back_up(ledger.store, tmp_path / "missing" / "saved")
    assert listing(tmp_path) == ["file", "saved"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    store.close()
    with pytest.raises(StoreError):
        back_up(store, tmp_path / "saved")
    assert listing(tmp_path) == []


def test_a_restore_overwrites_no_ledger(tmp_path: Path) -> None:
    ledger = in_memory()
    grow(ledger, 1)
    back_up(ledger.store, tmp_path / "saved")
    with in_folder(tmp_path / "a") as other:
        grow(other, 2)
        head = other.head
        with pytest.raises(LedgerLockedError):
            restore(tmp_path / "saved", tmp_path / "a", tiny)
    with pytest.raises(BackupError):
        restore(tmp_path / "saved", tmp_path / "a", tiny)
    with in_folder(tmp_path / "a") as other:
        assert other.head == head


def test_a_backup_that_is_not_true_is_not_put_in_place(tmp_path: Path) -> None:
    ledger = in_memory()
    grow(ledger, 2)
    back_up(ledger.store, tmp_path / "saved")
    store = LmdbStore(str(tmp_path / "saved" / DATABASE_NAME))
    store.write({Table.STATE: {LAST_NUMBER.key(0): None}})
    store.close()
    with pytest.raises(BackupError) as refused:
        restore(tmp_path / "saved", tmp_path / "b", tiny)
    assert "falsehoods" in refused.value.detail
    assert listing(tmp_path / "b") == ["lock"]


def test_a_damaged_ledger_is_not_backed_up(tmp_path: Path) -> None:
    with in_folder(tmp_path / "a") as ledger:
        grow(ledger, 30)
    data = tmp_path / "a" / DATABASE_NAME / "data.mdb"
    store = LmdbStore(str(data.parent), read_only=True)
    try:
        with data.open("r+b") as file:
            for at in range(3 * 4_096, data.stat().st_size, 4_096):  # all pages but those that tell where tables lie
                file.seek(at + 16)
                first, second = file.read(2), file.read(2)
                file.seek(at + 16)
                file.write(second + first)  # the places of two keys in the page: they lie out of order now
        with pytest.raises(BackupError) as refused:
            back_up(store, tmp_path / "saved")
    finally:
        store.close()
    assert "damaged" in refused.value.detail
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize("size", [0, 100, 5_000])
def test_a_truncated_backup_is_refused(tmp_path: Path, size: int) -> None:
    ledger = in_memory()
    grow(ledger, 2)
    back_up(ledger.store, tmp_path / "saved")
    data = tmp_path / "saved" / DATABASE_NAME / "data.mdb"
    data.write_bytes(data.read_bytes()[:size])
    with pytest.raises(BackupError) as refused:
        restore(tmp_path / "saved", tmp_path / "b", tiny)
    assert refused.value.detail
    assert listing(tmp_path / "b") == ["lock"]


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in ("empty", "missing"):
        with pytest.raises(BackupError):
            restore(tmp_path / source, tmp_path / "b", tiny)
    assert listing(tmp_path / "b") == ["lock"]
