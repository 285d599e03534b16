"""What goes wrong is drawn from the seed, each in its own period where there are enough, and only where it can be."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.demo.errors import ThinReadingsError, TooFewHouseholdsError, TooFewPeriodsError
from gridproof.actors.demo.script import MIN_HOUSEHOLDS, MIN_PERIODS, Part, Script, Span, require_size, write_script
from gridproof.actors.randomness import Seeded
from gridproof.domain import Direction, RegionId, Slot

FIRST_K = 1_000


def meters(count: int, region: int = 1) -> tuple[str, ...]:
    return tuple(f"r{region}m{number:02d}" for number in range(count))


def written(
    periods: int = 96,
    regions: Mapping[int, Sequence[str]] | None = None,
    seed: bytes = b"seed",
    gaps: Mapping[str, Sequence[int]] | None = None,
    loads: Mapping[int, int] | None = None,
) -> Script:
    """A script.

    Args:
        periods: how many.
        regions: names of each region's meters.
        seed: of what is drawn.
        gaps: the periods, counted from the first, in which a meter has no reading.
        loads: what each meter reads in a period, counted from the first; elsewhere 100 Wh.
    """
    regions = regions or {1: meters(10)}
    everyone = [name for names in regions.values() for name in names]

    def reading_at(k: int) -> Mapping[str, int]:
        present = [name for name in everyone if k - FIRST_K not in (gaps or {}).get(name, ())]
        return dict.fromkeys(present, (loads or {}).get(k - FIRST_K, 100))

    return write_script(regions, reading_at, Span(FIRST_K, periods), Seeded(seed))


def test_each_fault_has_a_period_of_its_own_in_a_day() -> None:
    script = written()
    ks = [script.calm.k, script.half_sent.slot.k, script.absurd.slot.k, script.tampered.k, script.dropped.k]
    assert len(set(ks)) == len(ks)
    assert all(FIRST_K <= k < script.silences[0].from_k for k in ks)
    assert script.silences[0].until_k == FIRST_K + 96


def test_all_but_silence_happens_in_the_first_region_on_import() -> None:
    script = written(regions={1: meters(8), 2: meters(8, 2)})
    slots = (script.calm, script.half_sent.slot, script.absurd.slot, script.tampered, script.dropped)
    assert {slot[:2] for slot in slots} == {(1, Direction.IMPORT)}
    assert [silence.region for silence in script.silences] == [1, 2]


def test_nobody_has_two_parts() -> None:
    script = written(regions={1: meters(6), 2: meters(6, 2)})
    assert len(script.meters) == 5


def test_a_meter_under_reports_where_energy_is_cheapest_so_that_it_gains_nothing_by_the_price() -> None:
    shaving = written(loads={40: 30, 41: 20, 42: 20, 43: 30}).shaving
    assert shaving is not None
    assert (shaving.region, shaving.from_k, shaving.until_k) == (1, FIRST_K + 40, FIRST_K + 44)


def test_no_meter_under_reports_where_there_is_nothing_to_keep_back() -> None:
    shaving = written(loads=dict.fromkeys(range(48), 0) | {60: 50}).shaving
    assert shaving is not None
    assert shaving.from_k >= FIRST_K + 48


def test_an_under_reporting_meter_says_a_tenth_on_import_in_its_span_only() -> None:
    script = written()
    shaving = script.shaving
    assert shaving is not None
    within = Slot(RegionId(1), Direction.IMPORT, shaving.from_k)
    assert script.shown_wh(Part(within, shaving.meter), 1_234) == 123
    assert script.shown_wh(Part(within._replace(k=shaving.until_k - 1), shaving.meter), 9) == 0
    for other in (
        Part(within._replace(k=shaving.until_k), shaving.meter),
        Part(within._replace(channel=Direction.EXPORT), shaving.meter),
        Part(within, "someone else"),
    ):
        assert script.shown_wh(other, 1_234) == 1_234
    assert script._replace(shaving=None).shown_wh(Part(within, shaving.meter), 1_234) == 1_234


@given(seed=st.binary(max_size=4), periods=st.integers(MIN_PERIODS, 30), count=st.integers(MIN_HOUSEHOLDS, 20))
def test_any_story_that_is_large_enough_can_be_written(seed: bytes, periods: int, count: int) -> None:
    script = written(periods, {1: meters(count)}, seed)
    last_k = FIRST_K + periods - 1
    assert script.calm.k <= last_k - 2
    assert FIRST_K < script.tampered.k <= last_k
    assert script.half_sent.slot.k != script.calm.k != script.absurd.slot.k
    assert script == written(periods, {1: meters(count)}, seed)


def test_another_seed_casts_others() -> None:
    assert len({written(seed=bytes([n])).meters for n in range(20)}) > 10


def test_a_meter_is_silent_in_its_span_only() -> None:
    silence = written().silences[0]
    script = written()
    assert not script.is_silent(silence.meter, silence.from_k - 1)
    assert script.is_silent(silence.meter, silence.from_k)
    assert script.is_silent(silence.meter, silence.until_k - 1)
    assert not script.is_silent(silence.meter, silence.until_k)
    assert not script.is_silent("someone else", silence.from_k)


def test_only_meters_with_a_reading_are_cast() -> None:
    gone = dict.fromkeys(meters(10)[:6], (24, 36, 72))
    script = written(gaps=gone)
    assert script._replace(shaving=None).meters <= frozenset(meters(10)[6:])
    shaving = script.shaving
    assert shaving is not None
    assert shaving.from_k - FIRST_K not in gone.get(shaving.meter, ())


def test_the_calm_period_is_one_in_which_nearly_all_meters_have_readings() -> None:
    script = written(gaps=dict.fromkeys(meters(10)[:2], (0, 1, 2)))
    assert script.calm.k == FIRST_K + 3


def test_the_tampered_period_follows_one_that_has_records_to_replay() -> None:
    script = written(gaps=dict.fromkeys(meters(10), (47, 48)))
    assert script.tampered.k == FIRST_K + 50


def test_readings_that_are_too_thin_are_refused_with_what_they_lack() -> None:
    with pytest.raises(ThinReadingsError) as nobody:
        written(gaps=dict.fromkeys(meters(10), (24,)))
    assert nobody.value.particulars == {"needed_for": "half-sent record", "k": FIRST_K + 24}
    with pytest.raises(ThinReadingsError) as restless:
        written(gaps={name: range(72) for name in meters(10)[:5]})
    assert restless.value.needed_for == "opening for another live set"


@pytest.mark.parametrize(("households", "regions", "periods"), [(6, 1, 4), (12, 2, 4), (100, 16, 96)])
def test_sizes_that_are_large_enough_pass(households: int, regions: int, periods: int) -> None:
    require_size(households, regions, periods)


def test_sizes_that_are_too_small_are_refused_with_what_is_needed() -> None:
    with pytest.raises(TooFewPeriodsError) as periods:
        require_size(100, 1, 3)
    assert periods.value.particulars == {"periods": 3, "needed": 4}
    with pytest.raises(TooFewHouseholdsError) as households:
        require_size(11, 2, 96)
    assert households.value.particulars == {"households": 11, "regions": 2, "needed": 12}
