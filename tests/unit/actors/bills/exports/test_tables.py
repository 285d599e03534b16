"""Exports as CSV: read back by Python's reader, by the project's own import, and added up."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.bills.exports import csv_charges, csv_lines, csv_readings
from gridproof.actors.bills.exports.text import harmless
from gridproof.actors.bills.report import Report
from gridproof.calendar import UnknownZoneError
from gridproof.connectors.readings import Reading, SqliteReadings, import_csv
from gridproof.domain import Direction, OutOfRangeError

from .reports import CHARGES, charge, made

E5, E9 = Decimal(10) ** 5, Decimal(10) ** 9


def rows(lines: Iterator[str]) -> list[dict[str, str]]:
    text = "".join(lines)
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def instant_s(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_every_column_of_a_line_says_what_the_report_says() -> None:
    report = made(lambda channel, at: 1_234, stretch=(0, 1), prices_e5=lambda at: 21_345)
    header, line = csv_lines(report)
    assert header == (
        "start_utc,start_local,end_utc,channel,energy_wh,price_per_kwh,amount,currency,state,fallback,penalty\r\n"
    )
    assert line == (
        "2025-09-30T22:00:00Z,2025-10-01T00:00:00+02:00,2025-09-30T22:15:00Z,"
        "import,1234,0.21345,0.263397300,CHF,metered,no,\r\n"
    )


def test_every_slot_and_channel_stands_once_absences_too() -> None:
    why = {1: "silent", 2: "dropped", 3: "excluded", 4: "void"}
    report = made(
        lambda channel, at: why.get(at, 7),
        channels=("import", "export"),
        stretch=(10, 17),
        late=lambda at: at == 5,
        fallback=lambda at: at == 6,
    )
    told = rows(csv_lines(report))
    assert [each["state"] for each in told] == ["metered", *why.values(), "late", "metered"] * 2
    assert [each["channel"] for each in told] == ["import"] * 7 + ["export"] * 7
    assert [each["fallback"] for each in told[:7]] == ["no", "", "", "", "", "no", "yes"]
    assert [each["penalty"] for each in told[:7]] == [""] + ["0.050000000"] + ["0.000000000"] * 3 + ["", ""]
    for each in told[1:5]:
        assert (each["energy_wh"], each["price_per_kwh"], each["amount"], each["currency"]) == ("", "", "", "CHF")
    assert [instant_s(each["start_utc"]) for each in told[:7]] == [
        report.month_start_s + at * 900 for at in range(10, 17)
    ]


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset() -> None:
    told = rows(csv_lines(made(period_s=3_600)))
    by_utc = {each["start_utc"]: each["start_local"] for each in told}
    assert by_utc["2025-10-26T00:00:00Z"] == "2025-10-26T02:00:00+02:00"
    assert by_utc["2025-10-26T01:00:00Z"] == "2025-10-26T02:00:00+01:00"
    assert len(told) == 31 * 24 + 1 == len({each["start_local"] for each in told})


def test_the_hour_that_never_was_is_not_told() -> None:
    told = rows(csv_lines(made(period_s=3_600, month="2025-03")))
    local = [each["start_local"] for each in told if each["start_local"].startswith("2025-03-30T0")]
    assert local[1:3] == ["2025-03-30T01:00:00+01:00", "2025-03-30T03:00:00+02:00"]
    assert len(told) == 31 * 24 - 1


@pytest.mark.parametrize(
    ("zone", "month", "period_s", "count"),
    [
        ("Australia/Lord_Howe", "2025-10", 1_800, 31 * 48 - 1),
        ("Australia/Lord_Howe", "2025-04", 300, 30 * 288 + 6),
        ("Asia/Kolkata", "2025-10", 3_600, 31 * 24),
        ("UTC", "2024-02", 300, 29 * 288),
        ("America/Phoenix", "2025-03", 600, 31 * 144),
    ],
)
def test_both_times_of_a_slot_are_the_same_instant_everywhere(zone: str, month: str, period_s: int, count: int) -> None:
    report = made(zone=zone, month=month, period_s=period_s)
    told = rows(csv_lines(report))
    starts = [instant_s(each["start_utc"]) for each in told]
    assert starts == [instant_s(each["start_local"]) for each in told]
    assert [instant_s(each["end_utc"]) for each in told] == [start_s + period_s for start_s in starts]
    assert starts == [line.start_s for line in report.channels[0].lines]
    assert len(starts) == count


def test_extremes_are_written_out_exactly() -> None:
    prices = (-1, -(10**9), 10**9, 0, 99_999)
    report = made(
        lambda channel, at: (1, 2**32 - 1, 2**32 - 1, 5, 0)[at],
        stretch=(0, 5),
        prices_e5=lambda at: prices[at],
        channels=("import", "export"),
    )
    told = rows(csv_lines(report))
    assert [each["price_per_kwh"] for each in told[:5]] == [
        "-0.00001", "-10000.00000", "10000.00000", "0.00000", "0.99999",
    ]  # fmt: skip
    assert [each["amount"] for each in told[:3]] == ["-0.000000010", "-42949672950.000000000", "42949672950.000000000"]
    assert told[5]["amount"] == "0.000000010"
    assert "e" not in "".join(each["amount"] + each["price_per_kwh"] for each in told).lower()


def test_charges_say_how_much_of_what_at_which_rate() -> None:
    report = made(lambda channel, at: 1_000, stretch=(0, 4), charges=CHARGES)
    told = rows(csv_charges(report))
    shown = [(each["quantity"], each["quantity_unit"], each["rate"], each["rate_unit"]) for each in told]
    assert shown == [
        ("4000", "Wh", "", ""),
        ("123456", "Wh", "0.01000", "CHF/kWh"),
        ("2678400", "s", "5.000000000", "CHF/time unit"),
        ("4000", "Wh", "0.24691", "CHF/kWh"),
        ("7", "Wh", "0.00001", "CHF/kWh"),
        ("2", "slots", "0.050000000", "CHF/slot"),
        ("16.049382938", "CHF", "8.10", "%"),
        ("", "", "", ""),
    ]
    assert [each["kind"] for each in told] == ["energy", *(each.kind for each in CHARGES), "rounding"]
    assert [each["amount"] for each in told[1:3]] == ["1.234567890", "5.000000001"]
    assert told[4]["channel"] == "export"
    first = told[0]
    assert (first["from_utc"], first["from_local"]) == ("2025-09-30T22:00:00Z", "2025-10-01T00:00:00+02:00")
    assert (first["until_utc"], first["until_local"]) == ("2025-09-30T23:00:00Z", "2025-10-01T01:00:00+02:00")
    assert sum(Decimal(each["amount"]) for each in told) * E9 == report.payable_e9
    assert sum(Decimal(each["amount"]) for each in told[:-1]) * E9 == report.total_e9


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("  +1", "'  +1"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),  # noqa: RUF001
        ("\t=1", "�=1"),
        ("a;=1", "a;'=1"),
        ('a",=1', "a\",'=1"),
        ("a\r\n=1", "a��=1"),
        ("Netz - Ost = gut", "Netz - Ost = gut"),
        ("", ""),
    ],
)
def test_a_name_is_no_formula_and_no_line_of_its_own(name: str, shown: str) -> None:
    report = made(stretch=(0, 1), charges=(charge("levy", name, 1),))
    assert rows(csv_charges(report))[1]["name"] == shown
    assert len(list(csv_charges(report))) == 4


@given(st.text())
def test_no_cell_begins_like_a_formula_wherever_it_is_split(name: str) -> None:
    parts = harmless(name).replace(",", ";").replace("|", ";").split(";")
    assert not any(part.strip()[:1] in set("=+-@＝＋－＠") for part in parts)  # noqa: RUF001


def test_a_semicolon_reader_is_given_no_formula_either() -> None:
    report = made(stretch=(0, 1), charges=(charge("levy", "Netz;=cmd()", 1),))
    lines = list(csv.reader(csv_charges(report), delimiter=";"))
    assert not any(cell.startswith("=") for line in lines for cell in line)


def test_readings_come_back_through_the_import(tmp_path: Path) -> None:
    report = made(
        lambda channel, at: "silent" if at % 10 == 3 else at,
        channels=("import", "export"),
        household='=Haus "B", hinten',
    )
    path = tmp_path / "readings.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(csv_readings(report))
    with SqliteReadings(tmp_path / "readings.db") as store:
        told = import_csv(store, path, period_s=900, known_meters={report.household})
        assert (told.bad_total, told.meters) == (0, (report.household,))
        assert told.accepted == sum(len(channel.lines) for channel in report.channels)
        for channel in report.channels:
            direction = Direction.parse(channel.channel)
            for line in channel.lines:
                wanted = Reading(report.household, direction, line.start_s, line.energy_wh)
                assert store.find(report.household, direction, line.start_s) == wanted
            for absence in channel.absences:
                assert store.find(report.household, direction, absence.start_s) is None


def test_readings_of_a_day_with_two_second_hours_come_back(tmp_path: Path) -> None:
    report = made(period_s=3_600, household="h001")
    path = tmp_path / "readings.csv"
    path.write_bytes("".join(csv_readings(report)).encode())
    with SqliteReadings(tmp_path / "readings.db") as store:
        assert import_csv(store, path, period_s=3_600).accepted == 745


@pytest.mark.parametrize("export", [csv_lines, csv_charges])
def test_an_unknown_zone_is_refused(export: type) -> None:
    with pytest.raises(UnknownZoneError) as refusal:
        list(export(msgspec.structs.replace(made(stretch=(0, 1)), zone="Zurich/Europe")))
    assert refusal.value.zone == "Zurich/Europe"


@pytest.mark.parametrize("export", [csv_lines, csv_readings])
def test_a_slot_beyond_the_calendar_is_refused(export: type) -> None:
    report = made(stretch=(0, 1))
    line = msgspec.structs.replace(report.channels[0].lines[0], start_s=2**53 - 1)
    channel = msgspec.structs.replace(report.channels[0], lines=(line,))
    with pytest.raises(OutOfRangeError) as refusal:
        list(export(msgspec.structs.replace(report, channels=(channel,))))
    assert refusal.value.value == 2**53 - 1


slots = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from(["silent", "dropped", "excluded", "void"]))


@given(
    imported=st.lists(slots, min_size=1, max_size=40),
    prices=st.lists(st.integers(-(10**9), 10**9), min_size=40, max_size=40),
    rounding_e9=st.sampled_from([1, 10_000_000, 50_000_000]),
    first=st.integers(0, 2_900),
    names=st.lists(st.text(max_size=20), max_size=3),
)
def test_sums_are_the_reports(
    imported: list, prices: list[int], rounding_e9: int, first: int, names: list[str]
) -> None:
    report = made(
        lambda channel, at: imported[at] if channel == "import" else imported[-1 - at],
        channels=("import", "export"),
        stretch=(first, first + len(imported)),
        prices_e5=lambda at: prices[at],
        rounding_e9=rounding_e9,
        charges=tuple(charge("levy", name, at - 1) for at, name in enumerate(names)),
    )
    told = rows(csv_lines(report))
    assert len(told) == 2 * len(imported)
    for channel in report.channels:
        own = [each for each in told if each["channel"] == channel.channel and each["energy_wh"]]
        assert sum(int(each["energy_wh"]) for each in own) == sum(line.energy_wh for line in channel.lines)
        assert sum(Decimal(each["amount"]) for each in own) * E9 == sum(line.amount_e9 for line in channel.lines)
        for each in own:
            sign = 1 if channel.channel == "import" else -1
            wanted = Decimal(each["price_per_kwh"]) * int(each["energy_wh"]) / 1_000 * sign
            assert Decimal(each["amount"]) == wanted
        penalties = sum(Decimal(each["penalty"] or 0) for each in told if each["channel"] == channel.channel)
        assert penalties * E9 == sum(absence.penalty_e9 for absence in channel.absences)
    assert payable(report) == report.payable_e9


def payable(report: Report) -> Decimal:
    return sum((Decimal(each["amount"]) for each in rows(csv_charges(report))), Decimal(0)) * E9


def test_utc_is_utc_whatever_the_machine_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    (first,) = rows(csv_lines(made(stretch=(0, 1))))
    assert datetime.fromisoformat(first["start_utc"]) == datetime(2025, 9, 30, 22, tzinfo=UTC)
