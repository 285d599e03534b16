"""Bills in a community's folder, by the bill provider: made, listed, mended, and objections to them answered."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from gridproof.actors.bill_provider import Billing
from gridproof.actors.bill_provider.billing import Outcome
from gridproof.actors.errors import (
    MonthNeverOpenedError,
    MonthNotBillableError,
    NotEnrolledError,
)
from gridproof.connectors.config import Region
from gridproof.connectors.content import Damage
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import MonthId, month_label
from gridproof.errors import GridproofError
from gridproof.modules.aggregation.rules.timetable import month_settled_s
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.types import Objection
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry

from .access import at_work
from .community import Community
from .people import BILL_PROVIDER
from .periods import months_of
from .running import worker_pool

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
