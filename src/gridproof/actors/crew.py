"""All actors of a community that runs in one place, at their seats: what a conductor lets act."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

from gridproof.connectors.inbox import Inbox
from gridproof.connectors.outbox import Outbox
from gridproof.domain import RegionRules, Slot
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import ClaimDropped, CloseMonth
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives.schnorr import Signer

from .bill_provider import BillProvider, Policy, Shelf, Totals
from .clock import Clock
from .data_aggregator import DataAggregator
from .errors import NodeUnclearError
from .fleet import Fleet
from .meter import Surroundings
from .public_rosters import PublicRosters
from .randomness import Randomness, system
from .seat import Asked, Seat


class Post(NamedTuple):
    """A data aggregator's post.

    Attributes:
        seat: at the ledger.
        receipt_signer: holds its receipt key.
        inbox: the file of its inbox.
        regions: numbers of the regions that it serves.
    """

    seat: Seat
    receipt_signer: Signer
    inbox: Path
    regions: tuple[int, ...]


class Posts(NamedTuple):
    """Who sits where.

    Attributes:
        operator: the operator's seat.
        bill_provider: the bill provider's.
        aggregators: the data aggregators' posts.
    """

    operator: Seat
    bill_provider: Seat
    aggregators: tuple[Post, ...]


class Chance(NamedTuple):
    """Where actors draw chance from.

    Attributes:
        keys: for the bill provider's keys and handles.
        meter: for a meter's sending times, by its handle.
    """

    keys: Randomness
    meter: Callable[[bytes], Randomness]


SYSTEM_CHANCE = Chance(system, lambda _meter: system)


class Crew:
    """The actors.

    Args:
        posts: who sits where.
        shelf: where the bill provider's files lie; the meters' enrolment files among them.
        policy: what the bill provider decides for itself.
        outbox: file of the outboxes of the meters that run here.
        clock: by which all act.
        chance: where they draw chance from.
        executor: for heavy work, such as a process pool; on the calling thread when none is given.

    Attributes:
        operator: the operator's seat.
        provider: the bill provider.
        totals: its work on slots.
        aggregators: data aggregators by participant id.
        fleet: the meters whose files lie here.
        rules: of the regions, by number.

    Raises:
        FileError, SecretFileError, DatabaseError: a file is exposed, sealed, or cannot be used.
    """

    def __init__(
        self,
        posts: Posts,
        shelf: Shelf,
        policy: Policy,
        outbox: Path,
        clock: Clock,
        *,
        chance: Chance = SYSTEM_CHANCE,
        executor: Executor | None = None,
    ) -> None:
        self.operator = posts.operator
        self.rules = rules_of(posts.operator)
        self.provider = BillProvider(posts.bill_provider, shelf, clock, chance.keys, policy, executor)
        self.totals = Totals(self.provider)
        self._posts = posts
        self._inboxes = [Inbox(post.inbox) for post in posts.aggregators]
        self.aggregators: dict[int, DataAggregator] = {
            post.seat.participant: DataAggregator(
                post.seat, post.receipt_signer, PublicRosters(shelf.rosters, post.seat), inbox, clock
            )
            for post, inbox in zip(posts.aggregators, self._inboxes, strict=True)
        }
        self._outbox = Outbox(outbox)
        self.fleet = Fleet(shelf.enrolments, shelf.secrets, self._outbox, self._surroundings, chance.meter)
        self._rosters = PublicRosters(shelf.rosters, posts.operator)

    @property
    def seats(self) -> Sequence[Seat]:
        """Where all actors speak from, in the order in which they are settled."""
        return [self.operator, self.provider.seat, *(each.seat for each in self.aggregators.values())]

    def close(self) -> None:
        """Let go of all files."""
        self._outbox.close()
        for inbox in self._inboxes:
            inbox.close()

    def fold_month(self, region: int, month: int) -> None:
        """Say that a month is to be folded, unless it is."""
        known = self.operator.ask(registry.month, region, month)
        if known is not None and not known.closed:
            self.operator.send(CloseMonth(region, month))

    def claim_dropped(self, slot: Slot) -> int:
        """Bring claims for records of a closed slot that meters here have receipts for and the ledger lacks.

        The operator brings them, so that a claim does not tell whose the record is.

        Returns:
            How many claims were brought.

        Raises:
            NoRosterError: no roster file agrees with the ledger.
        """
        claimed = self.operator.ask(aggregation.claimed, *slot)
        missing = [each for each in self.operator.ask(aggregation.missing, *slot) if each not in claimed]
        if not missing:
            return 0
        find = self._rosters.find_missing(slot, missing)
        claims: list[ClaimDropped] = []
        for handle, entries in self._outbox.of_slot(slot).items():
            meter = self.fleet.by_handle(handle)
            claims += meter.claims(entries, find) if meter else ()
        # In the order of the leaves: in that of the outbox a meter's claims would stand together, and those of every
        # slot in the order of the handles, which are on the ledger.
        for claim in sorted(claims, key=lambda each: each.position):
            self.operator.send(claim)
        return len(claims)

    def _surroundings(self, region: int) -> Surroundings:
        keys = {}
        for post in self._posts.aggregators:
            key = self.operator.ask(registry.key, post.seat.participant, KeyRole.RECEIPT)
            if region in post.regions and key is not None:
                keys[int(post.seat.participant)] = key
        if region not in self.rules or not keys:
            raise NodeUnclearError(what=f"find region {region}", detail="it is not on the ledger, or has no aggregator")
        return Surroundings(self.rules[region], keys)


def rules_of(ledger: Asked) -> dict[int, RegionRules]:
    """How the ledger's regions are worked, by number.

    Raises:
        ClientError: the ledger gave no answer.
    """
    return {number: region.rules for number, region in ledger.ask(registry.regions)}
