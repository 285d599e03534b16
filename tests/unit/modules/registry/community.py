"""A ledger with the registry alone, its people, and a stand-in for the module that closes months."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from gridproof.domain import Direction, MonthId, ParticipantId, RegionId, month_id
from gridproof.modules.registry.keeper import Keeper
from gridproof.modules.registry.messages import (
    AddRegion,
    AdvanceClock,
    EnrolMeter,
    KeyEntry,
    OpenMonth,
    RecoverKeys,
    RegisterParticipant,
    recovery_hash,
)
from gridproof.modules.registry.module import registry
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Application, BlockInfo, Context, Message, Module, Overlay, Verifier, route
from gridproof.state.store import Store

from tests.ledger import Ledger, Person

CHAIN_ID = "registry-1"
START_S = 1_759_276_800  # 1 October 2025, 00:00 UTC: the operator's clock at birth
OCTOBER, NOVEMBER, DECEMBER = month_id(2025, 10), month_id(2025, 11), month_id(2025, 12)
DAY_S = 86_400
OCTOBER_S = (START_S, START_S + 31 * DAY_S)
NOVEMBER_S = (OCTOBER_S[1], OCTOBER_S[1] + 30 * DAY_S)
DECEMBER_S = (NOVEMBER_S[1], NOVEMBER_S[1] + 31 * DAY_S)
PERIOD_S = 900
FIRST_K = START_S // PERIOD_S
ROLES = {
    "operator": "operator",
    "bill-provider": "bill_provider",
    "control-center": "control_center",
    "aggregator": "data_aggregator",
    "auditor": "auditor",
}
IDS = {name: ParticipantId(number) for number, name in enumerate(ROLES, 1)}
REGION = AddRegion(
    region=2,
    name="Old Town",
    period_s=PERIOD_S,
    window_s=3_600,
    window_blocks=1,
    opening_s=86_400,
    claim_s=86_400,
    retention_months=12,
    k_min=5,
    min_live_permille=800,
)


class FoldMonth(Message, frozen=True, tag=98001):
    """Close a month, as the module does that folds its slots."""

    region: int
    month: int


def folding(keeper: Keeper) -> Module:
    """The stand-in: it closes whatever month it is told to."""

    def fold(ctx: Context, sender: ParticipantId, message: FoldMonth) -> None:
        keeper.close_month(ctx, RegionId(message.region), MonthId(message.month))

    return Module(number=98, name="folding", routes=(route(FoldMonth, fold),), refusals=ModuleType("nothing"))


def application(store: Store, verifier: Verifier) -> Application:
    """The registry and the stand-in, wired."""
    keeper = Keeper()
    return Application((registry(keeper), folding(keeper)), store, keeper, verifier)


def signer(name: str, role: KeyRole = KeyRole.TRANSACTION) -> Signer:
    """A key pair of someone whom tests name."""
    return Signer(sha256(b"tests/registry/", name.encode(), bytes((role,))))


def entry(name: str, role: KeyRole = KeyRole.TRANSACTION) -> KeyEntry:
    """Its public part, for a message."""
    return KeyEntry(role, signer(name, role).public_key)


def section() -> dict[str, Any]:
    """The registry's part of the genesis: five people, the operator with a recovery key, and a region."""
    people: list[dict[str, Any]] = [
        {"id": number, "name": name, "roles": [role], "keys": {"transaction": signer(name).public_key.hex()}}
        for number, (name, role) in enumerate(ROLES.items(), 1)
    ]
    people[0]["keys"]["recovery"] = signer("operator", KeyRole.RECOVERY).public_key.hex()
    people[3]["keys"]["receipt"] = signer("aggregator", KeyRole.RECEIPT).public_key.hex()
    return {"participants": people, "regions": [{"region": 1, "name": "Harbour"}]}


def genesis(registry_section: Any = None, clock: str = "operator") -> bytes:
    """A genesis document."""
    document = {
        "chain_id": CHAIN_ID,
        "genesis_time_s": START_S,
        "clock": clock,
        "zone": "Etc/UTC",
        "currency": "CHF",
        "modules": {"registry": section() if registry_section is None else registry_section},
    }
    return json.dumps(document).encode()


def registry_ledger(clock: str = "operator", store: Store | None = None) -> Ledger:
    """The ledger with its people; `advance` sends the operator's `AdvanceClock`."""
    ledger = Ledger(
        application,
        genesis(clock=clock),
        {name: Person(number, signer(name)) for name, number in IDS.items()},
        store=store,
        start_s=START_S,
        turn_clock=AdvanceClock if clock == "operator" else None,
    )
    ledger.node.make_block(empty=True)  # the genesis is persisted with the first block
    return ledger


@contextmanager
def context(ledger: Ledger) -> Iterator[Context]:
    """What another module's rule would be given at the last block; what it writes is lost."""
    node = ledger.node
    with node.application.reading() as view:
        yield Context(BlockInfo(CHAIN_ID, node.head.height, node.head.time_s), Overlay(view))


def handle(number: int) -> bytes:
    """A meter's handle."""
    return number.to_bytes(16, "big")


def enrol(number: int, from_k: int = FIRST_K, *, region: int = 1, export: bool = False) -> EnrolMeter:
    """Enrol a meter, of a generator too where it exports."""
    channels = (Direction.IMPORT, Direction.EXPORT) if export else (Direction.IMPORT,)
    return EnrolMeter(handle(number), region, channels, from_k)


def october(region: int = 1) -> OpenMonth:
    """Open October."""
    return OpenMonth(region, OCTOBER, *OCTOBER_S)


def november(region: int = 1) -> OpenMonth:
    """Open November."""
    return OpenMonth(region, NOVEMBER, *NOVEMBER_S)


def newcomer(name: str = "newcomer", roles: int = 0, *more: KeyRole) -> RegisterParticipant:
    """Admit someone with a transaction key, and keys of further roles."""
    return RegisterParticipant(name, roles, tuple(entry(name, role) for role in (KeyRole.TRANSACTION, *more)))


def recovery(
    *keys: KeyEntry,
    rotations: int = 0,
    participant: int = IDS["operator"],
    key: Signer | None = None,
    chain_id: str = CHAIN_ID,
) -> RecoverKeys:
    """The operator's recovery, unless told otherwise."""
    by = key or signer("operator", KeyRole.RECOVERY)
    word = recovery_hash(chain_id, participant, rotations, keys)
    return RecoverKeys(participant, rotations, keys, by.public_key, by.sign(word))
