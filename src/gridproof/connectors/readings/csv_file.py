"""Readings from a file: `meter,start,energy_wh[,channel]`, in any order of columns.

Rules:
    V-1 Every bad row is reported with its line and reason; of a row with several faults, the first.
    V-2 The import is all or nothing, unless bad rows shall be skipped; faults of the header cannot be.
    V-3 A start is ISO 8601 with an offset or Z, at a multiple of the period's length; no channel means import.
    V-4 The first reading of a meter, channel and period stays, in the file as in the store.
        What is stored with the same value is no fault: files overlap, and imports are repeated.
    V-5 What the file does not say is a gap, never a zero. Empty lines say nothing.
Memory stays bounded: a line has a longest length, some thousands of rows wait at a time, the store spools the rest.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from gridproof.connectors.files import FileMissingError, FileUnreadableError
from gridproof.domain import MAX_READING_WH, Direction

from .port import CHUNK, LAST_START_S, Clash, Intake, Reading, ReadingsError, ReadingsStore
from .rows import (
    BOM,
    MAX_METER_NAME,
    BadFieldError,
    BadRow,
    Fault,
    channel_of,
    fields_of,
    instant_of,
    lines_of,
    shown,
    utc_label,
)

COLUMNS: Final = ("meter", "start", "energy_wh", "channel")
REQUIRED: Final = COLUMNS[:3]
MAX_LISTED: Final = 1_000
_MAX_KEPT: Final = 100_000  # times and names remembered: a year has 35,040 quarter-hours


Judge = Callable[[Reading], Fault | None]
"""Says why a well-formed reading cannot count, or None where it can."""


class ImportReport(NamedTuple):
    """What an import found.

    Attributes:
        accepted: how many readings were good (and stored, unless the file was refused).
        bad_total: how many rows were bad.
        bad: the first `MAX_LISTED` of them, in the order of the file.
        meters: names of the good readings' meters, sorted.
        first_s: start of the earliest good reading's period, UTC epoch seconds; None without any.
        last_s: start of the latest one's.
        already: how many readings were stored before, with the same value; neither good rows nor bad ones.
    """

    accepted: int
    bad_total: int
    bad: tuple[BadRow, ...]
    meters: tuple[str, ...]
    first_s: int | None
    last_s: int | None
    already: int = 0

    def __str__(self) -> str:
        first = f", the first in {self.bad[0]}" if self.bad else ""
        return f"{self.bad_total} bad rows, {self.accepted} good ones{first}"


class ReadingsRefusedError(ReadingsError):
    """The file has bad rows; nothing of it was stored. Correct them, or import the good ones with `--skip-bad`."""

    path: str
    report: ImportReport


def import_csv(
    store: ReadingsStore,
    path: Path,
    *,
    period_s: int,
    known_meters: Collection[str] | None = None,
    judge: Judge | None = None,
    skip_bad: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Store a file's readings (V-1 to V-5).

    Args:
        store: where to.
        path: the file, UTF-8, with or without BOM, any line ends.
        period_s: length of the community's periods in seconds.
        known_meters: the meters that may appear; None lets any.
        judge: says of a reading that is not stored yet why it cannot count, if it cannot; None lets all.
        skip_bad: store the good rows of a file that has bad ones.
        progress: is told the number of bytes read, now and then.

    Raises:
        ReadingsRefusedError: a row is bad (or, with `skip_bad`, the header is); nothing was stored.
        FileMissingError: there is no such file.
        FileUnreadableError: the system refuses it.
    """
    importer = _Importer(_RowReader(period_s, known_meters), progress)
    try:
        with path.open("rb") as file, store.intake() as intake:
            importer.run(file, _Gate(store, intake, judge))
            report = importer.report()
            if importer.header_is_bad or (report.bad_total and not skip_bad):
                raise ReadingsRefusedError(path=str(path), report=report)
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    return report


class _Importer:
    """Carries rows from a file to an intake, and keeps the report."""

    def __init__(self, rows: "_RowReader", progress: Callable[[int], None] | None) -> None:
        self._rows, self._progress = rows, progress
        self._bad: list[BadRow] = []
        self._bad_total = self._accepted = self._already = 0
        self._meters: set[str] = set()
        self._first_s, self._last_s = LAST_START_S, 0
        self.header_is_bad = False

    def run(self, file: BinaryIO, gate: "_Gate") -> None:
        """Read the file to its end."""
        lines = lines_of(file)
        faults = self._rows.read_header(lines)
        self.header_is_bad = bool(faults)
        self._list(faults)
        if not self._rows.can_read:
            return
        waiting: list[tuple[int, Reading]] = []
        faults = []
        for number, raw in lines:
            try:
                reading = self._rows.read(raw)
            except BadFieldError as bad:
                faults.append(BadRow(number, bad.fault, bad.text))
            else:
                if reading is not None:
                    waiting.append((number, reading))
            if len(waiting) + len(faults) >= CHUNK:
                self._flush(gate, waiting, faults)
                if self._progress is not None:
                    self._progress(file.tell())
        self._flush(gate, waiting, faults)

    def report(self) -> ImportReport:
        """What was found so far."""
        some = self._accepted > 0
        return ImportReport(
            self._accepted,
            self._bad_total,
            tuple(self._bad),
            tuple(sorted(self._meters)),
            self._first_s if some else None,
            self._last_s if some else None,
            self._already,
        )

    def _flush(self, gate: "_Gate", waiting: list[tuple[int, Reading]], faults: list[BadRow]) -> None:
        kept_out = gate.offer([reading for _, reading in waiting])
        for position, fault in kept_out.items():
            number, reading = waiting[position]
            if fault is None:
                self._already += 1
            else:
                named = f"{reading.meter} {reading.channel.label} {utc_label(reading.start_s)}"
                faults.append(BadRow(number, fault, named))
        readings = [reading for position, (_, reading) in enumerate(waiting) if position not in kept_out]
        if readings:
            self._accepted += len(readings)
            self._meters.update({reading.meter for reading in readings})
            starts = [reading.start_s for reading in readings]
            self._first_s, self._last_s = min(self._first_s, *starts), max(self._last_s, *starts)
        self._list(sorted(faults, key=lambda bad: bad.line))
        waiting.clear()
        faults.clear()

    def _list(self, faults: list[BadRow]) -> None:
        self._bad_total += len(faults)
        self._bad.extend(faults[: MAX_LISTED - len(self._bad)])


class _Gate:
    """Lets readings into an intake that can count and are not there yet."""

    def __init__(self, store: ReadingsStore, intake: Intake, judge: Judge | None) -> None:
        self._store, self._intake, self._judge = store, intake, judge

    def offer(self, readings: list[Reading]) -> dict[int, Fault | None]:
        """Take readings, and name the others by their position, with what is wrong: None if it is stored as it is."""
        kept_out: dict[int, Fault | None] = {}
        if self._judge is not None:
            judged = ((position, self._judge(reading)) for position, reading in enumerate(readings))
            kept_out = {at: self._unless_stored(readings[at], fault) for at, fault in judged if fault is not None}
        fit = [position for position in range(len(readings)) if position not in kept_out]
        clashes = self._intake.offer([readings[position] for position in fit]) if fit else []
        for place, clash in clashes:
            repeated = clash is Clash.REPEATED
            position = fit[place]
            kept_out[position] = Fault.REPEATED if repeated else self._unless_stored(readings[position], Fault.STORED)
        return kept_out

    def _unless_stored(self, reading: Reading, fault: Fault) -> Fault | None:
        """The fault, unless the reading is stored already: what is there has been judged when it came."""
        stored = self._store.find(reading.meter, reading.channel, reading.start_s)
        if stored is None:
            return fault
        return None if stored == reading else Fault.STORED


class _RowReader:
    """Turns lines into readings, by what the header says."""

    def __init__(self, period_s: int, known_meters: Collection[str] | None) -> None:
        self._period_s = period_s
        self._known = None if known_meters is None else frozenset(known_meters)
        self._columns: tuple[str, ...] = ()
        self._places: tuple[int, int, int] = (0, 0, 0)
        self._channel_place: int | None = None
        self._starts: dict[str, int] = {}
        self._meters: dict[str, str] = {}
        self.can_read = False

    def read_header(self, lines: Iterator[tuple[int, bytes]]) -> list[BadRow]:
        """Take the columns' names from the first line that is not empty; return what is wrong with them."""
        for number, raw in lines:
            try:
                fields = fields_of(raw.removeprefix(BOM))
            except BadFieldError as bad:
                return [BadRow(number, bad.fault, bad.text)]
            if fields:
                return [BadRow(number, fault, shown(text)) for fault, text in self._take_columns(fields)]
        return [BadRow(1, Fault.NO_HEADER, "")]

    def read(self, raw: bytes) -> Reading | None:
        """Turn one line into a reading, or None if it is empty.

        Raises:
            BadFieldError: it is neither.
        """
        fields = fields_of(raw)
        if not fields:
            return None
        if len(fields) != len(self._columns):
            raise BadFieldError(fault=Fault.FIELD_COUNT, text=f"{len(fields)} instead of {len(self._columns)}")
        meter_at, start_at, energy_at = self._places
        meter, start, channel = fields[meter_at], fields[start_at], Direction.IMPORT
        known_meter = self._meters.get(meter) or self._meter(meter)
        start_s = self._starts.get(start)
        if start_s is None:
            start_s = self._start(start)
        energy_wh = _energy(fields[energy_at])
        if self._channel_place is not None:
            channel = channel_of(fields[self._channel_place])
        return Reading(known_meter, channel, start_s, energy_wh)

    def _take_columns(self, fields: list[str]) -> list[tuple[Fault, str]]:
        if not any(field in COLUMNS for field in fields):
            return [(Fault.NO_HEADER, ",".join(fields))]
        faults = [(Fault.UNKNOWN_COLUMN, field) for field in fields if field not in COLUMNS]
        faults += [(Fault.DOUBLE_COLUMN, name) for name in COLUMNS if fields.count(name) > 1]
        faults += [(Fault.MISSING_COLUMN, name) for name in REQUIRED if name not in fields]
        self._columns = tuple(fields)
        self.can_read = all(fields.count(name) == 1 for name in REQUIRED) and fields.count("channel") <= 1
        if self.can_read:
            self._places = (fields.index("meter"), fields.index("start"), fields.index("energy_wh"))
            self._channel_place = fields.index("channel") if "channel" in fields else None
        return faults

    def _meter(self, text: str) -> str:
        if not 1 <= len(text) <= MAX_METER_NAME or not text.isprintable():
            raise BadFieldError(fault=Fault.METER_NAME, text=shown(text))
        if self._known is not None and text not in self._known:
            raise BadFieldError(fault=Fault.UNKNOWN_METER, text=shown(text))
        if len(self._meters) >= _MAX_KEPT:
            self._meters.clear()
        self._meters[text] = text
        return text

    def _start(self, text: str) -> int:
        start_s = instant_of(text, self._period_s)
        if len(self._starts) >= _MAX_KEPT:
            self._starts.clear()
        self._starts[text] = start_s
        return start_s


def _energy(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise BadFieldError(fault=Fault.NOT_WHOLE, text=shown(text))
    if digits != text:
        raise BadFieldError(fault=Fault.NEGATIVE, text=shown(text))
    if len(text) > 20 or (energy_wh := int(text)) >= MAX_READING_WH:
        raise BadFieldError(fault=Fault.ENERGY_RANGE, text=shown(text))
    return energy_wh
