"""The face of people."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gridproof.domain import ParticipantId
from gridproof.state import Context, Module, Reader, genesis_section, route

from . import errors, messages, types
from .errors import NotPermitted
from .types import MEMBERS, Member


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member as genesis names it."""

    id: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    operator: bool = False


class Keeper:
    """Serves as the ledger's accounts and as the other module's roles."""

    def lay(self, ctx: Context, section: list[Person]) -> None:
        """Write down the members that genesis names."""
        for person in section:
            MEMBERS.put(ctx, person.id, value=Member(bytes.fromhex(person.key), person.operator))

    def transaction_key(self, view: Reader, participant: ParticipantId) -> bytes | None:
        """The key that the participant signs with, or None."""
        member = MEMBERS.find(view, participant)
        return None if member is None else member.key

    def require_operator(self, ctx: Context, participant: ParticipantId) -> None:
        """Return if the participant is the operator.

        Raises:
            NotPermitted: it is not.
        """
        if not MEMBERS.get(ctx, participant).is_operator:
            raise NotPermitted(participant=participant)

    def turn_clock(self, ctx: Context, sender: ParticipantId, message: messages.TurnClock) -> None:
        """Move ledger time forward.

        Raises:
            NotPermitted: the sender is not the operator.
        """
        self.require_operator(ctx, sender)
        ctx.advance_clock(message.to_s)

    def witness(self, ctx: Context, sender: ParticipantId, message: messages.Witness) -> None:
        """Announce how many signed."""
        ctx.emit(messages.Witnessed(message.digest, len(message.signatures)))


def people(keeper: Keeper) -> Module:
    """Wire the module."""
    return Module(
        number=types.MODULE,
        name="people",
        routes=(route(messages.TurnClock, keeper.turn_clock), route(messages.Witness, keeper.witness)),
        refusals=errors,
        announces=messages,
        tables=types,
        genesis=genesis_section(list[Person], keeper.lay),
    )
