"""Statements of a community's ledger as its people name them, for files to take away."""

from collections.abc import Sequence
from typing import Any

from gridproof.actors.community import Community
from gridproof.actors.community.household_bills import prove_bill, read_bill
from gridproof.actors.community.proving import export_records
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import Direction, MonthId, RegionId, Slot

from . import proving
from .errors import InFoldError, NoSuchKindError, NothingToProveError, PlaceFormError, ThereIsOneError
from .proving import Stated
from .statements import FOLDS, KINDS, Entry, IsValidator, StateRoot


def records(community: Community, client: LedgerClient, meter: str, span: tuple[int, int]) -> Stated:
    """A household's own records for a stretch of time.

    Args:
        community: whose.
        client: the way to the ledger.
        meter: by its name.
        span: first instant and first one after the stretch, UTC epoch seconds.

    Raises:
        GridproofError: as of `export_records`; or the ledger moved on each time.
    """
    return proving.own_records(client, lambda: export_records(community, client, meter, span, lambda _done, _all: None))


def record(community: Community, client: LedgerClient, slot: Slot, prid: bytes) -> Stated:
    """A record's place in a batch.

    Args:
        community: whose.
        client: the way to the ledger.
        slot: region, channel and period.
        prid: the record's one-time identity, 32 bytes.

    Raises:
        NothingToProveError: there is no such record.
        FileError, RosterFileError: the public roster of the slot cannot be read.
        UnprovenError, ClientError: no answer came, or none of use.
    """
    month = proving.month_of(client, slot)
    if month is None:
        raise NothingToProveError(kind="record", about=prid.hex())
    leaves = community.public_leaves(client)(slot, month)
    return proving.record(client, slot, prid, leaves)


def bill(
    community: Community, client: LedgerClient, meter: str, month: MonthId | None, version: int | None = None
) -> Stated:
    """A bill's registration.

    Args:
        community: whose.
        client: the way to the ledger.
        meter: by its name.
        month: the month; its last bill when None.
        version: of the bill; the last one when None.

    Raises:
        GridproofError: as of `read_bill`.
    """
    read = read_bill(community, client, meter, month, version)
    report = read.opened.report
    place = (report.region, read.month, bytes.fromhex(report.bid), read.opened.version)
    return proving.state_entry(client, "bill", *place)


def whole_bill(
    community: Community, client: LedgerClient, meter: str, month: MonthId | None, version: int | None = None
) -> Stated:
    """A bill with all that it is made of; what it takes stands at `bill`.

    Raises:
        GridproofError: as of `prove_bill`.
    """
    return proving.own_bill(prove_bill(community, client, meter, month, version, lambda _k: None))


def entry(client: LedgerClient, kind: str, parts: Sequence[str], *, there: bool) -> Stated:
    """An entry of the state by its kind and place, or that there is none.

    Args:
        client: the way to the ledger.
        kind: of `KINDS`.
        parts: of its key: numbers, or hexadecimal digits.
        there: whether there shall be one.

    Raises:
        NoSuchKindError: there is no such kind.
        PlaceFormError: the parts are not those of its key.
        NothingToProveError: there is none, and there should be.
        ThereIsOneError: there is one, and there should not be.
        InFoldError: there is one likewise, in a closed month's fold.
        UnprovenError, ClientError: no answer came, or none of use.
    """
    if kind not in KINDS:
        raise NoSuchKindError(kind=kind, kinds=", ".join(KINDS))
    place = _place(kind, parts)
    stated = proving.state_entry(client, kind, *place)
    found = isinstance(stated.statement, Entry) and bool(stated.statement.value)
    about = " ".join(parts)
    if there and not found:
        raise NothingToProveError(kind=kind, about=about)
    if found and not there:
        raise ThereIsOneError(kind=kind, about=about)
    if not there and kind in FOLDS and _is_folded(client, kind, *place):
        raise InFoldError(kind=kind, about=about)
    return stated


def _is_folded(client: LedgerClient, kind: str, region: int, channel: int, k: int) -> bool:
    """Whether a slot's price or total is found through its month's fold."""
    if channel not in set(Direction):
        return False
    try:
        proving.slot_entry(client, kind, Slot(RegionId(region), Direction(channel), k))
    except NothingToProveError:
        return False
    return True


def validator(client: LedgerClient, address: bytes) -> Stated:
    """That somebody is a validator.

    Args:
        client: the way to the ledger.
        address: the validator's, 20 bytes.

    Raises:
        ClientError: no answer came.
    """
    return Stated(IsValidator(address), _state(client))


def app_hash(client: LedgerClient) -> Stated:
    """The app hash alone.

    Raises:
        ClientError: no answer came.
    """
    return Stated(StateRoot(), _state(client))


def _state(client: LedgerClient) -> proving.State:
    status = client.status()
    return status.height, status.app_hash


def _place(kind: str, parts: Sequence[str]) -> tuple[Any, ...]:
    table, names = KINDS[kind]
    if len(parts) != len(names):
        raise PlaceFormError(kind=kind, parts=" ".join(names))
    place: list[Any] = []
    for form, given in zip(table.parts, parts, strict=True):
        is_number = isinstance(form.decode(bytes(form.size)), int)
        try:
            part: Any = int(given) if is_number else bytes.fromhex(given)
            form.encode(part)
        except (ValueError, OverflowError) as wrong:
            raise PlaceFormError(kind=kind, parts=" ".join(names)) from wrong
        place.append(part)
    return tuple(place)
