"""The twin for a ledger that is a network: any of several nodes is asked, and nobody need know which.

Rules:
    W-1 A node that gives no answer, has stopped, catches up, or serves another chain is passed over, and looked at
        again after a while. Another one is asked the same: every request may be repeated without counting twice.
    W-2 Reads never go back: an answer from before what this client has seen when it asked is not taken. The node is
        given a moment to catch up, then another one is asked.
    W-3 A refusal is believed only of a node that is not behind, and only once the same node, which knows at least what
        it judged by, says that the transaction stands in no block: else it might be signed anew and count twice.
    W-4 A transaction that stands in no block after a while is handed in again, at another node: the one that took it
        may be gone.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from threading import Lock
from time import monotonic, sleep
from typing import Final, NamedTuple, TypeVar

from gridproof.connectors.http import HttpError
from gridproof.drivers import wire
from gridproof.drivers.errors import (
    DriverError,
    GenesisMissingError,
    HistoryPrunedError,
    MempoolError,
    MissingBlockError,
    UnknownTransactionError,
    WaitTimeoutError,
)
from gridproof.drivers.history import Entry
from gridproof.errors import GridproofError, Refusal
from gridproof.primitives.encoding import Codec
from gridproof.state import Answer, EnvelopeError, StoredEvent, TransactionPlace, system
from gridproof.state.errors import EventsGoneError, NonceAhead, NonceUsed
from gridproof.state.queries import question
from gridproof.state.store import StoreError
from gridproof.state.transaction import read_body, transaction_hash

from .errors import (
    ClientError,
    GivenUpError,
    NodeBehindError,
    NodeBlindError,
    NodeDownError,
    NodesUnreachableError,
    NodeUnfitError,
)
from .node_rpc import NodeRpc
from .requests import ANSWER, STATUS, Requesting, result_in

T = TypeVar("T")
ANSWER_S: Final = 10.0
GRACE_S: Final = 0.5  # for a node that is behind
LOOK_S: Final = 0.01
MAX_LOOK_S: Final = 0.2
AGAIN_S: Final = 2.0  # after which a transaction is handed in again
AROUND_S: Final = 5.0  # after which somebody who waits looks at another node
REST_S: Final = 0.5  # of a node that failed once; longer each time
MAX_REST_S: Final = 10.0
VETTED_S: Final = 30.0
KEPT_BYTES: Final = 64 * 2**20  # of transactions under way
_NONCE: Final = question(system.next_nonce)


class NodeView(NamedTuple):
    """How a node of the network stands.

    Attributes:
        url: where it is.
        height: of its last committed block; None where it cannot be used.
        detail: why it cannot be used, or empty.
    """

    url: str
    height: int | None
    detail: str


class _Waiting(NamedTuple):
    """A transaction under way.

    Attributes:
        name: its hash.
        raw: its bytes.
        since: a height in or before which it stands in no block.
    """

    name: bytes
    raw: bytes
    since: int


class _Node:
    """What a client remembers of a node."""

    def __init__(self, url: str, answer_s: float) -> None:
        self.url = url
        self.rpc = NodeRpc(url, answer_s)
        self.height = 0
        self.failures = 0
        self.rests_until = 0.0
        self.vetted_until = 0.0

    def down(self, detail: str) -> NodeDownError:
        return NodeDownError(node=self.url, detail=detail)


class NetworkClient(Requesting):
    """A way to a ledger that several nodes keep. Nothing is connected before the first request.

    Args:
        nodes: addresses of the nodes' RPC, such as `http://127.0.0.1:26657`; at least one, the preferred one first.
        chain_id: name of the chain that the nodes must serve; that of the first one that answers when it is not given.
        answer_s: how long a node may take to answer, and how long nodes that are behind are waited for.

    Attributes:
        gives_up: whether whoever uses it was told to stop; then nothing is waited for.

    Raises:
        NodesUnreachableError: one of the addresses is none.
    """

    def __init__(self, nodes: Sequence[str], chain_id: str | None = None, answer_s: float = ANSWER_S) -> None:
        self.gives_up: Callable[[], bool] = lambda: False
        self._chain_id = chain_id
        self._answer_s = answer_s
        self._guard = Lock()
        self._seen = 0
        self._preferred = 0
        self._presses = count()
        self._under_way: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._under_way_bytes = 0
        self._nodes = []
        for url in nodes:
            try:
                self._nodes.append(_Node(url, answer_s))
            except HttpError as wrong:
                raise NodesUnreachableError(nodes=f"{url}: {wrong.detail}") from wrong

    # --- the port --------------------------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Hand in a transaction (`LedgerClient.submit`)."""
        waiting = self._remember(raw)
        try:
            self._somewhere(lambda node: self._hand_in(node, waiting))
        except (NonceAhead, MempoolError):
            raise  # another node may have it already
        except Refusal:
            self._forget(waiting.name)
            raise
        return waiting.name

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Wait until a transaction stands in a block (`LedgerClient.wait`).

        Raises:
            WaitTimeoutError: it stands in none yet.
        """
        now = monotonic()
        deadline, again, pause = now + timeout_s, now + AGAIN_S, LOOK_S
        while True:
            waiting = self._under_way.get(name)
            place = self._somewhere(lambda node: self._look(node, name, waiting))  # noqa: B023
            if place is not None:
                self._forget(name)
                return place
            now = monotonic()
            if now >= deadline:
                raise WaitTimeoutError(name=name, timeout_ms=round(timeout_s * 1_000))
            if now >= again:
                again = now + AGAIN_S
                self._press(waiting)
            sleep(max(0.0, min(pause, deadline - now)))
            pause = min(2 * pause, MAX_LOOK_S)

    def events_since(self, cursor: bytes, limit: int, wait_s: float = 0) -> list[StoredEvent]:
        """The events after a place (`LedgerClient.events_since`); a node that lacks old ones is passed over."""
        request = wire.EventsSince(cursor, min(limit, wire.MAX_EVENTS), 0)
        now = monotonic()
        deadline, around, pause = now + min(wait_s, wire.MAX_WAIT_MS / 1_000), now + AROUND_S, LOOK_S
        while True:
            events = self.request(request, wire.EVENTS)
            now = monotonic()
            if events or now >= deadline:
                return list(events)
            if now >= around:
                around = now + AROUND_S
                self._press(None)
            sleep(min(pause, deadline - now))
            pause = min(2 * pause, MAX_LOOK_S)

    def request(self, request: wire.Request, result: Codec[T], wait_ms: int = 0) -> T:
        """Ask any node (`Requesting.request`).

        Raises:
            NodesUnreachableError: no node gives an answer that can be used.
        """
        return self._somewhere(lambda node: self._read(node, request, result))

    def survey(self) -> list[NodeView]:
        """How each node stands, asked one after the other."""
        return [self._view(node) for node in self._nodes]

    def close(self) -> None:
        """Hang up; the nodes stay."""
        for node in self._nodes:
            node.rpc.close()

    # --- which node ------------------------------------------------------------------------------------------------

    def _require_going(self) -> None:
        """Return unless whoever uses this client was told to stop.

        Raises:
            GivenUpError: it was.
        """
        if self.gives_up():
            raise GivenUpError

    def _somewhere(self, act: Callable[[_Node], T], *, elsewhere: int = 0) -> T:
        """Let a node act; where it cannot, the next one (W-1).

        Args:
            act: what is done at a node.
            elsewhere: begin with so many nodes after the preferred one, which stays preferred.
        """
        deadline = monotonic() + self._answer_s
        while True:
            self._require_going()
            unfit: dict[str, str] = {}
            lacking: GridproofError | None = None
            is_behind = False
            for node in self._in_turn(elsewhere):
                try:
                    self._vet(node)
                    done = act(node)
                except NodeUnfitError as why:
                    unfit[node.url] = why.detail
                    is_behind |= isinstance(why, NodeBehindError)
                    if isinstance(why, NodeDownError):
                        self._let_rest(node)
                except GridproofError as wrong:
                    if not _another_may(wrong):
                        raise
                    lacking = wrong
                else:
                    self._succeeded(node, prefer=not elsewhere)
                    return done
            if lacking is not None:
                raise lacking
            if not is_behind or monotonic() >= deadline:
                raise NodesUnreachableError(nodes="; ".join(f"{url}: {why}" for url, why in unfit.items()))
            sleep(LOOK_S)

    def _in_turn(self, elsewhere: int) -> Iterator[_Node]:
        """All nodes from the preferred one on; those that rest come last."""
        first = self._preferred + elsewhere
        turn = [self._nodes[(first + at) % len(self._nodes)] for at in range(len(self._nodes))]
        now = monotonic()
        yield from sorted(turn, key=lambda node: node.rests_until > now)

    def _vet(self, node: _Node) -> None:
        """Return if a node serves the chain and has its blocks (W-1); looked at now and then.

        Raises:
            NodeDownError: it does not.
        """
        if monotonic() < node.vetted_until:
            return
        status = node.rpc.status()
        if self._chain_id is None:
            self._chain_id = status.chain_id
        if status.chain_id != self._chain_id:
            raise node.down(f"it serves the chain {status.chain_id[:64]!r}, not {self._chain_id!r}")
        if status.is_catching_up:
            raise node.down("it still fetches the blocks that others made")
        node.vetted_until = monotonic() + VETTED_S

    def _let_rest(self, node: _Node) -> None:
        with self._guard:
            node.rests_until = monotonic() + min(MAX_REST_S, REST_S * 2**node.failures)
            node.failures = min(node.failures + 1, 8)
            node.vetted_until = 0.0

    def _succeeded(self, node: _Node, *, prefer: bool) -> None:
        with self._guard:
            node.failures, node.rests_until = 0, 0.0
            if prefer:
                self._preferred = self._nodes.index(node)

    def _view(self, node: _Node) -> NodeView:
        try:
            self._vet(node)
            return NodeView(node.url, node.rpc.ask(wire.REQUESTS.encode(wire.AskStatus())).height, "")
        except NodeUnfitError as why:
            return NodeView(node.url, None, why.detail)

    # --- reading ---------------------------------------------------------------------------------------------------

    def _read(self, node: _Node, request: wire.Request, result: Codec[T]) -> T:
        """Ask a node (W-2).

        Raises:
            NodeBehindError: it is behind, and stays so for a moment.
            NodeDownError: it gives no answer, or failed.
            GridproofError: what its answer tells of.
        """
        raw = wire.REQUESTS.encode(request)
        floor, deadline = self._seen, monotonic() + GRACE_S
        while True:
            told = node.rpc.ask(raw)
            if told.height >= floor:
                break
            if monotonic() >= deadline:
                raise NodeBehindError(node=node.url, detail=f"it is at height {told.height}, {floor} was seen")
            sleep(LOOK_S)
        self._note(node, told.height)
        try:
            value = result_in(told.reply, result, node.rpc.otherwise)
        except (DriverError, StoreError) as wrong:
            if isinstance(wrong, UnknownTransactionError | WaitTimeoutError) or _another_may(wrong):
                raise
            raise node.down(str(wrong)) from wrong
        self._note(node, _height_of(value))
        return value

    def _note(self, node: _Node, height: int) -> None:
        with self._guard:
            node.height = max(node.height, height)
            self._seen = max(self._seen, height)

    # --- transactions ----------------------------------------------------------------------------------------------

    def _hand_in(self, node: _Node, waiting: _Waiting) -> None:
        """Hand in a transaction at a node (W-3); return where it waits there, or stands in a block."""
        floor, known = self._seen, node.height
        try:
            try:
                node.rpc.broadcast(waiting.raw)
            except EnvelopeError:
                if known >= floor:
                    raise
                self._read(node, wire.AskStatus(), STATUS)  # it has caught up, or is passed over
                node.rpc.broadcast(waiting.raw)
        except EnvelopeError as refusal:
            self._find_or_raise(node, waiting, refusal)

    def _look(self, node: _Node, name: bytes, waiting: _Waiting | None) -> TransactionPlace | None:
        """Where a transaction stands, or None while it may still come into a block."""
        try:
            return self._read(node, wire.Wait(name, 0), wire.MAYBE_PLACE)
        except UnknownTransactionError:
            if waiting is None:
                raise
            return None
        except (NonceAhead, MempoolError, WaitTimeoutError):
            return None  # this node dropped it, another one may still have it
        except EnvelopeError as refusal:
            return self._find_or_raise(node, waiting or _Waiting(name, b"", 0), refusal)

    def _press(self, waiting: _Waiting | None) -> None:
        """Look at another node than the preferred one, each time at the next, and hand a transaction in there (W-4).

        Raises:
            Refusal: it can never come into a block.
        """

        def press(node: _Node) -> None:
            self._read(node, wire.AskStatus(), STATUS)
            if waiting is not None and self._look(node, waiting.name, waiting) is None:
                self._hand_in(node, waiting)
                self._require_nonce(node, waiting)

        others = max(1, len(self._nodes) - 1)
        with suppress(NonceAhead, MempoolError, ClientError):  # whoever waits looks again
            self._somewhere(press, elsewhere=1 + next(self._presses) % others)

    def _require_nonce(self, node: _Node, waiting: _Waiting) -> None:
        """Return unless another transaction took the nonce: the engine does not say so of one that it has already.

        Raises:
            NonceUsed: another one did, and this one can never come into a block.
        """
        body = read_body(waiting.raw)
        asked = wire.Query(_NONCE.path, _NONCE.arguments.encode((body.sender,)), prove=False)
        expected: int = _NONCE.result.decode(self._read(node, asked, ANSWER).value)
        if expected > body.nonce:
            self._find_or_raise(node, waiting, NonceUsed(nonce=body.nonce, expected=expected))

    def _find_or_raise(self, node: _Node, waiting: _Waiting, refusal: EnvelopeError) -> TransactionPlace:
        """Where a refused transaction stands (W-3).

        Args:
            node: the one that refuses it: no other may be asked, for it might be behind that one.
            waiting: what is refused.
            refusal: raised where the transaction stands in no block.

        Raises:
            NodeBlindError: the node joined after a block that it may stand in.
        """
        place = self._read(node, wire.FindTransaction(waiting.name), wire.MAYBE_PLACE)
        if place is not None:
            return place
        if node.rpc.status().first_height > waiting.since + 1:
            raise NodeBlindError(node=node.url, detail="it joined too late to know whether the transaction was booked")
        raise refusal.with_traceback(None)

    def _remember(self, raw: bytes) -> _Waiting:
        """Keep a transaction's bytes, the last ones of so many."""
        name = transaction_hash(raw)
        with self._guard:
            if name not in self._under_way:
                self._under_way[name] = _Waiting(name, raw, self._seen)
                self._under_way_bytes += len(raw)
            while self._under_way_bytes > KEPT_BYTES and len(self._under_way) > 1:
                _, old = self._under_way.popitem(last=False)
                self._under_way_bytes -= len(old.raw)
            return self._under_way[name]

    def _forget(self, name: bytes) -> None:
        with self._guard:
            gone = self._under_way.pop(name, None)
            if gone is not None:
                self._under_way_bytes -= len(gone.raw)


def _another_may(wrong: GridproofError) -> bool:
    """Whether another node may have what this one lacks: room, the genesis document, an old block, old events."""
    return isinstance(
        wrong, MempoolError | GenesisMissingError | MissingBlockError | HistoryPrunedError | EventsGoneError
    )


def _height_of(value: object) -> int:
    """The height that an answer tells of, 0 where it tells of none."""
    if isinstance(value, Answer | Entry | TransactionPlace | wire.Status):
        return value.height
    if isinstance(value, tuple) and value and isinstance(value[-1], StoredEvent):
        return value[-1].height
    return 0
