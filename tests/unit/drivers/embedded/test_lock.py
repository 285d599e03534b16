"""One writer: the folder is held by one process, and who holds it is named."""

import os
from pathlib import Path

import pytest

from gridproof.drivers.embedded import EmbeddedLedger, FolderLock
from gridproof.drivers.errors import FolderUnusableError, LedgerLockedError

from tests.tiny.app import tiny
from tests.unit.drivers.scenes import in_folder


def test_a_held_folder_names_its_holder(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "new")
    with pytest.raises(LedgerLockedError) as held:
        FolderLock(tmp_path / "new")
    assert held.value.folder == str(tmp_path / "new")
    assert held.value.held_by == f"process {os.getpid()}"
    assert "Stop that process" in str(held.value)
    lock.release()
    lock.release()
    FolderLock(tmp_path / "new").release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FolderUnusableError) as unusable:
            FolderLock(folder)
        assert unusable.value.folder == str(folder)


def test_a_second_ledger_in_a_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with in_folder(tmp_path) as first:
        with pytest.raises(LedgerLockedError):
            in_folder(tmp_path)
        assert first.make_block(empty=True) is not None
    with EmbeddedLedger.at(tmp_path, tiny) as again:
        assert again.head.height == 1


def test_a_ledger_that_fails_to_open_lets_go_of_its_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        EmbeddedLedger.at(tmp_path, lambda _store, _verifier: (_ for _ in ()).throw(RuntimeError("no")))
    in_folder(tmp_path).close()
