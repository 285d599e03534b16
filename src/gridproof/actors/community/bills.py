"""Bills in a community's folder: made by the bill provider, read, recomputed and contested by households."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from gridproof.actors.bill_provider import Billing
from gridproof.actors.bill_provider.billing import Outcome
from gridproof.actors.bills.proof import BillProof
from gridproof.actors.bills.proving import BillProver
from gridproof.actors.bills.reading import BillReader, OpenedBill, open_sealed
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.actors.bills.words import Card, card_path, read_card
from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.errors import (
    MonthErasedError,
    MonthNeverOpenedError,
    MonthNotBillableError,
    NotEnrolledError,
)
from gridproof.actors.household import public_leaves
from gridproof.connectors.config import Region
from gridproof.connectors.content import Damage
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.rosters import RosterFiles
from gridproof.domain import MonthId, month_label
from gridproof.errors import GridproofError
from gridproof.modules.aggregation.rules.timetable import month_settled_s
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.errors import ObjectionMisnumbered
from gridproof.modules.billing.types import Objection
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole

from .access import at_work
from .community import Community
from .errors import KeysMissingError, NoBillsYetError
from .people import BILL_PROVIDER, OPERATOR, participant_id
from .periods import months_of
from .proving import household_that, households_named
from .running import worker_pool

NUMBERS_TRIED: Final = 10  # times that an objection goes on with the next number, where others took its own
Step = Callable[[int, int], None]


class BillRow(NamedTuple):
    """A household's bill of a month, as the bill provider has it.

    Attributes:
        name: the meter's name among people.
        handle: the meter's on the ledger, 16 bytes.
        region: the region.
        month: the month.
        version: of its last bill; 0 where none is registered.
        payable_e9: to be paid, 1e-9 currency; None where none is noted here.
        import_wh: drawn, Wh.
        export_wh: fed in, Wh.
        cid: where its sealed report lies; empty where none is registered.
        objections: raised against it.
        answered: of those.
    """

    name: str
    handle: bytes
    region: int
    month: MonthId
    version: int
    payable_e9: int | None
    import_wh: int
    export_wh: int
    cid: str
    objections: int
    answered: int


class Objected(NamedTuple):
    """An objection on record.

    Attributes:
        month: the bill's month.
        version: of the bill.
        number: the objection's.
        before: whether the same words were on record already, so that nothing changed.
    """

    month: MonthId
    version: int
    number: int
    before: bool


class Read(NamedTuple):
    """A bill that a household opened, and what it found of it."""

    opened: OpenedBill
    verdict: BillVerdict
    month: MonthId
    file: HouseholdFile


class CheckedReports(NamedTuple):
    """What a look at all registered reports found.

    Attributes:
        damaged: those that cannot be fetched, and should be.
        erased: how many are not there because their household was forgotten.
    """

    damaged: list["DamagedReport"]
    erased: int


class DamagedReport(NamedTuple):
    """A registered report that cannot be fetched as it was registered.

    Attributes:
        cid: its name.
        damage: what is wrong with it.
        mended: whether it was published again.
        problem: why it could not be; None where it was, or nobody asked for it.
    """

    cid: str
    damage: Damage
    mended: bool
    problem: GridproofError | None


# --- the bill provider -----------------------------------------------------------------------------------------------


@contextmanager
def billing_of(community: Community, client: LedgerClient, *, many: bool = False) -> Iterator[Billing]:
    """The bill provider's work on bills, with its stores; let go at the end.

    Args:
        community: whose.
        client: the way to the ledger.
        many: whether processes of their own are worth their start.

    Raises:
        FileError, SecretFileError, DatabaseError: a file is missing, exposed, sealed, or cannot be used.
    """
    stores = community.stores()
    with closing(community.bill_provider(client)) as provider, closing(stores.public), closing(stores.archive):
        if many:
            with worker_pool(client) as executor:
                yield Billing(provider, stores, community.letterhead, executor)
        else:
            yield Billing(provider, stores, community.letterhead)


def make_bills(
    community: Community,
    client: LedgerClient,
    regions: Sequence[Region],
    month: MonthId | None,
    *,
    correct: Sequence[str] = (),
    progress: Step = lambda _done, _all: None,
) -> list[Outcome]:
    """Make and register the bills that are owed.

    Args:
        community: whose.
        client: the way to the ledger.
        regions: which regions.
        month: which month; all closed months that have a tariff when None.
        correct: names of meters whose bill of the month is made anew.
        progress: told how far it is.

    Raises:
        AtWorkError: another process acts for the participants.
        MonthNeverOpenedError: the month passed and was not opened.
        MonthNotBillableError: the month is not closed, or has no prices.
        NotEnrolledError: a meter to correct was not enrolled in the month.
    """
    outcomes, unfound = [], set(correct)
    with at_work(community.folder), billing_of(community, client, many=True) as work:
        for region in regions:
            for each in _chosen(community, client, region.number, month):
                _require_closed(community, client, region.number, each)
                known = {row.name for row in _rows(client, work, region.number, each)}
                named = [name for name in correct if name in known]
                unfound -= set(named)
                outcomes.append(work.make(region.number, each, correct=named, progress=progress))
    for name in sorted(unfound):
        community.require_meter(name)
        raise NotEnrolledError(meter=name, k=0)
    return outcomes


def billable(client: LedgerClient, region: int) -> list[MonthId]:
    """A region's closed months that have a tariff, in order."""
    closed = [view.bounds.month for view in months_of(client, region) if view.closed]
    return [month for month in closed if client.ask(pricing.tariffs, region, month)]


def _require_opened(community: Community, client: LedgerClient, region: int, month: MonthId) -> None:
    """Return if a month was opened, or still can be: one that is over, or before an opened one, cannot.

    Raises:
        MonthNeverOpenedError: it was not, and cannot be.
    """
    opened = [view.bounds.month for view in months_of(client, region)]
    over = community.calendar.bounds(month).end_s <= client.status().ledger_time_s
    if month not in opened and (over or month < max(opened, default=month)):
        raise MonthNeverOpenedError(region=region, month=month_label(month))


def _chosen(community: Community, client: LedgerClient, region: int, month: MonthId | None) -> list[MonthId]:
    """The month that is asked for, or all closed ones that have a tariff.

    Raises:
        MonthNeverOpenedError: it passed and was not opened.
    """
    if month is None:
        return billable(client, region)
    _require_opened(community, client, region, month)
    return [month]


def _require_closed(community: Community, client: LedgerClient, region: int, month: MonthId) -> None:
    """Return if a month is closed; otherwise say until when to run.

    Raises:
        MonthNotBillableError: it is not.
    """
    known, place = client.ask(registry.month, region, month), client.ask(registry.region, region)
    if known is not None and place is not None and not known.closed:
        bounds = next(view.bounds for view in months_of(client, region) if view.bounds.month == month)
        settled = community.times.label(month_settled_s(bounds, place.rules))
        detail = f"its last deadline is {settled}; then `gridproof run --until {settled}` closes it"
        raise MonthNotBillableError(region=region, month=month_label(month), detail=detail)


def bill_rows(
    community: Community, client: LedgerClient, regions: Sequence[Region], month: MonthId | None
) -> list[BillRow]:
    """The bills of some regions, by month and name.

    Args:
        community: whose.
        client: the way to the ledger.
        regions: which.
        month: which month; all closed months when None.

    Raises:
        MonthNeverOpenedError: the month passed and was not opened.
        MonthNotBillableError: the month is not closed, or has no prices.
    """
    with billing_of(community, client) as work:
        return [
            row
            for region in regions
            for each in _chosen(community, client, region.number, month)
            for row in _rows(client, work, region.number, each)
        ]


def _rows(client: LedgerClient, work: Billing, region: int, month: MonthId) -> list[BillRow]:
    notes = {(note.bid, note.version): note for note in work.noted(region, month)}
    rows = []
    for bid, (name, handle) in sorted(work.billed(region, month).items(), key=lambda each: each[1]):
        version = client.ask(billing.last_version, region, month, bid)
        note = notes.get((bid, version or 1))
        registered = client.ask(billing.bill, region, month, bid, version) if version else None
        raised = client.ask(billing.objections, region, month, bid)
        answered = sum(objection.answer is not None for _, objection in raised)
        payable_e9, import_wh, export_wh = (note.payable_e9, note.import_wh, note.export_wh) if note else (None, 0, 0)
        cid = registered.cid if registered else ""
        rows.append(
            BillRow(name, handle, region, month, version, payable_e9, import_wh, export_wh, cid, len(raised), answered)
        )
    return rows


def check_reports(
    community: Community, client: LedgerClient, regions: Sequence[Region], month: MonthId | None, *, mend: bool
) -> CheckedReports:
    """Look whether all registered reports can be fetched, and publish again what cannot.

    Those of households that were forgotten are gone on purpose, and stay so.

    Args:
        community: whose.
        client: the way to the ledger.
        regions: which.
        month: which month; all closed months when None.
        mend: whether to publish again; one that cannot be had keeps no other from it.

    Raises:
        ContentStoreUnreachableError: the store gives no answer.
        MonthNeverOpenedError: the month passed and was not opened.
    """
    found, gone = [], 0
    with billing_of(community, client) as work:
        for region in regions:
            for each in _chosen(community, client, region.number, month):
                lacking, erased = work.find_damage(region.number, each), work.erased(region.number, each)
                damaged = [(cid, damage) for cid, damage in lacking if damage != Damage.MISSING or cid not in erased]
                gone += len(lacking) - len(damaged)
                unmended = work.publish_again(cid for cid, _ in damaged) if mend else {}
                found += [
                    DamagedReport(cid, damage, mend and cid not in unmended, unmended.get(cid))
                    for cid, damage in damaged
                ]
    return CheckedReports(found, gone)


def answer_objection(
    community: Community, client: LedgerClient, name: str, month: MonthId, number: int, words: str, *, upheld: bool
) -> None:
    """Answer a household's objection in the bill provider's name.

    Raises:
        NoSuchMeterError, NotEnrolledError: the month has no such household.
        NoSuchObjectionError: it raised no such objection.
        Refusal: the ledger refuses.
    """
    with at_work(community.folder), billing_of(community, client) as work:
        for region in community.settings.regions:
            if any(name == known for known, _ in work.billed(region.number, month).values()):
                work.answer(region.number, month, name, number, words, upheld=upheld)
                return
    community.require_meter(name)
    raise NotEnrolledError(meter=name, k=0)


def objections_of(
    community: Community, client: LedgerClient, month: MonthId | None
) -> list[tuple[MonthId, str, int, Objection, str | GridproofError]]:
    """All objections: month, household, number, as on record, and the reasons, or why they cannot be read.

    Raises:
        MonthNeverOpenedError: the month passed and was not opened.
        MonthNotBillableError: the month is not closed, or has no prices.
    """
    found: list[tuple[MonthId, str, int, Objection, str | GridproofError]] = []
    secrets = list(community.keys(client, BILL_PROVIDER).opening_secrets())
    with billing_of(community, client) as work:
        for region in community.settings.regions:
            for each in _chosen(community, client, region.number, month):
                found += [(each, *read) for read in work.read_objections(region.number, each, secrets)]
    return found


# --- the household ---------------------------------------------------------------------------------------------------


@contextmanager
def reader_of(community: Community, client: LedgerClient, file: HouseholdFile) -> Iterator[BillReader]:
    """A household's way to its bills; let go at the end."""
    leaves_of = public_leaves(client, RosterFiles(community.folder.rosters))
    stores = community.stores()
    with closing(stores.public), closing(stores.archive):
        yield BillReader(file, client, stores.public, community.folder.cards, community.secrets, leaves_of)


def read_bill(
    community: Community, client: LedgerClient, name: str, month: MonthId | None, version: int | None = None
) -> Read:
    """Open a household's bill with its file here, and recompute it.

    Args:
        community: whose.
        client: the way to the ledger.
        name: the household's meter.
        month: the month; its last bill when None.
        version: of the bill; the last one when None.

    Raises:
        NoSuchMeterError: there never was a meter of this name; close ones are named.
        HouseholdFileAwayError: there was one, and its household's file is not here.
        NoBillsYetError: it has no bill.
        NoBillError, ContentError, ReportFormatError: the bill cannot be had or opened.
    """
    file, found = _find_bill(community, client, name, month)
    with reader_of(community, client, file) as reader:
        opened = reader.open(found, version)
        return Read(opened, reader.verify(opened, found), found, file)


def _find_bill(
    community: Community, client: LedgerClient, name: str, month: MonthId | None
) -> tuple[HouseholdFile, MonthId]:
    """The household's file and month that are meant: the last bill of the last meter, where nothing else is said.

    A household whose meter was swapped under its name has a bill for each of the two in that month; either is found by
    the beginning of its handle.
    """
    for file in reversed(households_named(community, name, by_handle=True)):
        months = [month] if month is not None else list(reversed(billable(client, file.region)))
        with reader_of(community, client, file) as reader:
            for each in months:
                if _has_bill(reader, each):
                    return file, each
    raise NoBillsYetError(meter=name, month="any month" if month is None else month_label(month))


def _has_bill(reader: BillReader, month: MonthId) -> bool:
    try:
        return bool(reader.versions(month))
    except MonthErasedError:
        return False


def prove_bill(
    community: Community,
    client: LedgerClient,
    name: str,
    month: MonthId | None,
    version: int | None,
    step: Callable[[int], None],
) -> BillProof:
    """Make the proof file of a household's bill.

    Raises:
        NoBillsYetError, NoBillError, ContentError, ReportFormatError: the bill cannot be had or opened.
        MonthForgottenError: the ledger no longer has the month's records.
        FileError, RosterFileError: a roster file cannot be read.
        LedgerMovedError: the ledger moved on each time the file was made.
    """
    file, found = _find_bill(community, client, name, month)
    with reader_of(community, client, file) as reader:
        opened, card = reader.open(found, version), reader.card(found)
    prover = BillProver(client, public_leaves(client, RosterFiles(community.folder.rosters)))
    return prover.prove(opened, found, card, step)


def household_of_proof(community: Community, proof: BillProof) -> HouseholdFile:
    """The file of the household here that a bill's proof is for.

    Raises:
        NoHouseholdFitsError: it is none of those here.
        FileError, SecretFileError, SecretFormatError: none that can be read fits, and this one cannot.
    """
    month = MonthId(proof.month)
    return household_that(community, lambda file: open_sealed(proof.sealed, file, month, proof.version))


def card_of(community: Community, file: HouseholdFile, month: MonthId) -> Card | None:
    """A household's card of a month as it lies here, or None.

    Raises:
        FileError, SecretFileError: it cannot be read.
    """
    try:
        return read_card(community.secrets, card_path(community.folder.cards, file.meter, month), month)
    except FileMissingError:
        return None


def object_to_bill(
    community: Community, client: LedgerClient, name: str, month: MonthId | None, version: int | None, reasons: str
) -> Objected:
    """Object to a bill, once however often it is asked; the operator brings the word, so that it names nobody.

    Where others take the number meanwhile, it goes on with the next one.

    Raises:
        NoBillsYetError, NoBillError: there is no such bill.
        ReasonsError: there are no reasons, or too many.
        Refusal: the ledger refuses, or others took the number each time.
    """
    file, found = _find_bill(community, client, name, month)
    provider = client.ask(registry.key, participant_id(client, BILL_PROVIDER), KeyRole.ENCRYPTION) or b""
    secrets = _opening_secrets(community, client)
    sender = community.sender(client, OPERATOR)
    with reader_of(community, client, file) as reader:
        wanted = max((number for number, _ in reader.versions(found)), default=0) if version is None else version
        for left in reversed(range(NUMBERS_TRIED)):
            raised = reader.objections(found)
            same = reader.same_objection(found, wanted, reasons, raised, secrets)
            if same is not None:
                return Objected(found, wanted, same, before=True)
            number = 1 + max((number for number, _ in raised), default=0)
            objection = reader.objection(found, wanted, reasons, provider, number)
            stores = community.stores()
            with closing(stores.public), closing(stores.archive):
                stores.public.put(objection.sealed)
            try:
                sender.send(objection.message)
                break
            except ObjectionMisnumbered:
                if not left:
                    raise
    return Objected(found, wanted, number, before=False)


def _opening_secrets(community: Community, client: LedgerClient) -> list[bytes]:
    """The bill provider's encryption secrets; none where its keys are kept elsewhere."""
    try:
        return list(community.keys(client, BILL_PROVIDER).opening_secrets())
    except KeysMissingError:
        return []
