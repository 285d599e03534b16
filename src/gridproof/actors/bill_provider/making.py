"""Making bills from what was gathered: pure functions of their arguments, run for many households at once.

A household's readings come from its records and its masks; what is plausible and complete becomes a line, the rest an
absence with its reason. The bill itself is `gridproof.domain.make_bill`.

Source: seed 002, dynamic billing phase, steps a to e; finding faulty smart meters; private-metering.md, rows 21 and 22.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridproof.actors.bills.report import (
    Report,
    ReportAbsence,
    ReportChannel,
    ReportCharge,
    ReportHistory,
    ReportLine,
    ReportRegister,
    ReportTariff,
)
from gridproof.actors.bills.sealing import seal_report
from gridproof.connectors.bill_book import BillNote
from gridproof.connectors.registers import SignedRegister
from gridproof.domain import (
    Absent,
    Bill,
    BillMonth,
    ChannelMonth,
    Direction,
    Metered,
    MonthBounds,
    Registers,
    TariffStep,
    ViewSeeds,
    Why,
    billed_wh,
    make_bill,
    masks,
    month_label,
    tariff_at,
)
from gridproof.errors import GridproofError
from gridproof.primitives import merkle
from gridproof.primitives.cid import cid_v1

from .gathering import DROPPED, FILLED, LATE, Cells, Sheet

_RECORD: Final = FILLED | LATE


class MonthContext(NamedTuple):
    """What all bills of a month share.

    Attributes:
        chain_id: of the ledger.
        community: name of the community.
        zone: its IANA time zone.
        region: number of the region.
        region_name: its name.
        bounds: the month.
        tariffs: those in force.
        sheets: what was gathered, by channel.
        made_s: ledger time, UTC epoch seconds.
    """

    chain_id: str
    community: str
    zone: str
    region: int
    region_name: str
    bounds: MonthBounds
    tariffs: tuple[TariffStep, ...]
    sheets: dict[int, Sheet]
    made_s: int


class PlaceJob(NamedTuple):
    """A household's place on a channel; its text form is hidden.

    Attributes:
        channel: import or export.
        number: of the place.
        seeds: its view seeds of the month.
        first_k: period of its first leaf pair.
        register: what its meter signed, or None.
        carried_wh: what was billed since the register's first value in earlier months.
    """

    channel: int
    number: int
    seeds: ViewSeeds
    first_k: int
    register: SignedRegister | None
    carried_wh: int

    def __repr__(self) -> str:
        return f"PlaceJob({self.channel}, hidden)"


class HouseholdJob(NamedTuple):
    """A bill to make.

    Attributes:
        meter: the meter's handle, 16 bytes.
        name: its name among people.
        bid: billing identity of the month, 32 bytes.
        seal_key: what its bills are sealed to, 32 bytes.
        version: of the bill.
        from_k: first period in which the meter was enrolled.
        until_k: first period in which it no longer was, at most the month's end.
        places: one a channel.
        history: earlier months, oldest first.
    """

    meter: bytes
    name: str
    bid: bytes
    seal_key: bytes
    version: int
    from_k: int
    until_k: int
    places: tuple[PlaceJob, ...]
    history: tuple[ReportHistory, ...]


class MadeBill(NamedTuple):
    """A bill that was made: its note for the book, and its sealed report."""

    note: BillNote
    sealed: bytes


class UnmadeBill(NamedTuple):
    """A bill that could not be made.

    Attributes:
        name: the meter's name among people.
        problem: why.
    """

    name: str
    problem: GridproofError


def make_bills(context: MonthContext, jobs: Sequence[HouseholdJob]) -> list[MadeBill | UnmadeBill]:
    """Make the bills of some households.

    Args:
        context: what they share.
        jobs: the households.
    """
    made: list[MadeBill | UnmadeBill] = []
    for job in jobs:
        try:
            made.append(_make(context, job))
        except GridproofError as problem:
            made.append(UnmadeBill(job.name, problem))
    return made


def _make(context: MonthContext, job: HouseholdJob) -> MadeBill:
    report = make_report(context, job)
    sealed = seal_report(report, job.seal_key, context.bounds.month)
    recorded = {channel.channel: sum(line.energy_wh for line in channel.lines) for channel in report.channels}
    whole = {
        channel.channel: recorded[channel.channel] + (channel.register.reconciled_wh if channel.register else 0)
        for channel in report.channels
    }
    note = BillNote(
        meter=job.meter,
        month=context.bounds.month,
        version=job.version,
        region=context.region,
        bid=job.bid,
        cid=cid_v1(sealed),
        digest=sha256(sealed).digest(),
        import_wh=whole.get("import", 0),
        export_wh=whole.get("export", 0),
        recorded_import_wh=recorded.get("import", 0),
        recorded_export_wh=recorded.get("export", 0),
        total_e9=report.total_e9,
        payable_e9=report.payable_e9,
    )
    return MadeBill(note, sealed)


class _Own(NamedTuple):
    """A household's channel as it was found: its part of the bill, and where that stands in its cells."""

    job: PlaceJob
    sheet: Sheet
    cells: Cells
    month: ChannelMonth


def make_report(context: MonthContext, job: HouseholdJob) -> Report:
    """Make a household's report.

    Args:
        context: what all reports of the month share.
        job: the household.

    Raises:
        RegisterBehindError: a register says less than the records.
        DomainError: something lies outside what it can be.
    """
    own = [_find_own(context, job, place) for place in job.places]
    months = [each.month for each in own]
    bill = make_bill(BillMonth(context.bounds, job.from_k, job.until_k, context.tariffs, months))
    bounds, tariff = context.bounds, tariff_at(context.tariffs, job.until_k - 1)
    return Report(
        chain_id=context.chain_id,
        community=context.community,
        region=context.region,
        region_name=context.region_name,
        zone=context.zone,
        currency=tariff.currency,
        rounding_e9=tariff.rounding_e9,
        household=job.name,
        meter=job.meter.hex(),
        bid=job.bid.hex(),
        bill_version=job.version,
        made_s=context.made_s,
        month=month_label(bounds.month),
        month_start_s=bounds.start_s,
        month_end_s=bounds.end_s,
        period_s=bounds.period_s,
        from_k=job.from_k,
        until_k=job.until_k,
        tariffs=tuple(ReportTariff(from_k=step.from_k, name=step.tariff.name) for step in context.tariffs),
        channels=tuple(_report_channel(context, job, each, bill) for each in own),
        charges=tuple(
            ReportCharge(
                kind=charge.kind.value,
                name=charge.name,
                channel=charge.channel.label,  # type: ignore[arg-type]
                from_k=charge.from_k,
                until_k=charge.until_k,
                quantity=charge.quantity,
                rate=charge.rate,
                amount_e9=charge.amount_e9,
            )
            for charge in bill.charges
        ),
        total_e9=bill.total_e9,
        payable_e9=bill.payable_e9,
        history=job.history,
    )


# --- what a household's records say ----------------------------------------------------------------------------------


def _find_own(context: MonthContext, job: HouseholdJob, place: PlaceJob) -> _Own:
    sheet = context.sheets[place.channel]
    start, stop = job.from_k - context.bounds.first_k, job.until_k - context.bounds.first_k
    cells = sheet.cells(sheet.rows[place.number], start, stop)
    readings, metered = _read(context, job, place, cells)
    known, absent = [], []
    for at, (cell_state, energy_wh, is_metered) in enumerate(
        zip(cells["state"].tolist(), readings.tolist(), metered.tolist(), strict=True)
    ):
        k = job.from_k + at
        if is_metered:
            known.append(Metered(k, energy_wh, late=_is_late(cell_state, heard=sheet.heard[start + at])))
        else:
            absent.append(Absent(k, _why(cell_state, heard=sheet.heard[start + at])))
    span = place.register.span if place.register else None
    registers = Registers(span.start_wh, span.end_wh, place.carried_wh) if span else None
    month = ChannelMonth(sheet.channel, sheet.prices, known, absent, registers)
    return _Own(place, sheet, cells, month)


def _read(
    context: MonthContext, job: HouseholdJob, place: PlaceJob, cells: Cells
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A household's readings, and which of them have a line: both records are there, and what they say can be true."""
    first, second = (
        np.array(masks(seed, context.bounds, job.from_k, job.until_k), dtype=np.uint64) for seed in place.seeds
    )
    rc, state = cells["rc"], cells["state"]
    readings = rc[:, 0] + rc[:, 1] - first - second  # modulo 2**64
    complete = ((state & _RECORD) > 0).all(axis=1)
    ks = range(job.from_k, job.until_k)
    limits = np.array([tariff_at(context.tariffs, k).limit_wh for k in ks], dtype=np.uint64)
    return readings, complete & (readings <= limits)


def _is_late(state: Sequence[int], *, heard: bool) -> bool:
    """Whether a record came late, and no aggregator is to blame: none dropped it, and others' batches came in time."""
    return heard and not all(each & FILLED for each in state) and not any(each & DROPPED for each in state)


def _why(state: Sequence[int], *, heard: bool) -> Why:
    """Why a slot has no line."""
    if all(each & _RECORD for each in state):
        return Why.EXCLUDED
    if not heard:
        return Why.VOID
    if any(each & DROPPED for each in state):
        return Why.DROPPED
    return Why.SILENT


# --- the report ------------------------------------------------------------------------------------------------------


def _report_channel(context: MonthContext, job: HouseholdJob, own: _Own, bill: Bill) -> ReportChannel:
    direction, period_s = own.month.channel, context.bounds.period_s
    prids, leaves = own.cells["prid"].tobytes().hex(), own.cells["leaf"].tobytes().hex()
    lines = tuple(
        ReportLine(
            k=line.k,
            start_s=line.k * period_s,
            energy_wh=line.energy_wh,
            price_e5=line.price_e5,
            fallback=line.fallback,
            late=line.late,
            amount_e9=line.amount_e9,
            prids=_pair(prids, line.k - job.from_k),
        )
        for line in bill.lines
        if line.channel == direction
    )
    absences = tuple(
        ReportAbsence(
            k=absence.k,
            start_s=absence.k * period_s,
            why=absence.why.value,
            penalty_e9=absence.penalty_e9,
            leaves=_pair(leaves, absence.k - job.from_k),
        )
        for absence in bill.absences
        if absence.channel == direction
    )
    return ReportChannel(
        channel="import" if direction == Direction.IMPORT else "export",
        lines=lines,
        absences=absences,
        register=_report_register(own),
        leaf_proof=_leaf_proof(context, job, own),
    )


def _pair(digits: str, at: int) -> tuple[str, str]:
    """The two hashes of a slot among joined hexadecimal digits."""
    start = at * 128
    return digits[start : start + 64], digits[start + 64 : start + 128]


def _report_register(own: _Own) -> ReportRegister | None:
    signed = own.job.register
    if signed is None:
        return None
    recorded_wh = billed_wh(own.month)
    return ReportRegister(
        start_k=signed.span.start_k,
        end_k=signed.span.end_k,
        start_wh=signed.span.start_wh,
        end_wh=signed.span.end_wh,
        carried_wh=own.job.carried_wh,
        recorded_wh=recorded_wh,
        reconciled_wh=signed.span.end_wh - signed.span.start_wh - own.job.carried_wh - recorded_wh,
        signature=signed.signature.hex(),
    )


def _leaf_proof(context: MonthContext, job: HouseholdJob, own: _Own) -> tuple[str, ...]:
    """What leads from the leaves of the stretch to the card's root: nothing where the stretch has them all."""
    bounds, first_k = context.bounds, own.job.first_k
    from_k = max(job.from_k, first_k)
    if from_k >= job.until_k or (from_k, job.until_k) == (first_k, bounds.end_k):
        return ()
    row = own.sheet.rows[own.job.number]
    joined = own.sheet.cells(row, first_k - bounds.first_k, bounds.periods)["leaf"].tobytes()
    leaves = [joined[at : at + 32] for at in range(0, len(joined), 32)]
    indices = range(2 * (from_k - first_k), 2 * (job.until_k - first_k))
    return tuple(step.hex() for step in merkle.multi_proof(leaves, indices))
