"""Exports in Green Button's form, against its schema and with a reader that other files prove right."""

import copy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.actors.bills.exports import BeyondGreenButtonError, green_button
from gridproof.actors.bills.exports.currencies import find_number
from gridproof.actors.bills.report import Report, ReportCharge
from gridproof.calendar import UnknownZoneError
from gridproof.domain import OutOfRangeError

from .espi_reader import ATOM, ESPI, GreenButton
from .reports import CHARGES, bounds_of, charge, made
from tests.shared import vectors

FOREIGN = {
    "usage-15min-one-day.xml": ([900], 96, 93_846, 1),
    "TestGBDataHourlyNineDaysBinnedDaily.xml": ([3_600], 216, 199_563, 9),
    "electric-containerized-abridged.xml": ([3_600], 8, 4_086, 2),
}
HOUR_S = 3_600


@cache
def schema(path: Path) -> xmlschema.XMLSchema:
    """ESPI's schema, which imports Atom's: both check a feed in one."""
    return xmlschema.XMLSchema(str(path), defuse="always")


def faults(tree: ET.Element) -> list[str]:
    """What the schema says against a feed or a resource."""
    return [str(fault) for fault in schema(vectors("greenbutton/espi.xsd")).iter_errors(tree)]


def read(report: Report) -> GreenButton:
    """Export a report, hold the feed and each resource to the schema, and read it."""
    told = GreenButton(green_button(report))
    assert faults(told.root) == []
    assert [fault for content in told.contents() for fault in faults(content)] == []
    return told


def cost(amount_e9: int) -> int:
    """An amount in 1e-5, half-up."""
    return (amount_e9 + 5_000) // 10_000


def energy_wh(report: Report, name: str) -> int:
    channel = report.channel(name)
    assert channel is not None
    return sum(line.energy_wh for line in channel.lines)


# --- the reader and the schema are right themselves


@pytest.mark.shared("vectors")
@pytest.mark.parametrize("name", FOREIGN)
def test_the_reader_finds_the_sums_of_other_peoples_files(name: str) -> None:
    told = GreenButton(vectors(f"greenbutton/{name}").read_bytes())
    lengths, count, sum_wh, blocks = FOREIGN[name]
    assert [series.kind["intervalLength"] for series in told.series] == lengths
    (series,) = told.series
    assert (len(series.readings), sum(reading.value for reading in series.readings)) == (count, sum_wh)
    assert (len(series.blocks), series.kind["uom"], series.kind["flowDirection"]) == (blocks, 72, 1)


@pytest.mark.shared("vectors")
def test_the_schema_finds_what_is_wrong_with_a_feed() -> None:
    told = GreenButton(green_button(made(stretch=(0, 4))))
    assert faults(told.root) == []
    for spoil in ("order", "unknown", "number", "atom"):
        root = copy.deepcopy(told.root)
        (reading_type,) = root.iter(f"{ESPI}ReadingType")
        if spoil == "order":
            reading_type.append(reading_type[0])
            reading_type.remove(reading_type[0])
        elif spoil == "unknown":
            ET.SubElement(reading_type, f"{ESPI}colour")
        elif spoil == "number":
            next(root.iter(f"{ESPI}value")).text = "1.5"
        else:
            root.remove(root[0])
            next(root.iter(f"{ATOM}updated")).text = "yesterday"
        assert faults(root), spoil


# --- what stands in the feed


@pytest.mark.shared("vectors")
def test_a_month_of_both_channels_keeps_energy_costs_and_bill() -> None:
    report = made(lambda channel, at: at * 3 % 1_000, channels=("import", "export"), charges=CHARGES)
    told = read(report)
    delivered, received = told.series
    assert (delivered.kind["flowDirection"], received.kind["flowDirection"]) == (1, 19)
    for name, series in zip(("import", "export"), told.series, strict=True):
        channel = report.channel(name)
        assert channel is not None
        assert [(each.start_s, each.value) for each in series.readings] == [
            (line.start_s, line.energy_wh) for line in channel.lines
        ]
        assert {each.duration_s for each in series.readings} == {900}
        costs = [each.cost or 0 for each in series.readings]
        assert sum(costs) == cost(sum(line.amount_e9 for line in channel.lines))
        assert all(
            abs(told * 10_000 - line.amount_e9) <= 10_000 for told, line in zip(costs, channel.lines, strict=True)
        )
        assert series.kind | {"flowDirection": 0} == {
            "accumulationBehaviour": 4,
            "commodity": 1,
            "currency": 756,
            "dataQualifier": 12,
            "defaultQuality": 19,
            "flowDirection": 0,
            "intervalLength": 900,
            "kind": 12,
            "phase": 0,
            "powerOfTenMultiplier": 0,
            "timeAttribute": 0,
            "uom": 72,
        }
    assert min(each.cost or 0 for each in received.readings) < 0


@pytest.mark.shared("vectors")
def test_the_summary_adds_up_to_the_bill() -> None:
    report = made(channels=("import", "export"), charges=CHARGES, reconciled_wh=4_000, stretch=(0, 96))
    told = read(report)
    costs = sum(each.cost or 0 for series in told.series for each in series.readings)
    additional = told.number("UsageSummary", "costAdditionalLastPeriod")
    assert told.number("UsageSummary", "billLastPeriod") == report.payable_e9 // 10_000 == costs + additional
    details = told.only("UsageSummary").findall(f"{ESPI}costAdditionalDetailLastPeriod")
    amounts = [int(detail.findtext(f"{ESPI}amount", "")) for detail in details]
    assert sum(amounts) == additional
    assert amounts[:-1] == [cost(each.amount_e9) for each in CHARGES]
    assert [detail.findtext(f"{ESPI}itemKind") for detail in details[:-1]] == ["2", "4", "3", "6", "4", "5"]
    assert [detail.findtext(f"{ESPI}note") for detail in details] == [
        "levy, import: Netz",
        "standing, import: Grundpreis",
        "reconciliation, import: energy",
        "reconciliation, export: energy",
        "penalty, import: missing",
        "tax, import: MwSt",
        "rounding",
    ]
    assert abs(amounts[-1]) <= 2_500 + len(CHARGES)
    assert told.number("UsageSummary", "overallConsumptionLastPeriod/value") == energy_wh(report, "import") + 4_000
    assert told.number("UsageSummary", "billingPeriod/start") == report.month_start_s
    assert told.number("UsageSummary", "billingPeriod/duration") == 86_400
    assert told.number("UsageSummary", "statusTimeStamp") == report.made_s
    assert told.number("UsageSummary", "qualityOfReading") == 19
    assert told.number("UsageSummary", "currency") == 756


@pytest.mark.shared("vectors")
def test_rounding_that_takes_nothing_is_no_detail() -> None:
    told = read(made(lambda channel, at: 1_000, prices_e5=lambda at: 20_000, stretch=(0, 4), rounding_e9=10_000_000))
    assert told.only("UsageSummary").findall(f"{ESPI}costAdditionalDetailLastPeriod") == []
    assert told.number("UsageSummary", "billLastPeriod") == 80_000


@pytest.mark.shared("vectors")
def test_gaps_have_no_reading_and_zeros_have_one() -> None:
    why = {2: "silent", 3: "dropped", 4: "excluded", 5: "void"}
    told = read(made(lambda channel, at: why.get(at, 0), stretch=(0, 8), late=lambda at: at == 6))
    (series,) = told.series
    start_s = bounds_of("2025-10", "Europe/Zurich", 900).start_s
    assert [(each.start_s - start_s) // 900 for each in series.readings] == [0, 1, 6, 7]
    assert {(each.value, each.cost) for each in series.readings} == {(0, 0)}
    assert [each.qualities for each in series.readings] == [(), (), (16, 19), ()]
    assert told.number("UsageSummary", "qualityOfReading") == 13


@pytest.mark.shared("vectors")
def test_a_day_without_any_reading_has_no_block() -> None:
    told = read(made(lambda channel, at: "void" if 96 <= at < 192 else 5, stretch=(0, 288)))
    assert [len(block.readings) for block in told.series[0].blocks] == [96, 96]
    nothing = read(made(lambda channel, at: "silent", stretch=(0, 4)))
    assert nothing.series[0].blocks == []


@pytest.mark.shared("vectors")
@pytest.mark.parametrize(
    ("month", "zone", "period_s", "day", "hours"),
    [
        ("2025-03", "Europe/Zurich", 900, 29, 23),
        ("2025-10", "Europe/Zurich", 1_800, 25, 25),
        ("2025-10", "Australia/Lord_Howe", 1_800, 4, 23.5),
        ("2025-04", "Australia/Lord_Howe", 1_800, 5, 24.5),
        ("2025-10", "Asia/Kathmandu", 3_600, 7, 24),
    ],
)
def test_a_block_is_a_day_of_the_zone(month: str, zone: str, period_s: int, day: int, hours: float) -> None:
    report = made(zone=zone, month=month, period_s=period_s)
    (series,) = read(report).series
    blocks = series.blocks
    assert len(blocks[day].readings) == blocks[day].duration_s // period_s == hours * HOUR_S / period_s
    assert len({block.duration_s for block in blocks}) == (1 if hours == 24 else 2)
    assert blocks[0].start_s == report.month_start_s
    assert [block.start_s + block.duration_s for block in blocks] == [
        *(block.start_s for block in blocks[1:]),
        report.month_end_s,
    ]


@pytest.mark.shared("vectors")
def test_a_month_cut_short_begins_and_ends_within_days() -> None:
    report = made(stretch=(50, 150))
    told = read(report)
    assert [len(block.readings) for block in told.series[0].blocks] == [46, 54]
    assert told.number("UsageSummary", "billingPeriod/start") == report.month_start_s + 50 * 900
    assert told.number("UsageSummary", "billingPeriod/duration") == 100 * 900


@pytest.mark.shared("vectors")
def test_what_is_largest_fits() -> None:
    told = read(made(lambda channel, at: 2**32 - 1, stretch=(0, 3), prices_e5=lambda at: -100_000))
    assert [each.value for each in told.series[0].readings] == [2**32 - 1] * 3
    assert [each.cost for each in told.series[0].readings] == [-(2**32 - 1) * 100] * 3


def test_what_is_too_large_for_the_form_is_refused() -> None:
    with pytest.raises(BeyondGreenButtonError) as refusal:
        green_button(made(lambda channel, at: 2**32 - 1, stretch=(0, 1), prices_e5=lambda at: 10**9))
    assert (refusal.value.what, refusal.value.value) == ("cost", (2**32 - 1) * 10**6)


@pytest.mark.shared("vectors")
def test_names_stand_as_text_and_nothing_breaks_the_document() -> None:
    nasty = "]]><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;\x00\x1b\r\n\ufffe\"'"
    report = msgspec.structs.replace(
        made(household=nasty, community=nasty, stretch=(0, 4), charges=(charge("levy", nasty * 9, 1),)),
        tariffs=(),
        chain_id=nasty,
    )
    told = read(report)
    shown = nasty.replace("\ufffe", "�").replace("\x00", "�").replace("\x1b", "�").replace("\r\n", "��")
    assert told.root.findtext(f"{ATOM}title") == f"{shown}: {shown}, 2025-10"
    notes = [each.text or "" for each in told.only("UsageSummary").iter(f"{ESPI}note")]
    assert notes[0] == ("levy, import: " + shown * 9)[:256]
    assert b"<!DOCTYPE" not in green_button(report)


def test_two_exports_are_the_same_bytes_and_ids_are_each_ones_own() -> None:
    report = made(channels=("import", "export"), charges=CHARGES)
    assert green_button(report) == green_button(report)
    told = GreenButton(green_button(report))
    feed = told.root.findtext(f"{ATOM}id", "")
    assert len({feed, *told.ids}) == 1 + len(told.ids) == 1 + 2 + 2 * 2 + 2 * 31 + 1
    assert all(each.startswith("urn:uuid:") and each[23] == "5" for each in (feed, *told.ids))


def test_ids_tell_meters_and_chains_apart_and_know_a_meter_again_next_month() -> None:
    report = made(stretch=(0, 4))
    ids = GreenButton(green_button(report)).ids
    for other in ({"meter": "ef" * 16}, {"chain_id": "sonnenhof-2"}):
        assert not set(ids) & set(GreenButton(green_button(msgspec.structs.replace(report, **other))).ids)
    point, clock, reading, kind, block, summary = ids
    again = GreenButton(green_button(made(stretch=(0, 4), month="2025-11"))).ids
    assert again[:4] == [point, clock, reading, kind]
    assert not {block, summary} & set(again)


def test_a_correction_has_the_ids_of_the_first_bill_and_a_later_time() -> None:
    first = GreenButton(green_button(made(stretch=(0, 4))))
    second = GreenButton(green_button(made(stretch=(0, 4), version=2, made_s=1_762_086_400)))
    assert first.ids == second.ids
    assert first.root.findtext(f"{ATOM}updated") == "2025-11-01T12:26:40Z"
    assert second.root.findtext(f"{ATOM}updated") == "2025-11-02T12:26:40Z"


@pytest.mark.shared("vectors")
def test_a_currency_without_a_number_is_left_out() -> None:
    told = read(made(stretch=(0, 4), currency="QQQ"))
    assert "currency" not in told.series[0].kind
    assert told.only("UsageSummary").find(f"{ESPI}currency") is None


@pytest.mark.shared("vectors")
def test_numbers_of_currencies_are_those_that_the_schema_names() -> None:
    root = ET.parse(vectors("greenbutton/espi.xsd")).getroot()
    names = {"x": "http://www.w3.org/2001/XMLSchema"}
    found = root.findall("x:simpleType[@name='Currency']//x:enumeration", names)
    named = {each.findtext(".//x:appinfo", "", names): int(each.get("value", "")) for each in found}
    known = {code: number for code, number in named.items() if find_number(code) is not None}
    assert {"CHF", "EUR", "USD"} <= known.keys()
    assert known == {code: find_number(code) for code in known}


@pytest.mark.shared("vectors")
def test_a_household_that_only_feeds_in_has_no_consumption() -> None:
    told = read(made(channels=("export",), stretch=(0, 4)))
    assert told.only("UsageSummary").find(f"{ESPI}overallConsumptionLastPeriod") is None
    assert [series.kind["flowDirection"] for series in told.series] == [19]


# --- what cannot be exported


def test_a_line_outside_the_bill_is_refused_instead_of_lost() -> None:
    report = msgspec.structs.replace(made(stretch=(0, 4)), until_k=made(stretch=(0, 3)).until_k)
    with pytest.raises(OutOfRangeError) as refusal:
        green_button(report)
    assert (refusal.value.what, refusal.value.value) == ("start_s", report.month_start_s + 3 * 900)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"zone": "Europe/Zuerich"}, UnknownZoneError),
        ({"period_s": 700}, OutOfRangeError),
        ({"made_s": 2**53 - 1}, OutOfRangeError),
        ({"until_k": 0}, OutOfRangeError),
        ({"until_k": 2**53 - 1}, OutOfRangeError),
        ({"month": "1969-12"}, OutOfRangeError),
    ],
)
def test_a_report_that_cannot_be_one_is_refused(change: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        green_button(msgspec.structs.replace(made(stretch=(0, 4)), **change))


# --- any report

slots = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from(["silent", "dropped", "excluded", "void"]))
amounts = st.integers(-(10**14), 10**14)


@pytest.mark.shared("vectors")
@settings(max_examples=40)
@given(
    imported=st.lists(slots, min_size=1, max_size=30),
    prices=st.lists(st.integers(-(10**5), 10**5), min_size=30, max_size=30),
    first=st.integers(0, 2_800),
    period_s=st.sampled_from([300, 900, 3_600]),
    charges=st.lists(amounts.map(lambda amount_e9: charge("levy", "x", amount_e9)), max_size=4).map(tuple),
    rounding_e9=st.sampled_from([1, 10_000, 50_000_000]),
)
def test_energy_costs_and_bill_are_the_reports(
    imported: list,
    prices: list[int],
    first: int,
    period_s: int,
    charges: tuple[ReportCharge, ...],
    rounding_e9: int,
) -> None:
    first = first * 900 // period_s
    report = made(
        lambda channel, at: imported[at] if channel == "import" else imported[-1 - at],
        channels=("import", "export"),
        stretch=(first, first + len(imported)),
        period_s=period_s,
        prices_e5=lambda at: prices[at],
        charges=charges,
        rounding_e9=rounding_e9,
    )
    told = read(report)
    for channel, series in zip(report.channels, told.series, strict=True):
        assert [(each.start_s, each.value) for each in series.readings] == [
            (line.start_s, line.energy_wh) for line in channel.lines
        ]
        exact_e9 = shown = 0
        for line, each in zip(channel.lines, series.readings, strict=True):
            exact_e9, shown = exact_e9 + line.amount_e9, shown + (each.cost or 0)
            assert shown == cost(exact_e9)
    bill = told.number("UsageSummary", "billLastPeriod")
    costs = sum(each.cost or 0 for series in told.series for each in series.readings)
    details = told.only("UsageSummary").findall(f"{ESPI}costAdditionalDetailLastPeriod/{ESPI}amount")
    assert bill == cost(report.payable_e9) == costs + sum(int(each.text or "") for each in details)


def test_updated_is_when_the_bill_was_made() -> None:
    told = GreenButton(green_button(made(stretch=(0, 4))))
    moments = {each.text for each in told.root.iter(f"{ATOM}updated")}
    assert moments == {datetime.fromtimestamp(1_762_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
