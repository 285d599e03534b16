"""The drivers' log: quiet until a program sets the level of the standard library's logger `gridproof`.

What is logged: heights, hashes, codes and sentences; never a transaction's bytes, a key or a path of a secret.

A process that runs unattended calls `begin` once. Each record is then one line of `key=value` pairs (logfmt), which
always opens with these, in this order:

    timestamp   UTC, to the millisecond
    level       debug, info, warning, error or critical
    logger      who says it, such as gridproof.node
    event       what happened, in few words that stay the same: search for them

The particulars follow. A value with blanks is in quotes, and what cannot be printed is escaped, so that nobody's words
make a line of their own.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

import structlog
from structlog.stdlib import BoundLogger

OURS: Final = "gridproof."
_LOGFMT: Final = structlog.processors.LogfmtRenderer(key_order=["event"])
_PROCESSORS = (
    structlog.stdlib.filter_by_level,
    structlog.processors.format_exc_info,
    _LOGFMT,
)


def logger(name: str) -> BoundLogger:
    """A logger under `gridproof`.

    Args:
        name: its part, such as `ledger`.
    """
    made: BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{OURS}{name}"), processors=_PROCESSORS, wrapper_class=BoundLogger
    )
    return made


def begin(stream: TextIO | None = None, level: int = logging.INFO) -> logging.Handler:
    """Write this process's log, that of its libraries included, as lines.

    Args:
        stream: where to; standard error where none is given.
        level: of the standard library; what is less is left out.

    Returns:
        What writes them, in the place of all that the root logger had; tests take it off again.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    return handler


class LineFormatter(logging.Formatter):
    """Makes a line of a record, whoever made the record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {
            "timestamp": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        return _printable(f"{_LOGFMT_HEAD(None, '', head)} {self._told(record)}")

    def _told(self, record: logging.LogRecord) -> str:
        words = record.getMessage()
        if record.name.startswith(OURS):  # made by `logger`: it is logfmt already
            return words
        told = {"event": words}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return str(_LOGFMT(None, "", told))


_LOGFMT_HEAD: Final = structlog.processors.LogfmtRenderer()


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
