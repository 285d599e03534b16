"""The bill provider: key generation centre, maker of rosters, and the only one who knows whose a record is.

Everything it does follows from its book of places and the ledger's state: `catch_up` sends what the ledger lacks, and
after a kill at any point the same calls go on where they stopped.

Source: seed 002, key generation and filter generation phases; private-metering.md, rows 4, 11, 19 and 20.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from msgspec.structs import replace

from gridproof.actors.clock import Clock
from gridproof.actors.enrolment import VERSION, ChainPair, MeterFile, write_household, write_meter
from gridproof.actors.errors import AlreadyEnrolledError, NotEnrolledError
from gridproof.actors.randomness import Randomness
from gridproof.actors.seat import Seat
from gridproof.connectors.bill_book import BillBook
from gridproof.domain import METER_ID_SIZE, Direction, MonthBounds
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import EnrolMeter, RevokeMeter, SwapMeter
from gridproof.state import Message

from .cards import Cards
from .keys import Keys, Line
from .months import Months, Shelf
from .places import Epoch, Place, PlaceBook

MESSAGES_A_TRANSACTION: Final = 250
MAX_NAME_IN_FILE: Final = 100  # of the meter's name in a file's: a file system takes 255 bytes


class Policy(NamedTuple):
    """What the bill provider decides for itself.

    Attributes:
        spares: never-used places of a month's rosters for so many enrolled meters.
        limit_wh: the largest plausible reading of a period, Wh.
        false_positive_one_in: one stranger's identity in so many passes the filter BF1.
    """

    spares: Callable[[int], int] = lambda meters: max(4, -(-meters // 10))
    limit_wh: int = 50_000
    false_positive_one_in: int = 1_000_000


class Newcomer(NamedTuple):
    """A meter to enrol.

    Attributes:
        name: the meter's name among people.
        region: where it stands.
        channels: what it reports.
        from_k: first period that it reports.
        month: the month that this period lies in.
    """

    name: str
    region: int
    channels: tuple[Direction, ...]
    from_k: int
    month: int


class Issued(NamedTuple):
    """What came of an enrolment.

    Attributes:
        name: the meter's name.
        meter: its handle on the ledger, 16 bytes.
        meter_file: for the meter: both secrets.
        household_file: for the household: the view secret.
    """

    name: str
    meter: bytes
    meter_file: Path
    household_file: Path


class BillProvider:
    """Enrols meters, makes rosters, and keeps the keys of the months.

    Args:
        seat: at the ledger.
        shelf: where its files lie.
        clock: tells it which periods are past.
        randomness: where keys and handles come from.
        policy: what it decides for itself.
        executor: computes identities, a process pool for many; on the calling thread when none is given.
    """

    def __init__(
        self,
        seat: Seat,
        shelf: Shelf,
        clock: Clock,
        randomness: Randomness,
        policy: Policy | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.seat = seat
        self.book = PlaceBook(shelf.own / "places.key", shelf.secrets)
        self.keys = Keys(shelf.own, shelf.secrets, randomness)
        self.months = Months(self.book, self.keys, shelf, self.policy.false_positive_one_in, executor)
        self.cards = Cards(self.book, self.keys, shelf, seat, lambda: self.bills)
        self._shelf = shelf
        self._clock = clock
        self._randomness = randomness
        self._known: set[tuple[bytes, int]] = set()
        self._published: set[tuple[Line, int, int]] = set()

    # --- meters ----------------------------------------------------------------------------------------------------

    def enrol(self, newcomers: Sequence[Newcomer]) -> list[Issued]:
        """Enrol meters: a never-used place a channel, files for meter and household, word to the ledger.

        A meter that moves in is enrolled anew, so that who lived there before cannot read on.

        Raises:
            AlreadyEnrolledError: one is enrolled then; nothing changed.
            NoSparePlaceError: the month's rosters have too few never-used places left; nothing changed.
        """
        for newcomer in newcomers:
            self._require_free(newcomer.name, newcomer.from_k)
        with self.book.changing():
            given = [self._give(newcomer) for newcomer in newcomers]
        self._draw_keys(given, newcomers)
        issued = [self._issue(places, newcomer.month) for places, newcomer in zip(given, newcomers, strict=True)]
        self.catch_up()
        return issued

    def swap(self, old: str, new: str, at_k: int, month: int) -> Issued:
        """Put a meter in another's stead, with keys of its own: a new device, or a new household without a gap.

        Args:
            old: name of the meter that goes.
            new: name of the one that comes; it may be the same.
            at_k: first period of the new one.
            month: the month that this period lies in.

        Raises:
            NotEnrolledError: the old one is not enrolled then.
            AlreadyEnrolledError: the new one is.
            NoSparePlaceError: the month's rosters have no never-used place left.
        """
        going = self._enrolled(old, at_k)
        if new != old:
            self._require_free(new, at_k)
        channels = tuple(Direction(place.channel) for place in going)
        newcomer = Newcomer(new, going[0].region, channels, at_k, month)
        with self.book.changing():
            places = self._give(newcomer, follows=going[0].meter)
            self.book.end(going, at_k, revoked=False)
        issued = self._issue(places, month)
        self.catch_up()
        return issued

    def move_out(self, name: str, until_k: int) -> None:
        """End a meter's enrolment: its place stays in the rosters like a spare one, and nobody is told which it was.

        Raises:
            NotEnrolledError: it is not enrolled then.
        """
        self._end(name, until_k, revoked=False)

    def revoke(self, name: str, until_k: int) -> None:
        """End a meter's enrolment and publish what is left of its place, so that its records are refused at once.

        Raises:
            NotEnrolledError: it is not enrolled then.
        """
        self._end(name, until_k, revoked=True)

    def reissue(self, name: str, k: int, month: int) -> Issued:
        """Write an enrolled meter's files again, as they are for this month: for a writing that was cut short.

        Raises:
            NotEnrolledError: it is not enrolled then.
            MonthErasedError: the month's keys were erased.
        """
        return self._issue(self._enrolled(name, k), month)

    def _end(self, name: str, until_k: int, *, revoked: bool) -> None:
        with self.book.changing():
            self.book.end(self._enrolled(name, until_k), until_k, revoked=revoked)
        self.catch_up()

    def _enrolled(self, name: str, k: int) -> list[Place]:
        places = self.book.of_meter(name, k)
        if not places or any(place.until_k for place in places):
            raise NotEnrolledError(meter=name, k=k)
        return places

    def _require_free(self, name: str, from_k: int) -> None:
        for place in self.book.of_meter(name, from_k):
            raise AlreadyEnrolledError(meter=name, from_k=place.from_k, until_k=place.until_k)

    def _give(self, newcomer: Newcomer, follows: bytes = b"") -> list[Place]:
        handle = self._randomness(METER_ID_SIZE)
        given = []
        for channel in sorted(newcomer.channels):
            place = self.book.take(Line(newcomer.region, channel), newcomer.from_k)
            taken = replace(place, name=newcomer.name, meter=handle, from_k=newcomer.from_k, follows=follows)
            self.book.put(taken)
            given.append(taken)
        return given

    def _draw_keys(self, given: Sequence[Sequence[Place]], newcomers: Sequence[Newcomer]) -> None:
        """Draw the keys of all newcomers' places at once: each drawing writes a month's file anew."""
        wanted: dict[tuple[Line, int], list[int]] = {}
        for places, newcomer in zip(given, newcomers, strict=True):
            for place in places:
                wanted.setdefault((place.line, newcomer.month), []).append(place.number)
        for (line, month), numbers in wanted.items():
            self.keys.chains(line, month, numbers)

    def _issue(self, places: Sequence[Place], month: int) -> Issued:
        first = places[0]
        chains: list[ChainPair] = []
        for place in places:
            chains += self.keys.chains(place.line, month, [place.number]).values()
        content = MeterFile(
            VERSION, self.seat.chain_id, first.name, first.meter, first.region, month, first.from_k, tuple(chains)
        )
        stem = f"{quote(first.name, safe=' ')[:MAX_NAME_IN_FILE]}.{first.meter.hex()[:8]}"
        issued = Issued(
            first.name,
            first.meter,
            self._shelf.enrolments / f"{stem}.meter",
            self._shelf.enrolments / f"{stem}.household",
        )
        write_meter(self._shelf.secrets, issued.meter_file, content)
        write_household(self._shelf.secrets, issued.household_file, content.for_household())
        return issued

    # --- months ----------------------------------------------------------------------------------------------------

    def prepare_month(self, region: int, bounds: MonthBounds) -> None:
        """Make a month's rosters for each channel that has meters, and publish them; harmless where it is done already.

        Args:
            region: the region.
            bounds: the month as the operator opened it.
        """
        for channel in Direction:
            line = Line(region, channel)
            used = sum(not place.is_spare for place in self.book.for_month(line, bounds))
            made = self.book.epochs(line, bounds.month)
            if len(made) == 1 and self._came_too_late(made[0]):
                self.cards.withdraw(line, bounds.month)
                self.book.strike(made.pop())
            if used and not made:
                begun = self._clock.now_s() >= bounds.start_s + bounds.period_s
                from_k = self._next_period(bounds.period_s) if begun else bounds.first_k
                if from_k < bounds.end_k:
                    self.months.make_first(line, bounds, from_k, self.policy.spares(used))
        self.catch_up()

    def roll_over(self, region: int, bounds: MonthBounds) -> None:
        """When a month is over, lead its chain keys on and erase them, and with them its sign seeds."""
        for channel in Direction:
            line = Line(region, channel)
            needed = [place.number for place in self.book.places(line) if not place.ended_by(bounds.end_k)]
            self.keys.erase_chains(line, bounds.month + 1, needed)

    def finish_month(self, region: int, month: int) -> None:
        """When a month's bills are final, erase its view seeds, accounts, whose its leaves were, and meters' registers.

        Its rosters, which are public, stay for those who check what they keep: `take_down` removes them.
        """
        meters = [meter for meter, places in self.book.by_meter().items() if places[0].region == region]
        for channel in Direction:
            self.keys.erase_month(Line(region, channel), month)
        self.bills.forget_registers(meters, month)
        with self.book.changing():
            for channel in Direction:
                self.book.forget(Line(region, channel), month)

    def is_finished(self, region: int, month: int) -> bool:
        """Whether what a month's bills were made from is erased."""
        had = any(self.seat.ask(aggregation.last_epoch, region, channel, month) for channel in Direction)
        return had and not any(self.book.epochs(Line(region, channel), month) for channel in Direction)

    def wants_registers(self, region: int, month: int) -> bool:
        """Whether a month can be billed here: it has rosters, and nothing of it was erased yet, in whole or in part."""
        lines = [line for line in (Line(region, channel) for channel in Direction) if self.book.epochs(line, month)]
        return bool(lines) and not any(self.keys.is_erased(line, month) for line in lines)

    def take_down(self, region: int, month: int) -> None:
        """Remove a month's public rosters: the ledger has forgotten the records that they are for."""
        for channel in Direction:
            self._shelf.rosters.remove(region, channel, month)

    # --- what the ledger lacks ---------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Tell the ledger what it lacks: meters that came or went, rosters, and what revocations change in them.

        Raises:
            FileError: a file cannot be read or written.
        """
        self._agree()
        messages = list(self._meter_messages())
        for at in range(0, len(messages), MESSAGES_A_TRANSACTION):
            self.seat.send(*messages[at : at + MESSAGES_A_TRANSACTION])
        for line in self._lines():
            for latest in self.book.latest(line):
                self._take_out_revoked(latest)
        for epoch in self.book.epochs():
            if not self._is_published(epoch):
                self.seat.send(self.months.publication(epoch))
        self.cards.deal()

    @property
    def folder(self) -> Path:
        """Where its work on bills lies."""
        return self._shelf.bills

    @cached_property
    def bills(self) -> BillBook:
        """Its book of bills, opened at the first use."""
        return BillBook(self._shelf.bills / "book.db")

    def close(self) -> None:
        """Let go of all files."""
        if "bills" in vars(self):
            self.bills.close()

    def _agree(self) -> None:
        """Let the book follow the ledger: what it has stands, and what it never heard of begins or ends later.

        A word that was not brought before its period began (the process was killed, or the disk full) is refused for
        good; without this, a meter would count that the ledger does not know.
        """
        changed = []
        for places in self.book.by_meter().values():
            place = places[0]
            if (place.meter, place.until_k) in self._known:
                continue
            known, next_k = self.seat.ask(registry.meter, place.meter), self._next_k(place.region)
            from_k = known.from_k if known else max(place.from_k, next_k)
            until_k = place.until_k and ((known and known.until_k) or max(place.until_k, next_k, from_k))
            if (from_k, until_k) != (place.from_k, place.until_k):
                changed += [replace(each, from_k=from_k, until_k=until_k) for each in places]
        if changed:
            with self.book.changing():
                for place in changed:
                    self.book.put(place)

    def _next_k(self, region: int) -> int:
        """The first period that has not begun, or begins just now: the ledger still takes words about it."""
        known = self.seat.ask(registry.region, region)
        return 0 if known is None else self._next_period(known.period_s)

    def _next_period(self, period_s: int) -> int:
        return -(-self._clock.now_s() // period_s)

    @property
    def is_caught_up(self) -> bool:
        """Whether the ledger knows all that stands in the book."""
        return not any(self._meter_messages()) and all(map(self._is_published, self.book.epochs()))

    def _lines(self) -> list[Line]:
        return list(dict.fromkeys(place.line for place in self.book.places()))

    def _meter_messages(self) -> Iterator[Message]:
        """Messages for meters whose beginning or end the ledger does not know, in the order of the random handles.

        In the order of the book, an alphabetical list of names would tell whose each handle is.
        """
        meters = self.book.by_meter()
        followed = {place.follows for place in self.book.places()}
        for handle in sorted(meters, key=lambda each: (_swaps_before(meters, each), each)):
            places = meters[handle]
            place = places[0]
            if (place.meter, place.until_k) in self._known:
                continue
            known = self.seat.ask(registry.meter, place.meter)
            if known is None and place.follows:
                yield SwapMeter(place.follows, place.meter, place.from_k)
            elif known is None:
                yield EnrolMeter(place.meter, place.region, tuple(each.channel for each in places), place.from_k)
            if place.until_k and place.meter not in followed and not (known and known.until_k):
                yield RevokeMeter(place.meter, place.until_k)
            if known is not None and known.until_k == place.until_k:
                self._known.add((place.meter, place.until_k))

    def _is_published(self, epoch: Epoch) -> bool:
        mark = (epoch.line, epoch.month, epoch.epoch)
        if mark not in self._published:
            last = self.seat.ask(aggregation.last_epoch, *epoch.line, epoch.month)
            if last < epoch.epoch:
                return False
            self._published.add(mark)
        return True

    def _came_too_late(self, epoch: Epoch) -> bool:
        """Whether an epoch was made and never published, and its first window is open: it has to be made anew."""
        return (epoch.from_k + 1) * epoch.period_s <= self._clock.now_s() and not self._is_published(epoch)

    def _take_out_revoked(self, latest: Epoch) -> None:
        """Begin an epoch without what is left of revoked places; one that was never published in time is made anew."""
        bounds = latest.bounds
        if latest.epoch > 1 and self._came_too_late(latest):
            self.book.strike(latest)
            latest = self.book.epochs(latest.line, latest.month)[-1]
        going = [self.book[number] for number in latest.places if self.book[number].revoked]
        if not going or min(place.until_k for place in going) >= bounds.end_k:
            return
        going = [place for place in going if place.until_k < bounds.end_k]
        from_k = max(min(place.until_k for place in going), latest.from_k + 1, self._next_period(bounds.period_s))
        if from_k < bounds.end_k:
            self.months.exchange(latest, [place.number for place in going if place.until_k <= from_k], from_k)


def _swaps_before(meters: Mapping[bytes, Sequence[Place]], handle: bytes) -> int:
    """How many meters stood in a meter's stead before it: the ledger must have heard of those first."""
    count = 0
    while handle in meters and (handle := meters[handle][0].follows):
        count += 1
    return count
