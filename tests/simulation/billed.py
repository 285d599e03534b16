"""A village whose months are priced and billed: what simulations of bills run."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from gridproof.actors.bill_provider import Billing, Letterhead, Stores
from gridproof.actors.bills.reading import BillReader, OpenedBill
from gridproof.actors.bills.report import Report
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.actors.enrolment import HouseholdFile, read_household
from gridproof.actors.household import public_leaves
from gridproof.actors.transport import Delivery, DirectTransport, Reply, Transport
from gridproof.connectors.content import FolderContent
from gridproof.connectors.registers import RegisterReading
from gridproof.domain import (
    ChannelTariff,
    Direction,
    Levy,
    Linear,
    MonthId,
    Penalties,
    Standing,
    Tariff,
    Tax,
)

from tests.simulation.village import OCTOBER, PERIOD_S, REGION, RULES, START_S, Village

A_MONTH = 8  # periods
MISSING_E9, LATE_E9 = 70_000_000, 20_000_000
TARIFF = Tariff(
    "by load",
    "CHF",
    50_000_000,
    ChannelTariff(Linear(0, 20_000, 10_000, 40_000), 55_000),
    ChannelTariff(Linear(0, 9_000, 10_000, 4_000), 3_000),
    (Levy("grid", 9_870), Levy("communal", 150)),
    (Standing("basic", 6_500_000_000, 30 * 86_400),),
    (Tax("VAT", 810),),
    Penalties(MISSING_E9, LATE_E9),
)
SETTLED_S = RULES["window_s"] + RULES["opening_s"]  # after a month's end its last deadline has passed
LETTERHEAD = Letterhead("Village", "UTC", {int(REGION): "region 1"})


class BilledVillage(Village):
    """A village with a tariff, a control centre and content stores.

    Args:
        folder: where everything lies.
        more: what `Village` takes.
    """

    def __init__(self, folder: Path, **more: Any) -> None:
        more.setdefault("tariff", TARIFF)
        super().__init__(folder, **more)
        self.stores = Stores(FolderContent(folder / "content"), FolderContent(folder / "archive"))

    def close(self) -> None:
        for store in self.stores:
            store.close()
        super().close()

    def billing(self, executor: Executor | None = None) -> Billing:
        """The bill provider's work on bills."""
        return Billing(self.crew.provider, self.stores, LETTERHEAD, executor)

    def months(self, count: int = 1, transport: Transport | None = None) -> None:
        """Let months go by until the last one's deadlines have passed and it is folded."""
        end_s = START_S + count * A_MONTH * PERIOD_S
        self.run(count * A_MONTH, transport, A_MONTH, until_s=end_s + SETTLED_S)

    def files(self, name: str) -> list[HouseholdFile]:
        """The household's files of meters of this name, by their first period."""
        paths = (self.folder / "enrolments").glob(f"{name}.*.household")
        return sorted((read_household(self.secrets, path) for path in paths), key=lambda file: file.from_k)

    def file(self, name: str) -> HouseholdFile:
        """The file of the last meter of this name."""
        return self.files(name)[-1]

    def reader(self, file: HouseholdFile | str) -> BillReader:
        """A household's way to its bills."""
        own = self.file(file) if isinstance(file, str) else file
        leaves_of = public_leaves(self.client, self.shelf.rosters)
        return BillReader(own, self.client, self.stores.public, self.shelf.cards, self.secrets, leaves_of)

    def open(self, file: HouseholdFile | str, month: MonthId = OCTOBER, version: int | None = None) -> OpenedBill:
        """A household's bill."""
        return self.reader(file).open(month, version)

    def verdict(self, file: HouseholdFile | str, month: MonthId = OCTOBER) -> BillVerdict:
        """What a household finds of its last bill."""
        reader = self.reader(file)
        return reader.verify(reader.open(month), month)

    def true_report(self, file: HouseholdFile | str, month: MonthId = OCTOBER) -> Report:
        """A household's last bill, once it was found to be true."""
        assert self.verdict(file, month).falsehoods == []
        return self.open(file, month).report

    def read_month(self, names: Iterable[str], start: int = 0, stop: int = A_MONTH, **more: Any) -> None:
        """Let meters read `energy_wh` in some periods."""
        self.read(((name, n, energy_wh(name, n)) for n in range(start, stop) for name in names), **more)


class Lossy(DirectTransport):
    """Loses records on their way: those of some identities, and all of periods in which the aggregators are down."""

    def __init__(self, village: Village) -> None:
        super().__init__(village.crew.aggregators)
        self.lost: set[bytes] = set()
        self.down: frozenset[int] = frozenset()

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        """Carry what is not to be lost; no answer comes for the rest."""
        kept = [each for each in deliveries if not self._is_lost(each)]
        replies = iter(super().deliver(aggregator, kept))
        return [None if self._is_lost(each) else next(replies) for each in deliveries]

    def _is_lost(self, delivery: Delivery) -> bool:
        return delivery.record.prid in self.lost or delivery.slot.k in self.down


def energy_wh(name: str, n: int) -> int:
    """What a meter reads in a period from the start, Wh."""
    return 300 + 7 * sum(name.encode()) % 200 + 31 * (n % 5)


def month_wh(name: str, start: int = 0, stop: int = A_MONTH) -> int:
    """What a meter reads in some periods, Wh."""
    return sum(energy_wh(name, n) for n in range(start, stop))


BOTH = (Direction.IMPORT, Direction.EXPORT)


# --- what is looked at -----------------------------------------------------------------------------------------------


def read_off(village: BilledVillage, name: str, n: int, register_wh: int) -> None:
    at_s = START_S + n * PERIOD_S
    village.crew.registers.add([RegisterReading(name, Direction.IMPORT, at_s, register_wh)])


def register_of(report: Report, name: str = "import") -> Any:
    channel = report.channel(name)
    assert channel is not None
    assert channel.register is not None
    return channel.register


def penalties(report: Report) -> dict[str, int]:
    return {charge.name: charge.amount_e9 for charge in report.charges if charge.kind == "penalty"}


def versions(village: BilledVillage, names: Iterable[str], month: MonthId = OCTOBER) -> dict[str, list[int]]:
    """The registered versions of each household's bill of a month; its reports open and are true."""
    found = {}
    for name in names:
        found[name] = [number for number, _ in village.reader(name).versions(month)]
        if found[name]:
            assert village.verdict(name, month).falsehoods == []
    return found


def gathered(village: BilledVillage) -> list[Path]:
    return sorted((village.folder / "bills" / "gathered").glob("*"))
