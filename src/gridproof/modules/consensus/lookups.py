"""Looking things up: who votes, with what weight, and who supports what."""

from collections.abc import Mapping
from typing import Final

from gridproof.state import ADDRESS_SIZE, Reader

from .errors import TooMuchPower
from .types import KEY_USES, MEMBERS, SUPPORTS, KeyUse, Member

FREE_SET: Final = 3  # in a set this small somebody always holds a third


def members(view: Reader) -> dict[int, Member]:
    """All validators by participant, ascending."""
    return {participant: member for (participant,), member in MEMBERS.all(view)}


def total_power(view: Reader) -> int:
    """The power of all validators."""
    return sum(member.power for member in members(view).values())


def supporters(view: Reader, proposal: bytes) -> tuple[int, ...]:
    """The validators who support a proposal, ascending."""
    return tuple(participant for (participant,), supported in SUPPORTS.all(view) if supported == proposal)


def power_of(view: Reader, participants: tuple[int, ...]) -> int:
    """The power that these validators have together."""
    return sum(MEMBERS.get(view, participant).power for participant in participants)


def is_decided(power: int, total: int) -> bool:
    """Whether this power is more than two thirds of all, as it is for the engine's blocks (rule V-2)."""
    return 3 * power > 2 * total


def require_no_third(known: Mapping[int, Member], participant: int, power: int) -> None:
    """Return if a participant who joins, or gets more power, has less than a third of all after it (rule V-8).

    Args:
        known: the validators before it.
        participant: id.
        power: that it shall have.

    Raises:
        TooMuchPower: it would have a third or more, where four or more vote.
    """
    present = known.get(participant)
    total = sum(member.power for other, member in known.items() if other != participant) + power
    count = len(known) + (present is None)
    raised = present is None or power > present.power
    if raised and count > FREE_SET and 3 * power >= total:
        raise TooMuchPower(power=power, total=total)


def find_key_use(view: Reader, address: bytes) -> KeyUse | None:
    """Whose key has or had an address; None where nobody's."""
    return KEY_USES.find(view, address) if len(address) == ADDRESS_SIZE else None
