"""`gridproof readings`."""

from pathlib import Path

from tests.unit.cli.home import NAMES, all_readings, reading, refused, typed, write_readings


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
    assert told["bad"][0]["reason"].startswith("already there")
    assert count(worked) == 35


def test_missing_or_foreign_files_are_told(new: Path, tmp_path: Path) -> None:
    refused("readings", "import", tmp_path / "none.csv", "-C", new, error="FileMissingError")
    path = tmp_path / "x.csv"
    path.write_bytes(b"\x00\xff")
    done = typed("readings", "import", path, "-C", new, "--skip-bad", code=1)
    assert "line 1: bytes that are no UTF-8" in done.out
    assert "No readings imported." in done.out
