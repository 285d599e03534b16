"""A community in its folder: settings, calendar, places, and the seats from which its participants act."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.actors.bill_provider import BillProvider, Letterhead, Policy, Shelf, Stores
from gridproof.actors.bill_provider.places import Place, PlaceBook
from gridproof.actors.clock import Clock, SimulatedClock, SystemClock
from gridproof.actors.credentials import Credentials
from gridproof.actors.crew import REGISTERS, Chance, Crew, Post, Posts
from gridproof.actors.household import LeavesOf, public_leaves
from gridproof.actors.randomness import Randomness, system
from gridproof.actors.seat import Seat
from gridproof.calendar import Calendar
from gridproof.connectors.config import Aggregator, Region, Settings, load
from gridproof.connectors.content import FolderContent, open_content
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.ledger import LedgerClient, Sender
from gridproof.connectors.readings import SqliteReadings
from gridproof.connectors.registers import Registers
from gridproof.connectors.rosters import RosterFiles
from gridproof.connectors.secret_files import SecretFiles, is_sealed_file
from gridproof.connectors.tariff_file import TariffPlan, load_tariff
from gridproof.domain import Direction, MonthBounds, RegionId, Tariff
from gridproof.modules.registry import queries as registry
from gridproof.state import system as chain

from .agreement import require_agreement
from .errors import Names, NoCommunityError, NoSuchMeterError, NoSuchRegionError
from .folder import Folder
from .keyring import Keyring
from .people import BILL_PROVIDER, CONTROL_CENTER, OPERATOR
from .times import Times

CLOSE_NAMES: Final = 3

Passphrase = Callable[[bool], str | None]
"""Finds the passphrase; told whether secrets are sealed, so that somebody may be asked for it."""


class MeterRow(NamedTuple):
    """A meter in the bill provider's book.

    Attributes:
        name: its name among people.
        handle: on the ledger, 16 bytes.
        region: where it stands.
        channels: what it reports.
        from_k: first period that it reports.
        until_k: first period that it no longer does; 0 while it is enrolled.
    """

    name: str
    handle: bytes
    region: int
    channels: tuple[Direction, ...]
    from_k: int
    until_k: int


class Community:
    """A community's folder, opened.

    Args:
        root: the folder.
        passphrase: finds the passphrase of its secrets, when one is first needed.
        randomness: where keys, handles and sending times come from.

    Raises:
        NoCommunityError: there is none in the folder.
        ConfigInvalidError: its settings have faults.
    """

    def __init__(
        self, root: Path, passphrase: Passphrase = lambda _sealed: None, randomness: Randomness = system
    ) -> None:
        try:
            self.settings: Settings = load(Folder(root).config)
        except FileMissingError as missing:
            raise NoCommunityError(folder=str(root.absolute())) from missing
        self.folder = Folder(root, self.settings.paths)
        self.calendar = Calendar(self.settings.community.zone, self.settings.community.period_s)
        self.times = Times(self.calendar)
        self.randomness = randomness
        self._passphrase = passphrase
        self._secrets: SecretFiles | None = None
        self._agrees = False

    @property
    def period_s(self) -> int:
        """Length of a period in seconds."""
        return self.settings.community.period_s

    @property
    def secrets(self) -> SecretFiles:
        """Reads and writes secret files; the passphrase is found at the first use.

        Raises:
            PassphraseError: none can be taken from where it should be.
        """
        if self._secrets is None:
            self._secrets = SecretFiles(self._passphrase(self.is_sealed))
        return self._secrets

    @property
    def is_sealed(self) -> bool:
        """Whether the participants' secrets are sealed with a passphrase."""
        keys = self.folder.keys
        return any(
            map(is_sealed_file, [self.folder.key_file(OPERATOR), *sorted(keys.glob("*.key")), self.folder.places])
        )

    # --- words -------------------------------------------------------------------------------------------------------

    def region(self, given: str) -> Region:
        """The region of a number or name.

        Raises:
            NoSuchRegionError: there is none; close ones are named.
        """
        wanted = given.strip()
        for region in self.settings.regions:
            if wanted == str(region.number) or wanted.casefold() == region.name.casefold():
                return region
        names = {region.name.casefold(): f"{region.number} {region.name}" for region in self.settings.regions}
        close = get_close_matches(wanted.casefold(), names, CLOSE_NAMES) or sorted(names)[:CLOSE_NAMES]
        raise NoSuchRegionError(region=given, close=Names(names[name] for name in close))

    def regions(self, given: Sequence[str]) -> tuple[Region, ...]:
        """The regions of some numbers or names; all when none is given.

        Raises:
            NoSuchRegionError: one is not there; close ones are named.
        """
        return tuple(map(self.region, given)) or self.settings.regions

    def require_meter(self, name: str) -> None:
        """Return if the community ever had a meter of this name.

        Raises:
            NoSuchMeterError: it never had; close ones are named.
        """
        known = {meter.name for meter in self.meters()}
        if name not in known:
            raise NoSuchMeterError(meter=name, close=close_names(name, known))

    # --- what energy costs -------------------------------------------------------------------------------------------

    def tariff_plan(self, region: RegionId) -> TariffPlan | None:
        """A region's tariff as its file says it now; None where there is no file, and so no prices.

        Raises:
            TariffInvalidError: the file has faults; all of them are named.
            FileUnreadableError: the system refuses it.
        """
        try:
            return load_tariff(self.folder.tariff_of(region))
        except FileMissingError:
            return None

    def tariff(self, region: RegionId, bounds: MonthBounds) -> Tariff | None:
        """The tariff with which a region's month is opened; None where there is no file, and so no prices.

        Args:
            region: the region.
            bounds: the month, perhaps cut.

        Raises:
            TariffInvalidError: the file has faults; all of them are named.
            TariffMonthError: the ledger would refuse it for this month.
            FileUnreadableError: the system refuses it.
        """
        plan = self.tariff_plan(region)
        return None if plan is None else self.cut_tariff(plan, bounds)

    def cut_tariff(self, plan: TariffPlan, bounds: MonthBounds, from_s: int | None = None) -> Tariff:
        """A tariff as the ledger takes it for a month, with the settings' currency and plausible limit.

        Args:
            plan: the tariff.
            bounds: the month, perhaps cut.
            from_s: start of its first slot; the month's when None.

        Raises:
            TariffMonthError: the ledger would refuse it for this month.
        """
        currency, limit_wh = self.settings.community.currency, self.settings.meters.plausible_limit_wh
        return plan.for_month(self.calendar, bounds, currency, from_s, limit_wh=limit_wh)

    # --- who takes part ----------------------------------------------------------------------------------------------

    @property
    def participants(self) -> tuple[str, ...]:
        """The names of those whose keys should lie here: some may not have joined the ledger yet."""
        aggregators = (aggregator.name for aggregator in self.settings.aggregators)
        return (OPERATOR, BILL_PROVIDER, *aggregators, CONTROL_CENTER)

    @property
    def shelf(self) -> Shelf:
        """Where the bill provider's files lie."""
        files = RosterFiles(self.folder.rosters)
        return Shelf(self.folder.bill_provider, self.folder.enrolments, files, self.secrets)

    @property
    def policy(self) -> Policy:
        """What the settings have the bill provider decide."""
        settings = self.settings
        limit_wh, one_in = settings.meters.plausible_limit_wh, settings.filters.false_positive_one_in
        return Policy(settings.spare_places, limit_wh, one_in)

    def meters(self) -> list[MeterRow]:
        """All meters that the bill provider ever enrolled, by name and beginning."""
        rows: dict[bytes, list[Place]] = {}
        for place in PlaceBook(self.folder.places, self.secrets).places():
            if not place.is_spare:
                rows.setdefault(place.meter, []).append(place)
        return sorted(map(_row, rows.values()), key=lambda row: (row.name, row.from_k))

    def stores(self) -> Stores:
        """Where sealed bills lie; the caller closes them."""
        return Stores(open_content(self.settings, self.folder.root), FolderContent(self.folder.archive))

    def public_leaves(self, client: LedgerClient) -> LeavesOf:
        """Finds the leaves of slots' rosters in the public files here."""
        return public_leaves(client, RosterFiles(self.folder.rosters))

    @property
    def letterhead(self) -> Letterhead:
        """What bills say of the community."""
        names = {region.number: region.name for region in self.settings.regions}
        return Letterhead(self.settings.community.name, self.settings.community.zone, names)

    def readings(self) -> SqliteReadings:
        """The store of readings, opened; the caller closes it."""
        return SqliteReadings(self.folder.readings)

    def registers(self) -> Registers:
        """What the meters' registers said, opened; the caller closes it."""
        return Registers(self.folder.meters.with_name(REGISTERS))

    def clock(self, client: LedgerClient) -> Clock:
        """The clock that the ledger's time follows: the machine's, or one that stands at the operator's word."""
        now_s = client.ask(chain.operator_clock_s)
        return SystemClock() if now_s is None else SimulatedClock(now_s)

    def seat(self, client: LedgerClient, name: str) -> Seat:
        """A participant's seat at the ledger.

        Raises:
            KeysMissingError, KeysDifferError: the participant's keys are not here.
            FileError, SecretFileError: they cannot be read.
            NodeUnclearError: the ledger does not know the participant.
        """
        return Seat(self.sender(client, name))

    def sender(self, client: LedgerClient, name: str) -> Sender:
        """What signs and sends for a participant: nobody acts by settings that contradict the ledger.

        Raises:
            SettingsDifferError: the settings contradict the ledger.
            ForeignLedgerError: the ledger is another community's.
            KeysMissingError, KeysDifferError: the participant's keys are not here.
            FileError, SecretFileError: they cannot be read.
            NodeUnclearError: the ledger does not know the participant.
        """
        if not self._agrees:
            require_agreement(self.folder, self.settings, client)
            self._agrees = True
        ring = self.keyring(client, name)
        return Sender(client, ring.keys().signer, ring.participant)

    def keyring(self, client: LedgerClient, name: str) -> Keyring:
        """A participant's keys, held against the ledger.

        Raises:
            NodeUnclearError: the ledger does not know the participant.
        """
        return Keyring(self.folder, self.secrets, name, client)

    def keys(self, client: LedgerClient, name: str) -> Credentials:
        """Those of a participant's keys that the ledger names.

        Raises:
            KeysMissingError, KeysDifferError: they are not here.
            FileError, SecretFileError: they cannot be read.
            NodeUnclearError: the ledger does not know the participant.
        """
        return self.keyring(client, name).keys()

    def settle_keys(self, client: LedgerClient) -> None:
        """Put next keys of participants that the ledger names in their place; by who acts alone for them.

        Raises:
            FileError, SecretFileError: a file cannot be read or written.
        """
        for _, known in client.ask(registry.participants):
            if known.name in self.participants:
                self.keyring(client, known.name).settle()

    def bill_provider(self, client: LedgerClient) -> BillProvider:
        """The bill provider at its seat."""
        seat = self.seat(client, BILL_PROVIDER)
        return BillProvider(seat, self.shelf, self.clock(client), self.randomness, self.policy)

    def crew(self, client: LedgerClient, clock: Clock, executor: Executor | None = None) -> Crew:
        """All actors at their seats; the caller closes them.

        Args:
            client: the way to the ledger.
            clock: by which all act.
            executor: for heavy work.

        Raises:
            KeysMissingError, KeysDifferError: a participant's keys are not here.
            FileError, SecretFileError, DatabaseError: a file is missing, exposed, sealed, or cannot be used.
            NodeUnclearError: a participant of the settings is not on the ledger.
        """
        posts = tuple(self._post(client, aggregator) for aggregator in self.settings.aggregators)
        seats = Posts(
            self.seat(client, OPERATOR),
            self.seat(client, BILL_PROVIDER),
            posts,
            self.seat(client, CONTROL_CENTER),
        )
        chance = Chance(self.randomness, lambda _meter: self.randomness)
        return Crew(seats, self.shelf, self.policy, self.folder.meters, clock, chance=chance, executor=executor)

    def _post(self, client: LedgerClient, aggregator: Aggregator) -> Post:
        seat = self.seat(client, aggregator.name)
        signer = self.keys(client, aggregator.name).receipt_signer
        return Post(seat, signer, self.folder.inbox(seat.participant), self.settings.regions_of(aggregator))


def close_names(name: str, known: Iterable[str]) -> Names:
    """The known names that are most alike, perhaps none."""
    folded = {each.casefold(): each for each in known}
    return Names(folded[each] for each in get_close_matches(name.casefold(), sorted(folded), CLOSE_NAMES))


def _row(places: list[Place]) -> MeterRow:
    first = places[0]
    channels = tuple(sorted(Direction(place.channel) for place in places))
    return MeterRow(first.name, first.meter, first.region, channels, first.from_k, first.until_k)
