"""Real households' week: 100 meters, 672 quarter-hours, five regions of 20 that are watched one by one."""

import csv
from collections.abc import Iterable
from typing import Final

import numpy as np

from .game import Words
from tests.shared import data

FILE: Final = "swiss_households_15min.csv"
METERS: Final = 100
SLOTS: Final = 672
DAY: Final = 96
REGION_METERS: Final = 20
WINDOW: Final = 4  # quarter-hours of a day that the profile's pair game compares
DAY_PAIRS: Final = ((0, 1), (2, 3), (4, 5))
DAYS_OF_PARTS: Final = ((0, 1, 2), (3, 4, 5))  # a pseudonym each: Monday to Wednesday, Thursday to Saturday


def readings(months: int = 1) -> Words:
    """Readings, Wh, shape (months, meters, slots): the same week each month, begun a day later each time."""
    with data(FILE).open(encoding="utf-8", newline="") as lines:
        week = np.array([int(row["energy_wh"]) for row in csv.DictReader(lines)], dtype=np.int64)
    week = week.reshape(METERS, SLOTS)
    return np.stack([np.roll(week, -DAY * month, axis=1) for month in range(months)])


def rows(*fields: Words) -> Words:
    """Fields of shape (months, meters, slots) as a challenge's part: a row is a slot of a region."""
    turned = [field.transpose(0, 2, 1).reshape(-1, REGION_METERS) for field in fields]
    return np.stack(turned, axis=-1)


def hours(values: Words) -> tuple[Words, Words]:
    """The same hour of two days, as a challenge's two parts: fields are the hour's values."""
    days = values.reshape(len(values), METERS, SLOTS // DAY, DAY // WINDOW, WINDOW)
    near, far = (_by_hour(days[:, :, [pair[side] for pair in DAY_PAIRS]]) for side in (0, 1))
    return near, far


def parts_of_week(values: Words) -> tuple[Words, Words]:
    """Two parts of a week, shape (months, meters, days, values a day): what two pseudonyms leave."""
    days = values.reshape(len(values), METERS, SLOTS // DAY, DAY)
    first, second = (days[:, :, list(part)] for part in DAYS_OF_PARTS)
    return first, second


def regions() -> Iterable[slice]:
    """The meters of each region."""
    return (slice(at, at + REGION_METERS) for at in range(0, METERS, REGION_METERS))


def _by_hour(days: Words) -> Words:
    return days.transpose(0, 2, 3, 1, 4).reshape(-1, REGION_METERS, WINDOW)
