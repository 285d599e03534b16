"""Where the demonstration's readings come from: a file, or plausible households that are made up."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final, NamedTuple

from gridproof.actors.demand import make_households, measure
from gridproof.calendar import Calendar
from gridproof.connectors.readings import Reading, SqliteReadings, import_csv
from gridproof.domain import Direction, month_id

from .script import Span

ZONE: Final = "Europe/Zurich"
PERIOD_S: Final = 900
FIRST_DAY: Final = "2025-06-17"  # a Tuesday: solar modules have something to give away


class Supply(NamedTuple):
    """Readings, and whose they are.

    Attributes:
        meters: what each meter reports, by its name; in the order of names.
        span: the periods.
        readings: all of them, by period.
    """

    meters: Mapping[str, tuple[Direction, ...]]
    span: Span
    readings: Iterable[Reading]


@contextmanager
def from_file(path: Path, households: int | None, periods: int) -> Iterator[Supply]:
    """Take the first periods of a file.

    Args:
        path: columns as `gridproof readings import` takes them, quarter-hours.
        households: how many meters, the first by name; all when None.
        periods: how many periods, or as many as the file has.

    Raises:
        ReadingsRefusedError: the file has bad rows; it was not used.
        FileMissingError, FileUnreadableError: it cannot be read.
    """
    with TemporaryDirectory(prefix="gridproof-demo.") as scratch:
        store = SqliteReadings(Path(scratch, "readings.db"))
        try:
            import_csv(store, path, period_s=PERIOD_S)
            first_s, last_s = store.span() or (0, -PERIOD_S)
            channels: dict[str, list[Direction]] = {}
            for meter in store.meters():
                channels.setdefault(meter.meter, []).append(meter.channel)
            names = sorted(channels)[:households]
            kept = frozenset(names)
            span = Span(first_s // PERIOD_S, min(periods, (last_s - first_s) // PERIOD_S + 1))
            readings = (each for each in store.between(first_s, span.end_k * PERIOD_S) if each.meter in kept)
            yield Supply(MappingProxyType({name: tuple(sorted(channels[name])) for name in names}), span, readings)
        finally:
            store.close()


def made_up(households: int, periods: int, seed: int) -> Supply:
    """Make up households and a span from the first instant of `FIRST_DAY` on.

    Args:
        households: how many.
        periods: how many.
        seed: the same seed gives the same readings.
    """
    year, month, _ = map(int, FIRST_DAY.split("-"))
    calendar = Calendar(ZONE, PERIOD_S)
    days = calendar.days(calendar.bounds(month_id(year, month)))
    start_s = next(day.start_s for day in days if day.label == FIRST_DAY)
    made = make_households(households, seed)
    readings = measure(made, seed=seed, start_s=start_s, periods=periods, period_s=PERIOD_S)
    meters = MappingProxyType({each.meter: each.channels for each in sorted(made)})
    return Supply(meters, Span(start_s // PERIOD_S, periods), readings)
