"""What a community's folder holds about a household: all of it in one place, and, once it has moved out, none of it.

Rules:
    D-1 A name may have been one household's after another's: what lies under a name belongs to the meter that had it
        then. Whoever asks names the meter where one name has had several.
    D-2 A household is forgotten when its meter's time is over and each of its months is finished: before that somebody
        may be owed something. What was erased is overwritten where it lay in files and databases.
    D-3 Bills are forgotten last but one, the book of places last: a forgetting that was cut short goes on.
"""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Final, NamedTuple

from gridproof.actors.bill_provider import BillProvider, Stores
from gridproof.actors.bills.words import card_path
from gridproof.actors.crew import REGISTERS
from gridproof.connectors.bill_book import BillNote
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.outbox import Outbox
from gridproof.connectors.registers import Registers
from gridproof.connectors.secret_files import discard
from gridproof.domain import month_label
from gridproof.modules.billing import queries as billing

from .access import at_work
from .community import Community, MeterRow
from .errors import LastMonthOpenError, NoSuchHandleError, StillEnrolledError
from .handed import handle_in_file
from .periods import months_of

REMAINS: Final = (
    "on the ledger: when a meter under this handle came and went; records and bills under identities of one use each",
    "in backups and exports that were made before",
    "what the household itself keeps, and copies of sealed bills that others fetched: only the household opens them",
)
EVER: Final = 2**62  # after all periods, and all instants


class Owned(NamedTuple):
    """A meter, and the time in which its name was its own.

    Attributes:
        row: the meter as it stands in the bill provider's book.
        start_s: first instant, UTC epoch seconds.
        end_s: first instant after it.
    """

    row: MeterRow
    start_s: int
    end_s: int


class Forgotten(NamedTuple):
    """What was erased of a household.

    Attributes:
        name: the name that its meter had.
        handles: of the meters, 16 bytes each.
        readings: as they were imported.
        registers: read off or signed.
        records: in the outbox.
        bills: noted in the book of bills.
        reports: sealed bills, objections and answers in the content store.
        files: of enrolments, and cards.
        remains: what cannot be erased here, a sentence each.
    """

    name: str
    handles: tuple[bytes, ...]
    readings: int
    registers: int
    records: int
    bills: int
    reports: int
    files: int
    remains: tuple[str, ...] = REMAINS


def owned_by(community: Community, name: str, handle: str | None) -> list[Owned]:
    """The meters that a name stands for, in the order in which they began (D-1).

    Args:
        community: whose.
        name: the meter's name.
        handle: how the handle of the meter that is meant begins, hexadecimal; all of the name's when None.

    Raises:
        NoSuchMeterError: there never was a meter of this name.
        NoSuchHandleError: none of the name's meters has such a handle.
        FileError, SecretFileError: the book of places cannot be read.
    """
    community.require_meter(name)
    rows = [row for row in community.meters() if row.name == name]
    starts = [0, *(row.from_k * community.period_s for row in rows[1:]), EVER]
    owned = [Owned(*each) for each in zip(rows, starts[:-1], starts[1:], strict=True)]
    meant = [each for each in owned if handle is None or each.row.handle.hex().startswith(handle.casefold())]
    if not meant:
        raise NoSuchHandleError(meter=name, handle=handle or "", known=tuple(row.handle.hex() for row in rows))
    return meant


def forget_household(community: Community, client: LedgerClient, name: str, handle: str | None = None) -> Forgotten:
    """Erase all that the folder holds about a household that moved out (D-2).

    Args:
        community: whose.
        client: the way to the ledger.
        name: the meter's name.
        handle: how its handle begins, where the name has had several.

    Raises:
        AtWorkError: another process acts for the participants.
        NoSuchMeterError, NoSuchHandleError: there never was such a meter.
        StillEnrolledError: its time is not over; nothing was erased.
        LastMonthOpenError: one of its months is not finished; nothing was erased.
        ContentError: a store does not delete; what was erased before stays so. Run it again.
        FileError, SecretFileError, DatabaseError: a file cannot be read or erased.
    """
    with at_work(community.folder), ExitStack() as stack:
        meant = owned_by(community, name, handle)
        provider = stack.enter_context(closing(community.bill_provider(client)))
        for each in meant:
            _require_over(community, client, provider, each.row)
        stores = community.stores()
        for store in stores:
            stack.enter_context(closing(store))
        handles = tuple(each.row.handle for each in meant)
        notes = [note for meter in handles for note in provider.bills.of_meter(meter)]
        reports = _remove_reports(client, stores, notes)
        files = sum(_erase_files(community, meter) for meter in handles)
        counts = _erase_rows(community, meant)
        bills = sum(provider.bills.forget(meter) for meter in handles)
        with provider.book.changing():
            for meter in handles:
                provider.book.strike_meter(meter)
        return Forgotten(name, handles, *counts, bills, reports, files)


def _require_over(community: Community, client: LedgerClient, provider: BillProvider, row: MeterRow) -> None:
    now_s = client.status().ledger_time_s
    if not row.until_k or row.until_k * community.period_s > now_s:
        raise StillEnrolledError(meter=row.name, handle=row.handle.hex())
    for view in months_of(client, row.region):
        within = row.from_k < view.bounds.end_k and row.until_k > view.bounds.first_k
        if within and not (view.closed and provider.is_finished(row.region, view.bounds.month)):
            raise LastMonthOpenError(meter=row.name, month=month_label(view.bounds.month))


def _remove_reports(client: LedgerClient, stores: Stores, notes: Sequence[BillNote]) -> int:
    """Delete sealed bills, and what objections and answers to them say; return how many."""
    cids = {note.cid for note in notes}
    for region, month, bid in {(note.region, note.month, note.bid) for note in notes}:
        for _, raised in client.ask(billing.objections, region, month, bid):
            cids |= {raised.cid} | ({raised.answer.cid} if raised.answer else set())
    for cid in sorted(cids):
        stores.public.remove(cid)
        stores.archive.remove(cid)
    return len(cids)


def _erase_files(community: Community, meter: bytes) -> int:
    """Erase a meter's and its household's files and cards; return how many."""
    folder = card_path(community.folder.cards, meter, 0).parent
    found = [*folder.glob("*.card"), *community.folder.enrolments.glob(f"*.{handle_in_file(meter)}.*")]
    for path in sorted(found):
        discard(path)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return len(found)


def _erase_rows(community: Community, meant: Sequence[Owned]) -> tuple[int, int, int]:
    """Erase readings, registers and sent records; return how many of each."""
    handles = [each.row.handle for each in meant]
    readings = registers = 0
    with closing(community.readings()) as kept:
        for each in meant:
            readings += kept.forget_meter(each.row.name, each.start_s, each.end_s)
    with closing(Registers(community.folder.meters.with_name(REGISTERS))) as known:
        for each in meant:
            registers += known.erase(each.row.handle, each.row.name, each.start_s, each.end_s - 1)
    with closing(Outbox(community.folder.meters)) as outbox:
        records = sum(len(outbox.of_meter(meter)) for meter in handles)
        outbox.forget(handles, EVER)
    return readings, registers, records
