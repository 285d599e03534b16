"""A node's logs do not grow for ever, whatever the disk does."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from gridproof.actors.node import logs as module
from gridproof.actors.node.logs import LogReader, TurnedLog, take_down, turn


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


# --- reading one while it grows --------------------------------------------------------------------------------------


def test_who_follows_a_log_loses_no_line_and_gets_none_twice_however_often_it_is_turned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LOG_BYTES", 100)
    with closing(TurnedLog(tmp_path / "x.log")) as log:
        log.write(b"first\n")
        with closing(LogReader(tmp_path / "x.log")) as reader:
            read = reader.last(3)
            for number in range(200):
                log.write(b"line %d\n" % number)
                if number % 5 == 0:
                    read += reader.fresh()
            read += reader.fresh()
            assert reader.fresh() == []
    assert read == ["first", *(f"line {number}" for number in range(200))]


def test_a_line_is_shown_once_it_is_whole_and_what_a_turn_cut_off_as_it_stands(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"a\xff\r\n")
    with closing(LogReader(log)) as reader:
        assert reader.last(1) == ["a\ufffd"]
        _add(log, b"half")
        assert reader.fresh() == []
        _add(log, b" whole\nnext")
        assert reader.fresh() == ["half whole"]
        log.rename(tmp_path / "x.log.1")
        _add(tmp_path / "x.log.1", b" one")
        assert reader.fresh() == []  # there is no new one yet
        _add(log, b"new\n")
        assert reader.fresh() == ["next one", "new"]
        log.write_bytes(b"")
        _add(log, b"x\n")
        assert reader.fresh() == ["x"]


def test_of_a_long_log_the_last_lines_are_shown(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("".join(f"{number}\n" for number in range(10_000)) + "begun")
    with closing(LogReader(tmp_path / "x.log")) as reader:
        assert reader.last(3) == ["9998", "9999", "begun"]


def _add(log: Path, words: bytes) -> None:
    with log.open("ab") as file:
        file.write(words)
