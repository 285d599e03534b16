"""What a node and its clients say to each other, version 1: over a Unix socket, or within the engine's own queries.

A frame is its length (u32, big-endian, at most 64 MiB; requests at most 9 MiB) and a MessagePack array whose first
element is the kind. The client begins with `Hello`; the node answers `Welcome`, or `Failed` and hangs up. Then each
request gets one answer, in order: `Done` with the encoded result, or `Failed`.

| kind | request | result |
|---|---|---|
| 1 | `Hello` protocol, version | `Welcome` version, chain id |
| 2 | `Submit` transaction | its hash, 32 bytes |
| 3 | `Wait` hash, milliseconds (at most 20,000) | `TransactionPlace`, or nil while it still waits |
| 4 | `Query` path, arguments, prove | `Answer` |
| 5 | `EventsSince` cursor, limit (at most 10,000), milliseconds (at most 20,000) | `StoredEvent`s, as many as fit |
| 6 | `FindTransaction` hash | `TransactionPlace` or nil |
| 7 | `AskStatus` | `Status` |
| 8 | `AskEntry` height | the block of that height and what it led to, an `Entry` (`drivers.history`) |
| 9 | `AskGenesis` | the genesis document |
"""

import socket
from time import monotonic
from typing import Annotated, Final

from msgspec import Meta

from gridproof.drivers.errors import WireError
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Record
from gridproof.state.blocks import StoredEvent, TransactionPlace

PROTOCOL: Final = "gridproof-ledger"
VERSION: Final = 1
MAX_REQUEST_BYTES: Final = 9 * 2**20
MAX_ANSWER_BYTES: Final = 64 * 2**20
MAX_WAIT_MS: Final = 20_000
MAX_EVENTS: Final = 10_000

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Milliseconds = Annotated[int, Meta(ge=0, le=MAX_WAIT_MS)]


class Status(Record, frozen=True):
    """Where a ledger stands.

    Attributes:
        chain_id: name of the chain.
        height: of the last committed block, 0 before the first.
        app_hash: root of the state's tree, 32 bytes.
        ledger_time_s: the time that the next block's transactions are held to, UTC epoch seconds.
        genesis_hash: tagged hash of the genesis document, 32 bytes.
    """

    chain_id: str
    height: int
    app_hash: bytes
    ledger_time_s: int
    genesis_hash: bytes


class Hello(Record, frozen=True, tag=1):
    """The client's first words."""

    protocol: Annotated[str, Meta(max_length=64)]
    version: int


class Submit(Record, frozen=True, tag=2):
    """Take this transaction in."""

    raw: bytes


class Wait(Record, frozen=True, tag=3):
    """Tell when this transaction stands in a block."""

    name: Hash
    timeout_ms: Milliseconds


class Query(Record, frozen=True, tag=4):
    """Read the committed state."""

    path: Annotated[str, Meta(max_length=256)]
    arguments: bytes
    prove: bool


class EventsSince(Record, frozen=True, tag=5):
    """Tell the events after a place."""

    cursor: Annotated[bytes, Meta(max_length=16)]
    limit: Annotated[int, Meta(ge=1, le=MAX_EVENTS)]
    timeout_ms: Milliseconds


class FindTransaction(Record, frozen=True, tag=6):
    """Tell where this transaction stands."""

    name: Hash


class AskStatus(Record, frozen=True, tag=7):
    """Tell where the ledger stands."""


class AskEntry(Record, frozen=True, tag=8):
    """Tell a block and what it led to."""

    height: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class AskGenesis(Record, frozen=True, tag=9):
    """Tell the genesis document."""


Request = Hello | Submit | Wait | Query | EventsSince | FindTransaction | AskStatus | AskEntry | AskGenesis


class Done(Record, frozen=True, tag=101):
    """The result, encoded."""

    value: bytes


class Failed(Record, frozen=True, tag=102):
    """Why there is no result.

    Attributes:
        code: the refusal's number, 0 where it is no refusal.
        text: its sentence.
        detail: its class and particulars, packed (`state.refusals`).
    """

    code: int
    text: str
    detail: bytes


class Welcome(Record, frozen=True, tag=103):
    """The node's first words."""

    version: int
    chain_id: str


Reply = Done | Failed | Welcome

REQUESTS: Final[Codec[Request]] = Codec(Request)  # type: ignore[arg-type]
REPLIES: Final[Codec[Reply]] = Codec(Reply)  # type: ignore[arg-type]
MAYBE_PLACE: Final[Codec[TransactionPlace | None]] = Codec(TransactionPlace | None)  # type: ignore[arg-type]
EVENTS: Final[Codec[tuple[StoredEvent, ...]]] = Codec(tuple[StoredEvent, ...])


def send_frame(link: socket.socket, raw: bytes) -> None:
    """Send a frame.

    Raises:
        OSError: the other side hung up, or did not read it within the socket's time-out.
    """
    link.sendall(len(raw).to_bytes(4, "big") + raw)


def receive_frame(link: socket.socket, limit: int, *, first_s: float | None, rest_s: float) -> bytes | None:
    """Receive a frame.

    Args:
        link: connected.
        limit: the most bytes that it may have.
        first_s: how long to wait for its first byte; None waits for ever.
        rest_s: how long all the rest may take, however slowly it drips.

    Returns:
        Its bytes, or None where the other side ended between frames.

    Raises:
        WireError: it is too long.
        TimeoutError: it took too long.
        OSError: the connection broke.
    """
    link.settimeout(first_s)
    head = link.recv(1)
    if not head:
        return None
    deadline = monotonic() + rest_s
    head += _exactly(link, 3, deadline)
    length = int.from_bytes(head, "big")
    if length > limit:
        raise WireError(detail=f"a frame of {length} bytes, over the limit of {limit}")
    return _exactly(link, length, deadline)


def _exactly(link: socket.socket, size: int, deadline: float) -> bytes:
    raw = bytearray()
    while len(raw) < size:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the frame did not arrive in time")
        link.settimeout(left)
        piece = link.recv(min(size - len(raw), 2**20))
        if not piece:
            raise ConnectionResetError("the other side went away within a frame")
        raw += piece
    return bytes(raw)


def read_request(raw: bytes) -> Request:
    """Decode a request.

    Raises:
        WireError: it is none.
    """
    try:
        return REQUESTS.decode(raw)
    except PrimitiveError as wrong:
        raise WireError(detail=str(wrong)) from wrong


def read_reply(raw: bytes) -> Reply:
    """Decode a reply.

    Raises:
        WireError: it is none.
    """
    try:
        return REPLIES.decode(raw)
    except PrimitiveError as wrong:
        raise WireError(detail=str(wrong)) from wrong
