"""The end of a month in a community's folder: what its bills were made from goes, wherever it lies.

A month whose bills are final is finished by whoever types so; one whose records the ledger has forgotten, by the next
run. Both erase the same: the bill provider's view seeds, accounts and owners of leaves, what was gathered, the meters'
sent records, and the registers that they signed for it.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from gridproof.actors.bill_provider import Billing, BillProvider, Finishing
from gridproof.actors.bill_provider.places import PlaceBook
from gridproof.actors.bills.evidence import is_pruned
from gridproof.actors.crew import REGISTERS
from gridproof.actors.errors import BillsNotFinalError
from gridproof.connectors.config import Region
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.outbox import Outbox
from gridproof.connectors.registers import Registers
from gridproof.connectors.rosters import RosterFiles
from gridproof.domain import Direction, MonthBounds, MonthId, month_label
from gridproof.errors import GridproofError
from gridproof.modules.billing import queries as billing

from .access import at_work
from .community import Community
from .periods import months_of

ERASED: Final = (
    "the month's view seeds, accounts, and whose each roster leaf was",
    "the meters' sent records, and the registers that they signed for it",
)
STAYS: Final = (
    "the sealed bills, and the bill provider's notes of them",
    "the households' cards, files of enrolment and readings, until `gridproof household forget`",
    "the ledger's bodies of the month for its retention time; its roots, prices' fold and bill entries for good",
)


class Finished(NamedTuple):
    """A month that was finished.

    Attributes:
        region: the region.
        month: the month.
        bills: registered for it.
        before: whether it had been finished before.
    """

    region: int
    month: MonthId
    bills: int
    before: bool


def finish_month(
    community: Community, client: LedgerClient, regions: Sequence[Region], month: MonthId
) -> list[Finished]:
    """Erase what a month's bills were made from, in all of some regions or in none.

    Args:
        community: whose.
        client: the way to the ledger.
        regions: which.
        month: the month.

    Raises:
        AtWorkError: another process acts for the participants.
        BillsNotFinalError: bills are owed or objections open; nothing was erased.
        FileError, SecretFileError, DatabaseError: a file is missing, exposed, sealed, or cannot be used.
    """
    done = []
    with at_work(community.folder), _at_finishing(community, client) as (provider, finishing):
        before = {region.number: provider.is_finished(region.number, month) for region in regions}
        for region in regions:
            finishing.require_final(region.number, month)
        for region in regions:
            bounds = _bounds(client, region.number, month)
            finishing.finish(region.number, month)
            _forget_records(community, provider.book, region.number, bounds)
            bills = client.ask(billing.tally, region.number, month).bills
            done.append(Finished(region.number, month, bills, before[region.number]))
    return done


def finish_forgotten(community: Community, client: LedgerClient) -> list[GridproofError]:
    """Finish the months whose records the ledger has forgotten; by who acts alone for the participants.

    Returns:
        What of them was never settled, and now never can be.

    Raises:
        FileError, SecretFileError, DatabaseError: a file is missing, exposed, sealed, or cannot be used.
    """
    forgotten = [
        (region.number, view.bounds)
        for region in community.settings.regions
        for view in months_of(client, region.number)
        if view.closed and is_pruned(client, region.number, view.bounds)
    ]
    book = PlaceBook(community.folder.places, community.secrets)
    held = {(epoch.region, epoch.month) for epoch in book.epochs()}
    problems: list[GridproofError] = []
    for region, bounds in forgotten:
        if (region, bounds.month) in held:
            with _at_finishing(community, client) as (_, finishing):
                problem = finishing.finish_forgotten(region, bounds.month)
            problems += [problem] if problem else []
            _forget_records(community, book, region, bounds)
        else:
            for channel in Direction:
                RosterFiles(community.folder.rosters).remove(region, channel, bounds.month)
    return problems


@contextmanager
def _at_finishing(community: Community, client: LedgerClient) -> Iterator[tuple[BillProvider, Finishing]]:
    stores = community.stores()
    with closing(community.bill_provider(client)) as provider, closing(stores.public), closing(stores.archive):
        yield provider, Finishing(provider, Billing(provider, stores, community.letterhead))


def _bounds(client: LedgerClient, region: int, month: MonthId) -> MonthBounds:
    for view in months_of(client, region):
        if view.bounds.month == month:
            return view.bounds
    raise BillsNotFinalError(region=region, month=month_label(month), detail="there is no such month on the ledger")


def _forget_records(community: Community, book: PlaceBook, region: int, bounds: MonthBounds) -> None:
    """Let the meters of a region forget what they sent and signed for a month."""
    meters = [meter for meter, places in book.by_meter().items() if places[0].region == region]
    with closing(Outbox(community.folder.meters)) as outbox:
        outbox.forget(meters, bounds.end_k)
    with closing(Registers(community.folder.meters.with_name(REGISTERS))) as registers:
        registers.forget(meters, bounds.month + 1)
