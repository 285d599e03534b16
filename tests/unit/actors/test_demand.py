"""Households that were made up: the same everywhere, plausible, and in the shape that an import has."""

import hashlib
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.actors import demand
from gridproof.actors.demand import (
    Household,
    ProfileMissingError,
    make_households,
    measure,
    profile_file,
)
from gridproof.connectors.readings import Reading
from gridproof.domain import Direction, MisalignedError, OutOfRangeError

MONDAY_S = 1_761_519_600  # 2025-10-27 00:00 in central Europe
DAY = 96
READINGS_DIGEST = "26acb17f4d823838388a1f32efaec11fc53196934527669753023f9c08ae2278"
PROFILES_DIGEST = "aa8d5b54c9dea6989ec1f8ced063db8e16963689abbe21c60ff2cd87d0a6a4cc"

PRINT_DIGEST = """
import hashlib
from gridproof.actors.demand import make_households, measure
readings = measure(make_households(7, 42), seed=42, start_s=1761519600, periods=100)
print(hashlib.sha256(repr([tuple(map(str, one)) for one in readings]).encode()).hexdigest())
"""


def day_of(households: tuple[Household, ...], start_s: int = MONDAY_S, seed: int = 42, **options: int) -> list[Reading]:
    return list(measure(households, seed=seed, start_s=start_s, periods=DAY, **options))


def total_wh(readings: list[Reading], channel: Direction = Direction.IMPORT) -> int:
    return sum(one.energy_wh for one in readings if one.channel is channel)


def test_the_same_seed_gives_the_same_readings_under_any_hash_seed_and_time_zone() -> None:
    def digest(hash_seed: str, zone: str) -> str:
        environment = {"PYTHONHASHSEED": hash_seed, "TZ": zone, "PYTHONPATH": ":".join(sys.path)}
        command = [sys.executable, "-c", PRINT_DIGEST]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    assert digest("0", "UTC") == digest("1", "Pacific/Apia") == READINGS_DIGEST


def test_the_load_profiles_are_those_the_readings_were_made_with() -> None:
    assert hashlib.sha256(profile_file().read_bytes()).hexdigest() == PROFILES_DIGEST


def test_another_seed_gives_other_households_and_readings() -> None:
    assert make_households(20, 1) != make_households(20, 2)
    households = make_households(5, 1)
    assert day_of(households, seed=1) != day_of(households, seed=2)


def test_more_households_begin_with_the_same() -> None:
    few, many = make_households(10, 42), make_households(1_200, 42)
    assert many[:10] == few
    assert len({household.meter for household in many}) == 1_200
    assert day_of(few) == [one for one in day_of(many[:50]) if one.meter in {household.meter for household in few}]


def test_readings_come_by_period_then_household_and_only_generators_export() -> None:
    households = (Household("a", 3_000), Household("b", 3_000, 5_000))
    readings = day_of(households)
    assert [(one.meter, one.channel.label) for one in readings[:3]] == [
        ("a", "import"),
        ("b", "import"),
        ("b", "export"),
    ]
    assert [one.start_s for one in readings[::3]] == [MONDAY_S + k * 900 for k in range(DAY)]
    assert [household.channels for household in households] == [
        (Direction.IMPORT,),
        (Direction.IMPORT, Direction.EXPORT),
    ]


def test_a_year_comes_to_about_what_the_household_uses() -> None:
    readings = measure((Household("a", 4_000),), seed=42, start_s=1_735_686_000, periods=365 * DAY)
    assert 3_000_000 < sum(one.energy_wh for one in readings) < 5_000_000


def test_a_night_uses_less_than_an_evening() -> None:
    readings = day_of(make_households(200, 42, solar_permille=0))
    by_hour = [0] * 24
    for one in readings:
        by_hour[(one.start_s - MONDAY_S) // 3_600] += one.energy_wh
    assert max(by_hour[1:5]) * 2 < by_hour[19]


def test_the_sun_gives_at_noon_in_summer_more_than_in_winter_and_nothing_at_night() -> None:
    households = tuple(Household(f"p{n}", 2_000, 8_000) for n in range(20))
    summer = measure(households, seed=42, start_s=1_750_978_800, periods=7 * DAY)  # from 27 June
    winter = measure(households, seed=42, start_s=1_766_790_000, periods=7 * DAY)  # from 27 December
    given_summer = [one for one in summer if one.channel is Direction.EXPORT]
    assert total_wh(given_summer, Direction.EXPORT) > 3 * total_wh(list(winter), Direction.EXPORT)
    at_night = [one for one in given_summer if (one.start_s + 3_600) % 86_400 < 3 * 3_600]
    assert sum(one.energy_wh for one in at_night) == 0


def test_a_household_never_draws_and_gives_in_one_quarter_hour() -> None:
    readings = day_of((Household("p", 4_000, 9_000),), start_s=1_750_978_800)
    pairs = zip(readings[::2], readings[1::2], strict=True)
    assert all(drawn.energy_wh == 0 or given.energy_wh == 0 for drawn, given in pairs)


@pytest.mark.parametrize("period_s", [1_800, 3_600])
def test_longer_periods_are_sums_of_quarter_hours(period_s: int) -> None:
    households = make_households(6, 42, solar_permille=500)
    sums: dict[tuple[str, Direction, int], int] = {}
    for one in day_of(households):
        key = (one.meter, one.channel, one.start_s // period_s * period_s)
        sums[key] = sums.get(key, 0) + one.energy_wh
    longer = measure(households, seed=42, start_s=MONDAY_S, periods=86_400 // period_s, period_s=period_s)
    assert {(one.meter, one.channel, one.start_s): one.energy_wh for one in longer} == sums


def test_a_range_that_starts_later_gives_the_same_readings_from_there_on() -> None:
    households = make_households(4, 42)
    later_s = MONDAY_S + 30 * 900
    later = list(measure(households, seed=42, start_s=later_s, periods=DAY - 30))
    assert later == [one for one in day_of(households) if one.start_s >= later_s]


@settings(max_examples=30)
@given(seed=st.integers(-(2**64), 2**64), start=st.integers(96, 2**27), solar=st.integers(0, 1_000))
def test_every_reading_is_one_that_a_store_takes(seed: int, start: int, solar: int) -> None:
    households = make_households(3, seed, solar_permille=solar)
    for one in measure(households, seed=seed, start_s=start * 900, periods=8):
        one.validate()
        assert 0 <= one.energy_wh < 10_000


def test_a_period_length_that_quarter_hours_do_not_add_up_to_is_refused() -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        measure((), seed=1, start_s=MONDAY_S, periods=1, period_s=600)
    assert refusal.value.what == "period_s"


@pytest.mark.parametrize(("what", "start_s", "offset_s"), [("start_s", MONDAY_S + 1, 0), ("offset_s", MONDAY_S, 60)])
def test_a_start_between_two_periods_is_refused(what: str, start_s: int, offset_s: int) -> None:
    with pytest.raises(MisalignedError) as refusal:
        measure((), seed=1, start_s=start_s, periods=1, offset_s=offset_s)
    assert refusal.value.what == what


@pytest.mark.parametrize(("count", "solar"), [(-1, 0), (1_000_001, 0), (1, 1_001), (1, -1)])
def test_an_impossible_number_of_households_is_refused(count: int, solar: int) -> None:
    with pytest.raises(OutOfRangeError):
        make_households(count, 1, solar_permille=solar)


def test_missing_load_profiles_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(demand, "find_spec", nowhere)
    demand._profiles.cache_clear()
    with pytest.raises(ProfileMissingError, match="Install it"):
        measure((), seed=1, start_s=MONDAY_S, periods=1)


def test_making_households_loads_no_heavy_package() -> None:
    code = PRINT_DIGEST + "import sys; assert not {'pandas', 'numpy'} & set(sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
