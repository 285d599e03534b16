"""The socket's client: an absent, silent or foreign node gives one sentence; a node started anew is found again."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from gridproof.connectors.ledger import (
    InProcessClient,
    NodeSilentError,
    NodeSpeaksOtherwiseError,
    NodeUnreachableError,
    SocketClient,
)
from gridproof.drivers import wire
from gridproof.drivers.embedded.server import Node
from gridproof.primitives.encoding import encode

from tests.unit.drivers.scenes import grow, in_memory, signed


def test_an_absent_node_gives_a_sentence_that_names_the_setting(tmp_path: Path) -> None:
    for path in (tmp_path / "none.sock", tmp_path / "missing" / "none.sock", tmp_path / ("x" * 120)):
        client = SocketClient(path)
        with pytest.raises(NodeUnreachableError) as absent:
            client.status()
        assert absent.value.socket == str(path)
        assert "node.socket" in str(absent.value)
        client.close()


def test_a_dead_nodes_socket_is_an_absent_node(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(NodeUnreachableError):
        SocketClient(tmp_path / "dead.sock").status()


class Half(bytes):
    """The beginning of an answer, after which the other side goes away."""


@contextmanager
def answering(path: Path, *answers: bytes | None) -> Iterator[None]:
    """Something behind a socket that says these things, each after it heard a frame; None hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    links: list[socket.socket] = []

    def serve() -> None:
        try:
            while True:
                link, _ = listener.accept()
                links.append(link)
                for answer in answers:
                    wire.receive_frame(link, 10**6, first_s=5, rest_s=5)
                    if answer is None:
                        link.shutdown(socket.SHUT_RDWR)
                        break
                    link.sendall(answer)
                    if isinstance(answer, Half):
                        link.shutdown(socket.SHUT_RDWR)
                        break
        except OSError:
            pass

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for link in links:
            link.close()
        thread.join()


def framed(value: object) -> bytes:
    raw = encode(value)
    return len(raw).to_bytes(4, "big") + raw


WELCOME = framed(wire.Welcome(wire.VERSION, "tiny-1"))


@pytest.mark.parametrize(
    "answers",
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
        (framed([7, 7]),),
        (framed(wire.Welcome(2, "tiny-1")),),
        (framed(wire.Done(b"")),),
        (framed(wire.Failed(0, "this node speaks version 2, not 1", b"")),),
        (WELCOME, framed([7, 7])),
        (WELCOME, framed(wire.Welcome(1, "tiny-1"))),
        (WELCOME, framed(wire.Done(b"\xc1"))),
        (WELCOME, b"\xff\xff\xff\xff"),
    ],
    ids=str,
)
def test_what_is_no_node_of_this_version_is_told(tmp_path: Path, answers: tuple[bytes | None, ...]) -> None:
    with answering(tmp_path / "odd.sock", *answers):
        client = SocketClient(tmp_path / "odd.sock", answer_s=0.5)
        with pytest.raises((NodeSpeaksOtherwiseError, NodeSilentError)) as told:
            client.status()
        assert told.value.particulars["socket"] == str(tmp_path / "odd.sock")
        client.close()


@pytest.mark.parametrize(
    "answers", [(b"",), (WELCOME, b""), (WELCOME, b"\x00\x00\x00")], ids=["at once", "later", "half"]
)
def test_a_silent_node_is_given_up_in_time(tmp_path: Path, answers: tuple[bytes, ...]) -> None:
    with answering(tmp_path / "mute.sock", *answers):
        client = SocketClient(tmp_path / "mute.sock", answer_s=0.1)
        with pytest.raises(NodeSilentError) as silent:
            client.status()
        assert silent.value.waited_ms == 100
        client.close()


RUDE = [(None,), (Half(WELCOME[:5]),), (WELCOME, None), (WELCOME, Half(b"\x00\x00"))]


@pytest.mark.parametrize("answers", RUDE, ids=["at once", "within", "later", "later within"])
def test_a_node_that_hangs_up_every_time_is_unreachable(tmp_path: Path, answers: tuple[bytes | None, ...]) -> None:
    with answering(tmp_path / "rude.sock", *answers):
        client = SocketClient(tmp_path / "rude.sock")
        with pytest.raises(NodeUnreachableError) as rude:
            client.status()
        assert "hung up" in rude.value.detail or "went away" in rude.value.detail
        client.close()


def test_a_node_started_anew_is_found_again(tmp_path: Path) -> None:
    with in_memory() as ledger:
        client = SocketClient(tmp_path / "node.sock")
        with Node(ledger, tmp_path / "node.sock"):
            assert client.status().height == 0
        with pytest.raises(NodeUnreachableError):
            client.status()
        with Node(ledger, tmp_path / "node.sock"):
            name = client.submit(signed())
            ledger.make_block()
            assert client.wait(name, 5).height == 1
        with Node(ledger, tmp_path / "node.sock"):
            assert client.submit(signed()) == name, "over the kept connection that is gone, then over a new one"
        client.close()


def test_connections_are_kept_but_not_without_end(tmp_path: Path) -> None:
    with in_memory() as ledger, Node(ledger, tmp_path / "node.sock") as node:
        client = SocketClient(tmp_path / "node.sock")
        threads = [Thread(target=client.events_since, args=(b"", 1, 20)) for _ in range(12)]
        for thread in threads:
            thread.start()
        while len(node._links) < len(threads):  # all wait at once
            sleep(0.01)
        grow(ledger, 1)
        for thread in threads:
            thread.join()
        assert len(client._links) == 8
        client.close()
        assert client._links == []


def test_a_long_wait_is_cut_into_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_WAIT_MS", 20)
    with in_memory() as ledger, Node(ledger, tmp_path / "node.sock"):
        client = SocketClient(tmp_path / "node.sock")
        name = client.submit(signed())
        maker = Thread(target=lambda: (client.events_since(b"", 1, 0.15), ledger.make_block()))
        maker.start()
        assert client.wait(name, 10).height == 1
        maker.join()
        client.close()


def test_a_client_in_process_makes_the_block_that_it_waits_for() -> None:
    with in_memory() as ledger:
        client = InProcessClient(ledger)
        assert client.wait(client.submit(signed()), 0).height == 1
        grow(ledger, 1, first_nonce=1)
        assert client.status().height == 2
        client.close()
        assert ledger.failure is None
