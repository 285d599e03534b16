"""Files of registers, by the rules V-1 to V-4."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gridproof.connectors.files import FileMissingError, FileUnreadableError
from gridproof.connectors.register_file import (
    RegisterFault,
    RegisterReport,
    RegistersRefusedError,
    import_registers,
)
from gridproof.connectors.registers import RegisterReading, Registers
from gridproof.domain import Direction

AT = "2025-11-01T00:00:00+01:00"
AT_S = 1_761_951_600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Registers]:
    with closing(Registers(tmp_path / "private" / "registers.db")) as registers:
        yield registers


def taken(store: Registers, path: Path, *rows: str, header: str = "meter,at,register_wh,channel") -> RegisterReport:
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return import_registers(store, path, period_s=900, known_meters={"h1", "h2"}, judge=lambda _: {})


def refused(store: Registers, path: Path, *rows: str, header: str = "meter,at,register_wh,channel") -> RegisterReport:
    before = [store.of_channel(name, channel) for name in ("h1", "h2") for channel in Direction]
    with pytest.raises(RegistersRefusedError) as refusal:
        taken(store, path, *rows, header=header)
    assert refusal.value.path == str(path)
    assert [store.of_channel(name, channel) for name in ("h1", "h2") for channel in Direction] == before
    return refusal.value.report


def test_whole_file_is_stored_by_meter_channel_and_instant(store: Registers, tmp_path: Path) -> None:
    report = taken(store, tmp_path / "r.csv", f"h1,{AT},5000,", "", f'"h1", {AT} ,70,export', f"h2,{AT},0,import")
    assert report == RegisterReport(3, 0, (), ("h1", "h2"))
    assert store.find("h1", Direction.IMPORT, AT_S) == 5_000
    assert store.of_channel("h1", Direction.EXPORT) == [RegisterReading("h1", Direction.EXPORT, AT_S, 70)]
    assert store.find("h2", Direction.IMPORT, AT_S) == 0


def test_columns_come_in_any_order_and_a_mark_before_them_is_passed_over(store: Registers, tmp_path: Path) -> None:
    taken(store, tmp_path / "r.csv", f"7,{AT},h1", header="\ufeffregister_wh,at,meter")
    assert store.find("h1", Direction.IMPORT, AT_S) == 7


def test_same_value_once_more_is_no_fault_and_another_is_refused(store: Registers, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    taken(store, path, f"h1,{AT},5,")
    again = taken(store, path, f"h1,{AT},5,", f"h1,{AT},5,", f"h2,{AT},6,")
    assert (again.accepted, again.already, again.meters) == (1, 1, ("h2",))
    report = refused(store, path, f"h1,{AT},6,", "h2,2025-11-01T00:15:00+01:00,9,")
    assert [(bad.line, bad.fault) for bad in report.bad] == [(2, RegisterFault.STORED)]
    assert report.bad[0].text == "h1 import 2025-10-31T23:00:00Z 6, there 5"
    assert str(report).startswith("1 bad rows, 1 good ones, the first in line 2: already there")
    report = refused(store, path, "h2,2025-11-01T00:15Z,9,", "h2,2025-11-01T00:15Z,9,", "h2,2025-11-01T00:15Z,10,")
    assert [(bad.line, bad.fault) for bad in report.bad] == [(4, RegisterFault.REPEATED)]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (f"h3,{AT},5", RegisterFault.UNKNOWN_METER),
        (f",{AT},5", RegisterFault.METER_NAME),
        (f"h1,{AT},-5", RegisterFault.NEGATIVE),
        (f"h1,{AT},5.5", RegisterFault.NOT_WHOLE),
        (f"h1,{AT},", RegisterFault.NOT_WHOLE),
        (f"h1,{AT},{2**53 + 1}", RegisterFault.REGISTER_RANGE),
        (f"h1,{AT},{10**30}", RegisterFault.REGISTER_RANGE),
        ("h1,2025-11-01T00:00:00,5", RegisterFault.NO_OFFSET),
        ("h1,yesterday,5", RegisterFault.NO_TIME),
        ("h1,2025-11-01T00:00:01Z,5", RegisterFault.MISALIGNED),
        ("h1,1969-11-01T00:00:00Z,5", RegisterFault.TIME_RANGE),
        (f"h1,{AT}", RegisterFault.FIELD_COUNT),
    ],
)
def test_each_bad_row_is_named_with_its_line_and_nothing_is_stored(
    store: Registers, tmp_path: Path, row: str, fault: RegisterFault
) -> None:
    row += "," if row.count(",") == 2 else ""
    report = refused(store, tmp_path / "r.csv", f"h2,{AT},1,export", row)
    assert [(bad.line, bad.fault) for bad in report.bad] == [(3, fault)]


def test_channels_and_quotes_are_held_to_the_rules_of_readings(store: Registers, tmp_path: Path) -> None:
    report = refused(store, tmp_path / "r.csv", f"h1,{AT},5,out", f'h1,{AT},"5', "x" * 5_000)
    assert [bad.fault.name for bad in report.bad] == ["UNKNOWN_CHANNEL", "OPEN_QUOTE", "LINE_TOO_LONG"]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("", RegisterFault.NO_HEADER),
        (f"h1,{AT},5", RegisterFault.NO_HEADER),
        ("meter,at", RegisterFault.COLUMNS),
        ("meter,at,register_wh,energy_wh", RegisterFault.COLUMNS),
        ("meter,at,register_wh,at", RegisterFault.COLUMNS),
    ],
)
def test_header_that_says_nothing_is_told_alone(
    store: Registers, tmp_path: Path, header: str, fault: RegisterFault
) -> None:
    report = refused(store, tmp_path / "r.csv", header=header)
    assert [bad.fault for bad in report.bad] == [fault]


def test_what_is_judged_is_what_is_new(store: Registers, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    taken(store, path, f"h1,{AT},5,")
    path.write_text(f"meter,at,register_wh\nh1,{AT},5\nh2,{AT},6\n")
    with pytest.raises(RegistersRefusedError) as refusal:
        import_registers(
            store,
            path,
            period_s=900,
            known_meters={"h1", "h2"},
            judge=lambda rows: {at: RegisterFault.SIGNED for at, each in enumerate(rows) if each.meter == "h2"},
        )
    assert [(bad.line, bad.fault) for bad in refusal.value.report.bad] == [(3, RegisterFault.SIGNED)]
    assert (refusal.value.report.accepted, refusal.value.report.already) == (0, 1)


def test_file_that_is_not_there_or_cannot_be_read_is_told(store: Registers, tmp_path: Path) -> None:
    for path, error in ((tmp_path / "none.csv", FileMissingError), (tmp_path, FileUnreadableError)):
        with pytest.raises(error):
            import_registers(store, path, period_s=900, known_meters=(), judge=lambda _: {})


def test_a_file_of_far_too_many_rows_is_not_read_to_its_end(
    store: Registers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridproof.connectors.register_file.MAX_ROWS", 2)
    rows = [f"h1,2025-11-01T00:{minute}:00Z,5," for minute in ("00", "15", "30", "45")]
    report = refused(store, tmp_path / "r.csv", *rows)
    assert [(bad.line, bad.fault) for bad in report.bad] == [(4, RegisterFault.TOO_MANY)]
