"""The deterministic ledger: what drivers call, named after ABCI 2.0.

Order of a block: `prepare_proposal` chooses, `process_proposal` judges, `finalize_block` computes, `commit` alone
persists. Block time, height and proposer come in the request; nothing here knows a clock, chance or a thread.
`check_tx`, `query` and `events_since` read the last committed snapshot and may be called from other threads than the
one that makes blocks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from gridproof.errors import Refusal
from gridproof.primitives.encoding import Codec, encode

from . import smt, system
from .admission import Accounts, Admission, in_nonce_order
from .blocks import (
    BASE_KEY,
    CURSOR_SIZE,
    GENESIS_KEY,
    HEAD_KEY,
    Base,
    Block,
    BlockResult,
    Head,
    Proposal,
    StoredEvent,
    TransactionPlace,
    TransactionResult,
)
from .context import BlockInfo, Context, Overlay, SnapshotReader
from .errors import (
    EventsGoneError,
    GenesisError,
    KeyPartError,
    NonceAhead,
    NonceUsed,
    NothingStagedError,
    NumberUnfit,
    QueryArgumentError,
    StateError,
    VersionError,
    WrongBlockError,
)
from .genesis import Genesis, genesis_hash, parse_genesis, parse_section
from .module import Module, require_wiring
from .queries import Answer, QueryBook
from .records import Event, one_of
from .refusals import OK, result_of
from .store import Store, Table
from .transaction import Transaction, transaction_hash
from .verifier import Verifier

_HEAD: Final = HEAD_KEY
_GENESIS: Final = GENESIS_KEY


class _Staged(NamedTuple):
    head: Head
    changes: dict[Table, dict[bytes, bytes | None]]


_BASE_CODEC: Final = Codec(Base)
_HEAD_CODEC: Final = Codec(Head)
_PLACE_CODEC: Final = Codec(TransactionPlace)


class Application:
    """The ledger as a state machine.

    Args:
        modules: in the order in which they lay their genesis.
        store: keeps the state.
        accounts: who may send, and with which key.
        verifier: checks signatures.

    Raises:
        WiringError: two modules claim one number.
        VersionError: the state was written by a version that no migration leads from.
    """

    def __init__(self, modules: tuple[Module, ...], store: Store, accounts: Accounts, verifier: Verifier) -> None:
        require_wiring(modules)
        self.modules = modules
        self._store = store
        self._rules = {each.message: each.rule for module in modules for each in module.routes}
        self._admission = Admission(one_of(self._rules), accounts, verifier)
        events: tuple[type[Event], ...] = tuple(event for module in modules for event in module.events())
        self._events: Codec[Event] | None = one_of(events) if events else None
        self._queries = QueryBook(modules)
        self._staged: _Staged | None = None
        self._born: Overlay | None = None
        self._genesis: Genesis | None = None
        self._head = self._load_head()

    # --- what is there ---------------------------------------------------------------------------------------------

    def info(self) -> Head:
        """The last committed block; height 0 and an empty root where there is none."""
        return self._head

    def reload(self) -> None:
        """Read anew where the store stands, after something else wrote to it; what was finalized is dropped.

        Raises:
            VersionError: the state was written by a version that no migration leads from.
        """
        self._staged = self._born = self._genesis = None
        self._head = self._load_head()

    @property
    def chain_id(self) -> str:
        """Name of the chain.

        Raises:
            StateError: the ledger was not born yet.
        """
        if self._genesis is None:
            raise StateError
        return self._genesis.chain_id

    def _load_head(self) -> Head:
        with self._store.snapshot() as snapshot:
            raw = snapshot.get(Table.META, _HEAD)
            genesis = snapshot.get(Table.META, _GENESIS)
            if raw is None or genesis is None:
                return Head(0, smt.EMPTY_ROOT, 0)
            self._genesis = parse_genesis(genesis)
            head = _HEAD_CODEC.decode(raw)
            self._require_versions(SnapshotReader(snapshot))
            return head

    def _require_versions(self, view: SnapshotReader) -> None:
        for module in self.modules:
            stored = system.VERSIONS.get(view, module.number, default=module.version)
            steps = {migration.from_version for migration in module.migrations}
            if stored > module.version or any(step not in steps for step in range(stored, module.version)):
                raise VersionError(module=module.name, stored=stored, program=module.version)

    # --- birth -----------------------------------------------------------------------------------------------------

    def init_chain(self, genesis: bytes) -> bytes:
        """Lay the genesis; it is persisted with the first block.

        Args:
            genesis: the document's bytes.

        Returns:
            The state's root, 32 bytes.

        Raises:
            GenesisError: the document is not valid, or this ledger was born from another one.
        """
        document = parse_genesis(genesis)
        with self._store.snapshot() as snapshot:
            kept = snapshot.get(Table.META, _GENESIS)
        if kept is not None:
            if kept != genesis:
                raise GenesisError(detail="this ledger was born from another genesis document")
            return self._head.app_hash
        self._genesis = document
        self._born = self._lay(document, genesis)
        root, nodes = smt.apply(lambda _node: None, self._born.changes[Table.STATE])
        self._born.changes[Table.TREE] = dict(nodes)
        self._born.changes[Table.META] = {_GENESIS: genesis}
        self._head = Head(0, root, document.genesis_time_s)
        return root

    def _lay(self, document: Genesis, raw: bytes) -> Overlay:
        overlay = Overlay(_Nothing())
        ctx = Context(BlockInfo(document.chain_id, 0, document.genesis_time_s), overlay)
        operator_clock = document.clock == "operator"
        system.CHAIN.put(ctx, value=system.Chain(document.chain_id, genesis_hash(raw), operator_clock))
        if operator_clock:
            system.CLOCK.put(ctx, value=document.genesis_time_s)
        unknown = [name for name in document.modules if name not in {module.name for module in self.modules}]
        if unknown:
            raise GenesisError(detail=f"modules.{unknown[0]}: there is no such module")
        for module in self.modules:
            system.VERSIONS.put(ctx, module.number, value=module.version)
            section = document.modules.get(module.name)
            if module.genesis is None and section is not None:
                raise GenesisError(detail=f"modules.{module.name}: this module takes no section")
            if module.genesis is not None:
                if section is None:
                    raise GenesisError(detail=f"modules.{module.name}: the section is missing")
                module.genesis.lay(ctx, parse_section(section, module.genesis.type, module.name))
        return overlay

    # --- choosing and judging --------------------------------------------------------------------------------------

    def check_tx(self, raw: bytes) -> Transaction:
        """Test a transaction's envelope against the last committed state.

        Raises:
            EnvelopeError: the reason for which it is dropped.
        """
        with self._committed() as view:
            transaction = self._admission.open_envelope(view, raw, self._ledger_time_s(view, self._head.time_s))
            self._admission.require_nonce_near(view, transaction)
            return transaction

    def prepare_proposal(self, arrived: Sequence[bytes], time_s: int, max_bytes: int) -> Proposal:
        """Choose transactions for a block (rules E-1 to E-5 of `admission`).

        Args:
            arrived: in the order of arrival.
            time_s: the block's time, UTC epoch seconds.
            max_bytes: the most that the chosen ones may add up to.
        """
        proposal = Proposal([], [], [])
        with self._committed() as view:
            now_s = self._ledger_time_s(view, time_s)
            opened = self._open_all(view, arrived, now_s, proposal)
            verdicts = self._admission.require_messages(opened)
            expected: dict[int, int] = {}
            room = max_bytes
            for transaction, verdict in zip(opened, verdicts, strict=True):
                sender, nonce = transaction.sender, transaction.body.nonce
                if sender not in expected:
                    expected[sender] = system.next_nonce(view, sender)
                following = expected[sender]
                if verdict is not None:
                    proposal.refused.append((transaction.raw, verdict))
                elif nonce < following:
                    proposal.refused.append((transaction.raw, NonceUsed(nonce=nonce, expected=following)))
                elif nonce > following or len(transaction.raw) > room:
                    proposal.waiting.append(transaction.raw)
                else:
                    expected[sender] = following + 1
                    room -= len(transaction.raw)
                    proposal.chosen.append(transaction.raw)
        return proposal

    def _open_all(
        self, view: "SnapshotReader | Overlay", arrived: Sequence[bytes], now_s: int, proposal: Proposal
    ) -> list[Transaction]:
        opened: list[Transaction] = []
        for raw, each in zip(arrived, self._admission.open_envelopes(view, arrived, now_s), strict=True):
            if isinstance(each, Refusal):
                proposal.refused.append((raw, each))
            else:
                opened.append(each)
        return in_nonce_order(opened)

    def process_proposal(self, block: Block) -> bool:
        """Whether every transaction of a proposed block may stand in it, at its place.

        Raises:
            WrongBlockError: the block does not follow the last one.
        """
        return not any(isinstance(judged, Refusal) for judged in self._judge(block))

    def _judge(self, block: Block) -> list[Transaction | Refusal]:
        """Each transaction decoded, or the refusal for which it should not stand in the block."""
        if block.height != self._head.height + 1 or block.time_s < self._head.time_s:
            raise WrongBlockError(expected_height=self._head.height + 1, height=block.height)
        judged: list[Transaction | Refusal] = []
        with self._committed() as view:
            now_s = self._ledger_time_s(view, block.time_s)
            expected: dict[int, int] = {}
            for each in self._admission.open_envelopes(view, block.transactions, now_s):
                if isinstance(each, Refusal):
                    judged.append(each)
                    continue
                sender, nonce = each.sender, each.body.nonce
                if sender not in expected:
                    expected[sender] = system.next_nonce(view, sender)
                following = expected[sender]
                if nonce == following:
                    expected[sender] = following + 1
                    judged.append(each)
                else:
                    misplaced = NonceUsed if nonce < following else NonceAhead
                    judged.append(misplaced(nonce=nonce, expected=following))
        opened = [each for each in judged if isinstance(each, Transaction)]
        verdicts = iter(self._admission.require_messages(opened))
        return [(next(verdicts) or each) if isinstance(each, Transaction) else each for each in judged]

    # --- computing and persisting ----------------------------------------------------------------------------------

    def finalize_block(self, block: Block) -> BlockResult:
        """Compute a block's results and the new root; nothing is persisted.

        Raises:
            WrongBlockError: the block does not follow the last one.
        """
        judged = self._judge(block)
        info = BlockInfo(self.chain_id, block.height, block.time_s, block.proposer)
        with self._committed() as view:
            overlay = Overlay(view)
            self._migrate(info, overlay)
            results: list[TransactionResult] = []
            events: dict[bytes, bytes | None] = {}
            for index, each in enumerate(judged):
                if isinstance(each, Refusal):
                    results.append(result_of(each))
                    continue
                announced, result = self._execute(info, overlay, each)
                results.append(result)
                for n, event in enumerate(announced):
                    stored = StoredEvent(block.height, index, n, encode(event))
                    events[stored.cursor] = stored.body
            head, changes = self._root(view, overlay, block)
        places: dict[bytes, bytes | None] = {
            transaction_hash(raw): _PLACE_CODEC.encode(TransactionPlace(block.height, index, result))
            for index, (raw, result) in enumerate(zip(block.transactions, results, strict=True))
        }
        changes[Table.EVENTS] = events
        changes[Table.RESULTS] = places
        changes[Table.META][_HEAD] = _HEAD_CODEC.encode(head)
        self._staged = _Staged(head, changes)
        return BlockResult(head.app_hash, tuple(results))

    def _migrate(self, info: BlockInfo, overlay: Overlay) -> None:
        ctx = Context(info, overlay)
        for module in self.modules:
            stored = system.VERSIONS.get(ctx, module.number, default=0)
            if stored == 0:  # a module that is new to this ledger begins at its own version
                system.VERSIONS.put(ctx, module.number, value=module.version)
                continue
            steps = {migration.from_version: migration for migration in module.migrations}
            for version in range(stored, module.version):
                steps[version].run(ctx)
                system.VERSIONS.put(ctx, module.number, value=version + 1)

    def _execute(
        self, info: BlockInfo, block: Overlay, transaction: Transaction
    ) -> tuple[list[Event], TransactionResult]:
        """Run a transaction's messages, all or none; its nonce is consumed either way."""
        system.NONCES.put(Context(info, block), transaction.sender, value=transaction.body.nonce + 1)
        overlay = Overlay(block)
        ctx = Context(info, overlay)
        try:
            for message in transaction.messages:
                self._rules[type(message)](ctx, transaction.sender, message)
        except Refusal as refusal:
            return [], result_of(refusal)
        except KeyPartError as unfit:  # whatever a sender writes must not stop the ledger
            return [], result_of(NumberUnfit(detail=unfit.detail))
        overlay.merge_into(block)
        return ctx.events, TransactionResult(OK, "")

    def _root(
        self, view: "SnapshotReader | Overlay", overlay: Overlay, block: Block
    ) -> tuple[Head, dict[Table, dict[bytes, bytes | None]]]:
        changes = {
            table: {key: value for key, value in changed.items() if view.read(table, key) != value}
            for table, changed in overlay.changes.items()
        }
        root, nodes = smt.apply(lambda node: view.read(Table.TREE, node), changes[Table.STATE])
        changes[Table.TREE] = dict(nodes)
        if self._born is not None:
            changes = {table: {**self._born.changes[table], **changed} for table, changed in changes.items()}
        return Head(block.height, root, block.time_s), changes

    def commit(self) -> Head:
        """Persist the finalized block, its root and its events in one transaction of the store.

        Raises:
            NothingStagedError: no block was finalized.
        """
        if self._staged is None:
            raise NothingStagedError
        self._store.write(self._staged.changes)
        self._head, self._staged, self._born = self._staged.head, None, None
        return self._head

    # --- reading ---------------------------------------------------------------------------------------------------

    def query(self, path: str, arguments: bytes = b"", *, prove: bool = False) -> Answer:
        """Read the last committed state.

        Args:
            path: `key` for the raw key in `arguments`, or `module/query` with its encoded arguments.
            arguments: bytes as the path takes them.
            prove: with `key`, add a proof of presence or absence against the app hash.

        Raises:
            UnknownQueryError: there is no such query.
            QueryArgumentError: the arguments are not what it takes.
        """
        with self._committed() as view:
            # The head is read from the same snapshot, or a proof could name another block's root.
            raw = view.read(Table.META, _HEAD)
            head = self._head if raw is None else _HEAD_CODEC.decode(raw)
            return self._queries.answer(view, head.height, head.app_hash, path, arguments, prove=prove)

    def find_transaction(self, name: bytes) -> TransactionPlace | None:
        """Where the transaction with this hash stands, and what became of it; None while it is in no block."""
        with self._store.snapshot() as snapshot:
            raw = snapshot.get(Table.RESULTS, name)
        return None if raw is None else _PLACE_CODEC.decode(raw)

    def events_since(self, cursor: bytes, limit: int) -> list[StoredEvent]:
        """The events after a place, oldest first.

        Args:
            cursor: 16 bytes of the last event seen, or empty for all.
            limit: the most to return.

        Raises:
            QueryArgumentError: the cursor is neither.
            EventsGoneError: events that follow the cursor are not kept here.
        """
        if len(cursor) not in (0, CURSOR_SIZE):
            raise QueryArgumentError(path="events_since", detail=f"a cursor of {len(cursor)} bytes")
        start = cursor + b"\x00" if cursor else b""
        found: list[StoredEvent] = []
        with self._store.snapshot() as snapshot:
            raw = snapshot.get(Table.META, BASE_KEY)
            base = None if raw is None else _BASE_CODEC.decode(raw)
            if base is not None and cursor < base.events_after:
                raise EventsGoneError(from_height=base.height + 1)
            for key, body in snapshot.scan(Table.EVENTS, start=start):
                if len(found) >= limit:
                    break
                found.append(StoredEvent.at(key, body))
        return found

    def decode_event(self, body: bytes) -> Event:
        """Read an event's encoding.

        Raises:
            StateError: no module announces events.
        """
        if self._events is None:
            raise StateError
        return self._events.decode(body)

    def check_invariants(self) -> None:
        """Hold the last committed state to all invariants of the modules.

        Raises:
            Violation: one does not hold.
        """
        with self._committed() as view:
            for module in self.modules:
                for invariant in module.invariants:
                    invariant(Context(BlockInfo(self.chain_id, self._head.height, self._head.time_s), Overlay(view)))

    @contextmanager
    def reading(self) -> Iterator["SnapshotReader | Overlay"]:
        """A view of the last committed state, or of the genesis before the first block; close it soon."""
        with self._committed() as view:
            yield view

    @contextmanager
    def _committed(self) -> Iterator["SnapshotReader | Overlay"]:
        born = self._born  # another thread's commit may clear it
        if born is not None:
            yield born
            return
        with self._store.snapshot() as snapshot:
            yield SnapshotReader(snapshot)

    def _ledger_time_s(self, view: "SnapshotReader | Overlay", block_time_s: int) -> int:
        set_s = system.operator_clock_s(view)
        return block_time_s if set_s is None else set_s


class _Nothing:
    """The state before the genesis."""

    def read(self, table: Table, key: bytes) -> bytes | None:
        return None

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(())
