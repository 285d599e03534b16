"""The socket that the engine talks to, by the rules S-1 to S-4."""

import gc
import os
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Lock, current_thread

import pytest

from gridproof.drivers.cometbft import conversation as module
from gridproof.drivers.cometbft.errors import NodeFailedError
from gridproof.drivers.cometbft.frames import MAX_FRAME_BYTES, Frames, frame
from gridproof.drivers.cometbft.server import Answerer, Server
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.errors import SocketPathError, WireError
from gridproof.drivers.limits import AT_ONCE
from gridproof.state.errors import NothingStagedError

PATIENCE_S = 60.0
LIST = abci.Request(list_snapshots=abci.RequestListSnapshots())
LOAD = abci.Request(load_snapshot_chunk=abci.RequestLoadSnapshotChunk(height=8))
OFFER = abci.Request(offer_snapshot=abci.RequestOfferSnapshot())
APPLY = abci.Request(apply_snapshot_chunk=abci.RequestApplySnapshotChunk())
FLUSH = abci.Request(flush=abci.RequestFlush())
COMMIT = abci.Request(commit=abci.RequestCommit())
INFO = abci.Request(info=abci.RequestInfo())


def echo(word: str) -> abci.Request:
    return abci.Request(echo=abci.RequestEcho(message=word))


def check(raw: bytes) -> abci.Request:
    return abci.Request(check_tx=abci.RequestCheckTx(tx=raw))


def query(path: str) -> abci.Request:
    return abci.Request(query=abci.RequestQuery(path=path.encode()))


def each(answer: Callable[[abci.Request], abci.Response]) -> Answerer:
    """Answers requests that came together one by one."""
    return lambda requests: map(answer, requests)


class Answers:
    """Answers each request in a way that shows which one it was; can be held up, and can fail.

    Attributes:
        threads: in which each kind was answered.
        order: kinds in the order in which they were answered.
        gates: an answer of that kind waits until its gate is open.
        failing: raised for that kind.
    """

    def __init__(self) -> None:
        self.threads: dict[str, set[str]] = {}
        self.order: list[str] = []
        self.gates: dict[str, Event] = {}
        self.begun: dict[str, Event] = {}
        self.failing: dict[str, BaseException] = {}
        self.big = 0
        self._guard = Lock()

    def hold(self, kind: str) -> None:
        self.gates[kind], self.begun[kind] = Event(), Event()

    def __call__(self, request: abci.Request) -> abci.Response:
        kind = request.WhichOneof("value") or ""
        with self._guard:
            self.threads.setdefault(kind, set()).add(current_thread().name)
            self.order.append(kind)
        if kind in self.gates:
            self.begun[kind].set()
            assert self.gates[kind].wait(PATIENCE_S)
        if kind in self.failing:
            raise self.failing[kind]
        told: dict[str, Callable[[], abci.Response]] = {
            "echo": lambda: abci.Response(echo=abci.ResponseEcho(message=request.echo.message)),
            "check_tx": lambda: abci.Response(check_tx=abci.ResponseCheckTx(data=request.check_tx.tx)),
            "query": lambda: abci.Response(
                query=abci.ResponseQuery(log=request.query.path.decode(), value=bytes(self.big))
            ),
            "commit": lambda: abci.Response(commit=abci.ResponseCommit()),
            "info": lambda: abci.Response(info=abci.ResponseInfo(data="here")),
        }
        return told.get(kind, lambda: abci.Response(flush=abci.ResponseFlush()))()


class Link:
    """A client that writes bytes and reads frames."""

    def __init__(self, server: Server) -> None:
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.link.settimeout(PATIENCE_S)
        self.link.connect(server.path)
        self._frames, self._heard = Frames(), list[bytes]()

    def send(self, *requests: abci.Request) -> None:
        self.link.sendall(b"".join(frame(each.SerializeToString()) for each in requests))

    def hear(self) -> abci.Response | None:
        while not self._heard:
            try:
                raw = self.link.recv(2**16)
            except ConnectionResetError:
                return None
            if not raw:
                return None
            self._heard += self._frames.feed(raw)
        return abci.Response.FromString(self._heard.pop(0))

    def ask(self, request: abci.Request) -> abci.Response:
        self.send(request)
        reply = self.hear()
        assert reply is not None
        return reply


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def server(answers: Answers, tmp_path: Path) -> Iterator[Server]:
    with Server(each(answers), tmp_path / "s") as made:
        yield made
        for gate in answers.gates.values():
            gate.set()


@pytest.fixture
def link(server: Server) -> Iterator[Callable[[], Link]]:
    with ExitStack() as stack:

        def made() -> Link:
            new = Link(server)
            stack.callback(new.link.close)
            return new

        yield made


# --- S-1 -------------------------------------------------------------------------------------------------------------


def test_s1_each_request_gets_one_reply_in_order_though_several_threads_answer(link: Callable[[], Link]) -> None:
    requests = [echo("a"), check(b"b"), FLUSH, query("c"), query("d"), check(b"e"), echo("f"), FLUSH, FLUSH, COMMIT]
    here = link()
    here.send(*requests)
    replies = [here.hear() for _ in requests]
    assert [each and each.WhichOneof("value") for each in replies] == [each.WhichOneof("value") for each in requests]
    words = [each.echo.message or each.check_tx.data.decode() or each.query.log for each in replies if each]
    assert words == ["a", "b", "", "c", "d", "e", "f", "", "", ""]


def test_s1_what_comes_piece_by_piece_is_answered_once_it_is_whole(link: Callable[[], Link]) -> None:
    here = link()
    raw = frame(echo("x" * 200).SerializeToString())
    for byte in raw[:-1]:
        here.link.sendall(bytes((byte,)))
    here.link.settimeout(0.05)
    with pytest.raises(TimeoutError):
        here.hear()
    here.link.settimeout(PATIENCE_S)
    here.link.sendall(raw[-1:])
    reply = here.hear()
    assert reply is not None
    assert reply.echo.message == "x" * 200


def test_s1_a_block_of_many_megabytes_passes(link: Callable[[], Link]) -> None:
    raw = os.urandom(1_000) * 9_000
    assert link().ask(check(raw)).check_tx.data == raw


def test_s1_many_connections_are_answered_each_for_itself(link: Callable[[], Link]) -> None:
    links = [link() for _ in range(8)]
    for number, each in enumerate(links):
        each.send(echo(f"{number}"), check(b"%d" % number), FLUSH)
    for number, each in enumerate(links):
        first, second, third = each.hear(), each.hear(), each.hear()
        assert first is not None
        assert second is not None
        assert (first.echo.message, second.check_tx.data) == (f"{number}", b"%d" % number)
        assert third is not None
        assert third.WhichOneof("value") == "flush"


@pytest.mark.parametrize("raw", [b"\xff" * 8, frame(b"\xff\xff\xff"), bytes(frame(b"")[:0]) + b"\x81\x80\x80\x80\x10"])
def test_s1_who_speaks_otherwise_is_cut_off_and_the_others_are_served(
    link: Callable[[], Link], server: Server, raw: bytes
) -> None:
    other, here = link(), link()
    here.link.sendall(raw)
    assert here.hear() is None
    assert other.ask(echo("still")).echo.message == "still"
    assert not server.ended.is_set()
    assert server.failure is None


def test_s1_a_message_over_the_limit_is_not_waited_for(link: Callable[[], Link]) -> None:
    here = link()
    length, head = MAX_FRAME_BYTES + 1, bytearray()
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    here.link.sendall(bytes((*head, length)))
    assert here.hear() is None


def test_s1_a_client_that_leaves_within_a_message_leaves_nothing_behind(
    link: Callable[[], Link], server: Server
) -> None:
    here = link()
    here.link.sendall(frame(echo("x" * 99).SerializeToString())[:20])
    here.link.close()
    assert link().ask(echo("next")).echo.message == "next"
    assert not server.ended.is_set()


# --- S-2 -------------------------------------------------------------------------------------------------------------


def test_s2_envelopes_and_queries_do_not_wait_for_a_block(answers: Answers, link: Callable[[], Link]) -> None:
    answers.hold("commit")
    consensus = link()
    consensus.send(COMMIT)
    assert answers.begun["commit"].wait(PATIENCE_S)
    assert link().ask(check(b"x")).check_tx.data == b"x"
    assert link().ask(query("x")).query.log == "x"
    answers.gates["commit"].set()
    reply = consensus.hear()
    assert reply is not None
    assert reply.WhichOneof("value") == "commit"


def test_s2_no_block_waits_for_a_node_that_fetches_a_snapshot(answers: Answers, link: Callable[[], Link]) -> None:
    answers.hold("load_snapshot_chunk")
    snapshots = link()
    snapshots.send(LOAD, FLUSH, LIST)
    assert answers.begun["load_snapshot_chunk"].wait(PATIENCE_S)
    assert link().ask(COMMIT).WhichOneof("value") == "commit"
    answers.gates["load_snapshot_chunk"].set()
    for _ in range(3):
        assert snapshots.hear() is not None
    assert answers.order == ["load_snapshot_chunk", "commit", "list_snapshots"], "its own replies in order"


def test_s2_a_snapshot_is_taken_in_where_blocks_are_made(answers: Answers, link: Callable[[], Link]) -> None:
    snapshots = link()
    for request in (LIST, OFFER, LOAD, APPLY, COMMIT):
        snapshots.ask(request)
    assert answers.threads["offer_snapshot"] == answers.threads["apply_snapshot_chunk"] == answers.threads["commit"]
    assert answers.threads["list_snapshots"] == answers.threads["load_snapshot_chunk"]
    assert answers.threads["list_snapshots"].isdisjoint(answers.threads["commit"])


def test_s2_each_lane_has_one_thread_of_its_own(answers: Answers, link: Callable[[], Link]) -> None:
    for _ in range(3):
        for request in (check(b"x"), query("x"), COMMIT, INFO, echo("x")):
            link().ask(request)
    lanes = [answers.threads[kind] for kind in ("check_tx", "query", "commit")]
    assert [len(each) for each in lanes] == [1, 1, 1]
    assert len(set.union(*lanes)) == 3
    assert answers.threads["info"] == answers.threads["echo"] == answers.threads["commit"]


def test_s2_a_flush_goes_with_the_connections_last_request_even_if_it_comes_later(
    answers: Answers, link: Callable[[], Link]
) -> None:
    mempool, consensus = link(), link()
    mempool.ask(check(b"x"))
    answers.hold("commit")
    consensus.send(COMMIT)
    assert answers.begun["commit"].wait(PATIENCE_S)
    assert mempool.ask(FLUSH).WhichOneof("value") == "flush"  # while the block's thread is busy
    answers.gates["commit"].set()


def test_s2_an_echo_waits_for_the_block_so_that_a_watchdog_sees_a_hung_one(
    answers: Answers, link: Callable[[], Link]
) -> None:
    answers.hold("commit")
    link().send(COMMIT)
    assert answers.begun["commit"].wait(PATIENCE_S)
    watchdog = link()
    watchdog.send(echo("?"))
    watchdog.link.settimeout(0.1)
    with pytest.raises(TimeoutError):
        watchdog.hear()
    answers.gates["commit"].set()


def test_s2_a_flood_of_envelopes_is_worked_off_in_pieces_with_others_in_between(tmp_path: Path) -> None:
    sizes: list[int] = []

    def answer(requests: Sequence[abci.Request]) -> Iterator[abci.Response]:
        sizes.append(len(requests))
        return (abci.Response(check_tx=abci.ResponseCheckTx(data=request.check_tx.tx)) for request in requests)

    flood = [b"%d" % number for number in range(20 * AT_ONCE)]
    with Server(answer, tmp_path / "s") as server:
        here = Link(server)
        here.send(*(asked for raw in flood for asked in (check(raw), FLUSH)))
        heard = [here.hear() for _ in range(2 * len(flood))]
        here.link.close()
    assert [each.check_tx.data for each in heard if each and each.HasField("check_tx")] == flood
    assert max(sizes) <= AT_ONCE
    assert sum(sizes) == len(flood), "flushes are no business of the application"


# --- S-3 -------------------------------------------------------------------------------------------------------------


def test_s3_a_connection_whose_replies_are_not_taken_is_not_read_from(
    answers: Answers, link: Callable[[], Link], server: Server
) -> None:
    answers.big = 2**20
    here, other = link(), link()
    here.link.settimeout(0.3)
    with pytest.raises(TimeoutError):
        here.send(*[query("x" * 2**14)] * 2**12)  # far more than what sockets and buffers take
    seen = -1
    while len(answers.order) != seen + 1:  # until nothing is answered but this one, after all that was read before it
        seen = len(answers.order)
        assert seen < 2**10, "it went on reading"
        assert other.ask(query("other")).query.log == "other"
    assert other.ask(echo("other")).echo.message == "other"
    server.close()  # and the end does not wait for that client
    assert server.ended.is_set()


def test_s3_once_they_are_taken_it_goes_on_where_it_was(answers: Answers, link: Callable[[], Link]) -> None:
    answers.big = 2**18
    here = link()
    words = [f"{number}" for number in range(30)]
    here.send(*(query(word) for word in words))
    replies = [here.hear() for _ in words]
    assert [each and each.query.log for each in replies] == words


# --- S-4 -------------------------------------------------------------------------------------------------------------


def test_s4_after_a_failure_the_reply_is_an_exception_and_the_server_ends(
    answers: Answers, link: Callable[[], Link], server: Server
) -> None:
    answers.failing["commit"] = NothingStagedError()
    here, other = link(), link()
    other.ask(echo("x"))
    here.send(echo("before"), COMMIT, echo("after"))
    first, second = here.hear(), here.hear()
    assert first is not None
    assert first.echo.message == "before"
    assert second is not None
    assert second.exception.error == str(NothingStagedError())
    assert here.hear() is None, "nothing more is answered"
    assert other.hear() is None, "the others are hung up on as well"
    assert server.ended.wait(PATIENCE_S)
    assert isinstance(server.failure, NothingStagedError)
    assert "after" not in answers.order[2:]
    assert not Path(server.path).exists()


def test_s4_a_fault_of_the_program_is_named_by_its_kind(
    answers: Answers, link: Callable[[], Link], server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    answers.failing["check_tx"] = ZeroDivisionError("by zero")
    reply = link().ask(check(b"secret bytes"))
    assert "ZeroDivisionError: by zero" in reply.exception.error
    assert server.ended.wait(PATIENCE_S)
    failure = server.failure
    assert isinstance(failure, NodeFailedError)
    assert failure.request == "check_tx"
    assert isinstance(failure.__cause__, ZeroDivisionError)
    assert "secret bytes" not in caplog.text


def test_s4_what_the_application_does_not_know_is_a_failure(tmp_path: Path) -> None:
    def answer(_request: abci.Request) -> abci.Response:
        raise WireError(detail="a request of no kind that this application knows")

    with Server(each(answer), tmp_path / "s") as server:
        here = Link(server)
        here.link.sendall(frame(b""))  # a request of no kind is a message without bytes
        reply = here.hear()
        here.link.close()
        assert reply is not None
        assert "no kind" in reply.exception.error
        assert server.ended.wait(PATIENCE_S)


def test_s4_no_block_is_answered_once_an_envelope_failed(
    answers: Answers, link: Callable[[], Link], server: Server
) -> None:
    answers.failing["check_tx"] = RuntimeError("fault")
    answers.hold("info")
    envelopes, blocks = link(), link()
    blocks.send(INFO, COMMIT)
    assert answers.begun["info"].wait(PATIENCE_S)
    envelopes.send(check(b"x"))
    reply = envelopes.hear()
    assert reply is not None
    assert reply.WhichOneof("value") == "exception"
    answers.gates["info"].set()
    assert server.ended.wait(PATIENCE_S)
    assert "commit" not in answers.order


# --- the socket ------------------------------------------------------------------------------------------------------


def test_the_socket_is_its_users_alone_and_gone_at_the_end(server: Server) -> None:
    path = Path(server.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.close()
    server.close()  # once more does nothing
    assert not path.exists()
    assert server.ended.is_set()
    assert server.failure is None


def test_the_process_mask_is_as_before(tmp_path: Path, answers: Answers) -> None:
    before = os.umask(0o022)
    try:
        with Server(each(answers), tmp_path / "s"):
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_socket_that_a_killed_process_left_is_replaced_and_a_file_is_not(tmp_path: Path, answers: Answers) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "s"))
    with Server(each(answers), tmp_path / "s") as server:
        here = Link(server)
        assert here.ask(echo("x")).echo.message == "x"
        here.link.close()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SocketPathError):
        Server(each(answers), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("place", ["none/s", "x" * 120])
def test_a_place_that_cannot_be_is_said(tmp_path: Path, answers: Answers, place: str) -> None:
    with pytest.raises(SocketPathError) as refused:
        Server(each(answers), tmp_path / place)
    assert refused.value.socket == str(tmp_path / place)


def test_closing_waits_for_the_answer_that_is_under_way(
    answers: Answers, link: Callable[[], Link], server: Server
) -> None:
    answers.hold("commit")
    link().send(COMMIT)
    assert answers.begun["commit"].wait(PATIENCE_S)
    answers.gates["commit"].set()
    server.close()
    assert server.ended.is_set()


def test_who_comes_just_when_it_ends_is_hung_up_on_too(tmp_path: Path, answers: Answers) -> None:
    """Nothing is left open, which would be a warning, and so a failure."""
    for _ in range(100):
        with Server(each(answers), tmp_path / "s") as server:
            here = Link(server)
        assert here.hear() is None
        here.link.close()


def test_who_does_not_take_the_last_reply_gets_it_not(
    answers: Answers, link: Callable[[], Link], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAREWELL_S", 0.05)
    answers.big = 2**21
    here = link()
    here.send(query("x"), query("y"))
    here.link.shutdown(socket.SHUT_WR)  # nothing more comes from there, and nothing is read there
    assert link().ask(echo("x")).echo.message == "x"
    server.close()
    assert server.ended.is_set()


@pytest.mark.parametrize("rounds", range(6))  # of the loop, between the one who dials and the end
def test_who_dials_as_it_closes_holds_nothing_up_and_is_hung_up_on(
    answers: Answers, link: Callable[[], Link], server: Server, rounds: int
) -> None:
    assert link().ask(echo("x")).echo.message == "x"
    late: list[Link] = []

    def close_after(left: int) -> None:
        if left:
            server._loop.call_soon(close_after, left - 1)
        else:
            server._over.set()

    def dial() -> None:
        late.append(Link(server))
        close_after(rounds)

    server._loop.call_soon_threadsafe(dial)
    assert server.ended.wait(PATIENCE_S)
    assert late[0].hear() is None
    late[0].link.close()
    gc.collect()  # what was not hung up on warns
