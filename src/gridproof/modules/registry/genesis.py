"""The registry's section of the genesis document (README.md, Genesis)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gridproof.domain import ParticipantId
from gridproof.errors import Refusal
from gridproof.state import Context, GenesisError

from .keeper import Keeper
from .lookups import operators
from .messages import AddRegion, KeyEntry, ParticipantField, RegionField, RegisterParticipant
from .parameters import DEFAULT_PERIOD_S, PARAMETERS, PRIVACY
from .types import LAST_PARTICIPANT, KeyRole, Role

RoleName = Literal["operator", "bill_provider", "control_center", "data_aggregator", "auditor"]
KeyRoleName = Literal["transaction", "receipt", "encryption", "recovery"]
KeyHex = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_PLACE = "modules.registry"


class GenesisParticipant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A participant that the ledger is born with.

    Attributes:
        name: 1 to 64 visible characters, unique.
        roles: names of the roles that it holds.
        keys: names of key roles -> 64 hexadecimal digits; a transaction key is among them.
        id: above the ids before it; without one, the next.
    """

    name: str
    roles: tuple[RoleName, ...]
    keys: dict[KeyRoleName, KeyHex]
    id: ParticipantField | None = None


class GenesisRegion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A region that the ledger is born with; fields as in `types.Region`, defaults as in `parameters`."""

    region: RegionField
    name: str
    period_s: int = DEFAULT_PERIOD_S
    window_s: int = PARAMETERS["window_s"].default
    window_blocks: int = PARAMETERS["window_blocks"].default
    opening_s: int = PARAMETERS["opening_s"].default
    claim_s: int = PARAMETERS["claim_s"].default
    retention_months: int = PARAMETERS["retention_months"].default
    k_min: int = PRIVACY["k_min"].default
    min_live_permille: int = PRIVACY["min_live_permille"].default


class RegistryGenesis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom and what the ledger is born with."""

    participants: tuple[GenesisParticipant, ...]
    regions: tuple[GenesisRegion, ...] = ()


def layer(keeper: Keeper) -> Callable[[Context, RegistryGenesis], None]:
    """Make the rule that lays the section down."""

    def lay(ctx: Context, section: RegistryGenesis) -> None:
        """Admit the participants and add the regions, by the rules that hold for messages.

        Raises:
            GenesisError: one of them breaks a rule, or nobody is operator; the place is named.
        """
        for at, entry in enumerate(section.participants):
            with _naming(f"participants[{at}]"):
                _admit(keeper, ctx, entry)
        if not operators(ctx):
            raise GenesisError(detail=f"{_PLACE}.participants: one of them must be operator")
        for at, region in enumerate(section.regions):
            with _naming(f"regions[{at}]"):
                message = AddRegion(**msgspec.structs.asdict(region))
                message.check(ctx.chain_id)
                keeper.grid.lay_region(ctx, message)

    return lay


def _admit(keeper: Keeper, ctx: Context, entry: GenesisParticipant) -> None:
    last = LAST_PARTICIPANT.get(ctx, default=0)
    number = last + 1 if entry.id is None else entry.id
    if number <= last:
        raise GenesisError(detail=f"id {number} is not above {last}, the one before it")
    if len(frozenset(entry.roles)) != len(entry.roles):
        raise GenesisError(detail="a role comes twice")
    roles = sum(Role[name.upper()] for name in entry.roles)
    keys = tuple(KeyEntry(KeyRole[name.upper()], bytes.fromhex(digits)) for name, digits in entry.keys.items())
    message = RegisterParticipant(entry.name, roles, keys)
    message.check(ctx.chain_id)
    keeper.people.admit(ctx, ParticipantId(number), message)


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Turn a refusal into the sentence of a genesis that is not valid, with the place where it is wrong."""
    try:
        yield
    except GenesisError as wrong:
        raise GenesisError(detail=f"{_PLACE}.{place}: {wrong.detail}") from wrong
    except Refusal as refusal:
        raise GenesisError(detail=f"{_PLACE}.{place}: {refusal}") from refusal
