"""Every bill of a community, computed from readings, registers, tariff files and what happened: nothing of the package.

It is what a person with the published rules and a spreadsheet would do; tests hold the product's bills against it to
the last 1e-9. Whoever changes an amount in the product has to change it here as well, by hand.
"""

import csv
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Table = dict[str, Any]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
K_MIN, LIVE_SHARE = 5, Decimal("0.8")  # fewer do not hide one another, and their total stays hidden


class Household(NamedTuple):
    """A meter, and between which instants it is enrolled, UTC epoch seconds; `until_s` is None while it is."""

    meter: str
    region: int
    channels: tuple[str, ...]
    from_s: int
    until_s: int | None = None

    def has(self, channel: str, start_s: int) -> bool:
        """Whether it reports a period on a channel."""
        return channel in self.channels and self.from_s <= start_s and (self.until_s is None or start_s < self.until_s)


class World(NamedTuple):
    """All that is known; tariffs by region with the instants from which they count, values by meter, channel, time."""

    zone: ZoneInfo
    period_s: int
    begin_s: int
    households: list[Household]
    tariffs: dict[int, list[tuple[int, Table]]]
    readings: dict[tuple[str, str, int], int]
    registers: dict[tuple[str, str, int], int]


def read_tariff(path: Path) -> Table:
    """A tariff file, its numbers exact."""
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def read_values(paths: Iterable[Path], at: str, value: str) -> dict[tuple[str, str, int], int]:
    """The values of CSV files."""
    rows = [row for path in paths for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
    return {(row["meter"], row.get("channel") or "import", instant(row[at])): int(row[value]) for row in rows}


def instant(text: str) -> int:
    """A time with an offset, in UTC epoch seconds."""
    return int(datetime.fromisoformat(text).timestamp())


def half_up(amount: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to an amount; the greater one where it lies in the middle."""
    return (amount / step + Decimal("0.5")).to_integral_value("ROUND_FLOOR") * step


def e9(amount: Decimal | int) -> int:
    """An amount in units of 1e-9."""
    return int(half_up(Decimal(amount), Decimal("1e-9")) * 10**9)


def ends_of(world: World, month: str, last: str = "") -> tuple[int, int]:
    """The first instant of a month, and the first one after it or after the month `last`."""
    first, after = date.fromisoformat(f"{month}-01"), date.fromisoformat(f"{last or month}-01") + timedelta(days=32)
    start, end = (int(datetime(day.year, day.month, 1, tzinfo=world.zone).timestamp()) for day in (first, after))
    return start, end


# --- prices ----------------------------------------------------------------------------------------------------------


def heard(world: World, region: int, channel: str, start_s: int) -> tuple[list[int], int]:
    """What was read in a slot, and how many meters should have."""
    there = [each for each in world.households if each.region == region and each.has(channel, start_s)]
    found = [world.readings.get((each.meter, channel, start_s)) for each in there]
    return [value for value in found if value is not None], len(there)


def tariff_at(world: World, region: int, start_s: int) -> Table:
    """The tariff in force; before the first one, that one."""
    steps = world.tariffs[region]
    return ([tariff for from_s, tariff in steps if from_s <= start_s] or [steps[0][1]])[-1]


def price(world: World, region: int, channel: str, start_s: int) -> tuple[Decimal, bool]:
    """A slot's price per kWh, and whether it is the fallback price."""
    part: Table = tariff_at(world, region, start_s)["import" if channel == "import" else "feed-in"]
    values, there = heard(world, region, channel, start_s)
    if len(values) < K_MIN or len(values) < LIVE_SHARE * there:
        return Decimal(part["fallback"] if "fallback" in part else part["price"]), True
    load = Decimal(sum(values)) / 1000
    if part["scheme"] == "flat":
        return Decimal(part["price"]), False
    if part["scheme"] == "time-of-use":
        local = datetime.fromtimestamp(start_s, world.zone)
        holding = [band for band in part["band"] if any(holds(window, local) for window in windows(band))]
        return Decimal((holding or [band for band in part["band"] if not windows(band)])[0]["price"]), False
    if part["scheme"] == "stepped":
        return Decimal([step["price"] for step in part["step"] if Decimal(step["from_kwh"]) <= load][-1]), False
    (x0, p0), (x1, p1) = ((Decimal(part[f"{end}_kwh"]), Decimal(part[f"{end}_price"])) for end in ("from", "to"))
    rise = (p1 - p0) * (min(max(load, x0), x1) - x0) / (x1 - x0)
    return p0 + rise.quantize(Decimal("0.00001"), "ROUND_FLOOR"), False


def windows(band: Table) -> list[Table]:
    """When a band holds: it says so itself, or in windows, which hold on its days unless they have their own."""
    times = {key: band[key] for key in ("days", "months", "from", "to") if key in band}
    return [{**times, **window} for window in band.get("window", [])] or ([times] if times else [])


def holds(window: Table, local: datetime) -> bool:
    """Whether a window holds; what goes over midnight belongs to the day on which it begins."""
    begin, end, now, day = window.get("from", "00:00"), window.get("to", "24:00"), f"{local:%H:%M}", local.date()
    if begin < end:
        return bool(begin <= now < end) and is_named(window, day)
    return (now >= begin and is_named(window, day)) or (now < end and is_named(window, day - timedelta(days=1)))


def is_named(window: Table, day: date) -> bool:
    """Whether a window's days and months hold a day: `all`, `sat`, `sat,sun`, `fri-mon`."""
    for key, words, at in (("days", DAYS, day.weekday()), ("months", MONTHS, day.month - 1)):
        found = set()
        for part in window.get(key, "all").replace("all", f"{words[0]}-{words[-1]}").split(","):
            first, _, last = part.strip().partition("-")
            length = (words.index(last or first) - words.index(first)) % len(words)
            found |= {(words.index(first) + step) % len(words) for step in range(length + 1)}
        if at not in found:
            return False
    return True


# --- bills -----------------------------------------------------------------------------------------------------------


def bill(world: World, household: Household, month: str) -> Table:
    """A household's bill: lines, missing slots, charges by what they are for and since when, total, what is payable."""
    begin_s, end_s = max(world.begin_s, ends_of(world, month)[0]), ends_of(world, month)[1]
    from_s, until_s = max(begin_s, household.from_s), min(end_s, household.until_s or end_s)
    region, lines, missing = household.region, {}, {}
    since = [from_s, *(at for at, _ in world.tariffs[region] if from_s < at < until_s)]
    charges: defaultdict[tuple[str, str, str, int], Decimal] = defaultdict(Decimal)
    bases: defaultdict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)

    def add(kind: str, name: str, channel: str, since_s: int, amount: Decimal, taxed_by: Table | None = None) -> None:
        charges[kind, name, channel, since_s] += amount
        for tax in taxed_by.get("tax", []) if taxed_by and channel == "import" else []:
            bases[tax["name"], Decimal(tax["percent"])] += amount

    for channel in household.channels:
        sign, recorded_wh = (1, 0) if channel == "import" else (-1, 0)
        for start_s in range(from_s, until_s, world.period_s):
            tariff, since_s = tariff_at(world, region, start_s), [at for at in since if at <= start_s][-1]
            wh = world.readings.get((household.meter, channel, start_s))
            if wh is None:
                is_void = not heard(world, region, channel, start_s)[0]
                due = Decimal(0 if is_void else tariff.get("penalties", {}).get("missing", 0))
                missing[channel, start_s] = ("void" if is_void else "silent", e9(due))
                add("penalty", "missing", channel, since_s, due)
                continue
            per_kwh, fallback = price(world, region, channel, start_s)
            amount, recorded_wh = sign * wh * per_kwh / 1000, recorded_wh + wh
            lines[channel, start_s] = (wh, int(per_kwh * 10**5), fallback, e9(amount))
            add("energy" if channel == "import" else "feed_in", "", channel, since_s, amount, tariff)
            for levy in tariff.get("levy", []) if channel == "import" else []:
                add("levy", levy["name"], channel, since_s, wh * Decimal(levy["price"]) / 1000, tariff)
        start_wh, end_wh = (world.registers.get((household.meter, channel, at)) for at in (from_s, until_s))
        if start_wh is not None and end_wh is not None and (beyond_wh := end_wh - start_wh - recorded_wh):
            per_kwh, levies, tariff = worst(world, region, channel, range(begin_s, end_s, world.period_s))
            add("reconciliation", "energy", channel, from_s, sign * beyond_wh * per_kwh / 1000, tariff)
            add("reconciliation", "levies", channel, from_s, beyond_wh * levies / 1000, tariff)
    for start_s, stop_s in zip(since, [*since[1:], until_s], strict=True):
        tariff = tariff_at(world, region, start_s)
        for standing in tariff.get("standing", []):
            due = (
                Decimal(standing["amount"]) * (stop_s - start_s) / length_s(world, month, standing.get("per", "month"))
            )
            due = half_up(due, Decimal("1e-9"))
            add("standing", standing["name"], "import", start_s, due, tariff)
    for (name, percent), base in bases.items():
        add("tax", name, "import", from_s, half_up(base * percent / 100, Decimal("1e-9")))
    total, step = sum(charges.values(), Decimal()), tariff_at(world, region, until_s - 1).get("rounding", "0.01")
    return {
        "lines": lines,
        "missing": missing,
        "charges": {what: e9(amount) for what, amount in charges.items() if amount},
        "total_e9": e9(total),
        "payable_e9": e9(half_up(total, Decimal(step))),
    }


def worst(world: World, region: int, channel: str, slots: range) -> tuple[Decimal, Decimal, Table]:
    """Price, levies and tariff of a month's dearest slot, taxes included; for feed-in, of the one that earns least."""
    found = []
    for at in slots:
        tariff, (per_kwh, _) = tariff_at(world, region, at), price(world, region, channel, at)
        levies = sum(Decimal(levy["price"]) for levy in tariff.get("levy", [])) if channel == "import" else Decimal()
        taxes = sum(Decimal(tax["percent"]) for tax in tariff.get("tax", []))
        key = (per_kwh + levies) * (100 + taxes) if channel == "import" else -per_kwh
        found.append((key, -at, per_kwh, Decimal(levies), tariff))
    return max(found, key=lambda each: each[:2])[2:]


def length_s(world: World, month: str, per: str) -> int:
    """How long what a standing charge is for lasts; months and years are the calendar's."""
    start_s, end_s = ends_of(world, month) if per == "month" else ends_of(world, f"{month[:4]}-01", f"{month[:4]}-12")
    return 86_400 if per == "day" else end_s - start_s
