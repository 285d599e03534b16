"""A process's log: one record, one line, the same head."""

import logging
import re
from collections.abc import Iterator
from io import StringIO

import pytest

from gridproof.drivers import logs

HEAD = re.compile(
    r"^timestamp=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warning|error|critical) logger=\S+ event="
)


@pytest.fixture
def written() -> Iterator[StringIO]:
    root = logging.getLogger()
    kept, level = root.handlers, root.level
    stream = StringIO()
    logs.begin(stream)
    yield stream
    root.handlers, root.level = kept, level


def lines(stream: StringIO) -> list[str]:
    text = stream.getvalue()
    assert text.endswith("\n")
    found = text[:-1].split("\n")
    assert all(HEAD.match(line) for line in found), found
    return found


def test_a_record_is_a_line_with_a_fixed_head(written: StringIO) -> None:
    logs.logger("node").info("block", height=7, app_hash="ab")
    (line,) = lines(written)
    assert line.endswith(" level=info logger=gridproof.node event=block height=7 app_hash=ab")


def test_what_a_library_says_has_the_same_head(written: StringIO) -> None:
    logging.getLogger("asyncio").warning("slow: %s", "very slow")
    (line,) = lines(written)
    assert line.endswith(' level=warning logger=asyncio event="slow: very slow"')


def test_what_is_less_than_the_level_is_left_out(written: StringIO) -> None:
    logs.logger("node").debug("detail")
    logging.getLogger("asyncio").debug("detail")
    assert written.getvalue() == ""


def test_a_failure_keeps_its_trace_on_the_same_line(written: StringIO) -> None:
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError as wrong:
        logs.logger("node").error("stopped", exc_info=wrong)
        logging.getLogger("asyncio").exception("stopped")
    for line in lines(written):
        assert "Traceback" in line
        assert "by nothing" in line


@pytest.mark.parametrize(
    "words",
    [
        "a\nlevel=error event=forged",
        "a\r\nforged",
        "a\u2028forged",
        "a\x1b[2Jforged",
        'a" level=error event="forged',
        "a\tlevel=error\tevent=forged",
    ],
    ids=["newline", "return", "separator", "escape", "quote", "tab"],
)
def test_nobodys_words_make_a_line_or_a_field_of_their_own(written: StringIO, words: str) -> None:
    logs.logger("node").warning("cut off", reason=words)
    logging.getLogger("asyncio").warning(words)
    for line in lines(written):
        assert line.isprintable()
        unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert "level=error" not in unquoted
        assert unquoted.count("event=") == 1


def test_half_a_character_is_escaped() -> None:
    """Not through a logger: pytest would keep the record, and could not hand it to another process."""
    record = logging.LogRecord("asyncio", logging.INFO, "", 0, "\ud800", None, None)
    assert logs.LineFormatter().format(record).endswith(r" event=\ud800")


def test_a_second_beginning_takes_the_firsts_place(written: StringIO) -> None:
    logs.begin(written, logging.ERROR)
    logs.logger("node").warning("left out")
    logs.logger("node").error("stopped")
    assert len(lines(written)) == 1
