"""Who votes on blocks: the port through which the Application asks the module that knows."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from gridproof.primitives.hashing import sha256

from .blocks import Misbehaviour, Validator
from .context import Context
from .tables import Reader

ADDRESS_SIZE: Final = 20


class Upgrade(NamedTuple):
    """A version of the program, and the height at which the ledger goes over to it."""

    version: int
    height: int


class ValidatorBook(Protocol):
    """Who votes on blocks, and on which version of the program they agreed."""

    def version_at_birth(self, sections: Mapping[str, Any]) -> int | None:
        """The program's version that a genesis document asks for; None where it names no validators.

        Args:
            sections: each module's part of the document, parsed, by the module's name.
        """

    def version(self, view: Reader) -> int | None:
        """The version of the program whose rules are in force; None where there are no validators."""

    def upgrade(self, view: Reader) -> Upgrade | None:
        """The upgrade that the validators agreed on, or None."""

    def complete_upgrade(self, ctx: Context) -> None:
        """The scheduled upgrade takes effect: its version is in force, and nothing is scheduled any more."""

    def validators(self, view: Reader) -> tuple[Validator, ...]:
        """All validators; empty where the ledger has none."""

    def participant_at(self, view: Reader, address: bytes) -> int:
        """Whose key has or had an address; 0 where nobody's.

        Args:
            view: the state.
            address: 20 bytes, as `address_of` makes them.
        """

    def punish(self, ctx: Context, misbehaviour: Misbehaviour) -> None:
        """Act on what the engine found out; never refuses."""


class NoValidators:
    """A ledger whose one node asks nobody."""

    def version_at_birth(self, sections: Mapping[str, Any]) -> int | None:
        """None: the program's own version."""
        return None

    def version(self, view: Reader) -> int | None:
        """None: the program's own version."""
        return None

    def upgrade(self, view: Reader) -> Upgrade | None:
        """None."""
        return None

    def complete_upgrade(self, ctx: Context) -> None:
        """Nothing to complete."""

    def validators(self, view: Reader) -> tuple[Validator, ...]:
        """Nobody."""
        return ()

    def participant_at(self, view: Reader, address: bytes) -> int:
        """0: nobody's."""
        return 0

    def punish(self, ctx: Context, misbehaviour: Misbehaviour) -> None:
        """Nobody to punish."""


def address_of(key: bytes) -> bytes:
    """A consensus key's address as the engine makes it: the first 20 bytes of SHA-256 of the ed25519 key.

    Args:
        key: 32 bytes.
    """
    return sha256(key)[:ADDRESS_SIZE]


def updates_between(before: Iterable[Validator], after: Iterable[Validator]) -> tuple[Validator, ...]:
    """What makes one set of validators into the other: keys that are gone with power 0, and those new or changed.

    Returns:
        By key, each key once.
    """
    now = {each.key: each for each in after}
    then = {each.key: each for each in before}
    gone = [Validator(each.participant, key, 0) for key, each in then.items() if key not in now]
    changed = [each for key, each in now.items() if key not in then or then[key].power != each.power]
    return tuple(sorted((*gone, *changed), key=lambda each: each.key))
