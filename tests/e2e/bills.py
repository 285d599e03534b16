"""Bills opened by the command line, held line by line against `recompute.py`."""

import io
import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from gridproof.cli.main import run

from . import recompute


def typed(*words: object) -> dict[str, Any]:
    """Run a command in this process, which must find all well; its JSON."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([*map(str, words), "--json"])
    assert code == 0, (words, out.getvalue(), err.getvalue())
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def handles(root: Path) -> dict[tuple[str, int], str]:
    """The meters' handles by name and beginning: a meter that was swapped may have left its name to the next one."""
    meters = typed("meter", "list", "--dir", root)["meters"]
    return {(each["name"], recompute.instant(each["from"])): each["handle"] for each in meters}


def opened(root: Path, meter: str, month: str) -> dict[str, Any]:
    """A report, as `gridproof bill open` writes it once the household's own check found it true.

    Args:
        root: the community's folder.
        meter: name or handle.
        month: `2025-10`.
    """
    path = root / f"{meter}.{month}.json"
    path.unlink(missing_ok=True)
    told = typed("bill", "open", meter, path, "--month", month, "--dir", root)
    assert (told["ok"], told["falsehoods"]) == (True, [])
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def said(report: dict[str, Any]) -> dict[str, Any]:
    """What a report says, in the form of `recompute.bill`."""
    charges: defaultdict[tuple[str, str, str, int], int] = defaultdict(int)
    for each in report["charges"]:
        since_s = each["from_k"] * report["period_s"]
        charges[each["kind"], each["name"], each["channel"], since_s] += each["amount_e9"]
    return {
        "lines": {
            (channel["channel"], line["start_s"]): (
                line["energy_wh"],
                line["price_e5"],
                line["fallback"],
                line["amount_e9"],
            )
            for channel in report["channels"]
            for line in channel["lines"]
        },
        "missing": {
            (channel["channel"], absence["start_s"]): (absence["why"], absence["penalty_e9"])
            for channel in report["channels"]
            for absence in channel["absences"]
        },
        "charges": {what: amount for what, amount in charges.items() if amount},
        "total_e9": report["total_e9"],
        "payable_e9": report["payable_e9"],
    }


def require_equal(world: recompute.World, root: Path, months: Iterable[str]) -> list[dict[str, Any]]:
    """Hold every household's opened bill of some months against its recomputation; return what was recomputed."""
    bills, known = [], handles(root)
    for month in months:
        begin_s, end_s = recompute.ends_of(world, month)
        for household in world.households:
            if household.from_s < end_s and (household.until_s is None or household.until_s > begin_s):
                report = opened(root, known[household.meter, household.from_s], month)
                assert report["household"] == household.meter
                computed, told = recompute.bill(world, household, month), said(report)
                for part, value in computed.items():
                    assert told[part] == value, (household.meter, month, part)
                assert sum(told["charges"].values()) == told["total_e9"]
                bills.append(computed)
    return bills
