"""What weaker schemes leave: every attacker must win against one of them, else its defeat says nothing.

The paper's are drawn on the ranges of `tests.attacks.paper`. The readings are the same households'.

Source: seed 002 (Oksuz 2024), section 5, filter generation and data aggregation phases; section 7.
"""

import numpy as np

from . import households
from .game import Challenge, Words
from .households import METERS, REGION_METERS, SLOTS, rows
from tests.attacks.paper import HIGH, LOW


class Weaker:
    """Traces of the households under weaker schemes.

    Args:
        pairs: how many each challenge has, at most.
        seed: of all chance.
    """

    def __init__(self, pairs: int, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        self._rows = pairs // REGION_METERS
        months = -(-pairs // (METERS * SLOTS))
        self.week = households.readings(1)
        self.readings = rows(households.readings(months + 1)[:months])[: self._rows]

    def _draw(self, *fields: int) -> Words:
        shape = (self._rows, REGION_METERS, *(fields or (1,)))
        return self._chance.integers(LOW, HIGH, shape, endpoint=True)

    def unmasked_halves(self) -> Challenge:
        """A reading split over the paper's range, and nothing else."""
        part = self._draw()
        return Challenge(part, self.readings - part)

    def paper_halves(self) -> Challenge:
        """The paper's two records: split and masks, integers of one range."""
        part = self._draw()
        return Challenge(part + self._draw(), self.readings - part + self._draw())

    def plain_hours(self) -> Challenge:
        """Readings as they are, under a pseudonym for each hour."""
        return Challenge(*households.hours(self.week))

    def plain_parts(self) -> tuple[Words, Words]:
        """Readings as they are, under a pseudonym for each part of the week."""
        return households.parts_of_week(self.week)

    def halves_sent_together(self) -> Challenge:
        """Both halves of a reading are sent at once, to one aggregator."""
        sent = self._sending()
        return Challenge(sent, sent)

    def halves_sent_in_order(self) -> Challenge:
        """The first half is always sent before the second."""
        one, two = self._sending(), self._sending()
        ahead = one[..., :1] <= two[..., :1]
        return Challenge(np.where(ahead, one, two), np.where(ahead, two, one))

    def one_identity(self) -> Challenge:
        """A reading's two records stand under one identity, as in the schemes before the paper's."""
        prid = self._chance.integers(-(2**63), 2**63 - 1, (self._rows, REGION_METERS, 1), endpoint=True)
        return Challenge(prid, prid)

    def order_of_coming(self) -> Challenge:
        """Both halves are sent together, and records stand in the order in which they came."""
        came = self._chance.permuted(np.tile(np.arange(REGION_METERS), (self._rows, 1)), axis=1)[..., None]
        return Challenge(2 * came, 2 * came + 1)

    def order_of_meters(self) -> Challenge:
        """Records stand in the same order of meters slot after slot, of which one in twenty is silent."""
        near, far = (self._silent_leave_gaps() for _ in range(2))
        return Challenge(near, far)

    def paper_withheld(self) -> Challenge:
        """The paper's two sums of masks, before and after a fault."""
        part, masks = self._draw(), self._draw(2)
        of_meter = masks.sum(axis=-1)
        before = np.broadcast_to(of_meter.sum(axis=1, keepdims=True), of_meter.shape)
        records = np.concatenate([part, self.readings - part], axis=-1) + masks
        return Challenge(records, np.stack([before, before - of_meter], axis=-1))

    def paper_months(self) -> Challenge:
        """The paper's renewal: new identities, new splits, the same masks; the readings are another day's."""
        masks = self._draw(2)
        parts = []
        for readings in (self.readings, np.roll(self.readings, households.DAY * (METERS // REGION_METERS), axis=0)):
            part = self._draw()
            parts.append(np.concatenate([part, readings - part], axis=-1) + masks)
        return Challenge(*parts)

    def _sending(self) -> Words:
        shape = (self._rows, REGION_METERS)
        return np.stack([self._chance.integers(0, 1_800, shape), self._chance.integers(1, 4, shape)], axis=-1)

    def _silent_leave_gaps(self) -> Words:
        speaks = self._chance.random((self._rows, REGION_METERS)) >= 0.05
        return (np.cumsum(speaks, axis=1) - speaks)[..., None].astype(np.int64)
