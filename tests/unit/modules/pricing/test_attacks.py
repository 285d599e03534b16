"""What a control centre or an operator may try, each shown to work where the rule is missing.

The weakened module sets whatever price it is told, as the paper's ledger does: its message carries neither period nor
batches, and nobody computes the price again.
"""

from collections.abc import Callable
from dataclasses import replace as rewired

import pytest
from msgspec.structs import replace

from gridproof.domain import ChannelTariff, Flat, ParticipantId
from gridproof.modules.pricing import errors, queries
from gridproof.modules.pricing.book import Book
from gridproof.modules.pricing.messages import AnnouncePrice, ChangeTariff
from gridproof.modules.pricing.types import PRICES, Price
from gridproof.state import Context, Module, route

from tests.unit.modules.aggregation.community import FIRST_K, IMPORT, MONTH, REGION, TARIFF, Community

K = FIRST_K
Weaken = Callable[[Module], Module]


def trust(ctx: Context, _sender: ParticipantId, message: AnnouncePrice) -> None:
    """Set a price unseen."""
    PRICES.put(ctx, *message.slot, value=Price(message.price_e5, False, message.total_wh))


def change_at_once(ctx: Context, _sender: ParticipantId, message: ChangeTariff) -> None:
    """Change a tariff whenever it is asked for."""
    Book().put(ctx, message.region, message.month, message.from_k, message.tariff)


def trusting(module: Module) -> Module:
    """Pricing without its rules, and without the invariants that would tell."""
    if module.name != "pricing":
        return module
    return rewired(module, routes=(route(AnnouncePrice, trust), route(ChangeTariff, change_at_once)), invariants=())


def two_slots(weaken: Weaken = lambda module: module) -> Community:
    """Two slots opened, with totals of 886 and 609 Wh."""
    town = Community(weaken=weaken).begin(tariff=TARIFF)
    town.opened(K)
    town.opened(K + 1, 0, 1, 2)
    return town


def price_in(town: Community, k: int = K) -> int | None:
    known = town.ask(queries.price, REGION, IMPORT, k)
    return known.price_e5 if known else None


def wrong_price(town: Community) -> AnnouncePrice:
    return town.price(K, price_e5=99_999)


def swapped_price(town: Community) -> AnnouncePrice:
    """The other slot's price, with this slot's total and batches."""
    return town.price(K, price_e5=town.price(K + 1).price_e5)


def replayed_price(town: Community) -> AnnouncePrice:
    """The other slot's whole message, under this slot's period."""
    return replace(town.price(K + 1), k=K)


def price_for_another_total(town: Community) -> AnnouncePrice:
    """Right for the total that it names; that total is not the slot's."""
    return town.price(K, total_wh=100, price_e5=12_000)


def price_for_other_records(town: Community) -> AnnouncePrice:
    """Made for a slot with other batches: the records were exchanged, the total happens to be the same."""
    return town.price(K, batch_roots=(bytes(32),))


def fallback_for_a_total(town: Community) -> AnnouncePrice:
    """Dear or cheap, the fallback price is for slots without a total."""
    return town.price(K, price_e5=TARIFF.imports.fallback_e5)


ATTACKS: list[tuple[Callable[[Community], AnnouncePrice], type[errors.PricingError]]] = [
    (wrong_price, errors.WrongPrice),
    (swapped_price, errors.WrongPrice),
    (replayed_price, errors.OtherTotal),
    (price_for_another_total, errors.OtherTotal),
    (price_for_other_records, errors.OtherTotal),
    (fallback_for_a_total, errors.WrongPrice),
]


@pytest.mark.parametrize(("attack", "reason"), ATTACKS)
def test_row12_a_price_that_is_not_the_slots_is_refused(
    attack: Callable[[Community], AnnouncePrice], reason: type[errors.PricingError]
) -> None:
    weak = two_slots(trusting)
    message = attack(weak)
    weak.accepts("center", message)
    assert price_in(weak) == message.price_e5  # the control: the attacker wins

    town = two_slots()
    refusal = town.refuses("center", attack(town), code=reason.code)
    assert type(refusal) is reason
    assert price_in(town) is None
    town.accepts("center", town.price(K))
    assert price_in(town) == 27_720


def test_a_second_price_replaces_the_first_only_where_nobody_minds() -> None:
    weak = two_slots(trusting)
    weak.accepts("center", weak.price(K))
    weak.accepts("center", wrong_price(weak))
    assert price_in(weak) == 99_999

    town = two_slots()
    town.accepts("center", town.price(K))
    town.refuses_by("center", wrong_price(town), errors.PriceExists, price_e5=27_720)
    assert price_in(town) == 27_720


def test_a_tariff_is_not_changed_for_the_past() -> None:
    """The operator sees the totals, and would like to have asked for more."""
    dearer = replace(TARIFF, name="dearer", imports=ChannelTariff(Flat(99_999), 99_999))
    afterwards = ChangeTariff(REGION, MONTH, K + 1, dearer)
    weak = two_slots(trusting)
    weak.accepts("operator", afterwards)
    assert weak.ask(queries.tariffs, REGION, MONTH)[-1] == (K + 1, dearer)

    town = two_slots()
    town.refuses("operator", afterwards, code=errors.TariffTooLate.code)
    town.refuses("operator", replace(afterwards, from_k=K), code=errors.TariffTooEarly.code)
    town.accepts("center", town.price(K + 1))
    assert price_in(town, K + 1) == 22_840  # 10,000 + 20 x 642


def test_an_outsider_sets_no_price() -> None:
    weak = two_slots(trusting)
    weak.accepts("household", wrong_price(weak))
    assert price_in(weak) == 99_999

    town = two_slots()
    for name in ("household", "operator", "provider", "first"):
        town.refuses(name, town.price(K), code=1007)
    assert price_in(town) is None
