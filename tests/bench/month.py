"""A thousand meters, a month of half-hours: filter, roster roots and mask sums, by the bill provider's own code."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter
from typing import Final, NamedTuple

from gridproof.actors.bill_provider.live_set import mask_sum
from gridproof.actors.bill_provider.rosters import MaskTable, Rosters, cut, filter_of, make
from gridproof.domain import Direction, MonthBounds, MonthId, SignSeeds, ViewSeeds, sign_seeds, view_seeds
from gridproof.drivers.verifying import available_cores
from gridproof.primitives.hashing import sha256

from .measure import Spread, greatest_child_bytes, peak_bytes, processor_s
from .results import Figure, Row, Section

MONTH: Final = MonthId(2025 * 12 + 10)  # November: 30 days
START_S: Final = 1_761_955_200  # 1 November 2025, 00:00 UTC
HALF_HOUR_S: Final = 1_800
ONE_IN: Final = 1_000_000  # the false positive rate of BF1
LIMIT_MINUTES: Final = 2.0
LIMIT_GIB: Final = 2.0


class Seeds(NamedTuple):
    """A month's seeds of some places."""

    sign: list[SignSeeds]
    view: list[ViewSeeds]


def seeds_of(places: int) -> Seeds:
    """Deterministic seeds of places."""
    numbers = [place.to_bytes(4, "big") for place in range(places)]
    return Seeds(
        [sign_seeds(sha256(b"bench/sign", number), Direction.IMPORT) for number in numbers],
        [view_seeds(sha256(b"bench/view", number), Direction.IMPORT) for number in numbers],
    )


def bounds_of(periods: int) -> MonthBounds:
    """A month that ends after some periods."""
    return MonthBounds(MONTH, START_S, START_S + periods * HALF_HOUR_S, HALF_HOUR_S)


def run(*, quick: bool) -> Section:
    """Do the month once, and count the processor's time over all processes."""
    meters, periods = (20, 48) if quick else (1_000, 1_440)
    seeds, bounds = seeds_of(meters), bounds_of(periods)
    cores = available_cores()
    start_s, used_s = perf_counter(), processor_s()
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        made = make(seeds.sign, bounds, bounds.first_k, pool)
    rosters_s = processor_s() - used_s
    bloom = filter_of(map(cut, made.rows), 2 * meters * periods, ONE_IN)
    filter_s = processor_s() - used_s - rosters_s
    _sum_masks(seeds, bounds, made)
    all_s, wall_s = processor_s() - used_s, perf_counter() - start_s
    memory = peak_bytes() + cores * greatest_child_bytes()

    identities = 2 * meters * periods
    name = f"{meters:,} meters x {periods:,} half-hours ({identities:,} identities)"
    return Section(
        rows=[
            Row(
                work=f"{name}: filter, roster roots, mask sums",
                target="< 2 core-minutes",
                unit="core-minutes",
                limit=LIMIT_MINUTES,
                actual=Spread.of([all_s / 60]),
                note="processor time of all processes",
            ),
            Row(
                work=f"{name}: memory",
                target="< 2 GiB",
                unit="GiB",
                limit=LIMIT_GIB,
                actual=Spread.of([memory / 2**30]),
                note="peak of the main process and of every worker, added up",
            ),
        ],
        figures=[
            Figure("rosters: identities, leaves, roots, in all processes", "core-s", Spread.of([rosters_s])),
            Figure("filter BF1", "core-s", Spread.of([filter_s])),
            Figure("mask sums of all slots", "core-s", Spread.of([all_s - rosters_s - filter_s])),
            Figure(f"the whole on {cores} cores, by the clock", "s", Spread.of([wall_s])),
            Figure("filter BF1, size", "MiB", Spread.of([bloom.bits / 8 / 2**20])),
        ],
    )


def _sum_masks(seeds: Seeds, bounds: MonthBounds, made: Rosters) -> None:
    """Z of every slot over all places, as `OpenMasks` takes it."""
    table = MaskTable(seeds.view, bounds)
    everyone = range(2 * len(seeds.view))
    for at, owners in enumerate(made.owners):
        mask_sum(owners, table.at(bounds.first_k + at), everyone)
