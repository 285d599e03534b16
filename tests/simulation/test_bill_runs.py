"""A bill provider that is killed anywhere, whose disk is full, or that makes many bills at once."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.bill_provider import Billing
from gridproof.actors.bill_provider.gathering import Gatherer
from gridproof.actors.errors import NotEnrolledError
from gridproof.connectors.bill_book import BillBook
from gridproof.connectors.content import ContentMissingError, ContentNotStoredError, FolderContent
from gridproof.connectors.files import FileUnwritableError
from gridproof.domain import RegisterBehindError
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.messages import RegisterBills

from tests.simulation.billed import (
    A_MONTH,
    LETTERHEAD,
    BilledVillage,
    gathered,
    read_off,
    versions,
)
from tests.simulation.village import NOVEMBER, OCTOBER, REGION

NAMES = [f"meter {n}" for n in range(4)]
ADA = NAMES[0]
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
    assert versions(billed, NAMES) == ONE_EACH
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
    assert versions(billed, NAMES) == ONE_EACH


def _never(*_: object) -> Any:
    raise AssertionError("what was published is registered, not made again")


def test_a_correction_is_the_next_version_and_names_no_other(billed: BilledVillage) -> None:
    billed.billing().make(REGION, OCTOBER)
    first = billed.open(ADA)
    outcome = billed.billing().make(REGION, OCTOBER, correct=[ADA])
    assert (outcome.made, outcome.before) == (1, 4)
    assert versions(billed, NAMES) == {name: [1, 2] if name == ADA else [1] for name in NAMES}
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
    assert versions(billed, NAMES)[ADA] == [1]
    outcome = billed.billing().make(REGION, OCTOBER, correct=[ADA])
    assert (outcome.made, outcome.before) == (1, 4)
    assert versions(billed, NAMES) == {name: [1, 2] if name == ADA else [1] for name in NAMES}
    assert billed.billing().make(REGION, OCTOBER).made == 0


def test_only_who_has_a_bill_is_corrected(billed: BilledVillage) -> None:
    for names, wanted in (([ADA], ADA), (["nobody"], "nobody")):
        with pytest.raises(NotEnrolledError) as refused:
            billed.billing().make(REGION, OCTOBER, correct=names)
        assert refused.value.meter == wanted
    assert versions(billed, NAMES) == NONE


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
    assert versions(billed, NAMES) == NONE
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
    assert versions(billed, NAMES) == NONE
    outcome = billed.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.before) == (4, 0)
    assert versions(billed, NAMES) == ONE_EACH


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
    assert billed.billing().publish_again([known.cid]) == {}
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
