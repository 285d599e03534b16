"""What the drivers' tests have in common: a ledger whose clock stands still, and transactions for it."""

from pathlib import Path

from gridproof.domain import ParticipantId
from gridproof.drivers.embedded import EmbeddedLedger, Options
from gridproof.state import Message, SerialVerifier, sign_transaction
from gridproof.state.store import MemoryStore, Store

from tests.tiny.app import GENESIS_TIME_S, PEOPLE, signer, tiny, tiny_genesis
from tests.tiny.notices.messages import PostNotice

NOW_S = GENESIS_TIME_S + 10
OPTIONS = Options(SerialVerifier(), clock=lambda: NOW_S)


def post(text: str = "x", region: int = 1) -> PostNotice:
    """A notice for an hour."""
    return PostNotice(region, text, NOW_S + 3_600)


def signed(name: str = "operator", *messages: Message, nonce: int = 0, until_s: int = NOW_S + 3_600) -> bytes:
    """A transaction's bytes."""
    return sign_transaction(
        signer(name),
        chain_id="tiny-1",
        sender=ParticipantId(PEOPLE[name]),
        nonce=nonce,
        valid_until_s=until_s,
        messages=messages or (post(),),
    )


def in_memory(options: Options = OPTIONS, store: Store | None = None) -> EmbeddedLedger:
    """A ledger that is gone with its test."""
    return EmbeddedLedger(store or MemoryStore(), tiny, tiny_genesis(), options)


def in_folder(folder: Path, options: Options = OPTIONS) -> EmbeddedLedger:
    """A ledger that lasts."""
    return EmbeddedLedger.at(folder, tiny, tiny_genesis(), options)


def grow(ledger: EmbeddedLedger, blocks: int, first_nonce: int = 0) -> None:
    """Add blocks: in each a notice by the operator, and every third with a household's refused one."""
    for nonce in range(first_nonce, first_nonce + blocks):
        ledger.submit(signed("operator", post(f"notice {nonce}", nonce % 5), nonce=nonce))
        if nonce % 3 == 2:
            ledger.submit(signed("household-1", post(), nonce=nonce // 3))
        ledger.make_block()
