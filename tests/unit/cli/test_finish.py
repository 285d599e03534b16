"""`gridproof bill finish`, and what a run does when the ledger forgets a month."""

import shutil
from pathlib import Path

import pytest

from gridproof.actors.community import Community
from gridproof.connectors.outbox import Outbox
from gridproof.connectors.registers import Registers

from tests.billed import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    NOVEMBER,
    OCTOBER,
    OF_NOVEMBER,
    OF_OCTOBER,
    Billed,
    founded,
    october_billed,
)
from tests.unit.cli.home import files_of, refused


@pytest.fixture(scope="module")
def made_billed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return october_billed(tmp_path_factory.mktemp("billed") / "home").root


@pytest.fixture
def billed(made_billed: Path, tmp_path: Path) -> Billed:
    return Billed(Path(shutil.copytree(made_billed, tmp_path / "home")))


def keys_of(billed: Billed, month: int) -> list[str]:
    """The bill provider's files of a month."""
    folder = billed.root / "secrets" / "bill-provider"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(f"{month}*.key"))


def sent(billed: Billed) -> dict[str, int]:
    """How many sent records the meters keep, by name."""
    outbox = Outbox(billed.root / "outbox" / "meters.db")
    try:
        return {row.name: len(outbox.of_meter(row.handle)) for row in Community(billed.root).meters()}
    finally:
        outbox.close()


def test_finished_month_leaves_no_key_owner_account_register_or_sent_record(billed: Billed) -> None:
    assert keys_of(billed, OF_OCTOBER) == [
        f"accounts/1-import/{OF_OCTOBER}.key",
        f"owners/1-import/{OF_OCTOBER}-1-0.key",
        f"views/1-import/{OF_OCTOBER}.key",
    ]
    assert set(sent(billed).values()) == {14}
    told = billed("bill", "finish", "--month", OCTOBER, "--json").json
    assert told["months"] == [{"region": 1, "month": OCTOBER, "bills": 5, "before": False}]
    assert keys_of(billed, OF_OCTOBER) == []
    assert set(sent(billed).values()) == {6}, "November's records are still wanted"
    registers = Registers(billed.root / "outbox" / "registers.db")
    last = {signed.month for row in Community(billed.root).meters() for signed in registers.signed_by(row.handle)}
    registers.close()
    assert last == {OF_OCTOBER}, "the last signed register is where the next one begins"


def test_after_it_the_bills_are_listed_opened_and_true_and_the_ledger_verifies(billed: Billed) -> None:
    before = billed("bill", "list", "--json").json
    billed("bill", "finish", "--month", OCTOBER)
    assert billed("bill", "list", "--json").json == before
    shown = billed("verify", "bill", "Adalind", "--month", OCTOBER, "--json").json
    assert (shown["ok"], shown["gone"], shown["falsehoods"]) == (True, [], [])
    assert billed("verify", "ledger", "--json").json["ok"]
    assert billed("doctor", "--json").json["ok"]
    told = billed("bill", "make", "--json").json["months"]
    assert told == [{"region": 1, "month": OCTOBER, "made": 0, "before": 5, "unmade": 0}]
    billed.run(AFTER_NOVEMBER)
    billed("bill", "make")
    assert billed("verify", "bill", "Bo", "--month", NOVEMBER, "--json").json["ok"]


def test_finishing_twice_is_harmless_and_says_so(billed: Billed) -> None:
    billed("bill", "finish", "--month", OCTOBER)
    before = files_of(billed.root / "secrets")
    done = billed("bill", "finish", "--month", OCTOBER)
    assert "5 bills are final, as before." in done.out
    assert "What stays: " in done.out
    assert files_of(billed.root / "secrets") == before


def test_run_after_finishing_raises_no_alarm_about_the_finished_months_registers(billed: Billed) -> None:
    billed("bill", "finish", "--month", OCTOBER)
    done = billed.run(AFTER_OCTOBER)
    assert done.json["problems"] == []
    done = billed.run(AFTER_NOVEMBER)
    assert done.json["problems"] == []
    billed("bill", "make")
    billed("bill", "finish", "--month", NOVEMBER)
    assert billed.run("2025-12-03T00:00").json["problems"] == []


def test_erasing_that_was_cut_short_goes_on(billed: Billed) -> None:
    for path in sorted((billed.root / "secrets" / "bill-provider").rglob(f"{OF_OCTOBER}*.key")):
        path.unlink()
    billed("bill", "finish", "--month", OCTOBER)
    assert set(sent(billed).values()) == {6}
    assert billed("bill", "list", "--json").json["bills"][0]["name"] == "Adalind"


def test_gathered_records_that_a_killed_run_left_are_erased(billed: Billed) -> None:
    left = billed.root / "bills" / "gathered" / f"1-import-{OF_OCTOBER}.cells"
    left.write_bytes(b"whose record it is")
    billed("bill", "finish", "--month", OCTOBER)
    assert not left.exists()


def refuses(billed: Billed, month: str, words: str) -> None:
    """Finishing is refused for a reason that has these words, and nothing is erased."""
    before = files_of(billed.root / "secrets") | files_of(billed.root / "bills")
    done = refused("bill", "finish", "--month", month, "-C", billed.root, error="BillsNotFinalError")
    assert words in done.json["particulars"]["detail"]
    assert done.json["particulars"]["month"] == month
    assert files_of(billed.root / "secrets") | files_of(billed.root / "bills") == before


def test_open_month_and_one_that_never_was_are_not_finished(billed: Billed) -> None:
    refuses(billed, NOVEMBER, "not closed")
    refuses(billed, "2024-01", "not closed")


def test_month_with_bills_owed_is_not_finished(billed: Billed) -> None:
    billed.run(AFTER_NOVEMBER)
    refuses(billed, NOVEMBER, "a bill is owed to Adalind, Bo, Cleo, Dan, Eve")


def test_month_with_an_open_objection_is_not_finished(billed: Billed) -> None:
    billed("bill", "object", "Adalind", "--because", "The cellar is not mine.", "--month", OCTOBER)
    refuses(billed, OCTOBER, "an objection of Adalind has no answer")
    billed("bill", "answer", "Adalind", 1, "--because", "Right.", "--uphold", "--month", OCTOBER)
    refuses(billed, OCTOBER, "an objection of Adalind was upheld and its bill not corrected")
    billed("bill", "make", "--month", OCTOBER, "--correct", "Adalind")
    billed("bill", "finish", "--month", OCTOBER)
    assert billed("bill", "objections", "--json").json["objections"][0]["reasons"] == "The cellar is not mine."


def test_nothing_about_finished_bills_changes_any_more(billed: Billed) -> None:
    billed("bill", "finish", "--month", OCTOBER)
    words = ("bill", "make", "--month", OCTOBER, "--correct", "Adalind", "-C", billed.root)
    refused(*words, error="MonthFinishedError")
    billed("bill", "object", "Adalind", "--because", "Too late.", "--month", OCTOBER)
    answer = ("bill", "answer", "Adalind", 1, "--because", "Indeed.", "--month", OCTOBER, "-C", billed.root)
    refused(*answer, error="MonthFinishedError")


def test_of_two_regions_both_are_finished_or_neither(tmp_path: Path) -> None:
    billed = founded(tmp_path / "home", regions=2)
    billed("meter", "enrol", "Flo", "Gil", "Hal", "--region", "2")
    billed.read(range(4))
    billed("run")
    billed.run(AFTER_OCTOBER)
    billed("bill", "make", "--region", "1")
    refuses(billed, OCTOBER, "a bill is owed to Flo, Gil, Hal")
    assert len(keys_of(billed, OF_OCTOBER)) == 6
    billed("bill", "finish", "--month", OCTOBER, "--region", "1")
    assert {name.partition("/")[2][:1] for name in keys_of(billed, OF_OCTOBER)} == {"2"}
    billed("bill", "make")
    told = billed("bill", "finish", "--month", OCTOBER, "--json").json["months"]
    assert [(each["region"], each["bills"], each["before"]) for each in told] == [(1, 5, True), (2, 3, False)]
    assert keys_of(billed, OF_OCTOBER) == []


def test_region_without_meters_has_nothing_to_finish_and_holds_nobody_up(tmp_path: Path) -> None:
    billed = founded(tmp_path / "home", regions=2)
    billed.read(range(4))
    billed("run")
    billed.run(AFTER_OCTOBER)
    billed("bill", "make")
    told = billed("bill", "finish", "--month", OCTOBER, "--json").json["months"]
    assert [(each["region"], each["bills"]) for each in told] == [(1, 5), (2, 0)]
    assert billed("verify", "ledger", "--json").json["ok"]


def test_sealed_folder_is_finished_with_its_passphrase_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDPROOF_PASSPHRASE", "as many words as it takes")
    billed = founded(tmp_path / "home", "--sealed")
    billed.read(range(4))
    billed("run")
    billed.run(AFTER_OCTOBER)
    billed("bill", "make")
    with monkeypatch.context() as without:
        without.delenv("GRIDPROOF_PASSPHRASE")
        words = ("bill", "finish", "--month", OCTOBER, "-C", billed.root)
        refused(*words, error="PassphraseNeededError")
    assert len(keys_of(billed, OF_OCTOBER)) == 3
    billed("bill", "finish", "--month", OCTOBER)
    assert keys_of(billed, OF_OCTOBER) == []
    billed("household", "export", "Adalind", tmp_path / "out")
    held = (tmp_path / "out").glob("Adalind.*.household")
    assert [path.read_bytes()[:10] for path in held] == [b"gpsecret\x01\x01"], "sealed here, sealed there"


# --- what the ledger forgets -----------------------------------------------------------------------------------------


def test_run_finishes_a_month_whose_records_the_ledger_forgets_and_takes_its_rosters_down(billed: Billed) -> None:
    rosters = billed.root / "public" / "rosters" / "1-import"
    assert len(list(rosters.glob(f"{OF_OCTOBER}-*"))) == 2
    told = billed.run(AFTER_NOVEMBER).json
    assert told["problems"] == []
    assert keys_of(billed, OF_OCTOBER) == []
    assert list(rosters.glob(f"{OF_OCTOBER}-*")) == []
    assert len(list(rosters.glob(f"{OF_NOVEMBER}-*"))) == 2
    assert set(sent(billed).values()) == {6}
    assert billed("doctor", "--json").json["ok"]


def test_rosters_of_a_month_that_was_finished_by_hand_go_when_the_ledger_forgets_it(billed: Billed) -> None:
    billed("bill", "finish", "--month", OCTOBER)
    rosters = billed.root / "public" / "rosters" / "1-import"
    assert len(list(rosters.glob(f"{OF_OCTOBER}-*"))) == 2, "who checks a bill still needs them"
    billed.run(AFTER_NOVEMBER)
    assert list(rosters.glob(f"{OF_OCTOBER}-*")) == []


def test_bills_that_were_never_made_are_told_when_they_cannot_be_made_any_more(tmp_path: Path) -> None:
    billed = founded(tmp_path / "home")
    billed.read(range(7))
    billed("run")
    told = billed.run(AFTER_NOVEMBER).json
    assert told["problem_count"] == 1
    assert "cannot be made any more" in told["problems"][0]
    assert "Adalind" in told["problems"][0]
    assert keys_of(billed, OF_OCTOBER) == []


def test_pruned_month_is_true_to_the_root_and_what_cannot_be_recomputed_is_said(billed: Billed, tmp_path: Path) -> None:
    proof, records = tmp_path / "ada.proof", tmp_path / "ada.json"
    billed("export", "bill", "Adalind", proof, "--month", OCTOBER)
    billed("export", "records", "Adalind", records)
    billed.run(AFTER_NOVEMBER)
    late = ("export", "bill", "Adalind", tmp_path / "late.proof", "--month", OCTOBER, "-C", billed.root)
    refused(*late, error="MonthForgottenError")
    assert not (tmp_path / "late.proof").exists()

    told = billed("verify", "bill", "Adalind", "--month", OCTOBER, "--json").json
    assert told["ok"]
    assert told["gone"] == ["records", "prices", "absences", "arithmetic"]
    assert told["checks"] == dict.fromkeys(("identity", "period", "leaves", "registers", "tariffs"), True)
    for words in (("bill", "show", "Adalind", "--month", OCTOBER), ("verify", "bill", "Adalind", "--month", OCTOBER)):
        said = [line for line in billed(*words).out.splitlines() if "has forgotten this month's records" in line]
        assert len(said) == 1
    assert billed("verify", "ledger", "--json").json["ok"]
    # What the household took along before is proven as it was, against the app hash that the replay goes through.
    assert billed("verify", "bill", proof, "--json").json["gone"] == []
    assert billed("verify", "record", records, "--json").json["ok"]


def test_page_of_a_pruned_month_says_that_not_all_could_be_checked(billed: Billed, tmp_path: Path) -> None:
    billed.run(AFTER_NOVEMBER)
    for language, words in (("en", "what can still be checked"), ("de", "was sich noch prüfen lässt")):
        page = tmp_path / f"{language}.html"
        billed("bill", "open", "Adalind", page, "--month", OCTOBER, "--language", language)
        assert words in page.read_text(encoding="utf-8")
