"""The nodes of a network as a client knows them: which one is asked, and how far what it reads is believed.

Rules W-1 and W-2 of `network`.
"""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from time import monotonic, sleep
from typing import Final, NamedTuple, TypeVar

from gridproof.connectors.http import HttpError
from gridproof.connectors.patience import Patience
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
from gridproof.errors import GridproofError
from gridproof.primitives.encoding import Codec
from gridproof.state import Answer, StoredEvent, TransactionPlace
from gridproof.state.errors import EventsGoneError, NonceAhead
from gridproof.state.store import StoreError

from .errors import (
    GivenUpError,
    NodeAloneError,
    NodeBehindError,
    NodeDownError,
    NodeLateError,
    NodesUnreachableError,
    NodeUnfitError,
    SentUnansweredError,
)
from .heights import Heights
from .node_rpc import NodeRpc
from .requests import result_in

T = TypeVar("T")
GRACE_S: Final = 0.5  # for a node that is behind
LOOK_S: Final = 0.01
PAUSE_S: Final = 0.05  # before all are asked once more
QUICK_S: Final = 3.0  # for a node's first word, as long as another one may be asked instead
REST_S: Final = 0.5  # of a node that failed once; longer each time
MAX_REST_S: Final = 10.0
VETTED_S: Final = 30.0
_ASK_STATUS: Final = wire.REQUESTS.encode(wire.AskStatus())


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


class Node:
    """What a client remembers of a node.

    Args:
        number: its place among them, from 0.
        url: where it is.
        answer_s: how long it may take to answer.
    """

    def __init__(self, number: int, url: str, answer_s: float) -> None:
        self.url = url
        self.rpc = NodeRpc(url, answer_s)
        self.number = number
        self.failures = 0
        self.rests_until = 0.0
        self.vetted_until = 0.0

    def down(self, detail: str) -> NodeDownError:
        """The error for a node that gives no answer that can be used."""
        return NodeDownError(node=self.url, detail=detail)


class Nodes:
    """Several nodes, of which any that is fit may act. Nothing is connected before the first request.

    Args:
        urls: of the nodes' RPC, the preferred one first.
        chain_id: name of the chain that they must serve; that of the first one that answers when it is not given.
        answer_s: how long a node may take to answer, and how long those that are behind, or that alone say something,
            are waited for.

    Attributes:
        gives_up: whether whoever uses them was told to stop.
        has_sent: whether a transaction may have reached one of them; whoever uses them sets it.
        heights: what the nodes told of theirs.
        patience: tells of what takes long.

    Raises:
        NodesUnreachableError: one of the addresses is none.
    """

    def __init__(self, urls: Sequence[str], chain_id: str | None, answer_s: float) -> None:
        self.gives_up: Callable[[], bool] = lambda: False
        self.has_sent = False
        self.heights = Heights(len(urls), answer_s, monotonic)
        self.patience = Patience()
        self._chain_id = chain_id
        self._answer_s = answer_s
        self._guard = Lock()
        self._preferred = 0
        self._compared_until = 0.0
        self._nodes: list[Node] = []
        for number, url in enumerate(urls):
            try:
                self._nodes.append(Node(number, url, answer_s))
            except HttpError as wrong:
                raise NodesUnreachableError(nodes=f"{url}: {wrong.detail}") from wrong

    def __len__(self) -> int:
        return len(self._nodes)

    def close(self) -> None:
        """Hang up; the nodes stay."""
        self.patience.close()
        for node in self._nodes:
            node.rpc.close()

    def survey(self) -> list[NodeView]:
        """How each node stands, asked one after the other."""
        return [self._view(node) for node in self._nodes]

    # --- which node ------------------------------------------------------------------------------------------------

    def _require_going(self) -> None:
        """Return unless whoever uses this client was told to stop.

        Raises:
            GivenUpError: it was.
        """
        if self.gives_up():
            raise GivenUpError

    def somewhere(self, act: Callable[[Node], T], *, elsewhere: int = 0) -> T:
        """Let a node act; where it cannot, the next one (W-1).

        Args:
            act: what is done at a node.
            elsewhere: begin with so many nodes after the preferred one, which stays preferred.

        Raises:
            NodesUnreachableError: none can; a SentUnansweredError where a transaction was sent before.
            GivenUpError: whoever uses them was told to stop.
            GridproofError: what the node says, where no other one may say otherwise.
        """
        with self.patience.over("an answer of the network", len(self._nodes) * (QUICK_S + self._answer_s)):
            return self._somewhere(act, elsewhere)

    def _somewhere(self, act: Callable[[Node], T], elsewhere: int) -> T:
        deadline = monotonic() + self._answer_s
        limit_s = None if len(self._nodes) == 1 else min(QUICK_S, self._answer_s / 2)
        while True:
            self._require_going()
            unfit: dict[str, str] = {}
            lacking: GridproofError | None = None
            may_change = is_late = False
            for node in self.in_turn(elsewhere):
                try:
                    self.vet(node, limit_s)
                    done = act(node)
                except NodeUnfitError as why:
                    unfit[node.url] = why.detail
                    may_change |= isinstance(why, NodeBehindError | NodeAloneError)
                    is_late |= isinstance(why, NodeLateError)
                    if isinstance(why, NodeDownError):
                        self.let_rest(node)
                except GridproofError as wrong:
                    if not _another_may(wrong):
                        raise
                    lacking = wrong
                else:
                    self._succeeded(node, prefer=not elsewhere)
                    return done
            if is_late:
                limit_s = None  # no other one can answer: now all get their time
                continue
            if lacking is not None:
                raise lacking
            if not may_change or monotonic() >= deadline:
                kind = SentUnansweredError if self.has_sent else NodesUnreachableError
                raise kind(nodes="; ".join(f"{url}: {why}" for url, why in unfit.items()))
            sleep(PAUSE_S)

    def in_turn(self, elsewhere: int = 0) -> Iterator[Node]:
        """All nodes from the preferred one on; those that rest come last."""
        first = self._preferred + elsewhere
        turn = [self._nodes[(first + at) % len(self._nodes)] for at in range(len(self._nodes))]
        now = monotonic()
        yield from sorted(turn, key=lambda node: node.rests_until > now)

    def vet(self, node: Node, limit_s: float | None = None) -> None:
        """Return if a node serves the chain and has its blocks (W-1); looked at now and then.

        Args:
            node: which.
            limit_s: how long engine and ledger may take for a word each, where that is less than for an answer.

        Raises:
            NodeLateError: it says nothing within that limit.
            NodeDownError: it does not.
        """
        if monotonic() < node.vetted_until:
            return
        status = node.rpc.status(limit_s)
        if self._chain_id is None:
            self._chain_id = status.chain_id
        if status.chain_id != self._chain_id:
            raise node.down(f"it serves the chain {status.chain_id[:64]!r}, not {self._chain_id!r}")
        if status.is_catching_up:
            raise node.down("it still fetches the blocks that others made")
        if limit_s is not None:
            node.rpc.ask(_ASK_STATUS, limit_s)
        node.vetted_until = monotonic() + VETTED_S

    def let_rest(self, node: Node) -> None:
        """Pass a node over for a while, the longer the more often it failed."""
        with self._guard:
            node.rests_until = monotonic() + min(MAX_REST_S, REST_S * 2**node.failures)
            node.failures = min(node.failures + 1, 8)
            node.vetted_until = 0.0

    def _succeeded(self, node: Node, *, prefer: bool) -> None:
        with self._guard:
            node.failures, node.rests_until = 0, 0.0
            if prefer:
                self._preferred = self._nodes.index(node)

    def _view(self, node: Node) -> NodeView:
        try:
            self.vet(node, QUICK_S)
            return NodeView(node.url, node.rpc.ask(_ASK_STATUS, QUICK_S).height, "")
        except NodeUnfitError as why:
            return NodeView(node.url, None, why.detail)

    # --- reading ---------------------------------------------------------------------------------------------------

    def read(self, node: Node, request: wire.Request, result: Codec[T]) -> T:
        """Ask a node (W-2).

        Raises:
            NodeBehindError: it is behind, and stays so for a moment.
            NodeDownError: it gives no answer, or failed.
            GridproofError: what its answer tells of.
        """
        raw = wire.REQUESTS.encode(request)
        floor, deadline = self.heights.floor, monotonic() + GRACE_S
        while True:
            told = node.rpc.ask(raw)
            self.heights.note(node.number, told.height)
            if told.height >= floor:
                break
            if monotonic() < deadline:
                sleep(LOOK_S)
            elif self._gives_up_floor(node):
                floor = min(floor, self.heights.floor)
            else:
                raise NodeBehindError(node=node.url, detail=f"it is at height {told.height}, {floor} was seen")
        try:
            value = result_in(told.reply, result, node.rpc.otherwise)
        except (DriverError, StoreError) as wrong:
            if isinstance(wrong, UnknownTransactionError | WaitTimeoutError) or _another_may(wrong):
                raise
            raise node.down(str(wrong)) from wrong
        self.heights.note(node.number, _height_of(value))
        return value

    def _gives_up_floor(self, below: Node) -> bool:
        """Whether what one node told is believed no longer, for a node and one more are below it (W-2)."""
        heights = self.heights
        if not heights.is_doubtful(below.number):
            return False
        floor, teller = heights.floor, self._nodes[heights.teller]
        for other in self.in_turn():
            if other in (below, teller) or not self._tells_height(other):
                continue
            if heights.told_by(other.number) >= floor:
                return False
            heights.give_up(floor)
            self.let_rest(teller)
            return True
        return False

    def compare(self) -> None:
        """Have what was seen made sure by another node, where one answers; now and then, for it changes little."""
        if self.heights.is_sure or monotonic() < self._compared_until:
            return
        others = (node for node in self.in_turn() if node.number != self.heights.teller)
        is_told = any(self._tells_height(node) for node in others)
        self._compared_until = monotonic() + (VETTED_S if is_told else MAX_REST_S)

    def _tells_height(self, node: Node) -> bool:
        """Whether a node tells how far it is, which is noted; one that does not rests."""
        if node.rests_until > monotonic():
            return False
        try:
            self.vet(node)
            self.heights.note(node.number, node.rpc.ask(_ASK_STATUS).height)
        except NodeUnfitError:
            self.let_rest(node)
            return False
        return True


def _another_may(wrong: GridproofError) -> bool:
    """Whether another node may have what this one lacks: room, earlier nonces, the genesis document, what is old."""
    return isinstance(
        wrong,
        MempoolError | NonceAhead | GenesisMissingError | MissingBlockError | HistoryPrunedError | EventsGoneError,
    )


def _height_of(value: object) -> int:
    """The height that an answer tells of, 0 where it tells of none."""
    if isinstance(value, Answer | Entry | TransactionPlace | wire.Status):
        return value.height
    if isinstance(value, tuple) and value and isinstance(value[-1], StoredEvent):
        return value[-1].height
    return 0
