"""Readings from files, by the rules V-1 to V-5."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridproof.connectors.files import FileMissingError, FileUnreadableError
from gridproof.connectors.readings import (
    BadRow,
    Fault,
    ImportReport,
    Reading,
    ReadingsRefusedError,
    SqliteReadings,
    csv_file,
    import_csv,
)
from gridproof.domain import Direction

from .contract import EXPORT, QUARTER_S, START_S, everything, reading
from tests.shared import data

HEADER = b"meter,start,energy_wh\n"
GOOD = b"h001,2025-10-26T23:00:00Z,10\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteReadings]:
    with SqliteReadings(tmp_path / "readings.db") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


def refuse(store: SqliteReadings, path: Path, content: bytes, **options: object) -> ImportReport:
    """Import what must be refused, see that nothing was stored, and return the report."""
    path.write_bytes(content)
    before = everything(store)
    with pytest.raises(ReadingsRefusedError) as refusal:
        import_csv(store, path, period_s=QUARTER_S, **options)  # type: ignore[arg-type]
    assert refusal.value.path == str(path)
    assert everything(store) == before
    return refusal.value.report


def faults(report: ImportReport) -> list[tuple[int, Enum]]:
    return [(bad.line, bad.fault) for bad in report.bad]


def test_a_good_file_is_stored_and_reported(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(HEADER + GOOD + b"h002,2025-10-27T00:15:00+01:00,0\n")
    report = import_csv(store, path, period_s=QUARTER_S)
    assert report == (2, 0, (), ("h001", "h002"), START_S, START_S + QUARTER_S, 0)
    assert everything(store) == [reading("h001"), reading("h002", 1, 0)]


def test_v3_no_channel_means_import_and_a_channel_is_read_in_any_case(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(
        b"channel,energy_wh,start,meter\n"
        b"EXPORT,5,2025-10-26T23:00:00Z,h001\n"
        b"import,6,2025-10-26T23:00:00Z,h001\n"
        b",7,2025-10-26T23:15:00Z,h001\n"
    )
    import_csv(store, path, period_s=QUARTER_S)
    assert everything(store) == [reading(energy_wh=6), reading(energy_wh=5, channel=EXPORT), reading(k=1, energy_wh=7)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + HEADER + GOOD,
        HEADER.replace(b"\n", b"\r\n") + GOOD.replace(b"\n", b"\r\n"),
        HEADER + GOOD.rstrip(),
        HEADER + b"\r\n\n" + GOOD + b"\n  \n",
        b'"meter","start","energy_wh"\n"h001","2025-10-26T23:00:00Z","10"\n',
        b" meter , start , energy_wh \n h001 , 2025-10-26T23:00:00Z , 10 \n",
        b'meter, start, energy_wh\nh001, "2025-10-26T23:00:00Z", "10"\n',
    ],
    ids=["bom", "crlf", "no-last-newline", "empty-lines", "quoted", "blanks", "blanks-and-quotes"],
)
def test_common_forms_of_the_same_file_are_fine(store: SqliteReadings, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert import_csv(store, path, period_s=QUARTER_S).accepted == 1
    assert everything(store) == [reading()]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (b"h001,2025-10-26T23:00:00Z,-5", Fault.NEGATIVE),
        (b"h001,2025-10-26T23:00:00Z,5.0", Fault.NOT_WHOLE),
        (b"h001,2025-10-26T23:00:00Z,", Fault.NOT_WHOLE),
        (b"h001,2025-10-26T23:00:00Z,1_000", Fault.NOT_WHOLE),
        (b"h001,2025-10-26T23:00:00Z,+5", Fault.NOT_WHOLE),
        (b"h001,2025-10-26T23:00:00Z,1e3", Fault.NOT_WHOLE),
        ("h001,2025-10-26T23:00:00Z,\u0665".encode(), Fault.NOT_WHOLE),
        (b"h001,2025-10-26T23:00:00Z,4294967296", Fault.ENERGY_RANGE),
        (b"h001,2025-10-26T23:00:00Z," + b"9" * 3_000, Fault.ENERGY_RANGE),
        (b"h001,2025-10-26T23:07:00Z,5", Fault.MISALIGNED),
        (b"h001,2025-10-26T23:00:00.5Z,5", Fault.MISALIGNED),
        (b"h001,2025-10-26T23:00:00,5", Fault.NO_OFFSET),
        (b"h001,2025-10-26,5", Fault.NO_OFFSET),
        (b"h001,yesterday,5", Fault.NO_TIME),
        (b"h001,,5", Fault.NO_TIME),
        (b"h001,2025-13-26T23:00:00Z,5", Fault.NO_TIME),
        (b"h001,1969-12-31T23:45:00Z,5", Fault.TIME_RANGE),
        (b"h001,9999-12-31T23:45:00Z,5", Fault.TIME_RANGE),
        (b"h001,0001-01-01T00:00:00+14:00,5", Fault.TIME_RANGE),
        (b"h\xff01,2025-10-26T23:00:00Z,5", Fault.NOT_UTF8),
        (b",2025-10-26T23:00:00Z,5", Fault.METER_NAME),
        (b"h\x1b[31m,2025-10-26T23:00:00Z,5", Fault.METER_NAME),
        (b"h\x0001,2025-10-26T23:00:00Z,5", Fault.METER_NAME),
        (b"h" * 65 + b",2025-10-26T23:00:00Z,5", Fault.METER_NAME),
        (b"h001,2025-10-26T23:00:00Z", Fault.FIELD_COUNT),
        (b"h001,2025-10-26T23:00:00Z,5,import", Fault.FIELD_COUNT),
        (b"h001;2025-10-26T23:00:00Z;5", Fault.FIELD_COUNT),
        (b'"h001,2025-10-26T23:00:00Z,5', Fault.OPEN_QUOTE),
        (b'"h"001,2025-10-26T23:00:00Z,5', Fault.OPEN_QUOTE),
        (b"h001,2025-10-26T23:00:00Z,5" + b" " * 5_000, Fault.LINE_TOO_LONG),
        (b"x" * 20_000, Fault.LINE_TOO_LONG),
    ],
)
def test_v1_a_bad_row_is_reported_with_its_line_and_the_rows_around_it_are_read(
    store: SqliteReadings, path: Path, row: bytes, fault: Fault
) -> None:
    after = b"h001,2025-10-26T23:30:00Z,12\n"
    report = refuse(store, path, HEADER + GOOD + row + b"\n" + after)
    assert faults(report) == [(3, fault)]
    assert report.accepted == 2
    assert import_csv(store, path, period_s=QUARTER_S, skip_bad=True).bad_total == 1
    assert everything(store) == [reading(), reading(k=2, energy_wh=12)]


def test_v1_an_unknown_channel_is_reported(store: SqliteReadings, path: Path) -> None:
    content = HEADER.rstrip() + b",channel\n" + GOOD.rstrip() + b",sideways\n"
    report = refuse(store, path, content)
    assert report.bad == (BadRow(2, Fault.UNKNOWN_CHANNEL, "sideways"),)


def test_v1_every_bad_row_is_reported_and_counted_in_order(store: SqliteReadings, path: Path) -> None:
    rows = [b"h001,2025-10-26T23:00:00Z,%d" % energy for energy in (-1, 10, 20)] + [b"h001,?,1", b"x"]
    report = refuse(store, path, HEADER + b"\n".join(rows))
    assert faults(report) == [
        (2, Fault.NEGATIVE),
        (4, Fault.REPEATED),
        (5, Fault.NO_TIME),
        (6, Fault.FIELD_COUNT),
    ]
    assert (report.accepted, report.bad_total) == (1, 4)


def test_v1_the_list_is_bounded_and_the_count_is_not(
    store: SqliteReadings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "MAX_LISTED", 3)
    report = refuse(store, path, HEADER + b"x\n" * 25_000)
    assert faults(report) == [(line, Fault.FIELD_COUNT) for line in (2, 3, 4)]
    assert report.bad_total == 25_000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", [(1, Fault.NO_HEADER, "")]),
        (b"\n\n", [(1, Fault.NO_HEADER, "")]),
        (GOOD, [(1, Fault.NO_HEADER, "h001,2025-10-26T23:00:00Z,10")]),
        (b"meter;start;energy_wh\n", [(1, Fault.NO_HEADER, "meter;start;energy_wh")]),
        (b"\xff\xfem\0e\0t\0e\0r\0", [(1, Fault.NOT_UTF8, r"\xffm\x00e\x00t\x00e\x00r\x00")]),
        (b'"meter,start\n', [(1, Fault.OPEN_QUOTE, '"meter,start')]),
        (b"meter,energy_wh\n", [(1, Fault.MISSING_COLUMN, "start")]),
        (b"meter\n", [(1, Fault.MISSING_COLUMN, "start"), (1, Fault.MISSING_COLUMN, "energy_wh")]),
        (b"meter,start,energy_wh,kwh\n", [(1, Fault.UNKNOWN_COLUMN, "kwh")]),
        (b"meter,meter,start,energy_wh\n", [(1, Fault.DOUBLE_COLUMN, "meter")]),
        (b"meter,start,energy_wh,channel,channel\n", [(1, Fault.DOUBLE_COLUMN, "channel")]),
    ],
)
def test_v2_faults_of_the_header_are_refused_even_when_bad_rows_are_skipped(
    store: SqliteReadings, path: Path, header: bytes, expected: list[tuple[int, Fault, str]]
) -> None:
    report = refuse(store, path, header, skip_bad=True)
    got = [(bad.line, bad.fault, bad.text) for bad in report.bad]
    if expected[0][1] is Fault.NOT_UTF8:
        got, expected = [row[:2] for row in got], [row[:2] for row in expected]  # type: ignore[misc]
    assert got == expected


def test_v1_rows_under_an_unknown_column_are_checked_all_the_same(store: SqliteReadings, path: Path) -> None:
    report = refuse(store, path, b"meter,start,energy_wh,kwh\nh001,2025-10-26T23:00:00Z,-1,0\n")
    assert faults(report) == [(1, Fault.UNKNOWN_COLUMN), (2, Fault.NEGATIVE)]


def test_v4_what_is_stored_already_is_refused_and_the_first_kept(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(HEADER + GOOD)
    import_csv(store, path, period_s=QUARTER_S)
    report = refuse(store, path, HEADER + b"h001,2025-10-27T00:00:00+01:00,99\nh001,2025-10-26T23:15:00Z,11\n")
    assert report.bad == (BadRow(2, Fault.STORED, "h001 import 2025-10-26T23:00:00Z"),)
    again = import_csv(store, path, period_s=QUARTER_S, skip_bad=True)
    assert (again.accepted, again.bad_total) == (1, 1)
    assert everything(store) == [reading(), reading(k=1, energy_wh=11)]


def test_v4_the_same_reading_once_more_is_counted_and_no_fault(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(HEADER + GOOD)
    import_csv(store, path, period_s=QUARTER_S)
    path.write_bytes(HEADER + GOOD + b"h001,2025-10-26T23:15:00Z,11\n")
    assert import_csv(store, path, period_s=QUARTER_S) == (
        *(1, 0, (), ("h001",), START_S + QUARTER_S, START_S + QUARTER_S),
        1,
    )
    assert import_csv(store, path, period_s=QUARTER_S) == (0, 0, (), (), None, None, 2)
    assert everything(store) == [reading(), reading(k=1, energy_wh=11)]


def test_rows_that_cannot_count_are_bad_unless_they_are_stored_already(store: SqliteReadings, path: Path) -> None:
    def judge(one: Reading) -> Fault | None:
        return Fault.PERIOD_CLOSED if one.start_s < START_S + QUARTER_S else None

    path.write_bytes(HEADER + GOOD)
    import_csv(store, path, period_s=QUARTER_S)
    rows = GOOD + b"h002,2025-10-26T23:00:00Z,5\nh001,2025-10-26T23:00:00Z,6\nh002,2025-10-26T23:15:00Z,7\n"
    report = refuse(store, path, HEADER + rows, judge=judge)
    assert faults(report) == [(3, Fault.PERIOD_CLOSED), (4, Fault.STORED)]
    assert report.bad[0].text == "h002 import 2025-10-26T23:00:00Z"
    assert (report.accepted, report.already) == (1, 1)
    skipped = import_csv(store, path, period_s=QUARTER_S, judge=judge, skip_bad=True)
    assert (skipped.accepted, skipped.bad_total, skipped.already) == (1, 2, 1)
    assert everything(store) == [reading(), reading("h002", 1, 7)]


def test_v4_a_duplicate_far_below_in_the_file_is_told_from_a_stored_one(store: SqliteReadings, path: Path) -> None:
    rows = [f"h001,{datetime.fromtimestamp(START_S + k * 900, UTC).isoformat()},1\n".encode() for k in range(10_400)]
    report = refuse(store, path, HEADER + b"".join(rows) + rows[0])
    assert faults(report) == [(10_402, Fault.REPEATED)]


def test_unknown_meters_are_refused_when_the_known_ones_are_given(store: SqliteReadings, path: Path) -> None:
    rows = GOOD + b"h002,2025-10-26T23:00:00Z,10\nh002,2025-10-26T23:15:00Z,10\n"
    report = refuse(store, path, HEADER + rows, known_meters=["h001"])
    assert faults(report) == [(3, Fault.UNKNOWN_METER), (4, Fault.UNKNOWN_METER)]
    assert report.meters == ("h001",)


def test_a_file_without_rows_is_good_and_has_no_span(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(HEADER)
    assert import_csv(store, path, period_s=QUARTER_S) == (0, 0, (), (), None, None, 0)


def test_the_other_rows_of_the_clock_change_are_told_apart_by_their_offset(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(HEADER + b"h001,2025-10-26T02:15:00+02:00,1\nh001,2025-10-26T02:15:00+01:00,2\n")
    import_csv(store, path, period_s=QUARTER_S)
    first, second = everything(store)
    assert (first.energy_wh, second.energy_wh, second.start_s - first.start_s) == (1, 2, 3_600)


def test_longer_periods_start_at_their_own_multiples(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(HEADER + b"h001,2025-10-26T23:15:00Z,1\nh001,2025-10-26T23:30:00Z,2\n")
    with pytest.raises(ReadingsRefusedError) as refusal:
        import_csv(store, path, period_s=1_800)
    assert faults(refusal.value.report) == [(2, Fault.MISALIGNED)]


def test_a_file_that_is_not_there_or_no_file_is_one_sentence(store: SqliteReadings, tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        import_csv(store, tmp_path / "absent.csv", period_s=QUARTER_S)
    with pytest.raises(FileUnreadableError):
        import_csv(store, tmp_path, period_s=QUARTER_S)


def test_progress_tells_bytes_read(store: SqliteReadings, path: Path) -> None:
    path.write_bytes(HEADER + b"x\n" * 25_000)
    told: list[int] = []
    with pytest.raises(ReadingsRefusedError):
        import_csv(store, path, period_s=QUARTER_S, progress=told.append)
    assert len(told) == 2
    assert told == sorted(told)
    assert told[-1] <= path.stat().st_size


def test_what_a_report_shows_is_printable_short_and_says_the_line(store: SqliteReadings, path: Path) -> None:
    report = refuse(store, path, HEADER + b"h001,\x1b[2J" + b"y" * 200 + b",5\n")
    sentence = str(report.bad[0])
    assert sentence.startswith("line 2: start is no ISO 8601 date and time: \\x1b[2Jy")
    assert sentence.isprintable()
    assert len(sentence) < 120
    assert str(BadRow(1, Fault.NO_HEADER, "")).endswith("energy_wh[,channel]")
    assert str(report).startswith("1 bad rows, 0 good ones, the first in line 2")


def test_few_times_and_names_are_remembered_of_a_file_with_many(
    store: SqliteReadings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "_MAX_KEPT", 2)
    rows = [f"h{n},{datetime.fromtimestamp(START_S + n * 900, UTC).isoformat()},1\n".encode() for n in range(9)]
    path.write_bytes(HEADER + b"".join(rows))
    assert import_csv(store, path, period_s=QUARTER_S).accepted == 9


@pytest.mark.shared("data")
def test_a_week_of_real_households_is_imported_to_the_watt_hour(store: SqliteReadings) -> None:
    path = data("swiss_households_15min.csv")
    with path.open(encoding="utf-8", newline="") as file:
        counted: dict[str, int] = {}
        for row in csv.DictReader(file):
            counted[row["meter"]] = counted.get(row["meter"], 0) + int(row["energy_wh"])
    report = import_csv(store, path, period_s=QUARTER_S)
    assert (report.accepted, len(report.meters)) == (67_200, 100)
    assert (report.first_s, report.last_s) == (START_S, START_S + 671 * QUARTER_S)
    stored: dict[str, int] = {}
    for one in everything(store):
        stored[one.meter] = stored.get(one.meter, 0) + one.energy_wh
    assert stored == counted
    assert {span.readings for span in store.meters()} == {672}


names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
keys = st.tuples(names, st.sampled_from(Direction), st.integers(0, 200))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    wanted=st.dictionaries(keys, st.integers(0, 2**32 - 1), max_size=20),
    columns=st.permutations(("meter", "start", "energy_wh", "channel")),
    offset_min=st.integers(-14 * 60, 14 * 60),
    crlf=st.booleans(),
)
def test_what_a_spreadsheet_writes_is_what_is_stored(
    tmp_path: Path,
    path: Path,
    wanted: dict[tuple[str, Direction, int], int],
    columns: tuple[str, ...],
    offset_min: int,
    crlf: bool,
) -> None:
    zone = timezone(timedelta(minutes=offset_min))
    (tmp_path / "each.db").unlink(missing_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\r\n" if crlf else "\n")
        writer.writeheader()
        for (meter, channel, k), energy_wh in wanted.items():
            start = datetime.fromtimestamp(START_S + k * QUARTER_S, zone).isoformat()
            writer.writerow({"meter": meter, "start": start, "energy_wh": energy_wh, "channel": channel.label})
    expected = [Reading(meter, channel, START_S + k * QUARTER_S, wh) for (meter, channel, k), wh in wanted.items()]
    with SqliteReadings(tmp_path / "each.db") as store:
        assert import_csv(store, path, period_s=QUARTER_S).accepted == len(expected)
        assert sorted(everything(store)) == sorted(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(junk=st.lists(st.binary(max_size=60) | st.just(GOOD.rstrip()), max_size=8))
def test_v2_any_bytes_are_stored_wholly_or_refused_wholly(tmp_path: Path, path: Path, junk: list[bytes]) -> None:
    path.write_bytes(HEADER + b"\n".join(junk))
    (tmp_path / "each.db").unlink(missing_ok=True)
    with SqliteReadings(tmp_path / "each.db") as store:
        try:
            accepted = import_csv(store, path, period_s=QUARTER_S).accepted
        except ReadingsRefusedError:
            accepted = 0
        assert len(everything(store)) == accepted
