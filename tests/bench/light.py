"""A proof to take away is checked: its headers' signatures above all, beside the bare checks of as many signatures."""

from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridproof.actors.proofs.anchor import Anchor, anchor_of
from gridproof.actors.proofs.file import LightProof, decode_light_proof, encode_light_proof, verify_light_proof
from gridproof.actors.proofs.statements import Entry
from gridproof.light import LightBlock, Time
from gridproof.light.canonical import signing
from gridproof.modules.registry.types import PARTICIPANTS, Participant
from gridproof.primitives.encoding import encode
from gridproof.state import smt
from gridproof.state.smt import NodeChanges

from .measure import Rounds, Spread, on_core, take_turns
from .results import Figure, Row, Section
from tests.light_chain import BLOCK_S, START_S, Network, trusted

LIMITS_MS: Final = {4: 5.0, 100: 50.0}
KEYS: Final = 10_000
STATED: Final = "participant"
NOW: Final = Time(START_S + 100 * BLOCK_S, 0)


def run(*, quick: bool) -> Section:
    """Check files of networks of 4 and of 100 validators, without and with a change of validators on the way."""
    section = Section()
    for validators, limit in LIMITS_MS.items():
        for steps in (1, 3):
            raw, anchor = _file(validators, steps, 100 if quick else KEYS)
            rounds = _measure(raw, anchor, 3 if quick else 30)
            _tell(section, validators, steps, limit, rounds, len(raw))
    return section


def _measure(raw: bytes, anchor: Anchor, rounds: int) -> Rounds:
    blocks = decode_light_proof(raw).blocks
    return take_turns(rounds, on_core, check=partial(_check, raw, anchor), bare=partial(_bare, _signatures(blocks)))


def _check(raw: bytes, anchor: Anchor) -> None:
    verify_light_proof(decode_light_proof(raw), anchor, NOW)


def _signatures(blocks: tuple[LightBlock, ...]) -> list[tuple[bytes, bytes, bytes]]:
    """Key, message and signature of every vote."""
    found = []
    for block in blocks:
        signed = signing(block.header.chain_id, block.commit)
        votes = zip(block.validators, block.commit.votes, strict=True)
        found += [(each.key, signed(vote), vote.signature) for each, vote in votes]
    return found


def _bare(signatures: list[tuple[bytes, bytes, bytes]]) -> None:
    for key, message, signature in signatures:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


def _tell(section: Section, validators: int, steps: int, limit_ms: float, rounds: Rounds, size: int) -> None:
    work = f"light verification, {validators} validators"
    taken = rounds.each("check").times(1e-3)
    if steps == 1:
        section.rows.append(Row(work=work, target=f"< {limit_ms:g} ms", unit="ms", limit=limit_ms, actual=taken))
    else:
        section.figures.append(Figure(f"{work}, {steps} headers", "ms", taken))
    bare = rounds.each("bare").times(1e-3)
    section.figures.append(Figure(f"{work}, {steps} headers: bare checks of the signatures", "ms", bare))
    section.figures.append(Figure(f"{work}, {steps} headers: ratio", "", rounds.ratio("check", "bare")))
    section.figures.append(Figure(f"{work}, {steps} headers: file", "bytes", Spread.of([size])))


def _file(validators: int, steps: int, keys: int) -> tuple[bytes, Anchor]:
    """A file of an entry among many, with a network's headers; each has other validators than the one before."""
    root, entry = _entry(keys)
    powers = dict.fromkeys(range(1, validators + 1), 10)
    rotation = {1 + 2 * step: {number + step: power for number, power in powers.items()} for step in range(steps + 1)}
    network = Network(rotation=rotation, latest=1 + 2 * steps)
    network.tells(1 + 2 * steps, root)
    blocks = tuple(network.light_block(1 + 2 * (step + 1)) for step in range(steps))
    first = trusted(network.light_block(1))
    return encode_light_proof(LightProof(first, blocks, entry)), anchor_of(first)


def _entry(keys: int) -> tuple[bytes, Entry]:
    """The root of a state of participants, and one of them."""
    values = {PARTICIPANTS.key(number): encode(Participant(f"member {number}", 1, 0)) for number in range(1, keys + 1)}
    nodes: NodeChanges = {}
    root, nodes = smt.apply(nodes.get, values)
    name = PARTICIPANTS.key(7)
    return root, Entry(STATED, (7,), values[name], encode(smt.prove(nodes.get, name)))
