"""A slot is right only if total, status, live meters and all who were named are those of the independent count."""

import pytest

from gridproof.actors.bill_provider import Kind
from gridproof.actors.demo.count import Counted, Why
from gridproof.actors.demo.docket import CHARGES, Result
from gridproof.actors.demo.outcome import Outcome, Period
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
)
SEALED = RIGHT._replace(status=Status.SEALED, total_wh=None, may_open=False)


def outcome(*slots: Period, problems: tuple[str, ...] = (), **attacks: Result) -> Outcome:
    stood = dict.fromkeys(CHARGES, Result.REFUSED)
    return Outcome("demo-1", 3, 1, 1, "from", "to", 9, bytes(32), slots, {**stood, **attacks}, (), problems)


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
