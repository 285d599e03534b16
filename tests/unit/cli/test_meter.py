"""`gridproof meter`."""

import stat
from pathlib import Path

import pytest

from gridproof.actors.community import Community, access
from gridproof.actors.community.access import at_work

from tests.unit.cli.home import NAMES, START, all_readings, files_of, founded, reading, refused, typed, write_readings


def names(root: Path) -> list[str]:
    return [meter["name"] for meter in typed("meter", "list", "-C", root, "--json").json["meters"]]


def test_enrolled_meters_get_private_files_and_stand_on_the_ledger(new: Path) -> None:
    told = typed("meter", "enrol", "Ada", "Bo", "--channels", "import,export", "-C", new, "--json").json["meters"]
    assert [(meter["name"], meter["region"], meter["channels"]) for meter in told] == [
        ("Ada", 1, ["import", "export"]),
        ("Bo", 1, ["import", "export"]),
    ]
    assert told[0]["from"] == "2025-10-26T00:00:00+02:00"
    for key in ("meter_file", "household_file"):
        assert stat.S_IMODE(Path(told[0][key]).stat().st_mode) == 0o600
    enrolled = typed("status", "-C", new, "--json").json["meters"]
    assert [each["enrolled"] for each in enrolled] == [2, 2]


def test_list_shows_who_began_and_ended_when_with_readings(worked: Path) -> None:
    typed("meter", "revoke", "Bo", "--from", "2025-10-27", "-C", worked)
    told = typed("meter", "list", "-C", worked, "--json").json["meters"]
    assert [(meter["name"], meter["readings"]) for meter in told] == [
        (name, 5 if name == "Fay" else 6) for name in NAMES
    ]
    assert (told[1]["from"], told[1]["until"]) == ("2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00")
    lines = typed("meter", "list", "-C", worked).out.splitlines()
    assert lines[-1] == "6 meters"
    assert "2025-10-27 00:00 +01:00" in lines[2]


def test_names_come_from_a_plain_list_a_table_or_readings(new: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_bytes(b"\xef\xbb\xbfAda\r\n\r\n# not me\r\nBo\r\n")
    typed("meter", "enrol", "Cleo", "--list", plain, "-C", new)
    table = tmp_path / "table.csv"
    table.write_text('meter,region,channels\nDan,1,"import,export"\nEve,Region 1,\n')
    typed("meter", "enrol", "--list", table, "-C", new)
    typed("meter", "enrol", "--list", write_readings(tmp_path / "r.csv", ["Fay,x,1,export", "Fay,x,1,"]), "-C", new)
    told = typed("meter", "list", "-C", new, "--json").json["meters"]
    assert [(meter["name"], "+".join(meter["channels"])) for meter in told] == [
        ("Ada", "import"),
        ("Bo", "import"),
        ("Cleo", "import"),
        ("Dan", "import+export"),
        ("Eve", "import"),
        ("Fay", "import+export"),
    ]


def test_name_that_comes_from_two_places_is_enrolled_once(new: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "r.csv", all_readings(1))
    told = typed("meter", "enrol", "Ada", "Ada", "--list", path, "-C", new, "--json").json["meters"]
    assert sorted(meter["name"] for meter in told) == list(NAMES)


def test_bad_lines_of_a_list_are_all_named_and_nobody_is_enrolled(new: Path, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("meter,region,channels\nAda,1,import\nBo,Hill,\nCleo,1,both\n,1,\nAda,1,\nDan\n")
    done = refused("meter", "enrol", "--list", path, "-C", new, error="MeterListError")
    bad = done.json["particulars"]["bad"]
    assert [line for line, _ in bad] == [3, 4, 5, 6, 7]
    assert names(new) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"meter,colour\nAda,red\n", "MeterListError"),
        (b"\xff\xfe\n", "FileUnreadableError"),
        (b"", "NoMeterNamedError"),
    ],
)
def test_list_that_is_none_is_refused(content: bytes, error: str, new: Path, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    refused("meter", "enrol", "--list", path, "-C", new, error=error)
    assert names(new) == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("enrol",), "NoMeterNamedError"),
        (("enrol", "Ada"), "AlreadyEnrolledError"),
        (("enrol", " Gus"), "BadMeterNameError"),
        (("enrol", "x" * 65), "BadMeterNameError"),
        (("enrol", "Gus\n"), "BadMeterNameError"),
        (("enrol", "Gus", "--channels", "heat"), "UnknownNameError"),
        (("enrol", "Gus", "--region", "Hill"), "NoSuchRegionError"),
        (("enrol", "Gus", "--from", START), "TooEarlyError"),
        (("enrol", "Gus", "--from", "2525-10-26T00:00"), "TooLateError"),
        (("enrol", "Gus", "--from", "2025-11-01T00:10"), "MisalignedTimeError"),
        (("enrol", "--list", "missing"), "FileMissingError"),
        (("revoke", "Adda"), "NoSuchMeterError"),
        (("revoke", "Ada", "--from", START), "TooEarlyError"),
        (("swap", "Gus"), "NoSuchMeterError"),
        (("swap", "Ada", "Bo"), "AlreadyEnrolledError"),
        (("swap", "Ada", ""), "BadMeterNameError"),
    ],
)
def test_what_cannot_be_changes_nothing(words: tuple[str, ...], error: str, worked: Path) -> None:
    before = files_of(worked / "secrets") | files_of(worked / "enrolments")
    done = refused("meter", *words, "-C", worked, error=error)
    assert files_of(worked / "secrets") | files_of(worked / "enrolments") == before
    if error == "NoSuchMeterError" and "Adda" in words:
        assert done.json["particulars"]["close"] == ["Ada"]


def test_several_regions_need_one_to_be_named(tmp_path: Path) -> None:
    root = founded(tmp_path / "home", "--regions", "Old Town,Hill")
    done = refused("meter", "enrol", "Ada", "-C", root, error="RegionNeededError")
    assert done.json["particulars"]["regions"] == ["1 Old Town", "2 Hill"]
    told = typed("meter", "enrol", "Ada", "--region", "hill", "-C", root, "--json").json
    assert told["meters"][0]["region"] == 2


def test_revoked_meter_is_not_enrolled_twice_over(worked: Path) -> None:
    told = typed("meter", "revoke", "Ada", "--from", "2025-10-26T12:00", "-C", worked, "--json").json
    assert told == {"name": "Ada", "until": "2025-10-26T12:00:00+01:00"}
    refused("meter", "revoke", "Ada", "-C", worked, error="NotEnrolledError")
    assert typed("doctor", "-C", worked, "--json").json["ok"]


def test_moved_out_household_frees_the_name_and_publishes_nothing(worked: Path) -> None:
    rosters = files_of(worked / "public")
    typed("meter", "revoke", "Ada", "--moved-out", "-C", worked)
    assert files_of(worked / "public") == rosters
    typed("meter", "enrol", "Ada", "-C", worked)
    assert names(worked).count("Ada") == 2


def test_swapped_meter_has_files_of_its_own(worked: Path) -> None:
    told = typed("meter", "swap", "Ada", "Gus", "-C", worked, "--json").json["meters"][0]
    assert (told["name"], told["from"]) == ("Gus", "2025-10-26T06:00:00+01:00")
    assert typed("status", "-C", worked, "--json").json["meters"][0]["enrolled"] == 6
    typed("meter", "swap", "Bo", "-C", worked)
    assert names(worked) == ["Ada", "Bo", "Bo", "Cleo", "Dan", "Eve", "Fay", "Gus"]


def test_lost_files_are_written_again_and_serve_as_before(worked: Path, tmp_path: Path) -> None:
    for path in (worked / "enrolments").glob("Ada.*"):
        path.unlink()
    told = typed("meter", "reissue", "Ada", "-C", worked, "--json").json["meters"][0]
    assert Path(told["meter_file"]).exists()
    rows = [reading(name, 6, 9) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "more.csv", rows), "-C", worked)
    typed("run", "-C", worked)
    assert typed("period", "show", "-C", worked, "--json").json["total_wh"] == 54
    typed("meter", "revoke", "Ada", "-C", worked)
    refused("meter", "reissue", "Ada", "-C", worked, error="NotEnrolledError")
    refused("meter", "reissue", "Gus", "-C", worked, error="NoSuchMeterError")


def test_who_comes_while_another_acts_is_turned_away(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access.at_work.__wrapped__, "__defaults__", (0.1,))  # type: ignore[attr-defined]
    with at_work(Community(new).folder):
        done = refused("meter", "enrol", "Ada", "-C", new, error="AtWorkError")
    assert done.json["particulars"]["held_by"].startswith("process ")
    assert names(new) == []
