"""What one may ask of consensus, and what it announces."""

from typing import ClassVar

from gridproof.primitives import ed25519
from gridproof.primitives.errors import InvalidSignatureError
from gridproof.state import Event, Message

from .changes import MAX_POWER, Change, GenerationField, SetValidator, possession_hash
from .errors import BadConsensusKey, BadPossession, BadPower

MAX_SHOWN = 64  # bytes of what is refused


class SupportChange(Message, frozen=True, tag=15001):
    """Support a change of the validators or an upgrade (validators); the first support proposes it.

    Attributes:
        generation: the present one; what was signed for an earlier one counts no more.
        change: what is to be.
    """

    place: ClassVar[int] = 0

    generation: GenerationField
    change: Change

    def check(self, chain_id: str) -> None:
        """Refuse a validator that cannot be (rules V-3, V-4).

        Raises:
            BadPower: its power lies outside the limits.
            BadConsensusKey: nobody can hold its key alone.
            BadPossession: the key did not sign for this participant and chain.
        """
        if isinstance(self.change, SetValidator):
            _require_candidate(self.change, chain_id)


def _require_candidate(change: SetValidator, chain_id: str) -> None:
    if not 1 <= change.power <= MAX_POWER:
        raise BadPower(power=change.power, limit=MAX_POWER)
    if not ed25519.is_sound_key(change.key):
        raise BadConsensusKey(key=change.key[:MAX_SHOWN])
    try:
        ed25519.verify(change.key, possession_hash(chain_id, change.participant, change.key), change.proof)
    except InvalidSignatureError as wrong:
        raise BadPossession(participant=change.participant, key=change.key) from wrong


# --- events --------------------------------------------------------------------------------------------------------


class ChangeProposed(Event, frozen=True, tag=15001):
    """Validators may support this change until something is decided."""

    proposal: bytes
    generation: int
    change: Change


class ChangeSupported(Event, frozen=True, tag=15002):
    """A validator stands behind a proposal.

    Attributes:
        proposal: 32 bytes.
        participant: the validator.
        power: of all who support it now.
        total: of all validators.
    """

    proposal: bytes
    participant: int
    power: int
    total: int


class ChangeDecided(Event, frozen=True, tag=15003):
    """More than two thirds of the power support a proposal; it took effect, and a new generation began."""

    proposal: bytes
    generation: int


class ValidatorSet(Event, frozen=True, tag=15004):
    """A participant's node votes with this key and power, from the second block after this one on."""

    participant: int
    key: bytes
    power: int


class ValidatorRemoved(Event, frozen=True, tag=15005):
    """A participant's node votes no more, from the second block after this one on."""

    participant: int
    key: bytes


class ValidatorPunished(Event, frozen=True, tag=15006):
    """The engine convicted a validator.

    Attributes:
        participant: whose key it is or was; 0 where nobody's.
        address: of the key, 20 bytes.
        kind: 1 two votes at one place, 2 a header made up for light clients.
        height: where it did it.
        power: what it lost; 0 where it had no seat any more, or the last one.
    """

    participant: int
    address: bytes
    kind: int
    height: int
    power: int


class UpgradeScheduled(Event, frozen=True, tag=15007):
    """From this height on the ledger goes by this version of the program; install it before."""

    version: int
    height: int


class UpgradeCancelled(Event, frozen=True, tag=15008):
    """This upgrade does not take place."""

    version: int
    height: int


class UpgradeReached(Event, frozen=True, tag=15009):
    """The ledger goes by this version of the program from this block on."""

    version: int
