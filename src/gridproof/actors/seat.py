"""A participant's seat at the ledger: where an actor asks, and speaks in its own name.

An actor says what the ledger's state lacks and goes on; it does not wait for blocks. Whoever drives it settles the
seat: then what was said stands in blocks, and what was refused comes back. An actor that still misses it says it again.
"""

from collections.abc import Callable
from typing import Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from gridproof.connectors.ledger import Sender
from gridproof.connectors.ledger.sender import Sent
from gridproof.domain import ParticipantId
from gridproof.errors import Refusal
from gridproof.state import Message, Reader, system

P = ParamSpec("P")
R = TypeVar("R")


class Asked(Protocol):
    """Whatever answers the modules' queries."""

    def ask(self, query: Callable[Concatenate[Reader, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a query finds in the last committed state."""


class Refused(NamedTuple):
    """Messages that the ledger did not take, and its reason."""

    messages: tuple[Message, ...]
    refusal: Refusal


class Seat:
    """A participant at the ledger.

    Args:
        sender: signs as the participant and knows the ledger.

    Attributes:
        participant: who sits here.
        chain_id: of the ledger.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._under_way: list[Sent] = []
        self._refused: list[Refused] = []
        self.participant: ParticipantId = sender.participant
        self.chain_id: str = sender.client.ask(system.chain).chain_id

    def ask(self, query: Callable[Concatenate[Reader, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a module's query finds in the last committed state.

        Raises:
            ClientError: the ledger gave no answer.
        """
        return self._sender.client.ask(query, *args, **kwargs)

    @property
    def height(self) -> int:
        """Height of the last committed block.

        Raises:
            ClientError: the ledger gave no answer.
        """
        return self._sender.client.status().height

    def sign(self, message: bytes) -> bytes:
        """Sign something outside the ledger in the participant's name.

        Args:
            message: a tagged hash, 32 bytes.

        Returns:
            64 bytes, by `public_key`.
        """
        return self._sender.sign(message)

    @property
    def public_key(self) -> bytes:
        """The transaction key that the participant signs with here, x-only, 32 bytes."""
        return self._sender.public_key

    def send(self, *messages: Message) -> None:
        """Hand in messages, all of which take effect or none.

        What is refused at once is told by `settle`, like what a block refuses.

        Raises:
            ClientError: the ledger gave no answer.
        """
        try:
            self._under_way.append(self._sender.submit(*messages))
        except Refusal as refusal:
            self._refused.append(Refused(messages, refusal))

    def settle(self) -> list[Refused]:
        """Wait until all that was sent stands in blocks.

        Returns:
            What the ledger refused since the last time.

        Raises:
            WaitTimeoutError: a transaction still waits.
            ClientError: the ledger gave no answer.
        """
        under_way, self._under_way = self._under_way, []
        for sent in under_way:
            try:
                self._sender.wait(sent)
            except Refusal as refusal:
                self._refused.append(Refused(sent.messages, refusal))
        refused, self._refused = self._refused, []
        return refused
