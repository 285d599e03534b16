"""`gridproof bill`: made, listed, shown, opened, contested and mended."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from gridproof.actors.bills.proof import read_bill_proof, write_bill_proof
from gridproof.actors.bills.words import card_path
from gridproof.actors.community import Community, access, household_bills
from gridproof.actors.community.access import at_work
from gridproof.actors.enrolment import read_household
from gridproof.actors.seat import Seat
from gridproof.cli.options import open_community
from gridproof.connectors.ledger import NodeSilentError, Sender
from gridproof.connectors.registers import RegisterReading, Registers
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import Direction, MonthId
from gridproof.drivers.errors import MempoolFull
from gridproof.errors import GridproofError
from gridproof.modules.billing.errors import ObjectionMisnumbered
from gridproof.modules.billing.messages import ObjectToBill, RegisterBills
from gridproof.state import Message, TransactionPlace

from tests.engine_server import EngineServer
from tests.light_chain import BLOCK_S, Network
from tests.unit.cli.home import NAMES, Done, energy_wh, files_of, refused, typed, write_readings

START = "2025-10-31T18:00+01:00"  # six hours before the month ends in Zurich
SETTLED = "2025-11-08T01:00:00+01:00"
MONTH, MONTH_END_S = "2025-10", 1_761_951_600
HOURS = 6
WHY = "Nobody was at home."


class Killed(BaseException):
    """The process ended here."""


def _founded(root: Path) -> Path:
    """A community with readings of the last hours of October; Fay has none of the hour 3."""
    typed("init", root, "--start", START, "--period-s", 3_600)
    typed("meter", "enrol", *NAMES, "-C", root)
    rows = [
        f"{name},2025-10-31T{17 + at}:00:00Z,{energy_wh(number, at)},import"
        for at in range(HOURS)
        for number, name in enumerate(NAMES)
        if (name, at) != ("Fay", 3)
    ]
    typed("readings", "import", write_readings(root.parent / "readings.csv", rows), "-C", root)
    return root


@pytest.fixture(scope="module")
def made_unrun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _founded(tmp_path_factory.mktemp("unrun") / "home")


@pytest.fixture(scope="module")
def made_open(made_unrun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(made_unrun, tmp_path_factory.mktemp("open") / "home"))
    typed("run", "-C", root)
    return root


@pytest.fixture(scope="module")
def made_closed(made_open: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(made_open, tmp_path_factory.mktemp("closed") / "home"))
    typed("run", "--until", SETTLED, "-C", root)
    return root


@pytest.fixture(scope="module")
def made_billed(made_closed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(made_closed, tmp_path_factory.mktemp("billed") / "home"))
    typed("bill", "make", "-C", root)
    return root


@pytest.fixture
def closed(made_closed: Path, tmp_path: Path) -> Path:
    """A community whose October is closed."""
    return Path(shutil.copytree(made_closed, tmp_path / "home"))


@pytest.fixture
def billed(made_billed: Path, tmp_path: Path) -> Path:
    """A community whose October is billed."""
    return Path(shutil.copytree(made_billed, tmp_path / "home"))


def bill(root: Path, *words: object, code: int = 0) -> Done:
    return typed("bill", *words, "-C", root, code=code)


def told(root: Path, *words: object, code: int = 0) -> dict[str, Any]:
    return bill(root, *words, "--json", code=code).json


def versions(root: Path) -> dict[str, int]:
    return {each["name"]: each["version"] for each in told(root, "list")["bills"]}


# --- make ------------------------------------------------------------------------------------------------------------


def test_make_registers_what_is_owed_and_only_that(closed: Path) -> None:
    assert told(closed, "make") == {
        "months": [{"region": 1, "month": MONTH, "made": 6, "before": 0, "unmade": 0}],
        "problems": [],
    }
    assert versions(closed) == dict.fromkeys(NAMES, 1)
    before = files_of(closed)
    assert told(closed, "make")["months"] == [{"region": 1, "month": MONTH, "made": 0, "before": 6, "unmade": 0}]
    assert {name for name, raw in files_of(closed).items() if before.get(name) != raw} <= {"ledger/data.mdb"}


def test_make_says_what_it_did(closed: Path) -> None:
    assert "2025-10, region 1: 6 bills registered, 0 were there before." in bill(closed, "make").out
    assert "2025-10, region 1: 0 bills registered, 6 were there before." in bill(closed, "make", "--month", MONTH).out


def test_make_before_the_month_is_closed_says_until_when_to_run(made_open: Path) -> None:
    done = refused("bill", "make", "--month", MONTH, "-C", made_open, error="MonthNotBillableError")
    assert f"gridproof run --until {SETTLED}" in done.json["sentence"]
    assert done.json["particulars"]["month"] == MONTH
    assert "No month with a tariff is closed yet" in bill(made_open, "make").out
    assert told(made_open, "make") == {"months": [], "problems": []}


def test_make_of_a_month_that_there_is_not_is_refused(closed: Path) -> None:
    done = refused("bill", "make", "--month", "2031-01", "-C", closed, error="MonthNotBillableError")
    assert done.json["particulars"]["month"] == "2031-01"


def test_month_that_passed_and_was_never_opened_is_told_as_such(made_closed: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made_closed, tmp_path / "home"))
    # November is on, and may be opened yet.
    done = refused("bill", "list", "--month", "2025-11", "-C", root, error="MonthNotBillableError")
    assert "it is not opened" in done.json["particulars"]["detail"]
    typed("run", "--until", "2025-12-10", "-C", root)
    for command in ("list", "make", "check"):
        for month in ("2025-09", "2025-11"):
            done = refused("bill", command, "--month", month, "-C", root, error="MonthNeverOpenedError")
            assert done.json["particulars"] == {"region": 1, "month": month}
    done = refused("bill", "finish", "--month", "2025-11", "-C", root, error="BillsNotFinalError")
    assert "nor was it opened" in done.json["particulars"]["detail"]


def test_make_tells_whose_bill_cannot_be_made_and_fails(made_unrun: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made_unrun, tmp_path / "home"))
    registers = Registers(root / "outbox" / "registers.db")
    registers.add([RegisterReading("Bo", Direction.IMPORT, MONTH_END_S, 1)])
    registers.close()
    typed("run", "--until", SETTLED, "-C", root)
    outcome = told(root, "make", code=1)
    assert outcome["months"] == [{"region": 1, "month": MONTH, "made": 5, "before": 0, "unmade": 1}]
    ((problem),) = outcome["problems"]
    assert problem["meter"] == "Bo"
    assert "Have the meter checked." in problem["sentence"]
    assert "Bo: The register says less" in bill(root, "make", code=1).out
    assert versions(root) == {**dict.fromkeys(NAMES, 1), "Bo": 0}


def test_a_correction_needs_its_month_and_a_household_with_a_bill(closed: Path) -> None:
    done = bill(closed, "make", "--correct", "Ada", code=2)
    assert "--correct needs --month" in done.err
    refused("bill", "make", "--month", MONTH, "--correct", "Ada", "-C", closed, error="NotEnrolledError")
    done = refused("bill", "make", "--month", MONTH, "--correct", "Adda", "-C", closed, error="NoSuchMeterError")
    assert done.json["particulars"]["close"] == ["Ada"]


def test_a_correction_is_the_next_version(billed: Path) -> None:
    outcome = told(billed, "make", "--month", MONTH, "--correct", "Ada")
    assert outcome["months"][0]["made"] == 1
    assert versions(billed) == {**dict.fromkeys(NAMES, 1), "Ada": 2}
    assert told(billed, "show", "Ada")["version"] == 2
    assert told(billed, "show", "Ada", "--version", 1)["version"] == 1


def test_two_runs_at_once_are_not_to_be_had(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access.at_work.__wrapped__, "__defaults__", (0.1,))  # type: ignore[attr-defined]
    with at_work(Community(closed).folder):
        refused("bill", "make", "-C", closed, error="AtWorkError")
    assert versions(closed) == dict.fromkeys(NAMES, 0)


def test_killed_before_the_registration_it_goes_on(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send = Seat.send

    def kill(seat: Seat, *messages: Any) -> None:
        if any(isinstance(message, RegisterBills) for message in messages):
            raise Killed
        send(seat, *messages)

    with monkeypatch.context() as patched:
        patched.setattr(Seat, "send", kill)
        with pytest.raises(Killed):
            bill(closed, "make")
    assert versions(closed) == dict.fromkeys(NAMES, 0)
    assert told(closed, "make")["months"][0]["made"] == 6
    assert versions(closed) == dict.fromkeys(NAMES, 1)
    assert all(told(closed, "show", name)["ok"] for name in NAMES)


# --- list, show ------------------------------------------------------------------------------------------------------


def test_list_tells_energy_amount_and_version(billed: Path) -> None:
    rows = {each["name"]: each for each in told(billed, "list")["bills"]}
    assert list(rows) == sorted(NAMES)
    for number, name in enumerate(NAMES):
        expected = sum(energy_wh(number, at) for at in range(HOURS) if (name, at) != ("Fay", 3))
        assert (rows[name]["import_wh"], rows[name]["export_wh"], rows[name]["version"]) == (expected, 0, 1)
        assert (rows[name]["objections"], rows[name]["answered"]) == (0, 0)
        assert rows[name]["cid"]
    assert told(billed, "list", "Bo")["bills"] == [rows["Bo"]]
    assert told(billed, "list", "--month", MONTH)["bills"] == list(rows.values())
    out = bill(billed, "list", "Bo").out
    assert "to pay CHF" in out
    assert "Bo" in out
    assert "Cleo" not in out


def test_a_bill_that_is_not_made_is_listed_as_that(closed: Path) -> None:
    assert {each["payable_e9"] for each in told(closed, "list")["bills"]} == {None}
    assert "not registered" in bill(closed, "list").out


def test_show_tells_the_charges_and_what_the_check_came_to(billed: Path) -> None:
    shown = told(billed, "show", "Fay")
    assert (shown["ok"], shown["meter"], shown["month"], shown["version"]) == (True, "Fay", MONTH, 1)
    assert (shown["lines"], shown["absences"], shown["falsehoods"]) == (5, 1, [])
    assert all(shown["checks"].values())
    assert sum(charge["amount_e9"] for charge in shown["charges"]) == shown["total_e9"]
    assert [charge["quantity"] for charge in shown["charges"] if charge["name"] == "missing"] == [1]
    out = bill(billed, "show", "Fay").out
    assert "penalty missing" in out
    assert re.search(r"penalty missing +[│|]? *1 slot ", out)
    assert "all true" in out


def test_show_tells_of_a_false_bill_and_fails(billed: Path) -> None:
    for card in (billed / "cards").rglob("*.card"):
        card.unlink()
    shown = told(billed, "show", "Ada", code=1)
    assert not shown["ok"]
    assert [name for name, holds in shown["checks"].items() if not holds] == ["leaves", "registers"]
    assert "NOT TRUE: leaves: there is no card" in bill(billed, "show", "Ada", code=1).out


@pytest.mark.parametrize("form", ["csv", "green-button"])
def test_export_of_a_false_bill_is_written_and_fails(billed: Path, tmp_path: Path, form: str) -> None:
    assert typed("export", form, "Ada", tmp_path / "true", "-C", billed, "--json").json["ok"]
    for card in (billed / "cards").rglob("*.card"):
        card.unlink()
    done = typed("export", form, "Ada", tmp_path / "false", "-C", billed, code=1)
    assert "NOT TRUE: leaves: there is no card" in done.out
    told_of = typed("export", form, "Ada", tmp_path / "again", "-C", billed, "--json", code=1).json
    assert (told_of["ok"], len(told_of["falsehoods"])) == (False, 2)
    assert (tmp_path / "false").read_bytes() == (tmp_path / "true").read_bytes()


def test_errors_say_what_to_do(billed: Path, made_closed: Path) -> None:
    done = refused("bill", "show", "Adda", "-C", billed, error="NoSuchMeterError")
    assert done.json["particulars"]["close"] == ["Ada"]
    done = refused("bill", "show", "Ada", "-C", made_closed, error="NoBillsYetError")
    assert "gridproof bill make" in done.json["sentence"]
    refused("bill", "show", "Ada", "--version", 9, "-C", billed, error="NoBillError")
    refused("bill", "show", "Ada", "--month", "2025-11", "-C", billed, error="NoBillsYetError")
    refused("bill", "list", "Adda", "-C", billed, error="NoSuchMeterError")


def file_of(root: Path, name: str) -> Path:
    (path,) = (root / "enrolments").glob(f"{name}.*.household")
    return path


@pytest.mark.parametrize("harm", ["cut", "exposed"])
def test_a_household_s_broken_file_is_in_nobody_else_s_way(billed: Path, tmp_path: Path, harm: str) -> None:
    bill_file = tmp_path / "bill.proof"
    typed("export", "bill", "Cleo", bill_file, "-C", billed)
    handle = {each["name"]: each["handle"] for each in told(billed, "list")["bills"]}
    broken = file_of(billed, "Ada")
    if harm == "cut":
        broken.write_bytes(broken.read_bytes()[:20])
    else:
        broken.chmod(0o644)
    error = "NoSecretFileError" if harm == "cut" else "FileExposedError"
    assert told(billed, "show", "Cleo")["ok"]
    assert told(billed, "show", handle["Cleo"])["ok"]
    assert typed("verify", "bill", "Cleo", "-C", billed, "--json").json["ok"]
    assert typed("verify", "bill", bill_file, "-C", billed, "--json").json["ok"]
    typed("export", "csv", "Cleo", tmp_path / "cleo.csv", "-C", billed)
    for asked in ("Ada", handle["Ada"]):
        done = refused("bill", "show", asked, "-C", billed, error=error)
        assert done.json["particulars"]["path"] == str(broken)
    broken.rename(broken.with_name("a.household"))
    done = refused("bill", "show", "Ada", "-C", billed, error=error)
    assert done.json["particulars"]["path"].endswith("a.household"), "it may be hers"


def test_a_household_whose_file_is_lost_is_told_so(billed: Path, tmp_path: Path) -> None:
    handle = next(each["handle"] for each in told(billed, "list", "Cleo")["bills"])
    file_of(billed, "Cleo").unlink()
    broken = file_of(billed, "Ada")
    broken.write_bytes(b"")
    for words in [
        ("bill", "show", "Cleo"),
        ("bill", "show", handle),
        ("verify", "bill", "Cleo"),
        ("export", "csv", "Cleo", tmp_path / "cleo.csv"),
        ("export", "records", "Cleo", tmp_path / "cleo.json"),
    ]:
        done = refused(*words, "-C", billed, error="HouseholdFileAwayError")
        assert done.json["particulars"] == {"meter": "Cleo", "folder": str(billed / "enrolments")}
        assert "gridproof meter reissue" in done.json["sentence"]
    done = refused("bill", "show", "Cloe", "-C", billed, error="NoSuchMeterError")
    assert "Cleo" in done.json["particulars"]["close"]
    refused("bill", "show", "Ada", "-C", billed, error="NoSecretFileError")
    typed("meter", "reissue", "Cleo", "-C", billed)
    refused("bill", "show", "Cleo", "--month", MONTH, "-C", billed, error="NoBillsYetError")


# --- open ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de"])
def test_open_writes_a_private_page_in_either_language(billed: Path, tmp_path: Path, language: str) -> None:
    path = tmp_path / "bill.html"
    opened = told(billed, "open", "Ada", path, "--language", language)
    assert (opened["ok"], opened["path"]) == (True, str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert f'lang="{language}"' in path.read_text(encoding="utf-8")


def test_open_writes_the_report_and_no_file_twice(billed: Path, tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    out = bill(billed, "open", "Ada", path).out.replace("\n", "")
    assert "The bill of Ada for 2025-10 is in" in out
    assert path.stat().st_mode & 0o777 == 0o600
    report = json.loads(path.read_bytes())
    assert (report["household"], report["month"], report["bill_version"]) == ("Ada", MONTH, 1)
    before = path.read_bytes()
    refused("bill", "open", "Bo", path, "-C", billed, error="FileExistsAlreadyError")
    assert path.read_bytes() == before


def test_open_knows_its_forms_and_languages(billed: Path, tmp_path: Path) -> None:
    done = refused("bill", "open", "Ada", tmp_path / "bill.doc", "-C", billed, error="UnknownFormError")
    assert done.json["particulars"]["known"] == [".html", ".pdf", ".json"]
    path = tmp_path / "bill.html"
    refused("bill", "open", "Ada", path, "--language", "fr", "-C", billed, error="UnknownLanguageError")
    assert not path.exists()


# --- object, answer --------------------------------------------------------------------------------------------------


def test_an_objection_is_on_record_read_and_answered_once(billed: Path) -> None:
    assert told(billed, "object", "Ada", "--because", WHY) == {
        "meter": "Ada",
        "month": MONTH,
        "version": 1,
        "objection": 1,
        "before": False,
    }
    ((objection),) = told(billed, "objections")["objections"]
    assert (objection["meter"], objection["objection"], objection["reasons"]) == ("Ada", 1, WHY)
    assert (objection["answer"], objection["unreadable"]) == (None, None)
    assert WHY in bill(billed, "objections").out
    answered = told(billed, "answer", "Ada", 1, "--because", "You are right.", "--month", MONTH, "--uphold")
    assert answered == {"meter": "Ada", "month": MONTH, "objection": 1, "upheld": True}
    assert told(billed, "objections")["objections"][0]["answer"] == "upheld"
    words = ("answer", "Ada", 1, "--because", "No.", "--month", MONTH)
    done = refused("bill", *words, "-C", billed, error="AlreadyAnswered")
    assert done.json["code"] == 4012
    (row,) = told(billed, "list", "Ada")["bills"]
    assert (row["objections"], row["answered"]) == (1, 1)
    assert "1, 1 answered" in bill(billed, "list", "Ada").out


def test_objections_are_about_bills_and_answers_about_objections(billed: Path) -> None:
    assert "Nobody has objected." in bill(billed, "objections").out
    refused("bill", "object", "Ada", "--because", "", "-C", billed, error="ReasonsError")
    refused("bill", "object", "Ada", "--because", WHY, "--version", 7, "-C", billed, error="NoBillError")
    bill(billed, "object", "Bo", "--because", WHY)
    for name, number in [("Ada", 1), ("Bo", 0), ("Bo", 9)]:
        words = ("answer", name, number, "--because", "No.", "--month", MONTH)
        done = refused("bill", *words, "-C", billed, error="NoSuchObjectionError")
        assert "`gridproof bill objections` lists them" in done.json["sentence"]
        assert done.json["particulars"] == {"meter": name, "month": MONTH, "objection": number}
    words = ("answer", "Adda", 1, "--because", "No.", "--month", MONTH)
    refused("bill", *words, "-C", billed, error="NoSuchMeterError")
    assert [each["answer"] for each in told(billed, "objections")["objections"]] == [None]


def test_an_objection_that_cannot_be_read_is_told_with_the_others(billed: Path) -> None:
    bill(billed, "object", "Ada", "--because", WHY)
    before = {path for path in (billed / "public" / "content").rglob("*") if path.is_file()}
    bill(billed, "object", "Bo", "--because", WHY)
    (lost,) = {path for path in (billed / "public" / "content").rglob("*") if path.is_file()} - before
    lost.unlink()
    found = {each["meter"]: each for each in told(billed, "objections")["objections"]}
    assert (found["Ada"]["reasons"], found["Bo"]["reasons"]) == (WHY, None)
    assert found["Bo"]["unreadable"]


def test_what_was_sealed_to_a_replaced_key_is_read_all_the_same(billed: Path) -> None:
    bill(billed, "object", "Ada", "--because", WHY)
    typed("key", "rotate", "bill provider", "--only", "encryption", "-C", billed)
    bill(billed, "object", "Bo", "--because", WHY)
    assert [each["reasons"] for each in told(billed, "objections")["objections"]] == [WHY, WHY]


def test_the_same_words_to_the_same_bill_are_on_record_once(billed: Path) -> None:
    bill(billed, "object", "Ada", "--because", WHY)
    again = told(billed, "object", "Ada", "--because", WHY)
    assert (again["objection"], again["before"]) == (1, True)
    out = bill(billed, "object", "Ada", "--because", WHY).out
    assert "is on record already as number 1; nothing changed" in " ".join(out.split())
    assert len(told(billed, "objections")["objections"]) == 1
    other = told(billed, "object", "Ada", "--because", "The price is another.")
    assert (other["objection"], other["before"]) == (2, False)
    assert not told(billed, "object", "Bo", "--because", WHY)["before"], "another household's is its own"
    typed("key", "rotate", "bill provider", "--only", "encryption", "-C", billed)
    assert told(billed, "object", "Ada", "--because", WHY)["objection"] == 1


def stored(root: Path) -> set[str]:
    """Names of all that is published."""
    return {path.name for path in (root / "public" / "content").rglob("*") if path.is_file()}


def overtaken(monkeypatch: pytest.MonkeyPatch, root: Path, *words: str) -> None:
    """Let each word of Ada's in turn come on record after the next objection is signed and before it is sent."""
    send, before = Sender.send, list(words)

    def late(self: Sender, *messages: Message) -> TransactionPlace:
        if before and isinstance(messages[0], ObjectToBill):
            first = before.pop(0)
            with monkeypatch.context() as undisturbed:
                undisturbed.setattr(Sender, "send", send)
                household_bills.object_to_bill(open_community(root, None), self.client, "Ada", None, None, first)
        return send(self, *messages)

    monkeypatch.setattr(Sender, "send", late)


def test_an_objection_that_comes_after_its_own_twin_is_on_record_already(
    billed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(billed)
    overtaken(monkeypatch, billed, WHY)
    late = told(billed, "object", "Ada", "--because", WHY)
    assert (late["objection"], late["before"]) == (1, True)
    assert len(told(billed, "objections")["objections"]) == 1
    assert len(stored(billed) - before) == 1, "of the late one nothing is left"


def test_an_objection_whose_number_others_take_goes_on_with_the_next_one(
    billed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken(monkeypatch, billed, "First.", "Second.")
    late = told(billed, "object", "Ada", "--because", WHY)
    assert (late["objection"], late["before"]) == (3, False)
    assert [each["reasons"] for each in told(billed, "objections")["objections"]] == ["First.", "Second.", WHY]


def test_an_objection_whose_number_is_taken_each_time_ends(billed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(household_bills, "NUMBERS_TRIED", 1)
    overtaken(monkeypatch, billed, "First.")
    before = stored(billed)
    refused("bill", "object", "Ada", "--because", WHY, "-C", billed, error="ObjectionMisnumbered")
    assert len(stored(billed) - before) == 1, "the first one's"


def test_sealed_reasons_stay_where_they_may_be_on_record(billed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored(billed)
    send = Sender.send

    silences: list[GridproofError] = [NodeSilentError(socket="here", waited_ms=1), MempoolFull(limit=1)]

    def unheard(self: Sender, *messages: Message) -> TransactionPlace:
        if isinstance(messages[0], ObjectToBill):
            raise silences.pop(0)
        return send(self, *messages)

    def refused_though_on_record(self: Sender, *messages: Message) -> TransactionPlace:
        place = send(self, *messages)
        if isinstance(messages[0], ObjectToBill):
            raise ObjectionMisnumbered(number=1, expected=2)
        return place

    monkeypatch.setattr(Sender, "send", unheard)
    for at, error in enumerate(("NodeSilentError", "MempoolFull"), 1):
        refused("bill", "object", "Ada", "--because", WHY, "-C", billed, error=error)
        assert len(stored(billed) - before) == at, "it may come on record yet"
    monkeypatch.setattr(Sender, "send", refused_though_on_record)
    late = told(billed, "object", "Ada", "--because", WHY)
    assert (late["objection"], late["before"]) == (1, True)
    assert [each["reasons"] for each in told(billed, "objections")["objections"]] == [WHY]


# --- check -----------------------------------------------------------------------------------------------------------


def test_a_lost_and_an_altered_report_are_found_and_mended(billed: Path) -> None:
    assert told(billed, "check") == {"damaged": [], "erased": 0}
    cids = {each["name"]: each["cid"] for each in told(billed, "list")["bills"]}
    lost, altered = (next((billed / "public" / "content").rglob(cids[name])) for name in ("Ada", "Bo"))
    lost.unlink()
    altered.write_bytes(b"another")
    refused("bill", "show", "Ada", "-C", billed, error="ContentMissingError")
    refused("bill", "show", "Bo", "-C", billed, error="ContentAlteredError")
    damaged = {each["cid"]: (each["damage"], each["mended"]) for each in told(billed, "check", code=1)["damaged"]}
    assert damaged == {cids["Ada"]: ("missing", False), cids["Bo"]: ("altered", False)}
    assert {each["mended"] for each in told(billed, "check", "--mend")["damaged"]} == {True}
    assert "Every registered bill can be fetched." in bill(billed, "check").out
    assert told(billed, "show", "Bo")["ok"]


def test_a_report_that_the_archive_lost_too_keeps_no_other_from_being_mended(billed: Path) -> None:
    cids = {each["name"]: each["cid"] for each in told(billed, "list")["bills"]}
    for cid in cids.values():
        next((billed / "public" / "content").rglob(cid)).unlink()
    next((billed / "bills" / "archive").rglob(cids["Ada"])).unlink()
    next((billed / "bills" / "archive").rglob(cids["Bo"])).write_bytes(b"another")
    lost = {cids["Ada"], cids["Bo"]}
    done = bill(billed, "check", "--mend", code=1)
    out = done.out.replace("\n", " ")
    assert out.count(", mended") == 4
    for cid in lost:
        assert f"{cid} could not be mended: The bill provider's archive" in out
    damaged = {each["cid"]: each for each in told(billed, "check", "--mend", code=1)["damaged"]}
    assert set(damaged) == lost, "the others are there again"
    assert all("backup" in each["problem"] and not each["mended"] for each in damaged.values())
    assert told(billed, "show", "Cleo")["ok"]


# --- proven offline --------------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """What a household takes to another machine."""

    proof: Path
    alone: tuple[object, ...]
    height: int
    app_hash: str


@pytest.fixture
def taken(billed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taken:
    """Ada's bill with its proof, to be checked from a folder without a community."""
    proof, away = tmp_path / "ada.proof", tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    done = typed("export", "bill", "Ada", proof, "-C", billed, "--json").json
    (household,) = (billed / "enrolments").glob("Ada.*.household")
    file = read_household(SecretFiles(None), household)
    month = MonthId(read_bill_proof(proof).month)
    card = card_path(Community(billed).folder.cards, file.meter, month)
    return Taken(proof, ("--household", household, "--card", card), done["height"], done["app_hash"])


def test_without_an_app_hash_it_says_that_nothing_vouches_for_the_file(taken: Taken) -> None:
    assert not typed("verify", "bill", taken.proof, *taken.alone, "--json").json["trusted"]
    said = " ".join(typed("verify", "bill", taken.proof, *taken.alone).out.split())
    assert f"Against app hash {taken.app_hash} at height {taken.height} of " in said
    assert "It is the file's own, and nothing from elsewhere vouches for it: --app-hash was not given" in said
    assert f"Compare it with the one that a ledger you trust had at height {taken.height}." in said
    given = typed("verify", "bill", taken.proof, *taken.alone, "--app-hash", taken.app_hash)
    assert "That is the one given with --app-hash." in given.out


def test_the_ledger_at_hand_vouches_for_the_app_hash_of_a_past_height(billed: Path, taken: Taken) -> None:
    assert typed("verify", "bill", taken.proof, "-C", billed, "--json").json["trusted"]
    typed("run", "--until", "2025-11-08T03:00:00+01:00", "-C", billed)
    assert typed("status", "-C", billed, "--json").json["height"] > taken.height
    assert typed("verify", "bill", taken.proof, *taken.alone, "-C", billed, "--json").json["trusted"]
    said = typed("verify", "bill", taken.proof, "-C", billed).out
    assert "The ledger here had the same one at this height." in said


def test_a_file_that_the_ledger_at_hand_contradicts_is_refused(billed: Path, taken: Taken, tmp_path: Path) -> None:
    proof = read_bill_proof(taken.proof)
    forged = tmp_path / "forged.proof"
    write_bill_proof(forged, replace(proof, height=proof.height - 1))
    done = refused("verify", "bill", forged, "-C", billed, error="ForeignProofError")
    assert done.json["particulars"]["height"] == taken.height - 1


def test_a_ledger_that_is_behind_another_or_gone_vouches_for_nothing(
    billed: Path, made_closed: Path, made_new: Path, taken: Taken
) -> None:
    for folder in (made_closed, made_new):
        assert not typed("verify", "bill", taken.proof, *taken.alone, "-C", folder, "--json").json["trusted"]
    shutil.rmtree(billed / "ledger")
    assert not typed("verify", "bill", taken.proof, "-C", billed, "--json").json["trusted"]


def test_an_app_hash_of_another_height_is_refused_and_the_files_height_named(billed: Path, taken: Taken) -> None:
    typed("run", "--until", "2025-11-08T03:00:00+01:00", "-C", billed)
    later = typed("status", "-C", billed, "--json").json
    words = ("verify", "bill", taken.proof, *taken.alone, "--app-hash", later["app_hash"])
    done = refused(*words, error="OtherAppHashError")
    assert f"height={taken.height}, " in done.json["sentence"]


@pytest.mark.parametrize("more", [(), ("--app-hash", "00" * 32)])
@pytest.mark.parametrize("name", ["none.proof", "./none"])
def test_a_file_that_is_not_there_is_told_as_that(
    name: str, more: tuple[str, ...], made_billed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused("verify", "bill", name, *more, "-C", made_billed, error="FileMissingError")
    refused("verify", "bill", name, *more, error="FileMissingError")


def test_what_is_neither_a_file_of_a_bill_nor_a_meter_is_told_as_that(made_billed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("no bill")
    refused("verify", "bill", other, "-C", made_billed, error="ProofFileError")
    refused("verify", "bill", "Adda", "-C", made_billed, error="NoSuchMeterError")
    typed("verify", "bill", "Adda", "--card", other, "-C", made_billed, code=2)


def test_offline_the_missing_one_of_the_households_files_is_named(taken: Taken) -> None:
    for given, missing in ((taken.alone[:2], "--card"), (taken.alone[2:], "--household")):
        done = typed("verify", "bill", taken.proof, *given, code=2)
        assert f"{missing} is missing" in " ".join(done.err.replace("│", " ").split())
    refused("verify", "bill", taken.proof, error="NoCommunityError")


# --- proofs to take away


def test_a_bill_is_taken_away_by_its_registration_or_whole(billed: Path, tmp_path: Path) -> None:
    status = typed("status", "-C", billed, "--json").json
    network = Network(status["chain_id"], latest=status["height"] + 1)
    network.start_s = int(time.time()) - (network.latest + 5) * BLOCK_S
    network.tells(network.latest, bytes.fromhex(status["app_hash"]))
    (own,) = (billed / "enrolments").glob("Ada.*.household")
    with EngineServer(network) as server:
        trust = tmp_path / "trust.json"
        typed("proof", "trust", trust, "--node", server.url, "--height", 2)
        options = ("--trust", trust, "--node", server.url, "-C", billed)
        typed("proof", "export", "bill", "Ada", tmp_path / "bill", *options)
        typed("proof", "export", "bill", "Ada", tmp_path / "whole", "--whole", "--month", MONTH, *options)
    shown = typed("bill", "show", "Ada", "-C", billed, "--json").json
    registered = typed("proof", "verify", tmp_path / "bill", "--trust", trust, "--json").json
    assert (registered["kind"], registered["about"]["version"]) == ("bill", shown["version"])
    whole = ("proof", "verify", tmp_path / "whole", "--trust", trust)
    refused(*whole, error="HouseholdNeededError")
    meter = read_household(SecretFiles(None), own).meter
    card = card_path(Community(billed).folder.cards, meter, 2025 * 12 + 9)
    told = typed(*whole, "--household", own, "--card", card, "--json").json
    assert told["found"]["payable_e9"] == shown["payable_e9"]
