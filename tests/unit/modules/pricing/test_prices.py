"""Rules P-3 to P-6: one price for each slot, and that the tariff's. Expected prices were worked out by hand."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import ChannelTariff, Direction, Flat
from gridproof.modules.aggregation.messages import CloseSlot
from gridproof.modules.pricing import errors, queries
from gridproof.modules.pricing.messages import AnnouncePrice, ChangeTariff, PriceSet
from gridproof.modules.pricing.types import FoldedPrice, Price
from gridproof.modules.registry.errors import NoMonth, NotPermitted

from tests.unit.modules.aggregation.community import FIRST_K, IMPORT, MONTH, REGION, TARIFF, Community, reading_of

K = FIRST_K
EXPORT = Direction.EXPORT
TOTAL_WH = sum(reading_of(n, K) for n in range(4))


def price_of(town: Community, k: int = K, channel: Direction = IMPORT) -> Price | None:
    found = town.ask(queries.price, REGION, channel, k)
    assert found is None or isinstance(found, Price)
    return found


def sealed(town: Community, k: int = K) -> None:
    town.fixed(k, 0, 1)


def void(town: Community, k: int = K) -> None:
    town.go_to(town.window_end_of(k))
    town.accepts("household", CloseSlot(REGION, IMPORT, k))


def test_the_readings_are_those_that_the_prices_here_were_worked_out_for() -> None:
    # k mod 13 is 6, so that meter n reads 166 + 37 n: 166, 203, 240, 277; in the next slot 11 more each
    assert (K % 13, TOTAL_WH) == (6, 886)
    assert sum(reading_of(n, K) for n in range(3)) == 609
    assert sum(reading_of(n, K + 1) for n in range(4)) == 930


def test_p5_a_price_follows_from_the_total(town: Community) -> None:
    town.opened(K, 0, 1, 2)
    # 10,000 + 20 for each of 609 Wh
    assert town.accepts("center", town.price(K)) == PriceSet(REGION, IMPORT, K, 22_180, False)
    assert price_of(town) == Price(22_180, False, 609)


def test_p5_another_total_has_another_price(town: Community) -> None:
    town.opened(K)
    town.accepts("center", town.price(K))
    assert price_of(town) == Price(27_720, False, 886)


def test_p5_a_sealed_slot_has_the_fallback_price(town: Community) -> None:
    sealed(town)
    assert town.accepts("center", town.price(K)) == PriceSet(REGION, IMPORT, K, 25_000, True)
    assert price_of(town) == Price(25_000, True, 0)


def test_p5_a_void_slot_has_the_fallback_price(town: Community) -> None:
    void(town)
    town.accepts("center", town.price(K))
    assert price_of(town) == Price(25_000, True, 0)


def test_p5_a_slot_whose_masks_were_never_opened_has_the_fallback_price(town: Community) -> None:
    town.fixed(K)
    town.go_to(town.opening_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.accepts("center", town.price(K))
    assert price_of(town) == Price(25_000, True, 0)


def test_p5_each_channel_has_its_own_price() -> None:
    town = Community().begin((IMPORT, EXPORT), tariff=TARIFF)
    town.opened(K, channel=EXPORT)
    town.accepts("center", town.price(K, channel=EXPORT))
    assert price_of(town, channel=EXPORT) == Price(6_000, False, TOTAL_WH)
    assert price_of(town) is None


def test_p5_a_changed_tariff_prices_the_slots_from_its_period_on(town: Community) -> None:
    flat = replace(TARIFF, name="flat", imports=ChannelTariff(Flat(1_234), 5))
    town.accepts("operator", ChangeTariff(REGION, MONTH, K + 1, flat))
    town.opened(K)
    town.accepts("center", town.price(K))
    town.opened(K + 1)
    town.refuses_by("center", town.price(K + 1), errors.WrongPrice, price_e5=28_600, expected_e5=1_234)
    town.accepts("center", town.price(K + 1, tariff=flat))
    assert [price_of(town, k).price_e5 for k in (K, K + 1)] == [27_720, 1_234]  # type: ignore[union-attr]


@pytest.mark.parametrize("off_e5", [-1, 1, 5_000])
def test_p5_any_other_price_is_refused(town: Community, off_e5: int) -> None:
    town.opened(K)
    wrong = town.price(K, price_e5=27_720 + off_e5)
    town.refuses_by("center", wrong, errors.WrongPrice, price_e5=27_720 + off_e5, expected_e5=27_720)
    assert price_of(town) is None


def test_p5_a_slot_without_a_total_takes_no_price_of_a_total_of_nothing(town: Community) -> None:
    """10,000 is what the tariff gives for 0 Wh; a sealed slot has none."""
    sealed(town)
    wrong = town.price(K, price_e5=10_000)
    town.refuses_by("center", wrong, errors.WrongPrice, price_e5=10_000, expected_e5=25_000)


def test_p5_a_total_of_nothing_is_a_total(town: Community) -> None:
    town.go_to(town.end_of(K))
    town.accepts("first", town.batch(K, [record for n in range(4) for record in town.both(n, K, 0)]))
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.accepts("provider", town.live_set(K))
    town.accepts("provider", town.opening(K, range(4)))
    town.refuses_by("center", town.price(K, price_e5=25_000), errors.WrongPrice, price_e5=25_000, expected_e5=10_000)
    assert town.accepts("center", town.price(K)) == PriceSet(REGION, IMPORT, K, 10_000, False)
    assert price_of(town) == Price(10_000, False, 0)


@pytest.mark.parametrize("name", ["operator", "provider", "first", "household"])
def test_p3_only_a_control_centre_announces_prices(town: Community, name: str) -> None:
    town.opened(K)
    particulars = {"participant": town.people[name].id, "needed": "control_center"}
    town.refuses_by(name, town.price(K), NotPermitted, **particulars)


def test_p3_a_month_without_a_tariff_has_no_prices() -> None:
    town = Community().begin()
    town.opened(K)
    town.refuses_by("center", town.price(K), errors.NoTariff, region=REGION, month=MONTH)


def test_p3_a_closed_month_takes_no_price(town: Community) -> None:
    town.opened(K)
    message = town.price(K)
    town.end_month()
    town.refuses_by("center", message, errors.PricesFolded, region=REGION, month=MONTH)


def test_p3_outside_all_months_there_is_no_price(town: Community) -> None:
    town.opened(K)
    town.refuses_by("center", replace(town.price(K), k=K + 3), NoMonth, region=REGION, k=K + 3)


@pytest.mark.parametrize("reached", ["nothing", "filled", "closed", "fixed"])
def test_p4_a_slot_that_has_not_ended_has_no_price(town: Community, reached: str) -> None:
    if reached != "nothing":
        getattr(town, reached)(K)
    town.go_to(max(town.now_s, town.end_of(K)))
    message = AnnouncePrice(REGION, IMPORT, K, 0, (), 25_000)
    town.refuses_by("center", message, errors.SlotNotEnded, region=REGION, channel=IMPORT, k=K)


@pytest.mark.parametrize("total_wh", [0, TOTAL_WH - 1, TOTAL_WH + 1])
def test_p4_the_message_names_the_slots_total(town: Community, total_wh: int) -> None:
    town.opened(K)
    wrong = town.price(K, total_wh=total_wh)
    town.refuses_by("center", wrong, errors.OtherTotal, total_wh=total_wh, expected_wh=TOTAL_WH)


def test_p4_a_slot_without_a_total_is_named_with_none(town: Community) -> None:
    sealed(town)
    town.refuses_by("center", town.price(K, total_wh=5), errors.OtherTotal, total_wh=5, expected_wh=0)


def test_p4_the_message_names_the_slots_batches_in_order(town: Community) -> None:
    town.filled(K, 0, 1)
    town.accepts("second", town.batch(K, [*town.both(2, K), *town.both(3, K)]))
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.accepts("provider", town.live_set(K))
    town.accepts("provider", town.opening(K, range(4)))
    roots = town.price(K).batch_roots
    assert len(roots) == 2
    for wrong in ((), roots[:1], roots[::-1], (*roots, roots[0]), (bytes(32), roots[1])):
        message = town.price(K, batch_roots=wrong)
        town.refuses_by("center", message, errors.OtherTotal, total_wh=TOTAL_WH, expected_wh=TOTAL_WH)
    town.accepts("center", town.price(K))


def test_p6_a_slots_first_price_stays(town: Community) -> None:
    town.opened(K)
    town.accepts("center", town.price(K))
    for again in (town.price(K), town.price(K, price_e5=1)):
        town.refuses_by("center", again, errors.PriceExists, price_e5=27_720)


def test_p6_a_fallback_price_stays_too(town: Community) -> None:
    sealed(town)
    town.accepts("center", town.price(K))
    town.refuses_by("center", town.price(K), errors.PriceExists, price_e5=25_000)


def test_late_records_change_no_price(town: Community) -> None:
    town.opened(K, 0, 1, 2)
    town.accepts("first", town.late(K, town.both(3, K)))
    town.accepts("center", town.price(K))
    assert price_of(town) == Price(22_180, False, 609)


@pytest.mark.parametrize(
    "wrong",
    [{"price_e5": 10**9 + 1}, {"total_wh": 2**40}, {"total_wh": -1}, {"batch_roots": (b"short",)}],
)
def test_what_does_not_fit_its_width_is_no_message(town: Community, wrong: dict[str, Any]) -> None:
    town.opened(K)
    town.refuses("center", town.price(K, **wrong), code=1)


def test_prices_are_asked_for_by_slot_and_by_stretch(town: Community) -> None:
    sealed(town, K)
    town.opened(K + 1)
    town.accepts("center", town.price(K))
    town.accepts("center", town.price(K + 1))
    both = (FoldedPrice(K, 25_000, True), FoldedPrice(K + 1, 28_600, False))
    assert town.ask(queries.prices, REGION, IMPORT, K, K + 3) == both
    assert town.ask(queries.prices, REGION, IMPORT, K + 1, K + 3) == both[1:]
    assert town.ask(queries.prices, REGION, IMPORT, K, K + 1) == both[:1]
    assert town.ask(queries.prices, REGION, EXPORT, K, K + 3) == ()
    assert town.ask(queries.prices, REGION, IMPORT, K - 9_999, 2**40) == both[:1]
    assert town.ask(queries.prices, REGION, IMPORT, K - 10_000, 2**40) == ()
