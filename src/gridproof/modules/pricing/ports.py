"""What pricing needs of others."""

from typing import Protocol

from gridproof.domain import MonthId, MonthRules, ParticipantId, RegionId, Slot, SlotOutcome
from gridproof.state import Context


class Directory(Protocol):
    """Who may do what, and which months there are (served by the registry)."""

    def require_operator(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is the operator.

        Raises:
            NotPermitted: it is not; nothing changed.
        """

    def require_control_center(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a control centre.

        Raises:
            NotPermitted: it is not; nothing changed.
        """

    def month_of(self, ctx: Context, region: RegionId, k: int) -> MonthRules:
        """The month that period k lies in, open or closed.

        Raises:
            Refusal: no month that was opened holds it.
        """

    def month_rules(self, ctx: Context, region: RegionId, month: MonthId) -> MonthRules:
        """The month of this number, open or closed.

        Raises:
            Refusal: it was not opened.
        """

    def retains(self, ctx: Context, region: RegionId, month: MonthId) -> bool:
        """Whether the details of a closed month are still kept for certain.

        Raises:
            Refusal: there is no such region.
        """


class Totals(Protocol):
    """How slots come to their end (served by aggregation)."""

    def outcome(self, ctx: Context, slot: Slot) -> SlotOutcome | None:
        """How a slot of an open month came to its end, or None where it has not."""
