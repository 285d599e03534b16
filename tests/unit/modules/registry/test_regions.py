"""Rules of regions, their parameters and their privacy."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import PERIODS_S, RegionId
from gridproof.modules.registry import errors, queries
from gridproof.modules.registry.keeper import Keeper
from gridproof.modules.registry.messages import AddRegion, PrivacySet, RegionAdded, SetPrivacy
from gridproof.modules.registry.parameters import PARAMETERS, PRIVACY

from .community import NOVEMBER, OCTOBER, REGION, context, november, october
from tests.ledger import Ledger


def with_(**changes: Any) -> AddRegion:
    return replace(REGION, **changes)


def test_r13_a_region_is_added_under_the_number_that_the_operator_chose(ledger: Ledger) -> None:
    assert ledger.accepts("operator", with_(region=65_535)) == RegionAdded(65_535, "Old Town")
    with context(ledger) as ctx:
        assert [number for number, _ in queries.regions(ctx)] == [1, 65_535]
        known = queries.region(ctx, 65_535)
    assert known is not None
    assert (known.name, known.k_min, known.retention_months) == ("Old Town", 5, 12)


def test_r13_a_number_is_not_used_again(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", with_(region=1), code=1017)
    assert isinstance(refusal, errors.RegionExists)
    assert refusal.region == 1


@pytest.mark.parametrize("number", [0, -1, 65_536])
def test_r13_a_number_outside_is_no_message(ledger: Ledger, number: int) -> None:
    ledger.refuses("operator", with_(region=number), code=1)


@pytest.mark.parametrize("name", ["", "a\u2067b", "x" * 65])
def test_r2_a_regions_name_is_a_name(ledger: Ledger, name: str) -> None:
    ledger.refuses("operator", with_(name=name), code=1001)


@pytest.mark.parametrize("period_s", PERIODS_S)
def test_r11_periods_that_divide_the_hour_are_taken(ledger: Ledger, period_s: int) -> None:
    ledger.accepts("operator", with_(period_s=period_s))


@pytest.mark.parametrize("period_s", [0, -900, 60, 901, 7_200])
def test_r11_other_periods_are_refused(ledger: Ledger, period_s: int) -> None:
    refusal = ledger.refuses("operator", with_(period_s=period_s), code=1015)
    assert isinstance(refusal, errors.PeriodUnsupported)
    assert (refusal.period_s, refusal.supported) == (period_s, PERIODS_S)


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_r11_parameters_lie_within_their_limits(ledger: Ledger, name: str) -> None:
    low, high, default = PARAMETERS[name]
    for value in (low - 1, high + 1, -(2**40), 2**60):
        refusal = ledger.refuses("operator", with_(**{name: value}), code=1014)
        assert isinstance(refusal, errors.OutOfLimits)
        assert (refusal.parameter, refusal.value, refusal.low, refusal.high) == (name, value, low, high)
    for number, value in enumerate((low, high, default), 10):
        ledger.accepts("operator", with_(region=number, **{name: value}))


@pytest.mark.parametrize("name", list(PRIVACY))
def test_r12_nobody_goes_below_a_floor_of_privacy(ledger: Ledger, name: str) -> None:
    floor, high, _ = PRIVACY[name]
    for value in (floor - 1, 0, -1):
        for message in (with_(**{name: value}), replace(SetPrivacy(1, 5, 800), **{name: value})):
            refusal = ledger.refuses("operator", message, code=1016)
            assert isinstance(refusal, errors.PrivacyTooWeak)
            assert (refusal.parameter, refusal.value, refusal.floor) == (name, value, floor)
    refusal = ledger.refuses("operator", replace(SetPrivacy(1, 5, 800), **{name: high + 1}), code=1014)
    assert isinstance(refusal, errors.OutOfLimits)
    assert (refusal.parameter, refusal.value) == (name, high + 1)
    ledger.accepts("operator", replace(SetPrivacy(1, 5, 800), **{name: floor}))


def test_r12_the_floors_are_three_pairs_and_half_the_meters() -> None:
    assert (PRIVACY["k_min"].low, PRIVACY["min_live_permille"].low) == (3, 500)
    assert (PRIVACY["k_min"].default, PRIVACY["min_live_permille"].default) == (5, 800)


def test_r14_changed_privacy_counts_from_the_next_month_that_is_opened(ledger: Ledger) -> None:
    ledger.accepts("operator", october())
    assert ledger.accepts("operator", SetPrivacy(1, 3, 500)) == PrivacySet(1, 3, 500)
    ledger.accepts("operator", november())
    with context(ledger) as ctx:
        of = {number: (month.k_min, month.min_live_permille) for number, month in queries.months(ctx, 1)}
    assert of == {OCTOBER: (5, 800), NOVEMBER: (3, 500)}


def test_r14_the_privacy_of_a_region_that_is_not_there_cannot_be_set(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", SetPrivacy(7, 5, 800), code=1018)
    assert isinstance(refusal, errors.RegionUnknown)
    assert refusal.region == 7


def test_what_other_modules_hear_of_a_region(ledger: Ledger) -> None:
    ledger.accepts("operator", REGION)
    with context(ledger) as ctx:
        assert Keeper().region_rules(ctx, RegionId(2)) == (900, 3_600, 1, 86_400, 86_400, 12)
        for number in (3, 0, -1, 65_536, 2**70):
            with pytest.raises(errors.RegionUnknown) as refusal:
                Keeper().region_rules(ctx, RegionId(number))
            assert refusal.value.region == number
