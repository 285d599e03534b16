"""`gridproof household`: what is held about a household, given to it or erased."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors.community import Community
from gridproof.connectors.bill_book import BillBook
from gridproof.connectors.content import FolderContent
from gridproof.connectors.registers import RegisterReading, Registers
from gridproof.domain import Direction

from tests.billed import (
    AFTER_NOVEMBER,
    HOURS,
    NOVEMBER,
    OCTOBER,
    OF_OCTOBER,
    PERIOD_S,
    START_S,
    Billed,
    energy_wh,
    october_billed,
    rows,
)
from tests.unit.cli.home import files_of, refused, typed, write_readings


@pytest.fixture(scope="module")
def made_gone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is billed and contested; Adalind moved out in November, which is billed too."""
    made = october_billed(tmp_path_factory.mktemp("gone") / "home")
    registers = Registers(made.root / "outbox" / "registers.db")
    registers.add([RegisterReading("Adalind", Direction.IMPORT, START_S + HOURS * PERIOD_S, 987_654)])
    registers.close()
    made("bill", "object", "Adalind", "--because", "The cellar is not mine.", "--month", OCTOBER)
    made("bill", "answer", "Adalind", 1, "--because", "It is.", "--reject", "--month", OCTOBER)
    made("meter", "revoke", "Adalind", "--moved-out")
    made.run(AFTER_NOVEMBER)
    made("bill", "make")
    return made.root


@pytest.fixture
def gone(made_gone: Path, tmp_path: Path) -> Billed:
    return Billed(Path(shutil.copytree(made_gone, tmp_path / "home")))


@pytest.fixture
def finished(gone: Billed) -> Billed:
    gone("bill", "finish", "--month", OCTOBER)
    gone("bill", "finish", "--month", NOVEMBER)
    return gone


def handle_of(billed: Billed, name: str) -> bytes:
    return next(row.handle for row in Community(billed.root).meters() if row.name == name)


def exported(billed: Billed, path: Path, *more: object) -> dict[str, Any]:
    billed("household", "export", "Adalind", path, *more)
    told = json.loads((path / "household.json").read_text(encoding="utf-8"))
    assert isinstance(told, dict)
    return told


# --- export ----------------------------------------------------------------------------------------------------------


def test_export_holds_all_that_the_folder_has_about_the_household_and_nobody_else(gone: Billed, tmp_path: Path) -> None:
    told = exported(gone, tmp_path / "ada")
    assert (told["format"], told["version"], told["name"]) == ("gridproof-household", 1, "Adalind")
    assert [meter["handle"] for meter in told["meters"]] == [handle_of(gone, "Adalind").hex()]
    assert told["meters"][0]["until"] == "2025-11-02T00:00:00+01:00"
    assert [each["energy_wh"] for each in told["readings"]] == [energy_wh(0, at) for at in range(HOURS)]
    assert [(each["k"], each["half"]) for each in told["records"]] == [
        (START_S // PERIOD_S + at, half) for at in range(4, HOURS) for half in (1, 2)
    ], "those of October the ledger has forgotten, and with it the meter"
    assert [each["register_wh"] for each in told["registers"]] == [987_654]
    assert [each["month"] for each in told["signed_registers"]] == [NOVEMBER]
    assert [card["month"] for card in told["cards"]] == [OCTOBER, NOVEMBER]
    assert [(bill["month"], bill["version"]) for bill in told["bills"]] == [(OCTOBER, 1), (NOVEMBER, 1)]
    assert told["objections"] == [
        {
            "month": OCTOBER,
            "number": 1,
            "version": 1,
            "reasons": "The cellar is not mine.",
            "answer": {"upheld": False, "reasons": "It is."},
        }
    ]
    written = b"".join(files_of(tmp_path / "ada").values())
    for name in ("Bo", "Cleo", "Dan", "Eve"):
        assert f'"{name}"'.encode() not in written
        assert handle_of(gone, name) not in written
        assert handle_of(gone, name).hex().encode() not in written


def test_exported_bills_are_the_reports_that_the_ledger_registered(gone: Billed, tmp_path: Path) -> None:
    told = exported(gone, tmp_path / "ada")
    for bill in told["bills"]:
        opened = tmp_path / f"{bill['month']}.json"
        gone("bill", "open", "Adalind", opened, "--month", bill["month"])
        assert (tmp_path / "ada" / bill["file"]).read_bytes() == opened.read_bytes()
        assert bill["on_ledger"] == {"cid": bill["cid"], "digest": bill["digest"]}


def test_export_is_its_owners_only_and_tells_people_what_there_is(gone: Billed, tmp_path: Path) -> None:
    exported(gone, tmp_path / "ada")
    for path in [tmp_path / "ada", *(tmp_path / "ada").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    index = (tmp_path / "ada" / "index.txt").read_text(encoding="utf-8")
    assert "readings           7" in index
    assert "What cannot be deleted here:" in index
    assert [path.suffix for path in (tmp_path / "ada").glob("Adalind.*")] == [".household"], (
        "the sign secret stays away"
    )


def test_bill_that_cannot_be_opened_here_is_exported_sealed_and_said(gone: Billed, tmp_path: Path) -> None:
    for path in (gone.root / "enrolments").glob("Adalind.*.household"):
        path.unlink()
    told = gone("household", "export", "Adalind", tmp_path / "ada", "--json").json
    assert len([lack for lack in told["lacks"] if "the household's file is not here" in lack]) == 2
    assert sorted(path.suffix for path in (tmp_path / "ada" / "bills").iterdir()) == [".sealed", ".sealed"]
    archive = FolderContent(gone.root / "bills" / "archive")
    bills = json.loads((tmp_path / "ada" / "household.json").read_text(encoding="utf-8"))["bills"]
    assert [(tmp_path / "ada" / bill["file"]).read_bytes() for bill in bills] == [
        archive.get(bill["cid"]) for bill in bills
    ]


def test_bill_that_is_lost_is_told_and_the_rest_exported(gone: Billed, tmp_path: Path) -> None:
    shutil.rmtree(gone.root / "bills" / "archive")
    told = gone("household", "export", "Adalind", tmp_path / "ada", "--json").json
    assert len(told["lacks"]) == 2
    assert told["counts"]["bills"] == 2
    assert not (tmp_path / "ada" / "bills").exists()


def test_export_overwrites_nothing_and_leaves_nothing_behind(gone: Billed, tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    refused("household", "export", "Adalind", tmp_path / "ada", "-C", gone.root, error="FileExistsAlreadyError")
    refused("household", "export", "Adaline", tmp_path / "new", "-C", gone.root, error="NoSuchMeterError")
    refused(
        "household", "export", "Adalind", tmp_path / "new", "--handle", "zz", "-C", gone.root, error="NoSuchHandleError"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ada", "home"]


# --- forget ----------------------------------------------------------------------------------------------------------


def remains_of(billed: Billed, name: str, *secrets: bytes) -> dict[str, list[str]]:
    """The files that still hold something of a household, by what; the public ledger left out."""
    wanted = [name.encode(), *secrets]
    found = {each.hex(): [at for at in billed.holding(each) if not at.startswith("ledger/")] for each in wanted}
    return {each: files for each, files in found.items() if files}


def test_forgotten_household_is_in_no_file_any_more_but_the_ledgers(finished: Billed) -> None:
    handle, others = handle_of(finished, "Adalind"), handle_of(finished, "Bo")
    book = BillBook(finished.root / "bills" / "book.db")
    notes = book.of_meter(handle)
    book.close()
    traces = [handle, handle.hex().encode(), *(note.bid for note in notes), *(note.cid.encode() for note in notes)]
    assert set(remains_of(finished, "Adalind", *traces)) == {each.hex() for each in (b"Adalind", *traces)}, (
        "there is much now"
    )

    told = finished("household", "forget", "Adalind", "--yes", "--json").json
    assert told["handles"] == [handle.hex()]
    counted = {kind: told[kind] for kind in ("readings", "registers", "records", "bills", "reports", "files")}
    assert counted == {"readings": 7, "registers": 2, "records": 0, "bills": 2, "reports": 4, "files": 4}
    assert len(told["remains"]) == 3
    assert remains_of(finished, "Adalind", *traces) == {}
    assert finished.holding(b"Adalind") == [], "the ledger never knew the name"
    assert remains_of(finished, "Bo", others) != {}, "the others' are where they were"


def test_community_goes_on_after_a_household_was_forgotten(finished: Billed, tmp_path: Path) -> None:
    finished("household", "forget", "Adalind", "--yes")
    assert finished("verify", "ledger", "--json").json["ok"]
    assert finished("doctor", "--json").json["ok"]
    assert finished("verify", "bill", "Bo", "--month", NOVEMBER, "--json").json["ok"]
    listed = finished("bill", "list", "--json").json["bills"]
    assert {bill["name"] for bill in listed} == {"Bo", "Cleo", "Dan", "Eve"}
    refused("household", "forget", "Adalind", "--yes", "-C", finished.root, error="NoSuchMeterError")
    finished("meter", "enrol", "Adalind")
    december = 32 * 24 - 20  # hours from the start
    path = write_readings(tmp_path / "december.csv", rows(range(december, december + 2)))
    finished("readings", "import", path)
    assert finished("run", "--json").json["slots"]["opened"] == 2


def test_reports_that_were_erased_on_request_are_not_missing(finished: Billed) -> None:
    assert finished("bill", "check", "--json").json == {"damaged": [], "erased": 0}
    finished("household", "forget", "Adalind", "--yes")
    assert finished("bill", "check", "--json").json == {"damaged": [], "erased": 2}
    assert finished("bill", "check", "--mend", "--json").json == {"damaged": [], "erased": 2}
    assert finished("bill", "check", "--month", OCTOBER, "--json").json["erased"] == 1
    out = finished("bill", "check").out
    assert "Erased on request, as their households were forgotten: 2." in out
    assert "Every other registered bill can be fetched." in out
    lost = finished("bill", "list", "Bo", "--month", NOVEMBER, "--json").json["bills"][0]["cid"]
    next((finished.root / "public" / "content").rglob(lost)).unlink()
    found = typed("bill", "check", "--json", "-C", finished.root, code=1).json
    assert ([each["cid"] for each in found["damaged"]], found["erased"]) == ([lost], 2)
    assert finished("bill", "check", "--mend", "--json").json["damaged"][0]["mended"]


def test_forgetting_that_was_cut_short_goes_on(finished: Billed, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_self: BillBook, _meter: bytes) -> int:
        raise KeyboardInterrupt

    handle = handle_of(finished, "Adalind")
    with monkeypatch.context() as patch:
        patch.setattr(BillBook, "forget", killed)
        typed("household", "forget", "Adalind", "--yes", "-C", finished.root, code=130)
    assert remains_of(finished, "Adalind", handle) != {}
    finished("household", "forget", "Adalind", "--yes")
    assert remains_of(finished, "Adalind", handle) == {}


def test_household_is_not_forgotten_without_a_yes_while_it_lives_there_or_while_a_month_is_open(gone: Billed) -> None:
    before = files_of(gone.root / "secrets") | files_of(gone.root / "enrolments") | files_of(gone.root / "bills")
    root = gone.root
    refused("household", "forget", "Adalind", "-C", root, error="ForgettingUnconfirmedError")
    refused("household", "forget", "Bo", "--yes", "-C", root, error="StillEnrolledError")
    done = refused("household", "forget", "Adalind", "--yes", "-C", root, error="LastMonthOpenError")
    assert done.json["particulars"] == {"meter": "Adalind", "month": NOVEMBER}
    refused("household", "forget", "Adaline", "--yes", "-C", root, error="NoSuchMeterError")
    assert files_of(root / "secrets") | files_of(root / "enrolments") | files_of(root / "bills") == before


def test_a_name_that_two_households_had_is_told_apart_by_the_handle(finished: Billed, tmp_path: Path) -> None:
    first = handle_of(finished, "Adalind")
    finished("meter", "enrol", "Adalind")
    december = 32 * 24 - 20
    path = write_readings(tmp_path / "december.csv", rows(range(december, december + 2)))
    finished("readings", "import", path)
    finished("run")
    refused("household", "forget", "Adalind", "--yes", "-C", finished.root, error="StillEnrolledError")
    told = exported(finished, tmp_path / "ada", "--handle", first.hex()[:8])
    assert (len(told["meters"]), len(told["readings"])) == (1, 7)
    done = finished("household", "forget", "Adalind", "--handle", first.hex()[:8].upper(), "--yes", "--json").json
    assert (done["handles"], done["readings"]) == ([first.hex()], 7)
    second = exported(finished, tmp_path / "second")
    assert (len(second["meters"]), len(second["readings"]), second["bills"]) == (1, 2, [])
    assert OF_OCTOBER not in [bill["month"] for bill in second["bills"]]
