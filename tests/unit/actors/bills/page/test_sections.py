"""The other parts: what is out of the ordinary, register, history, days and slots; and what the pictures are given."""

import msgspec
import pytest

from gridproof.actors.bills.page.pictures import history_picture, hour_rows, typical_picture, usage_picture
from gridproof.actors.bills.page.sections import (
    comparisons,
    day_rows,
    history_rows,
    odd_of,
    registers_of,
    slot_tables,
)

from tests.unit.actors.bills.page.reading import read
from tests.unit.actors.bills.page.test_charges import context
from tests.unit.actors.bills.samples import past, sample


def test_each_kind_is_counted_by_slots_and_not_by_channels() -> None:
    odd = odd_of(context(sample("gaps")))
    assert odd.slots == "79 slots"
    assert [(kind.name, kind.slots) for kind in odd.kinds] == [
        ("Missing", "14 slots"),
        ("Lost on the way", "3 slots"),
        ("Left out", "1 slot"),
        ("Void", "32 slots"),
        ("Fallback price", "20 slots"),
        ("Late", "9 slots"),
    ]
    assert odd.costs
    none = odd_of(context(sample("month")))
    assert (none.slots, none.kinds, none.rows) == ("", (), ())


def test_a_remark_names_its_channel_only_where_the_other_differs() -> None:
    def remarks(name: str) -> set[str]:
        return {remark for table in slot_tables(context(sample(name))) for *_, remark in table.rows if remark}

    assert remarks("unsigned") == {"missing (fed in)", "late (fed in)"}
    assert remarks("carried") == {"missing", "late"}
    assert remarks("spring_day") == {"late", "no total: fallback price"}


def test_a_slot_without_a_line_has_no_cells_and_keeps_its_place() -> None:
    tables = slot_tables(context(sample("unsigned")))
    start, cells, _ = tables[0].rows[5]
    assert start == "05:00"
    assert cells[0] is not None
    assert cells[1] is None
    assert [table.slots for table in tables][25:27] == ["25 slots", "24 slots"]
    assert len({table.anchor for table in tables}) == 31


def test_the_last_row_of_the_days_is_their_sum() -> None:
    *days, last = day_rows(context(sample("gaps")))
    assert last.name == "All days"
    assert last.anchor == ""
    assert last.remark == "79 slots out of the ordinary"
    assert [day.anchor for day in days][:2] == ["day-2025-10-01", "day-2025-10-02"]
    assert days[8].remark == "1 slot out of the ordinary"


def test_the_register_is_told_from_its_end_back_to_what_was_reconciled() -> None:
    imported, exported = registers_of(context(sample("gaps")))
    names = [name for name, _ in imported.rows]
    assert names[:2] == ["Register on 1 November 2025, 00:00", "Register on 1 October 2025, 00:00"]
    assert imported.rows[-1] == ("Reconciled: billed without records", "4.321")
    assert (imported.channel, exported.channel) == ("Drawn", "Fed in")
    assert not [name for name in names if "earlier" in name]
    (carried,) = registers_of(context(sample("carried")))
    assert ("Billed in earlier months without a signed register", "12.345") in carried.rows
    unsigned = registers_of(context(sample("unsigned")))
    assert [(each.rows, bool(each.missing)) for each in unsigned] == [((), True)] * 2


def test_the_history_has_this_month_first_and_as_the_next_month_will_tell_it() -> None:
    report = sample("gaps")
    first, *others = history_rows(context(report))
    assert first.current
    assert not [row for row in others if row.current]
    assert [row.month for row in others] == ["September 2025", "August 2025"]
    recorded_wh = sum(line.energy_wh for line in report.channels[0].lines)
    assert first.cells[0] == f"{(recorded_wh + 4_321) / 1_000:.3f}"
    assert {len(row.cells) for row in history_rows(context(sample("export")))} == {3}
    assert {len(row.cells) for row in history_rows(context(sample("month")))} == {2}


@pytest.mark.parametrize(
    ("past_wh", "told"),
    [
        (500_000, "You drew 135.6 kWh more than in September 2025 (+27 %)."),
        (1_000_000, "You drew 364.4 kWh less than in September 2025 (\u221236 %)."),
        (0, "You drew 635.6 kWh more than in September 2025."),
        (635_560, "You drew as much as in September 2025."),
    ],
)
def test_months_are_compared_in_a_sentence(past_wh: int, told: str) -> None:
    report = msgspec.structs.replace(sample("correction"), history=(past("2025-09", past_wh),))
    assert comparisons(context(report)) == [told]


def test_the_same_month_a_year_ago_is_compared_once() -> None:
    report = sample("correction")
    two = msgspec.structs.replace(report, history=(past("2024-10", 400_000), past("2025-09", 500_000)))
    assert [each.split("in ")[1][:12] for each in comparisons(context(two))] == ["September 20", "October 2024"]
    one = msgspec.structs.replace(report, history=(past("2024-10", 400_000),))
    assert len(comparisons(context(one))) == 1
    assert comparisons(context(msgspec.structs.replace(report, history=()))) == []


def test_a_typical_day_is_the_average_of_an_hour_and_not_of_a_slot() -> None:
    month = context(sample("month"))
    half_hours = hour_rows(month)
    at_seven = [line for line in sample("month").channels[0].lines if month.clock.local(line.start_s).hour == 7]
    mean_wh = sum(line.energy_wh for line in at_seven) * 2 / len(at_seven)
    assert half_hours[7].cells[0] == f"{mean_wh / 1_000:.3f}"
    assert [row.hour for row in half_hours][::23] == ["00:00", "23:00"]
    assert hour_rows(context(sample("spring_day")))[2].cells == ("\u2013",) * 4
    night = hour_rows(context(sample("export")))[0].cells
    assert (night[2], night[3]) == ("0.000", "\u2013")


def test_pictures_say_what_they_show_in_words() -> None:
    made = context(sample("gaps"))
    for picture, told in (
        (usage_picture(made), ["Drawn", "622.4 kWh"][0]),
        (typical_picture(made), "Most was drawn: "),
        (history_picture(made), "August 2025: drawn 466.954 kWh, fed in 275.000 kWh; September 2025"),
    ):
        for drawn in (picture.wide, picture.narrow):
            (described,) = read(drawn).all("desc")
            assert told in described.text
    assert usage_picture(made).marked
    assert not usage_picture(context(sample("export"))).marked


def test_prices_of_energy_fed_in_are_told_as_what_is_paid_for_it() -> None:
    report = sample("export")
    *_, last = day_rows(context(report))
    assert not last.cells[1][1].startswith("\u2212")
    assert last.cells[1][2].head.startswith("\u2212")
    *_, turned = day_rows(context(sample("negative")))
    assert turned.cells[1][1].startswith("\u2212")
