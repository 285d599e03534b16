"""Bills in a community's folder, by a household: read, recomputed, proved, and objected to."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from gridproof.actors.bills.proof import BillProof
from gridproof.actors.bills.proving import BillProver
from gridproof.actors.bills.reading import BillReader, OpenedBill, Reasons, open_sealed
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.actors.bills.words import Card, card_path, read_card
from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.errors import MonthErasedError
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import MonthId, month_label
from gridproof.modules.billing.errors import BillingError, ObjectionMisnumbered
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole

from .bills import billable
from .community import Community
from .errors import KeysMissingError, NoBillsYetError
from .people import BILL_PROVIDER, OPERATOR, participant_id
from .proving import household_that, households_named

NUMBERS_TRIED: Final = 10  # times that an objection goes on with the next number, where others took its own


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


@contextmanager
def reader_of(community: Community, client: LedgerClient, file: HouseholdFile) -> Iterator[BillReader]:
    """A household's way to its bills; let go at the end."""
    leaves_of = community.public_leaves(client)
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
    prover = BillProver(client, community.public_leaves(client))
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

    Where others take the number meanwhile, it goes on with the next one. Sealed reasons that the ledger refuses are put
    in no store for good.

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
            try:
                with _published(community, reader, found, objection):
                    sender.send(objection.message)
                break
            except ObjectionMisnumbered:
                if not left:
                    raise
    return Objected(found, wanted, number, before=False)


@contextmanager
def _published(community: Community, reader: BillReader, month: MonthId, objection: Reasons) -> Iterator[None]:
    """Publish sealed reasons; where the ledger refuses them, and none on record has their name, take them back.

    Where there is no answer, or no room for it yet, they stay: they may still come on record.
    """
    stores = community.stores()
    with closing(stores.public), closing(stores.archive):
        stores.public.put(objection.sealed)
        try:
            yield
        except BillingError:
            if all(each.cid != objection.message.cid for _, each in reader.objections(month)):
                stores.public.remove(objection.message.cid)
            raise


def _opening_secrets(community: Community, client: LedgerClient) -> list[bytes]:
    """The bill provider's encryption secrets; none where its keys are kept elsewhere."""
    try:
        return list(community.keys(client, BILL_PROVIDER).opening_secrets())
    except KeysMissingError:
        return []
