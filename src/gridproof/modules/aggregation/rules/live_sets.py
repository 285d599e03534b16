"""Which of a slot's records count, and whether enough meters stand behind them."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from gridproof.domain import WORD, MonthRules, bitmap_of, is_marked, marked

from ..errors import LiveBeyondEnrolled, LiveSetOdd, PositionEmpty
from ..types import BatchBody, SlotState, Status

PERMILLE = 1_000


def fix(
    state: SlotState, left_out: Sequence[int], bodies: Iterable[BatchBody], enrolled: int, known: int, month: MonthRules
) -> SlotState:
    """Take orphans and excluded leaves out of a closed slot, and seal it where too few meters remain.

    Args:
        state: the closed slot.
        left_out: leaf positions, each once.
        bodies: the slot's batches; read only where something is left out.
        enrolled: meters enrolled on the channel at k.
        known: how many of them have a value that is known otherwise.
        month: its privacy parameters.

    Raises:
        PositionEmpty: a position has no record to leave out.
        LiveSetOdd: an odd number of records remains.
        LiveBeyondEnrolled: more pairs remain than meters are enrolled.

    Source: README.md, rules A-19 to A-22; private-metering.md, rows 10 and 18.
    """
    for position in left_out:
        if not is_marked(state.filled, position):
            raise PositionEmpty(position=position)
    removed = int.from_bytes(bitmap_of(state.count, left_out), "big")
    live = (int.from_bytes(state.filled, "big") & ~removed).to_bytes(len(state.filled), "big")
    if marked(live) % 2:
        raise LiveSetOdd(live=marked(live))
    pairs = marked(live) // 2
    if pairs > enrolled:
        raise LiveBeyondEnrolled(pairs=pairs, enrolled=enrolled)
    removed_rc = sum_rc_at(bodies, left_out) if left_out else 0
    return replace(
        state,
        status=Status.FIXED if hides(pairs, enrolled, known, month) else Status.SEALED,
        live=live,
        live_pairs=pairs,
        enrolled=enrolled,
        known=known,
        live_rc=(state.total_rc - removed_rc) % WORD,
    )


def hides(pairs: int, enrolled: int, known: int, month: MonthRules) -> bool:
    """Whether a total of so many pairs hides each meter among enough others.

    The meters whose value is known otherwise are taken to be all among the live ones: the worst case for the others.

    Args:
        pairs: live pairs.
        enrolled: meters enrolled on the channel.
        known: how many of them have a value that is known otherwise.
        month: its privacy parameters.

    Source: private-metering.md, row 18.
    """
    hidden = pairs - known
    return hidden >= month.k_min and hidden * PERMILLE >= month.min_live_permille * (enrolled - known)


def sum_rc_at(bodies: Iterable[BatchBody], positions: Sequence[int]) -> int:
    """The sum of the records' values at some leaf positions, modulo 2**64."""
    wanted = frozenset(positions)
    return (
        sum(
            record.rc
            for body in bodies
            for position, record in zip(body.positions, body.records, strict=True)
            if position in wanted
        )
        % WORD
    )
