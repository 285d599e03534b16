"""What the rules see of the world: one transaction's view of the state, its block, and a place to announce events."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from gridproof.domain import ParticipantId

from . import system
from .errors import ClockBackwards, ClockNotOperators
from .records import Event
from .store import Snapshot, Table
from .tables import Reader

_TABLES: Final = tuple(Table)  # an overlay is made for every transaction


class SnapshotReader:
    """Reads a store's snapshot as the tables ask for it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def read(self, table: Table, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        return self._snapshot.get(table, key)

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All entries whose key begins with `prefix`, ascending."""
        return self._snapshot.scan(table, prefix)


class Overlay:
    """Changes on top of a reader: what they hide is still there until they are merged down."""

    def __init__(self, base: Reader) -> None:
        self._base = base
        self.changes: dict[Table, dict[bytes, bytes | None]] = {table: {} for table in _TABLES}

    def read(self, table: Table, key: bytes) -> bytes | None:
        """The value under `key` with the changes applied, or None."""
        changed = self.changes[table]
        return changed[key] if key in changed else self._base.read(table, key)

    def write(self, table: Table, key: bytes, value: bytes | None) -> None:
        """Set the value under `key`; None removes it."""
        self.changes[table][key] = value

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All entries whose key begins with `prefix`, ascending, with the changes as they stood at the call."""
        changed = self.changes[table]
        ours = {key: changed[key] for key in sorted(key for key in changed if key.startswith(prefix))}
        return _merged(self._base.scan(table, prefix), ours)

    def merge_into(self, below: "Overlay") -> None:
        """Apply the changes to the overlay below."""
        for table, changed in self.changes.items():
            if changed:
                below.changes[table].update(changed)


def _merged(base: Iterator[tuple[bytes, bytes]], ours: dict[bytes, bytes | None]) -> Iterator[tuple[bytes, bytes]]:
    pending = list(ours.items())
    at = 0
    for key, value in base:
        while at < len(pending) and pending[at][0] < key:
            changed_key, changed = pending[at]
            at += 1
            if changed is not None:
                yield changed_key, changed
        if key not in ours:
            yield key, value
    for changed_key, changed in pending[at:]:
        if changed is not None:
            # An entry of the base that was changed comes out here or above, at its own place in the order.
            yield changed_key, changed


class BlockInfo(NamedTuple):
    """The block that a transaction stands in.

    Attributes:
        chain_id: name of the chain.
        height: the block's height, from 1.
        time_s: the block's time, UTC epoch seconds.
        proposer: the participant who proposed it, 0 where the ledger has one node.
    """

    chain_id: str
    height: int
    time_s: int
    proposer: int = 0


class Context:
    """A view of the state for one transaction, or for reading only.

    Args:
        block: the block that is being made or was last made.
        state: where to read from and write to.
    """

    def __init__(self, block: BlockInfo, state: Overlay) -> None:
        self.block = block
        self.events: list[Event] = []
        self._state = state

    @property
    def chain_id(self) -> str:
        """Name of the chain."""
        return self.block.chain_id

    @property
    def height(self) -> int:
        """The block's height."""
        return self.block.height

    @property
    def time_s(self) -> int:
        """The block's time, UTC epoch seconds; modules ask for `ledger_time_s`."""
        return self.block.time_s

    @property
    def proposer(self) -> ParticipantId:
        """Who proposed the block; 0 where the ledger has one node."""
        return ParticipantId(self.block.proposer)

    @property
    def ledger_time_s(self) -> int:
        """The time that deadlines are held to, UTC epoch seconds: the block's, or the operator's clock."""
        set_s = system.operator_clock_s(self)
        return self.block.time_s if set_s is None else set_s

    def version(self, module: int) -> int:
        """The version of a module's records and rules that is in force; a newer program asks it before an upgrade.

        Args:
            module: the module's number.

        Returns:
            From 1; 0 where the module is not there yet.
        """
        return system.version_of(self, module)

    def advance_clock(self, to_s: int) -> None:
        """Move the operator's clock forward.

        Args:
            to_s: UTC epoch seconds.

        Raises:
            ClockNotOperators: this ledger takes its time from its blocks.
            ClockBackwards: `to_s` is not after the clock.
        """
        set_s = system.operator_clock_s(self)
        if set_s is None:
            raise ClockNotOperators
        if to_s <= set_s:
            raise ClockBackwards(now_s=set_s, to_s=to_s)
        system.CLOCK.put(self, value=to_s)

    def emit(self, event: Event) -> None:
        """Announce an event; it is dropped with the transaction if that is refused."""
        self.events.append(event)

    def read(self, table: Table, key: bytes) -> bytes | None:
        """The value under `key`, or None. Modules read through their tables."""
        return self._state.read(table, key)

    def scan(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All entries whose key begins with `prefix`, ascending. Modules read through their tables."""
        return self._state.scan(table, prefix)

    def write(self, table: Table, key: bytes, value: bytes | None) -> None:
        """Set the value under `key`; None removes it. Modules write through their tables."""
        self._state.write(table, key, value)
