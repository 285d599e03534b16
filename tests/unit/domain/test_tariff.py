"""Tariffs: rules Y-1 to Y-4. Every price that is expected here was worked out by hand."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import (
    MAX_SWITCHES,
    Band,
    ChannelTariff,
    Direction,
    Flat,
    Levy,
    Linear,
    Penalties,
    Scheme,
    Standing,
    Step,
    Stepped,
    Switch,
    Tariff,
    TariffError,
    Tax,
    TimeOfUse,
    require_tariff,
    slot_price,
)
from gridproof.domain.tariff import MAX_BANDS, MAX_CHARGE_E9, MAX_PRICE_E5, TAX_WHOLE
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import MalformedEncodingError, NonCanonicalEncodingError

NIGHT_S, DAY_S, EVENING_S = 1_000, 2_000, 3_000
TIMES = TimeOfUse(
    (Band("low", 9_000), Band("high", 21_000)), (Switch(NIGHT_S, 0), Switch(DAY_S, 1), Switch(EVENING_S, 0))
)
FALLING = Linear(1_000, 12_000, 4_000, 3_000)
STEPS = Stepped((Step(0, 8_000), Step(5_000, 11_000), Step(9_000, 30_000)))
CODEC = Codec(Tariff)


def tariff(imports: Scheme | None = None, feed_in: Scheme | None = None, **changes: Any) -> Tariff:
    """A tariff of flat prices, unless told otherwise; its fallback prices are 25,000 and 4,000."""
    plain = Tariff(
        "plain",
        "CHF",
        50_000_000,
        ChannelTariff(imports or Flat(20_000), 25_000),
        ChannelTariff(feed_in or Flat(6_000), 4_000),
    )
    return replace(plain, **changes)


def price(scheme: Scheme, start_s: int = NIGHT_S, load_wh: int = 0) -> int:
    return slot_price(tariff(scheme), Direction.IMPORT, start_s, load_wh)


# --- Y-1: schemes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load_wh", [0, 1, 2**40 - 1])
def test_y1_a_flat_price_looks_at_nothing(load_wh: int) -> None:
    assert price(Flat(-7), start_s=load_wh, load_wh=load_wh) == -7


@pytest.mark.parametrize(
    ("start_s", "expected_e5"), [(1_000, 9_000), (1_999, 9_000), (2_000, 21_000), (2_999, 21_000), (3_000, 9_000)]
)
def test_y1_a_slot_has_the_band_that_holds_at_its_start(start_s: int, expected_e5: int) -> None:
    assert price(TIMES, start_s) == expected_e5


@pytest.mark.parametrize(
    ("load_wh", "expected_e5"),
    [
        (0, 12_000),
        (1_000, 12_000),
        (2_000, 9_000),  # a third of the way from 12,000 down to 3,000
        (1_001, 11_997),  # 9,000 / 3,000 = 3 a Wh
        (4_000, 3_000),
        (9_999, 3_000),
    ],
)
def test_y1_a_linear_price_goes_between_two_points_and_stays_beyond(load_wh: int, expected_e5: int) -> None:
    assert price(FALLING, load_wh=load_wh) == expected_e5


@pytest.mark.parametrize(
    ("first_e5", "last_e5", "expected_e5"),
    [(0, 10, 3), (10, 0, 6), (-10, 0, -7), (0, -10, -4)],  # a third: 3.33, 6.67, -6.67, -3.33
)
def test_y1_a_price_between_two_whole_ones_is_the_lower(first_e5: int, last_e5: int, expected_e5: int) -> None:
    assert price(Linear(0, first_e5, 3, last_e5), load_wh=1) == expected_e5


@pytest.mark.parametrize(
    ("load_wh", "expected_e5"), [(0, 8_000), (4_999, 8_000), (5_000, 11_000), (8_999, 11_000), (9_000, 30_000)]
)
def test_y1_a_step_holds_from_its_load_on(load_wh: int, expected_e5: int) -> None:
    assert price(STEPS, load_wh=load_wh) == expected_e5


def test_y1_each_channel_has_its_own_scheme() -> None:
    both = tariff(FALLING, STEPS)
    assert slot_price(both, Direction.IMPORT, NIGHT_S, 5_000) == 3_000
    assert slot_price(both, Direction.EXPORT, NIGHT_S, 5_000) == 11_000


# --- Y-2: slots without a total ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [Flat(1), TIMES, FALLING, STEPS])
def test_y2_a_slot_without_a_total_has_the_fallback_price(scheme: Scheme) -> None:
    both = tariff(scheme, scheme)
    assert slot_price(both, Direction.IMPORT, NIGHT_S, None) == 25_000
    assert slot_price(both, Direction.EXPORT, NIGHT_S, None) == 4_000


def test_y2_a_total_of_nothing_is_a_total() -> None:
    assert slot_price(tariff(FALLING), Direction.IMPORT, NIGHT_S, 0) == 12_000


# --- Y-3: what stands beside the energy ----------------------------------------------------------------------------


def test_y3_levies_and_taxes_add_up() -> None:
    named = tariff(levies=(Levy("grid", 9_500), Levy("reserve", 230)), taxes=(Tax("VAT", 810), Tax("city", 100)))
    assert named.levies_e5 == 9_730
    assert named.taxes_e4 == 910
    assert (tariff().levies_e5, tariff().taxes_e4) == (0, 0)


@pytest.mark.parametrize(("missing_e9", "late_e9", "sound"), [(0, 0, True), (5, 5, True), (5, 4, True), (4, 5, False)])
def test_y3_being_late_never_costs_more_than_being_silent(missing_e9: int, late_e9: int, sound: bool) -> None:
    made = tariff(penalties=Penalties(missing_e9, late_e9))
    if sound:
        require_tariff(made, NIGHT_S)
    else:
        refused(made, "penalties: a late slot costs more than a missing one")


# --- what contradicts itself ---------------------------------------------------------------------------------------


def refused(made: Tariff, detail: str, from_s: int = NIGHT_S) -> None:
    with pytest.raises(TariffError) as refusal:
        require_tariff(made, from_s)
    assert refusal.value.detail == detail


@pytest.mark.parametrize("scheme", [Flat(1), TIMES, FALLING, STEPS])
def test_a_sound_tariff_passes_on_either_channel(scheme: Scheme) -> None:
    require_tariff(tariff(scheme, scheme), NIGHT_S)


BROKEN: list[tuple[Scheme, str]] = [
    (TimeOfUse(TIMES.bands, (Switch(1_000, 0), Switch(1_000, 1))), "the switches do not ascend"),
    (TimeOfUse(TIMES.bands, (Switch(1_000, 0), Switch(999, 1))), "the switches do not ascend"),
    (TimeOfUse(TIMES.bands, (Switch(1_001, 0),)), "no band holds at 1000, where the tariff begins"),
    (TimeOfUse(TIMES.bands, (Switch(1_000, 2),)), "a switch names a band that is not there"),
    (Linear(5, 1, 5, 2), "the two loads do not ascend"),
    (Linear(6, 1, 5, 2), "the two loads do not ascend"),
    (Stepped((Step(0, 1), Step(7, 2), Step(7, 3))), "the steps do not ascend"),
    (Stepped((Step(1, 1),)), "the first step does not begin at 0 Wh"),
]


@pytest.mark.parametrize(("scheme", "detail"), BROKEN)
def test_y1_a_scheme_that_leaves_a_slot_without_one_price_is_refused(scheme: Scheme, detail: str) -> None:
    refused(tariff(imports=scheme), f"import: {detail}")
    refused(tariff(feed_in=scheme), f"export: {detail}")


def test_y4_a_switch_may_lie_before_the_tariff_begins() -> None:
    """Zones and days are cut above: here a switch is an instant, and the last one before a slot holds."""
    require_tariff(tariff(TIMES), DAY_S + 1)
    assert price(TIMES, DAY_S + 1) == 21_000


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"levies": (Levy("grid", 1), Levy("grid", 2))}, "levies"),
        ({"standing": (Standing("meter", 1, 1), Standing("meter", 1, 1))}, "standing"),
        ({"taxes": (Tax("VAT", 1), Tax("VAT", 2))}, "taxes"),
    ],
)
def test_y3_a_name_stands_for_one_charge(parts: dict[str, Any], what: str) -> None:
    refused(tariff(**parts), f"{what}: a name comes twice")


@pytest.mark.parametrize("name", [" a", "a ", "a\u200b", "\u202ea", "a\x7f"])
@pytest.mark.parametrize("where", ["name", "band", "levies", "standing", "taxes"])
def test_y3_a_name_is_one_that_people_see(name: str, where: str) -> None:
    made = {
        "name": lambda: tariff(name=name),
        "band": lambda: tariff(feed_in=TimeOfUse((Band(name, 1),), (Switch(0, 0),))),
        "levies": lambda: tariff(levies=(Levy(name, 1),)),
        "standing": lambda: tariff(standing=(Standing(name, 1, 1),)),
        "taxes": lambda: tariff(taxes=(Tax(name, 1),)),
    }[where]()
    refused(made, f"the name {name!a}: it begins or ends with a space, or has an unseen character")


# --- its one encoding ----------------------------------------------------------------------------------------------

WHOLE = tariff(
    TIMES,
    STEPS,
    levies=(Levy("grid", 9_500),),
    standing=(Standing("meter", 5 * 10**9, 2_678_400),),
    taxes=(Tax("VAT", 810),),
    penalties=Penalties(20, 10),
)


@pytest.mark.parametrize("made", [tariff(), WHOLE, tariff(FALLING)])
def test_a_tariff_has_one_encoding(made: Tariff) -> None:
    assert CODEC.decode(CODEC.encode(made)) == made


def test_a_tariff_without_its_last_fields_is_another_spelling_and_refused() -> None:
    whole = CODEC.encode(tariff())
    assert whole[0] == 0x9A  # an array of ten
    with pytest.raises((MalformedEncodingError, NonCanonicalEncodingError)):
        CODEC.decode(b"\x99" + whole[1:-3])  # nine: without the limit, 50,000 in three bytes


@pytest.mark.parametrize(
    "made",
    [
        tariff(Flat(MAX_PRICE_E5 + 1)),
        tariff(Flat(-MAX_PRICE_E5 - 1)),
        tariff(currency="chf"),
        tariff(currency="EURO"),
        tariff(rounding_e9=0),
        tariff(name=""),
        tariff(name="x" * 65),
        tariff(levies=(Levy("grid", -1),)),
        tariff(levies=tuple(Levy(f"levy {n}", 1) for n in range(17))),
        tariff(standing=(Standing("meter", -1, 1),)),
        tariff(standing=(Standing("meter", 1, 0),)),
        tariff(taxes=(Tax("VAT", TAX_WHOLE + 1),)),
        tariff(taxes=(Tax("VAT", -1),)),
        tariff(penalties=Penalties(-1, -1)),
        tariff(penalties=Penalties(MAX_CHARGE_E9 + 1, 0)),
        tariff(Stepped(())),
        tariff(Stepped((Step(-1, 1),))),
        tariff(TimeOfUse((), (Switch(0, 0),))),
        tariff(TimeOfUse((Band("one", 1),), ())),
        tariff(TimeOfUse((Band("one", 1),), (Switch(0, MAX_BANDS),))),
        tariff(TimeOfUse((Band("one", 1),), tuple(Switch(n, 0) for n in range(MAX_SWITCHES + 1)))),
    ],
)
def test_what_does_not_fit_its_width_is_no_tariff(made: Tariff) -> None:
    with pytest.raises(MalformedEncodingError):
        CODEC.decode(CODEC.encode(made))
