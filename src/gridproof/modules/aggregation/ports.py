"""What aggregation needs of others."""

from typing import Protocol

from gridproof.domain import Direction, MonthBounds, MonthId, MonthRules, ParticipantId, RegionId, RegionRules, Slot
from gridproof.state import Context


class Directory(Protocol):
    """Who may do what, and by which rules a region's months are worked (served by the registry)."""

    def require_operator(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is the operator.

        Raises:
            NotPermitted: it is not; nothing changed.
        """

    def require_bill_provider(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a bill provider.

        Raises:
            NotPermitted: it is not; nothing changed.
        """

    def require_data_aggregator(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a data aggregator.

        Raises:
            NotPermitted: it is not; nothing changed.
        """

    def had_receipt_key(self, ctx: Context, participant: ParticipantId, key: bytes, at_s: int) -> bool:
        """Whether the participant signed receipts with a key at an instant or later, be it replaced since or not."""

    def region_rules(self, ctx: Context, region: RegionId) -> RegionRules:
        """How the region's slots are worked.

        Raises:
            Refusal: there is no such region.
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

    def enrolled(self, ctx: Context, region: RegionId, channel: Direction, k: int) -> int:
        """How many meters are enrolled on the channel at period k; settled once the period has begun."""

    def close_month(self, ctx: Context, region: RegionId, month: MonthId) -> None:
        """Mark the month as closed: its slots were folded."""


class Release(Protocol):
    """What a later module may want of a slot before its total comes out."""

    def require_release(self, ctx: Context, slot: Slot) -> None:
        """Return if the slot's live set may be fixed now.

        Raises:
            Refusal: something must happen first, such as the closing of the slot's market book.
        """

    def known(self, ctx: Context, slot: Slot) -> int:
        """How many enrolled meters have a value in this slot that is known otherwise: they hide nobody."""


class NothingHeld:
    """Holds no slot back and knows no meter's value."""

    def require_release(self, ctx: Context, slot: Slot) -> None:
        """Return: every slot is released."""

    def known(self, ctx: Context, slot: Slot) -> int:
        """No meter's value is known."""
        return 0


class MonthEnd(Protocol):
    """Who keeps something for each slot of a month, and folds it when the month is closed (served by pricing)."""

    def fold(self, ctx: Context, region: RegionId, channel: Direction, bounds: MonthBounds) -> None:
        """Put what is kept of a channel's month under one root."""

    def forget(self, ctx: Context, region: RegionId, channel: Direction, month: MonthId) -> None:
        """Forget the details of a month whose retention is over; what its root binds stays bound."""


class NothingFollows:
    """Keeps nothing for slots."""

    def fold(self, ctx: Context, region: RegionId, channel: Direction, bounds: MonthBounds) -> None:
        """Nothing is folded."""

    def forget(self, ctx: Context, region: RegionId, channel: Direction, month: MonthId) -> None:
        """Nothing is forgotten."""
