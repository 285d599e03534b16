"""Periods and months as instants."""

from typing import Any

import pytest

from gridproof.domain import (
    PERIODS_S,
    SECONDS_PER_DAY,
    MisalignedError,
    MonthBounds,
    MonthId,
    OutOfRangeError,
    month_id,
    month_label,
    period_index,
)

START_S = 1_759_269_600  # 2025-10-01 00:00 Europe/Zurich
OCTOBER = MonthBounds(month_id(2025, 10), START_S, START_S + 31 * SECONDS_PER_DAY + 3_600, 900)


def test_months_are_numbered_consecutively() -> None:
    assert month_id(2026, 1) - month_id(2025, 12) == 1
    assert month_label(month_id(2025, 10)) == "2025-10"
    assert month_label(MonthId(month_id(2025, 12) + 1)) == "2026-01"


@pytest.mark.parametrize(
    ("year", "month", "what"), [(1969, 1, "year"), (10_000, 1, "year"), (2025, 0, "month"), (2025, 13, "month")]
)
def test_there_is_no_such_month(year: int, month: int, what: str) -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        month_id(year, month)
    assert refusal.value.what == what


@pytest.mark.parametrize(
    ("from_k", "until_k", "stretch"),
    [
        (-9, 0, (0, 2_980)),
        (-9, 2_999, (0, 2_980)),
        (4, 8, (4, 8)),
        (4, 0, (4, 2_980)),
    ],
)
def test_a_stretch_ends_with_the_month_at_the_latest(from_k: int, until_k: int, stretch: tuple[int, int]) -> None:
    first_k = OCTOBER.first_k
    told = OCTOBER.stretch(first_k + from_k, until_k and first_k + until_k)
    assert told == (first_k + stretch[0], first_k + stretch[1])


def test_a_period_contains_its_start_and_not_its_end() -> None:
    assert period_index(899, 900) == 0
    assert period_index(900, 900) == 1


def test_a_month_with_a_longer_day_has_four_more_quarters() -> None:
    OCTOBER.validate()
    assert OCTOBER.periods == 31 * 96 + 4
    assert OCTOBER.depth == 12
    assert OCTOBER.end_k - OCTOBER.first_k == OCTOBER.periods


def test_leaf_indices_start_with_the_month() -> None:
    assert OCTOBER.leaf_index(OCTOBER.first_k) == 0
    assert OCTOBER.leaf_index(OCTOBER.end_k - 1) == OCTOBER.periods - 1
    assert OCTOBER.contains(OCTOBER.first_k)
    assert not OCTOBER.contains(OCTOBER.end_k)
    for k in (OCTOBER.first_k - 1, OCTOBER.end_k):
        with pytest.raises(OutOfRangeError) as refusal:
            OCTOBER.leaf_index(k)
        assert (refusal.value.what, refusal.value.value) == ("k", k)


@pytest.mark.parametrize(
    ("periods", "depth"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (1440, 11), (2048, 11), (2049, 12)]
)
def test_the_depth_holds_a_leaf_for_each_period(periods: int, depth: int) -> None:
    bounds = MonthBounds(OCTOBER.month, START_S, START_S + periods * 900, 900)
    assert bounds.depth == depth


@pytest.mark.parametrize("period_s", [0, 1, 60, 901, 7_200])
def test_an_unknown_period_is_refused(period_s: int) -> None:
    assert period_s not in PERIODS_S
    with pytest.raises(OutOfRangeError) as refusal:
        OCTOBER._replace(period_s=period_s).validate()
    assert refusal.value.what == "period_s"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"start_s": -900}, "start_s"),
        ({"end_s": START_S}, "end_s"),
        ({"end_s": START_S - 900}, "end_s"),
        ({"end_s": START_S + 32 * SECONDS_PER_DAY + 900}, "end_s"),
    ],
)
def test_a_month_that_is_empty_or_too_long_is_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        OCTOBER._replace(**change).validate()
    assert refusal.value.what == what


@pytest.mark.parametrize("what", ["start_s", "end_s"])
def test_a_bound_between_no_two_periods_is_refused(what: str) -> None:
    moved = getattr(OCTOBER, what) + 1
    with pytest.raises(MisalignedError) as refusal:
        OCTOBER._replace(**{what: moved}).validate()
    assert refusal.value.particulars == {"what": what, "instant_s": moved, "period_s": 900}
