"""What a page adds up: F-1 to F-3."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.bills.page.clock import WallClock
from gridproof.actors.bills.page.errors import ReportContradictsError
from gridproof.actors.bills.page.figures import Figures, Stretch, Sums, charged_wh, events, figures_of
from gridproof.actors.bills.page.words import Words
from gridproof.actors.bills.report import Report, ReportLine
from gridproof.calendar import Calendar
from gridproof.domain import Direction, OutOfRangeError

from tests.unit.actors.bills.samples import SAMPLES, Wanted, build, sample

FATES = ("silent", "dropped", "excluded", "void", "fallback", "late")


def figures(report: Report) -> Figures:
    return figures_of(report, Calendar(report.zone, report.period_s), WallClock(report.zone, Words("en")))


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "largest"])
def test_f1_days_and_hours_add_up_to_the_reports_lines(name: str) -> None:
    report = sample(name)
    found = figures(report)
    for at, channel in enumerate(report.channels):
        energy_wh = sum(line.energy_wh for line in channel.lines)
        amount_e9 = sum(line.amount_e9 for line in channel.lines)
        whole = Sums(len(channel.lines), energy_wh, amount_e9)
        assert found.sums[at] == whole
        for parts in ([day.sums[at] for day in found.days], [hour[at] for hour in found.hours]):
            assert Sums(*map(sum, zip(*parts, strict=True))) == whole
        kind = "energy" if channel.channel == "import" else "feed_in"
        assert amount_e9 == sum(charge.amount_e9 for charge in report.charges if charge.kind == kind)


def test_f2_the_days_of_a_month_follow_one_another_and_have_23_to_25_hours() -> None:
    for name, hours in (("month", 25), ("spring", 23)):
        report = sample(name)
        found = figures(report)
        lengths = [(day.end_s - day.start_s) // 3_600 for day in found.days]
        assert len(lengths) == 31
        assert sorted({*lengths}) == sorted({24, hours})
        assert [row.k for day in found.days for row in day.rows] == list(range(report.from_k, report.until_k))
        assert (found.start_s, found.end_s) == (found.days[0].start_s, found.days[-1].end_s)


def test_f2_an_hour_that_comes_twice_counts_twice() -> None:
    hours = [hour[0].slots for hour in figures(sample("day")).hours]
    assert hours == [4, 4, 8, *[4] * 21]
    assert [hour[0].slots for hour in figures(sample("spring_day")).hours] == [2, 2, 0, *[2] * 21]


def test_import_stands_first_whatever_the_report_has_first() -> None:
    report = sample("spring_day")
    turned = msgspec.structs.replace(report, channels=tuple(reversed(report.channels)))
    assert figures(turned) == figures(report)
    assert figures(report).channels == ("import", "export")


@given(st.dictionaries(st.integers(0, 23), st.sampled_from(FATES), max_size=12))
def test_stretches_hold_every_odd_slot_once_and_nothing_else(odd: dict[int, str]) -> None:
    report = build(Wanted(first_day=2, days=1, odd=odd))
    found = figures(report)
    told = {
        ((stretch.start_s // 3_600 + at) - report.from_k, stretch.event)
        for stretch in found.stretches
        for at in range(stretch.slots)
    }
    assert told == set(odd.items())
    assert sum(stretch.slots for stretch in found.stretches) == len(odd)
    for before, after in zip(found.stretches, found.stretches[1:], strict=False):
        assert before.start_s <= after.start_s
        assert before.event != after.event or before.end_s < after.start_s
    assert sum(day.odd for day in found.days) == len(odd)
    penalties_e9 = sum(charge.amount_e9 for charge in report.charges if charge.kind == "penalty")
    assert sum(stretch.cost_e9 for stretch in found.stretches) == penalties_e9


def test_channels_share_a_stretch_only_where_all_of_it_is_the_same() -> None:
    both = build(Wanted(first_day=2, days=1, export=True, odd={3: "late", 4: "late"}))
    (shared,) = figures(both).stretches
    start_s = (both.from_k + 3) * 3_600
    assert shared == Stretch("late", ("import", "export"), start_s, start_s + 7_200, 2, 4 * 50_000_000)
    one = build(Wanted(first_day=2, days=1, export=True, odd={3: "silent"}, odd_in=(Direction.EXPORT,)))
    assert [(each.channels, each.cost_e9) for each in figures(one).stretches] == [(("export",), 100_000_000)]


def test_a_slot_can_be_late_and_have_the_fallback_price() -> None:
    report = sample("day")
    (channel,) = report.channels
    line = msgspec.structs.replace(channel.lines[7], late=True, fallback=True)
    assert events(line) == ("fallback", "late")
    lines = (*channel.lines[:7], line, *channel.lines[8:])
    changed = msgspec.structs.replace(report, channels=(msgspec.structs.replace(channel, lines=lines),))
    found = figures(changed)
    assert {stretch.event for stretch in found.stretches} == {"fallback", "late"}
    assert sum(day.odd for day in found.days) == 1
    assert [stretch.cost_e9 for stretch in found.stretches] == [0, 0]  # no charge says that being late costs


@pytest.mark.parametrize(
    ("energy_wh", "amount_e9", "price_e5"),
    [
        (1_000, 27_130 * 10_000, 27_130),
        (3, 100, 3),
        (2, 50, 3),
        (1_000, -27_130 * 10_000, -27_130),
        (0, 0, None),
    ],
)
def test_an_average_price_is_weighted_by_energy_and_half_up(
    energy_wh: int, amount_e9: int, price_e5: int | None
) -> None:
    assert Sums(1, energy_wh, amount_e9).price_e5 == price_e5


def test_energy_of_the_history_is_with_what_was_reconciled() -> None:
    report = sample("gaps")
    lines_wh = sum(line.energy_wh for line in report.channels[0].lines)
    assert charged_wh(report, "import") == lines_wh + 4_321
    assert charged_wh(sample("month"), "export") == 0
    unsigned = sample("unsigned")
    assert charged_wh(unsigned, "import") == sum(line.energy_wh for line in unsigned.channels[0].lines)


def test_f3_a_slot_too_few_too_many_or_outside_is_a_contradiction() -> None:
    report = sample("day")
    (channel,) = report.channels
    first: ReportLine = channel.lines[0]
    before = msgspec.structs.replace(first, k=first.k - 1, start_s=first.start_s - 900)
    for lines, why in (
        ((*channel.lines, first), "twice"),
        (channel.lines[1:], "missing"),
        ((before, *channel.lines[1:]), "stretch"),
    ):
        changed = msgspec.structs.replace(channel, lines=lines)
        with pytest.raises(ReportContradictsError, match=why) as refused:
            figures(msgspec.structs.replace(report, channels=(changed,)))
        assert "import" in refused.value.detail
    with pytest.raises(OutOfRangeError):
        figures(msgspec.structs.replace(report, until_k=report.from_k))
