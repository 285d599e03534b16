"""The demonstration from the command line: its summary, its files, and one app hash for one seed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gridproof.actors.clock import Clock
from gridproof.actors.community import Folder
from gridproof.actors.demo import CHARGES, Order, Venue, tell
from gridproof.app import application
from gridproof.cli.main import run
from gridproof.connectors.ledger import InProcessClient, LedgerClient
from gridproof.drivers.embedded import EmbeddedLedger, Options
from gridproof.state import SerialVerifier
from gridproof.state.store import MemoryStore

from .demos import Ran, demo, told_bills, told_periods
from tests.unit.actors.bills.page.reading import read

SMALL = ("--households", 12, "--periods", 8)
FOUND = {"silent_meter", "half_sent_record", "absurd_value", "dropped_meter", "under_reporting", "changed_bill"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("demo") / "day"
    ran = demo(*SMALL, "--dir", folder, "--json", TZ="UTC", PYTHONHASHSEED="0")
    assert ran.code == 0, ran.err
    return ran.json


def test_the_summary_tells_what_was_done_and_that_every_attack_was_stood(first: dict[str, Any]) -> None:
    assert (first["households"], first["regions"], first["periods"]) == (12, 1, 8)
    assert first["attacks"] == {name: "found" if name in FOUND else "refused" for name in CHARGES}
    assert first["ok"] is True
    assert first["problems"] == []
    assert first["totals"]["wrong"] == 0
    assert first["height"] > 0
    assert first["app_hash"] == first["priced_app_hash"] != first["final_app_hash"]
    assert len(bytes.fromhex(first["app_hash"])) == len(bytes.fromhex(first["final_app_hash"])) == 32
    assert first["final_height"] > first["height"]
    assert first["chain_id"].startswith("demonstration-")
    assert first["seconds"] > 0


def test_the_summary_agrees_with_what_it_says_of_each_slot(first: dict[str, Any]) -> None:
    slots = told_periods(first)
    assert first["totals"]["slots"] == len(slots)
    assert first["missing"] == sum(each["enrolled"] - each["live"] for each in slots)
    drawn = [each for each in slots if each["channel"] == "import"]
    assert first["total_wh"] == sum(each["total_wh"] or 0 for each in drawn)
    assert all(each["total_wh"] == each["counted_wh"] for each in drawn)
    # Two records of each live meter and of the absurd value, one where the other half is not on the ledger.
    records = sum(2 * (each["live"] + list(each["missing"].values()).count("absurd")) for each in slots)
    orphans = sum(
        each["named_by_bill_provider"].get(meter) == "half-sent" for each in slots for meter in each["missing"]
    )
    assert first["records"] == records + orphans


def test_few_generators_hide_no_one_and_their_export_stays_sealed(first: dict[str, Any]) -> None:
    given = [each for each in told_periods(first) if each["channel"] == "export"]
    assert given
    assert {each["status"] for each in given} == {"sealed"}
    assert first["exported_wh"] == 0


def test_every_missing_meter_is_named_by_the_bill_provider_and_nobody_else_is(first: dict[str, Any]) -> None:
    fitting = {
        "silent": {"silent"},
        "half-sent": {"half-sent"},
        "absurd": {"absurd"},
        "dropped": {"silent", "half-sent"},
    }
    for slot in told_periods(first):
        named = slot["named_by_bill_provider"]
        assert named.keys() == slot["missing"].keys()
        assert all(named[meter] in fitting[why] for meter, why in slot["missing"].items())


@pytest.mark.parametrize(
    ("zone", "hash_seed", "cores"), [("Pacific/Auckland", "1", 1), ("America/St_Johns", "4242", None)]
)
def test_one_seed_gives_one_app_hash_in_any_zone_with_any_hash_seed_on_any_cores(
    first: dict[str, Any], zone: str, hash_seed: str, cores: int | None, tmp_path: Path
) -> None:
    again = demo(*SMALL, "--dir", tmp_path / "day", "--json", cores=cores, TZ=zone, PYTHONHASHSEED=hash_seed)
    assert again.code == 0, again.err
    same = {"app_hash", "height", "chain_id", "total_wh", "records", "missing", "attacks", "start", "end"}
    same |= {"priced_app_hash", "final_height", "bills", "billed_wh", "billed_e9", "billing"}
    assert {key: again.json[key] for key in same} == {key: first[key] for key in same}
    assert told_periods(again.json) == told_periods(first)
    assert told_bills(again.json) == told_bills(first)
    assert again.json["final_app_hash"] != first["final_app_hash"], "bills are sealed with fresh chance"


def test_every_household_has_a_bill_that_it_found_true_and_the_count_comes_to_as_well(first: dict[str, Any]) -> None:
    bills = told_bills(first)
    assert first["bills"] == len(bills) == 12
    assert {(*each["falsehoods"], *each["differences"]) for each in bills} == {()}
    assert first["billed_wh"] == sum(each["import_wh"] for each in bills)
    assert first["billed_e9"] == sum(each["total_e9"] for each in bills)
    assert first["billing"]["verified"] == first["billing"]["counted"] == 12
    assert first["billing"]["payable_e9"] == sum(each["payable_e9"] for each in bills)
    # What no record says is billed all the same: drawn in silence, under-reported, or read absurdly.
    assert first["billed_wh"] > first["total_wh"]
    assert first["billing"]["reconciled_wh"] > 0


def test_what_was_attacked_was_contested_and_corrected(
    first: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    corrected = [each for each in told_bills(first) if each["version"] > 1]
    assert [each["version"] for each in corrected] == [3, 4]
    assert first["billing"]["corrected"] == 2
    assert run(["bill", "objections", "--dir", first["folder"], "--json"]) == 0
    (objection,) = json.loads(capsys.readouterr().out)["objections"]
    assert (objection["meter"], objection["version"]) == (corrected[0]["meter"], 2)
    assert objection["answer"] == "upheld"


def test_a_household_can_verify_its_bill_afterwards(first: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    bill = told_bills(first)[0]
    assert run(["verify", "bill", bill["meter"], "--dir", first["folder"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total_e9"] == bill["total_e9"]


def test_the_report_links_each_bills_page_and_loads_nothing(first: dict[str, Any]) -> None:
    page = Path(first["report"])
    text = page.read_text(encoding="utf-8")
    root = read(text)
    links = [each.attributes["href"] for each in root.section("bills").all("a")]
    assert len(links) == first["bills"]
    for link in links:
        assert (page.parent / link).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "://" not in text
    assert "All is well" in root.words
    assert first["app_hash"] in text
    assert {path.stat().st_mode & 0o777 for path in (page, *(page.parent / "bills").iterdir())} == {0o600}


def test_the_report_can_lie_elsewhere_and_nothing_is_written_over(tmp_path: Path) -> None:
    page = tmp_path / "my report.html"
    ran = demo(*SMALL, "--dir", tmp_path / "day", "--report", page, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["report"] == str(page)
    links = [each.attributes["href"] for each in read(page.read_text(encoding="utf-8")).section("bills").all("a")]
    assert all((tmp_path / link).exists() for link in links)
    again = demo(*SMALL, "--dir", tmp_path / "other", "--report", page, "--json")
    assert (again.code, again.json["error"]) == (1, "FileExistsAlreadyError")
    nowhere = demo(*SMALL, "--dir", tmp_path / "other", "--report", tmp_path / "no" / "where.html", "--json")
    assert (nowhere.code, nowhere.json["error"]) == (1, "FileUnwritableError")
    assert not (tmp_path / "other").exists()


def test_a_ledger_in_memory_comes_to_the_same_app_hash(first: dict[str, Any], tmp_path: Path) -> None:
    @contextmanager
    def in_memory(folder: Folder, clock: Clock) -> Iterator[LedgerClient]:
        genesis, options = folder.genesis.read_bytes(), Options(SerialVerifier(), clock=clock.now_s)
        with EmbeddedLedger(MemoryStore(), application, genesis, options) as ledger:
            ledger.make_block(empty=True)  # as the founding did on the disk
            yield InProcessClient(ledger)

    outcome = tell(Order(12, 8), tmp_path / "day", venue=Venue(in_memory))
    assert outcome.is_well
    assert outcome.priced.app_hash.hex() == first["app_hash"]


def test_another_seed_gives_another_app_hash(first: dict[str, Any], tmp_path: Path) -> None:
    other = demo(*SMALL, "--dir", tmp_path / "day", "--seed", 2, "--json")
    assert other.code == 0, other.err
    assert other.json["app_hash"] != first["app_hash"]


def test_pictures_are_drawn_one_a_region_with_a_bar_for_each_period(tmp_path: Path) -> None:
    ran = demo("--households", 13, "--periods", 5, "--regions", 2, "--dir", tmp_path / "day", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json["pictures"]) == 2
    for number, picture in enumerate(ran.json["pictures"], 1):
        drawn = ET.parse(picture).getroot()
        told = [title.text or "" for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
        assert told[0].startswith(f"Region {number}: ")
        assert sum(" Wh" in each or "no total" in each for each in told) == 5


def test_what_is_left_is_a_community_whose_ledger_anyone_may_check(
    first: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", "ledger", "--dir", first["folder"], "--json"]) == 0
    assert run(["status", "--dir", first["folder"], "--json"]) == 0
    assert first["final_app_hash"] in capsys.readouterr().out
    tries = json.loads(Path(first["tries_file"]).read_text(encoding="utf-8"))
    assert {each["attack"] for each in tries} == CHARGES.keys()
    summary = json.loads(Path(first["summary"]).read_text(encoding="utf-8"))
    assert summary.items() <= first.items()


def test_a_folder_that_holds_something_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ran = demo(*SMALL, "--dir", tmp_path, "--json")
    assert ran.code == 1
    assert ran.json["error"] == "FolderTakenError"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_demonstration_is_never_written_over(first: dict[str, Any]) -> None:
    before = Path(first["periods_file"]).stat().st_mtime_ns
    ran = demo(*SMALL, "--dir", first["folder"])
    assert ran.code == 1
    assert "not empty" in ran.err
    assert ran.out == ""
    assert Path(first["periods_file"]).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--periods", 3), "TooFewPeriodsError"),
        (("--households", 11, "--regions", 2), "TooFewHouseholdsError"),
        (("--readings", "nowhere.csv"), "FileMissingError"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_sentence_and_leaves_no_folder(
    options: tuple[object, ...], error: str, tmp_path: Path
) -> None:
    ran = demo(*options, "--json", TMPDIR=str(tmp_path))
    assert ran.code == 1
    assert ran.json["error"] == error
    assert list(tmp_path.iterdir()) == []


def test_people_are_told_in_words_what_was_tried_and_where_all_lies(tmp_path: Path) -> None:
    ran: Ran = demo(*SMALL, TMPDIR=str(tmp_path))
    assert ran.code == 0, ran.err
    for charge in CHARGES.values():
        assert charge.title in ran.out
    (folder,) = tmp_path.iterdir()
    assert "8 of 8 totals equal the sum of what the live meters reported" in ran.out
    assert "12 of 12 bills found true by their household, line by line" in ran.out
    assert f"Report:     {folder}/demo/report.html" in ran.out
    assert f"All lies in {folder}" in ran.out
    assert f"gridproof verify ledger --dir {folder}" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 110 + len(str(folder))
