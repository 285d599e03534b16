"""A ledger with validators, its people, and an engine that is as strict as the real one about updates."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gridproof.domain import ParticipantId
from gridproof.errors import Refusal
from gridproof.modules.consensus.changes import Change, SetValidator, possession_hash
from gridproof.modules.consensus.keeper import Keeper
from gridproof.modules.consensus.messages import SupportChange
from gridproof.modules.consensus.module import consensus
from gridproof.modules.consensus.types import GENERATION
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.module import registry
from gridproof.primitives import ed25519
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import (
    Application,
    Block,
    BlockInfo,
    BlockResult,
    Context,
    Event,
    Message,
    Misbehaviour,
    Module,
    Overlay,
    SerialVerifier,
    Validator,
    Verifier,
    address_of,
    sign_transaction,
    system,
)
from gridproof.state.refusals import refusal_in
from gridproof.state.store import MemoryStore, Store

CHAIN_ID = "network-1"
START_S = 1_760_000_000
AGGREGATORS = tuple(f"aggregator {number}" for number in range(1, 9))
IDS = {"operator": 1, "auditor": 2} | {name: number for number, name in enumerate(AGGREGATORS, 3)}
FIRST_FOUR = dict.fromkeys(AGGREGATORS[:4], 10)
ENGINE_LIMIT = (2**63 - 1) // 8


def signer(name: str) -> Signer:
    """The transaction key of someone whom tests name."""
    return Signer(sha256(b"tests/consensus/", name.encode()))


def secret(name: str, number: int = 0) -> bytes:
    """A node's consensus key, its secret part; `number` for those that come after the first."""
    return sha256(b"tests/consensus/node/", name.encode(), bytes((number,)))


def key(name: str, number: int = 0) -> bytes:
    """A node's consensus key, its public part."""
    return ed25519.public_key(secret(name, number))


def setting(name: str, power: int = 10, number: int = 0, chain_id: str = CHAIN_ID) -> SetValidator:
    """The change that makes someone a validator, with the proof of its key."""
    participant, public = IDS[name], key(name, number)
    proof = ed25519.sign(secret(name, number), possession_hash(chain_id, participant, public))
    return SetValidator(participant, public, power, proof)


def offence(name: str, height: int = 1, kind: int = 1, number: int = 0) -> Misbehaviour:
    """What the engine reports of someone's key."""
    return Misbehaviour(kind, address_of(key(name, number)), height, START_S, 40)


def section(powers: dict[str, int]) -> dict[str, Any]:
    """Consensus's part of the genesis."""
    return {"validators": [{"participant": name, "key": key(name).hex(), "power": powers[name]} for name in powers]}


def genesis(consensus_section: dict[str, Any] | None) -> bytes:
    """A genesis document."""
    roles = {"operator": ["operator"], "auditor": ["auditor"]}
    people = [
        {
            "id": number,
            "name": name,
            "roles": roles.get(name, ["data_aggregator"]),
            "keys": {"transaction": signer(name).public_key.hex()},
        }
        for name, number in IDS.items()
    ]
    modules: dict[str, Any] = {"registry": {"participants": people}}
    if consensus_section is not None:
        modules["consensus"] = consensus_section
    document = {
        "chain_id": CHAIN_ID,
        "genesis_time_s": START_S,
        "clock": "block",
        "zone": "Etc/UTC",
        "currency": "CHF",
        "modules": modules,
    }
    return json.dumps(document).encode()


def application(store: Store, verifier: Verifier | None = None, *more: Module, version: int = 1) -> Application:
    """Registry, consensus and whatever else is given, wired."""
    directory = Registry()
    keeper = Keeper(directory)
    modules = (registry(directory), consensus(keeper), *more)
    return Application(modules, store, directory, verifier or SerialVerifier(), keeper, version=version)


class Engine:
    """The validators as the engine knows them, changed by updates alone."""

    def __init__(self, validators: tuple[Validator, ...]) -> None:
        self.powers = {each.key: each.power for each in validators}

    def apply(self, updates: tuple[Validator, ...]) -> None:
        """Take updates as the engine does: what would halt it fails the test."""
        keys = [each.key for each in updates]
        assert keys == sorted(set(keys)), "an update comes twice or out of order"
        for each in updates:
            assert each.power >= 0
            if each.power == 0:
                assert each.key in self.powers, "one is removed who is not there"
        before_removals = self.powers | {each.key: each.power for each in updates if each.power}
        assert sum(before_removals.values()) <= ENGINE_LIMIT
        gone = {each.key for each in updates if not each.power}
        self.powers = {key: power for key, power in before_removals.items() if key not in gone}
        assert self.powers or not before_removals, "nobody is left"


class Network:
    """One node's Application with the engine's view beside it; every block is judged, computed and held to all rules.

    Args:
        powers: who votes from birth on, or None for a ledger with one node.
        more: modules besides.
        version: the program's.
    """

    def __init__(self, powers: dict[str, int] | None = None, *more: Module, version: int = 1) -> None:
        self.store: Store = MemoryStore()
        self.application = application(self.store, None, *more, version=version)
        self.application.init_chain(genesis(section(powers) if powers else None))
        self.engine = Engine(self.application.validators())
        self.time_s = START_S

    @property
    def generation(self) -> int:
        """The present one."""
        with self.application.reading() as view:
            return GENERATION.get(view, default=0)

    @property
    def powers(self) -> dict[int, int]:
        """Validators' powers by participant."""
        return {each.participant: each.power for each in self.application.validators()}

    def sign(self, name: str, *messages: Message, ahead: int = 0) -> bytes:
        """A transaction's bytes, with the sender's next nonce or one `ahead` of it."""
        with self.application.reading() as view:
            nonce = system.next_nonce(view, IDS[name]) + ahead
        return sign_transaction(
            signer(name),
            chain_id=CHAIN_ID,
            sender=ParticipantId(IDS[name]),
            nonce=nonce,
            valid_until_s=self.time_s + 3_600,
            messages=messages,
        )

    def block(self, *raws: bytes, misbehaviour: tuple[Misbehaviour, ...] = ()) -> BlockResult:
        """Make a block; its updates go to the engine, and the invariants are held after it."""
        self.time_s += 1
        made = Block(self.application.info().height + 1, self.time_s, 0, raws, misbehaviour)
        assert self.application.process_proposal(made)
        result = self.application.finalize_block(made)
        self.application.commit()
        self.engine.apply(result.validator_updates)
        assert self.engine.powers == {each.key: each.power for each in self.application.validators()}
        self.application.check_invariants()
        return result

    def support(self, name: str, change: Change, generation: int | None = None) -> BlockResult:
        """Support a change in a block of its own.

        Raises:
            Refusal: the very one that the rules raised.
        """
        result, refusal = self.ask(name, change, generation)
        if refusal is not None:
            raise refusal
        return result

    def ask(self, name: str, change: Change, generation: int | None = None) -> tuple[BlockResult, Refusal | None]:
        """As `support`, with the refusal beside the block's result."""
        wanted = self.generation if generation is None else generation
        result = self.block(self.sign(name, SupportChange(wanted, change)))
        refusal = refusal_in(result.results[0])
        assert refusal is None or isinstance(refusal, Refusal)
        return result, refusal

    def refuses(self, name: str, change: Change, kind: type[Refusal], generation: int | None = None) -> Refusal:
        """Support that is refused for this reason and changes nothing but a nonce."""
        before = self.contents()
        with pytest.raises(Refusal) as refused:
            self.support(name, change, generation)
        assert type(refused.value) is kind, refused.value
        assert self.contents() == before, "a refused support changed the state"
        return refused.value

    def decide(self, change: Change, *names: str) -> BlockResult:
        """Have these support a change, one after the other; gives the last block's result."""
        results = [self.support(name, change) for name in names]
        return results[-1]

    def put(self, write: Callable[[Context], None]) -> None:
        """Write into the committed state past all rules, for states that no sequence of blocks leads to quickly."""
        head = self.application.info()
        with self.application.reading() as view:
            overlay = Overlay(view)
            write(Context(BlockInfo(CHAIN_ID, head.height, head.time_s), overlay))
        self.store.write(overlay.changes)

    def contents(self) -> dict[bytes, bytes]:
        """All the module keeps."""
        with self.application.reading() as view:
            return dict(view.scan(GENERATION.table, bytes((15,))))

    def events(self) -> list[Event]:
        """What the last block announced, in the order of the stream."""
        before = (self.application.info().height - 1).to_bytes(8, "big") + b"\xff" * 8
        return [self.application.decode_event(each.body) for each in self.application.events_since(before, 1_000)]
