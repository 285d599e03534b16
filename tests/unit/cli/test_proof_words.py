"""What a proof shows, in words with units and for programs."""

from typing import Any

import pytest
from rich.console import Console

from gridproof.actors.proof_file import ProvenReading
from gridproof.actors.proofs.statements import FOLDS, Shown
from gridproof.cli.proof_words import say, told
from gridproof.domain import Direction, RegionId, Slot
from gridproof.modules.aggregation.types import BatchNote, LateState, SlotState, Status
from gridproof.modules.billing.types import Bill
from gridproof.modules.pricing.types import FoldedPrice, Price
from gridproof.modules.registry.types import KeyUse, Meter, Month, Participant, Region

from tests.unit.actors.bills.samples import TARIFF

PLACE = {"region": 1, "channel": 1, "k": 1_957_245}
NOTE = BatchNote(3, b"r" * 32, 4, 4)


def said(kind: str, about: dict[str, Any], found: Any, period_s: int | None = None) -> list[str]:
    """The lines that people read."""
    words = Console(width=200)
    with words.capture() as out:
        say(words, Shown(kind, about, found), period_s)
    lines = out.get().splitlines()
    assert not any(sign in line for line in lines for sign in "{}[]'"), "no raw value is told"
    return lines


def state(status: Status, *batches: BatchNote, live: int = 0, total_wh: int = 0) -> SlotState:
    filled = 2 * sum(note.fresh for note in batches) // 2
    return SlotState(status, b"", 20, b"", filled, 5, batches, 8, b"", live, 6, 0, 5, 6, total_wh)


@pytest.mark.parametrize(
    ("slot", "words"),
    [
        (state(Status.OPENED, NOTE, live=6, total_wh=1_234), "1,234 Wh, the sum of 6 meters; 6 are enrolled"),
        (
            state(Status.SEALED, NOTE, live=2),
            "no total, for good: the slot is sealed, for 2 of 6 meters are too few to hide one another",
        ),
        (state(Status.VOID), "no total, for good: the slot is void, for nobody sent anything for it"),
        (state(Status.VOID, NOTE), "no total, for good: the slot is void, for its masks were not opened in time"),
        (state(Status.FIXED, NOTE, live=6), "no total yet: the slot is fixed"),
    ],
)
def test_a_slot_without_a_total_is_not_told_as_a_total_of_nothing(slot: SlotState, words: str) -> None:
    lines = said("total", PLACE, slot)
    assert lines[:2] == ["total: region 1, channel import, period 1957245", f"  {words}"]
    assert any(" 0 Wh" in line for line in lines) is False


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (Price(12_900, False, 615), "0.1290 per kWh, as it follows from a total of 615 Wh"),
        (Price(14_500, True, 0), "0.1450 per kWh, which the tariff names for a slot without a total"),
        (FoldedPrice(7, -900, False), "-0.0090 per kWh"),
    ],
)
def test_a_price_is_one_for_a_kilowatt_hour(price: Price | FoldedPrice, words: str) -> None:
    assert said("price", PLACE, price)[1:] == [f"  {words}"]


def test_readings_are_told_as_verify_record_tells_them() -> None:
    slot = Slot(RegionId(1), Direction.EXPORT, 489_286)
    readings = [ProvenReading(slot, 1_500, Status.OPENED, True), ProvenReading(slot, 7, Status.SEALED, None)]
    lines = said("records", {"region": 1}, {"readings": readings}, 3_600)
    assert lines[2].split() == ["export", "2025-10-25", "22:00", "1,500", "opened", "yes"]
    assert lines[3].endswith("not told    ")
    assert lines[-1] == "2 readings, 1,507 Wh."


def test_a_bill_is_told_with_its_currency() -> None:
    found = {"household": "Ada", "payable_e9": 12_350_000_000, "currency": "CHF"}
    assert said("whole-bill", {"region": 1, "month": 24_309, "version": 1}, found) == [
        "whole-bill: region 1, month 2025-10, version 1",
        "  the bill of Ada, all true; to be paid are 12.35 CHF",
    ]


def test_a_tariff_is_told_part_by_part() -> None:
    tariff = TARIFF
    lines = said("tariff", {"region": 1, "month": 24_309, "from_k": 5}, tariff)
    assert lines[0] == "tariff: region 1, month 2025-10, from period 5"
    assert any(line.startswith("import") and line.rstrip().endswith("kWh") for line in lines)
    assert told(Shown("tariff", {}, tariff))["found"]["currency"] == tariff.currency


def test_other_entries_are_told_field_by_field_each_with_its_unit() -> None:
    region = Region("Old Town", 900, 3_600, 1, 604_800, 604_800, 24, 5, 805)
    assert {"  period: 900 s", "  claim: 604,800 s", "  min live: 80.5 %"} <= set(said("region", {"region": 1}, region))
    month = Month(1_761_519_600, 1_761_951_600, 5, 800, False, 0)
    assert {"  start: 2025-10-26 23:00:00 UTC", "  closed: no", "  previous: none"} <= set(said("month", {}, month))
    assert "  end: 1,099,511,627,776 s" in said("month", {}, Month(0, 2**40, 5, 800, True, 24_309))
    assert "  roles: operator, data aggregator" in said("participant", {}, Participant("x", 9, 0))
    assert "  role: receipt" in said("key", {}, KeyUse(3, 2, 0))
    assert {"  channels: import, export", "  until period: none"} <= set(said("meter", {}, Meter(1, (1, 2), 5, 0)))
    bill = said("bill", {"bid": b"\xab" * 32}, Bill("bafy", b"\xcd" * 32, 1_761_519_600))
    assert bill[0] == f"bill: bill id {'ab' * 32}"
    assert bill[-1] == "  registered: 2025-10-26 23:00:00 UTC"


def test_batches_and_claims_are_told_by_who_brought_or_dropped() -> None:
    late = said("side-batch", PLACE, LateState(b"\x01", (NOTE,)))
    assert late[-1] == f"  batches: aggregator: 3; root: {NOTE.root.hex()}; count: 4; fresh: 4"
    assert said("side-batch", PLACE, LateState(b"", ()))[-1] == "  batches: none"
    assert "participant 7 gave a receipt" in said("claim", {**PLACE, "position": 2}, 7)[1]


def test_what_the_ledger_does_not_have_is_said() -> None:
    assert said("bill", {"version": 1}, None) == ["bill: version 1", "  the ledger has nothing there"]
    for kind in FOLDS:
        (_, line) = said(kind, {"k": 1}, None)
        assert line == f"  the ledger has nothing there of its own: {kind}s of a closed month lie in its fold"
    assert told(Shown("claim", {"k": 1}, 7)) == {"kind": "claim", "about": {"k": 1}, "found": 7}
