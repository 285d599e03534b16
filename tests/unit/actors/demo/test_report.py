"""The report: it stands alone, tells what came of all, and shows no text as anything but text."""

import re
from decimal import Decimal

import pytest

from gridproof.actors.bill_provider import Kind
from gridproof.actors.bills.page.numbers import numbers_of
from gridproof.actors.demo.count import Counted, Why
from gridproof.actors.demo.docket import CHARGES, Result, Try
from gridproof.actors.demo.outcome import Billed, Outcome, Period, Standing
from gridproof.actors.demo.report import render_report
from gridproof.actors.demo.report_pictures import MAX_COLUMNS, rows_of
from gridproof.domain import Direction, RegionId, Slot
from gridproof.modules.aggregation.types import Status

from tests.unit.actors.bills.page.reading import Element, read

K = 1_944_568  # 17 June 2025, midnight in Zurich
DASH = "\u2013"
HOSTILE = "<script>alert('x')</script> & \"quoted\""
STOOD = dict.fromkeys(CHARGES, Result.REFUSED)


def period(n: int, channel: Direction = Direction.IMPORT, region: int = 1, **changed: object) -> Period:
    """An opened slot with a total of 3,000 Wh and n more, drawn at 0.20."""
    made = Period(
        slot=Slot(RegionId(region), channel, K + n),
        start="2025-06-17T00:00:00+02:00",
        status=Status.OPENED,
        total_wh=3_000 + n,
        enrolled=1,
        live=1,
        records=2,
        counted=Counted({"a": 3_000 + n}, {}),
        named={},
        may_open=True,
        price_e5=20_000,
        counted_price=Decimal("0.2"),
    )
    return made._replace(**changed)  # type: ignore[arg-type]


def missing(n: int) -> Period:
    """A sealed slot from which a meter was missing."""
    counted = Counted({"a": 1}, {"b": Why.SILENT})
    named = {"b": Kind.SILENT}
    return period(n, status=Status.SEALED, total_wh=None, may_open=False, enrolled=3, counted=counted, named=named)


def bill(meter: str, month: str = "2025-06", **changed: object) -> Billed:
    made = Billed(meter, 1, month, 1, 5_000, 0, 0, 0, 0, 1_234_567_891, 1_250_000_000, "CHF", (), (), "page.html")
    return made._replace(**changed)  # type: ignore[arg-type]


def outcome(*slots: Period, bills: tuple[Billed, ...] = (bill("h1"),), **changed: object) -> Outcome:
    regions = max(each.slot.region for each in slots)
    standing = Standing(9, bytes(32)), Standing(11, bytes([1]) * 32)
    span = "2025-06-17T00:00:00+02:00", "2025-06-18T00:00:00+02:00"
    made = Outcome("demo-1", 3, regions, 96, *span, *standing, slots, STOOD, (), (), bills)
    return made._replace(**changed)  # type: ignore[arg-type]


def page(told: Outcome, pages: str = "bills") -> Element:
    return read(render_report(told, 7, pages))


def test_b1_the_page_loads_nothing_and_runs_nothing() -> None:
    text = render_report(outcome(period(0)), 7, "bills")
    root = read(text)
    assert not root.all("script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use")
    for element in root.all():
        assert not [key for key in element.attributes if key.startswith("on") or key in ("src", "srcset", "style")]
    assert "://" not in text
    assert not re.search(r"url\((?!#)|@import|expression", text)
    (policy,) = [each for each in root.all("meta") if "http-equiv" in each.attributes]
    assert policy.attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_b2_no_name_reason_or_problem_is_taken_for_a_tag() -> None:
    tries = (Try("wrong_price", HOSTILE, Result.REFUSED, HOSTILE, HOSTILE),)
    hostile = bill(HOSTILE, falsehoods=(HOSTILE,), differences=(HOSTILE,), page=HOSTILE)
    text = render_report(
        outcome(period(0), bills=(hostile,), chain_id=HOSTILE, tries=tries, problems=(HOSTILE,)), 7, HOSTILE
    )
    assert "<script" not in text
    root = read(text)
    assert root.text.count(HOSTILE) >= 6
    (link,) = root.section("bills").all("a")
    assert '"' not in link.attributes["href"]
    assert "<" not in link.attributes["href"]


def test_a_screen_reader_can_walk_it() -> None:
    root = page(outcome(period(0), missing(1), period(0, region=2)))
    identities = [each.attributes["id"] for each in root.all() if "id" in each.attributes]
    assert len(identities) == len(set(identities))
    assert root.all("h1", "h2", "h3")[0].name == "h1"
    assert len(root.all("h1")) == 1
    for each in root.all("section", "svg"):
        names = each.attributes.get("aria-labelledby", "").split()
        assert names or each.attributes.get("aria-label")
        assert set(names) <= set(identities)
    for table in root.all("table"):
        assert table.all("caption")
        assert all(head.attributes.get("scope") for head in table.all("th"))


def test_every_attack_is_told_with_its_doors_and_the_result_in_words() -> None:
    tries = (
        Try("wrong_price", "ledger", Result.REFUSED, "the tariff gives another (3010)", "WrongPrice"),
        Try("changed_bill", "household", Result.FOUND, "records: a line", ""),
    )
    attacks = {**STOOD, "changed_bill": Result.FOUND, "bill_twice": Result.NOT_TRIED, "foreign_bill": Result.SUCCEEDED}
    rows = page(outcome(period(0), attacks=attacks, tries=tries)).section("attacks").all("tr")[1:]
    told = {
        row.all("th")[0].words.split(charge.by)[0].strip(): row
        for row, charge in zip(rows, CHARGES.values(), strict=True)
    }
    assert list(told) == [charge.title for charge in CHARGES.values()]
    assert told["wrong price"].words.endswith("✓ refusedledger: the tariff gives another (3010) [WrongPrice]")
    assert told["changed bill"].words.endswith("✓ foundhousehold: records: a line")
    assert told["bill registered twice"].words.endswith("✗ not triedit did not come to that")
    assert "✗ succeeded" in told["foreign bill"].words


@pytest.mark.parametrize(
    ("told", "glance"),
    [
        (outcome(period(0)), "All is well"),
        (outcome(period(0, total_wh=1)), "Not all is well"),
        (outcome(period(0), bills=(bill("h1", differences=("sum: 1, counted 2",)),)), "Not all is well"),
        (outcome(period(0), problems=("a node fell over",)), "Not all is well"),
    ],
)
def test_what_came_of_it_stands_at_the_head(told: Outcome, glance: str) -> None:
    assert glance in page(told).words


def test_a_wrong_total_and_a_problem_are_told_apart_from_the_rest() -> None:
    told = page(outcome(period(0, total_wh=1), problems=("a node fell over",))).section("wrong")
    assert "1 Wh, counted 3000 Wh" in told.words
    assert "a node fell over" in told.words


def test_each_bill_is_a_row_that_links_to_its_page() -> None:
    bills = (
        bill("h2", late=1, missing=2, reconciled_wh=70, version=3, export_wh=1_500),
        bill("h1", "2025-07", page="a b#.html"),
        bill("h1", falsehoods=("one", "two")),
    )
    section = page(outcome(period(0), bills=bills), "../x y/bills").section("bills")
    assert [link.attributes["href"] for link in section.all("a")] == [
        "../x%20y/bills/page.html",
        "../x%20y/bills/a%20b%23.html",
        "../x%20y/bills/page.html",
    ]
    assert [link.words for link in section.all("a")][1] == "2025-07, bill of h1"
    first, _, third = section.all("tr")[1:4]
    assert "✗ household: one (and 1 more)" in first.words
    assert "corrected: version 3, 2 without a reading, 1 late, 0.070 kWh by the register alone" in third.words
    assert "1.25" in third.words
    assert section.all("tr")[-1].words.startswith("all 3 bills3.75")


def test_b3_the_figures_of_the_pictures_stand_in_a_table() -> None:
    root = page(outcome(period(0), missing(1), period(0, Direction.EXPORT, total_wh=500, price_e5=9_000)))
    rows = root.section("region1").all("tr")[1:]
    assert [[cell.words for cell in row.all("th", "td")] for row in rows] == [
        ["Tue 17 Jun, 00:00", "3.000", "20.000", "0.500", "9.000", "0"],
        ["Tue 17 Jun, 00:15", DASH, "20.000", DASH, DASH, "2"],
    ]
    assert "no total: too few meters" in root.section("region1").words


def test_many_periods_share_columns_their_energy_added_up_and_their_price_weighed() -> None:
    slots = [period(n, price_e5=10_000 if n % 2 else 20_000, total_wh=1_000 if n % 2 else 3_000) for n in range(672)]
    rows = rows_of(slots, numbers_of("en", "CHF"))
    assert len(rows) == 168 <= MAX_COLUMNS
    assert {row.drawn for row in rows} == {(8_000, 17_500)}
    assert [row.label for row in rows if row.is_anchor][:2] == ["Tue 17 Jun", "Wed 18 Jun"]


def test_the_hour_that_the_clock_shows_twice_is_told_apart() -> None:
    night = 1_957_152  # 26 October 2025, midnight UTC
    slots = [period(night - K + n) for n in range(12)]
    whens = [row.when for row in rows_of(slots, numbers_of("en", "CHF"))]
    assert len(set(whens)) == len(whens)
