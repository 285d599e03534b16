"""Public roster files: rules P-1 and P-2."""

from pathlib import Path

import pytest

from gridproof.connectors.files import FileMissingError, FileUnreadableError, FileUnwritableError
from gridproof.connectors.rosters import NoRosterFileError, RosterFiles, Stretch
from gridproof.domain import Direction, MonthId, OutOfRangeError, RegionId
from gridproof.primitives.bloom import BloomFilter
from gridproof.primitives.hashing import sha256

STRETCH = Stretch(RegionId(2), Direction.EXPORT, MonthId(24_000), 3, 100, 104, 4)
PLACE = STRETCH[:4]
LEAVES = [sorted(sha256(bytes([k, n])) for n in range(4)) for k in range(4)]
ROOTS = [sha256(bytes([k])) for k in range(4)]


def written(folder: Path) -> RosterFiles:
    files = RosterFiles(folder)
    bloom = BloomFilter.sized(16, 1_000)
    bloom.update(leaf for row in LEAVES for leaf in row)
    files.write(STRETCH, ROOTS, [b"".join(row) for row in LEAVES], bloom)
    return files


def test_leaves_roots_and_filter_come_back(tmp_path: Path) -> None:
    files = written(tmp_path)
    file = files.open(*PLACE)
    assert file.stretch == STRETCH
    assert file.roots() == b"".join(ROOTS)
    assert [file.leaves(k) for k in range(100, 104)] == LEAVES
    assert [[leaf.tobytes() for leaf in file.rows(k)] for k in range(100, 104)] == LEAVES
    assert all(leaf in files.filter(*PLACE) for row in LEAVES for leaf in row)


@pytest.mark.parametrize("k", [99, 104])
def test_a_slot_outside_the_stretch_has_no_leaves_here(tmp_path: Path, k: int) -> None:
    file = written(tmp_path).open(*PLACE)
    for of in (file.leaves, file.rows):
        with pytest.raises(OutOfRangeError):
            of(k)


def test_anyone_may_read_the_files(tmp_path: Path) -> None:
    written(tmp_path)
    assert {path.stat().st_mode & 0o444 for path in tmp_path.rglob("24000*")} == {0o444}


def test_p1_what_is_not_there_is_missing(tmp_path: Path) -> None:
    files = RosterFiles(tmp_path)
    with pytest.raises(FileMissingError):
        files.open(*PLACE)
    with pytest.raises(FileMissingError):
        files.filter(*PLACE)


def test_p2_a_file_cut_short_altered_or_anothers_is_none(tmp_path: Path) -> None:
    files = written(tmp_path)
    path = files.leaves_path(*PLACE)
    content = path.read_bytes()
    for bad, detail in (
        (content[:-1], "bytes where"),
        (content[:40], "no head"),
        (b"x" + content[1:], "no head"),
        (content[:8] + b"\x09" + content[9:], "version 9"),
        (content[:9] + b"\x07" + content[10:], "channel 7"),
        (content[:32] + content[24:32] + content[40:], "no slot"),
        (content[:11] + b"\x05" + content[12:], "it is for"),
    ):
        path.write_bytes(bad)
        with pytest.raises(NoRosterFileError, match=detail):
            files.open(*PLACE)
    files.filter_path(*PLACE).write_bytes(b"short")
    with pytest.raises(NoRosterFileError):
        files.filter(*PLACE)


def test_a_folder_in_the_files_stead_is_unreadable_or_unwritable(tmp_path: Path) -> None:
    files = written(tmp_path)
    for path in (files.leaves_path(*PLACE), files.filter_path(*PLACE)):
        path.unlink()
        path.mkdir()
    with pytest.raises(FileUnreadableError):
        files.open(*PLACE)
    with pytest.raises(FileUnreadableError):
        files.filter(*PLACE)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileUnwritableError):
        written(tmp_path / "file")
