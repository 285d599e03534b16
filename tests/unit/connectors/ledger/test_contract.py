"""What every client of the ledger does: one test for all twins."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from gridproof.connectors.ledger import (
    InProcessClient,
    LedgerClient,
    NetworkClient,
    NodesUnreachableError,
    RemoteHistory,
    SocketClient,
    UnprovenError,
)
from gridproof.drivers.embedded import EmbeddedLedger, Limits
from gridproof.drivers.embedded.server import Node
from gridproof.drivers.errors import (
    LedgerStoppedError,
    MempoolFull,
    MissingBlockError,
    UnknownTransactionError,
    WaitTimeoutError,
)
from gridproof.drivers.history import StoredHistory
from gridproof.drivers.verification import replay
from gridproof.primitives.encoding import encode
from gridproof.state import Answer, Reader, SerialVerifier, smt, system
from gridproof.state.errors import (
    BadEnvelopeSignature,
    KeyPartError,
    MalformedTransaction,
    QueryArgumentError,
    UnknownQueryError,
)
from gridproof.state.refusals import refusal_in
from gridproof.state.transaction import transaction_hash

from .engines import engine
from tests.tiny.app import tiny, tiny_genesis
from tests.tiny.notices import queries
from tests.tiny.notices.errors import TextLength
from tests.tiny.notices.types import NOTICES, Notice
from tests.tiny.people.errors import NotPermitted
from tests.unit.drivers.scenes import NOW_S, OPTIONS, grow, in_memory, post, signed

PATIENCE_S = 120.0  # far above what it takes, for a machine that is busy


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    with in_memory(OPTIONS._replace(limits=Limits(transactions=50))) as made:
        made.start(0.002)
        yield made


@pytest.fixture
def now_s() -> int:
    """Ledger time."""
    return NOW_S


@pytest.fixture(params=["in process", "unix socket", "network"])
def client(request: pytest.FixtureRequest, ledger: EmbeddedLedger, tmp_path: Path) -> Iterator[LedgerClient]:
    made: LedgerClient
    if request.param == "in process":
        made = InProcessClient(ledger)
        yield made
    elif request.param == "network":
        with engine(ledger) as node:
            made = NetworkClient([node.url], "tiny-1")
            yield made
            made.close()
    else:
        with Node(ledger, tmp_path / "node.sock") as node:
            made = SocketClient(node.path)
            yield made
            made.close()


def test_a_transaction_is_submitted_and_waited_for(client: LedgerClient) -> None:
    before = client.status().height
    name = client.submit(signed())
    assert name == transaction_hash(signed())
    place = client.wait(name, PATIENCE_S)
    assert (place.height, place.index, place.result.code) == (before + 1, 0, 0)
    assert client.find_transaction(name) == place
    assert client.submit(signed()) == name
    assert client.find_transaction(bytes(32)) is None


def test_a_refusal_comes_back_as_its_own_class(client: LedgerClient) -> None:
    with pytest.raises(MalformedTransaction):
        client.submit(b"noise")
    forged = bytearray(signed())
    forged[-1] ^= 1
    with pytest.raises(BadEnvelopeSignature) as refused:
        client.submit(bytes(forged))
    assert refused.value.sender == 1
    with pytest.raises(TextLength) as dropped:
        client.wait(client.submit(signed("operator", post("x" * 501))), PATIENCE_S)
    assert dropped.value.length == 501


def test_a_refusal_in_a_block_comes_back_in_the_result(client: LedgerClient) -> None:
    refusal = refusal_in(client.wait(client.submit(signed("household-1")), PATIENCE_S).result)
    assert isinstance(refusal, NotPermitted)
    assert refusal.participant == 2


def test_a_node_without_room_says_so(client: LedgerClient, ledger: EmbeddedLedger) -> None:
    ledger.stop()
    for nonce in range(50):
        client.submit(signed(nonce=nonce))
    with pytest.raises(MempoolFull) as full:
        client.submit(signed("household-1"))
    assert full.value.limit == 50


def test_waiting_for_what_is_unknown_or_late_is_told(client: LedgerClient) -> None:
    if isinstance(client, NetworkClient):  # one of whose nodes cannot know what others have
        with pytest.raises(WaitTimeoutError):
            client.wait(bytes(32), 0.05)
    else:
        with pytest.raises(UnknownTransactionError) as unknown:
            client.wait(bytes(32), 10)
        assert unknown.value.name == bytes(32)
    later = client.submit(signed(nonce=5))
    with pytest.raises(WaitTimeoutError) as late:
        client.wait(later, 0.05)
    assert (late.value.name, late.value.timeout_ms) == (later, 50)


def test_a_query_is_asked_by_its_function(client: LedgerClient, now_s: int) -> None:
    client.wait(client.submit(signed()), PATIENCE_S)
    assert client.ask(queries.notice, 1, 1) == Notice("x", now_s, NOW_S + 3_600)
    assert client.ask(queries.notice, region=1, number=2) is None
    assert client.ask(queries.running, 1, now_s=now_s) == (1,)
    assert client.ask(system.next_nonce, 1) == 1
    assert client.ask(system.chain).chain_id == "tiny-1"


def secret(view: Reader, number: int) -> int:
    """A query that no module offers."""
    return number


def test_a_query_that_is_not_offered_or_wrongly_asked_is_refused(client: LedgerClient) -> None:
    with pytest.raises(UnknownQueryError) as unknown:
        client.ask(secret, 1)
    assert unknown.value.path == "ledger/secret"


def test_arguments_of_another_type_are_refused(client: LedgerClient) -> None:
    with pytest.raises(QueryArgumentError):
        client.ask(queries.notice, "one", 1)  # type: ignore[arg-type]
    with pytest.raises(QueryArgumentError):
        client.ask(queries.notice, -1, 1)


def test_a_record_is_read_with_a_proof(client: LedgerClient, now_s: int) -> None:
    height = client.wait(client.submit(signed()), PATIENCE_S).height
    status = client.status()
    there = client.prove(NOTICES, 1, 1)
    assert there.value == Notice("x", now_s, NOW_S + 3_600)
    assert there.app_hash == status.app_hash
    assert there.height >= height
    assert isinstance(there.proof, smt.Presence)
    gone = client.prove(NOTICES, 1, 2)
    assert gone.value is None
    assert isinstance(gone.proof, smt.Absence)
    with pytest.raises(KeyPartError):
        client.prove(NOTICES, 1, -1)


def test_events_are_followed_from_a_cursor(client: LedgerClient, ledger: EmbeddedLedger) -> None:
    ledger.stop()
    assert client.events_since(b"", 10) == []
    grow(ledger, 3)
    events = client.events_since(b"", 10)
    assert [event.height for event in events] == [1, 2, 3]
    assert client.events_since(events[0].cursor, 1) == events[1:2]
    woken: list[int] = []
    waiter = Thread(target=lambda: woken.extend(each.height for each in client.events_since(events[2].cursor, 10, 20)))
    waiter.start()
    grow(ledger, 1, first_nonce=3)
    waiter.join()
    assert woken == [4]
    assert client.events_since(b"\xff" * 16, 10, 0.02) == []
    with pytest.raises(QueryArgumentError):
        client.events_since(b"short", 10)


def test_status_tells_where_the_ledger_stands(client: LedgerClient, ledger: EmbeddedLedger) -> None:
    assert client.status() == ledger.status()
    client.wait(client.submit(signed()), PATIENCE_S)
    assert client.status().height == 1


def test_many_threads_use_one_client(client: LedgerClient) -> None:
    codes: list[int] = []

    def send(name: str) -> None:
        codes.extend(
            client.wait(client.submit(signed(name, nonce=nonce)), PATIENCE_S).result.code for nonce in range(5)
        )

    threads = [Thread(target=send, args=(name,)) for name in ("operator", "household-1", "household-2", "household-3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0] * 5 + [98001] * 15


def test_a_ledger_that_stopped_says_so(client: LedgerClient, ledger: EmbeddedLedger) -> None:
    ledger.close()
    with pytest.raises((LedgerStoppedError, NodesUnreachableError), match="it was closed"):
        client.submit(signed())
    with pytest.raises((LedgerStoppedError, NodesUnreachableError), match="it was closed"):
        client.find_transaction(bytes(32))


def test_the_history_is_read_block_by_block(client: LedgerClient, ledger: EmbeddedLedger) -> None:
    ledger.stop()
    grow(ledger, 4)
    history = RemoteHistory(client)
    assert (history.chain_id, history.genesis) == ("tiny-1", tiny_genesis())
    assert (history.last_height, history.last_hash) == (4, ledger.head.app_hash)
    with ledger.store.snapshot() as snapshot:
        assert list(history.entries()) == list(StoredHistory(snapshot, ledger.head).entries())
    assert replay(history, tiny, verifier=SerialVerifier()).is_true
    with pytest.raises(MissingBlockError) as missing:
        client.entry(5)
    assert missing.value.height == 5


def test_a_node_that_lies_is_found_out(ledger: EmbeddedLedger) -> None:
    """Positive control for proofs: the same answer passes with its proof, and fails with any part exchanged."""
    ledger.wait(ledger.submit(signed()), PATIENCE_S)
    honest = InProcessClient(ledger)
    key = NOTICES.key(1, 1)
    true = honest.query("key", key, prove=True)
    absent = honest.query("key", NOTICES.key(1, 2), prove=True)

    class Liar(InProcessClient):
        answer = true

        def query(self, path: str, arguments: bytes, *, prove: bool = False) -> Answer:
            return self.answer

    liar = Liar(ledger)
    assert liar.prove(NOTICES, 1, 1).value is not None
    other = encode(Notice("other", NOW_S, NOW_S + 1))
    for lie in (
        Answer(1, true.app_hash, other, true.proof),
        Answer(1, bytes(32), true.value, true.proof),
        Answer(1, true.app_hash, true.value, absent.proof),
        Answer(1, true.app_hash, b"", true.proof),
        Answer(1, true.app_hash, b"", absent.proof),
        Answer(1, true.app_hash, true.value, b""),
        Answer(1, true.app_hash, true.value, true.proof[:-1]),
    ):
        liar.answer = lie
        with pytest.raises(UnprovenError):
            liar.prove(NOTICES, 1, 1)
