"""What a register is set against when months before had none: no energy is billed twice, and none is left out.

Source: private-metering.md, row 22.
"""

from collections.abc import Sequence

from gridproof.actors.errors import EarlierBillMissingError
from gridproof.actors.seat import Asked
from gridproof.connectors.bill_book import BillNote
from gridproof.connectors.registers import SignedRegister
from gridproof.domain import Direction, MonthBounds, MonthId, month_label
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry

from .places import Place


def billable_register(
    ledger: Asked, place: Place, history: Sequence[BillNote], bounds: MonthBounds, signed: SignedRegister | None
) -> tuple[SignedRegister | None, int]:
    """The register that a bill goes by, and what was billed since its first value in months without one, Wh.

    A register that reaches back over a month without a tariff is let be: what belongs to that month is not to be billed
    at the prices of this one.

    Args:
        ledger: where the months stand.
        place: the meter's on a channel.
        history: the meter's bills of earlier months, the last version of each.
        bounds: the month of the bill.
        signed: what the meter signed, or None.

    Raises:
        EarlierBillMissingError: a month that it reaches back over has no bill yet.
    """
    if signed is None or signed.span.start_k >= bounds.first_k:
        return signed, 0
    notes, since_k = {note.month: note for note in history}, max(signed.span.start_k, place.from_k)
    carried_wh = 0
    for month, known in ledger.ask(registry.months, place.region):
        if month >= bounds.month or known.end_s // bounds.period_s <= since_k:
            continue
        if not ledger.ask(pricing.tariffs, place.region, month):
            return None, 0
        if month not in notes:
            raise EarlierBillMissingError(meter=place.name, month=month_label(MonthId(month)))
        note = notes[month]
        carried_wh += note.recorded_import_wh if place.channel == Direction.IMPORT else note.recorded_export_wh
    return signed, carried_wh
