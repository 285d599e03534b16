"""Meters that come, go and are swapped, from words to the bill provider."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from gridproof.actors.bill_provider import BillProvider, Issued, Newcomer
from gridproof.connectors.files import FileMissingError, FileUnreadableError
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.readings.rows import MAX_METER_NAME
from gridproof.domain import Direction, UnknownNameError
from gridproof.modules.registry import queries as registry
from gridproof.state import system

from .admitting import MAX_AHEAD_S, now_of
from .community import Community, MeterRow
from .errors import (
    BadLine,
    BadLines,
    BadMeterNameError,
    MeterListError,
    Names,
    NoMeterNamedError,
    NotFoundError,
    RegionNeededError,
    TooEarlyError,
    TooLateError,
)
from .times import require_between_periods

COLUMNS: Final = ("meter", "region", "channels")
OF_READINGS: Final = ("start", "energy_wh", "channel")
MAX_LIST_BYTES: Final = 2**30
MAX_FILE_STEM: Final = 200  # of the name in its files' names, which a file system cuts off at 255 bytes
_MARGIN_S: Final = 60  # a block may take its time, and must not find the period begun
_BOM: Final = "\ufeff"


class Wanted(NamedTuple):
    """A meter that shall be enrolled.

    Attributes:
        name: its name among people.
        region: number of the region, or None for the community's only one.
        channels: what it reports.
    """

    name: str
    region: int | None
    channels: tuple[Direction, ...]


def parse_channels(given: str) -> tuple[Direction, ...]:
    """Read channels: `import`, `export`, or both, parted by commas or `+`.

    Raises:
        UnknownNameError: one is neither.
    """
    names = [name for name in given.replace("+", ",").split(",") if name.strip()]
    return tuple(sorted({Direction.parse(name) for name in names or [given]}))


def read_list(community: Community, path: Path, channels: tuple[Direction, ...]) -> list[Wanted]:
    """Read the meters of a list, each once, in its order.

    The list is a text with a name in each line, or a CSV file whose header has the column `meter` and perhaps `region`
    and `channels`; or a file of readings, whose meters and channels are taken.

    Args:
        community: whose.
        path: the file.
        channels: what a meter reports if the list does not say it.

    Raises:
        MeterListError: lines are bad; all of them are named.
        FileMissingError: there is no such file.
        FileUnreadableError: the system refuses it, or it is no text.
    """
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise FileUnreadableError(path=str(path), detail=f"longer than {MAX_LIST_BYTES} bytes")
        with path.open(encoding="utf-8", newline="") as file:
            return _ListReader(community, path, channels).read(csv.reader(file, skipinitialspace=True))
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except UnicodeDecodeError as undecodable:
        raise FileUnreadableError(path=str(path), detail="it has bytes that are no UTF-8") from undecodable
    except csv.Error as broken:
        raise FileUnreadableError(path=str(path), detail=str(broken)) from broken
    except OSError as failure:
        raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure


class _ListReader:
    """Turns a list's rows into meters."""

    def __init__(self, community: Community, path: Path, channels: tuple[Direction, ...]) -> None:
        self._community = community
        self._path = path
        self._channels = channels
        self._columns: list[str] = ["meter"]
        self._is_readings = False
        self._wanted: dict[str, Wanted] = {}
        self._bad: list[BadLine] = []

    def read(self, rows: "Iterator[list[str]]") -> list[Wanted]:
        """Read all rows.

        Raises:
            MeterListError: some are bad.
        """
        for number, row in enumerate(rows, 1):
            fields = [field.strip().removeprefix(_BOM) for field in row]
            if not any(fields) or fields[0].startswith("#"):
                continue
            if "meter" in fields and not self._wanted and not self._bad:
                self._take_header(number, fields)
            else:
                self._take(number, fields)
        if self._bad:
            raise MeterListError(path=str(self._path), bad=BadLines(self._bad))
        return list(self._wanted.values())

    def _take_header(self, number: int, fields: list[str]) -> None:
        self._is_readings = set(OF_READINGS[:2]) <= set(fields)
        known = ("meter", *OF_READINGS) if self._is_readings else COLUMNS
        unknown = [field for field in fields if field not in known]
        if unknown or len(set(fields)) < len(fields):
            self._bad.append(BadLine(number, f"the columns must be of {', '.join(known)}, each once"))
        self._columns = fields

    def _take(self, number: int, fields: list[str]) -> None:
        if len(fields) != len(self._columns):
            self._bad.append(BadLine(number, f"{len(fields)} fields instead of {len(self._columns)}"))
            return
        row = dict(zip(self._columns, fields, strict=True))
        try:
            self._keep(number, self._parse(row))
        except (NotFoundError, UnknownNameError, BadMeterNameError) as wrong:
            self._bad.append(BadLine(number, str(wrong)))

    def _parse(self, row: dict[str, str]) -> Wanted:
        name = row["meter"]
        require_meter_name(name)
        region = self._community.region(row["region"]).number if row.get("region") else None
        given = row.get("channel" if self._is_readings else "channels")
        if self._is_readings:
            return Wanted(name, region, (Direction.parse(given) if given else Direction.IMPORT,))
        return Wanted(name, region, parse_channels(given) if given else self._channels)

    def _keep(self, number: int, wanted: Wanted) -> None:
        known = self._wanted.setdefault(wanted.name, wanted)
        if known is wanted:
            return
        if self._is_readings:
            channels = tuple(sorted({*known.channels, *wanted.channels}))
            self._wanted[wanted.name] = known._replace(channels=channels)
        else:
            self._bad.append(BadLine(number, f"meter {wanted.name!r} comes twice"))


def under_way(rows: Sequence[MeterRow], client: LedgerClient) -> set[bytes]:
    """Handles of the meters whose beginning or end the ledger does not know: it was refused, or waits for a block.

    Args:
        rows: meters by the bill provider's book.
        client: the way to the ledger.

    Raises:
        ClientError: the ledger gave no answer.
    """
    regions = [number for number, _ in client.ask(registry.regions)]
    known = {handle: meter.until_k for region in regions for handle, meter in client.ask(registry.meters, region)}
    return {row.handle for row in rows if known.get(row.handle) != row.until_k}


def require_meter_name(name: str) -> None:
    """Return if a meter can have this name, in files as well as on screens.

    Raises:
        BadMeterNameError: it cannot.
    """
    sized = 0 < len(name) <= MAX_METER_NAME and len(quote(name)) <= MAX_FILE_STEM
    if not sized or not name.isprintable() or name != name.strip():
        raise BadMeterNameError(name=name)


class Enrolling:
    """Enrols, revokes and swaps meters as the bill provider. What an earlier command left half said is said first.

    Args:
        community: whose; this process acts alone for its participants.
        client: the way to the ledger.
    """

    def __init__(self, community: Community, client: LedgerClient) -> None:
        self._community = community
        self._client = client
        community.settle_keys(client)
        self._provider: BillProvider = community.bill_provider(client)
        self._provider.catch_up()
        self._provider.seat.settle()  # what is refused now was refused before, and is no matter of this command

    def enrol(self, wanted: Sequence[Wanted], start: str | None) -> list[Issued]:
        """Enrol meters.

        Args:
            wanted: which ones; one that is named twice is enrolled once, on all channels that were named.
            start: when they begin, as people write it; by default as early as it can be.

        Raises:
            NoMeterNamedError: none is named.
            RegionNeededError: a meter names no region and the community has several.
            TimeError: the start is no time, too early, or within a period.
            ActorError: one is enrolled then, or no place is left for it; nothing changed.
            Refusal: the ledger refuses.
        """
        if not wanted:
            raise NoMeterNamedError
        at_k = self.first_period(start)
        month = self._month(at_k)
        newcomers = [Newcomer(each.name, self._region(each), each.channels, at_k, month) for each in _merged(wanted)]
        return self._settled(self._provider.enrol(newcomers))

    def revoke(self, name: str, until: str | None, *, moved_out: bool) -> int:
        """End a meter's enrolment, and return the first period without it.

        Args:
            name: the meter's name.
            until: when it ends, as people write it; by default as early as it can be.
            moved_out: keep to yourself which place it had, instead of publishing what is left of it.

        Raises:
            NoSuchMeterError: there never was one of this name.
            NotEnrolledError: it is not enrolled then.
            TimeError: the end is no time, too early, or within a period.
            Refusal: the ledger refuses.
        """
        self._community.require_meter(name)
        until_k = self.first_period(until)
        end = self._provider.move_out if moved_out else self._provider.revoke
        end(name, until_k)
        self._settled([])
        return until_k

    def swap(self, old: str, new: str | None, start: str | None) -> Issued:
        """Put a meter in another's stead.

        Args:
            old: name of the one that goes.
            new: name of the one that comes; by default the same.
            start: when, as people write it; by default as early as it can be.

        Raises:
            NoSuchMeterError: there never was one of this name.
            ActorError: the old one is not enrolled then, the new one is, or no place is left; nothing changed.
            TimeError: the start is no time, too early, or within a period.
            Refusal: the ledger refuses.
        """
        self._community.require_meter(old)
        at_k = self.first_period(start)
        return self._settled([self._provider.swap(old, old if new is None else new, at_k, self._month(at_k))])[0]

    def reissue(self, name: str) -> Issued:
        """Write an enrolled meter's files again: for files that were lost, or a writing that was cut short.

        Raises:
            NoSuchMeterError: there never was one of this name.
            NotEnrolledError: it is not enrolled now or later.
            MonthErasedError: the keys of its month were erased.
            FileError: a file cannot be written.
        """
        self._community.require_meter(name)
        now_k = self._client.status().ledger_time_s // self._community.period_s
        rows = [row for row in self._community.meters() if row.name == name]
        at_k = max(now_k, rows[-1].from_k)
        return self._settled([self._provider.reissue(name, at_k, self._month(at_k))])[0]

    def first_period(self, given: str | None) -> int:
        """The first period that a change can count from, or the one that was wanted.

        Raises:
            TooEarlyError: it is settled who is metered then.
            TooLateError: it lies too far ahead, as by a mistaken year.
            TimeError: what was given is no time, or within a period.
        """
        times, period_s = self._community.times, self._community.period_s
        margin_s = _MARGIN_S if self._client.ask(system.operator_clock_s) is None else 0
        earliest = -(-(self._client.status().ledger_time_s + margin_s) // period_s)
        if given is None:
            return earliest
        k = require_between_periods(times, given, times.parse(given)) // period_s
        if k < earliest:
            raise TooEarlyError(given=given, earliest=times.label(earliest * period_s))
        latest = (now_of(self._client)[0] + MAX_AHEAD_S) // period_s
        if k > latest:
            raise TooLateError(given=given, latest=times.label(latest * period_s))
        return k

    def _region(self, wanted: Wanted) -> int:
        regions = self._community.settings.regions
        if wanted.region is not None:
            return wanted.region
        if len(regions) > 1:
            raise RegionNeededError(meter=wanted.name, regions=Names(f"{each.number} {each.name}" for each in regions))
        return regions[0].number

    def _month(self, k: int) -> int:
        return self._community.calendar.month_of(k * self._community.period_s)

    def _settled(self, issued: list[Issued]) -> list[Issued]:
        for refused in self._provider.seat.settle():
            raise refused.refusal
        return issued


def _merged(wanted: Sequence[Wanted]) -> list[Wanted]:
    by_name: dict[str, Wanted] = {}
    for each in wanted:
        known = by_name.setdefault(each.name, each)
        channels = tuple(sorted({*known.channels, *each.channels}))
        by_name[each.name] = Wanted(each.name, known.region or each.region, channels)
    return list(by_name.values())
