"""Meters' readings as they were measured, on their owner's side: the port, its embedded store, files of them."""

from .csv_file import ImportReport, Judge, ReadingsRefusedError, import_csv
from .port import (
    Clash,
    Intake,
    MeterSpan,
    Reading,
    ReadingExistsError,
    ReadingsBusyError,
    ReadingsDamagedError,
    ReadingsError,
    ReadingsFullError,
    ReadingsStore,
    ReadingsUnavailableError,
    ReadingsVersionError,
    add_all,
)
from .rows import BadRow, Fault
from .sqlite import SqliteReadings

__all__ = [
    "BadRow",
    "Clash",
    "Fault",
    "ImportReport",
    "Intake",
    "Judge",
    "MeterSpan",
    "Reading",
    "ReadingExistsError",
    "ReadingsBusyError",
    "ReadingsDamagedError",
    "ReadingsError",
    "ReadingsFullError",
    "ReadingsRefusedError",
    "ReadingsStore",
    "ReadingsUnavailableError",
    "ReadingsVersionError",
    "SqliteReadings",
    "add_all",
    "import_csv",
]
