"""A tariff as people read it, as JSON, and as a picture of a week or of the load."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape

from .console import table
from .tariff_chart import PER_DAY, Curve, Day, curves, week

if TYPE_CHECKING:
    from gridproof.actors.community import Times
    from gridproof.domain import ChannelTariff, Direction, Tariff

WEEK: Final = 7
HALF_HOUR_MIN: Final = 30
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def money(value: int, places: int, least: int = 2, *, sign: bool = False) -> str:
    """A whole number of smallest units as a decimal, without the zeros that say nothing.

    Args:
        value: 1e-`places` of the currency.
        places: decimals of the smallest unit.
        least: decimals that are always written.
        sign: whether to write a plus.
    """
    whole, part = divmod(abs(value), 10**places)
    decimals = f"{part:0{places}d}".rstrip("0").ljust(least, "0")
    return f"{'-' if value < 0 else '+' if sign else ''}{whole:,}.{decimals}"


def told(tariff: "Tariff") -> dict[str, Any]:
    """A tariff for programs: whole numbers of smallest units, as on the ledger."""
    return {
        "name": tariff.name,
        "currency": tariff.currency,
        "rounding_e9": tariff.rounding_e9,
        "import": _told_channel(tariff.imports),
        "feed_in": _told_channel(tariff.feed_in),
        "levies": [{"name": each.name, "price_e5": each.price_e5} for each in tariff.levies],
        "standing": [{"name": each.name, "amount_e9": each.amount_e9, "per_s": each.per_s} for each in tariff.standing],
        "taxes": [{"name": each.name, "rate_e4": each.rate_e4} for each in tariff.taxes],
        "penalties": {"missing_e9": tariff.penalties.missing_e9, "late_e9": tariff.penalties.late_e9},
    }


def say(words: Console, tariff: "Tariff", times: "Times", span: tuple[int, int]) -> None:
    """Print a tariff, with the week's prices where they go by time.

    Args:
        words: where to.
        tariff: the tariff.
        times: of the community.
        span: from when until when it is in force, UTC epoch seconds.
    """
    from gridproof.domain import Direction, TimeOfUse

    words.print(f"{tariff.name}, from {times.label(span[0])} until {times.label(span[1])}", markup=False)
    say_parts(words, tariff)
    for direction in Direction:
        scheme = tariff.channel(direction).scheme
        if isinstance(scheme, TimeOfUse):
            names = {band.price_e5: f"{money(band.price_e5, 5, 4)} {band.name}" for band in scheme.bands}
            words.print(f"A week of {_way(direction)}:")
            for line in week(_days(tariff, direction, times, span), names):
                words.print(line, markup=False)


def say_parts(words: Console, tariff: "Tariff") -> None:
    """Print what a tariff charges, part by part."""
    shown = table("what", "when", f"#{tariff.currency}", "for")
    for cells in _rows(tariff):
        shown.add_row(*map(escape, cells))
    words.print(shown)


def picture(title: str, tariff: "Tariff", times: "Times", span: tuple[int, int]) -> str:
    """Draw a tariff as SVG: a week's prices, or the prices by load where drawn energy is priced by that."""
    from gridproof.domain import Direction

    unit = f"{tariff.currency} per kWh"
    if _by_load(tariff.imports):
        top_wh = max(_loads(tariff)) * 5 // 4 or 1
        drawn = [_load_curve(tariff, way, top_wh) for way in Direction if not _by_time(tariff.channel(way))]
        marks = [(at / 4, f"{top_wh * at / 4_000:g} kWh") for at in range(5)]
        return curves(title, f"{unit} by the region's total in a period", drawn, marks)
    drawn = [
        Curve(_way(way), _week_points(_days(tariff, way, times, span)))
        for way in Direction
        if not _by_load(tariff.channel(way))
    ]
    days = _days(tariff, Direction.IMPORT, times, span)
    marks = [((at + 0.5) / len(days), day.label) for at, day in enumerate(days)]
    return curves(
        title, f"{unit}, {len(days)} {'day' if len(days) == 1 else 'days'} from {days[0].label} on", drawn, marks
    )


# --- parts ---------------------------------------------------------------------------------------------------------


def _told_channel(channel: "ChannelTariff") -> dict[str, Any]:
    from gridproof.domain import Flat, Linear, TimeOfUse

    scheme, fallback = channel.scheme, {"fallback_e5": channel.fallback_e5}
    if isinstance(scheme, Flat):
        return {"scheme": "flat", "price_e5": scheme.price_e5, **fallback}
    if isinstance(scheme, TimeOfUse):
        bands = [{"name": band.name, "price_e5": band.price_e5} for band in scheme.bands]
        switches = [{"at_s": switch.at_s, "band": switch.band} for switch in scheme.switches]
        return {"scheme": "time-of-use", "bands": bands, "switches": switches, **fallback}
    if isinstance(scheme, Linear):
        line = {name: getattr(scheme, name) for name in ("from_wh", "from_price_e5", "to_wh", "to_price_e5")}
        return {"scheme": "linear", **line, **fallback}
    steps = [{"from_wh": step.from_wh, "price_e5": step.price_e5} for step in scheme.steps]
    return {"scheme": "stepped", "steps": steps, **fallback}


def _rows(tariff: "Tariff") -> Iterator[tuple[str, str, str, str]]:
    from gridproof.domain import Direction

    for direction in Direction:
        channel = tariff.channel(direction)
        for when, price_e5 in _prices(channel):
            yield _way(direction), when, money(price_e5, 5, 4), "kWh"
        yield _way(direction), "periods without a total", money(channel.fallback_e5, 5, 4), "kWh"
    for levy in tariff.levies:
        yield "levy", levy.name, money(levy.price_e5, 5, 4), "imported kWh"
    for standing in tariff.standing:
        yield "standing charge", standing.name, money(standing.amount_e9, 9), _per(standing.per_s)
    for name, amount_e9 in (("missing", tariff.penalties.missing_e9), ("late", tariff.penalties.late_e9)):
        yield "penalty", f"records that are {name}", money(amount_e9, 9), "period"
    for tax in tariff.taxes:
        yield "tax", tax.name, f"{money(tax.rate_e4, 2, 0).removesuffix('.')} %", "import, levies and standing charges"
    yield "rounding", "sum of a bill", money(tariff.rounding_e9, 9), ""


def _prices(channel: "ChannelTariff") -> Iterator[tuple[str, int]]:
    """When each price of a channel holds, in words."""
    from gridproof.domain import Flat, Linear, TimeOfUse

    scheme = channel.scheme
    if isinstance(scheme, Flat):
        yield "always", scheme.price_e5
    elif isinstance(scheme, TimeOfUse):
        yield from ((band.name, band.price_e5) for band in scheme.bands)
    elif isinstance(scheme, Linear):
        yield f"up to {scheme.from_wh / 1_000:g} kWh in a period", scheme.from_price_e5
        yield f"from {scheme.to_wh / 1_000:g} kWh on, and evenly between", scheme.to_price_e5
    else:
        yield from ((f"from {step.from_wh / 1_000:g} kWh in a period on", step.price_e5) for step in scheme.steps)


def _per(per_s: int) -> str:
    from gridproof.domain import SECONDS_PER_DAY

    days = per_s // SECONDS_PER_DAY
    return "day" if days <= 1 else "month" if days <= 32 else "year"


def _way(direction: "Direction") -> str:
    return "import" if direction.label == "import" else "feed-in"


def _by_load(channel: "ChannelTariff") -> bool:
    from gridproof.domain import Linear, Stepped

    return isinstance(channel.scheme, Linear | Stepped)


def _by_time(channel: "ChannelTariff") -> bool:
    from gridproof.domain import TimeOfUse

    return isinstance(channel.scheme, TimeOfUse)


def _days(tariff: "Tariff", direction: "Direction", times: "Times", span: tuple[int, int]) -> list[Day]:
    """A week from a Monday on; fewer days where the tariff is not in force so long."""
    from gridproof.domain import slot_price

    calendar = times.calendar
    bounds = calendar.bounds(calendar.month_of(span[0]))
    days = [day for day in calendar.days(bounds) if day.start_s < span[1] and day.end_s > span[0]]
    mondays = [
        at for at, day in enumerate(days) if calendar.local(day.start_s).weekday() == 0 and day.start_s >= span[0]
    ]
    first = next((at for at in mondays if len(days) - at >= WEEK), 0)
    made = []
    for day in days[first : first + WEEK]:
        prices: list[int | None] = [None] * PER_DAY
        for start_s in range(max(day.start_s, span[0]), min(day.end_s, span[1]), calendar.period_s):
            local = calendar.local(start_s)
            at = (local.hour * 60 + local.minute) // HALF_HOUR_MIN
            until = max(at + 1, at + calendar.period_s // (60 * HALF_HOUR_MIN))
            price_e5 = int(slot_price(tariff, direction, start_s, 0))
            for half in range(at, min(until, PER_DAY)):
                prices[half] = price_e5 if prices[half] is None else prices[half]
        made.append(Day(f"{_DAYS[calendar.local(day.start_s).weekday()]} {day.label}", prices))
    return made


def _week_points(days: list[Day]) -> list[tuple[float, float]]:
    every = [price for day in days for price in day.prices_e5]
    return [(at / len(every), price / 1e5) for at, price in enumerate(every) if price is not None]


def _loads(tariff: "Tariff") -> Iterator[int]:
    """The loads at which a price changes, Wh."""
    from gridproof.domain import Linear, Stepped

    yield 0
    for channel in (tariff.imports, tariff.feed_in):
        if isinstance(channel.scheme, Linear):
            yield channel.scheme.to_wh
        elif isinstance(channel.scheme, Stepped):
            yield channel.scheme.steps[-1].from_wh


def _load_curve(tariff: "Tariff", direction: "Direction", top_wh: int) -> Curve:
    from gridproof.domain import Linear, Stepped, slot_price

    scheme = tariff.channel(direction).scheme
    loads = {0, top_wh}
    if isinstance(scheme, Linear):
        loads |= {scheme.from_wh, scheme.to_wh}
    elif isinstance(scheme, Stepped):
        loads |= {step.from_wh for step in scheme.steps}
    points = [(load / top_wh, slot_price(tariff, direction, 0, load) / 1e5) for load in sorted(loads)]
    return Curve(_way(direction), points, is_sloped=isinstance(scheme, Linear))
