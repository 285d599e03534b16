"""Rules R-22 and R-23: the tariff that a month is opened with, and the meters that were in it."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import (
    Band,
    ChannelTariff,
    Flat,
    MonthBounds,
    MonthId,
    Penalties,
    RegionId,
    Step,
    Stepped,
    Switch,
    Tariff,
    TimeOfUse,
)
from gridproof.modules.registry import errors, queries
from gridproof.modules.registry.keeper import Keeper
from gridproof.modules.registry.messages import MonthOpened, OpenMonth, RevokeMeter, SwapMeter
from gridproof.state import Context

from .community import (
    DAY_S,
    FIRST_K,
    IDS,
    NOVEMBER,
    NOVEMBER_S,
    OCTOBER,
    OCTOBER_S,
    PERIOD_S,
    REGION,
    context,
    enrol,
    handle,
    november,
    october,
)
from tests.ledger import Ledger

TARIFF = Tariff("plain", "CHF", 50_000_000, ChannelTariff(Flat(20_000), 25_000), ChannelTariff(Flat(6_000), 4_000))
OCTOBER_END_K = OCTOBER_S[1] // PERIOD_S


def priced(tariff: Tariff) -> OpenMonth:
    """October with a tariff."""
    return replace(october(), tariff=tariff)


def test_r22_a_month_is_opened_with_a_tariff_or_without_one(ledger: Ledger) -> None:
    assert ledger.accepts("operator", priced(TARIFF)) == MonthOpened(1, OCTOBER, *OCTOBER_S)
    ledger.accepts("operator", november())
    with context(ledger) as ctx:
        assert [number for number, _ in queries.months(ctx, 1)] == [OCTOBER, NOVEMBER]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"imports": ChannelTariff(Stepped((Step(1, 1),)), 1)}, "import: the first step does not begin at 0 Wh"),
        (
            {"feed_in": ChannelTariff(TimeOfUse((Band("one", 1),), (Switch(OCTOBER_S[0] + 1, 0),)), 1)},
            f"export: no band holds at {OCTOBER_S[0]}, where the tariff begins",
        ),
        ({"penalties": Penalties(1, 2)}, "penalties: a late slot costs more than a missing one"),
        ({"name": " "}, "the name ' ': it begins or ends with a space, or has an unseen character"),
    ],
)
def test_r22_a_tariff_that_cannot_price_every_slot_is_refused(
    ledger: Ledger, changes: dict[str, Any], detail: str
) -> None:
    refusal = ledger.refuses("operator", priced(replace(TARIFF, **changes)), code=1034)
    assert isinstance(refusal, errors.BadTariff)
    assert refusal.detail == detail
    with context(ledger) as ctx:
        assert queries.month(ctx, 1, OCTOBER) is None


def test_r22_a_switch_at_the_months_beginning_is_in_time(ledger: Ledger) -> None:
    times = TimeOfUse((Band("one", 1),), (Switch(OCTOBER_S[0], 0),))
    ledger.accepts("operator", priced(replace(TARIFF, imports=ChannelTariff(times, 1))))


def test_r22_only_the_operator_sets_a_tariff_and_a_refused_month_keeps_none(ledger: Ledger) -> None:
    for name in ("bill-provider", "control-center", "aggregator", "auditor"):
        ledger.refuses(name, priced(TARIFF), code=errors.NotPermitted.code)


class Kept:
    """A stand-in for who keeps tariffs."""

    def __init__(self) -> None:
        self.told: list[tuple[int, MonthBounds, Tariff]] = []

    def begin(self, ctx: Context, region: RegionId, bounds: MonthBounds, tariff: Tariff) -> None:
        """Keep what it is told, when the month is there."""
        assert Keeper().month_rules(ctx, region, bounds.month).bounds == bounds
        self.told.append((region, bounds, tariff))


def test_r22_who_keeps_tariffs_is_told_of_the_months_own(ledger: Ledger) -> None:
    kept = Kept()
    with context(ledger) as ctx:
        keeper = Keeper(kept)
        keeper.grid.open_month(ctx, IDS["operator"], priced(TARIFF))
        keeper.grid.open_month(ctx, IDS["operator"], november())
        with pytest.raises(errors.MonthOutOfOrder):
            keeper.grid.open_month(ctx, IDS["operator"], priced(TARIFF))
    assert kept.told == [(1, MonthBounds(OCTOBER, *OCTOBER_S, PERIOD_S), TARIFF)]


# --- R-23 ----------------------------------------------------------------------------------------------------------


def counted(ledger: Ledger, month: MonthId = OCTOBER, region: int = 1) -> int:
    with context(ledger) as ctx:
        return Keeper().meters_in(ctx, RegionId(region), month)


def test_r23_a_meter_counts_once_whatever_its_channels(ledger: Ledger) -> None:
    ledger.accepts("operator", october())
    assert counted(ledger) == 0
    ledger.accepts("bill-provider", enrol(1))
    ledger.accepts("bill-provider", enrol(2, export=True))
    assert counted(ledger) == 2


@pytest.mark.parametrize(
    ("from_k", "until_k", "october_has", "november_has"),
    [
        (FIRST_K, None, 1, 1),
        (OCTOBER_END_K - 1, None, 1, 1),
        (OCTOBER_END_K, None, 0, 1),  # enrolled from November on
        (FIRST_K, FIRST_K + 1, 1, 0),
        (FIRST_K, OCTOBER_END_K, 1, 0),  # gone with October's last period
        (FIRST_K, OCTOBER_END_K + 1, 1, 1),
        (FIRST_K + 5, FIRST_K + 5, 0, 0),  # never reported
        (OCTOBER_END_K, OCTOBER_END_K, 0, 0),
    ],
)
def test_r23_a_meter_is_in_each_month_that_has_a_period_of_its_own(
    ledger: Ledger, from_k: int, until_k: int | None, october_has: int, november_has: int
) -> None:
    ledger.send("operator", october(), november())
    ledger.accepts("bill-provider", enrol(1, from_k))
    if until_k is not None:
        ledger.accepts("bill-provider", RevokeMeter(handle(1), until_k))
    assert (counted(ledger), counted(ledger, NOVEMBER)) == (october_has, november_has)


def test_r23_after_a_swap_both_meters_count(ledger: Ledger) -> None:
    ledger.send("operator", october(), november())
    ledger.accepts("bill-provider", enrol(1))
    ledger.accepts("bill-provider", SwapMeter(handle(1), handle(2), FIRST_K + 96))
    assert (counted(ledger), counted(ledger, NOVEMBER)) == (2, 1)


def test_r23_each_region_counts_its_own(ledger: Ledger) -> None:
    ledger.accepts("operator", REGION)
    ledger.send("operator", october(), october(2))
    ledger.accepts("bill-provider", enrol(1))
    ledger.accepts("bill-provider", enrol(2, region=2))
    ledger.accepts("bill-provider", enrol(3, region=2))
    assert (counted(ledger), counted(ledger, region=2)) == (1, 2)


def test_r23_the_figure_is_settled_when_the_month_ends(ledger: Ledger) -> None:
    ledger.send("operator", october(), november())
    ledger.accepts("bill-provider", enrol(1))
    ledger.advance(31 * DAY_S)
    ledger.refuses("bill-provider", enrol(2, OCTOBER_END_K - 1), code=errors.PeriodBegun.code)
    ledger.refuses("bill-provider", RevokeMeter(handle(1), FIRST_K), code=errors.PeriodBegun.code)
    assert counted(ledger) == 1
    assert NOVEMBER_S[0] == OCTOBER_S[1]


def test_r23_a_month_that_was_not_opened_has_no_figure(ledger: Ledger) -> None:
    with pytest.raises(errors.MonthUnknown) as refusal:
        counted(ledger)
    assert (refusal.value.region, refusal.value.month) == (1, OCTOBER)
    with pytest.raises(errors.RegionUnknown):
        counted(ledger, region=7)
