"""Bills of whole months: who comes and goes, what comes late, and what registers say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors.bill_provider import Newcomer
from gridproof.actors.bills.reading import NoBillError
from gridproof.actors.bills.report import Report
from gridproof.actors.errors import EarlierBillMissingError, MonthNotBillableError
from gridproof.domain import Direction, MonthId, RegisterBehindError, Slot
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Status

from tests.simulation.billed import (
    A_MONTH,
    BOTH,
    LATE_E9,
    MISSING_E9,
    BilledVillage,
    Lossy,
    energy_wh,
    gathered,
    month_wh,
    penalties,
    read_off,
    register_of,
    versions,
)
from tests.simulation.falsehoods import drop, line_of, records_of
from tests.simulation.village import NOVEMBER, OCTOBER, REGION, slot

NAMES = [f"meter {n}" for n in range(4)]
ADA = NAMES[0]
IMPORT = (Direction.IMPORT,)
DECEMBER = MonthId(NOVEMBER + 1)
ONE_EACH = {name: [1] for name in NAMES}
NONE: dict[str, list[int]] = {name: [] for name in NAMES}


class Killed(BaseException):
    """The process ended here."""


@pytest.fixture
def village(tmp_path: Path) -> Iterator[BilledVillage]:
    with BilledVillage(tmp_path, rules={"retention_months": 12}) as village:
        village.enrol(NAMES)
        yield village


@pytest.fixture
def billed(village: BilledVillage) -> BilledVillage:
    """A village after October, whose bills are still to be made."""
    village.read_month(NAMES)
    village.months()
    return village


# --- what is in a bill -----------------------------------------------------------------------------------------------


def test_every_household_gets_a_bill_that_is_true(billed: BilledVillage) -> None:
    outcome = billed.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.before, outcome.problems) == (4, 0, ())
    assert versions(billed, NAMES) == ONE_EACH
    for name in NAMES:
        report = billed.open(name).report
        assert [line.energy_wh for line in report.channels[0].lines] == [energy_wh(name, n) for n in range(A_MONTH)]
        assert penalties(report) == {}
    assert gathered(billed) == []


def test_a_household_that_feeds_in_has_both_channels_on_one_bill(tmp_path: Path) -> None:
    sunny = [f"sunny {n}" for n in range(3)]
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        village.enrol(sunny, channels=BOTH)
        village.read_month([*NAMES, *sunny])
        village.read_month(sunny, channel=Direction.EXPORT)
        village.months()
        assert village.billing().make(REGION, OCTOBER).made == 7
        report = village.true_report(sunny[0])
        assert [channel.channel for channel in report.channels] == ["import", "export"]
        assert register_of(report, "export").end_wh == month_wh(sunny[0])
        assert all(line.amount_e9 < 0 for line in report.channels[1].lines)
        card = village.reader(sunny[0]).card(OCTOBER)
        assert card is not None
        assert [part.channel for part in card.parts] == list(BOTH)


def test_a_month_that_is_not_closed_or_has_no_tariff_is_not_billed(village: BilledVillage) -> None:
    village.read_month(NAMES)
    village.run(A_MONTH, None, A_MONTH)
    with pytest.raises(MonthNotBillableError) as refused:
        village.billing().make(REGION, OCTOBER)
    assert (refused.value.region, refused.value.month) == (REGION, "2025-10")
    with pytest.raises(MonthNotBillableError):
        village.billing().make(REGION, DECEMBER)
    village.tariff = None
    village.months(2)
    with pytest.raises(MonthNotBillableError) as refused:
        village.billing().make(REGION, NOVEMBER)
    assert "without a tariff" in refused.value.detail
    assert village.billing().make(REGION, OCTOBER).made == 4


def test_a_month_whose_records_were_pruned_is_told_for_who_has_no_bill(tmp_path: Path) -> None:
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        village.read_month(NAMES, 0, 3 * A_MONTH)
        village.months(3)
        outcome = village.billing().make(REGION, OCTOBER)
        assert (outcome.made, [name for name, _ in outcome.problems]) == (0, NAMES)
        assert all("pruned" in str(problem) for _, problem in outcome.problems)
        assert versions(village, NAMES) == NONE
        assert village.billing().make(REGION, DECEMBER).made == 4


# --- who comes and goes ----------------------------------------------------------------------------------------------


def _stretch(report: Report) -> tuple[int, int]:
    return report.from_k - slot(0).k, report.until_k - slot(0).k


def test_who_moves_in_swaps_or_moves_out_in_mid_month_gets_a_part_of_it(village: BilledVillage) -> None:
    ada, bo, cleo, _ = NAMES
    village.read_month(NAMES, 0, 1)
    village.run(1, None, A_MONTH)
    village.crew.provider.move_out(ada, slot(3).k)
    village.crew.provider.swap(bo, bo, slot(4).k, OCTOBER)
    village.crew.provider.swap(cleo, "new device", slot(5).k, OCTOBER)
    village.enrol(["newcomer"], from_k=slot(6).k)
    village.read_month([*NAMES, "new device", "newcomer"], 1)
    village.months()
    outcome = village.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.problems) == (7, ())
    files = [*village.files(ada), *village.files(bo), *village.files(cleo)]
    files += [*village.files("new device"), *village.files("newcomer")]
    told = {(file.name, *_stretch(village.true_report(file))) for file in files}
    assert told == {
        (ada, 0, 3),
        (bo, 0, 4),
        (bo, 4, A_MONTH),
        (cleo, 0, 5),
        ("new device", 5, A_MONTH),
        ("newcomer", 6, A_MONTH),
    }
    for file in files:
        from_k, until_k = _stretch(village.open(file).report)
        channel = village.open(file).report.channels[0]
        assert sum(line.energy_wh for line in channel.lines) == month_wh(file.name, from_k, until_k)
        assert register_of(village.open(file).report).reconciled_wh == 0


def test_a_revoked_meters_bill_is_true_though_its_leaves_are_in_no_later_roster(village: BilledVillage) -> None:
    village.run(1, None, A_MONTH)
    village.crew.provider.revoke(ADA, slot(4).k)
    village.settle()
    village.read_month(NAMES)
    village.months()
    assert village.billing().make(REGION, OCTOBER).made == 4
    report = village.true_report(ADA)
    assert _stretch(report) == (0, 4)
    assert report.channels[0].leaf_proof
    assert versions(village, NAMES) == ONE_EACH


def test_bills_of_the_months_after_a_move_go_to_who_lives_there(village: BilledVillage) -> None:
    village.crew.provider.move_out(ADA, slot(A_MONTH).k)
    village.settle()
    issued = village.crew.provider.enrol([Newcomer(ADA, REGION, IMPORT, slot(A_MONTH).k, NOVEMBER)])[0]
    village.settle()
    village.read_month(NAMES, 0, 2 * A_MONTH)
    village.months(2)
    for month in (OCTOBER, NOVEMBER):
        assert village.billing().make(REGION, month).made == 4
    former, later = village.files(ADA)
    assert later.meter == issued.meter
    assert village.verdict(former, OCTOBER).is_true
    assert village.verdict(later, NOVEMBER).is_true
    with pytest.raises(NoBillError):
        village.open(former, NOVEMBER)
    assert village.open(later, NOVEMBER).report.history == ()
    assert [each.month for each in village.open(NAMES[1], NOVEMBER).report.history] == ["2025-10"]


# --- what comes late, or never ---------------------------------------------------------------------------------------


def test_a_half_that_was_lost_on_the_line_is_billed_late(village: BilledVillage) -> None:
    village.read_month(NAMES)
    line = Lossy(village)
    village.run(1, line, A_MONTH)
    line.lost = {records_of(village, ADA, 2)[1].prid}
    village.months(transport=line)
    village.billing().make(REGION, OCTOBER)
    report = village.true_report(ADA)
    late = line_of(report, 2)
    assert (late.late, late.energy_wh) == (True, energy_wh(ADA, 2))
    assert penalties(report) == {"late": LATE_E9}
    assert report.channels[0].absences == ()
    assert register_of(report).reconciled_wh == 0


def test_what_an_aggregator_dropped_is_claimed_and_billed_without_a_penalty(village: BilledVillage) -> None:
    village.read_month(NAMES)
    village.run(1, None, A_MONTH)
    drop(village, frozenset(record.prid for record in records_of(village, ADA, 2)))
    village.months()
    assert len(village.client.ask(aggregation.claimed, *slot(2))) == 2
    village.billing().make(REGION, OCTOBER)
    report = village.true_report(ADA)
    line = line_of(report, 2)
    assert (line.late, line.energy_wh) == (False, energy_wh(ADA, 2))
    assert penalties(report) == {}


def test_killed_when_a_slot_was_void_its_records_are_brought_late_all_the_same(
    village: BilledVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    village.read_month(NAMES)
    line = Lossy(village)
    line.down = frozenset({slot(2).k})

    def kill(at: Slot) -> int:
        if at == slot(2):
            raise Killed
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(village.crew, "bring_late", kill)
        with pytest.raises(Killed):
            village.months(transport=line)
    assert village.state(2).status == Status.VOID
    village.months(transport=line)
    village.billing().make(REGION, OCTOBER)
    assert all(line_of(village.true_report(name), 2).energy_wh == energy_wh(name, 2) for name in NAMES)


def test_silence_costs_its_penalty_and_the_month_s_dearest_price(village: BilledVillage) -> None:
    village.read((name, n, energy_wh(name, n)) for n in range(A_MONTH) for name in NAMES if (name, n) != (ADA, 2))
    read_off(village, ADA, 0, 5_000)
    read_off(village, ADA, A_MONTH, 5_000 + month_wh(ADA))
    village.months()
    village.billing().make(REGION, OCTOBER)
    report = village.true_report(ADA)
    assert [(absence.why, absence.penalty_e9) for absence in report.channels[0].absences] == [("silent", MISSING_E9)]
    register = register_of(report)
    assert (register.start_wh, register.reconciled_wh) == (5_000, energy_wh(ADA, 2))
    (charge,) = [each for each in report.charges if (each.kind, each.name) == ("reconciliation", "energy")]
    assert charge.rate >= max(line.price_e5 for line in village.open(NAMES[1]).report.channels[0].lines)


@pytest.mark.parametrize("is_brought", [False, True])
def test_while_no_aggregator_hears_anybody_no_meter_is_to_blame(village: BilledVillage, is_brought: bool) -> None:
    village.read_month(NAMES)
    line = Lossy(village)
    line.down = frozenset({slot(2).k})
    if not is_brought:
        village.crew.bring_late = lambda _slot: 0  # type: ignore[assignment,method-assign]
    village.months(transport=line)
    village.billing().make(REGION, OCTOBER)
    for name in NAMES:
        report = village.true_report(name)
        if is_brought:
            billed = line_of(report, 2)
            assert (billed.late, billed.fallback, billed.energy_wh) == (False, True, energy_wh(name, 2))
        else:
            assert [absence.why for absence in report.channels[0].absences] == ["void"]
        assert penalties(report) == {}


# --- registers -------------------------------------------------------------------------------------------------------


def test_registers_begin_where_the_last_ended_and_what_was_read_off_wins(village: BilledVillage) -> None:
    village.read_month(NAMES, 0, 3 * A_MONTH)
    read_off(village, ADA, 0, 1_000)
    read_off(village, ADA, 2 * A_MONTH, 1_000 + month_wh(ADA, 0, 2 * A_MONTH) + 77)
    village.months(3)
    for month in (OCTOBER, NOVEMBER, DECEMBER):
        assert village.billing().make(REGION, month).problems == ()
    spans = [register_of(village.true_report(ADA, month)) for month in (OCTOBER, NOVEMBER, DECEMBER)]
    ends = [(span.start_wh, span.end_wh) for span in spans]
    first, second = 1_000 + month_wh(ADA), 1_000 + month_wh(ADA, 0, 2 * A_MONTH) + 77
    assert ends == [
        (1_000, first),
        (first, second),
        (second, second + month_wh(ADA, 2 * A_MONTH, 3 * A_MONTH)),
    ]
    assert [span.reconciled_wh for span in spans] == [0, 77, 0]


def _unsigned(village: BilledVillage, month: MonthId) -> None:
    """Let no register be signed at the end of a month: the meters' process did not run then."""
    sign = village.crew.sign_registers

    def skip(region: int, bounds: Any, *more: Any) -> Any:
        return [] if bounds.month == month else sign(region, bounds, *more)

    village.crew.sign_registers = skip  # type: ignore[assignment,method-assign]


def test_a_month_without_a_register_is_carried_over_and_all_energy_is_billed_once(village: BilledVillage) -> None:
    _unsigned(village, OCTOBER)
    silent = (1, A_MONTH + 1)
    village.read(
        (name, n, energy_wh(name, n)) for n in range(2 * A_MONTH) for name in NAMES if name != ADA or n not in silent
    )
    read_off(village, ADA, 0, 0)
    read_off(village, ADA, 2 * A_MONTH, month_wh(ADA, 0, 2 * A_MONTH))
    village.months(2)
    for month in (OCTOBER, NOVEMBER):
        assert village.billing().make(REGION, month).problems == ()
    october, november = village.true_report(ADA), village.true_report(ADA, NOVEMBER)
    assert october.channels[0].register is None
    register = register_of(november)
    recorded_wh = sum(line.energy_wh for line in october.channels[0].lines)
    assert (register.start_k, register.carried_wh) == (slot(0).k, recorded_wh)
    assert register.reconciled_wh == sum(energy_wh(ADA, n) for n in silent)
    assert recorded_wh + register.recorded_wh + register.reconciled_wh == month_wh(ADA, 0, 2 * A_MONTH)


def test_a_register_that_reaches_back_waits_for_the_earlier_bill(village: BilledVillage) -> None:
    """Otherwise October's energy would be billed twice: by November's register, and by October's lines."""
    _unsigned(village, OCTOBER)
    village.read_month(NAMES, 0, 2 * A_MONTH)
    village.months(2)
    outcome = village.billing().make(REGION, NOVEMBER)
    assert outcome.made == 0
    assert {name: type(problem) for name, problem in outcome.problems} == dict.fromkeys(NAMES, EarlierBillMissingError)
    assert versions(village, NAMES, NOVEMBER) == NONE
    for month in (OCTOBER, NOVEMBER):
        assert village.billing().make(REGION, month).made == 4
    assert register_of(village.true_report(ADA, NOVEMBER)).reconciled_wh == 0


def test_a_register_that_reaches_back_over_a_month_without_a_tariff_is_let_be(village: BilledVillage) -> None:
    _unsigned(village, OCTOBER)
    village.read_month(NAMES, 0, 3 * A_MONTH)
    tariff, village.tariff = village.tariff, None
    village.run(A_MONTH, None, A_MONTH)
    village.tariff = tariff
    village.months(3)
    for month in (NOVEMBER, DECEMBER):
        assert village.billing().make(REGION, month).problems == ()
    assert village.true_report(ADA, NOVEMBER).channels[0].register is None
    assert register_of(village.true_report(ADA, DECEMBER)).reconciled_wh == 0


def test_a_register_behind_the_records_is_told_and_the_others_get_their_bills(village: BilledVillage) -> None:
    village.read_month(NAMES)
    read_off(village, ADA, 0, 0)
    read_off(village, ADA, A_MONTH, month_wh(ADA) - 1)
    village.months()
    outcome = village.billing().make(REGION, OCTOBER)
    ((name, problem),) = outcome.problems
    assert isinstance(problem, RegisterBehindError)
    assert (name, problem.register_wh, problem.recorded_wh) == (ADA, month_wh(ADA) - 1, month_wh(ADA))
    assert versions(village, NAMES) == {name: [] if name == ADA else [1] for name in NAMES}
    again = village.billing().make(REGION, OCTOBER)
    assert (again.made, again.before, len(again.problems)) == (0, 3, 1)
