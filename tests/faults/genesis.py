"""What a network of tests is born with: keys that are the same each time, and the genesis they stand in."""

import json
from hashlib import sha256
from typing import Any, Final, NamedTuple

from gridproof.domain import ParticipantId
from gridproof.drivers.cometbft.engine import EngineKey, genesis_file
from gridproof.primitives.schnorr import Signer
from gridproof.state import Validator

CHAIN: Final = "faults-1"
BORN_S: Final = 1_750_000_000
POWER: Final = 10
OPERATORS: Final = 4


class Member(NamedTuple):
    """A company with a node.

    Attributes:
        participant: its id.
        name: its name.
        signer: the key that votes.
        node_key: the key by which other nodes know it.
        transaction: the key that signs its messages.
    """

    participant: ParticipantId
    name: str
    signer: EngineKey
    node_key: EngineKey
    transaction: Signer


class Person(NamedTuple):
    """Someone who sends transactions."""

    participant: ParticipantId
    signer: Signer


class Birth(NamedTuple):
    """What a network is born with.

    Attributes:
        chain_id: its name.
        genesis: the ledger's genesis document.
        engine_genesis: the engine's.
        members: who has a node.
        operators: who may register participants.
    """

    chain_id: str
    genesis: bytes
    engine_genesis: bytes
    members: tuple[Member, ...]
    operators: tuple[Person, ...]


def birth(count: int, chain_id: str = CHAIN, document: dict[str, Any] | None = None, born_s: int = BORN_S) -> Birth:
    """What a network is born with.

    Args:
        count: of its nodes; 0 for a ledger without an engine.
        chain_id: its name; everything else is the same under another.
        document: a ledger's genesis document that is made a network's: members are added after its participants.
        born_s: UTC epoch seconds.
    """
    known = [] if document is None else document["modules"]["registry"]["participants"]
    members = tuple(_member(number, len(known) + number + 1) for number in range(count))
    first = len(known) + count + 1
    operators = tuple(
        Person(ParticipantId(first + number), Signer(_secret("operator", number))) for number in range(OPERATORS)
    )
    people = [
        *known,
        *({"name": each.name, "roles": ["data_aggregator"], "keys": _keys(each.transaction)} for each in members),
        *(
            {"name": f"operator {number}", "roles": ["operator"], "keys": _keys(each.signer)}
            for number, each in enumerate(operators)
        ),
    ]
    regions = [{"region": 1, "name": "Riedholz"}] if document is None else document["modules"]["registry"]["regions"]
    seats = [{"participant": each.name, "key": each.signer.public.hex(), "power": POWER} for each in members]
    whole = {
        "genesis_time_s": born_s,
        "clock": "block",
        "zone": "Europe/Zurich",
        "currency": "CHF",
        **(document or {}),
        "chain_id": chain_id,
        "modules": {
            "registry": {"participants": people, "regions": regions},
            **({"consensus": {"validators": seats}} if seats else {}),
        },
    }
    genesis = json.dumps(whole).encode()
    validators = [(each.name, Validator(each.participant, each.signer.public, POWER)) for each in members]
    return Birth(chain_id, genesis, genesis_file(chain_id, genesis, born_s, validators), members, operators)


def _member(number: int, participant: int) -> Member:
    return Member(
        ParticipantId(participant),
        f"node {number}",
        EngineKey(_secret("vote", number)),
        EngineKey(_secret("node", number)),
        Signer(_secret("member", number)),
    )


def _keys(signer: Signer) -> dict[str, str]:
    return {"transaction": signer.public_key.hex()}


def _secret(use: str, number: int) -> bytes:
    return sha256(f"tests/faults/{use}/{number}".encode()).digest()
