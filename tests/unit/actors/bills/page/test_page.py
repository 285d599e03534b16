"""The bill page: B-1 to B-4, and that it is sound HTML which a screen reader can walk."""

import re
from functools import cache
from itertools import pairwise

import msgspec
import pytest

from gridproof.actors.bills import page as page_package
from gridproof.actors.bills.page import (
    LANGUAGES,
    Check,
    ReportContradictsError,
    UnknownLanguageError,
    Verdict,
    render_page,
)
from gridproof.actors.bills.report import Report
from gridproof.calendar import UnknownZoneError
from gridproof.domain import OutOfRangeError

from tests.unit.actors.bills.page.reading import Element, amount_e9, read
from tests.unit.actors.bills.samples import HOSTILE, SAMPLES, build, sample

CID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
GOOD = Verdict(True, (Check("Hash", True, "as registered"), Check("Sum", True)))
SMALL = [name for name in SAMPLES if name != "largest"]


@cache
def made(name: str) -> Report:
    return sample(name)


@cache
def page(name: str, language: str = "en") -> str:
    return render_page(made(name), language, verdict=GOOD, cid=CID, digest="9f" * 32)


@cache
def tree(name: str, language: str = "en") -> Element:
    return read(page(name, language))


def printed_e9(report: Report, language: str, text: str) -> int:
    german = language == "de" and report.currency != "CHF"
    return amount_e9(text, "," if german else ".", "." if german else ",\u2019")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SMALL)
def test_b1_a_page_loads_nothing_and_runs_nothing(name: str, language: str) -> None:
    root = tree(name, language)
    assert not root.all("script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use")
    for element in root.all():
        assert not [key for key in element.attributes if key.startswith("on") or key in ("src", "srcset", "style")]
        assert element.attributes.get("href", "#").startswith("#")
        assert element.attributes.get("fill", "url(#").startswith("url(#")
    (style,) = root.all("style")
    assert not re.search(r"url\(|@import|expression", style.text)
    assert "://" not in page(name, language)
    (policy,) = [each for each in root.all("meta") if "http-equiv" in each.attributes]
    assert policy.attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SMALL)
def test_a_page_is_sound_and_a_screen_reader_can_walk_it(name: str, language: str) -> None:
    root = tree(name, language)
    assert page(name, language).startswith("<!DOCTYPE html>\n<html lang=")
    assert [each.attributes["lang"] for each in root.all("html")] == [language]
    assert [len(root.all(landmark)) for landmark in ("header", "main", "footer", "h1")] == [1, 1, 1, 1]
    identities = [each.attributes["id"] for each in root.all() if "id" in each.attributes]
    assert len(identities) == len(set(identities))
    for element in root.all():
        for key in ("aria-labelledby", "aria-describedby"):
            assert set(element.attributes.get(key, "").split()) <= set(identities)
        target = element.attributes.get("href", "#bill").removeprefix("#")
        assert target in identities
    levels = [int(each.name[1]) for each in root.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", SMALL)
def test_every_table_has_a_caption_and_every_heading_cell_a_scope(name: str) -> None:
    for table in tree(name).all("table"):
        (caption,) = table.all("caption")
        assert caption.words
        assert all(cell.attributes["scope"] in ("col", "row", "colgroup") for cell in table.all("th"))
        widths = {
            sum(int(cell.attributes.get("colspan", "1")) for cell in row.children if isinstance(cell, Element))
            for body in table.all("tbody", "tfoot")
            for row in body.all("tr")
        }
        assert len(widths) == 1


@pytest.mark.parametrize("name", SMALL)
def test_b4_every_picture_has_a_title_a_description_and_a_table(name: str) -> None:
    root = tree(name)
    pictures = root.all("svg")
    assert pictures
    for picture in pictures:
        assert picture.attributes["role"] == "img"
        named = picture.attributes["aria-labelledby"].split()
        assert [picture.one(identity).name for identity in named] == ["title", "desc"]
        assert all(picture.one(identity).words for identity in named)
    assert len(pictures) == 2 * len(root.all("figure"))
    assert root.section("days").all("table")
    if "typical-wide-t" in page(name):
        assert root.section("typical").all("table")
    if "history-wide-t" in page(name):
        assert root.section("history").all("table")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SMALL)
def test_b3_the_lines_as_printed_add_up_to_what_is_to_be_paid(name: str, language: str) -> None:
    report = made(name)
    (table,) = tree(name, language).section("charges").all("table")
    amounts = [row.all("td")[-1].text for row in table.all("tr") if row.all("td")]
    *lines, total = amounts[: len(report.charges) + 1]
    assert len(lines) == len(report.charges)
    printed = [printed_e9(report, language, line) for line in lines]
    assert sorted(printed) == sorted(charge.amount_e9 for charge in report.charges)
    assert printed_e9(report, language, total) == report.total_e9
    after = amounts[len(report.charges) + 1 :]
    rounding = [printed_e9(report, language, each) for each in after[:-1]]
    assert rounding == [report.payable_e9 - report.total_e9] * bool(report.payable_e9 - report.total_e9)
    payable = after[-1].replace(report.currency, "").replace("\u00a0", "")
    assert printed_e9(report, language, payable) == abs(report.payable_e9)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SMALL)
def test_b3_slots_and_days_as_printed_are_the_reports(name: str, language: str) -> None:
    report = made(name)
    width = len(report.channels)
    slots = [row for body in tree(name, language).section("slots").all("tbody") for row in body.all("tr")]
    (days,) = tree(name, language).section("days").all("table")
    for at, channel in enumerate(report.channels):
        cells = [row.all("td")[3 * at : 3 * at + 3] for row in slots]
        lines = [cell for cell in cells if cell[0].text != "\u2013"]
        told = [(printed_e9(report, language, e.text), printed_e9(report, language, a.text)) for e, _, a in lines]
        assert told == [(line.energy_wh * 10**6, line.amount_e9) for line in channel.lines]
        assert len(cells) - len(lines) == len(channel.absences)
        by_day = [row.all("td")[3 * at + 2].text for row in days.all("tbody")[0].all("tr")]
        amount_e9 = sum(line.amount_e9 for line in channel.lines)
        assert sum(printed_e9(report, language, text) for text in by_day) == amount_e9
        last = days.all("tfoot")[0].all("td")[3 * at : 3 * at + 3]
        assert printed_e9(report, language, last[2].text) == amount_e9
        assert len(days.all("tfoot")[0].all("td")) in (3 * width, 3 * width + 1)


def test_b2_nothing_that_came_with_the_report_is_markup() -> None:
    report = made("hostile")
    hostile = Verdict(False, (Check(HOSTILE, False, HOSTILE),))
    for language in LANGUAGES:
        text = render_page(report, language, verdict=hostile, cid=HOSTILE, digest=HOSTILE)
        root = read(text)
        assert not root.all("script")
        assert "<script" not in text.lower()
        assert root.words.count("<script>alert('x')</script>") >= 8


def test_a_levy_named_like_markup_is_text() -> None:
    report = made("hostile")
    charges = tuple(
        msgspec.structs.replace(each, name=HOSTILE) if each.kind == "levy" else each for each in report.charges
    )
    root = read(render_page(msgspec.structs.replace(report, charges=charges), "en"))
    assert not root.all("script")
    assert HOSTILE in root.section("charges").text


@pytest.mark.parametrize(
    ("name", "language", "told"),
    [
        (
            "month",
            "en",
            ["Electricity bill", "October 2025", "To be paid", "Billed: 1 to 31 October 2025", "Version 1"],
        ),
        ("month", "de", ["Stromrechnung", "Zu zahlen", "Abgerechnet: 1. bis 31. Oktober 2025", "CHF 6.50 pro Monat"]),
        ("credit", "en", ["You receive"]),
        ("nothing", "en", ["Nothing to be paid"]),
        ("correction", "en", ["This is version 3 of this bill. It replaces version 2, which no longer counts."]),
        ("correction", "de", ["Dies ist Fassung 3 dieser Rechnung. Sie ersetzt Fassung 2, die nicht mehr gilt."]),
        ("move_in", "en", ["Billed: 10 to 31 October 2025 (part of the month)", "keep that in mind"]),
        (
            "tariff_change",
            "en",
            ["Tariff from 15 October 2025, 01:00: Riedholz winter", "17 days \u00d7 CHF 0.25 per day"],
        ),
        ("spring", "de", ["MwSt.", "19,0 % von"]),
        ("unsigned", "en", ["The meter signed no register for energy fed in."]),
        ("carried", "en", ["Billed in earlier months without a signed register", "12.345"]),
        ("negative", "en", ["Prices below nought: drawing energy was paid for."]),
        ("far", "en", ["ISK/kWh"]),
        ("export", "en", ["than in September 2025", "than in October 2024"]),
    ],
)
def test_what_a_reader_must_find(name: str, language: str, told: list[str]) -> None:
    words = tree(name, language).words
    assert [each for each in told if each not in words] == []


def test_what_is_out_of_the_ordinary_is_named_with_time_and_reason() -> None:
    section = tree("gaps").section("odd")
    rows = [" ".join(cell.words for cell in row.all("th", "td")) for row in section.all("tbody")[0].all("tr")]
    assert rows == [
        "Fri 3 Oct, 02:00\u201316:00 14 slots Missing drawn and fed in 2.80",
        "Mon 6 Oct, 05:00\u201308:00 3 slots Lost on the way drawn and fed in \u2013",
        "Thu 9 Oct, 02:00\u201303:00 1 slot Left out drawn and fed in \u2013",
        "Sun 12 Oct, 11:00 \u2013 Mon 13 Oct, 19:00 32 slots Void drawn and fed in \u2013",
        "Wed 15 Oct, 14:00 \u2013 Thu 16 Oct, 10:00 20 slots Fallback price drawn and fed in \u2013",
        "Mon 20 Oct, 19:00 \u2013 Tue 21 Oct, 03:00 8 slots Late drawn and fed in 0.80",
        "Sun 26 Oct, 00:00\u201301:00 1 slot Late drawn and fed in 0.10",
    ]
    penalties = sum(charge.amount_e9 for charge in made("gaps").charges if charge.kind == "penalty")
    assert penalties == 3_700_000_000
    assert "no total: fallback price" in tree("gaps").section("slots").words


def test_an_hour_that_comes_twice_is_told_apart_and_one_that_is_skipped_is_missing() -> None:
    autumn = [row.all("th")[0].text for row in tree("day").section("slots").all("tbody")[0].all("tr")]
    assert len(autumn) == len(set(autumn)) == 100
    assert autumn[8:16:4] == ["02:00 (UTC+2)", "02:00 (UTC+1)"]
    spring = [row.all("th")[0].text for row in tree("spring_day").section("slots").all("tbody")[0].all("tr")]
    assert len(spring) == 46
    assert spring[3:5] == ["01:30", "03:00"]


def test_a_day_or_two_are_shown_by_slot_and_a_month_by_day() -> None:
    def columns(name: str) -> int:
        return len(tree(name).section("usage").all("svg")[0].all("g"))

    assert [columns(name) for name in ("day", "spring_day", "two_days", "month")] == [100, 46, 96, 31]
    assert all("open" in each.attributes for each in tree("two_days").section("slots").all("details"))
    assert not any("open" in each.attributes for each in tree("month").section("slots").all("details"))


def test_the_second_day_of_two_is_named_under_the_picture() -> None:
    for picture in tree("two_days").section("usage").all("svg"):
        labels = [each.text for each in picture.all("text") if each.has("label")]
        assert "Sun 5 Oct" in labels


def test_a_long_table_is_folded_and_one_that_no_sheet_would_hold_is_not_printed() -> None:
    def folded(rows: int) -> dict[str, str]:
        wanted = SAMPLES["gaps"]._replace(odd=dict.fromkeys(range(0, 2 * rows, 2), "late"))
        (details,) = read(render_page(build(wanted), "en")).section("odd").all("details")
        assert len(details.all("tbody")[0].all("tr")) == rows
        return details.attributes

    assert folded(12) == {"class": "more", "open": ""}
    assert folded(13) == folded(100) == {"class": "more"}
    assert folded(101) == {}


def test_the_verdict_is_shown_as_it_fell() -> None:
    good, bad = (
        tree("month"),
        read(render_page(made("month"), "en", verdict=Verdict(False, (Check("Sum", False, "x"),)))),
    )
    assert "You checked this bill: everything holds." in good.section("verdict").words
    assert "something does not hold" in bad.section("verdict").words
    assert "✗ does not hold" in bad.section("verdict").words
    assert "You checked" not in render_page(made("month"), "en")


def test_how_to_check_names_commands_and_what_the_bill_is_on_the_ledger() -> None:
    section = tree("month").section("check")
    assert [code.text for code in section.all("code")] == [
        "gridproof bill open",
        "gridproof verify bill",
        "gridproof bill object",
    ]
    for told in (CID, "9f" * 32, made("month").bid, made("month").meter, "riedholz-1"):
        assert told in section.text
    assert "(CID)" not in read(render_page(made("month"), "en")).section("check").text


def test_every_column_tells_its_figures() -> None:
    told = tree("gaps").section("usage").all("svg")[0].all("g")[2].all("title")[0].text
    assert told.startswith("Fri 3 Oct: drawn ")
    assert told.endswith("; something out of the ordinary")


def test_the_same_report_gives_the_same_page() -> None:
    assert page("day") == render_page(sample("day"), "en", verdict=GOOD, cid=CID, digest="9f" * 32)


def test_the_largest_month_is_of_a_sane_size() -> None:
    report = made("largest")
    assert sum(len(each.lines) + len(each.absences) for each in report.channels) == 2 * 8_940
    text = render_page(report, "de")
    assert len(text) < 3 * 10**6
    assert len(read(text).section("slots").all("tr")) == 8_940 + 2 * 31


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UnknownLanguageError) as refused:
        render_page(made("day"), "fr")
    assert (refused.value.language, refused.value.known) == ("fr", ("de", "en"))


def test_f3_a_report_that_contradicts_itself_gives_no_page() -> None:
    report = made("day")
    (channel,) = report.channels
    twice = msgspec.structs.replace(channel, lines=(*channel.lines, channel.lines[0]))
    fewer = msgspec.structs.replace(channel, lines=channel.lines[1:])
    for channels, why in (((twice,), "twice"), ((fewer,), "a slot is missing"), ((), "no channel")):
        with pytest.raises(ReportContradictsError, match=why):
            render_page(msgspec.structs.replace(report, channels=channels), "en")
    for line in (
        msgspec.structs.replace(channel.lines[0], k=report.until_k, start_s=report.until_k * 900),
        msgspec.structs.replace(channel.lines[0], start_s=channel.lines[0].start_s + 1),
    ):
        outside = msgspec.structs.replace(channel, lines=(line, *channel.lines[1:]))
        with pytest.raises(ReportContradictsError, match="does not lie in the stretch"):
            render_page(msgspec.structs.replace(report, channels=(outside,)), "en")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"zone": "Europe/Atlantis"}, UnknownZoneError),
        ({"until_k": 2**40}, OutOfRangeError),
        ({"period_s": 7}, OutOfRangeError),
        ({"made_s": 2**53 - 1}, OutOfRangeError),
    ],
)
def test_a_report_of_no_zone_or_stretch_gives_no_page(changes: dict[str, object], refusal: type[Exception]) -> None:
    report = msgspec.structs.replace(made("day"), **changes)
    with pytest.raises(refusal):
        render_page(report, "en")


def test_the_package_offers_these_names_and_has_them() -> None:
    assert set(page_package.__all__) == {
        "LANGUAGES",
        "Check",
        "Language",
        "PageError",
        "ReportContradictsError",
        "UnknownLanguageError",
        "Verdict",
        "finding_name",
        "render_page",
    }
    assert all(hasattr(page_package, name) for name in page_package.__all__)
