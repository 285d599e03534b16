"""Who attacks bills: someone who has the bill provider's keys, and what they make of the reports that its files hold.

What they make is as good as it can be: sealed to the right key, every sum to match. What it says is not on the ledger.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from msgspec.structs import replace

from gridproof.actors.bill_provider import BillProvider
from gridproof.actors.bill_provider.keys import Line
from gridproof.actors.bills.report import Report, ReportChannel, ReportCharge
from gridproof.actors.bills.sealing import seal_report
from gridproof.connectors.content import ContentStore
from gridproof.domain import (
    Absent,
    BillMonth,
    ChannelMonth,
    Direction,
    Metered,
    MonthBounds,
    MonthId,
    SlotPrice,
    TariffStep,
    Why,
    make_bill,
)
from gridproof.errors import GridproofError
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.errors import BillExists
from gridproof.modules.billing.messages import NewBill, RegisterBills
from gridproof.primitives.cid import cid_v1

from .attackers import LEDGER, Stolen
from .docket import Docket

MORE_WH: Final = 1_000


class Ledgers(NamedTuple):
    """What the ledger says that a bill must agree with: the forger knows it as everybody does.

    Attributes:
        bounds: the month.
        tariffs: in force in it.
        prices: of its slots, by channel.
    """

    bounds: MonthBounds
    tariffs: Sequence[TariffStep]
    prices: dict[Direction, tuple[SlotPrice, ...]]


class BillThief:
    """Someone who has the bill provider's keys and files.

    Args:
        provider: those.
        keys: to sign with.
        content: where sealed reports are published.
        docket: notes what the ledger says.
    """

    def __init__(self, provider: BillProvider, keys: Stolen, content: ContentStore, docket: Docket) -> None:
        self._provider = provider
        self._keys = keys
        self._content = content
        self._docket = docket

    def register_twice(self, region: int, month: int) -> None:
        """Register a bill that is registered."""
        bid, version, known = self._keys.client.ask(billing.bills, region, month)[0]
        again = RegisterBills(region, month, (NewBill(bid, version, known.cid, known.digest),))
        self._docket.refused("bill_twice", LEDGER, self._keys.send(again), BillExists)

    def pass_off(self, region: int, month: int, bid: bytes, other: bytes) -> GridproofError | None:
        """Register another household's sealed bill as the next version of one's own; the ledger cannot tell.

        Args:
            region: the region.
            month: the month.
            bid: the billing identity that gets it.
            other: the one that it was made for.
        """
        version = self._next(region, month, bid)
        of_other = dict(self._keys.client.ask(billing.versions, region, month, other))
        known = of_other[max(of_other)]
        return self._keys.send(RegisterBills(region, month, (NewBill(bid, version, known.cid, known.digest),)))

    def replace_by(self, month: MonthId, bid: bytes, report: Report) -> GridproofError | None:
        """Seal a report to a household, publish it, and register it as its bill's next version.

        Args:
            month: the month.
            bid: whose bill.
            report: what it shall say.
        """
        version = self._next(report.region, month, bid)
        sealed = seal_report(replace(report, bill_version=version), self._seal_key(report.region, month, bid), month)
        self._content.put(sealed)
        bill = NewBill(bid, version, cid_v1(sealed), sha256(sealed).digest())
        return self._keys.send(RegisterBills(report.region, month, (bill,)))

    def _next(self, region: int, month: int, bid: bytes) -> int:
        return 1 + self._keys.client.ask(billing.last_version, region, month, bid)

    def _seal_key(self, region: int, month: int, bid: bytes) -> bytes:
        accounts = self._provider.keys.accounts(Line(region, Direction.IMPORT), month).values()
        return next(account.seal_key for account in accounts if account.bid == bid)


def overcharged(report: Report, ledgers: Ledgers) -> Report:
    """A report with 1,000 Wh more in its largest import line, and every sum to match; the signed register is left out.

    Args:
        report: a true one.
        ledgers: what the ledger says of its month.
    """
    lines = next(channel for channel in report.channels if channel.channel == "import").lines
    largest_k = max(lines, key=lambda line: line.energy_wh).k
    channels = [_more(channel, largest_k) for channel in report.channels]
    months = [
        ChannelMonth(
            Direction.parse(channel.channel),
            ledgers.prices[Direction.parse(channel.channel)],
            [Metered(line.k, line.energy_wh, line.late) for line in channel.lines],
            [Absent(absence.k, Why(absence.why)) for absence in channel.absences],
            None,
        )
        for channel in channels
    ]
    bill = make_bill(BillMonth(ledgers.bounds, report.from_k, report.until_k, ledgers.tariffs, months))
    amounts = {(line.channel.label, line.k): line.amount_e9 for line in bill.lines}
    charges = tuple(
        ReportCharge(kind=each.kind.value, channel=each.channel.label, **_rest(each._asdict()))  # type: ignore[arg-type]
        for each in bill.charges
    )
    told = tuple(
        replace(each, lines=tuple(replace(line, amount_e9=amounts[each.channel, line.k]) for line in each.lines))
        for each in channels
    )
    return replace(report, channels=told, charges=charges, total_e9=bill.total_e9, payable_e9=bill.payable_e9)


def dressed(report: Report, own: Report) -> Report:
    """Another household's report under one's own name, meter and billing identity."""
    return replace(report, household=own.household, meter=own.meter, bid=own.bid, history=own.history)


def _more(channel: ReportChannel, k: int) -> ReportChannel:
    more_wh = MORE_WH if channel.channel == "import" else 0
    lines = tuple(replace(each, energy_wh=each.energy_wh + more_wh * (each.k == k)) for each in channel.lines)
    return replace(channel, lines=lines, register=None)


def _rest(charge: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in charge.items() if name not in ("kind", "channel")}
