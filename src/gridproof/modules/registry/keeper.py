"""The registry's keeper: who takes part, where, and since when; the only writer of its state.

The rules R-1 to R-23 stand in README.md: those of participants and keys are kept in `people`, those of regions, months
and meters in `grid`. What other modules ask of the registry is answered here, in words of the domain (they state it in
ports of their own), and so is who may send a transaction (the Application's port `Accounts`).
"""

from gridproof.domain import Direction, MonthBounds, MonthId, MonthRules, ParticipantId, RegionId, RegionRules
from gridproof.state import Context, Reader

from .grid import Grid
from .lookups import (
    count_meters_in,
    enrolled_at,
    find_key,
    require_month,
    require_month_of,
    require_region,
    require_role,
)
from .messages import AdvanceClock, ClockAdvanced
from .people import People, find_named
from .ports import NoTariffs, Tariffs
from .types import KEY_USES, MONTHS, KeyRole, Month, Role


class Keeper:
    """Keeps the community's register and answers for it.

    Args:
        tariffs: keeps what months are opened with; nothing when none is given.

    Attributes:
        people: the rules of participants, roles and keys.
        grid: the rules of regions, months and meters.
    """

    def __init__(self, tariffs: Tariffs | None = None) -> None:
        self.people = People()
        self.grid = Grid(tariffs or NoTariffs())

    # --- the clock -------------------------------------------------------------------------------------------------

    def advance_clock(self, ctx: Context, sender: ParticipantId, message: AdvanceClock) -> None:
        """Move ledger time forward, where the genesis gave it to the operator (R-21).

        Raises:
            NotPermitted: `sender` is no operator (R-10).
            ClockNotOperators: this ledger takes its time from its blocks.
            ClockBackwards: the time is not after the present one.

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.OPERATOR)
        ctx.advance_clock(message.to_s)
        ctx.emit(ClockAdvanced(message.to_s))

    # --- who may do what -------------------------------------------------------------------------------------------

    def require_operator(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is an operator.

        Raises:
            NotPermitted: it is not; nothing changed.
        """
        require_role(ctx, participant, Role.OPERATOR)

    def require_bill_provider(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a bill provider.

        Raises:
            NotPermitted: it is not; nothing changed.
        """
        require_role(ctx, participant, Role.BILL_PROVIDER)

    def require_control_center(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a control centre.

        Raises:
            NotPermitted: it is not; nothing changed.
        """
        require_role(ctx, participant, Role.CONTROL_CENTER)

    def require_data_aggregator(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a data aggregator.

        Raises:
            NotPermitted: it is not; nothing changed.
        """
        require_role(ctx, participant, Role.DATA_AGGREGATOR)

    def transaction_key(self, view: Reader, participant: ParticipantId) -> bytes | None:
        """The x-only key that the participant signs transactions with, 32 bytes, or None."""
        return find_key(view, participant, KeyRole.TRANSACTION)

    def find_participant_named(self, view: Reader, name: str) -> ParticipantId | None:
        """The participant who has a name, or None."""
        return find_named(view, name)

    def had_receipt_key(self, ctx: Context, participant: ParticipantId, key: bytes, at_s: int) -> bool:
        """Whether the participant signed receipts with a key at an instant or later: its present key, or a former one.

        Args:
            ctx: the state.
            participant: who signed.
            key: x-only, 32 bytes.
            at_s: the instant, UTC epoch seconds.
        """
        use = KEY_USES.find(ctx, key)
        if use is None or (use.participant, use.role) != (participant, KeyRole.RECEIPT):
            return False
        return use.replaced_s == 0 or at_s < use.replaced_s

    # --- where and when --------------------------------------------------------------------------------------------

    def region_rules(self, ctx: Context, region: RegionId) -> RegionRules:
        """How a region's slots are worked.

        Raises:
            RegionUnknown: there is no such region.
        """
        return require_region(ctx, region).rules

    def month_of(self, ctx: Context, region: RegionId, k: int) -> MonthRules:
        """The month that period k lies in, open or closed.

        Raises:
            RegionUnknown: there is no such region.
            NoMonth: no month that was opened holds the period.
        """
        number, month = require_month_of(ctx, region, k)
        return _rules(number, month, require_region(ctx, region).period_s)

    def month_rules(self, ctx: Context, region: RegionId, month: MonthId) -> MonthRules:
        """The month of this number, open or closed.

        Raises:
            RegionUnknown: there is no such region.
            MonthUnknown: it was not opened.
        """
        period_s = require_region(ctx, region).period_s
        return _rules(month, require_month(ctx, region, month), period_s)

    def retains(self, ctx: Context, region: RegionId, month: MonthId) -> bool:
        """Whether the details of a closed month are still kept for certain: no month that ends its retention is closed.

        Raises:
            RegionUnknown: there is no such region.
        """
        until = month + require_region(ctx, region).retention_months
        return not any(known.closed and number >= until for (_, number), known in MONTHS.under(ctx, region))

    def enrolled(self, ctx: Context, region: RegionId, channel: Direction, k: int) -> int:
        """How many meters are enrolled on a channel at period k; settled once the period has begun.

        Raises:
            RegionUnknown: there is no such region.
            CountForgotten: the period lies before the months whose counts are kept (R-20).
        """
        return enrolled_at(ctx, region, channel, k)

    def meters_in(self, ctx: Context, region: RegionId, month: MonthId) -> int:
        """How many meters were enrolled for some period of a month (R-23).

        Raises:
            RegionUnknown: there is no such region.
            MonthUnknown: it was not opened.
        """
        return count_meters_in(ctx, region, self.month_rules(ctx, region, month).bounds)

    def close_month(self, ctx: Context, region: RegionId, month: MonthId) -> None:
        """Mark a month as closed, once its slots were folded (R-16).

        Raises:
            RegionUnknown: there is no such region.
            MonthUnknown: it was not opened.
            MonthAlreadyClosed: it was closed before.
            MonthStillRuns: it has not ended yet.
        """
        self.grid.close_month(ctx, region, month)


def _rules(number: int, month: Month, period_s: int) -> MonthRules:
    bounds = MonthBounds(MonthId(number), month.start_s, month.end_s, period_s)
    return MonthRules(bounds, month.k_min, month.min_live_permille, month.closed)
