"""`gridproof readings`."""

import time
from pathlib import Path

from gridproof.connectors.readings import Fault

from tests.unit.cli.home import (
    NAMES,
    PERIOD_S,
    START_S,
    all_readings,
    founded,
    reading,
    refused,
    typed,
    write_readings,
)


def enrolled(root: Path) -> Path:
    typed("meter", "enrol", *NAMES, "-C", root)
    return root


def count(root: Path) -> int:
    value = typed("status", "-C", root, "--json").json["readings"]["count"]
    assert isinstance(value, int)
    return value


def test_whole_file_is_imported(new: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "r.csv", all_readings())
    told = typed("readings", "import", path, "-C", enrolled(new), "--json").json
    assert (told["stored"], told["accepted"], told["bad_total"], told["bad"]) == (True, 35, 0, [])
    assert told["meters"] == list(NAMES)
    assert (told["first"], told["last"]) == ("2025-10-26T00:00:00+02:00", "2025-10-26T04:00:00+01:00")
    assert count(new) == 35


def test_bad_rows_stand_in_a_line_each_and_nothing_is_imported(new: Path, tmp_path: Path) -> None:
    rows = [reading("Ada", 0, 1), reading("Gus", 0, 1), reading("Ada", 0, 2), reading("Ada", 1, -1)]
    path = write_readings(tmp_path / "r.csv", rows)
    done = typed("readings", "import", path, "-C", enrolled(new), code=1)
    assert [line.split(":")[0] for line in done.out.splitlines()[:3]] == ["line 3", "line 4", "line 5"]
    assert "nothing was imported" in done.out
    assert done.err.startswith("gridproof: The file has bad rows")
    told = typed("readings", "import", path, "-C", new, "--json", code=1).json
    assert (told["stored"], told["bad_total"]) == (False, 3)
    assert told["bad"][0] == {"line": 3, "reason": "unknown meter", "text": "Gus"}
    assert count(new) == 0


def test_good_rows_are_imported_when_bad_ones_shall_be_skipped(new: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "r.csv", [reading("Ada", 0, 1), reading("Gus", 0, 1)])
    told = typed("readings", "import", path, "--skip-bad", "-C", enrolled(new), "--json").json
    assert (told["stored"], told["accepted"], told["bad_total"]) == (True, 1, 1)
    assert count(new) == 1


def test_reading_that_is_there_is_refused_and_the_first_kept(worked: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "r.csv", [reading("Ada", 0, 999)])
    told = typed("readings", "import", path, "-C", worked, "--json", code=1).json
    assert told["bad"][0]["reason"].startswith("already there with another value")
    assert count(worked) == 35


def test_same_readings_once_more_are_no_fault_also_when_their_periods_are_closed(worked: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "r.csv", [*all_readings(), reading("Ada", 6, 1)])
    told = typed("readings", "import", path, "-C", worked, "--json").json
    assert (told["accepted"], told["already"], told["bad_total"]) == (1, 35, 0)
    done = typed("readings", "import", path, "-C", worked)
    assert done.out.splitlines() == [
        "36 readings were there already, with the same value.",
        "No new readings imported.",
    ]


def test_reading_whose_period_is_closed_is_refused(worked: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "r.csv", [reading("Fay", 3, 5), reading("Fay", 6, 5)])
    assert reasons(worked, path) == {2: Fault.PERIOD_CLOSED}
    told = typed("readings", "import", path, "--skip-bad", "-C", worked, "--json").json
    assert (told["accepted"], told["bad_total"], count(worked)) == (1, 1, 36)


def test_reading_of_a_meter_that_is_not_enrolled_then_is_refused(worked: Path, tmp_path: Path) -> None:
    typed("meter", "revoke", "Ada", "--from", "2025-10-26T12:00", "-C", worked)
    typed("meter", "enrol", "Gus", "--from", "2025-10-26T12:00", "-C", worked)
    rows = [reading(name, at, 1) for name in ("Ada", "Gus") for at in (12, 13)]
    path = write_readings(tmp_path / "r.csv", rows)
    assert reasons(worked, path) == {3: Fault.NOT_ENROLLED, 4: Fault.NOT_ENROLLED}


def test_reading_on_a_channel_that_the_meter_has_not_is_refused(new: Path, tmp_path: Path) -> None:
    path = write_readings(tmp_path / "r.csv", [reading("Ada", 0, 1), reading("Ada", 0, 1, "export")])
    assert reasons(enrolled(new), path) == {3: Fault.NOT_ON_CHANNEL}


def test_reading_from_before_anything_can_be_metered_is_refused(new: Path, tmp_path: Path) -> None:
    enrolled(new)
    typed("run", "--until", "2025-10-26T01:00", "-C", new)
    path = write_readings(tmp_path / "r.csv", [reading("Ada", -1, 1), reading("Ada", 0, 1), reading("Ada", 1, 1)])
    assert reasons(new, path) == {2: Fault.NOT_ENROLLED, 3: Fault.TOO_EARLY}


def test_mistaken_year_is_refused_before_it_drags_ledger_time_there(new: Path, tmp_path: Path) -> None:
    rows = [
        reading("Ada", 0, 1),
        reading("Ada", 0, 1).replace("2025", "2525"),
        *(reading("Ada", 24 * 400 + at, 1) for at in (0, 1)),
    ]
    path = write_readings(tmp_path / "r.csv", rows)
    assert reasons(enrolled(new), path) == {3: Fault.FAR_AHEAD, 5: Fault.FAR_AHEAD}
    assert "mend the year" in typed("readings", "import", path, "-C", new, code=1).out
    assert count(new) == 0


def test_by_the_machines_clock_no_reading_lies_in_the_future(tmp_path: Path) -> None:
    root = enrolled(founded(tmp_path / "home", "--clock", "block"))
    this_hour_s = int(time.time()) // PERIOD_S * PERIOD_S
    at = (this_hour_s - START_S) // PERIOD_S
    rows = [reading("Ada", at + 20, 1), reading("Ada", at + 26, 1)]
    assert reasons(root, write_readings(tmp_path / "r.csv", rows)) == {3: Fault.FUTURE}


def reasons(root: Path, path: Path) -> dict[int, Fault]:
    """Why a file is refused, by line."""
    told = typed("readings", "import", path, "-C", root, "--json", code=1).json
    return {bad["line"]: Fault(bad["reason"]) for bad in told["bad"]}


def test_missing_or_foreign_files_are_told(new: Path, tmp_path: Path) -> None:
    refused("readings", "import", tmp_path / "none.csv", "-C", new, error="FileMissingError")
    path = tmp_path / "x.csv"
    path.write_bytes(b"\x00\xff")
    done = typed("readings", "import", path, "-C", new, "--skip-bad", code=1)
    assert "line 1: bytes that are no UTF-8" in done.out
    assert "No readings imported." in done.out
