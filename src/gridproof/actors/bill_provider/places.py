"""The book of places: which meter had which place from when to when. Only the bill provider knows it.

Rules:
    B-1 A place serves one meter once; a place that was ever given out is never given again.
    B-2 A meter holds one place a channel at a time.
    B-3 The book is written before anything that follows from it is told to anybody.
    B-4 In a running month only places of its first rosters are given out. Whoever compares the public rosters of two
        epochs sees which leaves came with the second; a newcomer on such a place would be told by them in every slot.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from gridproof.actors.enrolment import decode_secret
from gridproof.actors.errors import NoSparePlaceError
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import Direction, MonthBounds, MonthId
from gridproof.primitives.encoding import Codec
from gridproof.state import Record

from .keys import Line

VERSION: Final = 1
PURPOSE: Final = "bill-provider/places"


class Place(Record, frozen=True):
    """A place, and the meter that has or had it.

    Attributes:
        region: the region.
        channel: import or export.
        number: of the place, unique among all.
        name: the meter's name among people; empty for a place that was never used.
        meter: the meter's handle on the ledger, 16 bytes; empty likewise.
        from_k: first period that the meter fills it.
        until_k: first period that it no longer does; 0 while it is enrolled.
        revoked: whether its leaves were taken out of the rosters from `until_k` on.
        follows: handle of the meter that this one took over from, or empty.
    """

    region: int
    channel: int
    number: int
    name: str = ""
    meter: bytes = b""
    from_k: int = 0
    until_k: int = 0
    revoked: bool = False
    follows: bytes = b""

    @property
    def line(self) -> Line:
        """Region and channel."""
        return Line(self.region, self.channel)

    @property
    def is_spare(self) -> bool:
        """Whether nobody ever had it."""
        return not self.name

    def is_active(self, k: int) -> bool:
        """Whether its meter is enrolled at period k."""
        return not self.is_spare and self.from_k <= k and not (self.until_k and k >= self.until_k)

    def ended_by(self, k: int) -> bool:
        """Whether its meter's time is over at period k."""
        return bool(self.until_k) and self.until_k <= k


class Epoch(Record, frozen=True):
    """A stretch of a month whose rosters were made together.

    Attributes:
        region: the region.
        channel: import or export.
        month: the month.
        start_s: the month's first instant, UTC epoch seconds.
        end_s: first instant after it.
        period_s: length of a period in seconds.
        epoch: 1 for the month's first rosters.
        from_k: first period of the stretch; it ends with the month, or where the next one begins.
        places: numbers of the places in the order in which owners count them.
    """

    region: int
    channel: int
    month: int
    start_s: int
    end_s: int
    period_s: int
    epoch: int
    from_k: int
    places: tuple[int, ...]

    @property
    def line(self) -> Line:
        """Region and channel."""
        return Line(self.region, self.channel)

    @property
    def bounds(self) -> MonthBounds:
        """The month's instants."""
        return MonthBounds(MonthId(self.month), self.start_s, self.end_s, self.period_s)

    @property
    def count(self) -> int:
        """Leaves of each roster: two a place."""
        return 2 * len(self.places)


class Book(Record, frozen=True):
    """All places and epochs, as they stand in the file."""

    version: int
    last_number: int
    places: tuple[Place, ...]
    epochs: tuple[Epoch, ...]


_BOOK: Final = Codec(Book)


class PlaceBook:
    """Keeps the book in a secret file.

    Args:
        path: the file.
        secrets: seals it, where there is a passphrase.
    """

    def __init__(self, path: Path, secrets: SecretFiles) -> None:
        self._path = path
        self._secrets = secrets
        try:
            book = decode_secret(_BOOK, secrets.read(path, PURPOSE), "book of places", VERSION)
        except FileMissingError:
            book = Book(VERSION, 0, (), ())
        self.last_number = book.last_number
        self._places = {place.number: place for place in book.places}
        self._epochs = list(book.epochs)

    def save(self) -> None:
        """Write the book down (B-3).

        Raises:
            FileUnwritableError: it cannot be written; what stood there before still stands.
        """
        book = Book(VERSION, self.last_number, tuple(self._places.values()), tuple(self._epochs))
        self._secrets.write(self._path, _BOOK.encode(book), PURPOSE)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Write the book down when the block ends; if an error leaves it, the book is as it was before."""
        kept = (self.last_number, dict(self._places), list(self._epochs))
        try:
            yield
            self.save()
        except BaseException:
            self.last_number, self._places, self._epochs = kept
            raise

    # --- places ----------------------------------------------------------------------------------------------------

    def __getitem__(self, number: int) -> Place:
        return self._places[number]

    def places(self, line: Line | None = None) -> list[Place]:
        """All places, or those of a region's channel, in the order of their numbers."""
        return [place for place in self._places.values() if line is None or place.line == line]

    def of_meter(self, name: str, k: int) -> list[Place]:
        """The places that a meter fills at period k, or will fill: one a channel; none if it is not enrolled."""
        found = (each for each in self._places.values() if each.name == name and not each.ended_by(k))
        return sorted(found, key=lambda place: place.channel)

    def by_meter(self) -> dict[bytes, list[Place]]:
        """The places that are or were in use, by their meter's handle; each meter's by channel."""
        grouped: dict[bytes, list[Place]] = {}
        for place in sorted(self._places.values(), key=lambda each: each.channel):
            if not place.is_spare:
                grouped.setdefault(place.meter, []).append(place)
        return grouped

    def add(self, line: Line) -> Place:
        """Make a place that was never used."""
        self.last_number += 1
        place = Place(*line, self.last_number)
        self._places[place.number] = place
        return place

    def put(self, place: Place) -> None:
        """Note what became of a place."""
        self._places[place.number] = place

    def take(self, line: Line, k: int) -> Place:
        """A never-used place for a meter that starts at k: one of its month's rosters, or a new one (B-1, B-4).

        Raises:
            NoSparePlaceError: the rosters that hold k have none left.
        """
        prepared = [each for each in self._epochs if each.region == line.region and each.bounds.contains(k)]
        if not prepared:
            return self.add(line)
        first, last = self._first_epoch_at(line, k), self.epoch_at(line, k)
        for number in first.places if first else ():
            if self._places[number].is_spare and last and number in last.places:
                return self._places[number]
        raise NoSparePlaceError(region=line.region, channel=Direction(line.channel).label, month=prepared[0].month)

    def for_month(self, line: Line, bounds: MonthBounds) -> list[Place]:
        """The places that a month's rosters must hold: those in use in it, and never-used ones."""
        return [
            place
            for place in self.places(line)
            if place.is_spare or not (place.ended_by(bounds.first_k) or place.from_k >= bounds.end_k)
        ]

    # --- epochs ----------------------------------------------------------------------------------------------------

    def epochs(self, line: Line | None = None, month: int | None = None) -> list[Epoch]:
        """The epochs, of a region's channel and of a month where they are given, in order."""
        return [
            each
            for each in self._epochs
            if (line is None or each.line == line) and (month is None or each.month == month)
        ]

    def epoch_at(self, line: Line, k: int) -> Epoch | None:
        """The epoch whose rosters hold period k, or None."""
        found = [each for each in self.epochs(line) if each.bounds.contains(k) and each.from_k <= k]
        return found[-1] if found else None

    def _first_epoch_at(self, line: Line, k: int) -> Epoch | None:
        """The first epoch of the month that holds period k, or None."""
        return next((each for each in self.epochs(line) if each.bounds.contains(k)), None)

    def latest(self, line: Line) -> list[Epoch]:
        """The last epoch of each month, in order."""
        return list({each.month: each for each in self.epochs(line)}.values())

    def begin(self, epoch: Epoch) -> None:
        """Note an epoch whose files lie on the disk."""
        self._epochs.append(epoch)

    def strike(self, epoch: Epoch) -> None:
        """Take an epoch back that was never published."""
        self._epochs.remove(epoch)

    def forget(self, line: Line, month: int) -> None:
        """Strike a month's epochs; the places stay, for they tell whose the month's bills were."""
        self._epochs = [each for each in self._epochs if (each.line, each.month) != (line, month)]

    def strike_meter(self, meter: bytes) -> None:
        """Strike the places that a meter had, once no epoch holds them any more: nothing tells who it was.

        Args:
            meter: its handle, 16 bytes.
        """
        needed = {number for each in self._epochs for number in each.places}
        gone = [place.number for place in self._places.values() if place.meter == meter and place.number not in needed]
        for number in gone:
            del self._places[number]

    def end(self, places: Sequence[Place], until_k: int, *, revoked: bool) -> None:
        """Note that the places' meter is no longer enrolled from a period on."""
        for place in places:
            self.put(replace(place, until_k=until_k, revoked=revoked))
