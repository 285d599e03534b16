"""The way from meters to data aggregators: a port, and its twin within one process.

Whatever lies between may lose, delay, repeat or alter what it carries: neither end trusts it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from gridproof.domain import Slot
from gridproof.modules.aggregation.types import SlotRecord

from .errors import DeliveryError


class Delivery(NamedTuple):
    """A record on its way."""

    slot: Slot
    record: SlotRecord


class Receipt(NamedTuple):
    """An aggregator's word that it has a record.

    Attributes:
        aggregator: who took it.
        signature: by its receipt key, over chain, slot, identity and record; 64 bytes.
    """

    aggregator: int
    signature: bytes


Reply = Receipt | DeliveryError | None  # None: no answer came


class Transport(Protocol):
    """Carries records to aggregators."""

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        """Bring records to an aggregator; the replies come in their order.

        Args:
            aggregator: participant id.
            deliveries: from any number of meters, in the order in which they were sent.
        """


class DirectTransport:
    """Hands records over within the process.

    Args:
        aggregators: by participant id.
    """

    def __init__(self, aggregators: Mapping[int, Transport]) -> None:
        self._aggregators = aggregators

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        """Bring records to an aggregator; one that does not exist gives no answer."""
        taker = self._aggregators.get(aggregator)
        return [None] * len(deliveries) if taker is None else taker.deliver(aggregator, deliveries)
