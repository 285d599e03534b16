"""A node's logs do not grow for ever, whatever the disk does."""

import os
from pathlib import Path

import pytest

from gridproof.actors.node import logs as module
from gridproof.actors.node.logs import TurnedLog, take_down, turn


def test_a_log_begins_anew_where_it_has_grown_long_and_the_one_before_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LOG_BYTES", 10)
    log = tmp_path / "x.log"
    turn(log)  # there is none
    log.write_text("x" * 10)
    turn(log)
    assert log.exists()
    log.write_text("y" * 11)
    turn(log)
    assert not log.exists()
    assert (tmp_path / "x.log.1").read_text() == "y" * 11


def test_a_process_that_talks_for_a_year_fills_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOG_BYTES", 100)
    monkeypatch.setattr(module, "MAX_LINE", 40)
    reading, writing = os.pipe()
    reader = take_down(os.fdopen(reading, "rb"), tmp_path / "x.log")
    with os.fdopen(writing, "wb") as said:
        for number in range(1_000):
            said.write(b"%04d\n" % number)
        said.write(b"z" * 10_000)  # and never ends its line
    reader.join()
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert max(sizes) <= 140


def test_a_log_goes_on_in_the_old_file_while_no_new_one_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: who stopped reading would hold the process up that writes."""
    monkeypatch.setattr(module, "MAX_LOG_BYTES", 10)
    log = TurnedLog(tmp_path / "x.log")
    log.write(b"before it was full\n")
    real = Path.open

    def full(*_: object, **__: object) -> object:
        raise OSError("no room")

    monkeypatch.setattr(Path, "open", full)
    log.write(b"lost\n")
    monkeypatch.setattr(Path, "open", real)
    log.write(b"after\n")
    log.close()
    assert (tmp_path / "x.log").read_bytes() == b"after\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"before it was full\n"
