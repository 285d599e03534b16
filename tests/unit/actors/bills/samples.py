"""Bill reports to try the page on: made by the domain's own arithmetic from households that do not exist."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gridproof.actors.bills.report import (
    ChannelName,
    Report,
    ReportAbsence,
    ReportChannel,
    ReportCharge,
    ReportHistory,
    ReportLine,
    ReportRegister,
    ReportTariff,
)
from gridproof.calendar import Calendar
from gridproof.domain import (
    Absent,
    Bill,
    BillMonth,
    ChannelMonth,
    ChannelTariff,
    Direction,
    Flat,
    Levy,
    Metered,
    MonthBounds,
    Penalties,
    Registers,
    SlotPrice,
    Standing,
    Tariff,
    TariffStep,
    Tax,
    Why,
    billed_wh,
    make_bill,
    month_id,
)

ZONE: Final = "Europe/Zurich"
_MONTH_S: Final = 2_682_000  # October 2025 in Zurich, an hour longer than 31 days
_PRICE: Final = ChannelTariff(Flat(0), 0)  # the samples bring their prices themselves
TARIFF: Final = Tariff(
    "Riedholz 2025",
    "CHF",
    50_000_000,
    _PRICE,
    _PRICE,
    (Levy("Grid usage", 9_870), Levy("Communal levy", 150)),
    (Standing("Basic charge", 6_500_000_000, _MONTH_S),),
    (Tax("VAT", 810),),
    Penalties(100_000_000, 50_000_000),
)
NEXT_TARIFF: Final = Tariff(
    "Riedholz winter",
    "CHF",
    50_000_000,
    _PRICE,
    _PRICE,
    (Levy("Grid usage", 10_240), Levy("Communal levy", 150)),
    (Standing("Basic charge", 250_000_000, 86_400),),
    (Tax("VAT", 810),),
    Penalties(100_000_000, 50_000_000),
)


class Wanted(NamedTuple):
    """What a sample shall be like.

    Attributes:
        month: year and month.
        period_s: length of a period.
        export: whether the household feeds in.
        first_day: days of the month before the first one that is billed.
        days: how many days are billed; 0 for all to the month's end.
        odd: what happens in a slot, by its offset in the stretch: a reason, `fallback` or `late`.
        odd_in: the channels in which it happens.
        tariffs: from which slot of the stretch on which tariff holds.
        extra_wh: what the register says beyond the records; None where it is not signed.
        carried_wh: what was billed before without a register.
        sun: Wh a quarter-hour that the roof gives at noon.
        price_e5: the price of a slot by its hour, before noise.
        feed_in_e5: the price of energy fed in, before noise.
        nothing: whether nothing was drawn, and nothing costs anything.
        changes: fields of the report that are to be others.
    """

    month: tuple[int, int] = (2025, 10)
    period_s: int = 3_600
    export: bool = False
    first_day: int = 0
    days: int = 0
    odd: Mapping[int, str] = {}
    odd_in: tuple[Direction, ...] = tuple(Direction)
    tariffs: tuple[tuple[int, Tariff], ...] = ((0, TARIFF),)
    extra_wh: int | None = 0
    carried_wh: int = 0
    sun: int = 700
    price_e5: Callable[[int], int] = lambda hour: 21_350 + 9_000 * (7 <= hour < 21) - 4_000 * (11 <= hour < 15)
    feed_in_e5: int = 8_000
    nothing: bool = False
    changes: Mapping[str, object] = {}


def noise(seed: int, below: int) -> int:
    """A number that looks like chance and is the same every time."""
    return (seed * 2_654_435_761 % 2**32 >> 7) % below


def build(wanted: Wanted) -> Report:
    """Make a sample."""
    calendar = Calendar(ZONE, wanted.period_s)
    bounds = calendar.bounds(month_id(*wanted.month))
    days = calendar.days(bounds)[wanted.first_day :]
    days = days[: wanted.days or len(days)]
    from_k, until_k = days[0].start_s // wanted.period_s, days[-1].end_s // wanted.period_s
    directions = [Direction.IMPORT, *([Direction.EXPORT] if wanted.export else [])]
    channels = [_channel(wanted, calendar, bounds, direction, from_k, until_k) for direction in directions]
    tariffs = ((0, FREE),) if wanted.nothing else wanted.tariffs
    steps = [TariffStep(from_k + at, tariff) for at, tariff in tariffs]
    bill = make_bill(BillMonth(bounds, from_k, until_k, steps, channels))
    return _report(wanted, bounds, BillMonth(bounds, from_k, until_k, steps, channels), bill)


def _channel(
    wanted: Wanted, calendar: Calendar, bounds: MonthBounds, direction: Direction, from_k: int, until_k: int
) -> ChannelMonth:
    prices, readings, absent = [], [], []
    for k in range(bounds.first_k, bounds.end_k):
        hour = int(calendar.label(k * wanted.period_s)[11:13])
        fate = wanted.odd.get(k - from_k, "") if direction in wanted.odd_in else ""
        price_e5 = wanted.price_e5(hour) if direction == Direction.IMPORT else wanted.feed_in_e5 + 2_000 * (hour >= 17)
        price_e5 += 10 * noise(k // (3_600 // wanted.period_s), 400) - 2_000
        prices.append(SlotPrice(35_000 if fate == "fallback" else price_e5, fate == "fallback"))
        if not from_k <= k < until_k:
            continue
        if fate in ("", "late", "fallback"):
            readings.append(Metered(k, _energy_wh(wanted, direction, k, hour), fate == "late"))
        else:
            absent.append(Absent(k, Why(fate)))
    month = ChannelMonth(direction, prices, readings, absent, None)
    if wanted.extra_wh is None:
        return month
    start_wh = 48_211_307 + 1_000 * direction
    end_wh = start_wh + billed_wh(month) + wanted.carried_wh + wanted.extra_wh
    return month._replace(registers=Registers(start_wh, end_wh, wanted.carried_wh))


def _energy_wh(wanted: Wanted, direction: Direction, k: int, hour: int) -> int:
    if wanted.nothing:
        return 0
    day = k * wanted.period_s // 86_400
    if direction == Direction.EXPORT:
        cloud = 100 - noise(day, 90)
        bell = max(0, 36 - (hour - 13) ** 2)
        return wanted.sun * bell * cloud * wanted.period_s // (36 * 100 * 900)
    base = 40 + 160 * (6 <= hour < 9) + 260 * (17 <= hour < 22) + 60 * (11 <= hour < 14) + noise(k, 90)
    if noise(day * 7 + hour // 3, 9) == 0:
        base += 420  # the car
    return base * wanted.period_s // 900


def _report(wanted: Wanted, bounds: MonthBounds, month: BillMonth, bill: Bill) -> Report:
    fields: dict[str, object] = {
        "chain_id": "riedholz-1",
        "community": "Riedholz energy community",
        "region": 1,
        "region_name": "Old Town",
        "zone": ZONE,
        "currency": month.tariffs[0].tariff.currency,
        "rounding_e9": month.tariffs[-1].tariff.rounding_e9,
        "household": "Ada Brunner",
        "meter": "5d" * 16,
        "bid": "c41f8a07" * 8,
        "bill_version": 1,
        "made_s": bounds.end_s + 3 * 86_400 + 32_400,
        "month": "{:04d}-{:02d}".format(*wanted.month),
        "month_start_s": bounds.start_s,
        "month_end_s": bounds.end_s,
        "period_s": bounds.period_s,
        "from_k": month.from_k,
        "until_k": month.until_k,
        "tariffs": tuple(ReportTariff(from_k=step.from_k, name=step.tariff.name) for step in month.tariffs),
        "channels": tuple(_report_channel(month, channel, bill) for channel in month.channels),
        "charges": tuple(
            ReportCharge(**{**charge._asdict(), "kind": charge.kind.value, "channel": charge.channel.label})
            for charge in bill.charges
        ),
        "total_e9": bill.total_e9,
        "payable_e9": bill.payable_e9,
        "history": (),
    }
    return Report(**{**fields, **wanted.changes})  # type: ignore[arg-type]


def _report_channel(month: BillMonth, channel: ChannelMonth, bill: Bill) -> ReportChannel:
    period_s = month.bounds.period_s
    lines = tuple(
        ReportLine(
            k=line.k,
            start_s=line.k * period_s,
            energy_wh=line.energy_wh,
            price_e5=line.price_e5,
            fallback=line.fallback,
            late=line.late,
            amount_e9=line.amount_e9,
            prids=("ab" * 32, "cd" * 32),
        )
        for line in bill.lines
        if line.channel == channel.channel
    )
    absences = tuple(
        ReportAbsence(
            k=absence.k,
            start_s=absence.k * period_s,
            why=absence.why.value,
            penalty_e9=absence.penalty_e9,
            leaves=("ab" * 32, "cd" * 32),
        )
        for absence in bill.absences
        if absence.channel == channel.channel
    )
    register = None
    if channel.registers is not None:
        start_wh, end_wh, carried_wh = channel.registers
        register = ReportRegister(
            start_k=month.from_k,
            end_k=month.until_k,
            start_wh=start_wh,
            end_wh=end_wh,
            carried_wh=carried_wh,
            recorded_wh=billed_wh(channel),
            reconciled_wh=end_wh - start_wh - carried_wh - billed_wh(channel),
            signature="ef" * 64,
        )
    label: ChannelName = "import" if channel.channel == Direction.IMPORT else "export"
    return ReportChannel(channel=label, lines=lines, absences=absences, register=register, leaf_proof=())


def past(month: str, import_wh: int, export_wh: int = 0) -> ReportHistory:
    """An earlier month."""
    return ReportHistory(
        month=month,
        import_wh=import_wh,
        export_wh=export_wh,
        total_e9=import_wh * 350_000 + 17,
        payable_e9=import_wh * 350_000 // 50_000_000 * 50_000_000,
    )


def history(months: int, exported: bool = False) -> tuple[ReportHistory, ...]:
    """Earlier months, the last one September 2025."""
    last = 2025 * 12 + 8
    found = []
    for at in range(last - months + 1, last + 1):
        winter = abs((at % 12) - 6)
        import_wh = 410_000 + 41_000 * winter + noise(at, 30_000)
        export_wh = (6 - winter) * 55_000 if exported else 0
        found.append(past(f"{at // 12:04d}-{at % 12 + 1:02d}", import_wh, export_wh))
    return tuple(found)


ODD: Final[dict[int, str]] = (
    dict.fromkeys(range(50, 64), "silent")
    | dict.fromkeys(range(125, 128), "dropped")
    | {194: "excluded", 600: "late"}
    | dict.fromkeys(range(275, 307), "void")
    | dict.fromkeys(range(350, 370), "fallback")
    | dict.fromkeys(range(475, 483), "late")
)

EURO: Final = Tariff("Lindau", "EUR", 10_000_000, _PRICE, _PRICE, (), (), (Tax("MwSt.", 1_900),))
FAR: Final = Tariff(
    "Island",
    "ISK",
    1_000_000_000,
    _PRICE,
    _PRICE,
    (Levy("Grid", 900_000),),
    (Standing("Meter", 2 * 10**9, 3_600), Standing("Lease", 90 * 10**9, 604_800)),
)
FREE: Final = Tariff("Free", "CHF", 50_000_000, _PRICE, _PRICE)
HOSTILE: Final = "<script>alert('x')</script> & \"Söhne\" </bdi>"

SAMPLES: Final[dict[str, Wanted]] = {
    "day": Wanted(period_s=900, first_day=25, days=1, changes={"history": history(1)}),
    "spring_day": Wanted((2025, 3), 1_800, export=True, first_day=29, days=1, odd={3: "late", 4: "fallback"}),
    "two_days": Wanted(period_s=1_800, first_day=3, days=2, odd={50: "silent"}, changes={"household": "Bo"}),
    "month": Wanted(period_s=1_800, changes={"history": history(3)}),
    "spring": Wanted((2025, 3), tariffs=((0, EURO),)),
    "export": Wanted(export=True, changes={"history": history(12, exported=True)}),
    "gaps": Wanted(export=True, odd=ODD, extra_wh=4_321, changes={"history": history(2, exported=True)}),
    "unsigned": Wanted(odd={5: "silent", 9: "late"}, odd_in=(Direction.EXPORT,), extra_wh=None, export=True),
    "carried": Wanted(carried_wh=12_345, odd={5: "silent", 9: "late"}),
    "correction": Wanted(changes={"bill_version": 3, "history": history(5)}),
    "credit": Wanted((2025, 6), export=True, sun=9_000, changes={"history": history(2, exported=True)}),
    "nothing": Wanted(first_day=30, days=1, nothing=True),
    "hostile": Wanted(
        first_day=20,
        days=1,
        changes=dict.fromkeys(("household", "community", "region_name", "chain_id"), HOSTILE)
        | {"tariffs": (ReportTariff(from_k=0, name=HOSTILE),)},
    ),
    "tariff_change": Wanted(tariffs=((0, TARIFF), (337, NEXT_TARIFF)), changes={"history": history(12)}),
    "move_in": Wanted(first_day=9, changes={"history": history(1)}),
    "negative": Wanted(
        price_e5=lambda hour: -4_000, feed_in_e5=-6_000, export=True, changes={"history": (past("2025-09", 0),)}
    ),
    "far": Wanted(
        tariffs=((0, FAR),),
        price_e5=lambda hour: 1_500_000 + 50_001 * hour,
        changes={"history": (past("2025-09", 635_560),)},
    ),
    "largest": Wanted(period_s=300, export=True, odd=dict.fromkeys(range(0, 8_900, 7), "silent")),
}


def sample(name: str) -> Report:
    """A sample by its name."""
    return build(SAMPLES[name])
