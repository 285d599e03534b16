"""Is a ledger true? Replay its history from genesis and hold every result against what is claimed.

A ledger that keeps only its later blocks is replayed from the oldest snapshot of the state that is kept beside it.

What is checked, in this order:
- V-1 each block follows the last one, and every transaction may stand at its place: envelope, nonce, its messages' own
  checks, all signatures;
- V-2 each transaction's code and each block's app hash are those that were kept;
- V-3 each kept block names the app hash that it builds on (a store only);
- V-4 state, side tables, tree, events and head are those that the replay led to, entry by entry, and no transaction's
  place is kept that no block gave it (a store only);
- V-5 the tree's root, computed from the stored state alone, is the head's app hash (a store only);
- V-6 all invariants hold.
What is false is told in a line each; nothing is trusted but the genesis document and the program, and where the first
blocks are gone the app hash of the state that the replay begins with: the report names it.
"""

from collections.abc import Iterator
from typing import Final

from gridproof.errors import GridproofError
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Application, BlockResult, Record, TransactionPlace, Verifier, Violation, smt
from gridproof.state.blocks import BASE_KEY, cursor_before
from gridproof.state.genesis import genesis_hash
from gridproof.state.store import MemoryStore, Snapshot, Store, Table

from .blocks import find_base, find_block
from .errors import HistoryPrunedError
from .history import UNKNOWN_CODE, Entry, History, StoredHistory
from .moments import StillStore
from .ports import ApplicationFactory, Progress, no_progress
from .snapshots import Intake, SnapshotFolder, read_manifest
from .verifying import CountingVerifier, ThreadedVerifier

MAX_LINES: Final = 100
EVENTS_AT_ONCE: Final = 10_000
_PLACE: Final = Codec(TransactionPlace)
COMPARED: Final = (Table.STATE, Table.SIDE, Table.TREE, Table.EVENTS, Table.META)


class Report(Record, frozen=True):
    """What a verification found.

    Attributes:
        chain_id: name of the chain.
        genesis_hash: tagged hash of the genesis document, 32 bytes.
        first_height: of the first block that was replayed.
        last_height: of the last one; 0 where there is none.
        transactions: how many were replayed.
        signatures: how many were checked.
        app_hash: the root that the replay led to, 32 bytes.
        falsehoods: a line each, at most 100 and a last line that counts the rest; empty when all is true.
        announced: how many events of each kind the replay announced, by the kind's name.
        base_height: of the state that the replay began with; 0 for the genesis.
        base_app_hash: that state's root, 32 bytes; empty for the genesis.
    """

    chain_id: str
    genesis_hash: bytes
    first_height: int
    last_height: int
    transactions: int
    signatures: int
    app_hash: bytes
    falsehoods: tuple[str, ...]
    announced: dict[str, int] = {}  # noqa: RUF012 - a struct makes a fresh one each time
    base_height: int = 0
    base_app_hash: bytes = b""

    @property
    def is_true(self) -> bool:
        """Whether nothing false was found."""
        return not self.falsehoods


class _Findings:
    """Collects falsehoods, not without end."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def add(self, line: str) -> None:
        if len(self._lines) < MAX_LINES:
            self._lines.append(line)
        else:
            self._more += 1

    @property
    def lines(self) -> tuple[str, ...]:
        more = (f"and {self._more} more",) if self._more else ()
        return (*self._lines, *more)


class _Replay:
    """A history run again from genesis, or from the state in the store that it is run into."""

    def __init__(self, history: History, application: ApplicationFactory, store: Store, verifier: Verifier) -> None:
        self.history = history
        self.verifier = CountingVerifier(verifier)
        self.application: Application = application(store, self.verifier)
        self.findings = _Findings()
        self.transactions = 0
        self.born = self.application.init_chain(history.genesis)
        self.base = self.application.info().height

    def run(self, progress: Progress) -> None:
        """Replay all blocks; stops where one cannot be computed at all."""
        try:
            for entry in self.history.entries():
                self._step(entry)
                progress(entry.height, self.history.last_height)
        except GridproofError as wrong:
            self.findings.add(f"block {self.application.info().height + 1}: {wrong}")

    def _step(self, entry: Entry) -> None:
        block = entry.block
        if not self.application.process_proposal(block):  # V-1
            self.findings.add(f"block {entry.height}: it holds a transaction that may not stand in it")
        result = self.application.finalize_block(block)
        self.application.commit()
        self.transactions += len(entry.transactions)
        self._compare(entry, result)

    def _compare(self, entry: Entry, result: BlockResult) -> None:
        """Rule V-2."""
        if result.app_hash != entry.app_hash:
            kept_root, found_root = entry.app_hash.hex(), result.app_hash.hex()
            self.findings.add(f"block {entry.height}: app hash {kept_root} is kept, the replay leads to {found_root}")
        for index, (kept, found) in enumerate(zip(entry.codes, result.results, strict=False)):
            if kept != found.code:
                told = "none" if kept == UNKNOWN_CODE else str(kept)
                place = f"block {entry.height}, transaction {index}"
                self.findings.add(
                    f"{place}: result {told} is kept, the replay leads to {found.code} {found.text}".strip()
                )
        if len(entry.codes) != len(result.results):
            self.findings.add(
                f"block {entry.height}: {len(entry.codes)} results for {len(result.results)} transactions"
            )

    def report(self) -> Report:
        head = self.application.info()
        return Report(
            chain_id=self.application.chain_id,
            genesis_hash=genesis_hash(self.history.genesis),
            first_height=self.base + 1 if self.base else min(1, head.height),
            last_height=head.height,
            transactions=self.transactions,
            signatures=self.verifier.checked,
            app_hash=head.app_hash,
            falsehoods=self.findings.lines,
            announced=self._announced(),
            base_height=self.base,
            base_app_hash=self.born if self.base else b"",
        )

    def _announced(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        cursor = cursor_before(self.base + 1) if self.base else b""
        while events := self.application.events_since(cursor, EVENTS_AT_ONCE):
            for event in events:
                name = type(self.application.decode_event(event.body)).__name__
                counts[name] = counts.get(name, 0) + 1
            cursor = events[-1].cursor
        return dict(sorted(counts.items()))


def replay(
    history: History,
    application: ApplicationFactory,
    *,
    into: Store | None = None,
    verifier: Verifier | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Replay a history from genesis and compare (rules V-1, V-2, V-6).

    Args:
        history: a file's or a store's.
        application: makes the Application.
        into: an empty store; by default in memory.
        verifier: checks signatures; by default on all cores.
        progress: told after each block.

    Raises:
        GenesisError: the history's genesis document is not valid.
    """
    with ThreadedVerifier() as threaded:
        run = _Replay(history, application, into or MemoryStore(), verifier or threaded)
        run.run(progress)
        _check_invariants(run.application, run.findings)
        return run.report()


def verify_store(
    store: Store,
    application: ApplicationFactory,
    *,
    into: Store | None = None,
    verifier: Verifier | None = None,
    progress: Progress = no_progress,
    snapshots: SnapshotFolder | None = None,
) -> Report:
    """Replay what a ledger keeps and hold it against what it stores (rules V-1 to V-6). The ledger may be running.

    Where the first blocks are gone, the replay begins with the oldest kept snapshot, itself held to its root and to the
    invariants.

    Args:
        store: the ledger's; only read.
        application: makes the Application.
        into: an empty store; by default in memory.
        verifier: checks signatures; by default on all cores.
        progress: told after each block.
        snapshots: those that are kept beside the ledger.

    Raises:
        GenesisMissingError: no ledger was born in the store.
        HistoryPrunedError: its first blocks are gone, and no snapshot is kept from which the others lead on.
        SnapshotFailedError: the snapshot cannot be read.
        SnapshotFalseError: the snapshot is not the state that it claims to be.
        StoreError: the store cannot be read.
    """
    fresh = into or MemoryStore()
    with ThreadedVerifier() as threaded, store.snapshot() as snapshot:
        stored = application(StillStore(snapshot), verifier or threaded)
        base = find_base(snapshot).height
        first = 1 if base == 0 else _begin_with_kept(fresh, application, snapshots, base, stored.info().height) + 1
        run = _Replay(StoredHistory(snapshot, stored.info(), first), application, fresh, verifier or threaded)
        if stored.info().height:
            run.run(progress)
            _compare_links(snapshot, run)
            with fresh.snapshot() as replayed:
                _compare_tables(snapshot, replayed, run)
            _compare_root(snapshot, stored, run.findings)
            _check_invariants(stored, run.findings)
        return run.report()


def _begin_with_kept(
    into: Store, application: ApplicationFactory, snapshots: SnapshotFolder | None, base: int, last: int
) -> int:
    """Take in the oldest snapshot from which all later blocks are kept; returns its height."""
    chosen = snapshots.find_beginning(base, last) if snapshots else None
    if snapshots is None or chosen is None:
        raise HistoryPrunedError(from_height=base + 1)
    intake = Intake(into, application, is_own=True)
    intake.begin(chosen, read_manifest(chosen).app_hash)
    for index in range(chosen.chunks):
        intake.apply(index, snapshots.load(chosen.height, chosen.format, index))
    return intake.finish().height


def _compare_links(snapshot: Snapshot, run: _Replay) -> None:
    """Rule V-3 for the first block; for the others it is part of V-2, whose app hashes are the next block's links."""
    height = run.base + 1
    try:
        first = find_block(snapshot, height)
    except GridproofError:
        return  # the replay told already that the block cannot be read
    if first is not None and first.previous != run.born:
        begun = f"the state kept at height {run.base} has" if run.base else "the genesis leads to"
        run.findings.add(f"block {height}: it builds on {first.previous.hex()}, {begun} {run.born.hex()}")


def _compare_tables(stored: Snapshot, replayed: Snapshot, run: _Replay) -> None:
    """Rule V-4."""
    for table in COMPARED:
        start = cursor_before(run.base + 1) if table == Table.EVENTS and run.base else b""
        for key, kept, found in _differences(stored.scan(table, start=start), replayed.scan(table, start=start)):
            if (table, key) == (Table.META, BASE_KEY):
                continue  # each tells what it keeps itself
            what = (
                "is kept though no block wrote it" if found is None else "is missing" if kept is None else "was altered"
            )
            run.findings.add(f"{table.name.lower()} table, entry {key.hex()}: it {what}")
    # Of a place only its code is part of consensus, which V-2 compares: its words may be another release's.
    gone = find_base(stored).height
    for key, kept, found in _differences(stored.scan(Table.RESULTS), replayed.scan(Table.RESULTS)):
        if found is None and not (kept and gone < _height_of(kept) <= run.base):
            run.findings.add(f"results table, entry {key.hex()}: it is kept though no block wrote it")


def _height_of(place: bytes) -> int:
    """The height that a kept place names; 0 where it is none."""
    try:
        return _PLACE.decode(place).height
    except PrimitiveError:
        return 0


def _differences(
    stored: Iterator[tuple[bytes, bytes]], replayed: Iterator[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Walk two ordered tables together: (key, value here, value there) wherever they differ."""
    left, right = next(stored, None), next(replayed, None)
    while left is not None or right is not None:
        if left is not None and (right is None or left[0] < right[0]):
            yield left[0], left[1], None
            left = next(stored, None)
        elif right is not None and (left is None or right[0] < left[0]):
            yield right[0], None, right[1]
            right = next(replayed, None)
        elif left is not None and right is not None:
            if left[1] != right[1]:
                yield left[0], left[1], right[1]
            left, right = next(stored, None), next(replayed, None)


def _compare_root(snapshot: Snapshot, stored: Application, findings: _Findings) -> None:
    """Rule V-5."""
    root, _ = smt.apply(lambda _node: None, dict(snapshot.scan(Table.STATE)))
    head = stored.info()
    if root != head.app_hash:
        findings.add(f"head: app hash {head.app_hash.hex()} is kept, the stored state has the root {root.hex()}")


def _check_invariants(application: Application, findings: _Findings) -> None:
    """Rule V-6."""
    try:
        application.check_invariants()
    except Violation as violation:
        findings.add(f"invariant: {violation}")
    except GridproofError as wrong:
        findings.add(f"state: {wrong}")
