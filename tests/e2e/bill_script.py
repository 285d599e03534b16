"""Counts the bills of a demonstration anew, from the file of readings, the tariff and the list of faults.

It shares no code with the package and computes with fractions, so that what it comes to is exact. As a command:
    python -m tests.e2e.bill_script READINGS.csv FOLDER
"""

import csv
import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

PERIOD_S = 900
ZONE = ZoneInfo("Europe/Zurich")
E9 = Fraction(1, 10**9)
Slots = dict[tuple[str, int], dict[str, int]]  # channel, period -> Wh by meter
Story = dict[tuple[str, int], dict[str, Any]]  # channel, period -> what the demonstration says of the slot


def half_up(value: Fraction, step: Fraction) -> Fraction:
    return floor(value / step + Fraction(1, 2)) * step


def readings(path: Path) -> Slots:
    found: Slots = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            k = int(datetime.fromisoformat(row["start"]).timestamp()) // PERIOD_S
            found[row.get("channel") or "import", k][row["meter"]] = int(row["energy_wh"])
    return found


def month_s(label: str) -> int:
    year, month = map(int, label.split("-"))
    ends = (datetime(year, month, 1, tzinfo=ZONE), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=ZONE))
    return int(ends[1].timestamp() - ends[0].timestamp())


def reported(read: dict[str, int], said: dict[str, Any]) -> dict[str, int]:
    """What the meters of a slot reported: what they read, but for one that is dishonest."""
    return {**read, **{meter: wh for meter, wh in said["understated_wh"].items() if meter in read}}


def price(scheme: dict[str, Any], total_wh: int | None) -> Fraction:
    if total_wh is None:
        return Fraction(scheme["fallback"])
    if scheme["scheme"] == "flat":
        return Fraction(scheme["price"])
    low, high = Fraction(scheme["from_kwh"]), Fraction(scheme["to_kwh"])
    cheap, dear = Fraction(scheme["from_price"]), Fraction(scheme["to_price"])
    load = min(max(Fraction(total_wh, 1000), low), high)
    return Fraction(floor((cheap + (dear - cheap) * (load - low) / (high - low)) * 10**5), 10**5)


def prices(read: Slots, story: Story, tariff: dict[str, Any]) -> dict[tuple[str, int], Fraction]:
    """Each slot's price, from the sum of what its live meters reported; that is held against the total told."""
    found = {}
    for (channel, k), said in story.items():
        total_wh = None
        if said["status"] == "opened":
            told = reported(read[channel, k], said)
            total_wh = sum(wh for meter, wh in told.items() if meter not in said["missing"])
            assert total_wh == said["total_wh"], (channel, k)
        found[channel, k] = price(tariff["import" if channel == "import" else "feed-in"], total_wh)
        assert found[channel, k] == Fraction(said["price_e5"], 10**5), (channel, k)
    return found


def lines(
    meter: str, channel: str, ks: range, read: Slots, story: Story
) -> Iterator[tuple[int, int | None, bool, str]]:
    """Each slot of a meter: its energy or None, whether it came late by its own fault, and why there is none."""
    for k in ks:
        said, known = story[channel, k], reported(read[channel, k], story[channel, k])
        why = said["missing"].get(meter)
        heard = said["live"] > 0 or any(each in ("half-sent", "absurd") for each in said["missing"].values())
        if why is None or meter in said["late"]:
            yield k, known[meter], heard and why not in (None, "dropped"), ""
        else:
            yield k, None, False, {"absurd": "excluded"}.get(why, "silent") if heard else "void"


def check_bill(
    bill: dict[str, Any], read: Slots, story: Story, tariff: dict[str, Any], cost: dict[tuple[str, int], Fraction]
) -> None:
    """Hold a bill against what it must be: line by line, absence by absence, and all sums."""
    ks, levy = range(bill["from_k"], bill["until_k"]), sum(Fraction(each["price"]) for each in tariff["levy"])
    penalties = {name: Fraction(each) for name, each in tariff["penalties"].items()}
    taxed = untaxed = Fraction()
    for part in bill["channels"]:
        channel, sign = part["channel"], 1 if part["channel"] == "import" else -1
        said = {line["k"]: line for line in part["lines"]}
        absent = {each["k"]: each for each in part["absences"]}
        recorded_wh = due = Fraction()
        for k, energy_wh, late, why in lines(bill["household"], channel, ks, read, story):
            if energy_wh is None:
                penalty = penalties["missing"] if why == "silent" else Fraction()
                assert (absent[k]["why"], absent[k]["penalty_e9"] * E9) == (why, penalty), (bill["household"], k)
                untaxed += penalty
                continue
            amount = sign * energy_wh * cost[channel, k] / 1000
            line = said[k]
            assert (line["energy_wh"], line["late"], line["amount_e9"] * E9) == (energy_wh, late, amount), (
                bill["household"],
                k,
            )
            assert line["price_e5"] == cost[channel, k] * 10**5
            recorded_wh, due, untaxed = recorded_wh + energy_wh, due + amount, untaxed + late * penalties["late"]
        assert len(said) + len(absent) == len(ks)
        rest_wh = sum(read[channel, k].get(bill["household"], 0) for k in ks) - recorded_wh
        assert part["register"]["reconciled_wh"] == rest_wh
        month = [cost[channel, k] for k in ks]
        if channel == "import":
            taxed += due + recorded_wh * levy / 1000 + rest_wh * (max(month) + levy) / 1000
        else:
            untaxed += due - rest_wh * min(month) / 1000
    for each in tariff["standing"]:
        taxed += half_up(Fraction(each["amount"]) * len(ks) * PERIOD_S / month_s(bill["month"]), E9)
    taxes = sum(half_up(taxed * Fraction(each["percent"]) / 100, E9) for each in tariff["tax"])
    total = taxed + untaxed + taxes
    assert bill["total_e9"] * E9 == total == sum(each["amount_e9"] for each in bill["charges"]) * E9
    assert bill["payable_e9"] * E9 == half_up(total, Fraction(tariff["rounding"]))


def check_bills(path: Path, folder: Path) -> int:
    """Hold all bills of a demonstration of one region against the file that it was made from; return how many."""
    tariff = tomllib.loads((folder / "tariff.toml").read_text(encoding="utf-8"), parse_float=Fraction)
    told = json.loads((folder / "demo" / "periods.json").read_text(encoding="utf-8"))
    read, story = readings(path), {(each["channel"], each["k"]): each for each in told}
    cost = prices(read, story, tariff)
    reports = sorted((folder / "demo" / "bills").glob("*.json"))
    for report in reports:
        check_bill(json.loads(report.read_text(encoding="utf-8")), read, story, tariff, cost)
    return len(reports)


if __name__ == "__main__":
    sys.stdout.write(f"{check_bills(Path(sys.argv[1]), Path(sys.argv[2]))} bills are right\n")
