"""Rules P-1 and P-2: a tariff prices every slot that it is for, and changes for what is to come only."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import Band, ChannelTariff, Penalties, Step, Stepped, Switch, Tariff, TimeOfUse
from gridproof.modules.pricing import errors, queries
from gridproof.modules.pricing.messages import ChangeTariff, TariffSet
from gridproof.modules.registry.errors import BadTariff, MonthUnknown, NotPermitted
from gridproof.modules.registry.messages import MonthOpened

from tests.unit.modules.aggregation.community import FIRST_K, MONTH, PERIOD_S, REGION, TARIFF, Community

K = FIRST_K
DEARER = replace(TARIFF, name="dearer", imports=replace(TARIFF.imports, fallback_e5=90_000))


def change(from_k: int, tariff: Tariff = DEARER, **changes: Any) -> ChangeTariff:
    return replace(ChangeTariff(REGION, MONTH, from_k, tariff), **changes)


def test_p1_a_month_begins_with_its_tariff() -> None:
    town = Community()
    events = town.send("operator", town.month_begun(TARIFF))
    bounds = town.bounds
    assert events == (
        TariffSet(REGION, MONTH, K, "Riedholz"),
        MonthOpened(REGION, MONTH, bounds.start_s, bounds.end_s),
    )
    assert town.ask(queries.tariffs, REGION, MONTH) == ((K, TARIFF),)


def test_p1_a_month_without_a_tariff_has_none() -> None:
    town = Community().begin()
    assert town.ask(queries.tariffs, REGION, MONTH) == ()
    town.refuses_by("operator", change(K + 1), errors.NoTariff, region=REGION, month=MONTH)


def test_p1_a_contradicting_tariff_opens_no_month() -> None:
    town = Community()
    broken = replace(TARIFF, imports=ChannelTariff(Stepped((Step(5, 1),)), 1))
    town.refuses_by(
        "operator", town.month_begun(broken), BadTariff, detail="import: the first step does not begin at 0 Wh"
    )


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"imports": ChannelTariff(Stepped((Step(5, 1),)), 1)}, "import: the first step does not begin at 0 Wh"),
        (
            {"feed_in": ChannelTariff(TimeOfUse((Band("one", 1),), (Switch((K + 1) * PERIOD_S + 1, 0),)), 1)},
            f"export: no band holds at {(K + 1) * PERIOD_S}, where the tariff begins",
        ),
        ({"penalties": Penalties(1, 2)}, "penalties: a late slot costs more than a missing one"),
    ],
)
def test_p1_a_tariff_that_cannot_price_its_slots_is_refused(
    town: Community, changes: dict[str, Any], detail: str
) -> None:
    town.refuses_by("operator", change(K + 1, replace(TARIFF, **changes)), errors.TariffInvalid, detail=detail)
    assert town.ask(queries.tariffs, REGION, MONTH) == ((K, TARIFF),)


def test_p2_a_tariff_changes_from_a_period_that_is_to_come(town: Community) -> None:
    assert town.accepts("operator", change(K + 1)) == TariffSet(REGION, MONTH, K + 1, "dearer")
    assert town.ask(queries.tariffs, REGION, MONTH) == ((K, TARIFF), (K + 1, DEARER))


def test_p2_a_period_that_begins_now_has_not_begun(town: Community) -> None:
    town.go_to((K + 1) * PERIOD_S)
    town.accepts("operator", change(K + 1))


@pytest.mark.parametrize("late_s", [1, 2 * PERIOD_S])
def test_p2_nobodys_price_is_changed_afterwards(town: Community, late_s: int) -> None:
    start_s = (K + 1) * PERIOD_S
    town.go_to(start_s + late_s)
    town.refuses_by(
        "operator", change(K + 1), errors.TariffTooLate, from_k=K + 1, start_s=start_s, now_s=start_s + late_s
    )


@pytest.mark.parametrize("from_k", [0, K - 1, K, K + 3, 2**40])
def test_p2_a_change_lies_in_its_month_after_its_beginning(town: Community, from_k: int) -> None:
    particulars = {"from_k": from_k, "low_k": K + 1, "high_k": K + 2}
    town.refuses_by("operator", change(from_k), errors.TariffTooEarly, **particulars)


def test_p2_a_change_lies_after_the_last_one(town: Community) -> None:
    town.accepts("operator", change(K + 2))
    for from_k in (K + 1, K + 2):
        particulars = {"from_k": from_k, "low_k": K + 3, "high_k": K + 2}
        town.refuses_by("operator", change(from_k), errors.TariffTooEarly, **particulars)


@pytest.mark.parametrize("changes", [{"currency": "EUR"}, {"rounding_e9": 1}])
def test_p2_currency_and_rounding_stay_for_the_month(town: Community, changes: dict[str, Any]) -> None:
    other = replace(TARIFF, **changes)
    town.refuses_by("operator", change(K + 1, other), errors.OtherMoney, currency="CHF", rounding_e9=50_000_000)


@pytest.mark.parametrize("name", ["provider", "center", "first", "household"])
def test_p2_only_the_operator_changes_a_tariff(town: Community, name: str) -> None:
    particulars = {"participant": town.people[name].id, "needed": "operator"}
    town.refuses_by(name, change(K + 1), NotPermitted, **particulars)


def test_p2_the_tariff_of_a_closed_month_stays(town: Community) -> None:
    town.end_month()
    town.refuses_by("operator", change(K + 2), errors.PricesFolded, region=REGION, month=MONTH)


def test_p2_a_month_that_was_not_opened_has_no_tariff_to_change(town: Community) -> None:
    town.refuses_by("operator", change(K + 1, month=MONTH + 1), MonthUnknown, region=REGION, month=MONTH + 1)
