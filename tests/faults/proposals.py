"""A proposer that proposes what may stand in no block, and finds its own blocks good."""

from collections.abc import Callable, Sequence
from typing import Final

from gridproof.app import application
from gridproof.drivers.logs import logger
from gridproof.drivers.ports import ApplicationFactory
from gridproof.modules.registry.messages import KeyEntry, RegisterParticipant
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Application, Block, Proposal, Verifier, sign_transaction, system
from gridproof.state.store import Store
from gridproof.state.transaction import MAX_TRANSACTION_BYTES

from . import genesis

KINDS: Final = ("bad signature", "malformed", "duplicate", "oversize", "wrong nonce order")
PROPOSED: Final = "bad block proposed"
SENDER: Final = 3  # number of the operator whose key the proposer holds
FOR_EVER_S: Final = 2**33

_log = logger("byzantine")


def factory(kind: Callable[[], str]) -> ApplicationFactory:
    """What makes an Application that proposes bad blocks.

    Args:
        kind: one of the kinds, or nothing where it shall be honest.
    """

    def make(store: Store, verifier: Verifier) -> Application:
        made = application(store, verifier)
        prepare, process = made.prepare_proposal, made.process_proposal

        def propose(arrived: Sequence[bytes], time_s: int, max_bytes: int) -> Proposal:
            wanted = kind()
            if not wanted:
                return prepare(arrived, time_s, max_bytes)
            _log.info(PROPOSED, height=made.info().height + 1, kind=wanted)
            return Proposal(bad(made, wanted), [], [])

        def judge(block: Block) -> bool:
            return bool(kind()) or process(block)

        made.prepare_proposal = propose  # type: ignore[method-assign]
        made.process_proposal = judge  # type: ignore[method-assign]
        return made

    return make


def bad(made: Application, kind: str) -> list[bytes]:
    """Transactions of which at least one may not stand where it stands.

    Args:
        made: the ledger that they are for.
        kind: one of the kinds.
    """
    people = genesis.birth(len(made.validators())).operators
    person = people[SENDER]
    with made.reading() as view:
        nonce = system.next_nonce(view, person.participant)

    def sign(nonce: int, signer: Signer = person.signer) -> bytes:
        key = Signer(sha256(b"tests/faults/byzantine", nonce.to_bytes(8, "big"))).public_key
        return sign_transaction(
            signer,
            chain_id=made.chain_id,
            sender=person.participant,
            nonce=nonce,
            valid_until_s=FOR_EVER_S,
            messages=(RegisterParticipant(f"byzantine {nonce}", 0, (KeyEntry(KeyRole.TRANSACTION, key),)),),
        )

    return {
        "bad signature": lambda: [sign(nonce, people[0].signer)],
        "malformed": lambda: [b"\xc1" * 40],
        "duplicate": lambda: [sign(nonce)] * 2,
        "oversize": lambda: [bytes(MAX_TRANSACTION_BYTES + 1)],
        "wrong nonce order": lambda: [sign(nonce + 1), sign(nonce)],
    }[kind]()
