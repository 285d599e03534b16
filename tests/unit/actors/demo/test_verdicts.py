"""Under-reporting is found only if all that was kept back is billed, and no cheaper than honesty."""

from decimal import Decimal

import pytest

from gridproof.actors.demo.docket import Docket, Result
from gridproof.actors.demo.outcome import Billed
from gridproof.actors.demo.script import Shaving
from gridproof.actors.demo.verdicts import find_under_reporting

SHAVING = Shaving(1, "cheat", 10, 14)


def bill(meter: str, total_e9: int, reconciled_wh: int, month: str = "2025-06") -> Billed:
    return Billed(meter, 1, month, 1, 0, 0, reconciled_wh, 0, 0, total_e9, total_e9, "CHF", (), (), "page.html")


def found(*bills: Billed, honest: str = "3.5", kept_back_wh: int = 900) -> Docket:
    docket = Docket()
    find_under_reporting(docket, bills, SHAVING, Decimal(honest), kept_back_wh)
    return docket


HONEST = bill("honest", 1, 0)


@pytest.mark.parametrize("paid_e9", [3_500_000_000, 3_500_000_001, 9_000_000_000])
def test_whoever_pays_for_all_and_no_less_than_the_honest_is_found(paid_e9: int) -> None:
    docket = found(HONEST, bill("cheat", paid_e9, 900))
    assert docket.result("under_reporting") is Result.FOUND


def test_the_months_of_a_story_are_added_up() -> None:
    docket = found(bill("cheat", 2_000_000_000, 500), HONEST, bill("cheat", 1_600_000_000, 400, "2025-07"))
    assert docket.result("under_reporting") is Result.FOUND
    assert docket.tries[0].told.startswith("900 Wh that cheat kept back are billed at the dearest price: CHF 3.60")


@pytest.mark.parametrize(
    "own",
    [bill("cheat", 3_499_999_999, 900), bill("cheat", 9_000_000_000, 899), bill("cheat", 3_500_000_000, 0)],
)
def test_whoever_pays_less_or_for_less_got_through(own: Billed) -> None:
    assert found(HONEST, own).result("under_reporting") is Result.SUCCEEDED


def test_whoever_has_no_bill_got_through() -> None:
    docket = found(HONEST)
    assert docket.result("under_reporting") is Result.SUCCEEDED
    assert "is not billed for what it kept back" in docket.tries[0].told
