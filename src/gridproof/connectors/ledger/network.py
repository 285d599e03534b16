"""The twin for a ledger that is a network: any of several nodes is asked, and nobody need know which.

Rules:
    W-1 A node that gives no answer, has stopped, catches up, or serves another chain is passed over, and looked at
        again after a while. Another one is asked the same: every request may be repeated without counting twice. That
        holds too for one whose engine or ledger takes seconds for a first word; it gets its time if no other answers.
    W-2 Reads never go back: an answer from before what this client has seen when it asked is not taken. The node is
        given a moment to catch up, then another one is asked. One node's word alone does not keep the others behind for
        good (`heights`).
    W-3 A refusal is believed only of a node that is not behind, and only once the same node, which knows at least what
        it judged by, says that the transaction stands in no block: else it might be signed anew and count twice.
    W-4 A transaction that stands in no block after a while is handed in again, at another node: the one that took it
        may be gone.
    W-5 Where there are several nodes, one that refuses a transaction for good is not believed alone: another one must
        refuse it too, by W-3. That one is asked where it stands, and takes it in if it can. So it is with a failure in
        a block: else it might be said again, and count twice. As long as nobody else says so, the transaction counts as
        under way. That no other node answers is no reason to believe the one that does.
    So of three nodes or more, one may lie about heights, refusals and failures. What it says of the ledger's content,
    and that a transaction took effect, is believed; what must hold against that takes a proof (`light`).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import count
from threading import Lock
from time import monotonic, sleep
from typing import Final, NamedTuple, TypeVar

from gridproof.drivers import wire
from gridproof.drivers.errors import MempoolError, UnknownTransactionError, WaitTimeoutError
from gridproof.errors import Refusal
from gridproof.primitives.encoding import Codec
from gridproof.state import EnvelopeError, StoredEvent, TransactionPlace, system
from gridproof.state.errors import NonceAhead, NonceUsed
from gridproof.state.queries import question
from gridproof.state.transaction import read_body, transaction_hash

from .errors import ClientError, NodeAloneError, NodeBlindError, NodeDownError
from .nodes import Node, Nodes, NodeView
from .requests import ANSWER, STATUS, Requesting

T = TypeVar("T")
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.01
MAX_LOOK_S: Final = 0.2
AGAIN_S: Final = 2.0  # after which a transaction is handed in again
AROUND_S: Final = 5.0  # after which somebody who waits looks at another node
KEPT_BYTES: Final = 64 * 2**20  # of transactions under way
_NONCE: Final = question(system.next_nonce)


class _Waiting(NamedTuple):
    """A transaction under way.

    Attributes:
        name: its hash.
        raw: its bytes.
        since: a height in or before which it stands in no block; a sure one, for by a lie a node that joined late would
            look as if it knew.
    """

    name: bytes
    raw: bytes
    since: int


class NetworkClient(Requesting):
    """A way to a ledger that several nodes keep. Nothing is connected before the first request.

    Args:
        nodes: addresses of the nodes' RPC, such as `http://127.0.0.1:26657`; at least one, the preferred one first.
        chain_id: name of the chain that the nodes must serve; that of the first one that answers when it is not given.
        answer_s: how long a node may take to answer, and how long nodes that are behind are waited for.

    Raises:
        NodesUnreachableError: one of the addresses is none.
    """

    def __init__(self, nodes: Sequence[str], chain_id: str | None = None, answer_s: float = ANSWER_S) -> None:
        self._nodes = Nodes(nodes, chain_id, answer_s)
        self._guard = Lock()
        self._presses = count()
        self._under_way: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._under_way_bytes = 0

    @property
    def gives_up(self) -> Callable[[], bool]:
        """Whether whoever uses it was told to stop; then nothing is waited for. May be set."""
        return self._nodes.gives_up

    @gives_up.setter
    def gives_up(self, is_told: Callable[[], bool]) -> None:
        self._nodes.gives_up = is_told

    # --- the port --------------------------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Hand in a transaction (`LedgerClient.submit`)."""
        waiting = self._remember(raw)
        self._nodes.has_sent = True
        try:
            self._nodes.somewhere(lambda node: self._agreed(node, waiting, self._hand_in))
        except (NonceAhead, MempoolError):
            raise  # another node may have it already
        except Refusal:
            self._forget(waiting.name)
            raise
        return waiting.name

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        """Wait until a transaction stands in a block (`LedgerClient.wait`).

        Raises:
            WaitTimeoutError: it stands in none yet, or is unknown to all nodes that were asked.
        """
        now = monotonic()
        deadline, again, pause = now + timeout_s, now + AGAIN_S, LOOK_S
        while True:
            waiting = self._under_way.get(name) or _Waiting(name, b"", 0)
            place = self._nodes.somewhere(lambda node: self._agreed(node, waiting, self._look))  # noqa: B023
            if place is not None:
                self._forget(name)
                return place
            now = monotonic()
            if now >= deadline:
                raise WaitTimeoutError(name=name, timeout_ms=round(timeout_s * 1_000))
            if now >= again:
                again = now + AGAIN_S
                self._press(waiting if waiting.raw else None)
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
        return self._nodes.somewhere(lambda node: self._nodes.read(node, request, result))

    def survey(self) -> list[NodeView]:
        """How each node stands, asked one after the other."""
        return self._nodes.survey()

    def patient(self, what: str, most_s: float) -> AbstractContextManager[None]:
        """A wait over several requests (`LedgerClient.patient`); whoever hears (`telling`) is told of it."""
        return self._nodes.patience.over(what, most_s)

    def close(self) -> None:
        """Hang up; the nodes stay."""
        self._nodes.close()

    # --- transactions ----------------------------------------------------------------------------------------------

    def _agreed(
        self, node: Node, waiting: _Waiting, act: Callable[[Node, _Waiting], TransactionPlace | None]
    ) -> TransactionPlace | None:
        """Hand in or look at a node; that a transaction has no effect is believed if another node says so too (W-5).

        Raises:
            NodeAloneError: no other one does.
        """
        try:
            place = act(node, waiting)
        except (NonceAhead, MempoolError):
            raise
        except Refusal as refusal:
            if len(self._nodes) == 1:
                raise
            for said in self._say_others(node, waiting):
                if isinstance(said, TransactionPlace):
                    return said
                raise refusal.with_traceback(None) from None
            detail = f"it alone refuses the transaction, and is not believed: {refusal.reason}"
            raise NodeAloneError(node=node.url, detail=detail) from refusal
        if place is None or place.result.code == 0 or len(self._nodes) == 1:
            return place
        if any(_fails_alike(said, place) for said in self._say_others(node, waiting)):
            return place
        detail = f"it alone says that the transaction failed in block {place.height}, and is not believed"
        raise NodeAloneError(node=node.url, detail=detail)

    def _say_others(self, node: Node, waiting: _Waiting) -> Iterator[TransactionPlace | Refusal]:
        """What all nodes but one say of a transaction, in turn; who says nothing for good is left out."""
        for other in self._nodes.in_turn():
            if other is node:
                continue
            try:
                self._nodes.vet(other)
                place = self._settle(other, waiting)
            except NodeDownError:
                self._nodes.let_rest(other)
            except (NonceAhead, MempoolError, ClientError):
                continue
            except Refusal as refusal:
                yield refusal
            else:
                if place is not None:
                    yield place

    def _settle(self, node: Node, waiting: _Waiting) -> TransactionPlace | None:
        """Where a node says that a transaction stands; where in no block, it is handed in there too (W-4).

        Raises:
            Refusal: the node refuses it.
        """
        self._nodes.read(node, wire.AskStatus(), STATUS)
        place = self._look(node, waiting)
        if place is None and waiting.raw:
            place = self._hand_in(node, waiting) or self._require_nonce(node, waiting)
        return place

    def _hand_in(self, node: Node, waiting: _Waiting) -> TransactionPlace | None:
        """Hand in a transaction at a node (W-3): None where it waits there, or where it stands."""
        floor, known = self._nodes.heights.floor, self._nodes.heights.told_by(node.number)
        try:
            try:
                node.rpc.broadcast(waiting.raw)
            except EnvelopeError:
                if known >= floor:
                    raise
                self._nodes.read(node, wire.AskStatus(), STATUS)  # it has caught up, or is passed over
                node.rpc.broadcast(waiting.raw)
        except EnvelopeError as refusal:
            return self._find_or_raise(node, waiting, refusal)
        return None

    def _look(self, node: Node, waiting: _Waiting) -> TransactionPlace | None:
        """Where a transaction stands, or None while it may still come into a block."""
        try:
            return self._nodes.read(node, wire.Wait(waiting.name, 0), wire.MAYBE_PLACE)
        except (NonceAhead, MempoolError, UnknownTransactionError, WaitTimeoutError):
            return None  # this node dropped or never had it, another one may have it
        except EnvelopeError as refusal:
            return self._find_or_raise(node, waiting, refusal)

    def _press(self, waiting: _Waiting | None) -> None:
        """Look at another node than the preferred one, each time at the next, and hand a transaction in there (W-4).

        Raises:
            Refusal: it can never come into a block.
        """

        def press(node: Node) -> None:
            if waiting is None:
                self._nodes.read(node, wire.AskStatus(), STATUS)
            else:
                self._agreed(node, waiting, self._settle)

        others = max(1, len(self._nodes) - 1)
        with suppress(NonceAhead, MempoolError, ClientError):  # whoever waits looks again
            self._nodes.somewhere(press, elsewhere=1 + next(self._presses) % others)

    def _require_nonce(self, node: Node, waiting: _Waiting) -> TransactionPlace | None:
        """None unless the nonce is used, or where the transaction stands: the engine says no such thing of one that it
        has already.

        Raises:
            NonceUsed: another one did, and this one can never come into a block.
        """
        body = read_body(waiting.raw)
        asked = wire.Query(_NONCE.path, _NONCE.arguments.encode((body.sender,)), prove=False)
        expected: int = _NONCE.result.decode(self._nodes.read(node, asked, ANSWER).value)
        if expected > body.nonce:
            return self._find_or_raise(node, waiting, NonceUsed(nonce=body.nonce, expected=expected))
        return None

    def _find_or_raise(self, node: Node, waiting: _Waiting, refusal: EnvelopeError) -> TransactionPlace:
        """Where a refused transaction stands (W-3).

        Args:
            node: the one that refuses it: no other may be asked, for it might be behind that one.
            waiting: what is refused.
            refusal: raised where the transaction stands in no block.

        Raises:
            NodeBlindError: the node joined after a block that it may stand in.
        """
        place = self._nodes.read(node, wire.FindTransaction(waiting.name), wire.MAYBE_PLACE)
        if place is not None:
            return place
        if node.rpc.status().first_height > waiting.since + 1:
            raise NodeBlindError(node=node.url, detail="it joined too late to know whether the transaction was booked")
        raise refusal.with_traceback(None)

    def _remember(self, raw: bytes) -> _Waiting:
        """Keep a transaction's bytes, the last ones of so many."""
        name = transaction_hash(raw)
        self._nodes.compare()
        with self._guard:
            if name not in self._under_way:
                self._under_way[name] = _Waiting(name, raw, self._nodes.heights.sure)
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


def _fails_alike(said: TransactionPlace | Refusal, place: TransactionPlace) -> bool:
    """Whether a node says the same of a failure, but for the words, which are no part of what nodes agree on."""
    if isinstance(said, Refusal):
        return False
    return (said.height, said.index, said.result.code) == (place.height, place.index, place.result.code)
