"""The independent count of a bill, worked out by hand, and that a report which says anything else is told."""

from decimal import Decimal
from pathlib import Path

import pytest

from gridproof.actors.demo.bill_count import BillCounter, CountedBill, CountedSlot, Stretch
from gridproof.actors.demo.count import Counted, Counter, Why
from gridproof.actors.demo.script import Part, Script
from gridproof.connectors.readings import Reading, SqliteReadings
from gridproof.domain import Direction, RegionId, Slot

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
def counter(tmp_path_factory: pytest.TempPathFactory) -> BillCounter:
    """Registers of `a`: 2.2 kWh drawn, of which 0.9 kWh stand in no record; 3.1 kWh fed in, of which 0.1."""
    store = SqliteReadings(tmp_path_factory.mktemp("count") / "readings.db")
    drawn, given = (1_000, 300, 400, 500), (2_000, 1_000, 100, 0)
    store.add(Reading("a", IMPORT, (K + n) * 900, energy_wh) for n, energy_wh in enumerate(drawn))
    store.add(Reading("a", EXPORT, (K + n) * 900, energy_wh) for n, energy_wh in enumerate(given))
    nothing = Script(slot(0), Part(slot(0), ""), Part(slot(0), ""), slot(0), slot(0), ())
    return BillCounter(TARIFF, Counter(store, {}, nothing, 900, 10**6), SLOTS)


def bill(counter: BillCounter, *channels: Direction) -> CountedBill:
    return counter.bill(1, "a", channels, STRETCH)


def test_prices_follow_the_totals_and_fall_back_where_there_is_none(counter: BillCounter) -> None:
    prices = [counter.price(slot(n)) for n in range(4)]
    assert prices == [Decimal("0.15"), Decimal("0.10"), Decimal("0.20"), Decimal("0.15")]
    given = [counter.price(slot(n, EXPORT)) for n in range(4)]
    assert given == [Decimal("0.06"), Decimal("0.08"), Decimal("0.06"), Decimal("0.08")]


def test_a_price_between_two_loads_is_rounded_down(counter: BillCounter, tmp_path: Path) -> None:
    del tmp_path
    odd = {slot(0): CountedSlot(Counted({"a": 1_001}, {}), may_open=True)}
    assert BillCounter(TARIFF, counter._counter, odd).price(slot(0)) == Decimal("0.10003")  # 0.1 + 0.1 / 3,000


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
