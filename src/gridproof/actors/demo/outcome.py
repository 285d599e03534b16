"""What came of the demonstration, for people, programs and pictures."""

from typing import Any, NamedTuple

from gridproof.actors.bill_provider import Kind
from gridproof.domain import Direction, Slot
from gridproof.modules.aggregation.types import Status

from .count import Counted, Why
from .docket import Result, Try

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

    @property
    def missing(self) -> int:
        """Enrolled meters without a live pair."""
        return self.enrolled - self.live

    @property
    def is_right(self) -> bool:
        """Whether total, status, live meters and all who were named are those of the independent count."""
        counted = self.counted
        named = self.named.keys() == counted.missing.keys() and all(
            kind in _FITS[counted.missing[meter]] for meter, kind in self.named.items()
        )
        total = counted.total_wh if self.may_open else None
        return named and self.total_wh == total and self.live == len(counted.live)

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
            "enrolled": self.enrolled,
            "live": self.live,
            "missing": {meter: why.value for meter, why in sorted(self.counted.missing.items())},
            "named_by_bill_provider": {meter: kind.value for meter, kind in sorted(self.named.items())},
        }


class Outcome(NamedTuple):
    """What came of it all.

    Attributes:
        chain_id: name of the ledger.
        households: how many.
        regions: how many.
        periods: how many.
        start: of the first period, as people write it.
        end: of the last one.
        height: of the ledger's last block.
        app_hash: root of its state, 32 bytes.
        slots: all of them, by region, channel and period.
        attacks: what came of each attack.
        tries: each try.
        problems: what else went wrong.
    """

    chain_id: str
    households: int
    regions: int
    periods: int
    start: str
    end: str
    height: int
    app_hash: bytes
    slots: tuple[Period, ...]
    attacks: dict[str, Result]
    tries: tuple[Try, ...]
    problems: tuple[str, ...]

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
        """Whether every attack was stood, every slot is right and nothing else went wrong."""
        return all(each.is_well for each in self.attacks.values()) and not self.wrong and not self.problems

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
            "height": self.height,
            "app_hash": self.app_hash.hex(),
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
            "problems": list(self.problems),
        }
