"""A network's client: any node will do, reads never go back, and nothing counts twice, whichever node goes when."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from threading import Thread
from time import sleep
from typing import Any, cast

import pytest

from gridproof.connectors.ledger import (
    GivenUpError,
    NetworkClient,
    NodesUnreachableError,
    NodeView,
    Sender,
    SentUnansweredError,
    network,
    nodes,
)
from gridproof.connectors.ledger.errors import NodeDownError
from gridproof.connectors.ledger.heights import Heights
from gridproof.connectors.ledger.node_rpc import NodeRpc
from gridproof.domain import ParticipantId
from gridproof.drivers import wire
from gridproof.drivers.embedded import EmbeddedLedger, Limits
from gridproof.drivers.errors import (
    LedgerStoppedError,
    MempoolFull,
    MissingBlockError,
    SenderCrowded,
    WaitTimeoutError,
)
from gridproof.drivers.history import Entry
from gridproof.errors import Refusal
from gridproof.primitives.encoding import encode
from gridproof.state import StoredEvent, TransactionPlace, TransactionResult, sign_transaction, system
from gridproof.state.errors import EventsGoneError, Expired, NonceAhead, NonceUsed, TransactionTooLarge, UnknownSender
from gridproof.state.refusals import RefusedError
from gridproof.state.transaction import MAX_TRANSACTION_BYTES, transaction_hash

from .engines import Engine, engine
from tests.tiny.app import PEOPLE, signer
from tests.tiny.notices.errors import TextLength
from tests.tiny.notices.types import NOTICES
from tests.unit.drivers.cometbft.nodes import Clock
from tests.unit.drivers.scenes import OPTIONS, grow, in_memory, post, signed

PATIENCE_S = 120.0  # far above what it takes, for a machine that is busy


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds with real nodes takes less here."""
    monkeypatch.setattr(network, "AGAIN_S", 0.1)
    monkeypatch.setattr(network, "AROUND_S", 0.1)
    monkeypatch.setattr(nodes, "GRACE_S", 0.05)


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    with in_memory() as made:
        yield made


@contextmanager
def network_of(*ledgers: EmbeddedLedger, answer_s: float = 5.0) -> Iterator[tuple[NetworkClient, list[Engine]]]:
    """Engines before ledgers, and a client of all of them."""
    with ExitStack() as stack:
        engines = [stack.enter_context(engine(each)) for each in ledgers]
        client = NetworkClient([each.url for each in engines], "tiny-1", answer_s=answer_s)
        stack.callback(client.close)
        yield client, engines


def nowhere(number: int = 1) -> str:
    """An address at which nobody answers, and which nobody is ever given."""
    return f"http://127.251.251.{number}:9"


def sender(client: NetworkClient, timeout_s: float = PATIENCE_S) -> Sender:
    return Sender(client, signer("operator"), ParticipantId(1), timeout_s=timeout_s)


def notices(ledger: EmbeddedLedger) -> int:
    with ledger.application.reading() as view:
        return sum(1 for _ in NOTICES.all(view))


# --- W-1: nodes that cannot answer ---------------------------------------------------------------------------------


def test_w1_a_node_that_is_down_is_passed_over_and_no_network_names_each(ledger: EmbeddedLedger) -> None:
    with engine(ledger) as node:
        client = NetworkClient([nowhere(), node.url])
        assert client.status() == ledger.status()
        client.close()
    gone = [nowhere(1), nowhere(2)]
    client = NetworkClient(gone)
    with pytest.raises(NodesUnreachableError) as told:
        client.status()
    assert all(f"{url}: Connection refused" in told.value.nodes for url in gone)
    assert "ledger.nodes" in str(told.value)
    assert "sent" not in str(told.value), "nothing was"
    with pytest.raises(SentUnansweredError, match="may take effect all the same"):
        client.submit(b"a transaction")
    with pytest.raises(SentUnansweredError):
        client.status()


def test_w1_what_is_no_address_is_told_at_once() -> None:
    with pytest.raises(NodesUnreachableError, match="no address"):
        NetworkClient(["tcp://127.0.0.1:26657"])


def test_w1_a_node_that_goes_is_left_and_found_again_once_it_is_back(ledger: EmbeddedLedger) -> None:
    with network_of(ledger, ledger) as (client, (first, second)):
        client.status()
        assert second.asked == []
        first.spoil = lambda _method, _raw: None
        client.status()
        assert "abci_query" in second.asked
        first.spoil = lambda _method, raw: raw
        second.spoil = lambda _method, _raw: None
        assert client.status().height == 0, "the first one rests, and is asked all the same where no other answers"


def test_w1_a_node_that_hangs_is_given_up_in_time(ledger: EmbeddedLedger) -> None:
    with network_of(ledger, ledger, answer_s=PATIENCE_S) as (client, (first, _second)):
        client._nodes._nodes[0].rpc = NodeRpc(first.url, 0.2)  # the other one has its time
        first.hang.set()
        assert client.status().height == 0
        assert client.survey()[0].height is None
        assert "no answer within 0.2 s" in client.survey()[0].detail


def test_w1_a_node_that_hangs_is_left_soon_where_another_one_answers(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "QUICK_S", 0.5)
    with network_of(ledger, ledger, answer_s=PATIENCE_S) as (client, (first, second)):
        first.hang.set()
        assert client.status().height == 0
        assert "abci_query" in second.asked
        assert client.survey()[0].detail == "no answer within 0.5 s"


def test_w1_nodes_that_are_slow_get_their_time_where_none_is_quicker(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "QUICK_S", 0.1)
    with network_of(ledger, ledger, answer_s=PATIENCE_S) as (client, both):

        def slow(_method: str, raw: bytes) -> bytes:
            sleep(0.3)
            return raw

        for each in both:
            each.spoil = slow
        assert client.status().height == 0
        assert client.survey()[0].height is None, "a survey does not wait so long"


def test_w1_a_ledger_that_hangs_behind_its_engine_is_left_soon_too(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "QUICK_S", 0.5)
    with network_of(ledger, ledger, answer_s=PATIENCE_S) as (client, (first, second)):

        def spoil(method: str, raw: bytes) -> bytes:
            if method == "abci_query":
                first.freed.wait(PATIENCE_S)
            return raw

        first.spoil = spoil
        assert client.status().height == 0
        assert "abci_query" in second.asked


def test_w1_a_node_of_another_chain_is_refused_by_name(ledger: EmbeddedLedger) -> None:
    with network_of(ledger, ledger) as (client, (first, second)):
        first.chain_id = "other-1"
        assert client.status().chain_id == "tiny-1"
        assert "abci_query" not in first.asked
        second.chain_id = "other-1"
        refused = pytest.raises(NodesUnreachableError, match="serves the chain 'other-1', not 'tiny-1'")
        with closing(NetworkClient([first.url, second.url], "tiny-1")) as other, refused:
            other.status()


def test_w1_a_node_that_catches_up_or_has_stopped_is_passed_over(ledger: EmbeddedLedger) -> None:
    with in_memory() as stopped, network_of(ledger, stopped, ledger) as (client, (first, second, third)):
        first.is_catching_up = True
        stopped.close()
        name = client.submit(signed())
        assert third.asked.count("broadcast_tx_sync") == 1
        assert "broadcast_tx_sync" in second.asked
        ledger.make_block()
        assert client.wait(name, 5).height == 1
        assert client.survey()[0] == NodeView(first.url, None, "it still fetches the blocks that others made")


ABSURD = 10**17
ODD = {
    "no JSON": b"noise",
    "no object": b"[]",
    "another's answer": b'{"jsonrpc":"2.0","id":9999,"result":{}}',
    "no result": b'{"jsonrpc":"2.0","id":1}',
    "a page": b"HTTP 404 <html>",
    "a number for text": b'{"jsonrpc":"2.0","id":1,"result":{"node_info":{"network":7},"sync_info":{}}}',
    "nested without end": b'{"id":1,"result":' + b"[" * 100_000,
}


@pytest.mark.parametrize("spoiled", ODD.values(), ids=ODD)
def test_w1_what_is_no_answer_is_not_used(ledger: EmbeddedLedger, spoiled: bytes) -> None:
    with network_of(ledger, ledger) as (client, (first, _second)):
        first.spoil = lambda _method, _raw: spoiled
        assert client.status() == ledger.status()
        with (
            closing(NodeRpc(first.url, PATIENCE_S)) as rpc,
            pytest.raises(NodeDownError, match="no node of this") as told,
        ):
            rpc.status()
        assert told.value.node == first.url


def test_w1_an_answer_of_another_form_or_size_is_not_used(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(value: bytes) -> bytes:
        return b'{"jsonrpc":"2.0","id":2,"result":{"response":{"height":"0","value":' + value + b"}}}"

    def spoiled(value: bytes, method: str, raw: bytes) -> bytes:
        return reply(value) if method == "abci_query" else raw

    welcome = b'"' + b"lWcBpnRpbnktMQ==" + b'"'
    odd = (b"null", b'"!"', b'"wQ=="', welcome, b'"' + b"A" * 8 + b'"')
    for value in odd:
        with network_of(ledger, ledger) as (client, (first, _second)):
            first.spoil = partial(spoiled, value)
            assert client.status() == ledger.status()
    monkeypatch.setattr("gridproof.connectors.ledger.node_rpc.MAX_ANSWER", 100)
    with network_of(ledger) as (client, _), pytest.raises(NodesUnreachableError, match="without end"):
        client.status()


def test_w1_what_a_node_lacks_is_asked_of_another(ledger: EmbeddedLedger) -> None:
    class Late(EmbeddedLedger):
        def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
            raise EventsGoneError(from_height=9)

        def entry(self, height: int) -> Entry:
            raise MissingBlockError(height=height)

    grow(ledger, 3)
    with in_memory() as late:
        grow(late, 3)
        late.__class__ = Late
        with network_of(late, ledger) as (client, _):
            assert [event.height for event in client.events_since(b"", 10)] == [1, 2, 3]
            assert client.entry(2) == ledger.entry(2)
        with network_of(late, late) as (client, _):
            with pytest.raises(EventsGoneError) as gone:
                client.events_since(b"", 10)
            assert gone.value.from_height == 9
            with pytest.raises(MissingBlockError):
                client.entry(2)


def test_w1_a_full_node_is_passed_over_and_a_full_network_says_so() -> None:
    small = OPTIONS._replace(limits=Limits(transactions=1))
    with in_memory(small) as full, in_memory() as roomy, network_of(full, roomy) as (client, _):
        full.submit(signed("household-1"))
        name = client.submit(signed())
        assert name in roomy._mempool
        assert name not in full._mempool
    with in_memory(small) as full, network_of(full, full) as (client, _):
        full.submit(signed("household-1"))
        with pytest.raises(MempoolFull) as told:
            client.submit(signed())
        assert told.value.limit == 1


def test_a_transaction_that_the_engine_finds_too_large_is_refused_by_its_class(ledger: EmbeddedLedger) -> None:
    with network_of(ledger) as (client, (node,)):
        error = b'{"id":2,"error":{"message":"Internal error","data":"Tx too large. Max size is 10, but got 20"}}'
        node.spoil = lambda method, raw: error if method == "broadcast_tx_sync" else raw
        with pytest.raises(TransactionTooLarge) as told:
            client.submit(signed())
        assert (told.value.size, told.value.limit) == (20, 10)
        node.spoil = lambda _method, raw: raw
        with pytest.raises(TransactionTooLarge) as told:
            client.submit(bytes(MAX_TRANSACTION_BYTES + 1))
        assert told.value.limit == MAX_TRANSACTION_BYTES


# --- W-2: reads never go back --------------------------------------------------------------------------------------


def test_w2_a_node_that_is_behind_is_not_believed(ledger: EmbeddedLedger) -> None:
    grow(ledger, 3)
    with in_memory() as behind, network_of(ledger, behind) as (client, (first, _second)):
        grow(behind, 1)
        assert client.status().height == 3
        first.spoil = lambda _method, _raw: None
        client._nodes._answer_s = 0.2
        with pytest.raises(NodesUnreachableError, match="at height 1, 3 was seen"):
            client.status()
        grow(behind, 2, first_nonce=1)
        assert client.status().height == 3, "it has caught up"


def test_w2_a_node_that_lags_for_a_moment_is_waited_for(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "GRACE_S", 30.0)
    grow(ledger, 2)
    with in_memory() as behind, network_of(ledger, behind) as (client, (first, second)):
        assert client.status().height == 2
        first.spoil = lambda _method, _raw: None

        def catch_up(_method: str, raw: bytes) -> bytes:
            if second.asked.count("abci_query") == 3:
                second.spoil = lambda _method, raw: raw
                grow(behind, 2)
            return raw

        second.spoil = catch_up
        assert client.status().height == 2


def test_w2_after_waiting_for_a_transaction_no_answer_is_from_before_it(ledger: EmbeddedLedger) -> None:
    with in_memory() as behind, network_of(ledger, behind) as (client, (first, second)):
        name = client.submit(signed())
        ledger.make_block()
        assert client.wait(name, 5).height == 1
        first.spoil = lambda method, raw: None if method == "abci_query" else raw
        client._nodes._answer_s = 0.1
        with pytest.raises(NodesUnreachableError):
            client.ask(system.next_nonce, 1)
        assert "abci_query" in second.asked


def absurd(_method: str, raw: bytes) -> bytes:
    """What a node tells, with a height that it made up."""
    return re.sub(rb'"height":"\d+"', b'"height":"%d"' % ABSURD, raw)


def silent(_method: str, _raw: bytes) -> None:
    """No answer."""


def drawn_to_a_liar(client: NetworkClient, liar: Engine) -> Clock:
    """A client that heard an absurd height, and then nothing more of who told it; the clock that heights see."""
    clock = Clock()
    client._nodes.heights._monotonic = clock
    client._nodes._answer_s = 0.1
    liar.spoil = absurd
    client.status()
    liar.spoil = silent
    with pytest.raises(NodesUnreachableError, match=f"at height 3, {ABSURD} was seen"):
        client.status()
    return clock


def test_w2_a_height_that_one_node_made_up_keeps_nobody_from_the_honest_ones(ledger: EmbeddedLedger) -> None:
    grow(ledger, 3)
    with network_of(ledger, ledger, ledger) as (client, (liar, *honest)):
        clock = drawn_to_a_liar(client, liar)
        clock.now_s += 1_000
        assert client.status().height == 3
        for each in honest:
            each.spoil = silent
        liar.spoil = absurd
        assert client.status().height == 3, "nobody else answers"
        for each in honest:
            each.spoil = lambda _method, raw: raw
        liar.spoil = silent
        assert client.status().height == 3, "its word does not bind the others a second time"


def test_w2_without_doubt_one_liar_keeps_a_client_from_all_others(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positive control."""
    monkeypatch.setattr(Heights, "is_doubtful", lambda *_: False)
    grow(ledger, 3)
    with network_of(ledger, ledger, ledger) as (client, (liar, *_)):
        clock = drawn_to_a_liar(client, liar)
        clock.now_s += 1_000
        with pytest.raises(NodesUnreachableError, match="was seen"):
            client.status()


def test_w2_of_two_nodes_the_higher_one_is_believed(ledger: EmbeddedLedger) -> None:
    """The other one may stand still: nobody can tell."""
    grow(ledger, 3)
    with network_of(ledger, ledger) as (client, (liar, _honest)):
        clock = drawn_to_a_liar(client, liar)
        clock.now_s += 1_000
        with pytest.raises(NodesUnreachableError, match="was seen"):
            client.status()


def test_w2_a_node_that_stands_still_is_no_witness_where_another_one_confirms_the_height(
    ledger: EmbeddedLedger,
) -> None:
    grow(ledger, 3)
    with in_memory() as still, network_of(ledger, still, ledger) as (client, (first, second, third)):
        clock = Clock()
        client._nodes.heights._monotonic = clock
        assert client.status().height == 3
        first.spoil = third.spoil = silent
        client._nodes._answer_s = 0.1
        with pytest.raises(NodesUnreachableError, match="at height 0, 3 was seen"):
            client.status()
        clock.now_s += 1_000
        with pytest.raises(NodesUnreachableError, match="at height 0, 3 was seen"):
            client.status()
        third.spoil = lambda _method, raw: raw
        assert client.status().height == 3
        assert "abci_query" in second.asked


def test_w2_who_waits_for_events_at_a_node_that_stands_still_hears_of_them(ledger: EmbeddedLedger) -> None:
    with in_memory() as still, network_of(still, ledger) as (client, _):
        heard: list[int] = []
        waiter = Thread(target=lambda: heard.extend(each.height for each in client.events_since(b"", 10, 20)))
        waiter.start()
        grow(ledger, 1)
        waiter.join()
        assert heard == [1]


# --- W-3 to W-5: transactions -------------------------------------------------------------------------------------


def test_w3_resubmission_is_harmless_before_and_after_the_block(ledger: EmbeddedLedger) -> None:
    with network_of(ledger, ledger) as (client, (first, _second)):
        name = client.submit(signed())
        assert client.submit(signed()) == name
        first.cached.add(signed())
        assert client.submit(signed()) == name
        ledger.make_block()
        assert client.submit(signed()) == name, "already in cache, and in a block"
        first.cached.clear()
        assert client.submit(signed()) == name, "its nonce is used, by itself"
        assert client.wait(name, 5).height == 1
        assert notices(ledger) == 1
        with pytest.raises(NonceUsed):
            client.submit(signed("operator", post("other")))


def test_w3_a_refusal_by_a_node_that_is_behind_is_not_believed(ledger: EmbeddedLedger) -> None:
    grow(ledger, 2)
    with in_memory() as behind, network_of(ledger, behind, ledger) as (client, (first, second, third)):
        client.status()
        first.spoil = lambda _method, _raw: None
        far = signed(nonce=65)  # 63 ahead of what is committed, and 65 of what the second node has
        assert client.submit(far) == transaction_hash(far)
        assert second.asked.count("broadcast_tx_sync") == 1
        assert third.asked.count("broadcast_tx_sync") == 1


def test_w3_a_node_that_joined_too_late_is_not_asked_whether_a_transaction_was_booked(ledger: EmbeddedLedger) -> None:
    class Forgetful(EmbeddedLedger):
        def find_transaction(self, name: bytes) -> TransactionPlace | None:
            return None

    with in_memory() as late, network_of(ledger, late, late) as (client, (first, second, third)):
        name = client.submit(signed())
        for each in (ledger, late):
            each.submit(signed())
            each.make_block()
        late.__class__ = Forgetful
        second.first_height = third.first_height = 2
        first.spoil = lambda _method, _raw: None
        with pytest.raises(NodesUnreachableError, match="joined too late"):
            client.submit(signed())
        first.spoil = lambda _method, raw: raw
        assert client.submit(signed()) == name
        second.first_height, first.spoil = 1, lambda _method, _raw: None
        client._nodes._answer_s = 0.1
        with pytest.raises(NodesUnreachableError, match="it alone refuses"):
            client.submit(signed())
        third.first_height = 1
        with pytest.raises(NonceUsed):  # positive control: two that should know are believed, and their lie would hurt
            client.submit(signed())


def test_w3_a_made_up_height_does_not_make_a_node_that_joined_late_look_as_if_it_knew(ledger: EmbeddedLedger) -> None:
    grow(ledger, 3)
    with network_of(ledger, ledger) as (client, (liar, _honest)):
        liar.spoil = absurd
        client.status()
        name = client.submit(signed(nonce=3))
        assert client._nodes.heights.floor == ABSURD
        assert client._under_way[name].since == 3
    with network_of(ledger, ledger) as (client, (_first, second)):  # in honest company it costs one question
        client.status()
        for nonce in (4, 5, 6):
            assert client._under_way[client.submit(signed(nonce=nonce))].since == 3
        assert second.asked == ["status", "abci_query"]


class Liar:
    """A node that hands on what it takes, and says that it expired in no block.

    Args:
        ledger: what it knows.
    """

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def wait(self, _name: bytes, _timeout_s: float) -> TransactionPlace:
        raise Expired(valid_until_s=1, now_s=2)

    def find_transaction(self, _name: bytes) -> TransactionPlace | None:
        return None


class Refusing(Liar):
    """A node that refuses whatever comes."""

    def __init__(self, ledger: EmbeddedLedger, refusal: Refusal) -> None:
        super().__init__(ledger)
        self._refusal = refusal

    def submit(self, _raw: bytes) -> bytes:
        raise self._refusal


def test_w5_that_a_transaction_expired_is_not_believed_of_one_node_alone(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    liar = cast("EmbeddedLedger", Liar(ledger))
    with network_of(liar, ledger, ledger) as (client, _):
        operator = sender(client)
        assert operator.send(post()).height == 1
        assert operator.send(post()).result.code == 0
    assert notices(ledger) == 2
    with network_of(liar) as (client, _):  # positive control: alone it is believed, and what was booked is signed anew
        name = client.submit(signed(nonce=2))
        ledger.wait(name, PATIENCE_S)
        with pytest.raises(Expired):
            client.wait(name, PATIENCE_S)


class Belittling(Liar):
    """A node that says of all that took effect that it failed."""

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        place = self._ledger.wait(name, timeout_s)
        return TransactionPlace(place.height, place.index, TransactionResult(TextLength.code, "too long"))


def test_w5_that_a_transaction_failed_is_not_believed_of_one_node_alone(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    liar = cast("EmbeddedLedger", Belittling(ledger))
    with network_of(liar, ledger, ledger) as (client, _):
        assert sender(client).send(post()).result.code == 0
    with network_of(liar, ledger) as (client, (_, honest)):
        name = client.submit(signed(nonce=1))
        ledger.wait(name, PATIENCE_S)
        honest.spoil = silent
        client._nodes._answer_s = 0.1
        with pytest.raises(NodesUnreachableError, match="it alone says that the transaction failed in block"):
            client.wait(name, PATIENCE_S)
    with network_of(liar) as (client, _), pytest.raises(RefusedError, match="too long"):  # positive control
        sender(client).send(post())


def test_w5_a_failure_that_two_nodes_tell_is_believed_and_handed_in_nowhere_else(ledger: EmbeddedLedger) -> None:
    with network_of(ledger, ledger) as (client, (_, second)):
        name = client.submit(signed("household-1"))
        ledger.make_block()
        assert client.wait(name, PATIENCE_S).result.code == 98001
        assert "broadcast_tx_sync" not in second.asked


REFUSALS = (
    UnknownSender(sender=1),
    NonceUsed(nonce=0, expected=1),
    NonceAhead(nonce=0, expected=0),
    TextLength(length=9),
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: type(each).__name__)
def test_w5_one_node_that_refuses_a_transaction_does_not_keep_it_from_the_others(
    ledger: EmbeddedLedger, refusal: Refusal
) -> None:
    liar = cast("EmbeddedLedger", Refusing(ledger, refusal))
    with network_of(liar, ledger, ledger) as (client, _):
        assert client.submit(signed()) in ledger._mempool
    with network_of(liar) as (client, _), pytest.raises(type(refusal)):  # positive control
        client.submit(signed("household-1"))


def test_w5_a_refusal_is_believed_as_soon_as_a_second_node_says_so(ledger: EmbeddedLedger) -> None:
    grow(ledger, 1)
    with network_of(ledger, ledger) as (client, (first, second)):
        second.spoil = silent
        client._nodes._answer_s = 0.1
        other = signed("operator", post("other"))
        for _ in range(2):
            with pytest.raises(NodesUnreachableError, match=f"{first.url}: it alone refuses the transaction"):
                client.submit(other)
        second.spoil = lambda _method, raw: raw
        with pytest.raises(NonceUsed) as used:
            client.submit(other)
        assert (used.value.nonce, used.value.expected) == (0, 1)
        assert client._under_way == {}


def test_a_crowded_sender_is_told_so_by_class_and_what_it_sent_may_come_again() -> None:
    with (
        in_memory(OPTIONS._replace(limits=Limits(per_sender=1))) as small,
        network_of(small, small) as (client, engines),
    ):
        client.submit(signed())
        with pytest.raises(SenderCrowded) as crowded:
            client.submit(signed(nonce=1))
        assert (crowded.value.sender, crowded.value.limit) == (1, 1)
        assert [each.asked.count("broadcast_tx_sync") for each in engines] == [2, 1], "the other one has no room either"
        small.make_block()
        assert client.submit(signed(nonce=1)) in small._mempool


def test_w4_what_the_node_that_took_it_lost_is_handed_in_at_another(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    with network_of(ledger, ledger) as (client, (first, second)):
        first.swallow = True
        operator = sender(client)
        sent = operator.submit(post())
        assert "broadcast_tx_sync" not in second.asked
        assert operator.wait(sent).height == 1
        assert notices(ledger) == 1


def test_w4_a_node_that_goes_with_what_it_took_costs_nothing(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    with network_of(ledger, ledger) as (client, (first, _second)):
        operator = sender(client)
        operator.send(post())
        first.swallow = True
        sent = operator.submit(post())
        first.spoil = lambda _method, _raw: None
        assert operator.wait(sent).result.code == 0
        assert operator.send(post()).result.code == 0
        assert notices(ledger) == 3


def test_w4_an_answer_that_is_lost_leaves_a_transaction_that_counts_once(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    with network_of(ledger, ledger) as (client, (first, _second)):
        operator = sender(client)
        first.spoil = lambda method, raw: None if method == "broadcast_tx_sync" else raw
        assert [operator.send(post()).result.code for _ in range(3)] == [0, 0, 0]
        assert notices(ledger) == 3


def test_w4_a_nonce_that_another_took_is_found_out_though_the_engine_says_that_it_waits(
    ledger: EmbeddedLedger,
) -> None:
    with network_of(ledger, ledger) as (client, (first, second)):
        operator = sender(client)
        sent = operator.submit(post("mine"))
        first.cached.add(sent.raw)
        second.cached.add(sent.raw)
        ledger._mempool.remove([sent.name])
        ledger.submit(signed("operator", post("another's")))
        ledger.make_block()
        ledger.start(0.002)
        place = operator.wait(sent)
        assert place.result.code == 0
        assert client.find_transaction(sent.name) is None
        assert notices(ledger) == 2


def test_a_transaction_that_waits_is_told_to_wait_and_what_is_unknown_to_be_so(ledger: EmbeddedLedger) -> None:
    with network_of(ledger) as (client, (node,)):
        node.swallow = True
        name = client.submit(signed())
        with pytest.raises(WaitTimeoutError) as late:
            client.wait(name, 2)
        assert (late.value.name, late.value.timeout_ms) == (name, 2_000)
        assert node.asked.count("broadcast_tx_sync") > 1
        node.swallow = False
        with pytest.raises(UnknownSender):
            client.submit(_of_a_stranger())


def _of_a_stranger() -> bytes:
    until_s = OPTIONS.clock() + 60
    words = {"chain_id": "tiny-1", "nonce": 0, "valid_until_s": until_s, "messages": (post(),)}
    return sign_transaction(signer("operator"), sender=ParticipantId(99), **words)  # type: ignore[arg-type]


def test_what_only_others_dropped_is_told_to_who_waits(ledger: EmbeddedLedger) -> None:
    with in_memory() as proposer, network_of(ledger, proposer, proposer) as (client, (first, *_)):
        first.swallow = True
        wordy = signed("operator", post("x" * 501))
        name = client.submit(wordy)
        proposer.submit(wordy)
        proposer.make_block()
        with pytest.raises(TextLength) as dropped:
            client.wait(name, 10)
        assert dropped.value.length == 501


def test_only_so_many_bytes_of_transactions_under_way_are_kept(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = signed(nonce=3)
    monkeypatch.setattr(network, "KEPT_BYTES", 2 * len(raw))
    with network_of(ledger) as (client, _):
        names = [client.submit(signed(nonce=nonce)) for nonce in range(5)]
        assert list(client._under_way) == names[-2:]
        assert client._under_way_bytes == sum(len(each.raw) for each in client._under_way.values())
        ledger.make_block()
        for name in names:
            client.wait(name, 5)
        assert (len(client._under_way), client._under_way_bytes) == (0, 0)


def test_many_threads_send_while_nodes_come_and_go(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    with network_of(ledger, ledger, ledger) as (client, engines):
        codes: list[int] = []

        def send(name: str) -> None:
            own = Sender(client, signer(name), ParticipantId(PEOPLE[name]), timeout_s=PATIENCE_S)
            for number in range(8):
                engines[number % 3].spoil = lambda _method, _raw: None
                codes.append(code_of(own))
                engines[number % 3].spoil = lambda _method, raw: raw

        def code_of(own: Sender) -> int:  # the sender asks again where it met each node just when that was away
            try:
                return own.send(post()).result.code
            except Refusal as refusal:
                return refusal.code

        threads = [Thread(target=send, args=(name,)) for name in ("operator", "household-1")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [0] * 8 + [98001] * 8
        with ledger.application.reading() as view:
            assert [system.next_nonce(view, PEOPLE[name]) for name in ("operator", "household-1")] == [8, 8]


def test_a_ledger_that_failed_at_every_node_is_told_with_its_cause(ledger: EmbeddedLedger) -> None:
    with network_of(ledger) as (client, _):
        ledger.close()
        with pytest.raises(NodesUnreachableError) as told:
            client.status()
        assert LedgerStoppedError(height=0, cause="it was closed").reason in told.value.nodes


def test_a_request_is_carried_as_the_engine_takes_it(ledger: EmbeddedLedger) -> None:
    with network_of(ledger) as (_, (node,)):
        rpc = NodeRpc(node.url, PATIENCE_S)
        told = rpc.ask(wire.REQUESTS.encode(wire.AskStatus()))
        assert (told.height, told.reply) == (0, wire.Done(encode(ledger.status())))
        rpc.close()


def test_who_is_told_to_stop_waits_no_longer_for_a_network_that_stands_still(ledger: EmbeddedLedger) -> None:
    with network_of(ledger) as (client, _):
        name = client.submit(signed("operator", post()))
        client.gives_up = lambda: True
        with pytest.raises(GivenUpError):
            client.wait(name, PATIENCE_S)
        sender = Sender(client, signer("operator"), ParticipantId(PEOPLE["operator"]), timeout_s=PATIENCE_S)
        with pytest.raises(GivenUpError):
            sender.send(post())
        client.gives_up = lambda: False
        assert client.status().height == 0
