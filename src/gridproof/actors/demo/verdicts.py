"""At the end: whether each fault was found, by whom it has to be."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from gridproof.actors.bill_provider import Kind
from gridproof.connectors.ledger import LedgerClient
from gridproof.modules.aggregation import queries as aggregation

from .attackers import LEDGER
from .docket import Docket
from .faults import DroppingDesk
from .outcome import Billed, Period
from .script import Part, Script, Shaving

PROVIDER: Final = "bill provider"
REGISTER: Final = "meter's register"
_STEP: Final = Decimal("0.000000001")


def find_faults(
    docket: Docket, script: Script, periods: Sequence[Period], desk: DroppingDesk, client: LedgerClient, month: int
) -> None:
    """Note for each fault whether it was found.

    Args:
        docket: notes it.
        script: the faults.
        periods: as they came out.
        desk: where a meter was dropped.
        client: the ledger, which convicts the one who dropped it.
        month: the month of that.
    """
    _find_silent(docket, script, periods)
    by_slot = {each.slot: each for each in periods}
    _find_named(docket, "half_sent_record", by_slot[script.half_sent.slot], script.half_sent, Kind.HALF_SENT)
    _find_named(docket, "absurd_value", by_slot[script.absurd.slot], script.absurd, Kind.ABSURD)
    if desk.dropped is not None:
        _find_dropped(docket, desk, desk.dropped, client, month)


def find_under_reporting(
    docket: Docket, bills: Sequence[Billed], shaving: Shaving, honest: Decimal, reported_less_wh: int
) -> None:
    """Note whether the meter that reported too little is billed for all, and no cheaper than an honest one.

    Args:
        docket: notes it.
        bills: all of them.
        shaving: which meter, and when.
        honest: what honesty would have cost, in the currency, by the independent count.
        reported_less_wh: how much it did not report.
    """
    own = [each for each in bills if each.meter == shaving.meter]
    paid, reconciled_wh = sum(each.total_e9 for each in own) * _STEP, sum(each.reconciled_wh for each in own)
    is_found = reconciled_wh >= reported_less_wh and paid >= honest
    currency = own[0].currency if own else ""
    told = f"{reconciled_wh:,} Wh that {shaving.meter} kept back are billed at the dearest price"
    if not reconciled_wh:
        told = f"{shaving.meter} is not billed for what it kept back"
    sums = f"{currency} {paid:,.2f} to pay, where honesty would have cost {honest:,.2f}"
    docket.found("under_reporting", REGISTER, f"{told}: {sums}", is_found=is_found)


def _find_silent(docket: Docket, script: Script, periods: Sequence[Period]) -> None:
    for silence in script.silences:
        dead = [
            each
            for each in periods
            if each.slot.region == silence.region
            and silence.from_k <= each.slot.k < silence.until_k
            and silence.meter in each.counted.missing
        ]
        found = sum(each.named.get(silence.meter) == Kind.SILENT for each in dead)
        told = f"names {silence.meter} in {found} of {len(dead)} slots; the ledger names leaves, not meters"
        docket.found("silent_meter", PROVIDER, told, is_found=found == len(dead) > 0)


def _find_named(docket: Docket, attack: str, period: Period, part: Part, kind: Kind) -> None:
    is_found = period.named.get(part.meter) == kind and part.meter not in period.counted.live and period.is_right
    told = f"names {part.meter} {kind.value} and leaves it out of the total"
    docket.found(attack, PROVIDER, told if is_found else f"does not name {part.meter}", is_found=is_found)


def _find_dropped(docket: Docket, desk: DroppingDesk, dropped: Part, client: LedgerClient, month: int) -> None:
    claimed = len(client.ask(aggregation.claimed, *dropped.slot))
    tally = client.ask(aggregation.tally, desk.aggregator, month).claims
    is_found = claimed == tally == len(desk.records)
    told = f"{claimed} of {len(desk.records)} records proved by the receipts of participant {desk.aggregator}"
    docket.found("dropped_meter", LEDGER, told, is_found=is_found)
