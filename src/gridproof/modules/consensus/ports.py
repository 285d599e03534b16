"""What consensus needs of others."""

from typing import Protocol

from gridproof.domain import ParticipantId
from gridproof.state import Context, Reader


class Directory(Protocol):
    """Who takes part (served by the registry)."""

    def require_data_aggregator(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if `participant` is a data aggregator.

        Raises:
            NotPermitted: it is not; nothing changed.
        """

    def find_participant_named(self, view: Reader, name: str) -> ParticipantId | None:
        """The participant who has a name, or None."""
