"""Chains of headers: ones made here, with keys of their own, and the recorded one of a real network."""

import json
from base64 import b64encode
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from gridproof.connectors.engine_headers import read_block
from gridproof.light import (
    ABSENT,
    BlockId,
    Commit,
    Flag,
    Header,
    LightBlock,
    Time,
    Trusted,
    Validator,
    Vote,
    header_hash,
    in_order,
    validators_hash,
)
from gridproof.light.canonical import signing
from gridproof.state import address_of

RECORDED: Final = Path(__file__).parent / "unit" / "light" / "vectors" / "kvstore.json"
CHAIN: Final = "chain-test"
START_S: Final = 1_800_000_000
BLOCK_S: Final = 60
FOUR: Final = {1: 10, 2: 10, 3: 10, 4: 10}
Told = dict[str, Any]
Powers = dict[int, int]


def recorded() -> dict[int, Told]:
    """The blocks of a real network, by height, as its RPC told them."""
    return {int(height): told for height, told in json.loads(RECORDED.read_bytes())["blocks"].items()}


def read(told: Told) -> LightBlock:
    """A told block in the light client's types."""
    return read_block(told["signed_header"], told["validators"])


def trusted(block: LightBlock) -> Trusted:
    """A block as one that is trusted already."""
    return Trusted(block.header, block.validators)


def key(number: int) -> Ed25519PrivateKey:
    """A validator's key, the same each time."""
    return Ed25519PrivateKey.from_private_bytes(sha256(b"validator %d" % number).digest())


def public(number: int) -> bytes:
    """Its public key."""
    return key(number).public_key().public_bytes_raw()


def validator_set(powers: Powers) -> tuple[Validator, ...]:
    """The set in which keys have powers."""
    return in_order(Validator(public(number), power) for number, power in powers.items())


def make_header(height: int, powers: Powers, following: Powers, app_hash: bytes = b"", chain_id: str = CHAIN) -> Header:
    """A header of a chain.

    Args:
        height: from 1 on.
        powers: who decides on it.
        following: who decides on the next.
        app_hash: root of the state; made up where it is empty.
        chain_id: of the chain.
    """

    def some(what: str) -> bytes:
        return sha256(f"{what} {height}".encode()).digest()

    return Header(
        11,
        1,
        chain_id,
        height,
        Time(START_S + height * BLOCK_S, 5 * height),
        BlockId(some("last"), 1, some("last parts")),
        some("commit"),
        some("data"),
        validators_hash(validator_set(powers)),
        validators_hash(validator_set(following)),
        some("consensus"),
        app_hash or some("app"),
        some("results"),
        some("evidence"),
        address_of(public(min(powers))),
    )


def sign(header: Header, powers: Powers, flags: Sequence[Flag] = (), round_: int = 0) -> LightBlock:
    """A block of a header: its validators' votes, with real signatures.

    Args:
        header: of the block.
        powers: who votes.
        flags: what each of them says, in the order of the set; those for whom there is none vote for it.
        round_: in which it was decided.
    """
    validators = validator_set(powers)
    numbers = {public(number): number for number in powers}
    block = BlockId(header_hash(header), 1, sha256(b"parts").digest())
    empty = Commit(header.height, round_, block, ())
    signed = signing(header.chain_id, empty)
    votes = []
    for place, validator in enumerate(validators):
        flag = flags[place] if place < len(flags) else Flag.COMMIT
        if flag == Flag.ABSENT:
            votes.append(ABSENT)
            continue
        vote = Vote(flag, address_of(validator.key), Time(header.time.seconds + 1, place), b"")
        signature = key(numbers[validator.key]).sign(signed(vote))
        votes.append(Vote(flag, vote.address, vote.time, signature))
    return LightBlock(header, Commit(header.height, round_, block, tuple(votes)), validators)


def tell(block: LightBlock) -> Told:
    """A block as the engine's RPC would tell it."""
    header, commit = block.header, block.commit
    return {
        "signed_header": {
            "header": {
                "version": {"block": str(header.block_protocol), "app": str(header.app_version)},
                "chain_id": header.chain_id,
                "height": str(header.height),
                "time": _time(header.time),
                "last_block_id": _block_id(header.last_block),
                "last_commit_hash": _hex(header.last_commit_hash),
                "data_hash": _hex(header.data_hash),
                "validators_hash": _hex(header.validators_hash),
                "next_validators_hash": _hex(header.next_validators_hash),
                "consensus_hash": _hex(header.consensus_hash),
                "app_hash": _hex(header.app_hash),
                "last_results_hash": _hex(header.last_results_hash),
                "evidence_hash": _hex(header.evidence_hash),
                "proposer_address": _hex(header.proposer),
            },
            "commit": {
                "height": str(commit.height),
                "round": commit.round,
                "block_id": _block_id(commit.block),
                "signatures": [
                    {
                        "block_id_flag": int(vote.flag),
                        "validator_address": _hex(vote.address),
                        "timestamp": _time(vote.time),
                        "signature": b64encode(vote.signature).decode() if vote.signature else None,
                    }
                    for vote in commit.votes
                ],
            },
        },
        "validators": [
            {
                "address": _hex(address_of(each.key)),
                "pub_key": {"type": "tendermint/PubKeyEd25519", "value": b64encode(each.key).decode()},
                "voting_power": str(each.power),
                "proposer_priority": "0",
            }
            for each in block.validators
        ],
    }


class Network:
    """A chain with four validators of equal power, unless something else is said; where headers are had from.

    Args:
        chain_id: of the chain.
        rotation: who decides from which height on.
        latest: height of the last block.
    """

    def __init__(self, chain_id: str = CHAIN, rotation: dict[int, Powers] | None = None, latest: int = 10) -> None:
        self.chain_id = chain_id
        self.rotation = {1: FOUR, **(rotation or {})}
        self.latest = latest
        self.start_s = START_S
        self.states: dict[int, bytes] = {}
        self.asked: list[int] = []
        self.grows = False

    def tells(self, height: int, app_hash: bytes) -> None:
        """Let the header at a height, and all later ones, tell a state."""
        self.states[height] = app_hash

    def powers(self, height: int) -> Powers:
        """Who decides at a height."""
        return self.rotation[max(since for since in self.rotation if since <= height)]

    def latest_height(self) -> int:
        """The height of the last block; each question makes one more where the chain grows."""
        self.latest += self.grows
        return self.latest

    def light_block(self, height: int) -> LightBlock:
        """A block."""
        self.asked.append(height)
        state = max((since for since in self.states if since <= height), default=0)
        powers, following = self.powers(height), self.powers(height + 1)
        header = make_header(height, powers, following, self.states.get(state, b""), self.chain_id)
        time = Time(self.start_s + height * BLOCK_S, header.time.nanos)
        return sign(replace(header, time=time), powers)


def changed(told: Told, path: Sequence[str | int], value: Any) -> Told:
    """A told block with one value of it changed.

    Args:
        told: the block; it stays as it is.
        path: of the value.
        value: the new one.
    """
    copy = deepcopy(told)
    at: Any = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copy


def leaves(told: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all single values of a told block."""
    if isinstance(told, dict):
        return [leaf for name, value in told.items() for leaf in leaves(value, (*path, name))]
    if isinstance(told, list):
        return [leaf for place, value in enumerate(told) for leaf in leaves(value, (*path, place))]
    return [path]


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _block_id(block: BlockId) -> Told:
    return {"hash": _hex(block.hash), "parts": {"total": block.parts, "hash": _hex(block.parts_hash)}}


def _time(time: Time) -> str:
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time.seconds)
    fraction = f".{time.nanos:09d}".rstrip("0") if time.nanos else ""
    return f"{day.year:04d}{day:-%m-%dT%H:%M:%S}{fraction}Z"
