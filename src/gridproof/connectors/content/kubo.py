"""The twin that keeps content in a Kubo node, and so in IPFS.

The node is believed nothing: content is read block by block, and each block is held against the name that it was asked
by before anything is read from it. The name that the node gives on adding is held against our own, so its settings
cannot change how files are laid out. The node's own store is asked only, never its peers: what it does not have it
says at once.

Kubo does not look at a block that it has already, so one that was altered on its disk is deleted before the content
is added again.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from gridproof.primitives.cid import CHUNK_SIZE, MAX_LINKS, cid_v1, dag_pb_links, format_cid, is_raw, parse_cid
from gridproof.primitives.errors import PrimitiveError

from .errors import (
    ContentAlteredError,
    ContentMissingError,
    ContentNotStoredError,
)
from .port import MAX_CONTENT, Damage, require_name, require_size
from .rpc import ANSWER_S, Rpc, RpcFailedError

_LAYOUT: Final = {
    "cid_version": "1",
    "hash": "sha2-256",
    "raw_leaves": "true",
    "chunker": f"size-{CHUNK_SIZE}",
    "max_file_links": str(MAX_LINKS),
    "trickle": "false",
    "inline": "false",
    "nocopy": "false",
    "wrap_with_directory": "false",
}
_QUIET: Final = {"pin": "true", "quieter": "true", "progress": "false"}
_MAX_BLOCK: Final = CHUNK_SIZE  # a node of links is far smaller
_MAX_BLOCKS: Final = 2 * MAX_CONTENT // CHUNK_SIZE
_AT_ONCE: Final = 100  # CIDs in one request
_MENDINGS: Final = 4  # at most one for each level of the tree, and one more
_NOT_THERE: Final = "could not find"
_NOT_PINNED: Final = "not pinned"
_PINNED: Final = "pinned"


class _Block(NamedTuple):
    """A block of content as the node has it.

    Attributes:
        cid: its name.
        content: its bytes; None where it is damaged.
        damage: what is wrong with it.
    """

    cid: str
    content: bytes | None
    damage: Damage | None


class KuboContent:
    """A content store in a Kubo node. Nothing is connected before the first use.

    Args:
        url: of the node's RPC, such as `http://127.0.0.1:5001`.
        answer_s: how long the node may take for one answer.

    Raises:
        ContentStoreUnreachableError: the address is none.
    """

    def __init__(self, url: str, answer_s: float = ANSWER_S) -> None:
        self._rpc = Rpc(url, answer_s)

    # --- the port --------------------------------------------------------------------------------------------------

    def put(self, content: bytes) -> str:
        """Keep content, pinned (`ContentStore.put`).

        Raises:
            ContentTooLargeError: it is larger than 64 MiB.
            ContentNotStoredError: the node cannot store it, or names it otherwise.
            ContentStoreUnreachableError: no node answers.
        """
        require_size(content)
        cid = cid_v1(content)
        if self.has(cid):
            return cid
        try:
            self._add(cid, content)
            for _ in range(_MENDINGS):
                damaged = [block.cid for block in self._walk(cid) if block.damage is not None]
                if not damaged:
                    return cid
                self._unpin(cid)
                self._delete(damaged)
                self._add(cid, content)
        except RpcFailedError as refused:
            raise self._not_stored(refused.words) from refused
        raise self._not_stored("a block of it is altered, and other content that is pinned shares it")

    def get(self, cid: str) -> bytes:
        """Content, found to be what its name says (`ContentStore.get`).

        Raises:
            ContentNameError: this is no CID.
            ContentMissingError: the node lacks it, or a block of it.
            ContentAlteredError: a block is not what its name says, or this names no file as `put` lays it out.
            ContentStoreUnreachableError: no node answers.
        """
        require_name(cid)
        pieces, size = [], 0
        for block in self._blocks(cid):
            if block.damage is Damage.MISSING:
                raise ContentMissingError(cid=cid)
            if block.content is None:
                raise ContentAlteredError(cid=cid)
            if is_raw(parse_cid(block.cid)):
                pieces.append(block.content)
                size += len(block.content)
            if size > MAX_CONTENT:
                raise ContentAlteredError(cid=cid)
        content = b"".join(pieces)
        if cid_v1(content) != cid:
            raise ContentAlteredError(cid=cid)
        return content

    def find_fault(self, cid: str) -> Damage | None:
        """What is wrong with content (`ContentStore.find_fault`): unpinned content is there until the next collection.

        Raises:
            ContentNameError: this is no CID.
            ContentStoreUnreachableError: no node answers.
        """
        try:
            self.get(cid)
        except ContentMissingError:
            return Damage.MISSING
        except ContentAlteredError:
            return Damage.ALTERED
        return None if self._is_pinned(cid) else Damage.UNPINNED

    def has(self, cid: str) -> bool:
        """Whether content is there, intact and pinned."""
        return self.find_fault(cid) is None

    def remove(self, cid: str) -> None:
        """Unpin content and delete its blocks (`ContentStore.remove`); those that other pins hold stay.

        Raises:
            ContentNameError: this is no CID.
            ContentStoreUnreachableError: no node answers, or it cannot delete.
        """
        require_name(cid)
        try:
            self._unpin(cid)
            self._delete([block.cid for block in self._walk(cid) if block.damage is not Damage.MISSING])
        except RpcFailedError as refused:
            raise self._rpc.unreachable(refused.words) from refused

    def close(self) -> None:
        """Hang up; the node stays."""
        self._rpc.close()

    # --- the node --------------------------------------------------------------------------------------------------

    def _add(self, cid: str, content: bytes) -> None:
        told = self._rpc.send("add", content, **_LAYOUT, **_QUIET)
        if not told or not isinstance(told[-1].get("Hash"), str):
            raise self._rpc.otherwise()
        if told[-1]["Hash"] != cid:
            raise self._not_stored(f"the node names it {told[-1]['Hash'][:80]!r} instead of {cid}")

    def _blocks(self, cid: str) -> Iterator[_Block]:
        """The content's blocks for reading.

        Raises:
            ContentStoreUnreachableError: the node cannot read.
        """
        try:
            yield from self._walk(cid)
        except RpcFailedError as refused:
            raise self._rpc.unreachable(refused.words) from refused

    def _walk(self, cid: str) -> Iterator[_Block]:
        """All blocks of content that can be reached, in the order of its bytes; damaged ones lead no further."""
        waiting, seen = [cid], 0
        while waiting:
            block = self._block(waiting.pop())
            yield block
            seen += 1
            if block.content is None or is_raw(parse_cid(block.cid)):
                continue
            try:
                links = dag_pb_links(block.content)
            except PrimitiveError:
                links = ()  # no file of ours, which `get` finds by the name
            if seen + len(waiting) + len(links) > _MAX_BLOCKS:
                return
            waiting += [format_cid(link) for link in reversed(links)]

    def _block(self, cid: str) -> _Block:
        try:
            content = self._rpc.fetch("block/get", cid, limit=_MAX_BLOCK, offline="true")
        except RpcFailedError as refused:
            if _NOT_THERE not in refused.words:
                raise
            return _Block(cid, None, Damage.MISSING)
        if not parse_cid(cid).endswith(sha256(content).digest()):
            self._rpc.require_node()  # what another program answers is no block, altered or not
            return _Block(cid, None, Damage.ALTERED)
        return _Block(cid, content, None)

    def _is_pinned(self, cid: str) -> bool:
        try:
            told = self._rpc.ask("pin/ls", cid, type="recursive")
        except RpcFailedError as refused:
            if _NOT_PINNED not in refused.words:
                raise self._rpc.unreachable(refused.words) from refused
            return False
        return any(cid in keys for each in told if isinstance(keys := each.get("Keys"), dict))

    def _unpin(self, cid: str) -> None:
        try:
            self._rpc.ask("pin/rm", cid)
        except RpcFailedError as refused:
            if _NOT_PINNED not in refused.words:
                raise

    def _delete(self, cids: Iterable[str]) -> None:
        """Delete blocks; those that are pinned, through other content, stay."""
        waiting = list(dict.fromkeys(cids))
        for start in range(0, len(waiting), _AT_ONCE):
            for told in self._rpc.ask("block/rm", *waiting[start : start + _AT_ONCE], force="true"):
                error = str(told.get("Error") or "")
                if error and not error.startswith(_PINNED):
                    raise RpcFailedError(words=error)

    def _not_stored(self, detail: str) -> ContentNotStoredError:
        return ContentNotStoredError(place=self._rpc.url, detail=detail)
