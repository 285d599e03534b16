"""How a month's slots become one root."""

from collections.abc import Sequence

from msgspec.structs import replace

from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode

from ..types import FoldedSlot, MonthFold, SlotState, Status

ENDED = (Status.OPENED, Status.SEALED, Status.VOID)


def ended(state: SlotState) -> SlotState:
    """How a slot ends when its month is closed: void, unless it has come to its end before."""
    return state if state.status in ENDED else replace(state, status=Status.VOID)


def fold(folded: Sequence[FoldedSlot]) -> MonthFold:
    """Bind a month's slots.

    Args:
        folded: all slots of the month, in the order of k.
    """
    opened = [each.state.total_wh for each in folded if each.state.status == Status.OPENED]
    return MonthFold(folded[0].k, len(folded), merkle.root(fold_leaves(folded)), len(opened), sum(opened))


def fold_leaves(folded: Sequence[FoldedSlot]) -> list[bytes]:
    """The data of the fold's leaves: each slot as encoded."""
    return [encode(each) for each in folded]
