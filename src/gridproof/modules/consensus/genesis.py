"""Consensus's section of the genesis document (README.md, Genesis)."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from gridproof.errors import Refusal
from gridproof.primitives.ed25519 import is_sound_key
from gridproof.state import Context, GenesisError

from .changes import MAX_POWER, MAX_VERSION
from .errors import BadConsensusKey
from .keeper import Keeper
from .types import GENERATION, VERSION, Member

KeyHex = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_PLACE = "modules.consensus.validators"


class GenesisValidator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A validator that the ledger is born with.

    Attributes:
        participant: its name in the registry's section.
        key: its node's ed25519 key, 64 hexadecimal digits.
        power: weight of its vote, 1 to 2**40.
    """

    participant: str
    key: KeyHex
    power: Annotated[int, Meta(ge=1, le=MAX_POWER)]


class ConsensusGenesis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who votes from the first block on.

    Attributes:
        validators: at least one.
        version: of the program whose rules the ledger is born under.
    """

    validators: Annotated[tuple[GenesisValidator, ...], Meta(min_length=1)]
    version: Annotated[int, Meta(ge=1, le=MAX_VERSION)] = 1


def layer(keeper: Keeper) -> Callable[[Context, ConsensusGenesis], None]:
    """Make the rule that lays the section down."""

    def lay(ctx: Context, section: ConsensusGenesis) -> None:
        """Seat the validators.

        Raises:
            GenesisError: one of them breaks a rule; the place is named.
        """
        VERSION.put(ctx, value=section.version)
        GENERATION.put(ctx, value=0)
        for at, entry in enumerate(section.validators):
            try:
                _admit(keeper, ctx, entry)
            except Refusal as refusal:
                raise GenesisError(detail=f"{_PLACE}[{at}]: {refusal}") from refusal

    return lay


def _admit(keeper: Keeper, ctx: Context, entry: GenesisValidator) -> None:
    participant = keeper.directory.find_participant_named(ctx, entry.participant)
    if participant is None:
        raise GenesisError(detail=f"{_PLACE}: no participant is named {entry.participant!r}")
    key = bytes.fromhex(entry.key)
    if not is_sound_key(key):
        raise BadConsensusKey(key=key)
    keeper.admit(ctx, participant, Member(key, entry.power))
