"""The operator: admits participants, adds regions, opens and closes months, and moves the clock where it is its own.

Everything is idempotent: what the ledger has already is not sent again, so that an operator that was stopped can start
over.
"""

from collections.abc import Iterable

from gridproof.connectors.ledger import Sender
from gridproof.domain import MonthBounds, ParticipantId, RegionId, Tariff
from gridproof.modules.aggregation.messages import CloseMonth
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.pricing.messages import ChangeTariff
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import (
    AddRegion,
    AdvanceClock,
    KeyEntry,
    OpenMonth,
    RegisterParticipant,
    SetPrivacy,
)
from gridproof.state import TransactionPlace, system

from .errors import NodeUnclearError


class Operator:
    """Runs the community on the ledger.

    Args:
        sender: signs as the operator and knows the ledger.
    """

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self._ledger = sender.client

    def register(self, name: str, roles: int, keys: Iterable[KeyEntry]) -> ParticipantId:
        """Admit a participant, or find the one of this name.

        Args:
            name: for people, unique.
            roles: a sum of `Role`s.
            keys: its public keys.

        Raises:
            Refusal: the ledger refuses.
            NodeUnclearError: the ledger accepted it and has it not.
        """
        found = self._find(name)
        if found is None:
            self.sender.send(RegisterParticipant(name, roles, tuple(keys)))
            found = self._find(name)
        if found is None:
            raise NodeUnclearError(what=f"register {name}", detail="it was accepted and is not there")
        return found

    def _find(self, name: str) -> ParticipantId | None:
        for number, participant in self._ledger.ask(registry.participants):
            if participant.name == name:
                return ParticipantId(number)
        return None

    def add_region(self, region: AddRegion) -> None:
        """Add a region unless it is there.

        Raises:
            Refusal: the ledger refuses.
        """
        if self._ledger.ask(registry.region, region.region) is None:
            self.sender.send(region)

    def set_privacy(self, region: RegionId, k_min: int, min_live_permille: int) -> None:
        """Change a region's privacy parameters from the next month that is opened.

        Raises:
            Refusal: the ledger refuses.
        """
        self.sender.send(SetPrivacy(region, k_min, min_live_permille))

    def open_month(self, region: RegionId, bounds: MonthBounds) -> None:
        """Open a region's month unless it is open.

        Raises:
            Refusal: the ledger refuses.
        """
        if self._ledger.ask(registry.month, region, bounds.month) is None:
            self.sender.send(OpenMonth(region, bounds.month, bounds.start_s, bounds.end_s))

    def close_month(self, region: RegionId, month: int) -> None:
        """Fold a region's month unless it is closed.

        Raises:
            Refusal: the ledger refuses; a deadline may not be past yet.
        """
        known = self._ledger.ask(registry.month, region, month)
        if known is not None and not known.closed:
            self.sender.send(CloseMonth(region, month))

    def change_tariff(self, region: RegionId, month: int, from_k: int, tariff: Tariff) -> None:
        """Put another tariff into force in an open month, unless it is in force from that period on.

        Raises:
            Refusal: the ledger refuses; the tariff before stays.
        """
        if (from_k, tariff) not in self._ledger.ask(pricing.tariffs, region, month):
            self.sender.send(ChangeTariff(region, month, from_k, tariff))

    def advance_clock(self, to_s: int) -> TransactionPlace | None:
        """Move ledger time forward; nothing happens where it is there already, or moves with the blocks.

        Args:
            to_s: UTC epoch seconds.

        Raises:
            Refusal: the ledger refuses.
        """
        now_s = self._ledger.ask(system.operator_clock_s)
        if now_s is None or now_s >= to_s:
            return None
        return self.sender.send(AdvanceClock(to_s))
