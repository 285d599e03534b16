"""The port to readings: what a meter measured, once per meter, channel and period.

Rules:
    R-1 The first reading of a meter, channel and period stays; another one is refused, whatever it says.
    R-2 An intake is stored as a whole or not at all, durably, and nobody else sees a part of it.
    R-3 A reading that is not there is a gap: nothing stands in for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple, Protocol

from gridproof.domain import MAX_READING_WH, Direction, require_range
from gridproof.errors import GridproofError

LAST_START_S: Final = 253_370_000_000  # in 9998, the calendar's end
CHUNK: Final = 10_000


class ReadingsError(GridproofError):
    """Readings cannot be kept or had."""


class ReadingExistsError(ReadingsError):
    """A reading for this meter, channel and period is already there; it stays, and nothing of this call was stored."""

    meter: str
    channel: str
    start_s: int


class ReadingsBusyError(ReadingsError):
    """Another process is storing readings here; nothing was stored. Wait for it, then try again."""

    store: str


class ReadingsFullError(ReadingsError):
    """No space is left for readings; nothing of this call was stored. Free some, then try again."""

    store: str


class ReadingsDamagedError(ReadingsError):
    """The store of readings is damaged or none at all; it was left as it is. Restore it from a backup."""

    store: str
    detail: str


class ReadingsVersionError(ReadingsError):
    """The store of readings was made by another version of gridproof; it was left as it is. Use that version."""

    store: str
    version: int
    known: int


class ReadingsUnavailableError(ReadingsError):
    """The store of readings cannot be opened or written. See to the cause, then try again."""

    store: str
    detail: str


class Reading(NamedTuple):
    """What a meter measured in one period on one channel.

    Attributes:
        meter: the meter's name among people, as in the file it came from.
        channel: import or export.
        start_s: start of the period [start, start + length), UTC epoch seconds.
        energy_wh: energy in Wh.
    """

    meter: str
    channel: Direction
    start_s: int
    energy_wh: int

    def validate(self) -> None:
        """Return if the values can be a reading's.

        Raises:
            OutOfRangeError: the time or the energy cannot.
        """
        require_range("start_s", self.start_s, 0, LAST_START_S)
        require_range("energy_wh", self.energy_wh, 0, MAX_READING_WH - 1)


class MeterSpan(NamedTuple):
    """What a store has of one meter's channel.

    Attributes:
        meter: the meter's name.
        channel: import or export.
        readings: how many; fewer than the periods from first to last where there are gaps.
        first_s: start of the first reading's period, UTC epoch seconds.
        last_s: start of the last one's.
    """

    meter: str
    channel: Direction
    readings: int
    first_s: int
    last_s: int


class Clash(Enum):
    """Why an intake refused a reading (R-1)."""

    REPEATED = "repeated within this intake"
    STORED = "already stored"


class Intake(Protocol):
    """Readings on their way into a store."""

    def offer(self, readings: Sequence[Reading]) -> list[tuple[int, Clash]]:
        """Take readings that are not there yet, and name the others by their position, in order (R-1).

        Args:
            readings: valid ones, as `Reading.validate` has it; some thousands at a time are taken fastest.
        """


class ReadingsStore(Protocol):
    """Keeps readings. One thread uses it at a time; several processes may."""

    def intake(self) -> AbstractContextManager[Intake]:
        """Open an intake: what it took is stored when the block ends, and nothing if an error leaves it (R-2).

        Raises:
            ReadingsBusyError: another intake is open.
        """

    def add(self, readings: Iterable[Reading]) -> int:
        """Store readings, all or nothing; return how many.

        Raises:
            ReadingExistsError: one is there already, or comes twice; nothing was stored.
            OutOfRangeError: one's time or energy is impossible; nothing was stored.
        """

    def find(self, meter: str, channel: Direction, start_s: int) -> Reading | None:
        """The reading of one meter in one period, or None: a gap (R-3)."""

    def slot(self, channel: Direction, start_s: int) -> list[Reading]:
        """All meters' readings of one period, by name."""

    def of_meter(self, meter: str, channel: Direction, start_s: int, end_s: int) -> Iterator[Reading]:
        """One meter's readings whose periods start in [start_s, end_s), in order."""

    def between(self, start_s: int, end_s: int) -> Iterator[Reading]:
        """All readings whose periods start in [start_s, end_s), by period, channel and name."""

    def meters(self) -> list[MeterSpan]:
        """What there is of each meter, by name and channel."""

    def span(self) -> tuple[int, int] | None:
        """Starts of the first and the last period that have readings, or None if there are none."""

    def forget(self, before_s: int) -> int:
        """Erase the readings whose periods start before `before_s`; return how many there were."""

    def forget_meter(self, meter: str, start_s: int, end_s: int) -> int:
        """Erase a meter's readings whose periods start in [start_s, end_s), and its name with the last of them.

        Returns:
            How many readings there were.
        """

    def close(self) -> None:
        """Let go of the store; it is not used again."""


def add_all(store: ReadingsStore, readings: Iterable[Reading]) -> int:
    """Serve `ReadingsStore.add` by an intake, in bounded memory.

    Raises:
        ReadingExistsError: one is there already, or comes twice; nothing was stored.
        OutOfRangeError: one's time or energy is impossible; nothing was stored.
    """
    coming, added = iter(readings), 0
    with store.intake() as intake:
        while chunk := list(islice(coming, CHUNK)):
            for reading in chunk:
                reading.validate()
            for position, _ in intake.offer(chunk):
                clash = chunk[position]
                raise ReadingExistsError(meter=clash.meter, channel=clash.channel.label, start_s=clash.start_s)
            added += len(chunk)
    return added
