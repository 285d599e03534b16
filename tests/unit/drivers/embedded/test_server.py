"""The node at its socket: private, bounded, and held up by nobody."""

import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import ClassVar

import pytest

from gridproof.drivers import wire
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.embedded.server import Node
from gridproof.drivers.errors import LedgerStoppedError, SocketInUseError, SocketPathError, WireError
from gridproof.primitives.encoding import decode, encode
from gridproof.state.refusals import unpack_error
from gridproof.state.transaction import transaction_hash

from tests.unit.drivers.scenes import OPTIONS, grow, in_memory, signed

HELLO = wire.Hello(wire.PROTOCOL, wire.VERSION)
PATIENCE_S = 60.0  # far above what anything here takes, for a machine that is busy


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    with in_memory() as made:
        yield made


@pytest.fixture
def node(ledger: EmbeddedLedger, tmp_path: Path) -> Iterator[Node]:
    with Node(ledger, tmp_path / "node.sock", max_connections=8, frame_s=PATIENCE_S) as made:
        yield made


@pytest.fixture
def strict(ledger: EmbeddedLedger, tmp_path: Path) -> Iterator[Node]:
    """A node that waits for nobody's frames, but long enough for a visitor to greet on a busy machine."""
    with Node(ledger, tmp_path / "strict.sock", frame_s=1.0) as made:
        yield made


@pytest.fixture(autouse=True)
def farewell() -> Iterator[None]:
    """Every visitor goes home with its test."""
    yield
    while Visitor.present:
        Visitor.present.pop().link.close()


class Visitor:
    """A client that says just what the test tells it."""

    present: ClassVar[list["Visitor"]] = []

    def __init__(self, node: Node, *, greet: bool = True) -> None:
        self.present.append(self)
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.link.settimeout(PATIENCE_S)
        self.link.connect(node.path)
        if greet:
            assert self.ask(HELLO) == wire.Welcome(wire.VERSION, "tiny-1")

    def ask(self, request: object) -> wire.Reply | None:
        wire.send_frame(self.link, encode(request))
        return self.hear()

    def hear(self) -> wire.Reply | None:
        raw = wire.receive_frame(self.link, wire.MAX_ANSWER_BYTES, first_s=PATIENCE_S, rest_s=PATIENCE_S)
        return None if raw is None else wire.read_reply(raw)

    def is_served(self) -> bool:
        return isinstance(self.ask(wire.AskStatus()), wire.Done)

    def is_cut_off(self) -> bool:
        try:
            return self.link.recv(1) == b""
        except ConnectionResetError:
            return True


def reason(reply: wire.Reply | None) -> str:
    assert isinstance(reply, wire.Failed)
    error = unpack_error(reply.code, reply.text, reply.detail)
    assert isinstance(error, WireError)
    return error.detail


# --- the socket ------------------------------------------------------------------------------------------------------


def test_the_socket_is_private_and_gone_with_the_node(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    path = tmp_path / "node.sock"
    node = Node(ledger, path)
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    node.close()
    node.close()
    assert not path.exists()


def test_a_dead_nodes_socket_is_replaced_and_a_living_ones_is_not(node: Node, tmp_path: Path) -> None:
    with pytest.raises(SocketInUseError) as used:
        Node(node.ledger, node.path)
    assert used.value.socket == node.path
    assert Visitor(node).is_served()
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    with Node(node.ledger, stale) as other:
        assert Visitor(other).is_served()


def test_a_path_that_takes_no_socket_is_named(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "missing" / "node.sock", tmp_path / ("x" * 120)):
        with pytest.raises(SocketPathError) as refused:
            Node(ledger, path)
        assert refused.value.socket == str(path)
        assert "node.socket" in str(refused.value)
    assert (tmp_path / "file").read_text() == "kept"


# --- the conversation ------------------------------------------------------------------------------------------------


def test_a_conversation(node: Node) -> None:
    visitor = Visitor(node)
    name = transaction_hash(signed())
    assert visitor.ask(wire.Submit(signed())) == wire.Done(encode(name))
    assert visitor.ask(wire.Wait(name, 0)) == wire.Done(encode(None))
    node.ledger.make_block()
    place = node.ledger.find_transaction(name)
    assert visitor.ask(wire.Wait(name, 0)) == visitor.ask(wire.FindTransaction(name)) == wire.Done(encode(place))
    assert visitor.ask(wire.FindTransaction(bytes(32))) == wire.Done(encode(None))
    assert visitor.ask(wire.Query("state/next_nonce", encode([1]), prove=False)) == wire.Done(
        encode(node.ledger.query("state/next_nonce", encode([1])))
    )
    assert visitor.ask(wire.AskStatus()) == wire.Done(encode(node.ledger.status()))
    assert visitor.ask(wire.EventsSince(b"", 10, 0)) == wire.Done(encode(node.ledger.events_since(b"", 10)))


def test_a_refusal_is_told_and_the_conversation_goes_on(node: Node) -> None:
    visitor = Visitor(node)
    refused = visitor.ask(wire.Submit(b"noise"))
    assert isinstance(refused, wire.Failed)
    assert refused.code == 1
    assert isinstance(visitor.ask(wire.Query("nothing/here", b"", prove=False)), wire.Failed)
    assert isinstance(visitor.ask(wire.EventsSince(bytes(3), 1, 0)), wire.Failed)
    assert visitor.is_served()


def test_a_fault_of_the_node_is_told_and_hits_nobody_else(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor, other = Visitor(node), Visitor(node)
    monkeypatch.setattr(node.ledger, "query", lambda *_args, **_options: 1 // 0)
    failed = visitor.ask(wire.Query("state/chain", b"", prove=False))
    assert isinstance(failed, wire.Failed)
    assert "The node failed at this request" in failed.text
    assert visitor.is_served()
    assert other.is_served()


def test_many_events_come_in_parts(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridproof.drivers.answering.MAX_EVENT_BYTES", 160)
    grow(node.ledger, 5)
    reply = Visitor(node).ask(wire.EventsSince(b"", 100, 0))
    assert isinstance(reply, wire.Done)
    assert len(wire.EVENTS.decode(reply.value)) == 2


# --- who does not keep to the protocol -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (wire.AskStatus(), "first frame is no Hello"),
        (wire.Hello("http", 1), "first frame is no Hello"),
        (wire.Hello(wire.PROTOCOL, 2), "speaks version 1, not 2"),
        ([1], "do not decode"),
        (["GET / HTTP/1.1"], "do not decode"),
    ],
)
def test_who_greets_otherwise_is_told_and_cut_off(node: Node, first: object, told: str) -> None:
    visitor = Visitor(node, greet=False)
    assert told in reason(visitor.ask(first))
    assert visitor.is_cut_off()


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (HELLO, "Hello is no request"),
        ([99], "do not decode"),
        ([3, bytes(31), 0], "do not decode"),
        ([3, bytes(32), 20_001], "do not decode"),
        ([3, bytes(32), -1], "do not decode"),
        ([5, b"", 0, 0], "do not decode"),
        ([5, b"", 10_001, 0], "do not decode"),
        ([4, "x" * 257, b"", False], "do not decode"),
    ],
)
def test_who_asks_what_is_no_request_is_told_and_cut_off(node: Node, request_: object, told: str) -> None:
    visitor = Visitor(node)
    assert told in reason(visitor.ask(request_))
    assert visitor.is_cut_off()
    assert Visitor(node).is_served()


def test_a_frame_over_the_limit_is_not_read(node: Node) -> None:
    visitor = Visitor(node)
    visitor.link.sendall((wire.MAX_REQUEST_BYTES + 1).to_bytes(4, "big"))
    assert "over the limit" in reason(visitor.hear())
    assert visitor.is_cut_off()


def test_half_a_frame_is_cut_off_in_time(strict: Node) -> None:
    slow = [Visitor(strict) for _ in range(4)]
    for visitor in slow:
        visitor.link.sendall(b"\x00\x00")
    assert all(visitor.is_cut_off() for visitor in slow)


def test_half_a_frame_holds_up_nobody(node: Node) -> None:
    slow = [Visitor(node) for _ in range(4)]
    for visitor in slow:
        visitor.link.sendall(b"\x00\x00")
    assert Visitor(node).is_served()
    for visitor in slow:
        visitor.link.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody was cut off meanwhile
            visitor.link.recv(1)


def test_a_frame_that_drips_is_cut_off_in_time(strict: Node) -> None:
    visitor = Visitor(strict)
    stop = Event()

    def drip() -> None:
        try:
            while not stop.wait(0.05):
                visitor.link.sendall(b"\x00")
        except OSError:
            pass

    visitor.link.sendall(b"\x00\x01\x00\x00")
    thread = Thread(target=drip)
    thread.start()
    assert visitor.is_cut_off()
    stop.set()
    thread.join()


def test_who_never_greets_is_cut_off(strict: Node) -> None:
    assert Visitor(strict, greet=False).is_cut_off()


def test_who_does_not_read_answers_holds_up_nobody(strict: Node) -> None:
    grow(strict.ledger, 40)
    deaf = Visitor(strict)
    try:
        for _ in range(400):
            wire.send_frame(deaf.link, encode(wire.EventsSince(b"", 10_000, 0)))
    except OSError:
        pass
    assert Visitor(strict).is_served()


def test_who_hangs_up_in_mid_frame_harms_nobody(node: Node) -> None:
    for beginning in (b"", b"\x00", b"\x00\x00\x00\x09abc"):
        visitor = Visitor(node)
        visitor.link.sendall(beginning)
        visitor.link.close()
    assert Visitor(node).is_served()


def test_a_connection_too_many_is_told_so_and_others_go_on(node: Node) -> None:
    kept = [Visitor(node) for _ in range(8)]
    surplus = Visitor(node, greet=False)
    assert "too many connections" in reason(surplus.hear())
    assert surplus.is_cut_off()
    assert kept[0].is_served()
    kept.pop().link.close()
    deadline = monotonic() + PATIENCE_S
    while True:
        newcomer = Visitor(node, greet=False)
        with suppress(OSError):  # sent away before it could speak
            if isinstance(newcomer.ask(HELLO), wire.Welcome):
                break
        assert monotonic() < deadline
        sleep(0.01)


def test_who_waits_holds_up_nobody_and_is_woken(node: Node) -> None:
    waiting, other = Visitor(node), Visitor(node)
    other.ask(wire.Submit(signed()))
    wire.send_frame(waiting.link, encode(wire.Wait(transaction_hash(signed()), 20_000)))
    assert other.is_served()
    node.ledger.make_block()
    reply = waiting.hear()
    assert isinstance(reply, wire.Done)
    assert decode(reply.value, list[object])[0] == 1


# --- its life --------------------------------------------------------------------------------------------------------


def test_a_node_makes_blocks_until_it_is_told_to_stop(node: Node) -> None:
    stop = Event()
    running = Thread(target=node.run, args=(0.01, stop))
    running.start()
    visitor = Visitor(node)
    visitor.ask(wire.Submit(signed()))
    assert isinstance(visitor.ask(wire.Wait(transaction_hash(signed()), 10_000)), wire.Done)
    stop.set()
    running.join()
    assert not node.ledger.is_scheduled


def test_a_node_ends_when_its_ledger_fails(tmp_path: Path) -> None:
    def reached(step: str) -> None:
        raise ZeroDivisionError("a fault of the program")

    with in_memory(OPTIONS._replace(reached=reached)) as ledger, Node(ledger, tmp_path / "node.sock") as node:
        ledger.submit(signed())
        with pytest.raises(LedgerStoppedError):
            node.run(0.01)
        stopped = Visitor(node).ask(wire.Submit(signed(nonce=1)))
        assert isinstance(stopped, wire.Failed)
        assert "The ledger stopped at a failure" in stopped.text


def test_a_node_that_closes_hangs_up_on_everyone(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    node = Node(ledger, tmp_path / "node.sock")
    visitors = [Visitor(node) for _ in range(3)]
    node.close()
    assert all(visitor.is_cut_off() for visitor in visitors)
