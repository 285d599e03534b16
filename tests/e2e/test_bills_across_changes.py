"""Bills of months in which the clock changes, a meter is swapped, one goes, one comes, and the tariff changes."""

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.e2e import recompute
from tests.e2e.bills import require_equal
from tests.e2e.commands import Commands

PERIOD_S: Final = 3_600
ZONE: Final = ZoneInfo("Europe/Zurich")
GENERATORS: Final = tuple(f"sun{number}" for number in range(1, 7))
BOTH: Final = ("import", "export")
FIRST: Final = """
name = "By the clock"
rounding = 0.05

[import]
scheme = "time-of-use"
fallback = 0.1999

[[import.band]]
name = "small hours"
price = 0.09871
days = "sun"
from = "01:00"
to = "03:00"

[[import.band]]
name = "evening"
price = 0.31
days = "fri-sat"
from = "18:00"
to = "01:00"

[[import.band]]
name = "rest"
price = 0.1667

[feed-in]
scheme = "time-of-use"
fallback = 0.0101

[[feed-in.band]]
name = "before ten"
price = 0.0777
from = "02:00"
to = "10:00"

[[feed-in.band]]
name = "rest"
price = 0.06

[[levy]]
name = "Grid usage"
price = 0.08123

[[standing]]
name = "Metering"
amount = 7.77

[[standing]]
name = "Service"
amount = 0.13
per = "day"

[[tax]]
name = "VAT"
percent = 8.1

[[tax]]
name = "Town"
percent = 0.33

[penalties]
missing = 0.02
late = 0.01
"""
SECOND: Final = """
name = "By the load"
rounding = 0.05

[import]
scheme = "linear"
fallback = 0.25
from_kwh = 1.2
from_price = 0.1
to_kwh = 2.9
to_price = 0.33333

[feed-in]
scheme = "stepped"
fallback = 0.02

[[feed-in.step]]
from_kwh = 0
price = 0.08

[[feed-in.step]]
from_kwh = 0.9
price = 0.03

[[feed-in.step]]
from_kwh = 1.1
price = -0.015

[[levy]]
name = "Grid usage"
price = 0.1

[[levy]]
name = "Concession"
price = 0.00501

[[standing]]
name = "Metering"
amount = 99.5
per = "year"

[[tax]]
name = "VAT"
percent = 8.1

[[tax]]
name = "Town"
percent = 0.5

[penalties]
missing = 0.05
late = 0.01
"""


class Script(NamedTuple):
    """When what happens, as a person writes it: times without an offset would be the zone's."""

    month: str
    begin: str
    middle: str
    swap: str
    leave: str
    arrive: str
    change: str
    end: str
    settled: str


AUTUMN: Final = Script(  # the hour from two to three comes twice; the meter is swapped between the two
    month="2025-10",
    begin="2025-10-25T00:00+02:00",
    middle="2025-10-26T00:00+02:00",
    swap="2025-10-26T02:00+01:00",
    leave="2025-10-28T07:00+01:00",
    arrive="2025-10-26T02:00+02:00",
    change="2025-10-29T05:00+01:00",
    end="2025-11-01T00:00+01:00",
    settled="2025-11-20",
)
SPRING: Final = Script(  # the hour from two to three does not come; the meter is swapped where it is left out
    month="2026-03",
    begin="2026-03-28T00:00+01:00",
    middle="2026-03-29T00:00+01:00",
    swap="2026-03-29T03:00+02:00",
    leave="2026-03-30T07:00+02:00",
    arrive="2026-03-29T01:00+01:00",
    change="2026-03-30T11:00+02:00",
    end="2026-04-01T00:00+02:00",
    settled="2026-04-20",
)


class Played(NamedTuple):
    """A community that played a script, and what is known of it."""

    commands: Commands
    world: recompute.World
    script: Script
    bills: list[dict[str, Any]]

    def bill(self, meter: str) -> dict[str, Any]:
        """A household's bill, as it was recomputed and found equal."""
        return next(
            bill for household, bill in zip(self.world.households, self.bills, strict=True) if household.meter == meter
        )


def households(script: Script) -> list[recompute.Household]:
    """Who is enrolled when."""
    at = {name: recompute.instant(text) for name, text in script._asdict().items() if "T" in text}
    staying = [recompute.Household(name, 1, BOTH, at["begin"]) for name in GENERATORS[1:-1]]
    return [
        recompute.Household("sun1", 1, BOTH, at["begin"], at["swap"]),
        recompute.Household("sun1 new", 1, BOTH, at["swap"]),
        *staying,
        recompute.Household(GENERATORS[-1], 1, BOTH, at["begin"], at["change"]),
        recompute.Household(GENERATORS[-1], 1, BOTH, at["change"]),  # another device under the same name
        recompute.Household("leaver", 1, ("import",), at["begin"], at["leave"]),
        recompute.Household("comer", 1, ("import",), at["arrive"]),
    ]


def reading_wh(meter: int, channel: str, hour: int) -> int | None:
    """What the household of this number reads in an hour; None where it is silent."""
    silent = (
        hour == 20 and channel == "export" and meter in (3, 4),  # four generators are too few: the total stays hidden
        hour == 30,  # nobody is heard: the slot is void
        meter == 3 and channel == "import" and hour in (10, 26),
        meter == 5 and 40 <= hour < 43,
        meter == 6 and hour == 55,
    )
    if any(silent):
        return None
    return (97 * meter + 53 * hour) % 601 if channel == "import" else (31 * meter + 17 * hour) % 331


def rows_of(script: Script, from_s: int, end_s: int) -> Iterator[tuple[str, str, int, str]]:
    """Rows of a file of readings."""
    begin_s = recompute.instant(script.begin)
    for number, household in enumerate(households(script), 1):
        for at_s in range(from_s, end_s, PERIOD_S):
            for channel in household.channels:
                value = reading_wh(number, channel, (at_s - begin_s) // PERIOD_S)
                if household.has(channel, at_s) and value is not None:
                    yield household.meter, _label(at_s), value, channel


def _label(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, ZONE).isoformat()


def registers(script: Script, recorded: dict[tuple[str, str, int], int]) -> list[tuple[str, str, int, str]]:
    """What registers said at both ends of an enrolment: more than the records, or just as much."""
    beyond = {
        ("sun1", "import"): (50_000, 0),
        ("sun1", "export"): (0, 12),
        ("sun1 new", "import"): (0, 77),
        ("sun2", "import"): (1_000_000, 2_501),
        ("sun2", "export"): (9_999, 303),
        ("sun5", "import"): (3, 900),
        ("leaver", "import"): (123_456_789, 50),
        ("comer", "import"): (123_456, 1),
    }
    end_s, rows = recompute.instant(script.end), []
    for household in households(script):
        for channel in household.channels:
            if (household.meter, channel) in beyond:
                start_wh, more_wh = beyond[household.meter, channel]
                values = (v for (meter, way, _), v in recorded.items() if (meter, way) == (household.meter, channel))
                until_s = household.until_s or end_s
                rows.append((household.meter, _label(household.from_s), start_wh, channel))
                rows.append((household.meter, _label(until_s), start_wh + sum(values) + more_wh, channel))
    return rows


def write(path: Path, header: str, rows: "list[tuple[str, str, int, str]]") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


@pytest.fixture(scope="module", params=[AUTUMN, SPRING], ids=["end of summer time", "beginning of summer time"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A community whose month saw all of it."""
    script: Script = request.param
    folder = tmp_path_factory.mktemp("changes")
    root = folder / "village"
    begin_s, middle_s, end_s = (recompute.instant(text) for text in (script.begin, script.middle, script.end))
    (folder / "first.toml").write_text(FIRST)
    (folder / "second.toml").write_text(SECOND)
    Commands(folder)("init", "village", "--start", script.begin, "--period-s", PERIOD_S, "--tariff", "first.toml")
    commands = Commands(root)
    commands("meter", "enrol", *GENERATORS, "--channels", "import,export")
    commands("meter", "enrol", "leaver")
    header = "meter,start,energy_wh,channel"
    write(root / "before.csv", header, list(rows_of(script, begin_s, middle_s)))
    commands("readings", "import", "before.csv")
    commands("run", "--until", script.middle)
    commands("meter", "enrol", "comer", "--from", script.arrive)
    commands("meter", "swap", "sun1", "sun1 new", "--from", script.swap)
    commands("meter", "swap", GENERATORS[-1], "--from", script.change)
    commands("meter", "revoke", "leaver", "--moved-out", "--from", script.leave)
    commands("tariff", "change", "../second.toml", "--from", script.change)
    write(root / "after.csv", header, list(rows_of(script, middle_s, end_s)))
    commands("readings", "import", "after.csv")
    readings = recompute.read_values([root / "before.csv", root / "after.csv"], "start", "energy_wh")
    write(root / "registers.csv", "meter,at,register_wh,channel", registers(script, readings))
    commands("readings", "import-registers", "registers.csv")
    assert commands("run", "--until", script.settled, "--json").json["problems"] == []
    made = commands("bill", "make", "--month", script.month, "--json").json
    assert (made["months"][0]["made"], made["problems"]) == (10, [])
    change_s = recompute.instant(script.change)
    world = recompute.World(
        zone=ZONE,
        period_s=PERIOD_S,
        begin_s=begin_s,
        households=households(script),
        tariffs={
            1: [
                (begin_s, recompute.read_tariff(folder / "first.toml")),
                (change_s, recompute.read_tariff(folder / "second.toml")),
            ]
        },
        readings=readings,
        registers=recompute.read_values([root / "registers.csv"], "at", "register_wh"),
    )
    return Played(commands, world, script, require_equal(world, root, [script.month]))


def test_every_bill_is_the_one_that_files_and_events_give(played: Played) -> None:
    assert len(played.bills) == 10
    assert sum(len(bill["lines"]) for bill in played.bills) == len(played.world.readings)


def test_the_month_has_the_hours_that_its_clock_shows(played: Played) -> None:
    bill, (begin_s, end_s) = played.bill("sun3"), (played.world.begin_s, recompute.instant(played.script.end))
    hours = (end_s - begin_s) // PERIOD_S
    assert hours == {"2025-10": 7 * 24 + 1, "2026-03": 4 * 24 - 1}[played.script.month]
    assert len(bill["lines"]) + len(bill["missing"]) == 2 * hours
    night = [line[1] for (channel, at), line in bill["lines"].items() if channel == "import" and line[1] == 9_871]
    assert len(night) == {"2025-10": 3, "2026-03": 1}[played.script.month]  # of the band from one to three


def test_swap_move_and_late_enrolment_part_the_month(played: Played) -> None:
    at = {name: recompute.instant(text) for name, text in played.script._asdict().items() if "T" in text}
    spans = {
        "sun1": (at["begin"], at["swap"]),
        "sun1 new": (at["swap"], at["end"]),
        "leaver": (at["begin"], at["leave"]),
        "comer": (at["arrive"], at["end"]),
    }
    for meter, (from_s, until_s) in spans.items():
        bill = played.bill(meter)
        starts = sorted({start for _, start in (*bill["lines"], *bill["missing"])})
        assert (starts[0], starts[-1]) == (from_s, until_s - PERIOD_S)
    ended = played.bill("sun1")["charges"]
    assert {since for *_, since in ended} == {at["begin"]}  # the tariff changed after it was gone
    assert {since for *_, since in played.bill("sun2")["charges"]} == {at["begin"], at["change"]}


def test_slots_without_a_total_take_the_fallback_price_and_silence_costs(played: Played) -> None:
    hour = {number: played.world.begin_s + number * PERIOD_S for number in (20, 30)}
    sealed = [bill["lines"].get(("export", hour[20])) for bill in played.bills]
    assert [line[1:3] for line in sealed if line is not None] == [(1_010, True)] * 4
    sun2 = played.bill("sun2")
    assert sun2["missing"]["import", played.world.begin_s + 10 * PERIOD_S] == ("silent", 20_000_000)
    assert sun2["missing"]["import", hour[30]] == ("void", 0)


def test_registers_that_say_more_are_billed_at_the_worst_price(played: Played) -> None:
    reconciled = {
        household.meter: {
            (name, channel): amount
            for (kind, name, channel, _), amount in bill["charges"].items()
            if kind == "reconciliation"
        }
        for household, bill in zip(played.world.households, played.bills, strict=True)
    }
    assert set(reconciled["sun2"]) == {("energy", "import"), ("levies", "import"), ("energy", "export")}
    assert reconciled["sun3"] == {}
    assert set(reconciled["sun1"]) == {("energy", "export")}
    dearest = max(line[1] for bill in played.bills for (way, _), line in bill["lines"].items() if way == "import")
    assert reconciled["leaver"]["energy", "import"] >= 50 * 10 * dearest * 0.9
    assert reconciled["sun2"]["energy", "export"] > 0  # the lowest price was below nothing
