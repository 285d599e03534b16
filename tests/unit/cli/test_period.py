"""`gridproof period`."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.unit.cli.home import founded, refused, total_wh, typed


def test_list_shows_the_last_day_that_has_any(worked: Path) -> None:
    told = typed("period", "list", "-C", worked, "--json").json
    assert (told["span"], told["channel"], told["opened"], told["missing"]) == ("2025-10-26", "import", 6, 1)
    assert told["total_wh"] == sum(map(total_wh, range(6)))
    starts = [period["start"] for period in told["periods"]]
    assert starts[2:4] == ["2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"]
    assert told["periods"][3] | {"k": 0} == {
        "region": 1,
        "channel": "import",
        "k": 0,
        "start": "2025-10-26T02:00:00+01:00",
        "end": "2025-10-26T03:00:00+01:00",
        "status": "opened",
        "total_wh": total_wh(3),
        "enrolled": 6,
        "live": 5,
        "missing": 1,
        "records": 10,
    }


def test_list_in_words_ends_with_the_sum(worked: Path) -> None:
    lines = typed("period", "list", "--month", "2025-10", "--region", "1", "-C", worked).out.splitlines()
    assert lines[-1] == f"6 periods, 6 with a total: {sum(map(total_wh, range(6))):,} Wh; 1 missing."
    assert lines[2].split() == ["1", "2025-10-26", "00:00", "+02:00", "opened", f"{total_wh(0):,}", "6", "0"]


def test_picture_is_drawn_into_a_file(worked: Path, tmp_path: Path) -> None:
    path = tmp_path / "day.svg"
    typed("period", "list", "--svg", path, "-C", worked)
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    titles = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert f"00:00: {total_wh(0):,} Wh" in titles
    assert "02:00: 1 missing" in titles


def test_picture_overwrites_nothing(worked: Path) -> None:
    places = worked / "secrets" / "bill-provider" / "places.key"
    before = places.read_bytes()
    refused("period", "list", "--svg", places, "-C", worked, error="FileExistsAlreadyError")
    assert places.read_bytes() == before


def test_show_takes_times_and_numbers_and_names(worked: Path) -> None:
    shown = typed("period", "show", "Region 1", "2025-10-26T02:30+01:00", "-C", worked, "--json").json
    again = typed("period", "show", "1", shown["k"], "-C", worked, "--json").json
    assert shown == again
    assert shown["total_wh"] == total_wh(3)
    assert sum(batch["fresh"] for batch in shown["batches"]) == 10
    assert (shown["month"], shown["window_end"]) == ("2025-10", "2025-10-26T04:00:00+01:00")
    assert len(shown["roster_root"]) == 64
    assert shown["leaves"] >= 12


def test_show_without_words_shows_the_last_total(worked: Path) -> None:
    assert typed("period", "show", "-C", worked, "--json").json["total_wh"] == total_wh(5)
    assert "total wh" in typed("period", "show", "-C", worked).out


def test_bill_provider_alone_names_the_silent_meter(worked: Path) -> None:
    done = typed("period", "show", "1", "2025-10-26T02:30+01:00", "--faults", "-C", worked, "--json")
    (fault,) = done.json["faults"]
    assert (fault["meter"], fault["kind"], fault["reading_wh"], len(fault["positions"])) == ("Fay", "silent", None, 2)
    assert "silent: meter Fay" in typed("period", "show", "1", "2025-10-26T02:30+01:00", "--faults", "-C", worked).out
    plain = typed("period", "show", "1", "2025-10-26T02:30+01:00", "-C", worked).out
    assert "Fay" not in plain
    (worked / "secrets" / "bill-provider" / "places.key").chmod(0o644)
    refused("period", "show", "--faults", "-C", worked, error="FileExposedError")
    typed("period", "show", "-C", worked)


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (("show", "Regon 1"), "NoSuchRegionError", {"close": ["1 Region 1"]}),
        (("show", "1", "2025-10-26T02:30"), "AmbiguousTimeError", {"second": "2025-10-26T02:30:00+01:00"}),
        (("show", "1", "2025-11-26"), "NoSuchPeriodError", {"last": "2025-10-26T04:00:00+01:00"}),
        (("show", "1", "17"), "NoSuchPeriodError", {"first": "2025-10-26T00:00:00+02:00"}),
        (("show", "1", "--channel", "export"), "NothingYetError", {"channel": "export"}),
        (("show", "1", "--channel", "heat"), "UnknownNameError", {"known": ["import", "export"]}),
        (("list", "--day", "2025-02-30"), "NoDayError", {}),
        (("list", "--month", "2025-13"), "NoMonthGivenError", {}),
        (("list", "--day", "2025-11-26"), "NoSuchPeriodError", {"last": "2025-10-26T04:00:00+01:00"}),
        (("list", "--region", "9"), "NoSuchRegionError", {}),
        (("list", "--svg", "missing/x.svg"), "FileUnwritableError", {}),
    ],
)
def test_what_is_not_there_names_what_is(
    words: tuple[str, ...], error: str, named: dict[str, object], worked: Path
) -> None:
    particulars = refused("period", *words, "-C", worked, error=error).json["particulars"]
    assert named.items() <= particulars.items() or {key: particulars[key] for key in named} == named


def test_day_and_month_together_are_a_misuse(worked: Path) -> None:
    done = typed("period", "list", "--day", "2025-10-26", "--month", "2025-10", "-C", worked, "--json", code=2)
    assert done.json["sentence"].endswith("give one of --day and --month, not both")


def test_regions_without_periods_are_left_out_unless_none_has_any(tmp_path: Path) -> None:
    root = founded(tmp_path / "home", "--regions", "A,B")
    refused("period", "list", "-C", root, error="NothingYetError")
    done = typed("period", "list", "--svg", "x.svg", "-C", root, "--json", code=2)
    assert done.json["sentence"].endswith("--svg takes one; name it with --region: A, B")
