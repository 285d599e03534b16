"""The independent count of a bill, worked out by hand, and that a report which says anything else is told."""

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from gridproof.actors.bills.report import (
    Report,
    ReportAbsence,
    ReportChannel,
    ReportCharge,
    ReportLine,
    ReportRegister,
)
from gridproof.actors.demo.bill_count import BillCounter, CountedBill, CountedSlot, Stretch
from gridproof.actors.demo.count import Counted, Counter, Why
from gridproof.actors.demo.script import Part, Script
from gridproof.connectors.readings import Reading, SqliteReadings
from gridproof.domain import Direction, RegionId, Slot

from tests.unit.actors.bills.samples import sample

K = 2_000
IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT
STRETCH = Stretch(K, K + 4, 900, 2_592_000)
TARIFF = b"""
name = "By hand"
rounding = 0.05
[import]
scheme = "linear"
from_kwh = 1.000
from_price = 0.10
to_kwh = 4.000
to_price = 0.20
fallback = 0.15
[feed-in]
scheme = "flat"
price = 0.08
fallback = 0.06
[[levy]]
name = "Grid"
price = 0.05
[[standing]]
name = "Meter"
amount = 7.20
per = "month"
[[tax]]
name = "VAT"
percent = 10
[penalties]
missing = 0.02
late = 0.005
"""


def slot(n: int, channel: Direction = IMPORT) -> Slot:
    return Slot(RegionId(1), channel, K + n)


SLOTS = {
    slot(0): CountedSlot(Counted({"a": 1_000, "b": 1_500}, {}), may_open=True),  # 2.5 kWh: half of the way up
    slot(1): CountedSlot(Counted({"b": 500}, {"a": Why.HALF_SENT}, {"a": 300}), may_open=True),  # below: 0.10
    slot(2): CountedSlot(Counted({"b": 9_000}, {"a": Why.SILENT}), may_open=True),  # above: 0.20
    slot(3): CountedSlot(Counted({"b": 700}, {"a": Why.ABSURD}), may_open=False),  # no total: 0.15
    slot(0, EXPORT): CountedSlot(Counted({"a": 2_000}, {}), may_open=False),
    slot(1, EXPORT): CountedSlot(Counted({"a": 1_000}, {}), may_open=True),
    slot(2, EXPORT): CountedSlot(Counted({}, {"a": Why.SILENT}), may_open=False),  # nobody was heard
    slot(3, EXPORT): CountedSlot(Counted({"a": 0}, {}), may_open=True),
}


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BillCounter]:
    """Registers of `a`: 2.2 kWh drawn, of which 0.9 kWh stand in no record; 3.1 kWh fed in, of which 0.1."""
    drawn, given = (1_000, 300, 400, 500), (2_000, 1_000, 100, 0)
    with closing(SqliteReadings(tmp_path_factory.mktemp("count") / "readings.db")) as store:
        store.add(Reading("a", IMPORT, (K + n) * 900, energy_wh) for n, energy_wh in enumerate(drawn))
        store.add(Reading("a", EXPORT, (K + n) * 900, energy_wh) for n, energy_wh in enumerate(given))
        yield BillCounter(TARIFF, Counter(store, {}, NO_FAULTS, 900, 10**6), SLOTS)


NO_FAULTS = Script(slot(0), Part(slot(0), ""), Part(slot(0), ""), slot(0), slot(0), ())


def bill(counter: BillCounter, *channels: Direction) -> CountedBill:
    return counter.bill(1, "a", channels, STRETCH)


def test_prices_follow_the_totals_and_fall_back_where_there_is_none(counter: BillCounter) -> None:
    prices = [counter.price(slot(n)) for n in range(4)]
    assert prices == [Decimal("0.15"), Decimal("0.10"), Decimal("0.20"), Decimal("0.15")]
    given = [counter.price(slot(n, EXPORT)) for n in range(4)]
    assert given == [Decimal("0.06"), Decimal("0.08"), Decimal("0.06"), Decimal("0.08")]


def test_a_price_between_two_loads_is_rounded_down(tmp_path: Path) -> None:
    odd = {slot(0): CountedSlot(Counted({"a": 1_001}, {}), may_open=True)}
    with closing(SqliteReadings(tmp_path / "readings.db")) as store:
        counter = BillCounter(TARIFF, Counter(store, {}, NO_FAULTS, 900, 10**6), odd)
        assert counter.price(slot(0)) == Decimal("0.10003")  # 0.1 + 0.1 / 3,000


def test_lines_and_absences_are_those_of_the_faults(counter: BillCounter) -> None:
    counted = bill(counter, IMPORT, EXPORT)
    assert counted.lines == {
        ("import", K): (1_000, Decimal("0.15"), False, Decimal("0.15")),
        ("import", K + 1): (300, Decimal("0.10"), True, Decimal("0.03")),
        ("export", K): (2_000, Decimal("0.06"), False, Decimal("-0.12")),
        ("export", K + 1): (1_000, Decimal("0.08"), False, Decimal("-0.08")),
        ("export", K + 3): (0, Decimal("0.08"), False, Decimal(0)),
    }
    assert counted.absences == {
        ("import", K + 2): ("silent", Decimal("0.02")),
        ("import", K + 3): ("excluded", Decimal(0)),
        ("export", K + 2): ("void", Decimal(0)),
    }
    assert counted.reconciled_wh == {"import": 900, "export": 100}


def test_the_sum_is_that_of_a_slip_of_paper(counter: BillCounter) -> None:
    taxed = (
        Decimal("0.18")  # lines
        + Decimal("1.3") * Decimal("0.05")  # levy
        + Decimal("7.2") * 3_600 / 2_592_000  # standing
        + Decimal("0.9") * (Decimal("0.20") + Decimal("0.05"))  # at the dearest slot
    )
    untaxed = Decimal("0.005") + Decimal("0.02") - Decimal("0.20") - Decimal("0.1") * Decimal("0.06")
    counted = bill(counter, IMPORT, EXPORT)
    assert counted.total == taxed * Decimal("1.1") + untaxed == Decimal("0.347")
    assert counted.payable == Decimal("0.35")
    assert bill(counter, IMPORT).total == Decimal("0.553")
    assert bill(counter, IMPORT).payable == Decimal("0.55")


def e9(amount: Decimal) -> int:
    return int(amount * 10**9)


def report_of(counted: CountedBill) -> Report:
    """A report that says what was counted, and of the rest as little as may be."""
    channels = []
    for name in counted.reconciled_wh:
        lines = [
            ReportLine(
                k=k,
                start_s=k * 900,
                energy_wh=energy_wh,
                price_e5=int(price * 10**5),
                fallback=False,
                late=late,
                amount_e9=e9(amount),
                prids=("00" * 32, "11" * 32),
            )
            for (channel, k), (energy_wh, price, late, amount) in counted.lines.items()
            if channel == name
        ]
        absences = [
            ReportAbsence(k=k, start_s=k * 900, why=why, penalty_e9=e9(penalty), leaves=("00" * 32, "11" * 32))  # type: ignore[arg-type]
            for (channel, k), (why, penalty) in counted.absences.items()
            if channel == name
        ]
        register = ReportRegister(
            start_k=K,
            end_k=K + 4,
            start_wh=0,
            end_wh=10_000,
            carried_wh=0,
            recorded_wh=0,
            reconciled_wh=counted.reconciled_wh[name],
            signature="00" * 64,
        )
        channels.append(
            ReportChannel(
                channel=name,  # type: ignore[arg-type]
                lines=tuple(lines),
                absences=tuple(absences),
                register=register,
                leaf_proof=(),
            )
        )
    charge = ReportCharge(
        kind="energy",
        name="",
        channel="import",
        from_k=K,
        until_k=K + 4,
        quantity=0,
        rate=0,
        amount_e9=e9(counted.total),
    )
    return replace(
        sample("day"),
        channels=tuple(channels),
        charges=(charge,),
        total_e9=e9(counted.total),
        payable_e9=e9(counted.payable),
    )


def in_first_channel(report: Report, **changed: object) -> Report:
    first, *others = report.channels
    return replace(report, channels=(replace(first, **changed), *others))


def test_a_report_that_says_the_same_differs_in_nothing(counter: BillCounter) -> None:
    counted = bill(counter, IMPORT, EXPORT)
    assert counted.differences(report_of(counted)) == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda report: replace(report, total_e9=report.total_e9 + 1),
        lambda report: replace(report, payable_e9=report.payable_e9 - 50_000_000),
        lambda report: replace(report, charges=()),
        lambda report: replace(report, channels=report.channels[:1]),
        lambda report: in_first_channel(report, lines=report.channels[0].lines[1:]),
        lambda report: in_first_channel(report, absences=report.channels[0].absences[1:]),
        lambda report: in_first_channel(report, register=None),
        lambda report: in_first_channel(
            report, lines=(replace(report.channels[0].lines[0], price_e5=15_001), *report.channels[0].lines[1:])
        ),
        lambda report: in_first_channel(
            report, lines=(replace(report.channels[0].lines[0], late=True), *report.channels[0].lines[1:])
        ),
        lambda report: in_first_channel(
            report, absences=tuple(replace(each, why="void") for each in report.channels[0].absences)
        ),
    ],
)
def test_a_report_that_says_anything_else_is_told(counter: BillCounter, change: Callable[[Report], Report]) -> None:
    counted = bill(counter, IMPORT, EXPORT)
    told = counted.differences(change(report_of(counted)))
    assert 1 <= len(told) <= 4


def test_of_many_differences_the_first_few_are_told(counter: BillCounter) -> None:
    counted = bill(counter, IMPORT, EXPORT)
    told = counted.differences(replace(report_of(counted), channels=()))
    assert told[3:] == (f"and {len(counted.lines) + len(counted.absences) + 1 - 3} more",)
