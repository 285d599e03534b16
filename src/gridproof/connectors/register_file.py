"""Registers from a file: `meter,at,register_wh[,channel]`, in any order of columns.

Rules:
    V-1 Every bad row is reported with its line and reason; of a row with several faults, the first.
    V-2 The import is all or nothing.
    V-3 An instant is ISO 8601 with an offset or Z, between two periods; no channel means import.
    V-4 The first value of a meter, channel and instant stays. The same value once more is no fault,
        in the store as in the file.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from gridproof.connectors.files import FileMissingError, FileUnreadableError
from gridproof.domain import Direction
from gridproof.domain.billing import MAX_REGISTER_WH
from gridproof.errors import GridproofError

from .readings.rows import (
    BOM,
    MAX_METER_NAME,
    BadFieldError,
    BadRow,
    channel_of,
    fields_of,
    instant_of,
    lines_of,
    shown,
    utc_label,
)
from .registers import RegisterReading, Registers

COLUMNS: Final = ("meter", "at", "register_wh", "channel")
REQUIRED: Final = COLUMNS[:3]
MAX_ROWS: Final = 1_000_000


class RegisterFault(Enum):
    """Why a row is bad."""

    NO_HEADER = "no header: the first line must name the columns meter,at,register_wh[,channel]"
    COLUMNS = "the columns must be meter, at, register_wh and perhaps channel, each once"
    FIELD_COUNT = "not as many fields as the header"
    TOO_MANY = f"more than {MAX_ROWS:,} rows; part the file"
    METER_NAME = f"no meter's name (1 to {MAX_METER_NAME} printable characters)"
    UNKNOWN_METER = "unknown meter; enrol it first, or mend the name"
    NO_TIME = "at is no ISO 8601 date and time"
    NO_OFFSET = "at has no offset (write Z or +01:00 behind it)"
    TIME_RANGE = "at out of range"
    MISALIGNED = "misaligned: no period ends then; read the register off between two periods"
    NOT_WHOLE = "register_wh is not a whole number"
    NEGATIVE = "negative register_wh (what is given away is counted by the channel export, upwards too)"
    REGISTER_RANGE = "register_wh out of range for a register"
    REPEATED = "the file has another value for this meter, channel and instant above; leave the right one"
    STORED = "already there with another value: the first is kept"
    BEFORE_ENROLMENT = "before the meter is enrolled; give its register at the instant from which it is"
    AFTER_ENROLMENT = "after the meter's enrolment ended; give its register at the instant at which it did"
    NOT_ON_CHANNEL = "the meter is not on this channel"
    TWO_METERS = (
        "one meter of this name ends then and another begins; swap under a name of its own (meter swap OLD NEW)"
    )
    SIGNED = "the meter has signed its register of this stretch already; bring registers before `run` ends their month"
    NO_START = "no register at the beginning of the enrolment; give that one as well, 0 for a meter that is new"
    FOLLOWED = (
        "the meter has signed what it measured, from 0 on: nobody gave its register at the beginning; it goes on so"
    )
    FALLS = "less than the register said before; registers only count upwards"


Judge = Callable[[Sequence[RegisterReading]], Mapping[int, RegisterFault]]
"""Says of new, well-formed rows, by their position, why they cannot count; nothing of those that can."""


class RegisterReport(NamedTuple):
    """What an import found.

    Attributes:
        accepted: how many values are good and new (and stored, unless the file was refused).
        already: how many were there before, with the same value.
        bad: what is wrong, in the order of the file.
        meters: names of the accepted values' meters, sorted.
    """

    accepted: int
    already: int
    bad: tuple[BadRow, ...]
    meters: tuple[str, ...]

    def __str__(self) -> str:
        first = f", the first in {self.bad[0]}" if self.bad else ""
        return f"{len(self.bad)} bad rows, {self.accepted} good ones{first}"


class RegistersRefusedError(GridproofError):
    """The file has bad rows; nothing of it was stored. Correct them, then import it again."""

    path: str
    report: RegisterReport


def import_registers(
    store: Registers, path: Path, *, period_s: int, known_meters: Collection[str], judge: Judge
) -> RegisterReport:
    """Store what a file says of registers (V-1 to V-4).

    Args:
        store: where to.
        path: the file, UTF-8, with or without BOM, any line ends.
        period_s: length of the community's periods in seconds.
        known_meters: the meters that may appear.
        judge: says which new values cannot count, and why.

    Raises:
        RegistersRefusedError: a row is bad; nothing was stored.
        FileMissingError: there is no such file.
        FileUnreadableError: the system refuses it.
        DatabaseError: the store cannot be used.
    """
    try:
        with path.open("rb") as file:
            reader = _Reader(period_s, frozenset(known_meters))
            reader.run(file)
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    already = 0
    fresh: list[tuple[int, RegisterReading]] = []
    for number, reading in reader.rows:
        stored = store.find(reading.meter, reading.channel, reading.at_s)
        if stored is None:
            fresh.append((number, reading))
        elif stored == reading.register_wh:
            already += 1
        else:
            reader.bad.append(BadRow(number, RegisterFault.STORED, f"{_named(reading)}, there {stored:,}"))
    faults = judge([reading for _, reading in fresh])
    reader.bad += [BadRow(fresh[at][0], fault, _named(fresh[at][1])) for at, fault in faults.items()]
    good = [reading for at, (_, reading) in enumerate(fresh) if at not in faults]
    bad = tuple(sorted(reader.bad, key=lambda each: each.line))
    report = RegisterReport(len(good), already, bad, tuple(sorted({reading.meter for reading in good})))
    if bad:
        raise RegistersRefusedError(path=str(path), report=report)
    store.add(good)
    return report


def _named(reading: RegisterReading) -> str:
    return f"{reading.meter} {reading.channel.label} {utc_label(reading.at_s)} {reading.register_wh:,}"


class _Reader:
    """Turns lines into values, each once, and notes what is wrong."""

    def __init__(self, period_s: int, known: frozenset[str]) -> None:
        self._period_s, self._known = period_s, known
        self._columns: list[str] = []
        self._seen: dict[tuple[str, Direction, int], int] = {}
        self.rows: list[tuple[int, RegisterReading]] = []
        self.bad: list[BadRow] = []

    def run(self, file: BinaryIO) -> None:
        """Read the file to its end, or to a header that says nothing."""
        lines = lines_of(file)
        number, raw = next(((number, raw) for number, raw in lines if raw.removeprefix(BOM).strip()), (1, b""))
        try:
            self._read_header(fields_of(raw.removeprefix(BOM)))
        except BadFieldError as bad:
            self.bad.append(BadRow(number, bad.fault, bad.text))
            return
        for number, raw in lines:
            try:
                self._read(number, raw)
            except BadFieldError as bad:
                self.bad.append(BadRow(number, bad.fault, bad.text))
            if len(self.rows) + len(self.bad) > MAX_ROWS:
                self.bad.append(BadRow(number, RegisterFault.TOO_MANY, ""))
                return

    def _read_header(self, columns: list[str]) -> None:
        self._columns = columns
        if not set(REQUIRED) & set(self._columns):
            raise BadFieldError(fault=RegisterFault.NO_HEADER, text=shown(",".join(self._columns)))
        known = [name for name in self._columns if name in COLUMNS]
        if len(known) < len(self._columns) or len({*known}) < len(known) or not set(REQUIRED) <= {*known}:
            raise BadFieldError(fault=RegisterFault.COLUMNS, text=shown(",".join(self._columns)))

    def _read(self, number: int, raw: bytes) -> None:
        fields = fields_of(raw)
        if not fields:
            return
        if len(fields) != len(self._columns):
            text = f"{len(fields)} instead of {len(self._columns)}"
            raise BadFieldError(fault=RegisterFault.FIELD_COUNT, text=text)
        row = dict(zip(self._columns, fields, strict=True))
        meter, channel = self._meter(row["meter"]), channel_of(row.get("channel", ""))
        reading = RegisterReading(meter, channel, self._instant(row["at"]), _register(row["register_wh"]))
        before = self._seen.get(reading[:3])
        if before is not None and before != reading.register_wh:
            raise BadFieldError(fault=RegisterFault.REPEATED, text=_named(reading))
        if before is None:
            self._seen[reading[:3]] = reading.register_wh
            self.rows.append((number, reading))

    def _meter(self, text: str) -> str:
        if not 1 <= len(text) <= MAX_METER_NAME or not text.isprintable():
            raise BadFieldError(fault=RegisterFault.METER_NAME, text=shown(text))
        if text not in self._known:
            raise BadFieldError(fault=RegisterFault.UNKNOWN_METER, text=shown(text))
        return text

    def _instant(self, text: str) -> int:
        try:
            return instant_of(text, self._period_s)
        except BadFieldError as bad:
            raise BadFieldError(fault=RegisterFault[bad.fault.name], text=bad.text) from bad


def _register(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise BadFieldError(fault=RegisterFault.NOT_WHOLE, text=shown(text))
    if digits != text:
        raise BadFieldError(fault=RegisterFault.NEGATIVE, text=shown(text))
    if len(text) > 20 or int(text) > MAX_REGISTER_WH:
        raise BadFieldError(fault=RegisterFault.REGISTER_RANGE, text=shown(text))
    return int(text)
