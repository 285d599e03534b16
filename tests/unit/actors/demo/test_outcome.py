"""A slot is right only if total, status, live meters and all who were named are those of the independent count."""

from decimal import Decimal

import pytest

from gridproof.actors.bill_provider import Kind
from gridproof.actors.demo.count import Counted, Why
from gridproof.actors.demo.docket import CHARGES, Result
from gridproof.actors.demo.outcome import Billed, Outcome, Period, Standing
from gridproof.domain import Direction, RegionId, Slot
from gridproof.modules.aggregation.types import Status

RIGHT = Period(
    slot=Slot(RegionId(1), Direction.IMPORT, 7),
    start="2025-06-17T00:00:00+02:00",
    status=Status.OPENED,
    total_wh=300,
    enrolled=3,
    live=2,
    records=5,
    counted=Counted({"a": 100, "b": 200}, {"c": Why.HALF_SENT}),
    named={"c": Kind.HALF_SENT},
    may_open=True,
    price_e5=20_000,
    counted_price=Decimal("0.2"),
)
SEALED = RIGHT._replace(status=Status.SEALED, total_wh=None, may_open=False)


BILL = Billed(
    meter="a",
    region=1,
    month="2025-06",
    version=1,
    import_wh=100,
    export_wh=20,
    reconciled_wh=7,
    missing=0,
    late=1,
    total_e9=12_345_678,
    payable_e9=50_000_000,
    currency="CHF",
    falsehoods=(),
    differences=(),
    page="a-2025-06.html",
)


def outcome(
    *slots: Period, problems: tuple[str, ...] = (), bills: tuple[Billed, ...] = (BILL,), **attacks: Result
) -> Outcome:
    stood = {**dict.fromkeys(CHARGES, Result.REFUSED), **attacks}
    priced, final = Standing(9, bytes(32)), Standing(11, bytes([1]) * 32)
    return Outcome("demo-1", 3, 1, 1, "from", "to", priced, final, slots, stood, (), problems, bills)


@pytest.mark.parametrize("period", [RIGHT, SEALED, RIGHT._replace(named={"c": Kind.HALF_SENT}, records=0)])
def test_what_agrees_is_right(period: Period) -> None:
    assert period.is_right


@pytest.mark.parametrize(
    "period",
    [
        RIGHT._replace(total_wh=301),
        RIGHT._replace(total_wh=None),
        RIGHT._replace(may_open=False),
        RIGHT._replace(live=3),
        RIGHT._replace(named={}),
        RIGHT._replace(named={"c": Kind.SILENT}),
        RIGHT._replace(named={"a": Kind.HALF_SENT}),
        RIGHT._replace(named={"c": Kind.HALF_SENT, "a": Kind.SILENT}),
        RIGHT._replace(price_e5=20_001),
        RIGHT._replace(price_e5=None),
        SEALED._replace(may_open=True),
    ],
)
def test_what_differs_in_any_point_is_wrong(period: Period) -> None:
    assert not period.is_right
    assert outcome(RIGHT, period).wrong == (period,)
    assert not outcome(RIGHT, period).is_well


@pytest.mark.parametrize("kind", [Kind.SILENT, Kind.HALF_SENT])
def test_a_dropped_meter_may_look_silent_or_half_sent(kind: Kind) -> None:
    dropped = RIGHT._replace(counted=Counted(RIGHT.counted.live, {"c": Why.DROPPED}), named={"c": kind})
    assert dropped.is_right


def test_all_is_well_only_without_successes_and_problems() -> None:
    assert outcome(RIGHT).is_well
    assert not outcome(RIGHT, late_batch=Result.SUCCEEDED).is_well
    assert not outcome(RIGHT, late_batch=Result.NOT_TRIED).is_well
    assert not outcome(RIGHT, problems=("something",)).is_well


@pytest.mark.parametrize("wrong", [BILL._replace(falsehoods=("x",)), BILL._replace(differences=("y",))])
def test_a_bill_that_household_or_count_contradicts_is_wrong(wrong: Billed) -> None:
    told = outcome(RIGHT, bills=(BILL, wrong))
    assert told.wrong_bills == (wrong,)
    assert not told.is_well
    assert told.to_json()["billing"]["wrong"] == ["a 2025-06"]
    assert not outcome(RIGHT, bills=()).is_well


def test_the_sums_of_the_bills_stand_beside_both_app_hashes() -> None:
    corrected = BILL._replace(version=3, falsehoods=("x",))
    told = outcome(RIGHT, bills=(BILL, corrected)).to_json()
    assert (told["bills"], told["billed_wh"], told["billed_e9"]) == (2, 200, 24_691_356)
    assert told["billing"] == {
        "verified": 1,
        "counted": 2,
        "corrected": 1,
        "reconciled_wh": 14,
        "payable_e9": 100_000_000,
        "wrong": ["a 2025-06"],
    }
    assert told["app_hash"] == told["priced_app_hash"] == "00" * 32
    assert (told["height"], told["final_height"], told["final_app_hash"]) == (9, 11, "01" * 32)


def test_a_bill_is_told_whole() -> None:
    assert BILL.to_json() == {**BILL._asdict(), "falsehoods": [], "differences": []}


def test_the_summary_adds_up() -> None:
    exported = RIGHT._replace(slot=RIGHT.slot._replace(channel=Direction.EXPORT), total_wh=40)
    told = outcome(RIGHT, exported, SEALED).to_json()
    assert (told["total_wh"], told["exported_wh"], told["records"], told["missing"]) == (300, 40, 15, 3)
    assert told["totals"] == {"slots": 3, "opened": 2, "sealed": 1, "void": 0, "wrong": 1}
    assert told["app_hash"] == "00" * 32
    assert told["ok"] is False


def test_a_period_is_told_with_its_missing_meters_by_name() -> None:
    told = RIGHT.to_json()
    assert told["missing"] == {"c": "half-sent"}
    assert told["named_by_bill_provider"] == {"c": "half-sent"}
    assert (told["channel"], told["status"], told["counted_wh"]) == ("import", "opened", 300)
