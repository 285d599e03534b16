"""The rules of participants, their roles and their keys (R-1 to R-9 in README.md)."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from gridproof.domain import ParticipantId
from gridproof.primitives.hashing import Tag
from gridproof.state import Context, Reader

from .errors import (
    KeyUsed,
    LastOperator,
    NameTaken,
    RecoveryKeyFixed,
    RecoverySpent,
    WrongRecoveryKey,
)
from .lookups import operators, require_participant, require_role
from .messages import (
    KeyEntry,
    KeysReplaced,
    ParticipantRegistered,
    RecoverKeys,
    RegisterParticipant,
    RolesSet,
    RotateKeys,
    SetRoles,
)
from .types import KEY_USES, KEYS, LAST_PARTICIPANT, NAMES, PARTICIPANTS, KeyRole, KeyUse, Participant, Role

name_hash: Final = Tag("gridproof/participant-name/v1")


class People:
    """Admits participants, and changes their roles and keys."""

    def register(self, ctx: Context, sender: ParticipantId, message: RegisterParticipant) -> None:
        """Admit a participant under the next id and announce it.

        Raises:
            NotPermitted: `sender` is no operator (R-10).
            NameTaken: another participant has the name (R-2).
            KeyUsed: a key was brought before (R-6).

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.OPERATOR)
        self.admit(ctx, ParticipantId(LAST_PARTICIPANT.get(ctx, default=0) + 1), message)

    def admit(self, ctx: Context, participant: ParticipantId, message: RegisterParticipant) -> None:
        """Store a participant under an id above all others; for `register` and the genesis.

        Args:
            ctx: where to.
            participant: the id, never given before.
            message: its name, roles and keys, checked.

        Raises:
            NameTaken: another participant has the name (R-2).
            KeyUsed: a key was brought before (R-6).
        """
        name = name_hash(message.name.encode())
        holder = NAMES.find(ctx, name)
        if holder is not None:
            raise NameTaken(name=message.name, participant=holder)
        _take_keys(ctx, participant, message.keys)
        NAMES.put(ctx, name, value=participant)
        LAST_PARTICIPANT.put(ctx, value=participant)
        PARTICIPANTS.put(ctx, participant, value=Participant(message.name, message.roles, rotations=0))
        ctx.emit(ParticipantRegistered(participant, message.name, message.roles))

    def set_roles(self, ctx: Context, sender: ParticipantId, message: SetRoles) -> None:
        """Change what a participant may do.

        Raises:
            NotPermitted: `sender` is no operator (R-10).
            ParticipantUnknown: there is no such participant.
            LastOperator: no operator would remain (R-4).

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.OPERATOR)
        known = require_participant(ctx, message.participant)
        stays = bool(message.roles & Role.OPERATOR)
        if not stays and all(other == message.participant for other in operators(ctx)):
            raise LastOperator(participant=message.participant)
        PARTICIPANTS.put(ctx, message.participant, value=replace(known, roles=message.roles))
        ctx.emit(RolesSet(message.participant, message.roles))

    def rotate_keys(self, ctx: Context, sender: ParticipantId, message: RotateKeys) -> None:
        """Replace some of the sender's own keys.

        Raises:
            RecoveryKeyFixed: the recovery key is among them (R-8).
            KeyUsed: a key was brought before (R-6).

        Source: README.md, Messages.
        """
        if any(entry.role == KeyRole.RECOVERY for entry in message.keys):
            raise RecoveryKeyFixed(participant=sender)
        self._replace_keys(ctx, sender, message.keys, recovered=False)

    def recover_keys(self, ctx: Context, sender: ParticipantId, message: RecoverKeys) -> None:
        """Replace a participant's keys by the word of its recovery key, whoever brings it.

        That the key signed the word was claimed by the message and is known to hold.

        Raises:
            ParticipantUnknown: there is no such participant.
            WrongRecoveryKey: the word is another key's than the participant's (R-9).
            RecoverySpent: the word's count is that of an earlier recovery, or has not been reached (R-9).
            KeyUsed: a key was brought before (R-6).

        Source: README.md, Messages.
        """
        participant = ParticipantId(message.participant)
        known = require_participant(ctx, participant)
        if KEYS.find(ctx, participant, KeyRole.RECOVERY) != message.recovery_key:
            raise WrongRecoveryKey(participant=participant)
        if not known.recovered_at <= message.rotations <= known.rotations:
            raise RecoverySpent(
                participant=participant,
                rotations=message.rotations,
                recovered_at=known.recovered_at,
                present=known.rotations,
            )
        self._replace_keys(ctx, participant, message.keys, recovered=True)

    def _replace_keys(
        self, ctx: Context, participant: ParticipantId, keys: Sequence[KeyEntry], *, recovered: bool
    ) -> None:
        known = require_participant(ctx, participant)
        _take_keys(ctx, participant, keys)
        rotations = known.rotations + 1
        recovered_at = rotations if recovered else known.recovered_at
        PARTICIPANTS.put(ctx, participant, value=replace(known, rotations=rotations, recovered_at=recovered_at))
        ctx.emit(KeysReplaced(participant, tuple(sorted(entry.role for entry in keys)), recovered))


def _take_keys(ctx: Context, participant: ParticipantId, keys: Sequence[KeyEntry]) -> None:
    """Set keys that nobody brought before; they stay taken when they are replaced (rule R-6)."""
    for entry in keys:
        if KEY_USES.has(ctx, entry.key):
            raise KeyUsed(key=entry.key)
        former = KEYS.find(ctx, participant, entry.role)
        if former is not None:
            KEY_USES.put(ctx, former, value=replace(KEY_USES.get(ctx, former), replaced_s=ctx.ledger_time_s))
        KEY_USES.put(ctx, entry.key, value=KeyUse(participant, entry.role, 0))
        KEYS.put(ctx, participant, entry.role, value=entry.key)


def find_named(view: Reader, name: str) -> ParticipantId | None:
    """The participant who has a name, or None."""
    holder = NAMES.find(view, name_hash(name.encode()))
    return None if holder is None else ParticipantId(holder)
