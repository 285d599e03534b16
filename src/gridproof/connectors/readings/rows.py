"""Rows of files that people write: lines and fields, times and channels, and what can be wrong with them.

A line has a longest length, so that reading one takes bounded memory; what is shown of a file steers no terminal.
"""

import csv
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import BinaryIO, Final, NamedTuple

from gridproof.domain import Direction, UnknownNameError

from .port import LAST_START_S, ReadingsError

MAX_LINE: Final = 4096  # bytes; a row has some 40
MAX_METER_NAME: Final = 64  # characters
BOM: Final = b"\xef\xbb\xbf"
_MAX_SHOWN: Final = 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Fault(Enum):
    """Why a row is bad."""

    NOT_UTF8 = "bytes that are no UTF-8"
    NO_HEADER = "no header: the first line must name the columns meter,start,energy_wh[,channel]"
    UNKNOWN_COLUMN = "unknown column (known are meter, start, energy_wh, channel)"
    MISSING_COLUMN = "missing column"
    DOUBLE_COLUMN = "a column named twice"
    LINE_TOO_LONG = f"longer than {MAX_LINE} bytes"
    OPEN_QUOTE = "quotes left open, or text beside them"
    FIELD_COUNT = "not as many fields as the header"
    METER_NAME = f"no meter's name (1 to {MAX_METER_NAME} printable characters)"
    UNKNOWN_METER = "unknown meter"
    NO_TIME = "start is no ISO 8601 date and time"
    NO_OFFSET = "start has no offset (write Z or +01:00 behind it)"
    TIME_RANGE = "start out of range"
    MISALIGNED = "misaligned start: no period starts then"
    NOT_WHOLE = "energy_wh is not a whole number"
    NEGATIVE = "negative energy_wh (energy given away is a reading of the channel export)"
    ENERGY_RANGE = "energy_wh out of range for a meter"
    UNKNOWN_CHANNEL = "unknown channel (import or export)"
    REPEATED = "duplicate: the file has a reading for this meter, channel and start above"
    STORED = "already there with another value: the first is kept"
    FUTURE = "start lies in the future (more than a day by this machine's clock; mend the year)"
    FAR_AHEAD = "starts more than 400 days after ledger time; mend the year, or run up to there first with --until"
    NOT_ENROLLED = "the meter is not enrolled then"
    NOT_ON_CHANNEL = "the meter is not on this channel"
    TOO_EARLY = "before anything could be metered"
    PERIOD_CLOSED = (
        "the period is closed: its energy is billed by the meter's register (gridproof readings import-registers)"
    )


class BadRow(NamedTuple):
    """A row that was not taken.

    Attributes:
        line: its number in the file, from 1.
        fault: why.
        text: what is wrong, as it stands in the file, shortened and made printable.
    """

    line: int
    fault: Enum
    text: str

    def __str__(self) -> str:
        return (
            f"line {self.line}: {self.fault.value}: {self.text}"
            if self.text
            else f"line {self.line}: {self.fault.value}"
        )


class BadFieldError(ReadingsError):
    """Something in a row is bad; the row is not taken. It becomes a `BadRow`."""

    fault: Enum
    text: str


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The file's lines with their numbers, without line ends; a longer line comes cut, and is too long still."""
    number = 0
    while raw := file.readline(MAX_LINE + 2):
        number += 1
        whole = raw.endswith(b"\n")
        yield number, raw.rstrip(b"\r\n")
        while not whole and (rest := file.readline(MAX_LINE)):
            whole = rest.endswith(b"\n")


def fields_of(raw: bytes) -> list[str]:
    """Split a line into its fields, blanks around them off; none if it is empty.

    Raises:
        BadFieldError: it is too long, no UTF-8, or has quotes left open.
    """
    if len(raw) > MAX_LINE:
        raise BadFieldError(fault=Fault.LINE_TOO_LONG, text=shown(raw[:_MAX_SHOWN].decode(errors="replace")))
    try:
        text = raw.decode()
    except UnicodeDecodeError as undecodable:
        raise BadFieldError(fault=Fault.NOT_UTF8, text=shown(raw.decode(errors="backslashreplace"))) from undecodable
    if not text or text.isspace():
        return []
    if '"' not in text:
        return [field.strip() for field in text.split(",")]
    with suppress(csv.Error):
        return [field.strip() for field in next(csv.reader([text], strict=True, skipinitialspace=True))]
    raise BadFieldError(fault=Fault.OPEN_QUOTE, text=shown(text))


def instant_of(text: str, period_s: int) -> int:
    """The instant that a field names, UTC epoch seconds, between two periods.

    Args:
        text: ISO 8601 with an offset or Z.
        period_s: length of a period in seconds.

    Raises:
        BadFieldError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as unparseable:
        raise BadFieldError(fault=Fault.NO_TIME, text=shown(text)) from unparseable
    if moment.utcoffset() is None:
        raise BadFieldError(fault=Fault.NO_OFFSET, text=shown(text))
    since = moment - _EPOCH
    instant_s = since // timedelta(seconds=1)
    if not 0 <= instant_s <= LAST_START_S:
        raise BadFieldError(fault=Fault.TIME_RANGE, text=shown(text))
    if since % timedelta(seconds=period_s):
        raise BadFieldError(fault=Fault.MISALIGNED, text=shown(text))
    return instant_s


def channel_of(text: str) -> Direction:
    """The channel that a field names; import where it is empty.

    Raises:
        BadFieldError: there is none of this name.
    """
    try:
        return Direction.parse(text) if text else Direction.IMPORT
    except UnknownNameError as unknown:
        raise BadFieldError(fault=Fault.UNKNOWN_CHANNEL, text=shown(text)) from unknown


def utc_label(instant_s: int) -> str:
    """An instant in UTC, `2025-10-26T00:00:00Z`."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(text: str) -> str:
    """The text, printable and short: a file's bytes shall not steer a terminal."""
    short = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in short)
