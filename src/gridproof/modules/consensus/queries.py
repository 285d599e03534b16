"""What one may read of consensus; each query takes a view of the state first."""

from gridproof.state import ADDRESS_SIZE, Reader, Record

from .changes import Change
from .lookups import find_key_use, members, power_of, supporters
from .types import GENERATION, OFFENCES, PROPOSALS, UPGRADE, VERSION, KeyUse, Member, Offence, Scheduled


class OpenProposal(Record, frozen=True):
    """A change that waits for more support.

    Attributes:
        proposal: its id, 32 bytes.
        change: what is to be.
        height: of the block in which it was supported first.
        supporters: participants, ascending.
        power: that they have together.
    """

    proposal: bytes
    change: Change
    height: int
    supporters: tuple[int, ...]
    power: int


def validators(view: Reader) -> tuple[tuple[int, Member], ...]:
    """All validators by participant, ascending; empty where the ledger has none."""
    return tuple(members(view).items())


def key_use(view: Reader, address: bytes) -> KeyUse | None:
    """Whose key has or had an address of 20 bytes (the first of SHA-256 of the key); None where nobody's."""
    return find_key_use(view, address)


def generation(view: Reader) -> int:
    """How many decisions, punishments and upgrades there were; a support names it."""
    return GENERATION.get(view, default=0)


def proposals(view: Reader) -> tuple[OpenProposal, ...]:
    """The changes that wait for more support, by id."""
    found = []
    for (name,), known in PROPOSALS.all(view):
        behind = supporters(view, name)
        found.append(OpenProposal(name, known.change, known.height, behind, power_of(view, behind)))
    return tuple(found)


def offences(view: Reader) -> tuple[tuple[bytes, int, int, Offence], ...]:
    """What the engine reported: address, height, kind, and what came of it; by address and height."""
    return tuple((address, height, kind, known) for (address, height, kind), known in OFFENCES.all(view))


def offences_at(view: Reader, address: bytes) -> tuple[tuple[int, int, Offence], ...]:
    """What the engine reported of a key: height, kind, and what came of it; by height."""
    if len(address) != ADDRESS_SIZE:
        return ()
    return tuple((height, kind, known) for (_, height, kind), known in OFFENCES.under(view, address))


def upgrade(view: Reader) -> Scheduled | None:
    """The upgrade that the validators decided on, or None."""
    return UPGRADE.find(view)


def version(view: Reader) -> int | None:
    """The version of the program whose rules are in force; None where there are no validators: each node's own."""
    return VERSION.find(view)
