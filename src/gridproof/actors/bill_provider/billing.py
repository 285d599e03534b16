"""The bill provider's bills: which are owed, made, published and registered; answers to objections.

Rules:
    O-1 What is owed follows from the book of places and the ledger: each meter that was enrolled in a closed month has
        one bill of version 1. A correction is made for those that are named.
    O-2 The order of a bill is: noted, archived, published, registered. Killed anywhere, the next run registers what is
        published, and makes the rest; what is registered is never made again under that version.
    O-3 Bills are registered in the order of their identities, which are fresh each month and tell nothing.
    O-4 What a register says beyond a month's records is reconciled once: a register that reaches back over months
        without one is set against what their bills had, so those come first.

Source: seed 002, dynamic billing phase; private-metering.md, rows 17 and 21 to 23.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple

from gridproof.actors.bills.evidence import is_pruned
from gridproof.actors.bills.reading import open_reasons
from gridproof.actors.bills.report import ReportHistory
from gridproof.actors.bills.sealing import pack
from gridproof.actors.errors import (
    EarlierBillMissingError,
    MonthFinishedError,
    MonthNotBillableError,
    NoSuchObjectionError,
    NotEnrolledError,
    ReportLostError,
)
from gridproof.connectors.bill_book import BillNote
from gridproof.connectors.content import (
    ContentAlteredError,
    ContentError,
    ContentMissingError,
    ContentStore,
    Damage,
    find_damage,
)
from gridproof.domain import Direction, MonthBounds, MonthId, TariffStep, month_label, reasons_info
from gridproof.drivers.verifying import available_cores
from gridproof.errors import GridproofError
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.messages import AnswerObjection, NewBill, RegisterBills
from gridproof.modules.billing.types import Objection
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry
from gridproof.primitives import hpke
from gridproof.state import system

from .ahead import in_order
from .carrying import billable_register
from .gathering import Gatherer, Sheet
from .keys import Line, PlaceAccount
from .making import HouseholdJob, MadeBill, MonthContext, PlaceJob, UnmadeBill, make_bills
from .places import Place
from .provider import BillProvider

BILLS_A_MESSAGE: Final = 250
_HOUSEHOLDS_A_TASK: Final = 8
_TASKS_A_CORE: Final = 2
_MAX_HISTORY: Final = 24

Step = Callable[[int, int], None]  # done, in all


class Stores(NamedTuple):
    """Where sealed reports lie.

    Attributes:
        public: from where households fetch them.
        archive: the bill provider's own copy, from which what is lost is published again.
    """

    public: ContentStore
    archive: ContentStore


class Letterhead(NamedTuple):
    """What bills say of the community.

    Attributes:
        community: its name.
        zone: its IANA time zone.
        regions: names of the regions by number.
    """

    community: str
    zone: str
    regions: dict[int, str]


class Outcome(NamedTuple):
    """What a run of bills did.

    Attributes:
        region: the region.
        month: the month.
        made: bills that were registered now.
        before: bills that had been registered before.
        problems: bills that could not be made, by the meter's name, with the reason.
    """

    region: int
    month: MonthId
    made: int
    before: int
    problems: tuple[tuple[str, GridproofError], ...]


class Billing:
    """Makes and registers bills.

    Args:
        provider: whose book, keys and seat are used.
        stores: where sealed reports go.
        letterhead: what bills say of the community.
        executor: makes many at once, a process pool; on the calling thread when none is given.
    """

    def __init__(
        self, provider: BillProvider, stores: Stores, letterhead: Letterhead, executor: Executor | None = None
    ) -> None:
        self._provider = provider
        self._stores = stores
        self._letterhead = letterhead
        self._executor = executor

    # --- making ------------------------------------------------------------------------------------------------------

    def make(
        self,
        region: int,
        month: MonthId,
        *,
        correct: Collection[str] = (),
        progress: Step = lambda _done, _all: None,
    ) -> Outcome:
        """Make the bills of a closed month that are owed, and register them (O-1, O-2).

        Args:
            region: the region.
            month: the month.
            correct: names of meters whose bill is made anew, as its next version.
            progress: told how many slots and bills are done.

        Raises:
            MonthNotBillableError: the month is not closed, or has no prices.
            MonthFinishedError: a correction is asked for in a month that is finished.
            MonthErasedError: the month's view seeds or owners were erased.
            NotEnrolledError: a meter to correct was not enrolled in the month, or has no bill yet.
            ContentError: a store does not take a report; what was registered stays.
            FileError, DatabaseError: a file cannot be read or written.
        """
        bounds, tariffs = self._require_billable(region, month)
        if self._provider.is_finished(region, month):
            if correct:
                raise MonthFinishedError(region=region, month=month_label(month))
            return Outcome(region, month, 0, self._provider.seat.ask(billing.tally, region, month).bills, ())
        accounts = self._accounts(region, month)
        gatherer = self._gatherer()
        gatherer.clear()
        resumed = self._register(region, month)
        names = {places[0].meter: places[0].name for places in self._provider.book.by_meter().values()}
        corrected = {names.get(note.meter, "") for note in resumed if note.version > 1}
        owed, before = self._owed(bounds, region, accounts, frozenset(correct) - corrected)
        before -= sum(note.version == 1 for note in resumed)
        if not owed:
            return Outcome(region, month, len(resumed), before, ())
        if is_pruned(self._provider.seat, region, bounds):
            detail = "its records are past their retention time, and were pruned"
            gone = MonthNotBillableError(region=region, month=month_label(month), detail=detail)
            unmade = tuple(UnmadeBill(each.places[0].name, gone) for each in owed)
            return Outcome(region, month, len(resumed), before, unmade)
        jobs, problems = self._jobs(owed, bounds, accounts)
        with ExitStack() as stack:
            steps = _Steps(progress, bounds.periods * len(accounts) + len(jobs))
            sheets = self._gather(stack, gatherer, region, bounds, steps)
            context = self._context(region, bounds, tariffs, sheets)
            for made in self._make(context, jobs):
                if isinstance(made, UnmadeBill):
                    problems.append(made)
                else:
                    self._publish(made)
                steps.next()
        registered = len(resumed) + len(self._register(region, month))
        return Outcome(region, month, registered, before, tuple(problems))

    def _require_billable(self, region: int, month: MonthId) -> tuple[MonthBounds, tuple[TariffStep, ...]]:
        ask = self._provider.seat.ask
        known, place = ask(registry.month, region, month), ask(registry.region, region)
        if known is None or place is None or not known.closed:
            detail = "it is not closed: its last deadline has not passed, or the operator has not folded it"
            if known is None:
                detail = (
                    "it is not opened: `gridproof run` opens it once a reading of it, or of a later time, is imported"
                )
            raise MonthNotBillableError(region=region, month=month_label(month), detail=detail)
        steps = ask(pricing.tariffs, region, month)
        if not steps:
            detail = "it was opened without a tariff"
            raise MonthNotBillableError(region=region, month=month_label(month), detail=detail)
        bounds = MonthBounds(month, known.start_s, known.end_s, place.period_s)
        return bounds, tuple(TariffStep(from_k, tariff) for from_k, tariff in steps)

    def _accounts(self, region: int, month: MonthId) -> "_Accounts":
        """What each place of a month is billed by, on the channels that have rosters."""
        lines = (Line(region, channel) for channel in Direction)
        made = [line for line in lines if self._provider.book.epochs(line, month)]
        return {line: self._provider.keys.accounts(line, month) for line in made}

    def _owed(
        self, bounds: MonthBounds, region: int, accounts: "_Accounts", correct: frozenset[str]
    ) -> tuple[list["_Owed"], int]:
        """The bills that are not registered and the corrections that are asked for; and how many are registered."""
        owed, before = [], 0
        found: set[str] = set()
        for places in self._billed(region, bounds):
            bid = accounts[places[0].line][places[0].number].bid
            last = self._provider.seat.ask(billing.last_version, region, bounds.month, bid)
            wanted = places[0].name in correct
            before += last > 0
            if last == 0 or wanted:
                owed.append(_Owed(places, bid, last + 1))
            if wanted and last:
                found.add(places[0].name)
        for name in sorted(correct - found):
            raise NotEnrolledError(meter=name, k=bounds.first_k)
        return owed, before

    def _billed(self, region: int, bounds: MonthBounds) -> Iterator[list[Place]]:
        """The places of each meter that was enrolled for some period of a month."""
        book = self._provider.book
        epochs = [epoch for channel in Direction for epoch in book.epochs(Line(region, channel), bounds.month)]
        numbers = {number for epoch in epochs for number in epoch.places}
        for places in book.by_meter().values():
            from_k, until_k = bounds.stretch(places[0].from_k, places[0].until_k)
            if from_k < until_k and all(place.number in numbers for place in places):
                yield places

    def _gatherer(self) -> Gatherer:
        provider = self._provider
        return Gatherer(provider.seat, provider.book, provider.months, provider.folder)

    @staticmethod
    def _gather(
        stack: ExitStack, gatherer: Gatherer, region: int, bounds: MonthBounds, steps: "_Steps"
    ) -> dict[int, Sheet]:
        sheets = {}
        for channel in Direction:
            sheet = stack.enter_context(gatherer.gather(Line(region, channel), bounds, lambda _k: steps.next()))
            if sheet is not None:
                sheets[int(channel)] = sheet
        return sheets

    def _context(
        self, region: int, bounds: MonthBounds, tariffs: tuple[TariffStep, ...], sheets: dict[int, Sheet]
    ) -> MonthContext:
        seat, head = self._provider.seat, self._letterhead
        made_s = seat.ask(system.operator_clock_s) or bounds.end_s
        name = head.regions.get(region, "")
        return MonthContext(seat.chain_id, head.community, head.zone, region, name, bounds, tariffs, sheets, made_s)

    def _make(self, context: MonthContext, jobs: Sequence[HouseholdJob]) -> Iterator[MadeBill | UnmadeBill]:
        """Make bills, many at once where there is an executor, in the order of the jobs."""
        chunks = [jobs[at : at + _HOUSEHOLDS_A_TASK] for at in range(0, len(jobs), _HOUSEHOLDS_A_TASK)]
        work = partial(make_bills, context)
        ahead = _TASKS_A_CORE * available_cores()
        done = map(work, chunks) if self._executor is None else in_order(self._executor, work, chunks, ahead)
        for made in done:
            yield from made

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _jobs(
        self, owed: Iterable["_Owed"], bounds: MonthBounds, accounts: "_Accounts"
    ) -> tuple[list[HouseholdJob], list[UnmadeBill]]:
        """What each household's bill is made of, beside the records; and those that have to wait (O-4)."""
        month, book = bounds.month, self._provider.bills
        views = {line: self._provider.keys.views(line, month) for line in accounts}
        registers = book.registers(month)
        jobs, waiting = [], []
        for each in owed:
            first, history = each.places[0], book.history(each.places[0].meter, month)
            from_k, until_k = bounds.stretch(first.from_k, first.until_k)
            places = []
            try:
                for place in each.places:
                    signed = registers.get((place.meter, place.channel))
                    signed, carried_wh = billable_register(self._provider.seat, place, history, bounds, signed)
                    first_k, seeds = accounts[place.line][place.number].first_k, views[place.line][place.number]
                    places.append(PlaceJob(place.channel, place.number, seeds, first_k, signed, carried_wh))
            except EarlierBillMissingError as problem:
                waiting.append(UnmadeBill(first.name, problem))
                continue
            seal_key = accounts[first.line][first.number].seal_key
            told = tuple(map(_told, history[-_MAX_HISTORY:]))
            jobs.append(
                HouseholdJob(
                    first.meter, first.name, each.bid, seal_key, each.version, from_k, until_k, tuple(places), told
                )
            )
        return jobs, waiting

    # --- publishing --------------------------------------------------------------------------------------------------

    def _publish(self, made: MadeBill) -> None:
        """Note a bill, then let its report lie where the household finds it (O-2)."""
        self._provider.bills.note(made.note)
        self._stores.archive.put(made.sealed)
        self._stores.public.put(made.sealed)

    def register(self, region: int, month: MonthId) -> int:
        """Register what is noted and published and not registered yet (O-2, O-3).

        Returns:
            How many bills were registered.

        Raises:
            ContentStoreUnreachableError: the store of reports gives no answer.
        """
        return len(self._register(region, month))

    def _register(self, region: int, month: MonthId) -> list[BillNote]:
        owed = [note for note in self._provider.bills.bills(region, month) if self.waits(note)]
        ready = sorted((note for note in owed if self._stores.public.has(note.cid)), key=lambda note: note.bid)
        for at in range(0, len(ready), BILLS_A_MESSAGE):
            bills = tuple(
                NewBill(note.bid, note.version, note.cid, note.digest) for note in ready[at : at + BILLS_A_MESSAGE]
            )
            self._provider.seat.send(RegisterBills(region, month, bills))
        for refused in self._provider.seat.settle():
            raise refused.refusal
        return ready

    # --- objections --------------------------------------------------------------------------------------------------

    def read_objections(
        self, region: int, month: MonthId, opening_secrets: Sequence[bytes]
    ) -> list[tuple[str, int, Objection, str | GridproofError]]:
        """A month's objections: whose, number, as on record, and the reasons, or why they cannot be read.

        Anybody may put a word on record under an identity of its own; one that cannot be read hides no other.

        Args:
            region: the region.
            month: the month.
            opening_secrets: the bill provider's encryption secrets, the present one first.

        Raises:
            MonthNotBillableError: the month is not closed, or has no prices.
            MonthErasedError: the month's accounts were erased.
        """
        seat, billed, read = self._provider.seat, self.billed(region, month), []
        for bid, number, raised in seat.ask(billing.month_objections, region, month):
            info = reasons_info(seat.chain_id, region, month, bid, number, answer=False)
            words: str | GridproofError
            try:
                words = open_reasons(self._stores.public.get(raised.cid), list(opening_secrets), info)
            except GridproofError as unreadable:
                words = unreadable
            read.append((billed.get(bid, (bid.hex(), b""))[0], number, raised, words))
        return read

    def answer(self, region: int, month: MonthId, name: str, number: int, words: str, *, upheld: bool) -> None:
        """Answer a household's objection, once.

        Args:
            region: the region.
            month: the month.
            name: the household's meter.
            number: of the objection.
            words: the reasons, sealed to the household.
            upheld: whether the bill provider agrees; it then corrects the bill.

        Raises:
            MonthFinishedError: the month is finished.
            NotEnrolledError: the month has no such household.
            NoSuchObjectionError: it raised no such objection.
            Refusal: the ledger refuses: the objection has its answer.
        """
        if self._provider.is_finished(region, month):
            raise MonthFinishedError(region=region, month=month_label(month))
        accounts, seat = self._accounts(region, month), self._provider.seat
        bounds = self._require_billable(region, month)[0]
        billed = self._billed(region, bounds)
        named = [accounts[places[0].line][places[0].number] for places in billed if places[0].name == name]
        if not named:
            raise NotEnrolledError(meter=name, k=bounds.first_k)
        found = [each for each in named if 1 <= number <= seat.ask(billing.last_objection, region, month, each.bid)]
        if not found:
            raise NoSuchObjectionError(meter=name, month=month_label(month), objection=number)
        bid, seal_key = found[-1].bid, found[-1].seal_key
        info = reasons_info(seat.chain_id, region, month, bid, number, answer=True)
        sealed = hpke.seal(seal_key, info, pack(words.encode()))
        cid = self._stores.public.put(sealed)
        seat.send(AnswerObjection(region, month, bid, number, upheld, cid, sha256(sealed).digest()))
        for refused in seat.settle():
            raise refused.refusal

    def noted(self, region: int, month: MonthId) -> list[BillNote]:
        """A month's bills as they are noted, all versions, by handle and version."""
        return self._provider.bills.bills(region, month)

    def billed(self, region: int, month: MonthId) -> dict[bytes, tuple[str, bytes]]:
        """Whose each billing identity of a month is: the meter's name and handle.

        Raises:
            MonthNotBillableError: the month is not closed, or has no prices.
            MonthErasedError: the month's accounts were erased.
        """
        accounts, bounds = self._accounts(region, month), self._require_billable(region, month)[0]
        if self._provider.is_finished(region, month):
            names = {meter: places[0].name for meter, places in self._provider.book.by_meter().items()}
            noted = self._provider.bills.bills(region, month)
            return {note.bid: (names.get(note.meter, note.meter.hex()), note.meter) for note in noted}
        billed = self._billed(region, bounds)
        return {accounts[places[0].line][places[0].number].bid: (places[0].name, places[0].meter) for places in billed}

    def waits(self, note: BillNote) -> bool:
        """Whether a noted bill is the next version of its identity."""
        return note.version == 1 + self._provider.seat.ask(billing.last_version, note.region, note.month, note.bid)

    def find_damage(self, region: int, month: MonthId) -> list[tuple[str, Damage]]:
        """Registered reports that the public store lacks, or has altered.

        Raises:
            ContentStoreUnreachableError: the store gives no answer.
        """
        cids = [known.cid for _, _, known in self._provider.seat.ask(billing.bills, region, month)]
        return find_damage(self._stores.public, cids)

    def erased(self, region: int, month: MonthId) -> set[str]:
        """CIDs of a month's registered reports that were erased on request, with all that is kept of their household.

        Nothing is written down of who was forgotten: it follows from the book, which in a finished month notes every
        bill that is registered, but of those.
        """
        if not self._provider.is_finished(region, month):
            return set()
        noted = {note.bid for note in self.noted(region, month)}
        registered = self._provider.seat.ask(billing.bills, region, month)
        return {known.cid for bid, _, known in registered if bid not in noted}

    def publish_again(self, cids: Iterable[str]) -> dict[str, GridproofError]:
        """Publish reports from the archive again; the names are the same as before.

        What cannot be had of one keeps no other from being published.

        Args:
            cids: of the reports.

        Returns:
            CIDs of those that could not be published, each with the reason.
        """
        unmended: dict[str, GridproofError] = {}
        for cid in cids:
            try:
                self._stores.public.put(self._stores.archive.get(cid))
            except (ContentMissingError, ContentAlteredError):
                unmended[cid] = ReportLostError(cid=cid)
            except ContentError as wrong:
                unmended[cid] = wrong
        return unmended


_Accounts = Mapping[Line, Mapping[int, PlaceAccount]]


class _Owed(NamedTuple):
    """A bill that is owed."""

    places: list[Place]
    bid: bytes
    version: int


class _Steps:
    """Counts steps and tells of them."""

    def __init__(self, progress: Step, steps: int) -> None:
        self._progress = progress
        self._steps = steps
        self._done = 0

    def next(self) -> None:
        self._done += 1
        self._progress(self._done, self._steps)


def _told(note: BillNote) -> ReportHistory:
    return ReportHistory(
        month=month_label(MonthId(note.month)),
        import_wh=note.import_wh,
        export_wh=note.export_wh,
        total_e9=note.total_e9,
        payable_e9=note.payable_e9,
    )
