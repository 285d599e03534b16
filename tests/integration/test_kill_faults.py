"""Disk full, protected folder, damaged database: one sentence, and nothing lost."""

import os
import shutil
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from tempfile import mkdtemp

import pytest

from gridproof.drivers.errors import LedgerStoppedError
from gridproof.state.store import StoreCorruptError

from .victims import PATIENCE_S, fill_the_disk, open_as_nobody, open_ledger, start, then_leave, transaction
from tests.unit.drivers.scenes import in_memory


def told_by(target: object, *arguments: object) -> tuple[object, ...]:
    here, there = Pipe()
    victim = start(then_leave, target, *arguments, there)
    assert here.poll(PATIENCE_S), "the victim said nothing"
    said: tuple[object, ...] = here.recv()
    victim.join(PATIENCE_S)
    assert victim.exitcode == 0
    here.close()
    there.close()
    return said


def is_one_sentence(text: str) -> bool:
    return bool(text) and "\n" not in text and "Traceback" not in text


@pytest.mark.parametrize("room", [0, 40_000, 100_000])
def test_a_full_disk_stops_the_ledger_and_loses_nothing(tmp_path: Path, room: int) -> None:
    with open_ledger(tmp_path) as ledger:
        for height in (1, 2):
            ledger.submit(transaction(height))
            ledger.make_block()
    acknowledged, head, name, text = told_by(fill_the_disk, str(tmp_path), room)
    assert name == LedgerStoppedError.__name__
    assert "The disk is full" in str(text)
    assert is_one_sentence(str(text))
    assert acknowledged == head
    with open_ledger(tmp_path) as ledger:
        assert ledger.head.height - int(str(head)) in (0, 1), "a block that was kept is computed once there is room"
        other = in_memory()
        for height in range(1, ledger.head.height + 1):
            other.submit(transaction(height))
            other.make_block()
        assert ledger.head.app_hash == other.head.app_hash
        ledger.submit(transaction(ledger.head.height + 1))
        assert ledger.make_block() is not None


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that a user without rights can get to, unlike those of other tests."""
    made = Path(mkdtemp())
    made.chmod(0o755)
    yield made
    for path in made.rglob("*"):
        path.chmod(0o700)
    shutil.rmtree(made)


def give_to_nobody(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65_534, 65_534)


def test_a_folder_that_may_not_be_written_is_named(shared: Path) -> None:
    folder = shared / "ledger"
    folder.mkdir()
    give_to_nobody(folder)
    folder.chmod(0o500)
    name, text = told_by(open_as_nobody, str(folder))
    assert name == "FolderUnusableError"
    assert str(folder) in str(text)
    assert is_one_sentence(str(text))
    assert list(folder.iterdir()) == []


def test_a_database_that_may_not_be_written_is_named_and_left_as_it_is(shared: Path) -> None:
    folder = shared / "ledger"
    with open_ledger(folder) as ledger:
        ledger.submit(transaction(1))
        ledger.make_block()
        head = ledger.head
    give_to_nobody(folder)
    data = folder / "ledger.lmdb" / "data.mdb"
    data.chmod(0o400)
    before = data.read_bytes()
    name, text = told_by(open_as_nobody, str(folder))
    assert name == "StoreReadOnlyError"
    assert is_one_sentence(str(text))
    assert data.read_bytes() == before
    data.chmod(0o600)
    assert told_by(open_as_nobody, str(folder)) == ("opened", "")
    with open_ledger(folder) as ledger:
        assert ledger.head.height == head.height + 1


@pytest.mark.parametrize("part", [0, 1, 4_096, 20_000, 0.5, 0.9])
def test_a_truncated_database_is_refused_and_left_as_it_is(tmp_path: Path, part: float) -> None:
    with open_ledger(tmp_path) as ledger:
        for height in range(1, 6):
            ledger.submit(transaction(height))
            ledger.make_block()
        head = ledger.head
    data = tmp_path / "ledger.lmdb" / "data.mdb"
    whole = data.read_bytes()
    cut = whole[: part if isinstance(part, int) else int(len(whole) * part)]
    data.write_bytes(cut)
    with pytest.raises(StoreCorruptError) as damaged:
        open_ledger(tmp_path)
    assert is_one_sentence(str(damaged.value))
    assert "Restore a backup" in str(damaged.value)
    assert data.read_bytes() == cut
    data.write_bytes(whole)
    with open_ledger(tmp_path) as ledger:
        assert ledger.head == head
