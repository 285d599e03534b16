"""What billing needs of others."""

from typing import Protocol

from gridproof.domain import MonthId, MonthRules, ParticipantId, RegionId
from gridproof.state import Context


class Directory(Protocol):
    """Who may do what, and which months there are (served by the registry)."""

    def require_bill_provider(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a bill provider.

        Raises:
            NotPermitted: it is not; nothing changed.
        """

    def month_rules(self, ctx: Context, region: RegionId, month: MonthId) -> MonthRules:
        """The month of this number, open or closed.

        Raises:
            Refusal: it was not opened.
        """

    def meters_in(self, ctx: Context, region: RegionId, month: MonthId) -> int:
        """How many meters were enrolled for some period of a month.

        Raises:
            Refusal: it was not opened.
        """
