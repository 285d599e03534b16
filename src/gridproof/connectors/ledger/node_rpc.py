"""One node of a network: its engine's JSON-RPC over HTTP, as far as a client of the ledger needs it.

Three of the engine's methods are used: `broadcast_tx_sync` hands in a transaction, `abci_query` carries a request of
the wire (`drivers.wire`) to the node's application, `status` tells which chain the node serves. What comes back is held
to its form: bounded in size, of the right types; anything else is no answer.
"""

import re
from base64 import b64encode
from itertools import count
from typing import Annotated, Any, Final, NamedTuple, NoReturn, TypeVar

import msgspec
from msgspec import Meta, json

from gridproof.connectors.http import HttpError, LateError, Links
from gridproof.drivers import wire
from gridproof.drivers.errors import MempoolFull, WireError
from gridproof.errors import Refusal
from gridproof.state.errors import TransactionTooLarge
from gridproof.state.refusals import RefusedError, unpack_error

from .errors import NodeDownError, NodeLateError

T = TypeVar("T")
QUERY_PATH: Final = "/gridproof/1"
MAX_ANSWER: Final = wire.MAX_ANSWER_BYTES * 4 // 3 + 2**16  # bytes of an answer, in base64 with its frame
_JSON: Final = {"Content-Type": "application/json"}
_MAX_DETAIL: Final = 200
_IN_CACHE: Final = "tx already exists in cache"
_FULL: Final = re.compile(r"mempool is full: number of txs \d+ \(max: (\d{1,12})\)")
_TOO_LARGE: Final = re.compile(r"Tx too large\. Max size is (\d{1,12}), but got (\d{1,12})")

Count = Annotated[str, Meta(pattern=r"^\d{1,18}\Z")]  # the engine writes large numbers as text


class _Error(msgspec.Struct, frozen=True):
    message: str
    data: str = ""

    @property
    def words(self) -> str:
        return f"{self.message}: {self.data}" if self.data else self.message


class _Response(msgspec.Struct, frozen=True):
    id: int
    result: msgspec.Raw = msgspec.Raw()
    error: _Error | None = None


class _Broadcast(msgspec.Struct, frozen=True):
    code: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    data: Annotated[str, Meta(pattern=r"^(?:[0-9A-Fa-f]{2})*\Z")] = ""
    log: str = ""


class _Queried(msgspec.Struct, frozen=True):
    height: Count
    code: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    log: str = ""
    value: bytes | None = None


class _Query(msgspec.Struct, frozen=True):
    response: _Queried


class _NodeInfo(msgspec.Struct, frozen=True):
    network: Annotated[str, Meta(max_length=64)]


class _SyncInfo(msgspec.Struct, frozen=True):
    earliest_block_height: Count
    catching_up: bool


class _Status(msgspec.Struct, frozen=True):
    node_info: _NodeInfo
    sync_info: _SyncInfo


class _EngineRefusedError(NodeDownError):
    """The engine of this node refuses the request; another node was asked. Look at its log."""


class Told(NamedTuple):
    """What a node's application answered.

    Attributes:
        height: of a committed state that is not newer than the one that was read.
        reply: the answer.
    """

    height: int
    reply: wire.Reply


class EngineStatus(NamedTuple):
    """What a node's engine says of itself.

    Attributes:
        chain_id: name of the chain that it serves.
        first_height: of the first block that it has, 0 without any.
        is_catching_up: whether it still fetches the blocks that others made.
    """

    chain_id: str
    first_height: int
    is_catching_up: bool


class NodeRpc:
    """A way to one node. Nothing is connected before the first request; may be used by many threads.

    Args:
        url: of the engine's RPC, such as `http://127.0.0.1:26657`.
        answer_s: how long the node may take to answer.

    Raises:
        NoAddressError: the address is none.
    """

    def __init__(self, url: str, answer_s: float) -> None:
        self.url = url
        self._links = Links(url, answer_s)
        self._path = self._links.prefix or "/"
        self._ids = count(1)

    def broadcast(self, raw: bytes) -> None:
        """Hand in a transaction; harmless where the node has it already.

        Raises:
            Refusal: the node refuses it, or has no room.
            NodeDownError: no answer came.
        """
        try:
            told = self._call("broadcast_tx_sync", {"tx": b64encode(raw).decode()}, _Broadcast)
        except _EngineRefusedError as refused:
            if _IN_CACHE in refused.detail:
                return
            _raise_no_room(refused)
        if told.code == 0:
            return
        refusal = unpack_error(told.code, told.log, bytes.fromhex(told.data))
        raise refusal if isinstance(refusal, Refusal) else RefusedError(code=told.code, name="Refusal", text=told.log)

    def ask(self, request: bytes, limit_s: float | None = None) -> Told:
        """Carry a request of the wire to the node's application.

        Args:
            request: encoded.
            limit_s: how long it may take, where that is less than for any answer.

        Raises:
            NodeLateError: it took longer than that limit.
            NodeDownError: no answer came, or none of this protocol.
        """
        told = self._call("abci_query", {"path": QUERY_PATH, "data": request.hex()}, _Query, limit_s)
        if told.response.code:
            raise self.otherwise(told.response.log)
        try:
            return Told(int(told.response.height), wire.read_reply(told.response.value or b""))
        except WireError as wrong:
            raise self.otherwise(wrong.detail) from wrong

    def status(self, limit_s: float | None = None) -> EngineStatus:
        """What the node's engine says of itself.

        Args:
            limit_s: how long it may take, where that is less than for any answer.

        Raises:
            NodeLateError: it took longer than that limit.
            NodeDownError: no answer came.
        """
        told = self._call("status", {}, _Status, limit_s)
        sync = told.sync_info
        return EngineStatus(told.node_info.network, int(sync.earliest_block_height), sync.catching_up)

    def close(self) -> None:
        """Hang up."""
        self._links.close()

    def otherwise(self, detail: str) -> NodeDownError:
        """The error for what answers and is no node of this version."""
        return self._down(f"what answers is no node of this version: {detail}")

    def _call(self, method: str, parameters: dict[str, Any], result: type[T], limit_s: float | None = None) -> T:
        number = next(self._ids)
        asked = json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})
        try:
            status, raw = self._links.post(self._path, asked, _JSON, MAX_ANSWER, limit_s)
        except LateError as late:
            if limit_s is None:
                raise self._down(late.detail) from late
            raise NodeLateError(node=self.url, detail=_printable(late.detail)) from late
        except HttpError as wrong:
            raise self._down(wrong.detail) from wrong
        if len(raw) > MAX_ANSWER:
            raise self.otherwise("an answer without end")
        try:
            response = json.decode(raw, type=_Response)
            if response.id != number:
                raise self.otherwise("an answer to another request")
            if response.error is not None:
                raise _EngineRefusedError(node=self.url, detail=_printable(response.error.words))
            return json.decode(response.result, type=result)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
            raise self.otherwise(f"HTTP status {status}, {wrong}") from wrong

    def _down(self, detail: str) -> NodeDownError:
        return NodeDownError(node=self.url, detail=_printable(detail))


def _raise_no_room(refused: _EngineRefusedError) -> NoReturn:
    """Tell by its own class why the engine takes no transaction, where it is for want of room."""
    full, large = _FULL.search(refused.detail), _TOO_LARGE.search(refused.detail)
    if full:
        raise MempoolFull(limit=int(full[1])) from refused
    if large:
        raise TransactionTooLarge(size=int(large[2]), limit=int(large[1])) from refused
    raise refused


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_DETAIL]).strip()
