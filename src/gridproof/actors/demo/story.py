"""The demonstration: a community is founded, lives through some periods with faults and attacks, and is counted.

All parts are the real ones: a folder as `gridproof init` makes it, keys, enrolments, the durable ledger, the stores.
The clock is simulated and all chance comes from the seed, so that the same seed gives the same app hash everywhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from gridproof.actors.bill_provider import Fault, Newcomer
from gridproof.actors.clock import Clock, SimulatedClock
from gridproof.actors.community import Community, Folder, found
from gridproof.actors.community.access import at_work
from gridproof.actors.community.founding import ALONE, Network
from gridproof.actors.community.people import BILL_PROVIDER, CONTROL_CENTER, keys_of
from gridproof.actors.conductor import Conductor, Observer
from gridproof.actors.crew import Crew
from gridproof.actors.errors import BadRecordError
from gridproof.actors.public_rosters import PublicRosters
from gridproof.actors.randomness import Seeded
from gridproof.actors.seat import Refused
from gridproof.actors.timeline import LEAD_S
from gridproof.actors.transport import DirectTransport, Reply
from gridproof.app import application
from gridproof.connectors.config import Aggregator, Privacy, Region, Settings
from gridproof.connectors.config import Community as CommunitySettings
from gridproof.connectors.config import Ledger as LedgerSettings
from gridproof.connectors.files import make_private_folder, write_whole
from gridproof.connectors.ledger import InProcessClient, LedgerClient
from gridproof.connectors.readings import SqliteReadings
from gridproof.connectors.rosters import RosterFiles
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import Direction, MonthBounds, MonthId, RegionId, Slot
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.embedded.ledger import Options
from gridproof.errors import GridproofError
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.rules.timetable import month_settled_s
from gridproof.modules.aggregation.types import SlotState, Status
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing.types import FoldedPrice

from . import attackers
from .attackers import AGGREGATOR, Attacker, Outsider, RogueAggregator, Stolen, Thief, Village
from .bill_count import BillCounter, CountedSlot
from .bill_course import BillCourse, Setting, stretch_of
from .count import Counter
from .docket import Docket
from .faults import Desk, DroppingDesk, FailingRegisters, LossyLine, Tamperer, Tap
from .outcome import Billed, Outcome, Period, Standing
from .price_attackers import PriceThief
from .prices import tariff_for
from .script import Span, require_size, write_script
from .supply import PERIOD_S, ZONE, Supply, from_file, made_up
from .verdicts import find_faults, find_under_reporting

AGGREGATORS: Final = ("aggregator 1", "aggregator 2")  # the second one is dishonest
DEFAULT_HOUSEHOLDS: Final = 100
FOLDER: Final = "demo"  # in the community's folder: report, bill pages, summary, periods, tries, pictures
_SEED: Final = "gridproof/demo/v1"
_FOUNDED_S: Final = 3_600  # before the first month is opened

OpenLedger = Callable[[Folder, Clock], AbstractContextManager[LedgerClient]]
Progress = Callable[[int, int], None]


class Order(NamedTuple):
    """What is to be told.

    Attributes:
        households: how many; by default a hundred, or all of the file.
        periods: how many.
        regions: how many.
        readings: a file of readings, or None for plausible ones.
        seed: of all chance.
    """

    households: int | None = None
    periods: int = 96
    regions: int = 1
    readings: Path | None = None
    seed: int = 1


@contextmanager
def on_disk(folder: Folder, clock: Clock) -> Iterator[LedgerClient]:
    """The durable ledger of a community's folder."""
    with EmbeddedLedger.at(folder.ledger, application, options=Options(clock=clock.now_s)) as ledger:
        yield InProcessClient(ledger)


class Venue(NamedTuple):
    """Where the story's ledger is.

    Attributes:
        open: reaches the ledger that was founded, and lets it go at the end; told the folder and the story's clock.
        ledger: what the settings say of it.
        network: what the genesis document says of the network that keeps it.
        rest: returns once no further block follows from what was said: a network makes one more after each that
            changed something.
    """

    open: OpenLedger = on_disk
    ledger: LedgerSettings = LedgerSettings()
    network: Network = ALONE
    rest: Callable[[LedgerClient], None] = lambda _client: None


HERE: Final = Venue()


def tell(order: Order, root: Path, *, progress: Progress = lambda _done, _all: None, venue: Venue = HERE) -> Outcome:
    """Tell the story.

    Args:
        order: what is to be told.
        root: the community's folder, not there yet or empty; all stays there.
        progress: told how many steps are done, of how many: slots to end, bills to make and to verify.
        venue: where the ledger is; durable in the folder by default.

    Raises:
        DemoError: the story cannot be told of so few, or of these readings.
        FolderTakenError: the folder is not empty; nothing was made.
        ReadingsError, FileError: the file of readings cannot be used; nothing was made.
        FolderUnmadeError, NodeUnclearError, StoreError: the machine does not let it be told to its end.
    """
    with ExitStack() as stack:
        supply = stack.enter_context(_supply(order))
        require_size(len(supply.meters), order.regions, supply.span.periods)
        chance = Seeded(f"{_SEED}/{order.seed}".encode())
        start_s = max(0, supply.span.first_k * PERIOD_S - LEAD_S - _FOUNDED_S)
        settings, founding = _settings(order.regions, venue.ledger), chance.fork("founding")
        found(root, settings, start_s, SecretFiles(), founding, network=venue.network)
        community = Community(root, randomness=chance.fork("actors"))
        readings = stack.enter_context(closing(community.readings()))
        readings.add(supply.readings)
        tariff = tariff_for(_mean_wh(readings, supply.span) // order.regions)
        write_whole(community.folder.tariff, tariff)
        clock = SimulatedClock(start_s)
        client = stack.enter_context(venue.open(community.folder, clock))
        stack.enter_context(at_work(community.folder))
        story = _Story(community, client, clock, readings, supply, chance.fork("script"), tariff)
        stack.callback(story.crew.close)
        return story.run(progress, partial(venue.rest, client))


class _Watcher(Observer):
    """Lets the attackers act, and keeps what happens."""

    def __init__(self, crew: Crew, docket: Docket, expected: int, progress: Progress) -> None:
        self._crew = crew
        self._expected = expected
        self._progress = progress
        self.docket = docket
        self.attackers: list[Attacker] = []
        self.price_thieves: list[PriceThief] = []
        self.ended: dict[Slot, SlotState] = {}
        self.faults: dict[Slot, tuple[Fault, ...]] = {}
        self.problems: list[str] = []

    def instant(self, now_s: int) -> None:
        """Attackers come first."""
        for attacker in self.attackers:
            attacker.act(now_s)

    def slot_ended(self, slot: Slot, state: SlotState) -> None:
        """The bill provider looks who is behind what is missing; whoever wants another price comes at once."""
        self.ended[slot] = state
        for thief in self.price_thieves:
            thief.slot_ended(slot, state)
        self.faults[slot] = self._crew.totals.find_faults(slot)
        self._progress(len(self.ended), self._expected)

    def refused(self, refused: Refused) -> None:
        """No actor's word is refused in the story."""
        self.problems.append(f"{type(refused.messages[0]).__name__}: {refused.refusal}")

    def problem(self, problem: GridproofError) -> None:
        """Nor fails one otherwise."""
        self.problems.append(str(problem))


class _Story:
    """The community at work, with all who act beside it."""

    def __init__(
        self,
        community: Community,
        client: LedgerClient,
        clock: SimulatedClock,
        readings: SqliteReadings,
        supply: Supply,
        chance: Seeded,
        tariff: bytes,
    ) -> None:
        self._community, self._client, self._clock = community, client, clock
        self._span, self._tariff = supply.span, tariff
        self._regions = _spread(supply.meters, len(community.settings.regions))
        self._script = write_script(
            {region: tuple(meters) for region, meters in self._regions.items()},
            _present(readings),
            supply.span,
            chance.fork("faults"),
        )
        self._chance = chance.fork("attackers")
        self._readings = readings
        self._prices_of = lru_cache(maxsize=4)(self._ask_prices)
        self._counter = Counter(
            readings, self._regions, self._script, PERIOD_S, community.settings.meters.plausible_limit_wh
        )
        self.crew = community.crew(client, clock)

    # --- the course of things ----------------------------------------------------------------------------------------

    def run(self, progress: Progress, rest: Callable[[], None]) -> Outcome:
        """Let it happen, let the ledger come to rest, and count."""
        slots = self._slots()
        docket = Docket()
        steps = len(slots) + self._bill_steps()
        watcher = _Watcher(self.crew, docket, steps, progress)
        self._enrol()
        rogue = self._rogue()
        desk = DroppingDesk(
            DirectTransport(self.crew.aggregators), rogue, self._script.dropped, self._script.meters, self.crew.fleet
        )
        honest = min(self.crew.aggregators)
        tamperer = Tamperer(desk, self._script.tampered, honest, _told_to(docket))
        lossy = LossyLine(tamperer, self._script.half_sent, self.crew.fleet)
        tap = Tap(lossy, (self._script.tampered, attackers.before(self._script.tampered)))
        watcher.attackers = self._attackers(docket, tap, lossy)
        watcher.price_thieves = self._price_thieves(docket)
        with closing(FailingRegisters(self._community.folder.readings, self._script, PERIOD_S)) as reported:
            conductor = self._conductor(watcher, reported, tap)
            self._conduct(conductor)
            watcher.instant(self._clock.now_s())
            priced = self._standing()
            periods = [self._period(slot, desk, watcher) for slot in slots]
            find_faults(docket, self._script, periods, desk, self._client, self._month(slots[0].k))
            watcher.attackers = []
            self._conduct(conductor, self._settled_s())
        counter = self._bill_counter(self._counter, periods, desk)
        periods = [self._with_price(period, counter) for period in periods]
        course = BillCourse(self._setting(docket, counter))
        bills = course.run(lambda done, _all: progress(len(slots) + done, steps))
        watcher.problems += course.problems
        self._find_under_reporting(docket, bills, periods, desk)
        rest()
        return self._outcome(periods, bills, watcher, priced)

    def _enrol(self) -> None:
        month = self._month(self._span.first_k)
        newcomers = [
            Newcomer(name, region, channels, self._span.first_k, month)
            for region, meters in self._regions.items()
            for name, channels in meters.items()
        ]
        self.crew.provider.enrol(newcomers)
        for seat in self.crew.seats:
            seat.settle()

    def _conductor(self, watcher: _Watcher, reported: FailingRegisters, transport: Tap) -> Conductor:
        """Conducts over what meters report; their registers count what is true."""
        tariff = self._community.tariff
        conductor = Conductor(self.crew, reported, self._bounds, self._clock, watcher, transport, tariffs=tariff)
        conductor.registers = self._readings
        return conductor

    def _conduct(self, conductor: Conductor, until_s: int | None = None) -> None:
        first_s, end_s = self._span.first_k * PERIOD_S, self._span.end_k * PERIOD_S
        conductor.run(self._months, first_s, end_s, until_s=until_s)

    def _bounds(self, _region: RegionId, month: MonthId) -> MonthBounds:
        first_s, end_s = self._span.first_k * PERIOD_S, self._span.end_k * PERIOD_S
        return self._community.calendar.bounds_between(month, first_s, end_s)

    def _settled_s(self) -> int:
        """When the last deadline of all months has passed."""
        return max(
            month_settled_s(self._bounds(RegionId(region), month), rules)
            for region, rules in self.crew.rules.items()
            for month in self._months
        )

    def _rogue(self) -> Desk:
        name = AGGREGATORS[-1]
        participant = self._community.sender(self._client, name).participant
        keys = keys_of(self._community.folder, self._community.secrets, name)
        return Desk(participant, keys.receipt_signer, self._client.status().chain_id)

    def _attackers(self, docket: Docket, tap: Tap, lossy: LossyLine) -> list[Attacker]:
        rosters = PublicRosters(RosterFiles(self._community.folder.rosters), self.crew.operator)
        village = Village(self.crew, self._client, self._script, tap, lossy, rosters, self._chance)
        return [
            Outsider(village, docket),
            RogueAggregator(village, docket, self._stolen(AGGREGATORS[-1])),
            Thief(village, docket, self._stolen(BILL_PROVIDER)),
        ]

    def _price_thieves(self, docket: Docket) -> list[PriceThief]:
        center, region = self.crew.control_center, RegionId(min(self._regions))
        return [] if center is None else [PriceThief(docket, self._stolen(CONTROL_CENTER), center, region)]

    def _stolen(self, name: str) -> Stolen:
        signer = keys_of(self._community.folder, self._community.secrets, name).signer
        return Stolen(self._community.sender(self._client, name).participant, signer, self._client)

    # --- what came of it ---------------------------------------------------------------------------------------------

    def _slots(self) -> list[Slot]:
        """All slots that have rosters, by region, channel and period."""
        return [
            Slot(RegionId(region), channel, k)
            for region, meters in self._regions.items()
            for channel in Direction
            if any(channel in channels for channels in meters.values())
            for k in range(self._span.first_k, self._span.end_k)
        ]

    @property
    def _months(self) -> tuple[MonthId, ...]:
        first_s, end_s = self._span.first_k * PERIOD_S, self._span.end_k * PERIOD_S
        return self._community.calendar.months_between(first_s, end_s)

    def _bill_steps(self) -> int:
        """Slots to gather, bills to make and bills to verify."""
        households = sum(map(len, self._regions.values()))
        return len(Direction) * self._span.periods * len(self._regions) + 2 * households * len(self._months)

    def _month(self, k: int) -> MonthId:
        return self._community.calendar.month_of(k * PERIOD_S)

    def _period(self, slot: Slot, desk: DroppingDesk, watcher: _Watcher) -> Period:
        state = watcher.ended.get(slot) or self._client.ask(aggregation.slot, *slot)
        counted = self._counter.count(slot, desk.dropped)
        enrolled = len(counted.live) + len(counted.missing)
        status = Status.OPEN if state is None else Status(state.status)
        return Period(
            slot,
            self._community.calendar.label(slot.k * PERIOD_S),
            status,
            state.total_wh if state is not None and status == Status.OPENED else None,
            enrolled if state is None or not state.enrolled else state.enrolled,
            0 if state is None else state.live_pairs,
            0 if state is None else state.filled_count,
            counted,
            {fault.meter: fault.kind for fault in watcher.faults.get(slot, ())},
            _hides(self._community.settings.privacy, len(counted.live), enrolled),
        )

    def _standing(self) -> Standing:
        status = self._client.status()
        return Standing(status.height, status.app_hash)

    # --- prices and bills --------------------------------------------------------------------------------------------

    def _bill_counter(self, counter: Counter, periods: Sequence[Period], desk: DroppingDesk) -> BillCounter:
        """The independent count of the bills, over what a counter counts in each slot."""
        slots = {each.slot: CountedSlot(counter.count(each.slot, desk.dropped), each.may_open) for each in periods}
        return BillCounter(self._tariff, counter, slots)

    def _with_price(self, period: Period, counter: BillCounter) -> Period:
        region, channel, k = period.slot
        known = {each.k: each for each in self._prices_of(region, channel, self._month(k))}
        price_e5 = known[k].price_e5 if k in known else None
        return period._replace(price_e5=price_e5, counted_price=counter.price(period.slot))

    def _ask_prices(self, region: int, channel: int, month: int) -> tuple[FoldedPrice, ...]:
        return self._client.ask(pricing.month_prices, region, channel, month)

    def _setting(self, docket: Docket, counter: BillCounter) -> Setting:
        pages = self._community.folder.root / FOLDER / "bills"
        make_private_folder(pages)
        return Setting(
            self._community,
            self._client,
            self.crew,
            docket,
            self._stolen(BILL_PROVIDER),
            counter,
            {
                region: tuple(self._bounds(RegionId(region), month) for month in self._months)
                for region in self._regions
            },
            self._script.meters,
            pages,
        )

    def _find_under_reporting(
        self, docket: Docket, bills: Sequence[Billed], periods: Sequence[Period], desk: DroppingDesk
    ) -> None:
        """Hold what the meter that reported too little pays against what it would have paid."""
        shaving = self._script.shaving
        if shaving is None:
            return
        honest = self._bill_counter(self._counter.honest(), periods, desk)
        channels = self._regions[shaving.region][shaving.meter]
        stretches = [
            stretch_of(self._community, self._bounds(RegionId(shaving.region), month)) for month in self._months
        ]
        would = sum(
            (honest.bill(shaving.region, shaving.meter, channels, each).total for each in stretches), start=Decimal()
        )
        find_under_reporting(docket, bills, shaving, would, self._counter.kept_back_wh(shaving))

    def _outcome(
        self, periods: Sequence[Period], bills: tuple[Billed, ...], watcher: _Watcher, priced: Standing
    ) -> Outcome:
        final = self._standing()
        calendar = self._community.calendar
        return Outcome(
            chain_id=self._client.status().chain_id,
            households=sum(len(meters) for meters in self._regions.values()),
            regions=len(self._regions),
            periods=self._span.periods,
            start=calendar.label(self._span.first_k * PERIOD_S),
            end=calendar.label(self._span.end_k * PERIOD_S),
            priced=priced,
            final=final,
            slots=tuple(periods),
            attacks=watcher.docket.results(),
            tries=tuple(watcher.docket.tries),
            problems=tuple(watcher.problems),
            bills=bills,
        )


def _supply(order: Order) -> AbstractContextManager[Supply]:
    if order.readings is not None:
        return from_file(order.readings, order.households, order.periods)
    households = DEFAULT_HOUSEHOLDS if order.households is None else order.households
    require_size(households, order.regions, order.periods)
    return nullcontext(made_up(households, order.periods, order.seed))


def _mean_wh(readings: SqliteReadings, span: Span) -> int:
    """What all draw in a period on average."""
    read = readings.between(span.first_k * PERIOD_S, span.end_k * PERIOD_S)
    return sum(each.energy_wh for each in read if each.channel == Direction.IMPORT) // span.periods


def _settings(regions: int, ledger: LedgerSettings) -> Settings:
    return Settings(
        community=CommunitySettings(name="Demonstration", zone=ZONE, currency="CHF", period_s=PERIOD_S),
        regions=tuple(Region(number=number, name=f"Region {number}") for number in range(1, regions + 1)),
        aggregators=tuple(Aggregator(name=name) for name in AGGREGATORS),
        ledger=ledger,
    )


def _hides(privacy: Privacy, live: int, enrolled: int) -> bool:
    """Whether so many live meters hide each other (the ledger's rule, said once more)."""
    return live >= privacy.k_min and live * 1_000 >= enrolled * privacy.min_live_permille


def _spread(
    meters: Mapping[str, tuple[Direction, ...]], regions: int
) -> Mapping[int, Mapping[str, tuple[Direction, ...]]]:
    """Deal the meters out to the regions."""
    spread: dict[int, dict[str, tuple[Direction, ...]]] = {region: {} for region in range(1, regions + 1)}
    for index, (name, channels) in enumerate(meters.items()):
        spread[index % regions + 1][name] = channels
    return MappingProxyType(spread)


def _present(readings: SqliteReadings) -> Callable[[int], Mapping[str, int]]:
    @lru_cache(maxsize=16)
    def present(k: int) -> Mapping[str, int]:
        return {each.meter: each.energy_wh for each in readings.slot(Direction.IMPORT, k * PERIOD_S)}

    return present


def _told_to(docket: Docket) -> Callable[[Reply], None]:
    def told(reply: Reply) -> None:
        answer = reply if isinstance(reply, GridproofError) else None
        docket.refused("altered_record", AGGREGATOR, answer, BadRecordError)

    return told
