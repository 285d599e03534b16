"""Content identifiers: the names that IPFS gives to files.

A file is cut into chunks; one chunk is named by its own hash, more of them by a balanced tree of dag-pb nodes that hold
UnixFS data. With the settings here the name equals that of `ipfs add --cid-version=1`.

Rules:
- names are CIDv1, base32, lower case, SHA-256, of raw or dag-pb blocks; no other spelling of a name is read;
- a file of any length is named in memory for one chunk and one node a level.

Source: multiformats CID; IPLD dag-pb specification; UnixFS specification; IPIP-499.
"""

from base64 import b32decode, b32encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from . import varint
from .checks import has_size, is_bytes, is_text
from .errors import InvalidArgumentError, MalformedEncodingError, NonCanonicalEncodingError

__all__ = [
    "CHUNK_SIZE",
    "DEFAULT_LAYOUT",
    "MAX_LINKS",
    "Layout",
    "Link",
    "cid_v1",
    "dag_pb",
    "dag_pb_links",
    "file_cid",
    "format_cid",
    "is_raw",
    "parse_cid",
]

CHUNK_SIZE: Final = 256 * 1024
MAX_LINKS: Final = 174  # of a node: what kept nodes under 8 KiB when IPFS began

_RAW: Final = 0x55
_DAG_PB: Final = 0x70
_MULTIHASH: Final = b"\x12\x20"  # SHA-256, 32 bytes
_CID_SIZE: Final = 2 + len(_MULTIHASH) + 32
_PREFIXES: Final = tuple(bytes((1, codec)) + _MULTIHASH for codec in (_RAW, _DAG_PB))
_BASE32: Final = "b"
_UNIXFS_FILE: Final = b"\x08\x02"
_VARINT: Final = 0  # a field's kind
_BYTES: Final = 2
_LINKS: Final = 2  # a field's number in a node
_HASH: Final = 1  # in a link


class Layout(NamedTuple):
    """How a file becomes blocks.

    Attributes:
        chunk_size: bytes of a chunk.
        max_links: children of a node.
        raw_leaves: chunks are blocks as they are; otherwise each is wrapped in a dag-pb node.
        version: of the CIDs in links, 0 or 1.
    """

    chunk_size: int = CHUNK_SIZE
    max_links: int = MAX_LINKS
    raw_leaves: bool = True
    version: int = 1


DEFAULT_LAYOUT: Final = Layout()


class Link(NamedTuple):
    """A dag-pb node's link.

    Attributes:
        cid: of the block it leads to, binary.
        name: None where there is none, which is not the same as an empty one.
        size: of the block and all below it, bytes.
    """

    cid: bytes
    name: str | None = None
    size: int | None = None


class _Node(NamedTuple):
    """A block of the tree: its name, the bytes of the file below it, the bytes of all blocks below it."""

    cid: bytes
    file_size: int
    total_size: int


def cid_v1(content: bytes | Iterable[bytes]) -> str:
    """Name a file.

    Args:
        content: its bytes, whole or in pieces of any length.

    Returns:
        The CID, `bafkrei...` for up to one chunk, `bafybei...` for more.

    Raises:
        InvalidArgumentError: the content is not bytes.
    """
    return format_cid(file_cid(content, DEFAULT_LAYOUT))


def file_cid(content: bytes | Iterable[bytes], layout: Layout) -> bytes:
    """Name a file that is laid out as other programs do.

    Returns:
        The binary CID; of version 0 it is the bare multihash.

    Raises:
        InvalidArgumentError: the content is not bytes.
    """
    pieces = (content,) if isinstance(content, bytes) else content
    nodes: Iterable[_Node] = (_leaf(chunk, layout) for chunk in _chunks(pieces, layout.chunk_size))
    return _balanced(nodes, layout).cid


def format_cid(cid: bytes) -> str:
    """Write a binary CID of version 1 in base32.

    Raises:
        MalformedEncodingError: the bytes are no CIDv1 of a SHA-256 of a raw or dag-pb block.
    """
    _require_binary(cid)
    return _BASE32 + b32encode(cid).decode().rstrip("=").lower()


def parse_cid(text: str) -> bytes:
    """Read a CID of version 1 in base32.

    Returns:
        Its 36 bytes: version, codec, hash function, length, digest.

    Raises:
        MalformedEncodingError: it is no CIDv1 of a SHA-256 of a raw or dag-pb block in lower case base32.
        NonCanonicalEncodingError: bits beyond the last byte are set.
    """
    if not (is_text(text) and text.startswith(_BASE32) and text == text.lower()):
        raise MalformedEncodingError(what="CID", detail="not base32 in lower case")
    body = text[1:].upper()
    try:
        cid = b32decode(body + "=" * (-len(body) % 8))
    except ValueError as fault:
        raise MalformedEncodingError(what="CID", detail=str(fault)) from fault
    if format_cid(cid) != text:
        raise NonCanonicalEncodingError(what="CID")
    return cid


def is_raw(cid: bytes) -> bool:
    """Whether a binary CID of version 1 names a block that is a chunk as it is, not a node with links."""
    return cid.startswith(_PREFIXES[0])


def dag_pb(links: Sequence[Link], data: bytes | None) -> bytes:
    """Encode a dag-pb node: its links, then its data.

    Args:
        links: in the order that they shall have.
        data: None where there is none, which is not the same as empty.

    Raises:
        InvalidArgumentError: a link has no CID, its name is no text, its size negative, or the data is not bytes.

    Source: IPLD dag-pb specification, section "Serial format".
    """
    parts = [_field(2, _link(link)) for link in links]
    if data is not None:
        parts.append(_field(1, data))
    return b"".join(parts)


def dag_pb_links(block: bytes) -> tuple[bytes, ...]:
    """The binary CIDs that a dag-pb node leads to, in order.

    Raises:
        MalformedEncodingError: it is no dag-pb node, or a link's CID is not one that `format_cid` writes.
        NonCanonicalEncodingError: a number in it takes more bytes than it needs.
    """
    links = [value for number, value in _fields(block) if number == _LINKS]
    return tuple(_cid_of(link) for link in links)


def _cid_of(link: bytes) -> bytes:
    cids = [value for number, value in _fields(link) if number == _HASH]
    if len(cids) != 1:
        raise MalformedEncodingError(what="dag-pb node", detail="a link has no CID, or several")
    _require_binary(cids[0])
    return cids[0]


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message: number, and the bytes of those that have a length; numbers have none."""
    at = 0
    while at < len(raw):
        tag, at = varint.decode(raw, at)
        size, at = varint.decode(raw, at)
        if tag & 7 == _VARINT:
            yield tag >> 3, b""
            continue
        if tag & 7 != _BYTES or at + size > len(raw):
            raise MalformedEncodingError(what="dag-pb node", detail="a field is cut short, or of another kind")
        yield tag >> 3, raw[at : at + size]
        at += size


def _link(link: Link) -> bytes:
    if not (is_bytes(link.cid) and link.cid):
        raise InvalidArgumentError(what="link", detail="it has no CID")
    parts = [_field(1, link.cid)]
    if link.name is not None:
        parts.append(_field(2, _text(link.name)))
    if link.size is not None:
        parts.append(_number(3, link.size))
    return b"".join(parts)


def _text(name: object) -> bytes:
    if not is_text(name):
        raise InvalidArgumentError(what="link", detail="its name is no text")
    try:
        return name.encode()
    except UnicodeEncodeError as fault:
        raise InvalidArgumentError(what="link", detail="its name is no valid text") from fault


def _field(number: int, value: bytes) -> bytes:
    if not is_bytes(value):
        raise InvalidArgumentError(what="node", detail="its data is not bytes")
    return bytes((number << 3 | 2,)) + varint.encode(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return bytes((number << 3,)) + varint.encode(value)


def _require_binary(cid: bytes) -> None:
    if not (has_size(cid, _CID_SIZE) and cid.startswith(_PREFIXES)):
        raise MalformedEncodingError(what="CID", detail="not version 1, SHA-256, raw or dag-pb")


def _chunks(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Cut pieces of any length into chunks of one size, the last one shorter; an empty file is one empty chunk."""
    held = bytearray()
    some = False
    for piece in pieces:
        if not is_bytes(piece):
            raise InvalidArgumentError(what="content", detail="a piece is not bytes")
        held += piece
        start = 0
        while len(held) - start >= size:
            yield bytes(held[start : start + size])
            start, some = start + size, True
        del held[:start]
    if held or not some:
        yield bytes(held)


def _leaf(chunk: bytes, layout: Layout) -> _Node:
    if layout.raw_leaves:
        return _Node(_name(_RAW, chunk, layout), len(chunk), len(chunk))
    data = _UNIXFS_FILE + (_field(2, chunk) if chunk else b"") + _number(3, len(chunk))
    block = dag_pb((), data)
    return _Node(_name(_DAG_PB, block, layout), len(chunk), len(block))


def _balanced(nodes: Iterable[_Node], layout: Layout) -> _Node:
    """Gather nodes into parents, and these into theirs, until one is left; one open group a level is kept."""
    levels: list[list[_Node]] = [[]]
    for node in nodes:
        levels[0].append(node)
        _close_full(levels, 0, layout)
    height = 0
    while height + 1 < len(levels):
        levels[height + 1].append(_parent(levels[height], layout))
        height += 1
        _close_full(levels, height, layout)
    top = levels[height]
    return top[0] if len(top) == 1 else _parent(top, layout)


def _close_full(levels: list[list[_Node]], height: int, layout: Layout) -> None:
    """Close groups that hold one node more than fits: one that is just full may still be all there is."""
    while len(levels[height]) > layout.max_links:
        if height + 1 == len(levels):
            levels.append([])
        levels[height + 1].append(_parent(levels[height][:-1], layout))
        levels[height] = levels[height][-1:]
        height += 1


def _parent(children: Sequence[_Node], layout: Layout) -> _Node:
    file_size = sum(child.file_size for child in children)
    sizes = b"".join(_number(4, child.file_size) for child in children)
    links = [Link(child.cid, "", child.total_size) for child in children]
    block = dag_pb(links, _UNIXFS_FILE + _number(3, file_size) + sizes)
    return _Node(_name(_DAG_PB, block, layout), file_size, len(block) + sum(child.total_size for child in children))


def _name(codec: int, block: bytes, layout: Layout) -> bytes:
    multihash = _MULTIHASH + sha256(block).digest()
    return multihash if layout.version == 0 and codec == _DAG_PB else bytes((1, codec)) + multihash
