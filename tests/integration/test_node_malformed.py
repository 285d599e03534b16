"""Malformed transactions: no crash, no state change, whoever sends them."""

from itertools import islice

import pytest

from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.errors import Refusal
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Block, Message
from gridproof.state.errors import EnvelopeError, MalformedTransaction
from gridproof.state.store import Table

from tests.malformed import hostile, malformed
from tests.tiny.notices.messages import PostNotice, WithdrawNotice
from tests.tiny.people.messages import TurnClock, Witness
from tests.unit.drivers.scenes import NOW_S, grow, in_memory, post, signed

COUNT = 100_000
KINDS: tuple[type[Message], ...] = (PostNotice, WithdrawNotice, TurnClock, Witness)
SAMPLES = [
    signed("operator", nonce=6),
    signed("operator", post("x" * 300), WithdrawNotice(1, 1), nonce=6),
    signed("household-1", TurnClock(NOW_S + 5), nonce=2),
    signed("household-2", Witness(bytes(32), ((bytes(32), bytes(64)),) * 3)),
]


@pytest.fixture
def ledger() -> EmbeddedLedger:
    made = in_memory()
    grow(made, 6)
    return made


def contents(ledger: EmbeddedLedger) -> dict[Table, dict[bytes, bytes]]:
    with ledger.store.snapshot() as snapshot:
        return {table: dict(snapshot.scan(table)) for table in Table}


def test_a_hundred_thousand_malformed_transactions_change_nothing(ledger: EmbeddedLedger) -> None:
    before = contents(ledger)
    refused: dict[str, int] = {}
    for raw in malformed(1, COUNT, SAMPLES):
        with pytest.raises(EnvelopeError) as refusal:
            ledger.submit(raw)
        name = type(refusal.value).__name__
        refused[name] = refused.get(name, 0) + 1
    assert sum(refused.values()) == COUNT
    assert {"MalformedTransaction", "BadEnvelopeSignature"} <= refused.keys(), "the mutations reach every door"
    assert ledger.make_block() is None
    assert contents(ledger) == before
    assert ledger.failure is None


def test_a_block_of_malformed_transactions_is_refused_whole_and_changes_nothing(ledger: EmbeddedLedger) -> None:
    """As a dishonest proposer would send it: it is not accepted, and were it decided all the same, nothing happens."""
    before = contents(ledger)
    stream = malformed(2, 5_000, SAMPLES)
    while raws := tuple(islice(stream, 500)):
        proposal = ledger.application.prepare_proposal(raws, NOW_S, 10**9)
        assert proposal.chosen == []
        assert len(proposal.refused) == len(raws)
        block = Block(ledger.head.height + 1, NOW_S, 9, raws)
        assert not ledger.application.process_proposal(block)
        result = ledger.application.finalize_block(block)
        assert result.app_hash == ledger.head.app_hash
        assert all(each.code in range(1, 10) for each in result.results)
    assert contents(ledger) == before


def test_hostile_messages_under_good_signatures_stop_nothing(ledger: EmbeddedLedger) -> None:
    codes: dict[int, int] = {}
    models: list[Message] = [post(), WithdrawNotice(1, 1), TurnClock(NOW_S), Witness(bytes(32), ())]
    nonce = 6
    for message in hostile(3, 5_000, KINDS, models):
        try:
            raw = signed("operator", message, nonce=nonce)
        except PrimitiveError:
            continue  # no bytes can say that
        try:
            name = ledger.submit(raw)
        except MalformedTransaction:
            continue
        ledger.make_block()
        try:
            code = ledger.wait(name, 0).result.code
            nonce += 1
        except Refusal as refusal:
            code = refusal.code
        codes[code] = codes.get(code, 0) + 1
    assert ledger.failure is None
    ledger.application.check_invariants()
    assert {0, 12, 11, 99002, 99004} <= codes.keys(), codes
