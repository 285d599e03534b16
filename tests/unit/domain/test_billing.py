"""Bills: rules Z-1 to Z-7. Every amount that is expected here was worked out by hand."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.domain import (
    Absence,
    Absent,
    BillMonth,
    ChannelMonth,
    ChannelTariff,
    Charge,
    ChargeKind,
    Direction,
    Flat,
    Levy,
    Line,
    Metered,
    MonthBounds,
    MonthId,
    NoTariffError,
    OutOfRangeError,
    Penalties,
    RegisterBehindError,
    Registers,
    SlotPrice,
    SlotsUncoveredError,
    Standing,
    Tariff,
    TariffStep,
    Tax,
    Why,
    billed_wh,
    half_up,
    make_bill,
    tariff_at,
)
from gridproof.domain.billing import MAX_REGISTER_WH

IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT
BOUNDS = MonthBounds(MonthId(24_309), 90_000, 93_600, 900)  # four quarter-hours: k = 100 .. 103
PRICES = (SlotPrice(20_000, False), SlotPrice(30_000, False), SlotPrice(25_000, True), SlotPrice(10_000, False))
FEED_IN = (SlotPrice(6_000, False), SlotPrice(5_000, False), SlotPrice(4_000, True), SlotPrice(-1_000, False))
READ = (Metered(100, 500), Metered(101, 1_000), Metered(102, 0), Metered(103, 300))
PLAIN = Tariff("plain", "CHF", 50_000_000, ChannelTariff(Flat(1), 25_000), ChannelTariff(Flat(1), 4_000))


def channel(readings: tuple[Metered, ...] = READ, absent: tuple[Absent, ...] = (), **changes: Any) -> ChannelMonth:
    """An import channel without a register, unless told otherwise."""
    return ChannelMonth(IMPORT, PRICES, readings, absent, None)._replace(**changes)


def month(*channels: ChannelMonth, tariff: Tariff = PLAIN, **changes: Any) -> BillMonth:
    """A whole month under one tariff, unless told otherwise."""
    made = BillMonth(BOUNDS, 100, 104, (TariffStep(100, tariff),), channels or (channel(),))
    return made._replace(**changes)


def charge(kind: ChargeKind, name: str, amount_e9: int, quantity: int, rate: int = 0, **changes: Any) -> Charge:
    """A charge of the import channel over the month, unless told otherwise."""
    return Charge(kind, name, IMPORT, 100, 104, quantity, rate, amount_e9)._replace(**changes)


# --- Z-1: lines ----------------------------------------------------------------------------------------------------


def test_z1_a_line_is_the_slots_energy_at_its_price() -> None:
    assert make_bill(month()).lines == (
        Line(IMPORT, 100, 500, 20_000, False, False, 100_000_000),  # 0.5 kWh at 0.20 are 0.10
        Line(IMPORT, 101, 1_000, 30_000, False, False, 300_000_000),
        Line(IMPORT, 102, 0, 25_000, True, False, 0),
        Line(IMPORT, 103, 300, 10_000, False, False, 30_000_000),
    )


def test_z1_fed_in_energy_takes_from_the_bill_and_may_cost_where_its_price_is_negative() -> None:
    bill = make_bill(month(channel(channel=EXPORT, prices=FEED_IN)))
    assert [line.amount_e9 for line in bill.lines] == [-30_000_000, -50_000_000, 0, 3_000_000]
    assert bill.charges == (charge(ChargeKind.FEED_IN, "", -77_000_000, 1_800, channel=EXPORT),)


def test_z1_the_smallest_line_is_not_rounded() -> None:
    prices = (SlotPrice(1, False), *PRICES[1:])
    bill = make_bill(month(channel((Metered(100, 1), *(Metered(k, 0) for k in (101, 102, 103))), prices=prices)))
    assert (bill.lines[0].amount_e9, bill.total_e9, bill.payable_e9) == (10, 10, 0)


# --- Z-2: levies and standing charges ------------------------------------------------------------------------------


def test_z2_levies_are_due_for_imported_energy_alone() -> None:
    tariff = replace(PLAIN, levies=(Levy("grid", 9_500), Levy("reserve", 230)))
    bill = make_bill(month(channel(), channel(channel=EXPORT, prices=FEED_IN), tariff=tariff))
    assert bill.charges == (
        charge(ChargeKind.ENERGY, "", 430_000_000, 1_800),
        charge(ChargeKind.LEVY, "grid", 171_000_000, 1_800, 9_500),  # 1.8 kWh at 0.095
        charge(ChargeKind.LEVY, "reserve", 4_140_000, 1_800, 230),
        charge(ChargeKind.FEED_IN, "", -77_000_000, 1_800, channel=EXPORT),
    )
    assert bill.total_e9 == 528_140_000


@pytest.mark.parametrize(
    ("from_k", "until_k", "seconds", "due_e9"),
    [
        (100, 104, 3_600, 10),  # the whole
        (100, 102, 1_800, 5),
        (101, 102, 900, 3),  # 2.5
        (101, 104, 2_700, 8),  # 7.5
    ],
)
def test_z2_a_standing_charge_is_for_the_seconds_enrolled_half_up(
    from_k: int, until_k: int, seconds: int, due_e9: int
) -> None:
    tariff = replace(PLAIN, standing=(Standing("meter", 10, 3_600),))
    own = channel(tuple(each for each in READ if from_k <= each.k < until_k))
    bill = make_bill(month(own, tariff=tariff, from_k=from_k, until_k=until_k))
    assert bill.charges[1] == charge(ChargeKind.STANDING, "meter", due_e9, seconds, 10, from_k=from_k, until_k=until_k)


def test_z2_a_standing_charge_is_due_once_whatever_the_channels() -> None:
    tariff = replace(PLAIN, standing=(Standing("meter", 10, 3_600),))
    bill = make_bill(month(channel(), channel(channel=EXPORT, prices=FEED_IN), tariff=tariff))
    assert sum(each.amount_e9 for each in bill.charges if each.kind == ChargeKind.STANDING) == 10


# --- Z-3: taxes ----------------------------------------------------------------------------------------------------


def test_z3_a_tax_is_taken_once_on_import_levies_and_standing() -> None:
    tariff = replace(
        PLAIN,
        levies=(Levy("grid", 9_500),),
        standing=(Standing("meter", 7, 3_600),),
        taxes=(Tax("VAT", 810),),
        penalties=Penalties(1_000, 0),
    )
    silent = channel(READ[:2] + READ[3:], (Absent(102, Why.SILENT),))
    bill = make_bill(month(silent, channel(channel=EXPORT, prices=FEED_IN), tariff=tariff))
    base_e9 = 430_000_000 + 171_000_000 + 7  # neither what is fed in nor the penalty
    # 8.1 % of 601,000,007 are 48,681,000.567
    assert bill.charges[-1] == charge(ChargeKind.TAX, "VAT", 48_681_001, base_e9, 810)
    assert bill.total_e9 == base_e9 + 48_681_001 - 77_000_000 + 1_000


@pytest.mark.parametrize(("base_e9", "due_e9"), [(10, 1), (4, 0), (5, 1), (0, 0)])
def test_z3_a_tax_is_rounded_half_up(base_e9: int, due_e9: int) -> None:
    tariff = replace(PLAIN, standing=(Standing("meter", base_e9, 3_600),), taxes=(Tax("VAT", 1_000),))
    nothing = channel(tuple(each._replace(energy_wh=0) for each in READ))
    assert make_bill(month(nothing, tariff=tariff)).charges[-1].amount_e9 == due_e9


def test_z3_a_tax_on_a_negative_base_is_rounded_half_up_too() -> None:
    prices = (SlotPrice(-1, False), *PRICES[1:])
    tariff = replace(PLAIN, taxes=(Tax("VAT", 500),))
    read = (Metered(100, 1), *(Metered(k, 0) for k in (101, 102, 103)))
    bill = make_bill(month(channel(read, prices=prices), tariff=tariff))
    assert bill.charges[-1] == charge(ChargeKind.TAX, "VAT", 0, -10, 500)  # -0.5


def test_z3_tariffs_that_name_the_same_tax_at_the_same_rate_share_its_base() -> None:
    """Two bases of 5 would be rounded up twice."""
    first = replace(PLAIN, standing=(Standing("meter", 10, 3_600),), taxes=(Tax("VAT", 1_000),))
    second = replace(first, name="second")
    nothing = channel(tuple(each._replace(energy_wh=0) for each in READ))
    steps = (TariffStep(100, first), TariffStep(102, second))
    bill = make_bill(month(nothing, tariffs=steps))
    assert [each for each in bill.charges if each.kind == ChargeKind.TAX] == [
        charge(ChargeKind.TAX, "VAT", 1, 10, 1_000)
    ]
    other = (TariffStep(100, first), TariffStep(102, replace(second, taxes=(Tax("VAT", 2_000),))))
    bill = make_bill(month(nothing, tariffs=other))
    assert [each for each in bill.charges if each.kind == ChargeKind.TAX] == [
        charge(ChargeKind.TAX, "VAT", 1, 5, 1_000),
        charge(ChargeKind.TAX, "VAT", 1, 5, 2_000),
    ]


# --- Z-4: penalties ------------------------------------------------------------------------------------------------


def test_z4_who_is_silent_or_late_pays_and_who_is_not_to_blame_does_not() -> None:
    tariff = replace(PLAIN, penalties=Penalties(700, 300))
    own = channel((Metered(100, 500, late=True),), (
        Absent(101, Why.SILENT),
        Absent(102, Why.DROPPED),
        Absent(103, Why.EXCLUDED),
    ))  # fmt: skip
    bill = make_bill(month(own, tariff=tariff))
    assert bill.absences == (
        Absence(IMPORT, 101, Why.SILENT, 700),
        Absence(IMPORT, 102, Why.DROPPED, 0),
        Absence(IMPORT, 103, Why.EXCLUDED, 0),
    )
    assert bill.lines == (Line(IMPORT, 100, 500, 20_000, False, True, 100_000_000),)
    assert bill.charges[1:] == (
        charge(ChargeKind.PENALTY, "missing", 700, 1, 700),
        charge(ChargeKind.PENALTY, "late", 300, 1, 300),
    )


def test_z4_a_void_slot_costs_nothing() -> None:
    tariff = replace(PLAIN, penalties=Penalties(700, 300))
    bill = make_bill(month(channel((), tuple(Absent(k, Why.VOID) for k in range(100, 104))), tariff=tariff))
    assert bill.total_e9 == 0
    assert all(absence.penalty_e9 == 0 for absence in bill.absences)


def test_z4_each_channel_has_its_own_penalties() -> None:
    tariff = replace(PLAIN, penalties=Penalties(700, 300))
    silent = channel(READ[1:], (Absent(100, Why.SILENT),))
    bill = make_bill(month(silent, silent._replace(channel=EXPORT, prices=FEED_IN), tariff=tariff))
    assert [each.channel for each in bill.charges if each.kind == ChargeKind.PENALTY] == [IMPORT, EXPORT]


# --- Z-5: the register ---------------------------------------------------------------------------------------------


def reconciled(bill_month: BillMonth) -> list[Charge]:
    return [each for each in make_bill(bill_month).charges if each.kind == ChargeKind.RECONCILIATION]


def test_z5_what_the_register_says_beyond_the_records_costs_the_dearest_slot() -> None:
    own = channel(READ[2:], (Absent(100, Why.SILENT), Absent(101, Why.DROPPED)), registers=Registers(10_000, 11_800))
    assert billed_wh(own) == 300
    # 1.5 kWh at 0.30
    assert reconciled(month(own)) == [charge(ChargeKind.RECONCILIATION, "energy", 450_000_000, 1_500, 30_000)]
    assert make_bill(month(own)).total_e9 == 30_000_000 + 450_000_000


def test_z5_what_is_missing_of_feed_in_has_the_lowest_price() -> None:
    own = channel(channel=EXPORT, prices=FEED_IN, registers=Registers(0, 2_000))
    # 0.2 kWh at -0.01: it costs
    assert reconciled(month(own)) == [
        charge(ChargeKind.RECONCILIATION, "energy", 2_000_000, 200, -1_000, channel=EXPORT)
    ]


def test_z5_the_dearest_slot_is_so_with_its_levies() -> None:
    """Slot 101 costs 30,000 and slot 103 with its levies 10,000 + 25,000."""
    first, second = PLAIN, replace(PLAIN, name="second", levies=(Levy("grid", 25_000),))
    own = channel(registers=Registers(0, 1_900))
    steps = (TariffStep(100, first), TariffStep(103, second))
    assert reconciled(month(own, tariffs=steps)) == [
        charge(ChargeKind.RECONCILIATION, "energy", 10_000_000, 100, 10_000),
        charge(ChargeKind.RECONCILIATION, "levies", 25_000_000, 100, 25_000),
    ]


@pytest.mark.parametrize("taxed_first", [True, False])
def test_z5_the_dearest_slot_is_so_with_its_taxes_which_are_due(taxed_first: bool) -> None:
    """Slot 101 costs 30,000, or with half as tax 45,000; slot 102 costs 25,000, or 37,500. Who keeps silent under the
    tariff with the tax does not pay by the other one."""
    taxed = replace(PLAIN, taxes=(Tax("VAT", 5_000),))
    tariffs = (taxed, PLAIN) if taxed_first else (PLAIN, taxed)
    steps = (TariffStep(100, tariffs[0]), TariffStep(102, tariffs[1]))
    bill = make_bill(month(channel(registers=Registers(0, 1_900)), tariffs=steps))
    assert [each.rate for each in bill.charges if each.kind == ChargeKind.RECONCILIATION] == [
        30_000 if taxed_first else 25_000
    ]
    # First: 0.1 + 0.3 and the 0.03 reconciled. Second: 0 + 0.03 and the 0.025 reconciled.
    assert [each for each in bill.charges if each.kind == ChargeKind.TAX] == [
        charge(ChargeKind.TAX, "VAT", 215_000_000, 430_000_000, 5_000)
        if taxed_first
        else charge(ChargeKind.TAX, "VAT", 27_500_000, 55_000_000, 5_000)
    ]


def test_z5_the_dearest_slot_of_the_month_may_lie_outside_the_stretch() -> None:
    own = channel(READ[2:], registers=Registers(0, 400))
    late = month(own, from_k=102)
    assert reconciled(late) == [
        charge(ChargeKind.RECONCILIATION, "energy", 30_000_000, 100, 30_000, from_k=102, until_k=104)
    ]


def test_z5_a_tariff_before_the_stretch_gives_its_levies_and_taxes_to_the_dearest_slot() -> None:
    first = replace(PLAIN, levies=(Levy("grid", 1_000),), taxes=(Tax("VAT", 1_000),))
    steps = (TariffStep(100, first), TariffStep(102, PLAIN))
    bill = make_bill(month(channel(READ[2:], registers=Registers(0, 400)), from_k=102, tariffs=steps))
    assert [(each.kind, each.amount_e9) for each in bill.charges] == [
        (ChargeKind.ENERGY, 30_000_000),
        (ChargeKind.RECONCILIATION, 30_000_000),
        (ChargeKind.RECONCILIATION, 1_000_000),
        (ChargeKind.TAX, 3_100_000),
    ]


def test_z5_a_month_of_one_tariff_is_looked_at_whole_though_it_begins_with_the_stretch() -> None:
    """Where a caller gives no tariff for what lies before the stretch, its first one stands in."""
    own = channel(READ[2:], registers=Registers(0, 400))
    levied = replace(PLAIN, levies=(Levy("grid", 1_000),))
    late = month(own, from_k=102, tariffs=(TariffStep(102, levied),))
    assert [each.rate for each in reconciled(late)] == [30_000, 1_000]


def test_z5_a_register_that_fits_or_is_not_there_costs_nothing() -> None:
    assert reconciled(month(channel(registers=Registers(7, 1_807)))) == []
    assert reconciled(month(channel())) == []


def test_z5_what_earlier_months_billed_is_carried() -> None:
    own = channel(registers=Registers(0, 5_000, carried_wh=3_100))
    assert [each.quantity for each in reconciled(month(own))] == [100]


@pytest.mark.parametrize("registers", [Registers(0, 1_799), Registers(5, 4), Registers(0, 1_800, 1)])
def test_z5_a_register_that_says_less_is_an_error(registers: Registers) -> None:
    with pytest.raises(RegisterBehindError) as refusal:
        make_bill(month(channel(registers=registers)))
    assert refusal.value.channel == "import"
    assert refusal.value.register_wh == registers.end_wh - registers.start_wh
    assert refusal.value.recorded_wh == 1_800 + registers.carried_wh


@pytest.mark.parametrize(
    ("registers", "what"),
    [
        (Registers(-1, 5_000), "start_wh"),
        (Registers(0, MAX_REGISTER_WH + 1), "end_wh"),
        (Registers(0, 5_000, -1), "carried_wh"),
    ],
)
def test_z5_a_register_lies_within_its_width(registers: Registers, what: str) -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        make_bill(month(channel(registers=registers)))
    assert refusal.value.what == what


# --- Z-6: sums -----------------------------------------------------------------------------------------------------


def test_z6_the_bill_is_the_sum_of_its_charges_and_only_what_is_payable_is_rounded() -> None:
    bill = make_bill(month())
    assert bill.charges == (charge(ChargeKind.ENERGY, "", 430_000_000, 1_800),)
    assert (bill.total_e9, bill.payable_e9) == (430_000_000, 450_000_000)  # to 0.05


@pytest.mark.parametrize(
    ("value", "step", "rounded"),
    [
        (24, 50, 0),
        (25, 50, 50),
        (74, 50, 50),
        (75, 50, 100),
        (-24, 50, 0),
        (-25, 50, 0),  # the higher one where it lies in the middle
        (-26, 50, -50),
        (-75, 50, -50),
        (7, 1, 7),
        (-7, 1, -7),
        (1, 3, 0),
        (2, 3, 3),
        (-1, 3, 0),
        (-2, 3, -3),
    ],
)
def test_z6_half_up(value: int, step: int, rounded: int) -> None:
    assert half_up(value, step) == rounded


def test_z6_what_a_household_gets_is_rounded_in_the_same_way() -> None:
    bill = make_bill(month(channel(channel=EXPORT, prices=FEED_IN)))
    assert (bill.total_e9, bill.payable_e9) == (-77_000_000, -100_000_000)
    bill = make_bill(month(channel((Metered(100, 0), Metered(101, 500), *READ[2:]), channel=EXPORT, prices=FEED_IN)))
    assert (bill.total_e9, bill.payable_e9) == (-22_000_000, 0)


# --- Z-7: a tariff that changes ------------------------------------------------------------------------------------


def test_z7_each_slot_has_the_levies_standing_charges_and_penalties_of_its_own_tariff() -> None:
    first = replace(
        PLAIN, levies=(Levy("grid", 100),), standing=(Standing("meter", 36, 3_600),), penalties=Penalties(7, 3)
    )
    second = replace(
        PLAIN,
        name="second",
        rounding_e9=100_000_000,
        levies=(Levy("grid", 200),),
        standing=(Standing("meter", 72, 3_600),),
        penalties=Penalties(11, 5),
    )
    own = channel((Metered(100, 500, late=True), Metered(102, 0), Metered(103, 300, late=True)),
                  (Absent(101, Why.SILENT),))  # fmt: skip
    bill = make_bill(month(own, tariffs=(TariffStep(100, first), TariffStep(103, second))))
    early, late = {"until_k": 103}, {"from_k": 103}
    assert bill.charges == (
        charge(ChargeKind.ENERGY, "", 100_000_000, 500, **early),
        charge(ChargeKind.LEVY, "grid", 500_000, 500, 100, **early),
        charge(ChargeKind.STANDING, "meter", 27, 2_700, 36, **early),
        charge(ChargeKind.PENALTY, "missing", 7, 1, 7, **early),
        charge(ChargeKind.PENALTY, "late", 3, 1, 3, **early),
        charge(ChargeKind.ENERGY, "", 30_000_000, 300, **late),
        charge(ChargeKind.LEVY, "grid", 600_000, 300, 200, **late),
        charge(ChargeKind.STANDING, "meter", 18, 900, 72, **late),
        charge(ChargeKind.PENALTY, "late", 5, 1, 5, **late),
    )
    assert bill.total_e9 == 131_100_060
    assert bill.payable_e9 == 100_000_000


def test_z7_a_tariff_outside_the_stretch_leaves_no_charge() -> None:
    tariff = replace(PLAIN, name="other", standing=(Standing("meter", 36, 3_600),))
    steps = (TariffStep(100, tariff), TariffStep(101, PLAIN), TariffStep(103, tariff))
    bill = make_bill(month(channel(READ[1:3]), tariffs=steps, from_k=101, until_k=103))
    assert [(each.kind, each.from_k, each.until_k) for each in bill.charges] == [(ChargeKind.ENERGY, 101, 103)]


def test_z7_the_tariff_in_force_is_the_last_that_began() -> None:
    other = replace(PLAIN, name="other")
    steps = (TariffStep(100, PLAIN), TariffStep(102, other))
    assert [tariff_at(steps, k).name for k in (100, 101, 102, 999)] == ["plain", "plain", "other", "other"]
    with pytest.raises(NoTariffError) as refusal:
        tariff_at(steps, 99)
    assert refusal.value.k == 99


# --- what no bill is made of ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readings", "absent"),
    [
        (READ[1:], ()),
        (READ, (Absent(100, Why.SILENT),)),
        ((*READ, Metered(104, 1)), ()),
        ((Metered(99, 1), *READ), ()),
        ((READ[0], READ[0], *READ[2:]), ()),
        (READ[::-1], ()),
        ((), (Absent(101, Why.VOID), Absent(100, Why.VOID), Absent(102, Why.VOID), Absent(103, Why.VOID))),
    ],
)
def test_every_slot_of_the_stretch_has_its_place_once(
    readings: tuple[Metered, ...], absent: tuple[Absent, ...]
) -> None:
    with pytest.raises(SlotsUncoveredError) as refusal:
        make_bill(month(channel(readings, absent)))
    assert refusal.value.particulars == {"channel": "import", "from_k": 100, "until_k": 104}


def test_a_channel_is_billed_once() -> None:
    with pytest.raises(SlotsUncoveredError):
        make_bill(month(channel(), channel()))


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"from_k": 99}, "from_k"),
        ({"from_k": 104}, "from_k"),
        ({"until_k": 105}, "until_k"),
        ({"until_k": 100}, "until_k"),
        ({"channels": (channel(prices=PRICES[1:]),)}, "prices"),
        ({"channels": (channel((*READ[:3], Metered(103, -1))),)}, "energy_wh"),
        ({"channels": (channel((*READ[:3], Metered(103, 2**32))),)}, "energy_wh"),
    ],
)
def test_what_lies_outside_what_it_can_be_is_refused(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        make_bill(month(**wrong))
    assert refusal.value.what == what


@pytest.mark.parametrize("steps", [(), (TariffStep(101, PLAIN),)])
def test_without_a_tariff_there_is_no_bill(steps: tuple[TariffStep, ...]) -> None:
    with pytest.raises(NoTariffError) as refusal:
        make_bill(month(tariffs=steps))
    assert refusal.value.k == 100
