"""The content store in a folder, by the rules C-1 to C-3."""

import errno
import os
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gridproof.connectors import files
from gridproof.connectors.content import (
    ContentAlteredError,
    ContentNotStoredError,
    ContentStoreUnreachableError,
    Damage,
    FolderContent,
)
from gridproof.connectors.files import TEMPORARY_SUFFIX
from gridproof.primitives.cid import cid_v1

from .contract import HELLO, ContentStoreContract, content_of


@dataclass(frozen=True)
class FolderPlace:
    root: Path

    def open(self) -> FolderContent:
        return FolderContent(self.root)

    def file(self, content: bytes) -> tuple[Path, int]:
        cid = cid_v1(content)
        return self.root / cid[-3:-1] / cid, len(content) // 2


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "public" / "content"


class TestFolderContent(ContentStoreContract):
    @pytest.fixture
    def place(self, root: Path) -> FolderPlace:
        return FolderPlace(root)


def test_nothing_is_made_before_the_first_put(root: Path) -> None:
    with closing(FolderContent(root)) as store:
        assert store.find_fault(HELLO[1]) is Damage.MISSING
        store.remove(HELLO[1])
        assert not root.exists()
        store.put(HELLO[0])
        assert names_in(root) == [HELLO[1], "lock"]


def test_files_and_folders_are_their_owners_only(root: Path) -> None:
    with closing(FolderContent(root)) as store:
        store.put(HELLO[0])
    path = root / HELLO[1][-3:-1] / HELLO[1]
    assert [mode(each) for each in (path, path.parent, root, root.parent)] == [0o600, 0o700, 0o700, 0o700]


def test_c2_content_that_is_there_is_not_written_again(root: Path) -> None:
    with closing(FolderContent(root)) as store:
        store.put(HELLO[0])
        path = root / HELLO[1][-3:-1] / HELLO[1]
        before = path.stat()
        store.put(HELLO[0])
        after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_c2_the_names_that_lead_to_new_content_are_synced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    sync = files.sync_folder

    def noted(folder: Path) -> None:
        synced.append(folder)
        sync(folder)

    monkeypatch.setattr("gridproof.connectors.content.folder.sync_folder", noted)
    monkeypatch.setattr(files, "sync_folder", noted)
    with closing(FolderContent(root)) as store:
        store.put(HELLO[0])
    assert {root.parent.parent, root.parent, root, root / HELLO[1][-3:-1]} <= set(synced)


def test_c2_a_full_disk_leaves_nothing_and_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with closing(FolderContent(root)) as store:
        store.put(HELLO[0])
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ContentNotStoredError, match="No space left on device") as refusal:
            store.put(content_of(5_000))
        assert refusal.value.place == str(root)
        assert names_in(root) == [HELLO[1], "lock"]
        monkeypatch.undo()
        assert store.has(store.put(content_of(5_000)))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "public").write_bytes(b"a file")
    with closing(FolderContent(tmp_path / "public" / "content")) as store:
        with pytest.raises(ContentNotStoredError) as refusal:
            store.put(b"x")
        assert refusal.value.detail
        with pytest.raises(ContentStoreUnreachableError) as refused:
            store.get(HELLO[1])
        assert refused.value.setting == "paths.content"
        assert refused.value.detail == "Not a directory"


def test_c1_a_folder_or_a_far_longer_file_under_a_name_is_not_content(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / HELLO[1][-3:-1] / HELLO[1]
    path.mkdir(parents=True)
    with closing(FolderContent(root)) as store:
        with pytest.raises(ContentAlteredError):
            store.get(HELLO[1])
        with pytest.raises(ContentNotStoredError):
            store.put(HELLO[0])
        path.rmdir()
        monkeypatch.setattr("gridproof.connectors.content.folder.MAX_CONTENT", len(HELLO[0]) - 1)
        path.write_bytes(HELLO[0])
        with pytest.raises(ContentAlteredError):
            store.get(HELLO[1])


def leave_over(root: Path) -> Path:
    leftover = root / "ab" / f".{HELLO[1]}.0123abcd{TEMPORARY_SUFFIX}"
    leftover.parent.mkdir(parents=True, exist_ok=True)
    leftover.write_bytes(b"half")
    return leftover


def test_what_a_killed_writer_left_is_cleared_by_the_next(root: Path) -> None:
    leftover = leave_over(root)
    with closing(FolderContent(root)) as store:
        assert store.find_fault(HELLO[1]) is Damage.MISSING
        assert leftover.exists()
        store.put(b"x")
        assert not leftover.exists()


def test_what_another_writer_may_be_writing_is_left_alone(root: Path) -> None:
    with closing(FolderContent(root)) as first, closing(FolderContent(root)) as second:
        first.put(b"x")
        leftover = leave_over(root)
        second.put(b"y")
        assert leftover.exists()


def test_a_store_that_was_closed_lets_the_next_one_clear(root: Path) -> None:
    first = FolderContent(root)
    first.put(b"x")
    first.close()
    first.close()
    leftover = leave_over(root)
    with closing(FolderContent(root)) as second:
        second.put(b"y")
        assert not leftover.exists()
