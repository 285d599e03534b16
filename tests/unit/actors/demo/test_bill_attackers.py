"""What a thief of the bill provider's keys makes is false in one point only, and that point is found."""

from collections.abc import Iterator

import pytest

from gridproof.actors.bills.evidence import LedgerEvidence
from gridproof.actors.bills.report import Report
from gridproof.actors.bills.verifying import verify_report
from gridproof.actors.demo.bill_attackers import MORE_WH, Ledgers, dressed, overcharged
from gridproof.actors.household import public_leaves
from gridproof.domain import Direction

from tests.simulation.billed import BilledVillage
from tests.simulation.falsehoods import ANN, OTHERS, eventful
from tests.simulation.village import CHAIN, OCTOBER, REGION


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledVillage]:
    village = eventful(tmp_path_factory.mktemp("village"))
    yield village
    village.close()


def evidence(village: BilledVillage) -> LedgerEvidence:
    return LedgerEvidence(village.client, CHAIN, REGION, OCTOBER, public_leaves(village.client, village.shelf.rosters))


def false(village: BilledVillage, report: Report, name: str) -> set[str]:
    """The checks in which a household finds something false."""
    card = village.reader(name).card(OCTOBER)
    verdict = verify_report(report, village.file(name), evidence(village), card)
    return {finding.check for finding in verdict.findings if not finding.holds}


def overcharged_bill(village: BilledVillage, name: str) -> tuple[Report, Report]:
    """A household's true report, and what the thief makes of it."""
    report, ledger = village.open(name).report, evidence(village)
    bounds = ledger.bounds()
    assert bounds is not None
    prices = {direction: ledger.prices(direction) for direction in Direction}
    return report, overcharged(report, Ledgers(bounds, ledger.tariffs(), prices))


def test_more_energy_with_every_sum_to_match_is_given_away_by_the_records_alone(village: BilledVillage) -> None:
    report, forged = overcharged_bill(village, OTHERS[0])
    assert false(village, report, OTHERS[0]) == set()
    assert false(village, forged, OTHERS[0]) == {"records"}
    changed = [
        after.energy_wh - before.energy_wh
        for before, after in zip(report.channels[0].lines, forged.channels[0].lines, strict=True)
    ]
    assert sorted(changed) == [0] * (len(changed) - 1) + [MORE_WH]
    assert forged.total_e9 == sum(charge.amount_e9 for charge in forged.charges) > report.total_e9


def test_a_bill_with_absences_and_late_lines_is_forged_as_well(village: BilledVillage) -> None:
    report, forged = overcharged_bill(village, ANN)
    assert report.channels[0].absences
    assert false(village, forged, ANN) == {"records"}


def test_anothers_report_under_ones_own_name_is_anothers_all_the_same(village: BilledVillage) -> None:
    mine, other = (village.open(name).report for name in OTHERS[:2])
    foreign = dressed(other, mine)
    assert (foreign.bid, foreign.meter, foreign.household) == (mine.bid, mine.meter, mine.household)
    assert foreign.channels == other.channels
    found = false(village, foreign, OTHERS[0])
    assert {"records", "leaves"} <= found
    assert not found & {"identity", "period", "prices", "arithmetic", "tariffs"}
