"""The demonstration's bills: made for all, attacked, contested and corrected, opened, recomputed and counted.

The months are closed before. Every household verifies by its own file; what they ask of the ledger is public and the
same for all of a region's month, so that it is asked once for all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from gridproof.actors.bill_provider import Billing
from gridproof.actors.bills.evidence import LedgerEvidence
from gridproof.actors.bills.reading import BillReader, OpenedBill
from gridproof.actors.bills.report import Report, encode_report
from gridproof.actors.bills.sealing import ReportNotOursError
from gridproof.actors.bills.verifying import BillVerdict, verify_report
from gridproof.actors.community import Community
from gridproof.actors.community.people import BILL_PROVIDER, OPERATOR, participant_id
from gridproof.actors.community.proving import household_files
from gridproof.actors.community.running import worker_pool
from gridproof.actors.crew import Crew
from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.household import public_leaves
from gridproof.connectors.content import ContentStore
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.rosters import RosterFiles
from gridproof.domain import Direction, MonthBounds, MonthId
from gridproof.errors import GridproofError
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole

from .attackers import Stolen
from .bill_attackers import BillThief, Ledgers, dressed, overcharged
from .bill_count import BillCounter, Stretch
from .bill_pages import BillPage, page_name, write_page
from .docket import Docket
from .outcome import Billed

HOUSEHOLD = "household"
_REASONS = "A line says more than the meter's records on the ledger. Please correct the bill."
_VICTIMS = 2  # the first one is charged too much, the second one gets the first one's bill

Step = Callable[[int, int], None]


class Setting(NamedTuple):
    """What there is before a bill is made.

    Attributes:
        community: whose bills.
        client: the way to the ledger.
        crew: the actors.
        docket: notes what comes of attacks.
        thief: the bill provider's keys in the wrong hands.
        counter: the independent count.
        months: the closed months of each region.
        spared: meters that have other parts in the story.
        pages: the folder of bill pages.
    """

    community: Community
    client: LedgerClient
    crew: Crew
    docket: Docket
    thief: Stolen
    counter: BillCounter
    months: dict[int, tuple[MonthBounds, ...]]
    spared: frozenset[str]
    pages: Path


class BillCourse:
    """Lets bills be made, attacked, contested and verified.

    Args:
        setting: what there is.

    Attributes:
        problems: what went wrong.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.problems: list[str] = []
        self._leaves_of = public_leaves(setting.client, RosterFiles(setting.community.folder.rosters))
        self._evidence: dict[tuple[int, int], LedgerEvidence] = {}

    def run(self, progress: Step) -> tuple[Billed, ...]:
        """Let it happen.

        Args:
            progress: told how many steps are done, of how many.

        Raises:
            ContentError, FileError: a report or page cannot be written.
        """
        setting = self._setting
        stores = setting.community.stores()
        with ExitStack() as stack:
            stack.enter_context(closing(stores.public))
            stack.enter_context(closing(stores.archive))
            executor = stack.enter_context(worker_pool(setting.client))
            billing = Billing(setting.crew.provider, stores, setting.community.letterhead, executor)
            files = household_files(setting.community)
            steps = _Steps(progress, self._count(files))
            for region, month in self._each():
                made = billing.make(region, month.month, progress=steps.within())
                self.problems += [f"{name}: {problem}" for name, problem in made.problems]
                steps.leave()
            self._attack(billing, files, stores.public)
            return tuple(self._verify_all(files, stores.public, executor, steps))

    def _each(self) -> Iterator[tuple[int, MonthBounds]]:
        for region, months in self._setting.months.items():
            for bounds in months:
                yield region, bounds

    def _count(self, files: Sequence[HouseholdFile]) -> int:
        """How many steps there are: slots to gather, bills to make, and bills to verify."""
        made = sum(len(Direction) * bounds.periods for _, bounds in self._each())
        return made + 2 * sum(len(self._setting.months[file.region]) for file in files)

    # --- attacks -----------------------------------------------------------------------------------------------------

    def _attack(self, billing: Billing, files: Sequence[HouseholdFile], content: ContentStore) -> None:
        """Attack the shortest month of the first region; what was attacked is corrected afterwards."""
        setting = self._setting
        region = min(setting.months)
        bounds = min(setting.months[region], key=lambda each: each.periods)
        thief = BillThief(setting.crew.provider, setting.thief, content, setting.docket)
        thief.register_twice(region, bounds.month)
        own = [file for file in files if file.region == region and self._has_bill(file, content, bounds.month)]
        own.sort(key=lambda file: (file.name in setting.spared, len(file.views), file.name))  # two of a kind
        if len(own) < _VICTIMS:
            return
        readers = [self._reader(file, content) for file in own[:_VICTIMS]]
        opened = [reader.open(bounds.month) for reader in readers]
        self._pass_off(thief, own, readers, [each.report for each in opened], bounds)
        self._change(thief, own[0], readers[0], opened[0].report, bounds, content)
        billing.make(region, bounds.month, correct=[file.name for file in own[:_VICTIMS]])
        for name, number, _, _ in self._objections(billing, region, bounds.month):
            billing.answer(region, bounds.month, name, number, "You are right. The bill was corrected.", upheld=True)

    def _pass_off(
        self,
        thief: BillThief,
        files: Sequence[HouseholdFile],
        readers: Sequence[BillReader],
        reports: Sequence[Report],
        bounds: MonthBounds,
    ) -> None:
        """Give the second household the first one's bill: as it is, then dressed as its own."""
        docket, reader, month = self._setting.docket, readers[1], bounds.month
        first, second = (bytes.fromhex(report.bid) for report in reports)
        refusal = thief.pass_off(reports[1].region, month, second, first)
        answer = refusal or _answer(lambda: reader.open(month))
        docket.refused("foreign_bill", HOUSEHOLD, answer, ReportNotOursError)
        thief.replace_by(month, second, dressed(reports[0], reports[1]))
        self._look("foreign_bill", files[1], reader, bounds)

    def _change(
        self,
        thief: BillThief,
        file: HouseholdFile,
        reader: BillReader,
        report: Report,
        bounds: MonthBounds,
        content: ContentStore,
    ) -> None:
        """Charge the first household too much; it finds that, and objects."""
        evidence = self._evidence_of(report.region, bounds)
        prices = {direction: evidence.prices(direction) for direction in Direction}
        ledgers = Ledgers(bounds, evidence.tariffs(), prices)
        thief.replace_by(bounds.month, bytes.fromhex(report.bid), overcharged(report, ledgers))
        opened, verdict = self._look("changed_bill", file, reader, bounds)
        if not verdict.is_true:
            self._object(reader, opened, bounds.month, content)

    def _look(
        self, attack: str, file: HouseholdFile, reader: BillReader, bounds: MonthBounds
    ) -> tuple[OpenedBill, BillVerdict]:
        """Let a household open its last bill and recompute it; note whether it finds what is false."""
        opened, verdict = self._open(file, reader, bounds)
        told = verdict.falsehoods[0] if verdict.falsehoods else "finds nothing false"
        self._setting.docket.found(attack, HOUSEHOLD, told, is_found=not verdict.is_true)
        return opened, verdict

    def _object(self, reader: BillReader, opened: OpenedBill, month: MonthId, content: ContentStore) -> None:
        setting = self._setting
        provider = participant_id(setting.client, BILL_PROVIDER)
        key = setting.client.ask(registry.key, provider, KeyRole.ENCRYPTION) or b""
        objection = reader.objection(month, opened.version, _REASONS, key)
        content.put(objection.sealed)
        setting.community.sender(setting.client, OPERATOR).send(objection.message)

    def _objections(self, billing: Billing, region: int, month: MonthId) -> list[tuple[str, int, object, object]]:
        keys = self._setting.community.keys(self._setting.client, BILL_PROVIDER)
        return [*billing.read_objections(region, month, list(keys.opening_secrets()))]

    # --- households --------------------------------------------------------------------------------------------------

    def _verify_all(
        self, files: Sequence[HouseholdFile], content: ContentStore, executor: Executor | None, steps: "_Steps"
    ) -> Iterator[Billed]:
        """Let every household open and recompute all its bills; their pages are written meanwhile."""
        writing: list[Future[None]] = []
        for region, bounds in self._each():
            for file in files:
                if file.region != region:
                    continue
                try:
                    billed, page = self._verify(file, content, bounds)
                except GridproofError as problem:
                    self.problems.append(f"{file.name}: {problem}")
                else:
                    if executor is None:
                        write_page(page)
                    else:
                        writing.append(executor.submit(write_page, page))
                    yield billed
                steps.next()
            self._evidence.clear()
        for future in writing:
            future.result()

    def _verify(self, file: HouseholdFile, content: ContentStore, bounds: MonthBounds) -> tuple[Billed, BillPage]:
        opened, verdict = self._open(file, self._reader(file, content), bounds)
        report, registered = opened.report, opened.registered
        counted = self._setting.counter.bill(
            file.region,
            file.name,
            tuple(Direction.parse(each.channel) for each in report.channels),
            stretch_of(self._setting.community, bounds),
        )
        page = BillPage(
            self._setting.pages,
            page_name(report),
            encode_report(report),
            verdict,
            registered.cid,
            registered.digest.hex(),
        )
        return Billed.of(report, verdict, counted.differences(report), page.name), page

    def _open(self, file: HouseholdFile, reader: BillReader, bounds: MonthBounds) -> tuple[OpenedBill, BillVerdict]:
        opened = reader.open(bounds.month)
        evidence = self._evidence_of(file.region, bounds)
        return opened, verify_report(opened.report, file, evidence, reader.card(bounds.month))

    def _has_bill(self, file: HouseholdFile, content: ContentStore, month: MonthId) -> bool:
        return bool(self._reader(file, content).versions(month))

    def _reader(self, file: HouseholdFile, content: ContentStore) -> BillReader:
        community = self._setting.community
        cards, secrets = community.folder.cards, community.secrets
        return BillReader(file, self._setting.client, content, cards, secrets, self._leaves_of)

    def _evidence_of(self, region: int, bounds: MonthBounds) -> LedgerEvidence:
        if (region, bounds.month) not in self._evidence:
            client = self._setting.client
            chain_id = client.status().chain_id
            made = LedgerEvidence(client, chain_id, region, bounds.month, self._leaves_of)
            self._evidence[region, bounds.month] = made
        return self._evidence[region, bounds.month]


class _Steps:
    """Adds the steps of several pieces of work up."""

    def __init__(self, progress: Step, steps: int) -> None:
        self._progress = progress
        self._steps = steps
        self._before = self._done = 0

    def next(self) -> None:
        self._done += 1
        self._progress(self._done, self._steps)

    def within(self) -> Step:
        """Told of the steps of a piece."""

        def step(done: int, _all: int) -> None:
            self._done = self._before + done
            self._progress(self._done, self._steps)

        return step

    def leave(self) -> None:
        """A piece is done."""
        self._before = self._done


def stretch_of(community: Community, bounds: MonthBounds) -> Stretch:
    """What a household's bill of a month is for: it was enrolled all along."""
    whole = community.calendar.bounds(bounds.month)
    return Stretch(bounds.first_k, bounds.end_k, bounds.period_s, whole.end_s - whole.start_s)


def _answer(attempt: Callable[[], object]) -> GridproofError | None:
    """The error that an attempt meets, or None."""
    try:
        attempt()
    except GridproofError as error:
        return error.with_traceback(None)
    return None
