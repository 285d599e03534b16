"""What the snapshots' tests have in common: taking a ledger's snapshot in, honest or not, and comparing stores."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from gridproof.drivers.ports import ApplicationFactory
from gridproof.drivers.snapshots import Intake, Manifest, Snapshot, SnapshotFolder, read_manifest
from gridproof.drivers.snapshots.form import content, cut
from gridproof.state import Head
from gridproof.state.store import MemoryStore, Store, Table

from tests.tiny.app import tiny

SMALL = 100  # bytes of a piece: a few entries each
CARRIED = (Table.STATE, Table.SIDE, Table.TREE)


class KilledError(BaseException):
    """Stands for SIGKILL: nobody catches it."""


def killing(step: str, time: int = 1) -> Callable[[str], None]:
    """Kills at a step, when it comes for the n-th time."""
    left = [time]

    def reached(name: str) -> None:
        left[0] -= name == step
        if name == step and left[0] == 0:
            raise KilledError

    return reached


def entries(store: Store, table: Table) -> list[tuple[bytes, bytes]]:
    """All that a table holds."""
    with store.snapshot() as moment:
        return list(moment.scan(table))


def is_empty(store: Store) -> bool:
    """Whether no table holds anything."""
    return not any(entries(store, table) for table in Table)


def chunks_of(folder: SnapshotFolder, snapshot: Snapshot) -> list[bytes]:
    """All pieces of a kept snapshot."""
    return [folder.load(snapshot.height, snapshot.format, index) for index in range(snapshot.chunks)]


def take_in(
    store: Store,
    snapshot: Snapshot,
    chunks: Sequence[bytes],
    application: ApplicationFactory = tiny,
    trusted: bytes | None = None,
    **options: Any,
) -> Head:
    """Take a snapshot in, with the app hash of its own manifest where no other is trusted; as one's own by default."""
    intake = Intake(store, application, **{"is_own": True, **options})
    intake.begin(snapshot, trusted or read_manifest(snapshot).app_hash)
    for index, chunk in enumerate(chunks):
        intake.apply(index, chunk)
    return intake.finish()


def forged(of: Snapshot, chunks: Sequence[bytes], **changes: Any) -> Snapshot:
    """A snapshot whose manifest fits its pieces, whatever they hold: what a liar would offer."""
    true = read_manifest(of)
    fields = {name: getattr(true, name) for name in Manifest.__struct_fields__}
    fields["chunks"] = tuple(sha256(chunk).digest() for chunk in chunks)
    return Snapshot.of(Manifest(**{**fields, **changes}))


def poisoned(store: Store, changes: dict[Table, dict[bytes, bytes | None]]) -> list[bytes]:
    """The pieces of a store's snapshot as they would be with some entries changed."""
    copy = MemoryStore()
    for table in Table:
        copy.write({table: dict(entries(store, table))})
    copy.write(changes)
    with copy.snapshot() as moment:
        return list(cut(content(moment), SMALL))
