"""What must hold for consensus after every block (README.md, Invariants)."""

from typing import Final

from gridproof.primitives.ed25519 import is_sound_key
from gridproof.state import Context, Violation, address_of

from .changes import MAX_POWER, proposal_id
from .keeper import MAX_VALIDATORS
from .lookups import is_decided, members, power_of, supporters, total_power
from .types import GENERATION, KEY_USES, MEMBERS, OFFENCES, PROPOSALS, SUPPORTS, UPGRADE, VERSION

MAX_TOTAL: Final = 2**57  # an eighth of what the engine adds up to, so that a change on its way there fits as well


def the_engine_can_use_the_set(ctx: Context) -> None:
    """Hold the set to what the engine takes: not empty once there, not too many, powers in their limits.

    Raises:
        Violation: it would halt every node.
    """
    known = members(ctx)
    if (VERSION.find(ctx) is None) != (not known):
        raise Violation(f"the ledger has {len(known)} validators, which does not fit whether it has any")
    if len(known) > MAX_VALIDATORS or total_power(ctx) >= MAX_TOTAL:
        raise Violation(f"{len(known)} validators with a power of {total_power(ctx)} are too many")
    for participant, member in known.items():
        if not 1 <= member.power <= MAX_POWER or not is_sound_key(member.key):
            raise Violation(f"validator {participant} has power {member.power} and key {member.key.hex()}")


def keys_stand_in_the_index(ctx: Context) -> None:
    """Hold every validator's key to one use of its own, not convicted, and every offence's key to its participant.

    Raises:
        Violation: a key is shared, unknown to the index or convicted.
    """
    for participant, member in members(ctx).items():
        use = KEY_USES.find(ctx, address_of(member.key))
        if use is None or use.participant != participant or use.convicted:
            raise Violation(f"the key of validator {participant} is not in the index as its own")
    for (address, height, _), offence in OFFENCES.all(ctx):
        use = KEY_USES.find(ctx, address)
        if offence.participant and (use is None or use.participant != offence.participant):
            raise Violation(f"the offence of {address.hex()} at height {height} is not its holder's")
        if offence.power and (use is None or not use.convicted):
            raise Violation(f"the offence of {address.hex()} at height {height} left no trace")


def open_proposals_are_the_generations(ctx: Context) -> None:
    """Hold what is open to the present generation, to supporters who vote, and to less than a decision.

    Raises:
        Violation: a proposal is stale, decided, unsupported or wrongly named, or a support is nobody's or for nothing.
    """
    generation = GENERATION.get(ctx, default=0)
    for (participant,), proposal in SUPPORTS.all(ctx):
        if not MEMBERS.has(ctx, participant) or not PROPOSALS.has(ctx, proposal):
            raise Violation(f"the support of {participant} is no validator's, or for no proposal")
    for (name,), known in PROPOSALS.all(ctx):
        behind = supporters(ctx, name)
        if known.generation != generation or name != proposal_id(ctx.chain_id, generation, known.change):
            raise Violation(f"proposal {name.hex()} is not of generation {generation}")
        if not behind or is_decided(power_of(ctx, behind), total_power(ctx)):
            raise Violation(f"proposal {name.hex()} is supported by nobody, or by enough")


def an_upgrade_lies_ahead(ctx: Context) -> None:
    """Hold a scheduled upgrade to a height to come and a version above the one in force.

    Raises:
        Violation: it was passed over.
    """
    scheduled = UPGRADE.find(ctx)
    if scheduled is None:
        return
    if scheduled.height <= ctx.height or scheduled.version <= VERSION.get(ctx, default=0):
        raise Violation(f"the upgrade to {scheduled.version} at {scheduled.height} was passed over")
