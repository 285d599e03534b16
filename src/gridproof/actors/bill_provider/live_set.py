"""Which records of a closed slot count, and who is behind those that do not; pure functions.

Rules:
    L-1 A half whose twin is missing does not count: it is an orphan.
    L-2 A pair does not count whose reading cannot be true (negative, or above the plausible limit), or whose place has
        no enrolled meter in this period: spare, not yet begun, or ended.
    L-3 The masks of the fixed live set are summed, of no other.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridproof.domain import WORD, to_signed


class Kind(Enum):
    """What is wrong with a place in a slot."""

    SILENT = "silent"
    HALF_SENT = "half-sent"
    ABSURD = "absurd"
    NOT_ENROLLED = "not enrolled"


class Finding(NamedTuple):
    """A place with which something is wrong in a slot.

    Attributes:
        kind: what is wrong.
        place: index of the place in its epoch.
        positions: its leaf positions that are empty (silent, half-sent) or filled (otherwise), ascending.
        reading_wh: what its records say, Wh, where both are there.
    """

    kind: Kind
    place: int
    positions: tuple[int, ...]
    reading_wh: int | None = None


class Judgement(NamedTuple):
    """What the bill provider says of a closed slot.

    Attributes:
        orphans: leaf positions of single halves, ascending.
        excluded: leaf positions of pairs that do not count, ascending.
        findings: all places with which something is wrong, by their index.
        readings: of the live pairs, by the place's index, Wh.
    """

    orphans: tuple[int, ...]
    excluded: tuple[int, ...]
    findings: tuple[Finding, ...]
    readings: dict[int, int]


class SlotView(NamedTuple):
    """What the bill provider knows of a slot.

    Attributes:
        owners: for each leaf position whose it is: half `value % 2` of place `value // 2`.
        masks: for each owner its mask.
        active: for each place whether its meter is enrolled in the period.
        values: rc by leaf position, of the records on the ledger.
    """

    owners: NDArray[np.uint32]
    masks: NDArray[np.uint64]
    active: Sequence[bool]
    values: Mapping[int, int]


def judge(slot: SlotView, limit_wh: int) -> Judgement:
    """Tell which records count (L-1, L-2).

    Args:
        slot: what is known of it.
        limit_wh: the largest plausible reading.
    """
    orphans: list[int] = []
    excluded: list[int] = []
    findings: list[Finding] = []
    readings: dict[int, int] = {}
    for place, pair in enumerate(_positions(slot.owners)):
        filled = [position for position in pair if position in slot.values]
        empty = tuple(sorted(position for position in pair if position not in slot.values))
        active = slot.active[place]
        if len(filled) < len(pair):
            orphans += filled
            if active:
                findings.append(Finding(Kind.HALF_SENT if filled else Kind.SILENT, place, empty))
            elif filled:
                findings.append(Finding(Kind.NOT_ENROLLED, place, tuple(filled)))
            continue
        masked = sum(slot.values[position] for position in pair)
        reading_wh = to_signed((masked - int(slot.masks[2 * place]) - int(slot.masks[2 * place + 1])) % WORD)
        if active and 0 <= reading_wh <= limit_wh:
            readings[place] = reading_wh
            continue
        excluded += pair
        kind = Kind.ABSURD if active else Kind.NOT_ENROLLED
        findings.append(Finding(kind, place, tuple(sorted(pair)), reading_wh))
    return Judgement(tuple(sorted(orphans)), tuple(sorted(excluded)), tuple(findings), readings)


def mask_sum(owners: NDArray[np.uint32], masks: NDArray[np.uint64], live: Iterable[int]) -> int:
    """Z: the sum of the masks at the live leaf positions, modulo 2**64 (L-3)."""
    positions = np.fromiter(live, dtype=np.int64)
    return int(masks[owners[positions]].sum(dtype=np.uint64))


def _positions(owners: NDArray[np.uint32]) -> list[list[int]]:
    """For each place the positions of its first and its second half."""
    at = np.empty(len(owners), dtype=np.int64)
    at[owners] = np.arange(len(owners))
    pairs: list[list[int]] = at.reshape(-1, 2).tolist()
    return pairs
