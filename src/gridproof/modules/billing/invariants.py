"""What must hold for bills after every block."""

from collections.abc import Callable

from gridproof.domain import MonthId, RegionId
from gridproof.state import Context, Violation

from .ports import Directory
from .types import BILLS, LAST_OBJECTION, LAST_VERSION, OBJECTIONS, TALLIES


def versions_are_complete(ctx: Context) -> None:
    """Hold each identity's bills to its last version: all versions from 1 on are there, none beyond.

    Raises:
        Violation: one is missing, or one too many.
    """
    found: dict[tuple[int, int, bytes], list[int]] = {}
    for (region, month, bid, version), _ in BILLS.all(ctx):
        found.setdefault((region, month, bid), []).append(version)
    last = {tuple(place): version for place, version in LAST_VERSION.all(ctx)}
    if {place: list(range(1, version + 1)) for place, version in last.items()} != found:
        raise Violation("bills: the versions are not those from 1 to the last")


def objections_are_complete(ctx: Context) -> None:
    """Hold each identity's objections to their last number, and to a bill that is registered.

    Raises:
        Violation: a number is missing, one is too many, or the bill is not there.
    """
    found: dict[tuple[int, int, bytes], list[int]] = {}
    for (region, month, bid, number), raised in OBJECTIONS.all(ctx):
        found.setdefault((region, month, bid), []).append(number)
        if not BILLS.has(ctx, region, month, bid, raised.version):
            raise Violation(f"objection {number} in {(region, month)}: its bill is not registered")
    last = {tuple(place): number for place, number in LAST_OBJECTION.all(ctx)}
    if {place: list(range(1, number + 1)) for place, number in last.items()} != found:
        raise Violation("objections: the numbers are not those from 1 to the last")


def bills_are_of_closed_months(directory: Directory) -> Callable[[Context], None]:
    """Make the invariant that bills stand in closed months only, as many as the tallies say, none too many.

    Args:
        directory: the registry, which knows months and meters.
    """

    def hold(ctx: Context) -> None:
        tallies = dict(TALLIES.all(ctx))
        for region, month in dict.fromkeys((region, month) for (region, month, *_), _ in BILLS.all(ctx)):
            if (region, month) not in tallies:
                raise Violation(f"month {(region, month)}: it has bills and no tally")
        for (region, month), tally in tallies.items():
            if not directory.month_rules(ctx, RegionId(region), MonthId(month)).closed:
                raise Violation(f"month {(region, month)}: it has bills and is open")
            versions = [version for (*_, version), _ in BILLS.under(ctx, region, month)]
            raised = [each for _, each in OBJECTIONS.under(ctx, region, month)]
            counted = (
                sum(version == 1 for version in versions),
                sum(version > 1 for version in versions),
                len(raised),
                sum(each.answer is not None for each in raised),
            )
            if counted != (tally.bills, tally.corrections, tally.objections, tally.answered):
                raise Violation(f"month {(region, month)}: the tally is not that of its bills")
            if tally.bills > directory.meters_in(ctx, RegionId(region), MonthId(month)):
                raise Violation(f"month {(region, month)}: it has more bills than meters")

    return hold
