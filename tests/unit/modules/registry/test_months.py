"""Rules of months: opened in order, closed once, told to others by period and by number."""

import pytest

from gridproof.domain import MonthBounds, MonthId, MonthRules, RegionId
from gridproof.modules.registry import errors, queries
from gridproof.modules.registry.keeper import Keeper
from gridproof.modules.registry.messages import MAX_MONTH, MonthOpened, OpenMonth
from gridproof.modules.registry.types import Month

from .community import (
    DAY_S,
    DECEMBER,
    DECEMBER_S,
    FIRST_K,
    NOVEMBER,
    NOVEMBER_S,
    OCTOBER,
    OCTOBER_S,
    PERIOD_S,
    REGION,
    START_S,
    FoldMonth,
    context,
    november,
    october,
)
from tests.ledger import Ledger


def test_r15_a_month_is_opened_with_the_regions_privacy(ledger: Ledger) -> None:
    assert ledger.accepts("operator", october()) == MonthOpened(1, OCTOBER, *OCTOBER_S)
    with context(ledger) as ctx:
        assert queries.month(ctx, 1, OCTOBER) == Month(*OCTOBER_S, 5, 800, closed=False, previous=0)


def test_r15_months_ascend_each_once(ledger: Ledger) -> None:
    ledger.accepts("operator", november())
    for month, bounds in ((NOVEMBER, DECEMBER_S), (OCTOBER, DECEMBER_S), (OCTOBER, OCTOBER_S)):
        refusal = ledger.refuses("operator", OpenMonth(1, month, *bounds), code=1019)
        assert isinstance(refusal, errors.MonthOutOfOrder)
        assert (refusal.region, refusal.month, refusal.last) == (1, month, NOVEMBER)


def test_r15_each_region_has_months_of_its_own(ledger: Ledger) -> None:
    ledger.accepts("operator", REGION)
    ledger.accepts("operator", november(1))
    ledger.accepts("operator", october(2))
    with context(ledger) as ctx:
        assert [number for number, _ in queries.months(ctx, 1)] == [NOVEMBER]
        assert [number for number, _ in queries.months(ctx, 2)] == [OCTOBER]


def test_r15_a_month_does_not_begin_before_the_last_one_ends(ledger: Ledger) -> None:
    ledger.accepts("operator", october())
    early = OpenMonth(1, NOVEMBER, OCTOBER_S[1] - PERIOD_S, NOVEMBER_S[1])
    refusal = ledger.refuses("operator", early, code=1020)
    assert isinstance(refusal, errors.MonthOverlaps)
    assert (refusal.region, refusal.start_s, refusal.last_end_s) == (1, early.start_s, OCTOBER_S[1])
    ledger.accepts("operator", november())


@pytest.mark.parametrize(
    ("start_s", "end_s"),
    [
        (START_S + 1, OCTOBER_S[1]),
        (START_S, OCTOBER_S[1] - 1),
        (START_S, START_S),
        (START_S, START_S - PERIOD_S),
        (START_S, START_S + 32 * DAY_S + PERIOD_S),
    ],
)
def test_r15_bounds_lie_between_periods_and_a_month_has_at_most_32_days(
    ledger: Ledger, start_s: int, end_s: int
) -> None:
    refusal = ledger.refuses("operator", OpenMonth(1, OCTOBER, start_s, end_s), code=1021)
    assert isinstance(refusal, errors.BadMonthBounds)
    assert refusal.detail


@pytest.mark.parametrize("end_s", [START_S + PERIOD_S, START_S + 32 * DAY_S])
def test_r15_one_period_is_a_month_and_so_are_32_days(ledger: Ledger, end_s: int) -> None:
    ledger.accepts("operator", OpenMonth(1, OCTOBER, START_S, end_s))


def test_r15_a_month_is_opened_at_most_62_days_ahead(ledger: Ledger) -> None:
    latest_s = START_S + 62 * DAY_S
    far = OpenMonth(1, DECEMBER, latest_s + PERIOD_S, latest_s + DAY_S)
    refusal = ledger.refuses("operator", far, code=1022)
    assert isinstance(refusal, errors.MonthTooFarAhead)
    assert (refusal.start_s, refusal.latest_s) == (far.start_s, latest_s)
    ledger.accepts("operator", OpenMonth(1, DECEMBER, latest_s, latest_s + DAY_S))


def test_r15_a_month_of_no_region_is_refused(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", october(9), code=1018)
    assert isinstance(refusal, errors.RegionUnknown)
    assert refusal.region == 9


@pytest.mark.parametrize(
    "message",
    [
        OpenMonth(1, 0, *OCTOBER_S),
        OpenMonth(1, MAX_MONTH + 1, *OCTOBER_S),
        OpenMonth(0, OCTOBER, *OCTOBER_S),
        OpenMonth(1, OCTOBER, -PERIOD_S, OCTOBER_S[1]),
        OpenMonth(1, OCTOBER, START_S, 2**41),
    ],
)
def test_r15_numbers_beyond_all_sense_are_no_message(ledger: Ledger, message: OpenMonth) -> None:
    ledger.refuses("operator", message, code=1)


def test_r16_a_month_is_closed_once_and_not_before_its_end(ledger: Ledger) -> None:
    ledger.accepts("operator", october())
    ledger.advance(31 * DAY_S - 1)
    refusal = ledger.refuses("operator", FoldMonth(1, OCTOBER), code=1026)
    assert isinstance(refusal, errors.MonthStillRuns)
    assert (refusal.month, refusal.end_s, refusal.now_s) == (OCTOBER, OCTOBER_S[1], OCTOBER_S[1] - 1)
    ledger.advance(1)
    ledger.accepts("operator", FoldMonth(1, OCTOBER))
    refusal = ledger.refuses("operator", FoldMonth(1, OCTOBER), code=1025)
    assert isinstance(refusal, errors.MonthAlreadyClosed)
    assert (refusal.region, refusal.month) == (1, OCTOBER)


@pytest.mark.parametrize("month", [NOVEMBER, 0, -1, 2**33])
def test_r16_a_month_that_was_not_opened_is_not_closed(ledger: Ledger, month: int) -> None:
    refusal = ledger.refuses("operator", FoldMonth(1, month), code=1024)
    assert isinstance(refusal, errors.MonthUnknown)
    assert (refusal.region, refusal.month) == (1, month)
    ledger.refuses("operator", FoldMonth(9, month), code=1018)


def test_r16_the_later_of_two_months_may_be_closed_first(ledger: Ledger) -> None:
    ledger.send("operator", october(), november())
    ledger.advance(62 * DAY_S)
    ledger.accepts("operator", FoldMonth(1, NOVEMBER))
    ledger.accepts("operator", FoldMonth(1, OCTOBER))


def test_others_hear_of_a_month_by_its_number_and_by_its_periods(ledger: Ledger) -> None:
    keeper, region = Keeper(), RegionId(1)
    ledger.send("operator", october(), OpenMonth(1, DECEMBER, *DECEMBER_S))
    rules = MonthRules(MonthBounds(OCTOBER, *OCTOBER_S, PERIOD_S), 5, 800, closed=False)
    december = MonthRules(MonthBounds(DECEMBER, *DECEMBER_S, PERIOD_S), 5, 800, closed=False)
    with context(ledger) as ctx:
        assert keeper.month_rules(ctx, region, OCTOBER) == rules
        assert rules.month == OCTOBER
        assert keeper.month_of(ctx, region, FIRST_K) == rules
        assert keeper.month_of(ctx, region, rules.bounds.end_k - 1) == rules
        assert keeper.month_of(ctx, region, december.bounds.first_k) == december
        for k in (FIRST_K - 1, rules.bounds.end_k, december.bounds.first_k - 1, december.bounds.end_k, -1, 2**80):
            with pytest.raises(errors.NoMonth) as none:
                keeper.month_of(ctx, region, k)
            assert (none.value.region, none.value.k) == (1, k)
        with pytest.raises(errors.RegionUnknown):
            keeper.month_of(ctx, RegionId(8), FIRST_K)
        with pytest.raises(errors.MonthUnknown):
            keeper.month_rules(ctx, region, MonthId(NOVEMBER))


def test_others_hear_that_a_month_is_closed(ledger: Ledger) -> None:
    ledger.accepts("operator", october())
    ledger.advance(31 * DAY_S)
    ledger.accepts("operator", FoldMonth(1, OCTOBER))
    with context(ledger) as ctx:
        assert Keeper().month_of(ctx, RegionId(1), FIRST_K).closed
