"""What came of the demonstration, for people, programs and pictures."""

from decimal import Decimal
from typing import Any, NamedTuple

from gridproof.actors.bill_provider import Kind
from gridproof.actors.bills.report import Report
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.domain import Direction, Slot
from gridproof.modules.aggregation.types import Status

from .count import Counted, Why
from .docket import Result, Try

_PRICE_STEP = Decimal("0.00001")
_FITS = {
    Why.SILENT: (Kind.SILENT,),
    Why.HALF_SENT: (Kind.HALF_SENT,),
    Why.ABSURD: (Kind.ABSURD,),
    Why.DROPPED: (Kind.SILENT, Kind.HALF_SENT),
}


class Period(NamedTuple):
    """A slot as it came out, beside what it had to be.

    Attributes:
        slot: region, channel and period.
        start: of the period, as people write it.
        status: how it ended.
        total_wh: the total, or None where there is none.
        enrolled: meters that were to report.
        live: those whose pair counts.
        records: on the ledger.
        counted: the independent count.
        named: meters that the bill provider named, with what it found.
        may_open: whether enough meters count to hide each other, by the independent count.
        price_e5: what a kWh costs, 1e-5 currency; None where the slot has no price.
        counted_price: the same in the currency, by the independent count.
    """

    slot: Slot
    start: str
    status: Status
    total_wh: int | None
    enrolled: int
    live: int
    records: int
    counted: Counted
    named: dict[str, Kind]
    may_open: bool
    price_e5: int | None = None
    counted_price: Decimal | None = None

    @property
    def missing(self) -> int:
        """Enrolled meters without a live pair."""
        return self.enrolled - self.live

    @property
    def is_right(self) -> bool:
        """Whether total, price, live meters and all who were named are those of the independent count."""
        counted = self.counted
        named = self.named.keys() == counted.missing.keys() and all(
            kind in _FITS[counted.missing[meter]] for meter, kind in self.named.items()
        )
        total = counted.total_wh if self.may_open else None
        price = None if self.price_e5 is None else self.price_e5 * _PRICE_STEP
        is_priced = price == self.counted_price
        return named and is_priced and self.total_wh == total and self.live == len(counted.live)

    def to_json(self) -> dict[str, Any]:
        """The period for a program."""
        return {
            "region": self.slot.region,
            "channel": Direction(self.slot.channel).label,
            "start": self.start,
            "k": self.slot.k,
            "status": str(self.status),
            "total_wh": self.total_wh,
            "counted_wh": self.counted.total_wh,
            "price_e5": self.price_e5,
            "enrolled": self.enrolled,
            "live": self.live,
            "late": sorted(self.counted.late),
            "understated_wh": dict(sorted(self.counted.understated.items())),
            "missing": {meter: why.value for meter, why in sorted(self.counted.missing.items())},
            "named_by_bill_provider": {meter: kind.value for meter, kind in sorted(self.named.items())},
        }


class Billed(NamedTuple):
    """A household's bill of a month, as it opened it at last, and what was found of it.

    Attributes:
        meter: its meter's name.
        region: where it lives.
        month: `2025-10`.
        version: of the bill.
        import_wh: drawn and billed, reconciled energy included, Wh.
        export_wh: fed in, likewise.
        reconciled_wh: what the import register says beyond the records, Wh.
        missing: slots without a line.
        late: slots whose records came late.
        total_e9: the sum, 1e-9 currency.
        payable_e9: as it is to be paid.
        currency: ISO 4217 code.
        falsehoods: what the household found false; nothing where the bill is true.
        differences: what the independent count comes to otherwise.
        page: name of the file of its page.
    """

    meter: str
    region: int
    month: str
    version: int
    import_wh: int
    export_wh: int
    reconciled_wh: int
    missing: int
    late: int
    total_e9: int
    payable_e9: int
    currency: str
    falsehoods: tuple[str, ...]
    differences: tuple[str, ...]
    page: str

    @classmethod
    def of(cls, report: Report, verdict: BillVerdict, differences: tuple[str, ...], page: str) -> "Billed":
        """What a report, its household's verdict and the independent count say."""
        energy_wh, reconciled_wh = {"import": 0, "export": 0}, {"import": 0, "export": 0}
        for channel in report.channels:
            reconciled_wh[channel.channel] = channel.register.reconciled_wh if channel.register else 0
            energy_wh[channel.channel] = sum(line.energy_wh for line in channel.lines) + reconciled_wh[channel.channel]
        return cls(
            report.household,
            report.region,
            report.month,
            report.bill_version,
            energy_wh["import"],
            energy_wh["export"],
            reconciled_wh["import"],
            sum(len(channel.absences) for channel in report.channels),
            sum(line.late for channel in report.channels for line in channel.lines),
            report.total_e9,
            report.payable_e9,
            report.currency,
            () if verdict.is_true else tuple(verdict.falsehoods),
            differences,
            page,
        )

    @property
    def is_right(self) -> bool:
        """Whether the household found it true, and the independent count comes to the same."""
        return not self.falsehoods and not self.differences

    def to_json(self) -> dict[str, Any]:
        """The bill for a program."""
        told = {name: value for name, value in self._asdict().items() if name not in ("falsehoods", "differences")}
        return {**told, "falsehoods": list(self.falsehoods), "differences": list(self.differences)}


class Standing(NamedTuple):
    """Where the ledger stands: its height, and the root of its state, 32 bytes."""

    height: int
    app_hash: bytes


class Outcome(NamedTuple):
    """What came of it all.

    Attributes:
        chain_id: name of the ledger.
        households: how many.
        regions: how many.
        periods: how many.
        start: of the first period, as people write it.
        end: of the last one.
        priced: the ledger after the last price: the same from the same seed.
        final: the ledger at the end; bills are sealed with fresh chance, so that each run has its own.
        slots: all of them, by region, channel and period.
        attacks: what came of each attack.
        tries: each try.
        problems: what else went wrong.
        bills: all bills, by region, month and household.
    """

    chain_id: str
    households: int
    regions: int
    periods: int
    start: str
    end: str
    priced: Standing
    final: Standing
    slots: tuple[Period, ...]
    attacks: dict[str, Result]
    tries: tuple[Try, ...]
    problems: tuple[str, ...]
    bills: tuple[Billed, ...]

    @property
    def records(self) -> int:
        """Records on the ledger."""
        return sum(each.records for each in self.slots)

    @property
    def missing(self) -> int:
        """Enrolled meter-slots without a live pair."""
        return sum(each.missing for each in self.slots)

    @property
    def wrong(self) -> tuple[Period, ...]:
        """The slots that disagree with the independent count."""
        return tuple(each for each in self.slots if not each.is_right)

    @property
    def is_well(self) -> bool:
        """Whether every attack was stood, every slot and bill is right and nothing else went wrong."""
        stood = all(each.is_well for each in self.attacks.values())
        return stood and bool(self.bills) and not (self.wrong or self.wrong_bills or self.problems)

    @property
    def wrong_bills(self) -> tuple[Billed, ...]:
        """The bills that their household or the independent count disagrees with."""
        return tuple(each for each in self.bills if not each.is_right)

    @property
    def billed_wh(self) -> int:
        """The drawn energy of all bills, reconciled energy included."""
        return sum(each.import_wh for each in self.bills)

    @property
    def billed_e9(self) -> int:
        """The sum of all bills, 1e-9 currency."""
        return sum(each.total_e9 for each in self.bills)

    def ended(self, status: Status) -> int:
        """How many slots ended so."""
        return sum(each.status == status for each in self.slots)

    def total_wh(self, channel: Direction) -> int:
        """The sum of all totals of a channel."""
        return sum(each.total_wh or 0 for each in self.slots if each.slot.channel == channel)

    def to_json(self) -> dict[str, Any]:
        """The summary for a program."""
        return {
            "households": self.households,
            "regions": self.regions,
            "periods": self.periods,
            "records": self.records,
            "missing": self.missing,
            "height": self.priced.height,
            "app_hash": self.priced.app_hash.hex(),
            "priced_app_hash": self.priced.app_hash.hex(),
            "final_height": self.final.height,
            "final_app_hash": self.final.app_hash.hex(),
            "billed_wh": self.billed_wh,
            "billed_e9": self.billed_e9,
            "bills": len(self.bills),
            "total_wh": self.total_wh(Direction.IMPORT),
            "exported_wh": self.total_wh(Direction.EXPORT),
            "attacks": {name: result.value for name, result in self.attacks.items()},
            "ok": self.is_well,
            "chain_id": self.chain_id,
            "start": self.start,
            "end": self.end,
            "totals": {
                "slots": len(self.slots),
                "opened": self.ended(Status.OPENED),
                "sealed": self.ended(Status.SEALED),
                "void": self.ended(Status.VOID),
                "wrong": len(self.wrong),
            },
            "billing": {
                "verified": sum(not each.falsehoods for each in self.bills),
                "counted": sum(not each.differences for each in self.bills),
                "corrected": sum(each.version > 1 for each in self.bills),
                "reconciled_wh": sum(each.reconciled_wh for each in self.bills),
                "payable_e9": sum(each.payable_e9 for each in self.bills),
                "wrong": [f"{each.meter} {each.month}" for each in self.wrong_bills],
            },
            "problems": list(self.problems),
        }
