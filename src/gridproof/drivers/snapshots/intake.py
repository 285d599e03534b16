"""How a node begins with a snapshot instead of with the genesis.

What is checked, in this order:
- I-1 the store is empty, or holds what an intake that came to no end left, which goes first;
- I-2 the snapshot's manifest fits its hash, its app hash is the one that the node trusts, its chain the node's own;
- I-3 each piece comes in its turn and has the manifest's hash;
- I-4 the entries are of the tables that are sent, in order, each once;
- I-5 the tree over the state has the trusted root;
- I-6 the genesis document is the one that the state names, and so is the chain;
- I-7 every side table is a module's and can be read, and all invariants hold: what stands beside the state is bound;
- I-8 the last block's time is bound by nothing, so another's word for it is not taken: the ledger has its genesis' time
  until the next block. That block brings the true one, for the engine's times only grow: a later time than the next
  block's would be a lie that makes this node compute that block otherwise than all others.

Until the end the store carries a mark and has no head: a node that is killed meanwhile knows it, and begins anew.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, NamedTuple

from gridproof.drivers.blocks import genesis_entry
from gridproof.drivers.errors import ChunkRefusedError, NotEmptyError, SnapshotFalseError, SnapshotRefusedError
from gridproof.drivers.moments import StillStore
from gridproof.drivers.ports import ApplicationFactory
from gridproof.errors import GridproofError
from gridproof.primitives.encoding import encode
from gridproof.state import Application, Head, Map, SerialVerifier, smt, system
from gridproof.state.blocks import BASE_KEY, GENESIS_KEY, HEAD_KEY, RESTORING_KEY, Base, cursor_before
from gridproof.state.genesis import genesis_hash, parse_genesis
from gridproof.state.store import Snapshot as Moment
from gridproof.state.store import Store, StoreError, Table

from .form import MAX_CHUNK_BYTES, EntryReader, Manifest, Snapshot, head_of, read_manifest

REMOVED_AT_ONCE: Final = 20_000


def is_restoring(store: Store) -> bool:
    """Whether a store holds what an intake left that came to no end: it is of no use but to `discard`."""
    with store.snapshot() as moment:
        return moment.get(Table.META, RESTORING_KEY) is not None


def discard(store: Store) -> None:
    """Empty a store that an intake began to fill; one without an intake's mark is left as it is.

    Raises:
        StoreError: the store cannot be written; the mark stays.
    """
    if not is_restoring(store):
        return
    for table in Table:
        while keys := _some_keys(store, table):
            store.write({table: dict.fromkeys(keys)})
    store.write({Table.META: {RESTORING_KEY: None}})  # last, or a kill before would leave a heap that nobody knows


def _some_keys(store: Store, table: Table) -> list[bytes]:
    with store.snapshot() as moment:
        keys: list[bytes] = []
        for key, _ in moment.scan(table):
            if len(keys) >= REMOVED_AT_ONCE:
                break
            if (table, key) != (Table.META, RESTORING_KEY):
                keys.append(key)
        return keys


class _Untrue(Exception):
    """What is wrong with a snapshot, in words."""


class _Offer(NamedTuple):
    manifest: Manifest
    entries: EntryReader


class Intake:
    """Takes in one snapshot after another until one is true.

    Args:
        store: the node's, empty.
        application: makes the Application, whose invariants the snapshot is held to.
        chain_id: the chain that the node is of; any where none is given, for the trusted app hash binds it.
        reached: called with the name of each step once it is done (`begun`, `chunk`, `checked`, `finished`); tests
            kill the process there.
        is_own: whether the snapshots are this node's own, so that their time is believed (I-8).
    """

    def __init__(
        self,
        store: Store,
        application: ApplicationFactory,
        chain_id: str | None = None,
        reached: Callable[[str], None] = lambda _step: None,
        *,
        is_own: bool = False,
    ) -> None:
        self._store = store
        self._application = application
        self._chain_id = chain_id
        self._reached = reached
        self._is_own = is_own
        self._offer: _Offer | None = None
        self.next_index = 0

    @property
    def is_under_way(self) -> bool:
        """Whether a snapshot was begun and not finished."""
        return self._offer is not None

    @property
    def is_complete(self) -> bool:
        """Whether all pieces came, so that `finish` may follow."""
        return self._offer is not None and self.next_index == len(self._offer.manifest.chunks)

    # --- begin -----------------------------------------------------------------------------------------------------

    def begin(self, snapshot: Snapshot, trusted_app_hash: bytes) -> None:
        """Begin with a snapshot that was offered; one that was begun before is dropped.

        Args:
            snapshot: as it was offered.
            trusted_app_hash: the state's root after the block of its height, from a source that the node trusts.

        Raises:
            SnapshotRefusedError: it contradicts itself, or is not of the trusted state (I-2).
            NotEmptyError: there is a ledger in the store (I-1).
            StoreError: the store cannot be written.
        """
        self._offer = None
        manifest = self._judged(snapshot, trusted_app_hash)
        discard(self._store)
        self._require_empty()
        self._store.write({Table.META: {RESTORING_KEY: encode(manifest.height)}})
        self._offer, self.next_index = _Offer(manifest, EntryReader()), 0
        self._reached("begun")

    def _judged(self, snapshot: Snapshot, trusted_app_hash: bytes) -> Manifest:
        """Rule I-2."""
        manifest = read_manifest(snapshot)
        detail = ""
        if manifest.app_hash != trusted_app_hash:
            detail = f"its app hash is {manifest.app_hash.hex()}, the trusted one {trusted_app_hash.hex()}"
        elif self._chain_id is not None and manifest.chain_id != self._chain_id:
            detail = f"it is of the chain {manifest.chain_id}, this node of {self._chain_id}"
        if detail:
            raise SnapshotRefusedError(height=snapshot.height, detail=detail)
        return manifest

    def _require_empty(self) -> None:
        """Rule I-1."""
        with self._store.snapshot() as moment:
            for table in Table:
                if next(iter(moment.scan(table)), None) is not None:
                    head = head_of(moment)
                    raise NotEmptyError(height=0 if head is None else head.height)

    # --- pieces ----------------------------------------------------------------------------------------------------

    def apply(self, index: int, chunk: bytes) -> None:
        """Write a piece: its entries, and the tree over the state so far.

        Args:
            index: from 0, one after the other.
            chunk: the piece.

        Raises:
            ChunkRefusedError: it is not the manifest's next piece (I-3); nothing was written, and it may come again.
            SnapshotFalseError: the manifest's own piece is no part of a snapshot (I-4); the store is empty again.
            StoreError: the store cannot be written; the piece may come again.
        """
        offer = self._offer
        expected = () if offer is None else offer.manifest.chunks
        if offer is None or index != self.next_index or index >= len(expected):
            raise ChunkRefusedError(index=index, detail=f"piece {self.next_index} of {len(expected)} comes next")
        if len(chunk) > MAX_CHUNK_BYTES or sha256(chunk).digest() != expected[index]:
            raise ChunkRefusedError(index=index, detail="its hash is not the manifest's")
        kept = offer.entries.copy()
        try:
            entries = kept.feed(chunk)
        except ValueError as wrong:
            raise self._false(f"piece {index}: {wrong}") from wrong
        tables: dict[Table, dict[bytes, bytes | None]] = {table: {} for table in (Table.META, Table.STATE, Table.SIDE)}
        for entry in entries:
            tables[entry.table][entry.key] = entry.value
        with self._store.snapshot() as moment:
            _, nodes = smt.apply(lambda position: moment.get(Table.TREE, position), tables[Table.STATE])
        self._store.write({**tables, Table.TREE: nodes})
        self._offer, self.next_index = offer._replace(entries=kept), index + 1
        self._reached("chunk")

    # --- end -------------------------------------------------------------------------------------------------------

    def finish(self) -> Head:
        """Hold what came to the trusted root and to the invariants, and make it the node's ledger.

        Returns:
            The ledger's head; an Application over the store must `reload`.

        Raises:
            ChunkRefusedError: pieces are missing; they may still come.
            SnapshotFalseError: it is not the trusted state, or what stands beside it is not bound by it (I-5 to I-7);
                the store is empty again.
            StoreError: the store cannot be read or written; the mark stays.
        """
        offer = self._offer
        if offer is None or not self.is_complete:
            raise ChunkRefusedError(index=self.next_index, detail="it is missing")
        try:
            genesis = self._require_true(offer)
        except StoreError:
            raise
        except (_Untrue, GridproofError) as wrong:
            raise self._false(str(wrong)) from wrong
        except Exception as wrong:  # whatever a liar wrote there must not stop the node
            raise self._false(f"{type(wrong).__name__}: {wrong}") from wrong
        self._reached("checked")
        head = offer.manifest.head
        if not self._is_own:
            head = Head(head.height, head.app_hash, parse_genesis(genesis).genesis_time_s)  # I-8
        base = Base(head.height, cursor_before(head.height + 1))
        self._store.write(
            {
                Table.BLOCKS: genesis_entry(genesis),
                Table.META: {HEAD_KEY: encode(head), BASE_KEY: encode(base), RESTORING_KEY: None},
            }
        )
        self._offer, self.next_index = None, 0
        self._reached("finished")
        return head

    def _require_true(self, offer: _Offer) -> bytes:
        """Rules I-5 to I-7; returns the genesis document."""
        manifest = offer.manifest
        with self._store.snapshot() as moment:
            root = smt.root(lambda position: moment.get(Table.TREE, position))
            genesis = moment.get(Table.META, GENESIS_KEY)
            if not offer.entries.is_between:
                raise _Untrue("it ends within an entry")
            if root != manifest.app_hash:
                raise _Untrue(f"its state has the root {root.hex()}")
            application = self._application(StillStore(moment, manifest.head), SerialVerifier())
            with application.reading() as view:
                chain = system.chain(view)
            if genesis is None or genesis_hash(genesis) != chain.genesis_hash:
                raise _Untrue("its genesis document is not the one that the state names")
            if parse_genesis(genesis).chain_id != manifest.chain_id or chain.chain_id != manifest.chain_id:
                raise _Untrue(f"its state is of the chain {chain.chain_id}")
            _require_side_tables(application, moment)
            application.check_invariants()
        return genesis

    def _false(self, detail: str) -> SnapshotFalseError:
        """Give a snapshot up: what came of it is removed."""
        height = 0 if self._offer is None else self._offer.manifest.height
        self._offer, self.next_index = None, 0
        discard(self._store)
        return SnapshotFalseError(height=height, detail=detail)


def _require_side_tables(application: Application, moment: Moment) -> None:
    """Hold every entry beside the state to be one of a module's table (I-7).

    Raises:
        _Untrue: one is not, or cannot be read.
        PrimitiveError: its value is not in its encoding.
    """
    tables: dict[bytes, Map[Any]] = {
        bytes((each.module, each.collection)): each
        for module in application.modules
        for _, each in module.maps()
        if each.table == Table.SIDE
    }
    for key, value in moment.scan(Table.SIDE):
        table = tables.get(key[:2])
        if table is None or len(key) != 2 + sum(part.size for part in table.parts):
            raise _Untrue(f"beside the state is an entry {key.hex()} of no table")
        table.decode(value)
