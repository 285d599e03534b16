"""The content store in a folder, among processes that are killed and on disks that are full."""

import os
import resource
import signal
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gridproof.connectors.content import ContentError, Damage, FolderContent
from gridproof.connectors.files import LEFTOVERS
from gridproof.primitives.cid import cid_v1

from .victims import PATIENCE_S, context, start, then_leave
from tests.unit.connectors.content.contract import content_of

CONTENT = content_of(300_000)
STEPS = ("open", "fsync", "replace")


def die(*_arguments: Any, **_named: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_a_file(descriptor: int) -> None:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        die()


def put_and_die(root: str, step: str) -> None:
    """Put content, and be killed where a file has no content yet, is not synced yet, has not its name yet."""
    with closing(FolderContent(Path(root))) as store:
        store.put(b"first")  # the folder is made, its lock held
        if step == "replace":
            Path.replace = die  # type: ignore[method-assign,assignment]
        elif step == "fsync":
            os.fsync = die_at_a_file  # type: ignore[assignment]
        else:
            made = os.open

            def open_and_die(path: Any, flags: int, *more: Any, **named: Any) -> int:
                descriptor = made(path, flags, *more, **named)
                if flags & os.O_EXCL:
                    die()
                return descriptor

            os.open = open_and_die
        store.put(CONTENT)


def put_on_a_full_disk(root: str, told: Any) -> None:
    """Put content where a file may have only some bytes; tells what the store said."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    with closing(FolderContent(Path(root))) as store:
        try:
            store.put(CONTENT)
        except ContentError as error:
            told.send((type(error).__name__, str(error)))


@pytest.mark.parametrize("step", STEPS)
def test_c2_killed_within_a_put_nothing_can_be_seen_and_the_next_writer_clears_up(tmp_path: Path, step: str) -> None:
    victim = start(put_and_die, str(tmp_path), step)
    victim.join(PATIENCE_S)
    assert victim.exitcode == -signal.SIGKILL
    cid = cid_v1(CONTENT)
    with closing(FolderContent(tmp_path)) as store:
        assert store.find_fault(cid) is Damage.MISSING
        assert store.get(cid_v1(b"first")) == b"first"
        assert len(list(tmp_path.glob(f"??/{LEFTOVERS}"))) == 1
        assert store.put(CONTENT) == cid
        assert store.get(cid) == CONTENT
        assert not list(tmp_path.glob(f"??/{LEFTOVERS}"))


def test_c2_a_full_disk_leaves_nothing_half_written_and_is_told(tmp_path: Path) -> None:
    here, there = context().Pipe()
    victim = start(then_leave, put_on_a_full_disk, str(tmp_path), there)
    assert here.poll(PATIENCE_S), "the victim said nothing"
    name, text = here.recv()
    victim.join(PATIENCE_S)
    assert (victim.exitcode, name) == (0, "ContentNotStoredError")
    assert "File too large" in text
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lock"]
    with closing(FolderContent(tmp_path)) as store:
        assert store.find_fault(cid_v1(CONTENT)) is Damage.MISSING
        assert store.has(store.put(CONTENT))
