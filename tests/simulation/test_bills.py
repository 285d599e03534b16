"""Bills of whole months: who comes and goes, what comes late, and a bill provider that is killed anywhere."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.bill_provider import Billing, Newcomer
from gridproof.actors.bill_provider.gathering import Gatherer
from gridproof.actors.bills.reading import NoBillError
from gridproof.actors.bills.report import Report
from gridproof.actors.errors import EarlierBillMissingError, MonthNotBillableError, NotEnrolledError
from gridproof.connectors.bill_book import BillBook
from gridproof.connectors.content import ContentMissingError, ContentNotStoredError, FolderContent
from gridproof.connectors.files import FileUnwritableError
from gridproof.connectors.registers import RegisterReading
from gridproof.domain import Direction, MonthId, RegisterBehindError, Slot
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Status
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.messages import RegisterBills

from tests.simulation.billed import (
    A_MONTH,
    BOTH,
    LATE_E9,
    LETTERHEAD,
    MISSING_E9,
    BilledVillage,
    Lossy,
    energy_wh,
    month_wh,
)
from tests.simulation.falsehoods import drop, line_of, records_of
from tests.simulation.village import NOVEMBER, OCTOBER, PERIOD_S, REGION, START_S, slot

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


def versions(village: BilledVillage, month: MonthId = OCTOBER) -> dict[str, list[int]]:
    """The registered versions of each household's bill of a month; its reports open and are true."""
    found = {}
    for name in NAMES:
        found[name] = [number for number, _ in village.reader(name).versions(month)]
        if found[name]:
            assert village.verdict(name, month).falsehoods == []
    return found


def gathered(village: BilledVillage) -> list[Path]:
    return sorted((village.folder / "bills" / "gathered").glob("*"))


# --- what is in a bill -----------------------------------------------------------------------------------------------


def test_every_household_gets_a_bill_that_is_true(billed: BilledVillage) -> None:
    outcome = billed.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.before, outcome.problems) == (4, 0, ())
    assert versions(billed) == ONE_EACH
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
        assert versions(village) == NONE
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
    assert versions(village) == ONE_EACH


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


def test_what_an_aggregator_dropped_is_claimed_and_billed_without_the_penalty_of_a_missing_slot(
    village: BilledVillage,
) -> None:
    village.read_month(NAMES)
    village.run(1, None, A_MONTH)
    drop(village, frozenset(record.prid for record in records_of(village, ADA, 2)))
    village.months()
    assert len(village.client.ask(aggregation.claimed, *slot(2))) == 2
    village.billing().make(REGION, OCTOBER)
    report = village.true_report(ADA)
    assert line_of(report, 2).late
    assert "missing" not in penalties(report)


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
    assert all(line_of(village.true_report(name), 2).late for name in NAMES)


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
            assert line_of(report, 2).late
            assert line_of(report, 2).fallback
            assert penalties(report) == {"late": LATE_E9}
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
    assert versions(village, NOVEMBER) == NONE
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
    assert versions(village) == {name: [] if name == ADA else [1] for name in NAMES}
    again = village.billing().make(REGION, OCTOBER)
    assert (again.made, again.before, len(again.problems)) == (0, 3, 1)


# --- killed, and run again -------------------------------------------------------------------------------------------


def _killing(after: int, call: Callable[..., Any], *, done: bool) -> Callable[..., Any]:
    """Kill at the `after`-th call, before or after it did its work."""
    calls: list[object] = []

    def killed(*args: Any, **more: Any) -> Any:
        calls.append(args)
        if len(calls) == after and not done:
            raise Killed
        result = call(*args, **more)
        if len(calls) == after:
            raise Killed
        return result

    return killed


STEPS = {
    "noting": (BillBook, "note"),
    "publishing": (FolderContent, "put"),
    "gathering": (Gatherer, "_fill_slot"),
}


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("after", [1, 2, 3, 8])
@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_each_household_has_one_bill_of_each_version(
    billed: BilledVillage, monkeypatch: pytest.MonkeyPatch, step: str, after: int, done: bool
) -> None:
    owner, name = STEPS[step]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, _killing(after, getattr(owner, name), done=done))
        try:
            billed.billing().make(REGION, OCTOBER)
        except Killed:
            pass
        else:
            assert (step, after) == ("noting", 8), "there are four notes only"
    outcome = billed.billing().make(REGION, OCTOBER)
    assert outcome.made + outcome.before == 4
    assert outcome.problems == ()
    assert versions(billed) == ONE_EACH
    assert gathered(billed) == []


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_killed_between_two_parts_of_the_registration_none_is_left_out(
    billed: BilledVillage, monkeypatch: pytest.MonkeyPatch, after: int, done: bool
) -> None:
    seat = billed.crew.provider.seat
    monkeypatch.setattr("gridproof.actors.bill_provider.billing.BILLS_A_MESSAGE", 1)
    with monkeypatch.context() as patched:
        patched.setattr(seat, "send", _killing(after, seat.send, done=done))
        with pytest.raises(Killed):
            billed.billing().make(REGION, OCTOBER)
    billed.settle()
    registered = len(billed.client.ask(billing.bills, REGION, OCTOBER))
    assert registered == after - (not done)
    with monkeypatch.context() as patched:
        patched.setattr("gridproof.actors.bill_provider.billing.make_bills", _never)
        outcome = billed.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.before) == (4 - registered, registered)
    assert versions(billed) == ONE_EACH


def _never(*_: object) -> Any:
    raise AssertionError("what was published is registered, not made again")


def test_a_correction_is_the_next_version_and_names_no_other(billed: BilledVillage) -> None:
    billed.billing().make(REGION, OCTOBER)
    first = billed.open(ADA)
    outcome = billed.billing().make(REGION, OCTOBER, correct=[ADA])
    assert (outcome.made, outcome.before) == (1, 4)
    assert versions(billed) == {name: [1, 2] if name == ADA else [1] for name in NAMES}
    second = billed.open(ADA)
    assert (second.version, second.report.bill_version) == (2, 2)
    assert replace(second.report, bill_version=1, made_s=first.report.made_s) == first.report
    assert billed.open(ADA, version=1) == first, "the old one is kept"


def test_a_correction_that_was_killed_is_registered_by_any_later_run_and_not_made_twice(
    billed: BilledVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    billed.billing().make(REGION, OCTOBER)
    seat = billed.crew.provider.seat
    with monkeypatch.context() as patched:
        patched.setattr(seat, "send", _killing(1, seat.send, done=False))
        with pytest.raises(Killed):
            billed.billing().make(REGION, OCTOBER, correct=[ADA])
    assert versions(billed)[ADA] == [1]
    outcome = billed.billing().make(REGION, OCTOBER, correct=[ADA])
    assert (outcome.made, outcome.before) == (1, 4)
    assert versions(billed) == {name: [1, 2] if name == ADA else [1] for name in NAMES}
    assert billed.billing().make(REGION, OCTOBER).made == 0


def test_only_who_has_a_bill_is_corrected(billed: BilledVillage) -> None:
    for names, wanted in (([ADA], ADA), (["nobody"], "nobody")):
        with pytest.raises(NotEnrolledError) as refused:
            billed.billing().make(REGION, OCTOBER, correct=names)
        assert refused.value.meter == wanted
    assert versions(billed) == NONE


def test_a_bill_that_is_there_is_left_as_it_is(billed: BilledVillage) -> None:
    billed.billing().make(REGION, OCTOBER)
    before = {name: billed.open(name) for name in NAMES}
    outcome = billed.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.before) == (0, 4)
    assert {name: billed.open(name) for name in NAMES} == before


# --- disks -----------------------------------------------------------------------------------------------------------


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_disk_that_is_full_while_gathering_is_told_and_nothing_is_left_or_registered(
    billed: BilledVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", _full)
        with pytest.raises(FileUnwritableError) as refused:
            billed.billing().make(REGION, OCTOBER)
    assert refused.value.detail == "No space left on device"
    assert gathered(billed) == []
    assert versions(billed) == NONE
    assert billed.billing().make(REGION, OCTOBER).made == 4


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_disk_that_is_full_while_publishing_registers_nothing_that_cannot_be_fetched(
    billed: BilledVillage, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    put, calls = FolderContent.put, []

    def full(self: FolderContent, content: bytes) -> str:
        calls.append(content)
        if len(calls) > after:
            raise ContentNotStoredError(place="store", detail="No space left on device")
        return put(self, content)

    with monkeypatch.context() as patched:
        patched.setattr(FolderContent, "put", full)
        with pytest.raises(ContentNotStoredError):
            billed.billing().make(REGION, OCTOBER)
    assert gathered(billed) == []
    assert versions(billed) == NONE
    outcome = billed.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.before) == (4, 0)
    assert versions(billed) == ONE_EACH


def test_what_a_killed_run_left_is_erased_by_the_next_of_whatever_month(
    village: BilledVillage,
) -> None:
    village.read_month(NAMES, 0, 2 * A_MONTH)
    village.months(2)
    left = village.folder / "bills" / "gathered" / f"{REGION}-import-{OCTOBER}.cells"
    village.billing().make(REGION, OCTOBER)
    left.write_bytes(b"whose each record is")
    assert village.billing().make(REGION, NOVEMBER).made == 4
    assert gathered(village) == []
    left.write_bytes(b"whose each record is")
    assert village.billing().make(REGION, NOVEMBER).made == 0
    assert gathered(village) == []


def test_gathered_files_are_the_bill_providers_only(billed: BilledVillage, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    fill = Gatherer._fill_slot

    def watched(self: Gatherer, *args: Any) -> None:
        modes.extend(path.stat().st_mode & 0o777 for path in gathered(billed))
        fill(self, *args)

    monkeypatch.setattr(Gatherer, "_fill_slot", watched)
    billed.billing().make(REGION, OCTOBER)
    assert set(modes) == {0o600}
    assert (billed.folder / "bills" / "gathered").stat().st_mode & 0o777 == 0o700


def test_a_report_that_the_store_lost_is_found_and_published_again(billed: BilledVillage) -> None:
    billed.billing().make(REGION, OCTOBER)
    known = billed.reader(ADA).versions(OCTOBER)[0][1]
    path = next((billed.folder / "content").rglob(known.cid))
    path.unlink()
    with pytest.raises(ContentMissingError):
        billed.open(ADA)
    assert [cid for cid, _ in billed.billing().find_damage(REGION, OCTOBER)] == [known.cid]
    assert billed.billing().publish_again(REGION, OCTOBER) == [known.cid]
    assert billed.verdict(ADA).is_true
    assert billed.billing().find_damage(REGION, OCTOBER) == []


# --- many at once ----------------------------------------------------------------------------------------------------


def test_a_pool_of_processes_makes_the_same_reports(billed: BilledVillage) -> None:
    billed.billing().make(REGION, OCTOBER)
    serial = {name: billed.open(name).report for name in NAMES}
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        outcome = billed.billing(executor).make(REGION, OCTOBER, correct=NAMES)
    assert (outcome.made, outcome.problems) == (4, ())
    pooled = {name: billed.open(name).report for name in NAMES}
    assert {name: report.bill_version for name, report in pooled.items()} == dict.fromkeys(NAMES, 2)
    assert {name: replace(report, bill_version=1) for name, report in pooled.items()} == {
        name: replace(report, made_s=pooled[name].made_s) for name, report in serial.items()
    }


def test_what_is_wrong_with_one_household_comes_back_from_a_process(village: BilledVillage) -> None:
    village.read_month(NAMES)
    read_off(village, ADA, 0, 0)
    read_off(village, ADA, A_MONTH, 0)
    village.months()
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        outcome = village.billing(executor).make(REGION, OCTOBER)
    assert (outcome.made, [(name, type(problem)) for name, problem in outcome.problems]) == (
        3,
        [(ADA, RegisterBehindError)],
    )


def test_bills_are_registered_in_the_order_of_their_identities(
    billed: BilledVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = billed.crew.provider.seat
    send, sent = seat.send, list[Any]()

    def watched(*messages: Any) -> None:
        sent.extend(messages)
        send(*messages)

    monkeypatch.setattr(seat, "send", watched)
    billed.billing().make(REGION, OCTOBER)
    (message,) = sent
    assert isinstance(message, RegisterBills)
    bids = [bill.bid for bill in message.bills]
    assert bids == sorted(bids)


def test_progress_is_told_to_its_end(billed: BilledVillage) -> None:
    told: list[tuple[int, int]] = []
    billed.billing().make(REGION, OCTOBER, progress=lambda done, whole: told.append((done, whole)))
    whole = A_MONTH + len(NAMES)
    assert told == [(done, whole) for done in range(1, whole + 1)]


def test_a_letterhead_is_the_communitys(billed: BilledVillage) -> None:
    work = Billing(billed.crew.provider, billed.stores, LETTERHEAD._replace(regions={}))
    work.make(REGION, OCTOBER)
    report = billed.true_report(ADA)
    assert (report.community, report.zone, report.region_name) == ("Village", "UTC", "")
