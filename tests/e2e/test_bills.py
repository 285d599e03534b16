"""Bills of a real week that crosses a month, by every scheme of price; `bill make` was killed on the way."""

import ast
import csv
import os
import random
import signal
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.e2e import recompute
from tests.e2e.bills import require_equal
from tests.e2e.commands import Commands
from tests.shared import data

SOURCE: Final = "swiss_households_15min.csv"
START: Final = "2025-10-26T23:00:00+00:00"  # local midnight; the month ends on Friday night
ZONE: Final = ZoneInfo("Europe/Zurich")
MONTHS: Final = ("2025-10", "2025-11")
KILLS: Final = 6
HOUSEHOLDS: Final = 100 if os.environ.get("GRIDPROOF_EXPLORE") else 20
TAIL: Final = """
[[levy]]
name = "Grid usage"
price = 0.0953
[[levy]]
name = "Levies"
price = 0.02301
[[standing]]
name = "Metering"
amount = 6.35
[[standing]]
name = "Service"
amount = 19.99
per = "year"
[[tax]]
name = "VAT"
percent = 8.1
[penalties]
missing = 0.02
late = 0.005
"""
FEED_IN: Final = '[feed-in]\nscheme = "flat"\nprice = 0.09\n'
SCHEMES: Final = {
    "flat": '[import]\nscheme = "flat"\nprice = 0.24195\nfallback = 0.3\n',
    "time-of-use": """[import]
scheme = "time-of-use"
fallback = 0.145
[[import.band]]
name = "day"
price = 0.165
days = "mon-fri"
from = "06:30"
to = "20:00"
[[import.band]]
name = "night"
price = 0.1013
[[import.band.window]]
days = "fri,sun"
from = "22:00"
to = "05:15"
[[import.band]]
name = "otherwise"
price = 0.13337
""",
    "linear": """[import]
scheme = "linear"
fallback = 0.2
from_kwh = 0.5
from_price = 0.11111
to_kwh = 2.2
to_price = 0.37
""",
    "stepped": """[import]
scheme = "stepped"
fallback = 0.2
[[import.step]]
from_kwh = 0
price = 0.1
[[import.step]]
from_kwh = 0.75
price = 0.175
[[import.step]]
from_kwh = 1.5
price = 0.29999
""",
}


class Week(NamedTuple):
    """A community over the week, and what is known of it."""

    commands: Commands
    world: recompute.World
    killed: list[int]
    second: list[int]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A community of four regions, each with a scheme of its own; making its bills was killed six times."""
    root = tmp_path_factory.mktemp("week")
    commands = Commands(root)
    regions = list(range(1, len(SCHEMES) + 1))
    commands("init", ".", "--name", "Riedholz", "--start", START, "--regions", len(regions))
    for region, (name, scheme) in zip(regions, SCHEMES.items(), strict=True):
        (root / f"tariff-{region}.toml").write_text(f'name = "{name}"\nrounding = 0.05\n{scheme}{FEED_IN}{TAIL}')
    commands("tariff", "check")
    names = take(data(SOURCE), root / "week.csv")
    listed = [f"{name},{1 + at % len(regions)}" for at, name in enumerate(names)]
    (root / "meters.csv").write_text("\n".join(["meter,region", *listed]))
    commands("meter", "enrol", "--list", "meters.csv")
    commands("readings", "import", "week.csv")
    told = commands("run", "--until", "2025-12-20", "--json").json
    assert told["problems"] == []
    begin_s = recompute.instant(START)
    world = recompute.World(
        zone=ZONE,
        period_s=900,
        begin_s=begin_s,
        households=[
            recompute.Household(name, 1 + at % len(regions), ("import",), begin_s) for at, name in enumerate(names)
        ],
        tariffs={region: [(begin_s, recompute.read_tariff(root / f"tariff-{region}.toml"))] for region in regions},
        readings=recompute.read_values([root / "week.csv"], "start", "energy_wh"),
        registers={},
    )
    return Week(commands, world, *make_with_kills(commands))


def make_with_kills(commands: Commands) -> tuple[list[int], list[int]]:
    """Make bills, killed each time once some more reports are published; at last two at once. Tells how they ended."""
    draw = random.Random(7)
    killed = []
    for _ in range(KILLS):
        target = len(published(commands.root)) + draw.randrange(9)
        making = commands.start("bill", "make")
        time.sleep(0.5 + 0.5 * draw.random())
        while making.poll() is None and len(published(commands.root)) < target:
            time.sleep(0.01)
        making.kill()
        making.communicate()
        killed.append(making.returncode)
    both = [commands.start("bill", "make", "--json") for _ in range(2)]
    for each in both:
        each.communicate()
    return killed, [each.returncode for each in both]


def published(root: Path) -> list[Path]:
    """The sealed reports that lie in the store from which households fetch theirs."""
    return list((root / "public" / "content").rglob("baf*"))


def take(source: Path, target: Path) -> list[str]:
    """Write the readings of the first households; tells their names."""
    names: dict[str, None] = {}
    with source.open(newline="", encoding="utf-8") as file, target.open("w", newline="", encoding="utf-8") as taken:
        rows = csv.writer(taken)
        rows.writerow(("meter", "start", "energy_wh"))
        for meter, start, energy_wh in list(csv.reader(file))[1:]:
            if meter in names or len(names) < HOUSEHOLDS:
                names[meter] = None
                rows.writerow((meter, start, energy_wh))
    return list(names)


def test_the_recomputation_shares_no_code_with_the_package() -> None:
    tree = ast.parse(Path(recompute.__file__).read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    assert not any(node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.shared("data")
def test_nobody_has_two_bills_of_one_version_and_nobody_is_left_out_however_often_making_them_was_killed(
    week: Week,
) -> None:
    assert set(week.killed) == {-signal.SIGKILL}
    assert week.second == [0, 0]
    again = week.commands("bill", "make", "--json").json
    assert [(month["made"], month["before"]) for month in again["months"]] == [(0, HOUSEHOLDS // 4)] * 8
    listed = week.commands("bill", "list", "--json").json["bills"]
    found = Counter((bill["name"], bill["month"], bill["version"]) for bill in listed)
    assert found == Counter((each.meter, month, 1) for each in week.world.households for month in MONTHS)
    assert {bill["cid"] for bill in listed} == {path.name for path in published(week.commands.root)}
    assert week.commands("bill", "check", "--json").json["damaged"] == []


@pytest.mark.shared("data")
def test_every_bill_of_a_real_week_is_the_one_that_its_csv_and_tariff_give(week: Week) -> None:
    bills = require_equal(week.world, week.commands.root, MONTHS)
    assert len(bills) == 2 * HOUSEHOLDS
    lines = [line for bill in bills for line in bill["lines"].values()]
    assert len(lines) == 672 * HOUSEHOLDS
    assert sum(line[0] for line in lines) == sum(week.world.readings.values())
    prices = [{line[1] for line in bill["lines"].values()} for bill in bills[: len(SCHEMES)]]
    assert [len(found) for found in prices[:2]] == [1, 3]  # flat, and all three bands
    assert len(prices[2]) > 100  # linear
    assert len(prices[3]) == 3  # each step


@pytest.mark.shared("data")
def test_a_changed_tariff_is_a_changed_bill(week: Week) -> None:
    """The comparison is worth something: a price that is off by 1e-5 is found in the first bill."""
    tariff = week.world.tariffs[1][0][1]
    wrong = {
        **tariff,
        "import": {**tariff["import"], "price": tariff["import"]["price"] + Decimal("0.00001")},
    }
    world = week.world._replace(tariffs={**week.world.tariffs, 1: [(week.world.begin_s, wrong)]})
    with pytest.raises(AssertionError, match="lines"):
        require_equal(world, week.commands.root, MONTHS[:1])
