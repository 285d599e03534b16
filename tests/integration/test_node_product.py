"""The real ledger against hostile senders, and its history replayed: what the tiny one shows, on the product.

A village lives for a few periods; then each of its participants turns on the ledger with messages that begin as true
ones and hold anything at all.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.app import application
from gridproof.domain import ParticipantId
from gridproof.drivers.blocks import kept_blocks
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.history import HistoryFile, StoredHistory, export_history
from gridproof.drivers.verification import replay, verify_store
from gridproof.errors import Refusal
from gridproof.modules.registry import queries as registry
from gridproof.primitives.errors import PrimitiveError
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message, sign_transaction, system
from gridproof.state.errors import EnvelopeError
from gridproof.state.store import LmdbStore
from gridproof.state.transaction import decode_transaction

from tests.malformed import hostile, malformed
from tests.simulation.village import CHAIN, Village

PERIODS = 2
HOSTILE = 1_000
MALFORMED = 5_000


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    names = [f"meter {n}" for n in range(4)]
    with Village(tmp_path_factory.mktemp("village")) as made:
        made.enrol(names)
        made.read((name, n, 100 + n) for n in range(PERIODS) for name in names)
        made.run(PERIODS)
        yield made


def transactions(ledger: EmbeddedLedger) -> list[bytes]:
    with ledger.store.snapshot() as snapshot:
        return [raw for kept in kept_blocks(snapshot, ledger.head.height) for raw in kept.block.transactions]


def spoken(ledger: EmbeddedLedger) -> list[Message]:
    """All messages that stand in the ledger's blocks."""
    codec = ledger.application._admission._messages
    return [message for raw in transactions(ledger) for message in decode_transaction(raw, codec).messages]


def test_the_villages_history_replays_to_its_hash_on_either_store(village: Village, tmp_path: Path) -> None:
    ledger = village.ledger
    report = verify_store(ledger.store, application)
    assert report.falsehoods == ()
    assert report.app_hash == ledger.head.app_hash
    with ledger.store.snapshot() as snapshot:
        export_history(StoredHistory(snapshot, ledger.head), CHAIN, tmp_path / "history")
    store = LmdbStore(str(tmp_path / "store"))
    again = replay(HistoryFile(tmp_path / "history"), application, into=store)
    assert again == report
    store.close()


def test_malformed_transactions_change_nothing(village: Village) -> None:
    ledger = village.ledger
    before = ledger.head
    samples = transactions(ledger)
    largest_first = sorted(samples, key=len, reverse=True)
    for raw in malformed(11, MALFORMED, largest_first[:3] + samples[:20]):
        with pytest.raises(EnvelopeError):
            ledger.submit(raw)
    assert ledger.make_block() is None
    assert ledger.head == before


def send(ledger: EmbeddedLedger, signer: Signer, participant: ParticipantId, message: Message) -> int | None:
    """Send a message whatever it is; gives its code, or None where no bytes can say it."""
    with ledger.application.reading() as view:
        nonce = system.next_nonce(view, participant)
    try:
        raw = sign_transaction(
            signer, chain_id=CHAIN, sender=participant, nonce=nonce, valid_until_s=2**40, messages=(message,)
        )
        name = ledger.submit(raw)
        ledger.make_block()
        return ledger.wait(name, 0).result.code
    except PrimitiveError:
        return None
    except Refusal as refusal:
        return refusal.code


def test_hostile_messages_of_those_who_may_send_stop_nothing(village: Village) -> None:
    ledger = village.ledger
    said = spoken(ledger)
    kinds = tuple(ledger.application._rules)
    people = {each.name: ParticipantId(number) for number, each in village.client.ask(registry.participants)}
    chance = random.Random(12)
    codes: dict[int | None, int] = {}
    for round_ in range(HOSTILE // 50):
        name = chance.choice(village.names)
        models = chance.sample(said, len(said))
        for message in hostile(round_, 50, kinds, models):
            code = send(ledger, village._keys(name).signer, people[name], message)
            codes[code] = codes.get(code, 0) + 1
            assert ledger.failure is None, message
        ledger.application.check_invariants()
    assert {code // 1000 for code in codes if code} == {0, 1, 2}, codes
