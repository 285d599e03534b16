"""What the product leaves in public, made by its own code: seeds, chains, halves, mask sums, rosters, sending times.

The meters are real households; their secrets follow from a seed. A month is a week of 672 slots, so that its keys
change as often as the readings come round.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

import numpy as np

from gridproof.actors.bill_provider import Policy
from gridproof.actors.bill_provider.live_set import mask_sum
from gridproof.actors.bill_provider.rosters import MaskTable, make
from gridproof.actors.meter import Meter, Surroundings
from gridproof.actors.randomness import Randomness, Seeded
from gridproof.domain import (
    Direction,
    MonthBounds,
    MonthId,
    RegionId,
    RegionRules,
    Secret,
    Slot,
    halves,
    identities,
    leaves_between,
    next_chain_key,
    sign_seeds,
    view_seeds,
)
from gridproof.primitives.hashing import sha256

from . import households
from .game import Challenge, Words
from .households import METERS, REGION_METERS, SLOTS, rows

PERIOD_S: Final = 900
Job = TypeVar("Job")
Made = TypeVar("Made")
START_S: Final = 1_761_519_600  # Monday 27 October 2025, 00:00 in Zurich
FIRST_MONTH: Final = 2025 * 12 + 9
AGGREGATORS: Final = (1, 2, 3)
WINDOW_S: Final = 3_600  # the product's default
SHORTEST_WINDOW_S: Final = 60  # the least that the ledger admits
_FAR_AHEAD: Final = 2**40  # seconds, of what does not matter here


def bounds_of(month: int) -> MonthBounds:
    """The bounds of a month of 672 slots, counted from 0."""
    start_s = START_S + month * SLOTS * PERIOD_S
    return MonthBounds(MonthId(FIRST_MONTH + month), start_s, start_s + SLOTS * PERIOD_S, PERIOD_S)


def chain_key(seed: bytes, secret: Secret, place: int, months: int = 0) -> bytes:
    """A place's chain key after so many months."""
    key = sha256(seed, bytes((secret,)), place.to_bytes(4, "big"))
    for _ in range(months):
        key = next_chain_key(key, secret)
    return key


class Ours:
    """Traces of 100 households over some months.

    Args:
        months: how many.
        seed: of all secrets and chance.
        executor: makes traces in its processes; on the calling thread when none is given.
        chained: whether keys are led on from month to month, as the product does; else they stay.
    """

    def __init__(self, months: int, seed: bytes, executor: Executor | None = None, *, chained: bool = True) -> None:
        self.readings = households.readings(months)
        self._seed, self._executor = seed, executor
        jobs = [(chain_key(seed, Secret.VIEW, meter), self.readings[:, meter], chained) for meter in range(METERS)]
        self.records: Words = np.stack(list(self._each(_records, jobs)), axis=2)

    def _each(self, work: Callable[[Job], Made], jobs: Sequence[Job]) -> Iterable[Made]:
        return map(work, jobs) if self._executor is None else self._executor.map(work, jobs)

    @property
    def sums(self) -> Words:
        """Both halves added, shape (months, meters, slots): who adds them has been told which belong together."""
        both: Words = self.records[0] + self.records[1]
        return both

    def halves(self, pairs: int) -> Challenge:
        """The two values of a reading."""
        first, second = self.records
        return _cut(rows(first), rows(second), pairs)

    def hours(self, pairs: int) -> Challenge:
        """The same hour of two days."""
        return _cut(*households.hours(self.sums), pairs)

    def months(self, pairs: int) -> Challenge:
        """The same period of two months that follow one another."""
        first, second = self.records
        return _cut(rows(first[::2], second[::2]), rows(first[1::2], second[1::2]), pairs)

    def withheld(self, pairs: int, *, twice: bool = False) -> Challenge:
        """Both records of a meter that an aggregator withholds, and mask sums.

        Args:
            pairs: how many.
            twice: whether the sum with the meter is opened for this very slot, which the ledger never admits. Else what
                stands for it is the sum of all meters in another slot, each meter's turn another one: with the same,
                all games of a slot would be one.
        """
        months = _months(pairs)
        jobs = [(self._seed, month, region.start) for month in range(months) for region in households.regions()]
        opened = np.stack(list(self._each(_mask_sums, jobs))).reshape(months, -1, SLOTS, REGION_METERS + 1)
        everyone, without = opened[..., :1], opened[..., 1:]
        others = np.concatenate([np.roll(everyone, turn, axis=2) for turn in range(1, REGION_METERS + 1)], axis=-1)
        known = np.broadcast_to(everyone, without.shape) if twice else others
        sums = np.stack([known, without], axis=-1)
        far = sums.transpose(0, 2, 1, 3, 4).reshape(-1, REGION_METERS, 2)
        return _cut(rows(*self.records[:, :months]), far, pairs)

    def withheld_readings(self, pairs: int) -> Words:
        """The readings that `withheld` hides, shape (rows, meters)."""
        return rows(self.readings[: _months(pairs)])[: pairs // REGION_METERS, :, 0]

    def sent(self, pairs: int, window_s: int = WINDOW_S) -> Challenge:
        """When and to whom the two halves of a reading are sent first."""
        months = _months(pairs)
        jobs = [(self._seed, meter, months, window_s) for meter in range(METERS)]
        sent = np.stack(list(self._each(_sendings, jobs)))  # meters, months, half, field, slots
        first, second = sent.transpose(2, 3, 1, 0, 4)
        return _cut(rows(*first), rows(*second), pairs)

    def identities(self, pairs: int) -> Challenge:
        """The leading 64 bits of the identities of a reading's two halves."""
        months = _months(pairs)
        slots = -(-pairs // (months * METERS))
        jobs = [(self._seed, meter, months, slots) for meter in range(METERS)]
        first, second = np.stack(list(self._each(_identities, jobs)), axis=2)
        return _cut(rows(first), rows(second), pairs)

    def places(self, pairs: int) -> Words:
        """Leaf positions of both halves, shape (2, months, meters, slots): the order of records on the ledger.

        The last month is cut short where fewer pairs are wanted.
        """
        months, left = _months(pairs), -(-pairs // METERS)
        made = []
        for month in range(months):
            slots = min(SLOTS, left - month * SLOTS)
            of_regions = [self._places(month, region.start, slots) for region in households.regions()]
            made.append(np.concatenate(of_regions, axis=1))
        return np.concatenate(made, axis=2)[:, None]

    def _places(self, month: int, first_meter: int, slots: int) -> Words:
        places = range(first_meter, first_meter + REGION_METERS)
        spares = [METERS + first_meter + spare for spare in range(Policy().spares(REGION_METERS))]
        seeds = [
            sign_seeds(chain_key(self._seed, Secret.SIGN, place, month), Direction.IMPORT)
            for place in (*places, *spares)
        ]
        bounds = bounds_of(month)
        owners = make(seeds, bounds, bounds.end_k - slots, self._executor).owners
        position: Words = np.argsort(owners, axis=1)[:, : 2 * REGION_METERS]
        return position.reshape(slots, REGION_METERS, 2).transpose(2, 1, 0)


def within_slot(places: Words) -> Challenge:
    """Positions of a reading's two halves."""
    first, second = places
    return Challenge(rows(first), rows(second))


def from_slot_to_slot(places: Words) -> Challenge:
    """Positions of a meter's halves in one slot and the next: from even slots first halves, from odd ones second."""
    near = np.where(np.arange(places.shape[-1] - 1) % 2, places[1, ..., :-1], places[0, ..., :-1])
    far = np.where(np.arange(places.shape[-1] - 1) % 2, places[1, ..., 1:], places[0, ..., 1:])
    return Challenge(rows(near), rows(far))


def _months(pairs: int) -> int:
    return -(-pairs // (METERS * SLOTS))


def _cut(near: Words, far: Words, pairs: int) -> Challenge:
    enough = pairs // REGION_METERS
    return Challenge(near[:enough], far[:enough])


def _records(job: tuple[bytes, Words, bool]) -> Words:
    """A meter's masked halves, shape (2, months, slots)."""
    key, wanted, chained = job
    made = np.empty((2, *wanted.shape), dtype=np.uint64)
    for month, of_month in enumerate(wanted.tolist()):
        bounds = bounds_of(month)
        first, second = (
            leaves_between(seed, bounds, bounds.first_k, bounds.end_k) for seed in view_seeds(key, Direction.IMPORT)
        )
        made[:, month] = np.array(list(map(halves, of_month, first, second)), dtype=np.uint64).T
        key = next_chain_key(key, Secret.VIEW) if chained else key
    return made.view(np.int64)


def _identities(job: tuple[bytes, int, int, int]) -> Words:
    """The leading word of a meter's identities in each month's first slots, shape (2, months, slots)."""
    seed, meter, months, slots = job
    made = np.empty((2, months, slots), dtype=np.uint64)
    for month in range(months):
        bounds = bounds_of(month)
        for half, of_half in enumerate(sign_seeds(chain_key(seed, Secret.SIGN, meter, month), Direction.IMPORT)):
            prids = identities(of_half, bounds, bounds.first_k, bounds.first_k + slots)
            made[half, month] = [int.from_bytes(prid[:8], "big") for prid in prids]
    return made.view(np.int64)


def _mask_sums(job: tuple[bytes, int, int]) -> Words:
    """For each slot of a region's month the mask sum of all its meters, and of all but each; (slots, 1 + meters)."""
    seed, month, first_meter = job
    places = range(first_meter, first_meter + REGION_METERS)
    bounds = bounds_of(month)
    table = MaskTable(
        [view_seeds(chain_key(seed, Secret.VIEW, place, month), Direction.IMPORT) for place in places], bounds
    )
    everyone = list(range(2 * REGION_METERS))
    owners = np.arange(2 * REGION_METERS, dtype=np.uint32)
    live_sets = [everyone, *(everyone[: 2 * gone] + everyone[2 * gone + 2 :] for gone in range(REGION_METERS))]
    sums = [
        [mask_sum(owners, masks, live) for live in live_sets]
        for masks in map(table.at, range(bounds.first_k, bounds.end_k))
    ]
    return np.array(sums, dtype=np.uint64).view(np.int64)


class _Sender(Meter):
    """A meter's own way of drawing times and aggregators, without files and secrets."""

    def __init__(self, window_s: int, randomness: Randomness) -> None:
        rules = RegionRules(PERIOD_S, window_s, 1, _FAR_AHEAD, _FAR_AHEAD, 1)
        self._around = Surroundings(rules, dict.fromkeys(AGGREGATORS, b""))
        self._randomness = randomness

    def sendings(self, slot: Slot) -> list[tuple[int, int]]:
        """Second after the period's end and aggregator, of each half."""
        end_s = (slot.k + 1) * PERIOD_S
        return [(send_s - end_s, self._draw_aggregator()) for send_s in self._sending_times(slot, end_s)]


def _sendings(job: tuple[bytes, int, int, int]) -> Words:
    """When and to whom a meter sends, shape (months, half, field, slots)."""
    seed, meter, months, window_s = job
    sender = _Sender(window_s, Seeded(seed).fork(f"meter {meter}"))
    slot_of = partial(Slot, RegionId(1), Direction.IMPORT)
    first_k = bounds_of(0).first_k
    sent = np.array([sender.sendings(slot_of(first_k + at)) for at in range(months * SLOTS)], dtype=np.int64)
    return sent.reshape(months, SLOTS, 2, 2).transpose(0, 2, 3, 1)
