"""Bills of random months: what holds of every one of them, whatever the tariffs, prices, readings and gaps."""

from collections.abc import Sequence

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gridproof.domain import (
    Absent,
    Bill,
    BillMonth,
    ChannelMonth,
    ChannelTariff,
    Charge,
    ChargeKind,
    Direction,
    Flat,
    Levy,
    Metered,
    MonthBounds,
    MonthId,
    Penalties,
    Registers,
    SlotPrice,
    Standing,
    Tariff,
    TariffStep,
    Tax,
    Why,
    billed_wh,
    half_up,
    make_bill,
    require_tariff,
)

PERIODS = 6
FIRST_K = 100
BOUNDS = MonthBounds(MonthId(24_309), FIRST_K * 900, (FIRST_K + PERIODS) * 900, 900)
IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT
NOTHING = ChannelTariff(Flat(0), 0)

energies = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 2**32 - 1))
prices = st.one_of(st.integers(0, 40_000), st.integers(-3_000, 60_000))
rates = st.integers(0, 10_000)


def named(values: st.SearchStrategy[int], most: int = 2) -> st.SearchStrategy[list[int]]:
    return st.lists(values, max_size=most)


@st.composite
def tariffs(draw: st.DrawFn, rounding_e9: int = 50_000_000) -> Tariff:
    """What stands beside the energy; the schemes play no part, prices come from the ledger."""
    late_e9 = draw(st.integers(0, 10**9))
    made = Tariff(
        draw(st.sampled_from(["one", "two"])),
        "CHF",
        rounding_e9,
        NOTHING,
        NOTHING,
        levies=tuple(Levy(f"levy {n}", price_e5) for n, price_e5 in enumerate(draw(named(st.integers(0, 20_000))))),
        standing=tuple(
            Standing(f"standing {n}", amount_e9, per_s)
            for n, (amount_e9, per_s) in enumerate(
                draw(st.lists(st.tuples(st.integers(0, 10**11), st.integers(1, 10**6)), max_size=2))
            )
        ),
        taxes=tuple(Tax(f"tax {n}", rate_e4) for n, rate_e4 in enumerate(draw(named(rates)))),
        penalties=Penalties(late_e9 + draw(st.integers(0, 10**9)), late_e9),
    )
    require_tariff(made, BOUNDS.start_s)
    return made


@st.composite
def channels(draw: st.DrawFn, direction: Direction, from_k: int, until_k: int) -> ChannelMonth:
    """A channel with a register that says what the records say, or more."""
    readings: list[Metered] = []
    absent: list[Absent] = []
    for k in range(from_k, until_k):
        why = draw(st.sampled_from([None, None, None, *Why]))
        if why is None:
            readings.append(Metered(k, draw(energies), draw(st.booleans())))
        else:
            absent.append(Absent(k, why))
    listed = tuple(SlotPrice(draw(prices), draw(st.booleans())) for _ in range(PERIODS))
    made = ChannelMonth(direction, listed, tuple(readings), tuple(absent), None)
    start_wh, carried_wh = draw(st.integers(0, 10**6)), draw(st.sampled_from([0, 0, 700]))
    rest_wh = draw(st.one_of(st.just(0), energies))
    end_wh = start_wh + billed_wh(made) + carried_wh + rest_wh
    registers = draw(st.sampled_from([None, *[Registers(start_wh, end_wh, carried_wh)] * 3]))
    return made._replace(registers=registers)


@st.composite
def months(draw: st.DrawFn, directions: Sequence[Direction] | None = None, changes: int = 2) -> BillMonth:
    """A stretch of a month under one to three tariffs."""
    from_k = draw(st.integers(FIRST_K, FIRST_K + PERIODS - 1))
    until_k = draw(st.integers(from_k + 1, FIRST_K + PERIODS))
    starts = draw(st.lists(st.integers(FIRST_K + 1, FIRST_K + PERIODS - 1), max_size=changes, unique=True))
    steps = tuple(TariffStep(k, draw(tariffs())) for k in (FIRST_K, *sorted(starts)))
    if directions is None:
        directions = draw(st.sampled_from([(IMPORT,), (EXPORT,), (IMPORT, EXPORT)]))
    return BillMonth(
        BOUNDS, from_k, until_k, steps, tuple(draw(channels(each, from_k, until_k)) for each in directions)
    )


def of_kind(bill: Bill, *kinds: ChargeKind, channel: Direction | None = None) -> list[Charge]:
    return [each for each in bill.charges if each.kind in kinds and channel in (None, each.channel)]


def amount(charges: Sequence[Charge]) -> int:
    return sum(each.amount_e9 for each in charges)


def roundings(month: BillMonth) -> int:
    """In how many places a month is rounded to 1e-9, at most."""
    return sum(len(step.tariff.standing) + len(step.tariff.taxes) for step in month.tariffs)


@given(months())
def test_z6_a_bill_is_the_sum_of_its_charges_which_are_its_lines_and_the_rest(month: BillMonth) -> None:
    bill = make_bill(month)
    assert bill.total_e9 == amount(bill.charges)
    energy = of_kind(bill, ChargeKind.ENERGY, ChargeKind.FEED_IN)
    rest = [each for each in bill.charges if each not in energy]
    assert bill.total_e9 == sum(line.amount_e9 for line in bill.lines) + amount(rest)
    penalties = of_kind(bill, ChargeKind.PENALTY)
    missing_e9 = sum(each.penalty_e9 for each in bill.absences)
    assert amount([each for each in penalties if each.name == "missing"]) == missing_e9


@given(months())
def test_z6_energy_charges_are_the_sums_of_their_lines(month: BillMonth) -> None:
    bill = make_bill(month)
    for each in of_kind(bill, ChargeKind.ENERGY, ChargeKind.FEED_IN):
        own = [line for line in bill.lines if line.channel == each.channel and each.from_k <= line.k < each.until_k]
        assert each.quantity == sum(line.energy_wh for line in own)
        assert each.amount_e9 == sum(line.amount_e9 for line in own)
    assert {each.kind for each in of_kind(bill, ChargeKind.ENERGY, ChargeKind.FEED_IN)} == {
        ChargeKind.ENERGY if channel.channel == IMPORT else ChargeKind.FEED_IN for channel in month.channels
    }


@given(months())
def test_z6_every_slot_is_a_line_or_an_absence(month: BillMonth) -> None:
    bill = make_bill(month)
    for channel in month.channels:
        lines = [line.k for line in bill.lines if line.channel == channel.channel]
        absences = [each.k for each in bill.absences if each.channel == channel.channel]
        assert sorted(lines + absences) == list(range(month.from_k, month.until_k))


@given(months())
def test_z5_energy_billed_and_reconciled_is_the_registers_difference(month: BillMonth) -> None:
    bill = make_bill(month)
    for channel in month.channels:
        reconciled = of_kind(bill, ChargeKind.RECONCILIATION, channel=channel.channel)
        if channel.registers is None:
            assert not reconciled
            continue
        rest_wh = next((each.quantity for each in reconciled if each.name == "energy"), 0)
        start_wh, end_wh, carried_wh = channel.registers
        assert billed_wh(channel) + rest_wh == end_wh - start_wh - carried_wh
        assert all(each.quantity == rest_wh for each in reconciled)


@given(months())
def test_nothing_is_negative_that_should_not_be(month: BillMonth) -> None:
    bill = make_bill(month)
    kinds = (ChargeKind.LEVY, ChargeKind.STANDING, ChargeKind.PENALTY)
    assert all(each.amount_e9 >= 0 for each in of_kind(bill, *kinds))
    levies = [each for each in of_kind(bill, ChargeKind.RECONCILIATION) if each.name == "levies"]
    assert all(each.amount_e9 > 0 or each.quantity == 0 for each in levies)
    assert all(each.quantity >= 0 for each in bill.charges if each.kind != ChargeKind.TAX)
    assert all(each.penalty_e9 >= 0 for each in bill.absences)
    if all(price.price_e5 >= 0 for channel in month.channels for price in channel.prices):
        costs = [each for each in bill.charges if each.channel == IMPORT or each.kind == ChargeKind.PENALTY]
        assert all(each.amount_e9 >= 0 for each in costs)
        credited = of_kind(bill, ChargeKind.FEED_IN) + of_kind(bill, ChargeKind.RECONCILIATION, channel=EXPORT)
        assert all(each.amount_e9 <= 0 for each in credited)


def silenced(channel: ChannelMonth, at: int) -> ChannelMonth:
    """The channel without a reading; its energy stays in the register."""
    gone = channel.readings[at]
    readings = [*channel.readings[:at], *channel.readings[at + 1 :]]
    absent = sorted([*channel.absent, Absent(gone.k, Why.SILENT)])
    return channel._replace(readings=tuple(readings), absent=tuple(absent))


@settings(max_examples=200)
@given(months(), st.integers(0, PERIODS), st.booleans())
def test_z5_silence_is_never_cheaper_than_speaking(month: BillMonth, at: int, first: bool) -> None:
    """Neither for who draws nor for who feeds in, under no sequence of tariffs; but for the rounding of taxes, which
    may move from one base to another.
    """
    which = 0 if first else len(month.channels) - 1
    channel = month.channels[which]
    assume(channel.registers is not None and channel.readings)
    quiet = silenced(channel, at % len(channel.readings))
    others = [quiet if n == which else each for n, each in enumerate(month.channels)]
    speaking, silent = make_bill(month), make_bill(month._replace(channels=others))
    several = len({step.tariff.taxes for step in month.tariffs}) > 1
    assert silent.total_e9 >= speaking.total_e9 - (roundings(month) if several else 0)
    if channel.channel == EXPORT:
        kinds = (ChargeKind.FEED_IN, ChargeKind.RECONCILIATION)
        assert amount(of_kind(silent, *kinds, channel=EXPORT)) >= amount(of_kind(speaking, *kinds, channel=EXPORT))


@given(months(), st.integers(0, PERIODS))
def test_z4_who_speaks_late_never_pays_more_than_who_is_silent(month: BillMonth, at: int) -> None:
    channel = month.channels[0]
    assume(channel.registers is not None and channel.readings)
    at %= len(channel.readings)
    readings = tuple(each._replace(late=each.late or n == at) for n, each in enumerate(channel.readings))
    late = channel._replace(readings=readings)
    others = month.channels[1:]
    several = len({step.tariff.taxes for step in month.tariffs}) > 1
    spoken = make_bill(month._replace(channels=(late, *others))).total_e9
    quiet = make_bill(month._replace(channels=(silenced(late, at), *others))).total_e9
    assert spoken <= quiet + (roundings(month) if several else 0)


@given(months(), st.integers(0, PERIODS))
def test_z4_a_late_reading_costs_its_energy_and_the_late_penalty(month: BillMonth, at: int) -> None:
    channel = month.channels[0]
    assume(channel.readings)
    at %= len(channel.readings)
    k = channel.readings[at].k
    bills = []
    for late in (False, True):
        readings = tuple(each._replace(late=late) if n == at else each for n, each in enumerate(channel.readings))
        bills.append(make_bill(month._replace(channels=(channel._replace(readings=readings), *month.channels[1:]))))
    intime, late_one = bills
    penalty_e9 = [step.tariff for step in month.tariffs if step.from_k <= k][-1].penalties.late_e9
    assert late_one.total_e9 == intime.total_e9 + penalty_e9
    assert [line._replace(late=False) for line in late_one.lines] == [
        line._replace(late=False) for line in intime.lines
    ]


@given(months(changes=0), st.integers(FIRST_K + 1, FIRST_K + PERIODS - 1))
def test_z7_a_tariff_that_changes_into_itself_changes_nothing(month: BillMonth, cut_k: int) -> None:
    """Only standing charges are rounded twice, each by less than 1e-9, and so their tax."""
    whole = make_bill(month)
    twin = replace(month.tariffs[0].tariff, name="the same")
    halves = make_bill(month._replace(tariffs=(*month.tariffs, TariffStep(cut_k, twin))))
    assert (halves.lines, halves.absences) == (whole.lines, whole.absences)
    for kind in ChargeKind:
        if kind not in (ChargeKind.STANDING, ChargeKind.TAX):
            assert amount(of_kind(halves, kind)) == amount(of_kind(whole, kind))
            quantities = [sum(each.quantity for each in of_kind(bill, kind)) for bill in (whole, halves)]
            assert quantities[0] == quantities[1]
    standing = abs(amount(of_kind(halves, ChargeKind.STANDING)) - amount(of_kind(whole, ChargeKind.STANDING)))
    assert standing <= len(twin.standing)
    taxes = [{each.name: each.amount_e9 for each in of_kind(bill, ChargeKind.TAX)} for bill in (whole, halves)]
    assert all(abs(taxes[0][name] - taxes[1][name]) <= standing + 1 for name in taxes[0])
    if not standing:
        assert halves.total_e9 == whole.total_e9


@given(months(changes=0), st.integers(0, PERIODS))
def test_z2_two_meters_of_a_month_share_its_standing_charges(month: BillMonth, part: int) -> None:
    """A swap: each meter pays for its part, and both pay what one would have paid."""
    assume(month.until_k - month.from_k > 1)
    cut_k = month.from_k + 1 + part % (month.until_k - month.from_k - 1)
    parts = []
    for from_k, until_k in ((month.from_k, cut_k), (cut_k, month.until_k)):
        own = [
            channel._replace(
                readings=tuple(each for each in channel.readings if from_k <= each.k < until_k),
                absent=tuple(each for each in channel.absent if from_k <= each.k < until_k),
                registers=None,
            )
            for channel in month.channels
        ]
        parts.append(make_bill(month._replace(from_k=from_k, until_k=until_k, channels=own)))
    whole = make_bill(month._replace(channels=[each._replace(registers=None) for each in month.channels]))
    for kind in (ChargeKind.ENERGY, ChargeKind.FEED_IN, ChargeKind.LEVY, ChargeKind.PENALTY):
        assert sum(amount(of_kind(part, kind)) for part in parts) == amount(of_kind(whole, kind))
    standing = [amount(of_kind(part, ChargeKind.STANDING)) for part in (*parts, whole)]
    assert abs(standing[0] + standing[1] - standing[2]) <= len(month.tariffs[0].tariff.standing)


@given(months(), st.integers(2, 1_000))
def test_prices_and_charges_scale(month: BillMonth, factor: int) -> None:
    """What is `factor` times as dear comes to `factor` times as much, but for the rounding of standing and taxes."""

    def dearer(tariff: Tariff) -> Tariff:
        return replace(
            tariff,
            levies=tuple(replace(each, price_e5=each.price_e5 * factor) for each in tariff.levies),
            standing=tuple(replace(each, amount_e9=each.amount_e9 * factor) for each in tariff.standing),
            penalties=Penalties(tariff.penalties.missing_e9 * factor, tariff.penalties.late_e9 * factor),
        )

    scaled = month._replace(
        tariffs=[TariffStep(step.from_k, dearer(step.tariff)) for step in month.tariffs],
        channels=[
            each._replace(prices=[price._replace(price_e5=price.price_e5 * factor) for price in each.prices])
            for each in month.channels
        ],
    )
    bill, dear = make_bill(month), make_bill(scaled)
    for kind in ChargeKind:
        if kind not in (ChargeKind.STANDING, ChargeKind.TAX):
            assert amount(of_kind(dear, kind)) == factor * amount(of_kind(bill, kind))
    assert abs(dear.total_e9 - factor * bill.total_e9) <= 2 * factor * roundings(month)


@given(months((IMPORT, EXPORT)))
def test_the_order_of_channels_is_irrelevant(month: BillMonth) -> None:
    bill, turned = make_bill(month), make_bill(month._replace(channels=month.channels[::-1]))
    assert (turned.total_e9, turned.payable_e9) == (bill.total_e9, bill.payable_e9)
    assert sorted(turned.charges) == sorted(bill.charges)
    assert sorted(turned.lines) == sorted(bill.lines)
    assert sorted(turned.absences) == sorted(bill.absences)


@given(months((IMPORT, EXPORT), changes=0))
def test_z3_a_taxs_base_is_what_is_charged_for_import_levies_and_standing(month: BillMonth) -> None:
    bill = make_bill(month)
    base_e9 = amount(of_kind(bill, ChargeKind.ENERGY, ChargeKind.LEVY, ChargeKind.STANDING))
    base_e9 += amount(of_kind(bill, ChargeKind.RECONCILIATION, channel=IMPORT))
    for each in of_kind(bill, ChargeKind.TAX):
        assert each.quantity == base_e9
        assert -10_000 < 2 * (10_000 * each.amount_e9 - base_e9 * each.rate) <= 10_000


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**10))
@example(-25, 50)
@example(25, 50)
def test_z6_half_up_goes_to_the_nearest_and_to_the_higher_of_two(value: int, step: int) -> None:
    rounded = half_up(value, step)
    assert rounded % step == 0
    assert -step < 2 * (value - rounded) < step or 2 * (rounded - value) == step


@given(months())
def test_z6_what_is_payable_is_within_half_a_step(month: BillMonth) -> None:
    bill = make_bill(month)
    assert bill.payable_e9 == half_up(bill.total_e9, 50_000_000)


@given(months())
def test_a_bill_comes_out_the_same_twice(month: BillMonth) -> None:
    assert make_bill(month) == make_bill(month)
