"""Consensus's keeper: who votes on blocks, what validators decide, and what the engine convicts them of.

The rules V-1 to V-14 stand in README.md; V-3 and V-4 are the message's own `check`. Nothing else writes the module's
state. It serves the Application's port `ValidatorBook`.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from gridproof.domain import ParticipantId
from gridproof.state import Context, Misbehaviour, Reader, Upgrade, Validator, address_of

from .changes import CancelUpgrade, Change, RemoveValidator, ScheduleUpgrade, SetValidator, proposal_id
from .errors import (
    AlreadySupported,
    ConsensusKeyUsed,
    LastValidator,
    NothingChanges,
    NotValidator,
    NoUpgrade,
    NoValidators,
    OtherGeneration,
    TooManyValidators,
    UpgradeTooSoon,
    ValidatorUnknown,
    VersionNotAbove,
)
from .lookups import find_key_use, is_decided, members, power_of, require_no_third, supporters, total_power
from .messages import (
    ChangeDecided,
    ChangeProposed,
    ChangeSupported,
    SupportChange,
    UpgradeCancelled,
    UpgradeReached,
    UpgradeScheduled,
    ValidatorPunished,
    ValidatorRemoved,
    ValidatorSet,
)
from .ports import Directory
from .types import (
    GENERATION,
    KEY_USES,
    MEMBERS,
    OFFENCES,
    PROPOSALS,
    SUPPORTS,
    UPGRADE,
    VERSION,
    KeyUse,
    Member,
    Offence,
    Proposal,
    Scheduled,
)

NAME: Final = "consensus"
MAX_VALIDATORS: Final = 100
UPGRADE_NOTICE: Final = 10  # blocks


class Keeper:
    """Counts the validators' support and carries out what they decide.

    Args:
        directory: the registry.
    """

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    # --- deciding --------------------------------------------------------------------------------------------------

    def support(self, ctx: Context, sender: ParticipantId, message: SupportChange) -> None:
        """Count a validator's support for a change, and carry it out once it has more than two thirds.

        Raises:
            NoValidators: this ledger has none.
            NotValidator: `sender` is none (V-1).
            OtherGeneration: the support was for an earlier generation, or for one to come (V-2).
            AlreadySupported: it stands already.
            Refusal: the change cannot take effect (V-5 to V-11).

        Source: README.md, Messages.
        """
        if VERSION.find(ctx) is None:
            raise NoValidators
        if not MEMBERS.has(ctx, sender):
            raise NotValidator(participant=sender)
        generation = GENERATION.get(ctx)
        if message.generation != generation:
            raise OtherGeneration(generation=message.generation, present=generation)
        self._require_possible(ctx, message.change)

        proposal = proposal_id(ctx.chain_id, generation, message.change)
        self._move_support(ctx, sender, proposal)
        if not PROPOSALS.has(ctx, proposal):
            PROPOSALS.put(ctx, proposal, value=Proposal(generation, message.change, ctx.height))
            ctx.emit(ChangeProposed(proposal, generation, message.change))
        power, total = power_of(ctx, supporters(ctx, proposal)), total_power(ctx)
        ctx.emit(ChangeSupported(proposal, sender, power, total))
        if is_decided(power, total):
            ctx.emit(ChangeDecided(proposal, _begin_generation(ctx)))
            _carry_out(ctx, message.change)

    def _move_support(self, ctx: Context, sender: ParticipantId, proposal: bytes) -> None:
        """A validator supports one change at a time; one that nobody supports any more is forgotten (rule V-2)."""
        former = SUPPORTS.find(ctx, sender)
        if former == proposal:
            raise AlreadySupported(proposal=proposal)
        SUPPORTS.put(ctx, sender, value=proposal)
        if former is not None and not supporters(ctx, former):
            PROPOSALS.delete(ctx, former)

    def _require_possible(self, ctx: Context, change: Change) -> None:
        match change:
            case SetValidator():
                self._require_settable(ctx, change)
            case RemoveValidator(participant):
                if not MEMBERS.has(ctx, participant):
                    raise ValidatorUnknown(participant=participant)
                if len(members(ctx)) == 1:
                    raise LastValidator(participant=participant)
            case ScheduleUpgrade():
                _require_schedulable(ctx, change)
            case CancelUpgrade():
                if not UPGRADE.has(ctx):
                    raise NoUpgrade

    def _require_settable(self, ctx: Context, change: SetValidator) -> None:
        """Rules V-5 to V-8."""
        self.directory.require_data_aggregator(ctx, ParticipantId(change.participant))
        known = members(ctx)
        present = known.get(change.participant)
        if present == Member(change.key, change.power):
            raise NothingChanges
        use = find_key_use(ctx, address_of(change.key))
        if use is not None and (present is None or present.key != change.key):
            raise ConsensusKeyUsed(key=change.key, participant=use.participant)
        if present is None and len(known) >= MAX_VALIDATORS:
            raise TooManyValidators(limit=MAX_VALIDATORS)
        require_no_third(known, change.participant, change.power)

    def admit(self, ctx: Context, participant: ParticipantId, member: Member) -> None:
        """Make a participant a validator at the ledger's birth.

        Raises:
            NotPermitted: it is no data aggregator (V-5).
            ConsensusKeyUsed: it, or another, has a key already (V-6).
            TooManyValidators: there are enough (V-7).
        """
        self.directory.require_data_aggregator(ctx, participant)
        known = members(ctx)
        if participant in known or find_key_use(ctx, address_of(member.key)) is not None:
            raise ConsensusKeyUsed(key=member.key, participant=participant)
        if len(known) >= MAX_VALIDATORS:
            raise TooManyValidators(limit=MAX_VALIDATORS)
        _seat(ctx, participant, member)

    # --- what the Application asks (port `ValidatorBook`) ----------------------------------------------------------

    def version_at_birth(self, sections: Mapping[str, Any]) -> int | None:
        """The program's version that the genesis section asks for; None where there is no section."""
        section = sections.get(NAME)
        return None if section is None else int(section.version)

    def version(self, view: Reader) -> int | None:
        """The version of the program whose rules are in force; None where there are no validators."""
        return VERSION.find(view)

    def upgrade(self, view: Reader) -> Upgrade | None:
        """The upgrade that the validators decided on, or None."""
        scheduled = UPGRADE.find(view)
        return None if scheduled is None else Upgrade(scheduled.version, scheduled.height)

    def complete_upgrade(self, ctx: Context) -> None:
        """The scheduled upgrade takes effect (V-12)."""
        version = UPGRADE.get(ctx).version
        VERSION.put(ctx, value=version)
        UPGRADE.delete(ctx)
        _begin_generation(ctx)
        ctx.emit(UpgradeReached(version))

    def validators(self, view: Reader) -> tuple[Validator, ...]:
        """All validators by participant, ascending."""
        return tuple(Validator(participant, member.key, member.power) for participant, member in members(view).items())

    def participant_at(self, view: Reader, address: bytes) -> int:
        """Whose key has or had an address of 20 bytes; 0 where nobody's."""
        use = find_key_use(view, address)
        return 0 if use is None else use.participant

    def punish(self, ctx: Context, misbehaviour: Misbehaviour) -> None:
        """Record an offence once, and take its author's seat unless it is the last (V-13, V-14)."""
        address, place = misbehaviour.address, (misbehaviour.address, misbehaviour.height, misbehaviour.kind)
        if OFFENCES.has(ctx, *place):
            return
        use = find_key_use(ctx, address)
        participant = 0 if use is None else use.participant
        known = members(ctx)
        member = known.get(participant)
        power = 0
        if use is not None and member is not None and len(known) > 1 and not use.convicted:
            power = member.power
            KEY_USES.put(ctx, address, value=replace(use, convicted=True))
            _unseat(ctx, participant, member)
            _begin_generation(ctx)
        OFFENCES.put(ctx, *place, value=Offence(participant, misbehaviour.time_s, misbehaviour.total_power, power))
        ctx.emit(ValidatorPunished(participant, address, misbehaviour.kind, misbehaviour.height, power))


def _require_schedulable(ctx: Context, change: ScheduleUpgrade) -> None:
    """Rules V-10 and V-11."""
    if UPGRADE.find(ctx) == Scheduled(change.version, change.height):
        raise NothingChanges
    present = VERSION.get(ctx)
    if change.version <= present:
        raise VersionNotAbove(version=change.version, present=present)
    if change.height < ctx.height + UPGRADE_NOTICE:
        raise UpgradeTooSoon(height=change.height, earliest=ctx.height + UPGRADE_NOTICE)


def _begin_generation(ctx: Context) -> int:
    """Forget all that is open: who supported it looked at another state of things (rule V-2)."""
    following = GENERATION.get(ctx) + 1
    GENERATION.put(ctx, value=following)
    for (participant,), _ in list(SUPPORTS.all(ctx)):
        SUPPORTS.delete(ctx, participant)
    for (proposal,), _ in list(PROPOSALS.all(ctx)):
        PROPOSALS.delete(ctx, proposal)
    return following


def _carry_out(ctx: Context, change: Change) -> None:
    match change:
        case SetValidator(participant, key, power):
            _seat(ctx, participant, Member(key, power))
        case RemoveValidator(participant):
            _unseat(ctx, participant, MEMBERS.get(ctx, participant))
        case ScheduleUpgrade(version, height):
            UPGRADE.put(ctx, value=Scheduled(version, height))
            ctx.emit(UpgradeScheduled(version, height))
        case CancelUpgrade():
            scheduled = UPGRADE.get(ctx)
            UPGRADE.delete(ctx)
            ctx.emit(UpgradeCancelled(scheduled.version, scheduled.height))


def _seat(ctx: Context, participant: int, member: Member) -> None:
    former = MEMBERS.find(ctx, participant)
    if former is None or former.key != member.key:
        KEY_USES.put(ctx, address_of(member.key), value=KeyUse(participant))
    MEMBERS.put(ctx, participant, value=member)
    ctx.emit(ValidatorSet(participant, member.key, member.power))


def _unseat(ctx: Context, participant: int, member: Member) -> None:
    MEMBERS.delete(ctx, participant)
    ctx.emit(ValidatorRemoved(participant, member.key))
