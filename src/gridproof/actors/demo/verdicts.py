"""At the end: whether each fault was found, by whom it has to be."""

from collections.abc import Sequence
from typing import Final

from gridproof.actors.bill_provider import Kind
from gridproof.connectors.ledger import LedgerClient
from gridproof.modules.aggregation import queries as aggregation

from .attackers import LEDGER
from .docket import Docket
from .faults import DroppingDesk
from .outcome import Period
from .script import Part, Script

PROVIDER: Final = "bill provider"


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
