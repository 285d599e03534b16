"""The deterministic ledger: what drivers call, named after ABCI 2.0.

Order of a block: `prepare_proposal` chooses, `process_proposal` judges, `finalize_block` computes, `commit` alone
persists. Block time, height and proposer come in the request; nothing here knows a clock, chance or a thread.
`check_tx`, `query` and `events_since` read the last committed snapshot and may be called from other threads than the
one that makes blocks.

A block begins with what comes before its transactions: an upgrade that is due (`versions`), then what the engine
reports about validators. Who they are, the Application asks a `ValidatorBook`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeAlias

from gridproof.errors import Refusal
from gridproof.primitives.encoding import Codec, encode

from . import smt, system
from .admission import Accounts, Admission, bare, in_order
from .blocks import (
    BASE_KEY,
    BLOCK_EVENTS,
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
    Validator,
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
    WrongBlockError,
)
from .genesis import Genesis, genesis_hash, parse_genesis
from .module import Module, parse_sections, require_wiring
from .queries import Answer, QueryBook
from .records import Event, Message, one_of
from .refusals import OK, result_of
from .store import Changes, Store, Table
from .transaction import Transaction, transaction_hash
from .validators import NoValidators, ValidatorBook, updates_between
from .verifier import Verifier
from .versions import Versions

_HEAD: Final = HEAD_KEY
_GENESIS: Final = GENESIS_KEY
View: TypeAlias = SnapshotReader | Overlay
Written: TypeAlias = dict[bytes, bytes | None]


class _Staged(NamedTuple):
    head: Head
    changes: dict[Table, Written]


class _Terms(NamedTuple):
    """What all envelopes are held to that are tested after one block: the time, and the messages not yet taken."""

    head: Head
    now_s: int
    unknown: frozenset[type[Message]]


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
        book: who votes on blocks; nobody when none is given.
        version: the program's.

    Raises:
        WiringError: two modules claim one number.
        VersionError: the state was written by a version that no migration leads from.
        UpgradeNeededError: the state was written by a newer program.
    """

    def __init__(
        self,
        modules: tuple[Module, ...],
        store: Store,
        accounts: Accounts,
        verifier: Verifier,
        book: ValidatorBook | None = None,
        *,
        version: int = 1,
    ) -> None:
        require_wiring(modules)
        self.modules = modules
        self._store = store
        self._rules = {each.message: each.rule for module in modules for each in module.routes}
        self._admission = Admission(one_of(self._rules), accounts, verifier)
        events: tuple[type[Event], ...] = tuple(event for module in modules for event in module.events())
        self._events: Codec[Event] | None = one_of(events) if events else None
        self._queries = QueryBook(modules)
        self._book = book or NoValidators()
        self._versions = Versions(modules, self._book, version)
        self._staged: _Staged | None = None
        self._born: Overlay | None = None
        self._genesis: Genesis | None = None
        self._head = self._load_head()
        self._terms: _Terms | None = None

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

    @property
    def app_version(self) -> int:
        """The version of the program whose rules the last committed state stands under, or the genesis laid."""
        with self._committed() as view:
            return self._versions.stored(view)

    def validators(self) -> tuple[Validator, ...]:
        """Who votes on blocks after the last committed one, or from birth on; empty where the ledger has no engine."""
        with self._committed() as view:
            return self._book.validators(view)

    def participant_at(self, address: bytes) -> int:
        """Whose consensus key has or had an address of 20 bytes; 0 where nobody's. For a block's proposer."""
        with self._committed() as view:
            return self._book.participant_at(view, address)

    def _load_head(self) -> Head:
        with self._store.snapshot() as snapshot:
            raw = snapshot.get(Table.META, _HEAD)
            genesis = snapshot.get(Table.META, _GENESIS)
            if raw is None or genesis is None:
                return Head(0, smt.EMPTY_ROOT, 0)
            self._genesis = parse_genesis(genesis)
            head = _HEAD_CODEC.decode(raw)
            self._versions.require_readable(SnapshotReader(snapshot), head.height)
            return head

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
        sections = parse_sections(document, self.modules)
        self._versions.lay(ctx, self._book.version_at_birth(sections))
        for module in self.modules:
            if module.genesis is not None and module.name in sections:
                module.genesis.lay(ctx, sections[module.name])
        return overlay

    # --- choosing and judging --------------------------------------------------------------------------------------

    def check_tx(self, raw: bytes) -> Transaction:
        """Test a transaction's envelope against the last committed state.

        Raises:
            EnvelopeError: the reason for which it is dropped.
        """
        (checked,) = self.check_all((raw,))
        if isinstance(checked, Refusal):
            raise bare(checked)  # a kept verdict must not hold on to the stack, and the bytes, of whoever met it
        return checked

    def check_all(self, raws: Sequence[bytes]) -> list[Transaction | Refusal]:
        """As `check_tx`, for many at once, which is cheaper: one view, and signatures checked together.

        Returns:
            For each its transaction, or the reason for which it is dropped.
        """
        head = self._head
        with self._committed() as view:
            terms = self._terms
            if terms is None or terms.head is not head:  # nothing of it changes until the next block
                unknown = self._versions.not_yet(self._versions.in_force(view, head.height + 1))
                self._terms = terms = _Terms(head, self._ledger_time_s(view, head.time_s), unknown)
            opened = self._admission.open_envelopes(view, raws, terms.now_s, terms.unknown)
            return self._admission.near_nonces(view, opened)

    def prepare_proposal(self, arrived: Sequence[bytes], time_s: int, max_bytes: int) -> Proposal:
        """Choose transactions for a block and put them in order (rules E-1 to E-6 of `admission`).

        Args:
            arrived: in the order of arrival.
            time_s: the block's time, UTC epoch seconds.
            max_bytes: the most that the chosen ones may add up to.

        Raises:
            UpgradeNeededError: the block is for a newer program.
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

    def _open_all(self, view: View, arrived: Sequence[bytes], now_s: int, proposal: Proposal) -> list[Transaction]:
        opened: list[Transaction] = []
        envelopes = self._admission.open_envelopes(view, arrived, now_s, self._unknown(view))
        for raw, each in zip(arrived, envelopes, strict=True):
            if isinstance(each, Refusal):
                proposal.refused.append((raw, each))
            else:
                opened.append(each)
        return in_order(opened)

    def _unknown(self, view: View) -> frozenset[type[Message]]:
        """The messages that the next block does not take yet.

        Raises:
            UpgradeNeededError: the block is for a newer program.
        """
        return self._versions.not_yet(self._versions.require_in_force(view, self._head.height + 1))

    def process_proposal(self, block: Block) -> bool:
        """Whether every transaction of a proposed block may stand in it, at its place.

        Raises:
            WrongBlockError: the block does not follow the last one.
            UpgradeNeededError: the block is for a newer program.
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
            for each in self._admission.open_envelopes(view, block.transactions, now_s, self._unknown(view)):
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
            UpgradeNeededError: the block is for a newer program.
        """
        judged = self._judge(block)
        info = BlockInfo(self.chain_id, block.height, block.time_s, block.proposer)
        with self._committed() as view:
            overlay = Overlay(view)
            announced, app_version = self._begin(info, overlay, block)
            results: list[TransactionResult] = []
            events = _stored(block.height, BLOCK_EVENTS, announced)
            for index, each in enumerate(judged):
                if isinstance(each, Refusal):
                    results.append(result_of(each))
                    continue
                announced, result = self._execute(info, overlay, each)
                results.append(result)
                events |= _stored(block.height, index, announced)
            head, changes = self._root(view, overlay, block)
            updates = updates_between(self._book.validators(view), self._book.validators(overlay))
        places: Written = {
            transaction_hash(raw): _PLACE_CODEC.encode(TransactionPlace(block.height, index, result))
            for index, (raw, result) in enumerate(zip(block.transactions, results, strict=True))
        }
        changes[Table.EVENTS] = events
        changes[Table.RESULTS] = places
        changes[Table.META][_HEAD] = _HEAD_CODEC.encode(head)
        self._staged = _Staged(head, changes)
        return BlockResult(head.app_hash, tuple(results), updates, app_version)

    def _begin(self, info: BlockInfo, overlay: Overlay, block: Block) -> tuple[list[Event], int | None]:
        """What comes before the transactions: an upgrade that is due, then what the engine reports."""
        ctx = Context(info, overlay)
        app_version = self._versions.enter(ctx, self._versions.require_in_force(overlay, block.height))
        for misbehaviour in block.misbehaviour:
            self._book.punish(ctx, misbehaviour)
        return ctx.events, app_version

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

    def _root(self, view: View, overlay: Overlay, block: Block) -> tuple[Head, dict[Table, Written]]:
        changes = {
            table: {key: value for key, value in changed.items() if view.read(table, key) != value}
            for table, changed in overlay.changes.items()
        }
        root, nodes = smt.apply(lambda node: view.read(Table.TREE, node), changes[Table.STATE])
        changes[Table.TREE] = dict(nodes)
        if self._born is not None:
            changes = {table: {**self._born.changes[table], **changed} for table, changed in changes.items()}
        return Head(block.height, root, block.time_s), changes

    def commit(self, beside: Changes | None = None) -> Head:
        """Persist the finalized block, its root and its events in one transaction of the store.

        Args:
            beside: what a driver writes in that same transaction, in tables of its own.

        Raises:
            NothingStagedError: no block was finalized.
        """
        if self._staged is None:
            raise NothingStagedError
        changes: dict[Table, Mapping[bytes, bytes | None]] = {**self._staged.changes}
        for table, written in (beside or {}).items():
            changes[table] = {**changes.get(table, {}), **written}
        self._store.write(changes)
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
    def reading(self) -> Iterator[View]:
        """A view of the last committed state, or of the genesis before the first block; close it soon."""
        with self._committed() as view:
            yield view

    @contextmanager
    def _committed(self) -> Iterator[View]:
        born = self._born  # another thread's commit may clear it
        if born is not None:
            yield born
            return
        with self._store.snapshot() as snapshot:
            yield SnapshotReader(snapshot)

    def _ledger_time_s(self, view: View, block_time_s: int) -> int:
        set_s = system.operator_clock_s(view)
        return block_time_s if set_s is None else set_s


def _stored(height: int, transaction: int, announced: Sequence[Event]) -> Written:
    """Events under their places."""
    kept = (StoredEvent(height, transaction, n, encode(event)) for n, event in enumerate(announced))
    return {each.cursor: each.body for each in kept}


class _Nothing:
    """The state before the genesis."""

    def read(self, table: Table, key: bytes) -> bytes | None:
        return None

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(())
