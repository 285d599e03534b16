"""Bill reports to export, made by an arithmetic of their own."""

from collections.abc import Callable

from gridproof.actors.bills.report import (
    Report,
    ReportAbsence,
    ReportChannel,
    ReportCharge,
    ReportLine,
    ReportRegister,
    ReportTariff,
)
from gridproof.calendar import Calendar
from gridproof.domain import MonthBounds, month_id

PRIDS = ("11" * 32, "22" * 32)
Slots = Callable[[str, int], "int | str"]
"""What a channel has in the slot of an index from the bill's first one on: energy in Wh, or why there is none."""


def bounds_of(month: str, zone: str, period_s: int) -> MonthBounds:
    year, number = map(int, month.split("-"))
    return Calendar(zone, period_s).bounds(month_id(year, number))


def made(
    slots: Slots = lambda channel, at: at % 7 * 100,
    *,
    channels: tuple[str, ...] = ("import",),
    zone: str = "Europe/Zurich",
    month: str = "2025-10",
    period_s: int = 900,
    prices_e5: Callable[[int], int] = lambda at: 21_345 + at % 5,
    late: Callable[[int], bool] = lambda at: False,
    fallback: Callable[[int], bool] = lambda at: False,
    stretch: tuple[int, int] | None = None,
    charges: tuple[ReportCharge, ...] = (),
    reconciled_wh: int = 0,
    penalty_e9: int = 50_000_000,
    rounding_e9: int = 50_000_000,
    currency: str = "CHF",
    household: str = "Müller, 2. Stock",
    community: str = "Sonnenhof & Söhne <Nord>",
    version: int = 1,
    made_s: int = 1_762_000_000,
) -> Report:
    """A report whose energy charges are the sums of its lines and whose total is the sum of its charges.

    Args:
        slots: what each slot has.
        stretch: first and last slot (exclusive) of the month in which the meter was enrolled.
        charges: those beyond energy.
    """
    bounds = bounds_of(month, zone, period_s)
    first, last = stretch or (0, bounds.periods)
    from_k, until_k = bounds.first_k + first, bounds.first_k + last
    told, energy = [], []
    for name in channels:
        sign = 10 if name == "import" else -10
        lines, absences = [], []
        for at in range(last - first):
            k, found, price_e5 = from_k + at, slots(name, at), prices_e5(at)
            start_s = k * period_s
            if isinstance(found, int):
                lines.append(
                    ReportLine(
                        k=k,
                        start_s=start_s,
                        energy_wh=found,
                        price_e5=price_e5,
                        fallback=fallback(at),
                        late=late(at),
                        amount_e9=found * price_e5 * sign,
                        prids=PRIDS,
                    )
                )
            else:
                costs = penalty_e9 if found == "silent" else 0
                absences.append(ReportAbsence(k=k, start_s=start_s, why=found, penalty_e9=costs, leaves=PRIDS))  # type: ignore[arg-type]
        recorded_wh = sum(line.energy_wh for line in lines)
        register = ReportRegister(
            start_k=from_k,
            end_k=until_k,
            start_wh=5,
            end_wh=5 + recorded_wh + reconciled_wh,
            carried_wh=0,
            recorded_wh=recorded_wh,
            reconciled_wh=reconciled_wh,
            signature="33" * 64,
        )
        told.append(
            ReportChannel(
                channel=name,  # type: ignore[arg-type]
                lines=tuple(lines),
                absences=tuple(absences),
                register=register,
                leaf_proof=(),
            )
        )
        kind = "energy" if name == "import" else "feed_in"
        amount_e9 = sum(line.amount_e9 for line in lines)
        energy.append(charge(kind, "", amount_e9, recorded_wh, 0, channel=name, span=(from_k, until_k)))
    everything = (*energy, *charges)
    total_e9 = sum(each.amount_e9 for each in everything)
    return Report(
        chain_id="sonnenhof-1",
        community=community,
        region=1,
        region_name="Nord",
        zone=zone,
        currency=currency,
        rounding_e9=rounding_e9,
        household=household,
        meter="ab" * 16,
        bid="cd" * 32,
        bill_version=version,
        made_s=made_s,
        month=month,
        month_start_s=bounds.start_s,
        month_end_s=bounds.end_s,
        period_s=period_s,
        from_k=from_k,
        until_k=until_k,
        tariffs=(ReportTariff(from_k=from_k, name="Sommer"),),
        channels=tuple(told),
        charges=everything,
        total_e9=total_e9,
        payable_e9=(2 * total_e9 + rounding_e9) // (2 * rounding_e9) * rounding_e9,
        history=(),
    )


def charge(
    kind: str,
    name: str,
    amount_e9: int,
    quantity: int = 0,
    rate: int = 0,
    *,
    channel: str = "import",
    span: tuple[int, int] = (1_955_000, 1_955_100),
) -> ReportCharge:
    return ReportCharge(
        kind=kind,  # type: ignore[arg-type]
        name=name,
        channel=channel,  # type: ignore[arg-type]
        from_k=span[0],
        until_k=span[1],
        quantity=quantity,
        rate=rate,
        amount_e9=amount_e9,
    )


CHARGES = (
    charge("levy", "Netz", 1_234_567_890, 123_456, 1_000),
    charge("standing", "Grundpreis", 5_000_000_001, 2_678_400, 5_000_000_000),
    charge("reconciliation", "energy", 9_876_543_219, 4_000, 24_691),
    charge("reconciliation", "energy", -77, 7, 1, channel="export"),
    charge("penalty", "missing", 100_000_000, 2, 50_000_000),
    charge("tax", "MwSt", 1_300_000_017, 16_049_382_938, 810),
)
