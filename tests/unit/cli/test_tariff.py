"""`gridproof tariff`."""

import shutil
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gridproof.actors.community import Community
from gridproof.actors.community.access import reached
from gridproof.actors.community.people import OPERATOR
from gridproof.connectors.tariff_file import default_tariff
from gridproof.domain import RegionId
from gridproof.modules.registry.messages import OpenMonth

from tests.unit.cli.home import (
    HOURS,
    NAMES,
    START,
    all_readings,
    energy_wh,
    files_of,
    founded,
    reading,
    refused,
    total_wh,
    typed,
    write_readings,
)

FLAT = (
    'name = "Flat"\nrounding = 0.05\n[import]\nscheme = "flat"\nprice = 0.2\n[feed-in]\nscheme = "flat"\nprice = 0.1\n'
)
STEPS = FLAT.replace(
    'scheme = "flat"\nprice = 0.2',
    'scheme = "stepped"\nfallback = 9\nstep = [{from_kwh = 0, price = 1}, {from_kwh = 1.5, price = 2}]',
)
OCTOBER_H = 31 * 24 + 1


def opened(root: Path) -> Path:
    """Open the month with the tariff of the file, as the operator."""
    community = Community(root)
    with reached(community.folder) as ledger:
        whole = community.calendar.bounds(community.times.month("2025-10"))
        bounds = whole._replace(start_s=community.times.parse(START))
        tariff = community.tariff(RegionId(1), bounds)
        community.sender(ledger.client, OPERATOR).send(OpenMonth(1, bounds.month, bounds.start_s, bounds.end_s, tariff))
    return root


@pytest.fixture(scope="module")
def made_priced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = founded(tmp_path_factory.mktemp("priced") / "home")
    typed("meter", "enrol", *NAMES, "-C", root)
    opened(root)
    typed("readings", "import", write_readings(root.parent / "r.csv", all_readings()), "-C", root)
    typed("run", "-C", root)
    return root


@pytest.fixture
def priced(made_priced: Path, tmp_path: Path) -> Path:
    """A community whose month was opened with the default tariff, and has run over six hours."""
    return Path(shutil.copytree(made_priced, tmp_path / "home"))


@pytest.fixture
def unpriced(tmp_path: Path) -> Path:
    """A community without a tariff, its month opened."""
    root = founded(tmp_path / "home")
    (root / "tariff.toml").unlink()
    return opened(root)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_sums_up_a_good_file(new: Path) -> None:
    done = typed("tariff", "check", "-C", new)
    assert done.out.endswith(
        "tariff.toml: Community tariff: import by time (high, low), feed-in flat; "
        "Grid usage and levies, Metering and service, VAT\n"
    )
    told = typed("tariff", "check", "-C", new, "--json").json
    assert told["ok"]
    assert [(each["name"], each["ok"], each["faults"]) for each in told["files"]] == [("Community tariff", True, [])]


def test_check_tells_all_faults_and_fails(new: Path, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.toml", FLAT.replace("0.2", "0.200001").replace("name", "nmae"))
    done = typed("tariff", "check", bad, code=1)
    assert [line.removeprefix(f"{bad}: ").partition(":")[0] for line in done.out.splitlines()] == [
        "name", "import.price", "nmae",
    ]  # fmt: skip
    told = typed("tariff", "check", bad, "--json", code=1).json
    assert not told["ok"]
    assert [fault["key"] for fault in told["files"][0]["faults"]] == ["name", "import.price", "nmae"]
    refused("tariff", "check", tmp_path / "none.toml", error="FileMissingError")


def test_check_looks_at_the_files_of_regions_too(new: Path) -> None:
    write(new / "tariff-1.toml", FLAT)
    write(new / "tariff-2.toml", "of no region of the community")
    told = typed("tariff", "check", "-C", new, "--json").json
    assert [each["name"] for each in told["files"]] == ["Community tariff", "Flat"]


# --- show ----------------------------------------------------------------------------------------------------------


def test_show_takes_the_file_before_a_month_is_opened(new: Path) -> None:
    told = typed("tariff", "show", "-C", new, "--json").json
    assert (told["region"], told["month"], told["source"]) == (1, "2025-10", "file")
    (tariff,) = told["tariffs"]
    assert (tariff["from"], tariff["until"]) == ("2025-10-01T00:00:00+02:00", "2025-11-01T00:00:00+01:00")
    assert tariff["import"]["bands"] == [{"name": "high", "price_e5": 16_500}, {"name": "low", "price_e5": 12_900}]
    assert tariff["standing"] == [
        {"name": "Metering and service", "amount_e9": 6_000_000_000, "per_s": OCTOBER_H * 3_600}
    ]
    assert typed("tariff", "show", "--month", "2025-12", "-C", new, "--json").json["month"] == "2025-12"


def test_show_takes_the_ledger_once_it_is(priced: Path) -> None:
    write(priced / "tariff.toml", FLAT)
    told = typed("tariff", "show", "-C", priced, "--json").json
    assert (told["source"], told["month"]) == ("ledger", "2025-10")
    assert [(each["name"], each["from"]) for each in told["tariffs"]] == [
        ("Community tariff", "2025-10-26T00:00:00+02:00")
    ]
    later = typed("tariff", "show", "--month", "2025-11", "-C", priced, "--json").json
    assert (later["source"], later["tariffs"][0]["name"]) == ("file", "Flat")


def test_a_week_is_drawn_by_the_half_hour(new: Path) -> None:
    lines = typed("tariff", "show", "-C", new).out.splitlines()
    at = lines.index("A week of import:")
    assert lines[at + 2] == f"Mon 2025-10-06 {'=' * 14}{'#' * 26}{'=' * 8}"
    assert lines[at + 7] == f"Sat 2025-10-11 {'=' * 48}"
    assert [line.strip() for line in lines[at + 9 : at + 11]] == ["# 0.1650 high", "= 0.1290 low"]


def test_every_scheme_is_told_and_drawn(new: Path, tmp_path: Path) -> None:
    linear = STEPS.replace(
        'scheme = "flat"\nprice = 0.1',
        'scheme = "linear"\nfallback = 0\nfrom_kwh = 1\nfrom_price = 0.1\nto_kwh = 4\nto_price = -0.02',
    )
    for name, text in (("flat", FLAT), ("load", linear)):
        write(new / "tariff.toml", text)
        path = tmp_path / f"{name}.svg"
        typed("tariff", "show", "--svg", path, "-C", new)
        titles = [
            each.text or "" for each in ET.fromstring(path.read_text("utf-8")).iter("{http://www.w3.org/2000/svg}title")
        ]
        expected = {"flat": ["import: 0.2", "feed-in: 0.1"], "load": ["import: 1 to 2", "feed-in: -0.02 to 0.1"]}
        assert titles[1:] == expected[name]
        refused("tariff", "show", "--svg", path, "-C", new, error="FileExistsAlreadyError")
    told = typed("tariff", "show", "-C", new, "--json").json["tariffs"][0]
    assert told["import"] == {
        "scheme": "stepped",
        "steps": [{"from_wh": 0, "price_e5": 100_000}, {"from_wh": 1_500, "price_e5": 200_000}],
        "fallback_e5": 900_000,
    }
    assert told["feed_in"] == {
        "scheme": "linear", "from_wh": 1_000, "from_price_e5": 10_000, "to_wh": 4_000, "to_price_e5": -2_000,
        "fallback_e5": 0,
    }  # fmt: skip
    words = typed("tariff", "show", "-C", new).out
    assert "from 1.5 kWh in a period on" in words
    assert "from 4 kWh on, and evenly between" in words


def test_names_are_shown_as_they_are_written(new: Path, tmp_path: Path) -> None:
    odd = FLAT.replace('"Flat"', '"[red]T"') + '[[levy]]\nname = "[bold]x[/]"\nprice = 0.1\n'
    write(new / "tariff.toml", odd)
    words = typed("tariff", "show", "-C", new).out
    assert "[red]T, from" in words
    assert "[bold]x[/]" in words
    readings = write_readings(tmp_path / "r.csv", all_readings())
    assert "[red]T now" in typed("tariff", "simulate", new / "tariff.toml", "--readings", readings, "-C", new).out


def test_show_says_where_no_tariff_is(unpriced: Path) -> None:
    refused("tariff", "show", "-C", unpriced, error="NoTariffFileError")
    refused("tariff", "show", "--month", "2025-10", "-C", unpriced, error="UnpricedMonthError")
    refused("tariff", "show", "--region", "9", "-C", unpriced, error="NoSuchRegionError")
    refused("tariff", "show", "--month", "13", "-C", unpriced, error="NoMonthGivenError")


# --- simulate ------------------------------------------------------------------------------------------------------


def half_up(value: Fraction, step: Fraction) -> Fraction:
    return (value / step + Fraction(1, 2)).__floor__() * step


def default_bill(name: str) -> Fraction:
    """What a household's six hours of a Sunday cost by the default tariff: Fay misses one of them."""
    number = NAMES.index(name)
    hours = [at for at in range(HOURS) if (name, at) != ("Fay", 3)]
    kwh = Fraction(sum(energy_wh(number, at) for at in hours), 1_000)
    taxed = kwh * Fraction("0.129") + kwh * Fraction("0.112") + Fraction(6 * HOURS, OCTOBER_H)
    penalty = Fraction("0.02") if name == "Fay" else 0
    return half_up(taxed * Fraction("1.081") + penalty, Fraction("0.05"))


def flat_bill(name: str) -> Fraction:
    number = NAMES.index(name)
    kwh = Fraction(sum(energy_wh(number, at) for at in range(HOURS) if (name, at) != ("Fay", 3)), 1_000)
    return half_up(kwh * Fraction("0.2"), Fraction("0.05"))


def e9(amount: Fraction) -> int:
    assert (amount * 10**9).denominator == 1
    return int(amount * 10**9)


def test_simulate_bills_every_household_twice_and_writes_nothing(priced: Path, tmp_path: Path) -> None:
    path, before = write(tmp_path / "flat.toml", FLAT), files_of(priced)
    told = typed("tariff", "simulate", path, "-C", priced, "--json").json
    assert (told["present"], told["proposed"], told["households"]) == ("Community tariff", "Flat", 6)
    assert (told["from"], told["until"]) == ("2025-10-26T00:00:00+02:00", "2025-10-26T05:00:00+01:00")
    now, new = [default_bill(name) for name in NAMES], [flat_bill(name) for name in NAMES]
    changes = [after - before for before, after in zip(now, new, strict=True)]
    assert (told["now_e9"], told["new_e9"]) == (e9(sum(now, Fraction())), e9(sum(new, Fraction())))
    signs = [(change > 0) - (change < 0) for change in changes]
    assert [told["less"], told["same"], told["more"]] == [signs.count(sign) for sign in (-1, 0, 1)]
    ordered = sorted(map(e9, changes))
    assert (told["change_e9"]["0"], told["change_e9"]["50"], told["change_e9"]["100"]) == (
        ordered[0], ordered[2], ordered[5],
    )  # fmt: skip
    assert told["opened"] == HOURS
    assert told["now"]["penalty"] == 20_000_000
    assert files_of(priced) == before


def test_simulate_names_no_household_unless_it_is_asked_to(priced: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "flat.toml", FLAT)
    for words in (
        typed("tariff", "simulate", path, "-C", priced).out,
        typed("tariff", "simulate", path, "-C", priced, "--json").out,
    ):
        assert not any(name in words for name in NAMES)
    told = typed("tariff", "simulate", path, "--household", "Fay", "-C", priced, "--json").json["household"]
    assert (told["name"], told["now_e9"], told["new_e9"]) == ("Fay", e9(default_bill("Fay")), e9(flat_bill("Fay")))
    assert told["energy_wh"] == sum(energy_wh(5, at) for at in range(HOURS) if at != 3)
    words = typed("tariff", "simulate", path, "--household", "Fay", "-C", priced).out
    assert "CHF of Fay: Community tariff now, Flat instead" in words
    done = refused("tariff", "simulate", path, "--household", "Fayy", "-C", priced, error="NoSuchHouseholdError")
    assert done.json["particulars"]["close"] == ["Fay"]


def test_simulate_takes_a_file_of_readings_and_leaves_the_store_alone(new: Path, tmp_path: Path) -> None:
    rows = [*all_readings(), reading("Sun", 2, 4_000, "export")]
    path, before = write_readings(tmp_path / "r.csv", rows), files_of(new)
    flat = write(tmp_path / "flat.toml", FLAT)
    told = typed("tariff", "simulate", flat, "--readings", path, "--household", "Sun", "-C", new, "--json").json
    assert (told["households"], told["opened"]) == (7, 0)
    assert told["household"]["new"]["feed_in"] == -e9(Fraction("0.4"))
    assert told["household"]["fed_in_wh"] == 4_000
    assert files_of(new).keys() - before.keys() <= {"readings.db"}
    refused("tariff", "simulate", flat, "-C", new, error="NoReadingsThenError")


def test_a_household_whose_meter_was_swapped_is_one(made_priced: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made_priced, tmp_path / "home"))
    typed("meter", "swap", "Ada", "--from", "2025-10-26T08:00+01:00", "-C", root)
    more = [reading("Ada", at, 1_000) for at in range(HOURS, HOURS + 6)]
    typed("readings", "import", write_readings(tmp_path / "more.csv", more), "-C", root)
    flat = write(tmp_path / "flat.toml", FLAT)
    told = typed("tariff", "simulate", flat, "--household", "Ada", "-C", root, "--json").json
    wh = sum(energy_wh(0, at) for at in range(HOURS)) + 6_000
    assert told["households"] == 6
    assert told["household"]["energy_wh"] == wh
    assert told["household"]["new"]["energy"] == e9(Fraction(wh, 1_000) * Fraction("0.2"))


def test_a_sealed_period_takes_the_fallback_price_though_its_readings_are_known(priced: Path, tmp_path: Path) -> None:
    few = [reading(name, HOURS, 1_000) for name in NAMES[:3]]
    typed("readings", "import", write_readings(tmp_path / "few.csv", few), "-C", priced)
    typed("run", "-C", priced, "--until", "2025-11-10")
    hours = typed("period", "list", "--day", "2025-10-26", "-C", priced, "--json").json["periods"]
    assert hours[HOURS]["status"] == "sealed"
    told = typed("tariff", "simulate", write(tmp_path / "s.toml", STEPS), "-C", priced, "--json").json
    assert told["opened"] == HOURS
    by_load = sum(total_wh(at) * (2 if total_wh(at) >= 1_500 else 1) for at in range(HOURS))
    assert told["new"]["energy"] == e9(Fraction(by_load, 1_000) + 3 * 9)


def test_the_present_tariff_is_each_periods_own_where_it_changed_in_the_month(priced: Path, tmp_path: Path) -> None:
    flat = write(tmp_path / "flat.toml", FLAT)
    typed("tariff", "change", flat, "--from", "2025-10-26T08:00+01:00", "-C", priced)
    more = [reading(name, HOURS + at, 1_000) for at in range(6) for name in NAMES]
    typed("readings", "import", write_readings(tmp_path / "more.csv", more), "-C", priced)
    told = typed("tariff", "simulate", flat, "--household", "Bo", "-C", priced, "--json").json["household"]
    wh = sum(energy_wh(1, at) for at in range(HOURS))
    before = Fraction(wh + 3_000, 1_000)  # nine hours to eight o'clock, three after
    standing = Fraction(6 * 9, OCTOBER_H)
    levy = before * Fraction("0.112")
    energy = before * Fraction("0.129")
    assert told["now"]["energy"] == e9(energy + 3 * Fraction("0.2"))
    assert told["now"]["levy"] == e9(levy)
    assert told["now"]["standing"] == round(standing * 10**9)
    taxed = energy + levy + Fraction(round(standing * 10**9), 10**9)
    assert told["now"]["tax"] == round(taxed * Fraction("0.081") * 10**9)
    total = Fraction(sum(told["now"].values()), 10**9)
    assert told["now_e9"] == e9(half_up(total, Fraction("0.05")))


def test_a_region_is_billed_by_its_own_households_and_totals(tmp_path: Path) -> None:
    root = founded(tmp_path / "home", "--regions", "Hill,Dale")
    typed("meter", "enrol", "Ada", "Bo", "--region", "Hill", "-C", root)
    typed("meter", "enrol", "Cleo", "--region", "Dale", "-C", root)
    rows = [reading("Ada", 0, 700), reading("Bo", 0, 700), reading("Cleo", 0, 700)]
    typed("readings", "import", write_readings(tmp_path / "r.csv", rows), "-C", root)
    steps = write(tmp_path / "steps.toml", STEPS)
    hill = typed("tariff", "simulate", steps, "-C", root, "--json").json
    dale = typed("tariff", "simulate", steps, "--region", "Dale", "-C", root, "--json").json
    assert (hill["households"], hill["new"]["energy"]) == (2, e9(Fraction("1.4")))
    assert (dale["households"], dale["new"]["energy"]) == (1, e9(Fraction("0.7")))
    write(root / "tariff-2.toml", FLAT)
    assert typed("tariff", "simulate", steps, "--region", "2", "-C", root, "--json").json["present"] == "Flat"


def test_a_region_without_readings_cannot_be_billed(tmp_path: Path) -> None:
    root = founded(tmp_path / "home", "--regions", "Hill,Dale")
    typed("meter", "enrol", "Ada", "--region", "Hill", "-C", root)
    typed("readings", "import", write_readings(tmp_path / "r.csv", [reading("Ada", 0, 700)]), "-C", root)
    flat = write(tmp_path / "flat.toml", FLAT)
    done = refused("tariff", "simulate", flat, "--region", "Dale", "-C", root, error="NoReadingsThenError")
    assert done.json["particulars"] == {"month": "2025-10"}
    refused("tariff", "simulate", flat, "--month", "2025-09", "-C", root, error="NoReadingsThenError")


def test_a_bad_file_of_readings_is_refused_and_nothing_billed(new: Path, tmp_path: Path) -> None:
    flat, bad = write(tmp_path / "flat.toml", FLAT), write_readings(tmp_path / "bad.csv", ["Ada,soon,1,import"])
    refused("tariff", "simulate", flat, "--readings", bad, "-C", new, error="ReadingsRefusedError")
    none = tmp_path / "none.csv"
    refused("tariff", "simulate", flat, "--readings", none, "-C", new, error="FileMissingError")


def test_simulate_prices_by_the_regions_total_of_each_period(new: Path, tmp_path: Path) -> None:
    rows = [reading("Ada", 0, 700), reading("Bo", 0, 800), reading("Ada", 1, 700), reading("Bo", 1, 799)]
    path, steps = write_readings(tmp_path / "r.csv", rows), write(tmp_path / "steps.toml", STEPS)
    told = typed("tariff", "simulate", steps, "--readings", path, "-C", new, "--json").json
    assert told["new"]["energy"] == e9(Fraction("1.5") * 2 + Fraction("1.499"))


def test_simulate_draws_how_many_pay_how_much_more(priced: Path, tmp_path: Path) -> None:
    path, svg = write(tmp_path / "flat.toml", FLAT), tmp_path / "s.svg"
    told = typed("tariff", "simulate", path, "--svg", svg, "-C", priced, "--json").json
    assert told["svg"] == str(svg)
    titles = [
        each.text or "" for each in ET.fromstring(svg.read_text("utf-8")).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert titles[0] == "Flat instead of Community tariff"
    assert sum(int(title.split(": ")[1].split()[0]) for title in titles[1:]) == 6
    words = typed("tariff", "simulate", path, "-C", priced).out
    assert f"{told['less']} pay less, {told['more']} pay more, {told['same']} the same." in words


def test_simulate_needs_a_present_tariff_and_a_good_new_one(new: Path, tmp_path: Path) -> None:
    readings = write_readings(tmp_path / "r.csv", all_readings())
    bad = write(tmp_path / "bad.toml", "")
    refused("tariff", "simulate", bad, "--readings", readings, "-C", new, error="TariffInvalidError")
    (new / "tariff.toml").unlink()
    flat = write(tmp_path / "flat.toml", FLAT)
    refused("tariff", "simulate", flat, "--readings", readings, "-C", new, error="NoTariffFileError")


# --- change --------------------------------------------------------------------------------------------------------


def test_change_takes_effect_from_a_period_on_and_again_changes_nothing(priced: Path, tmp_path: Path) -> None:
    flat = write(tmp_path / "flat.toml", FLAT)
    told = typed("tariff", "change", flat, "--from", "2025-10-27T07:00", "-C", priced, "--json").json
    assert [(each["name"], each["from"]) for each in told["tariffs"]] == [
        ("Community tariff", "2025-10-26T00:00:00+02:00"),
        ("Flat", "2025-10-27T07:00:00+01:00"),
    ]
    assert told["tariffs"][0]["until"] == told["tariffs"][1]["from"]
    assert {**typed("tariff", "show", "-C", priced, "--json").json} == told
    height = typed("status", "-C", priced, "--json").json["height"]
    done = typed("tariff", "change", flat, "--from", "2025-10-27T07:00", "-C", priced)
    assert done.out.startswith("Flat is in force from 2025-10-27T07:00:00+01:00 until 2025-11-01T00:00:00+01:00.\n")
    assert typed("status", "-C", priced, "--json").json["height"] == height
    assert typed("tariff", "show", "-C", priced).out.count("rounding") == 2


@pytest.mark.parametrize(
    ("text", "start", "error"),
    [
        (FLAT, "2025-10-26T01:00", "TariffTooLate"),
        (FLAT, "2025-10-26T00:00", "TariffTooEarly"),
        (FLAT.replace("0.05", "0.01"), "2025-10-27", "OtherMoney"),
        (FLAT, "2025-11-01", "NoMonthThenError"),
        (FLAT, "2025-10-27T00:30", "MisalignedTimeError"),
        (FLAT, "2025-10-26T02:30", "AmbiguousTimeError"),
        (FLAT, "soon", "NoTimeError"),
        (FLAT + "x = 1", "2025-10-27", "TariffInvalidError"),
    ],
)
def test_change_that_cannot_be_is_refused_and_the_tariff_stays(
    text: str, start: str, error: str, priced: Path, tmp_path: Path
) -> None:
    before = typed("tariff", "show", "-C", priced, "--json").json
    refused("tariff", "change", write(tmp_path / "t.toml", text), "--from", start, "-C", priced, error=error)
    assert typed("tariff", "show", "-C", priced, "--json").json == before


def test_a_month_without_prices_gets_none(unpriced: Path, tmp_path: Path) -> None:
    flat = write(tmp_path / "flat.toml", FLAT)
    refused("tariff", "change", flat, "--from", "2025-10-27", "-C", unpriced, error="NoTariff")
    write(unpriced / "tariff.toml", default_tariff("CHF"))
    assert typed("tariff", "show", "-C", unpriced, "--json").json["source"] == "file"
