"""A ledger's history as a file, taken from its database; the ledger may be running."""

from pathlib import Path

from gridproof.app import application
from gridproof.connectors.files import FileExistsAlreadyError, FileUnwritableError
from gridproof.drivers.history import StoredHistory, export_history
from gridproof.drivers.ports import Progress
from gridproof.state import Head
from gridproof.state.store import Store


def export(store: Store, path: Path, progress: Progress) -> tuple[Head, str]:
    """Write a ledger's history.

    Args:
        store: the ledger's.
        path: the file; it must not be there.
        progress: told after each block.

    Returns:
        The last block that is in it, and the chain's name.

    Raises:
        FileExistsAlreadyError: the file is there.
        FileUnwritableError: it cannot be written.
        HistoryPrunedError: the first blocks are not kept any more.
        MissingBlockError: a block is not kept.
    """
    if path.exists():
        raise FileExistsAlreadyError(path=str(path))
    stored = application(store)
    head = stored.info()  # before the snapshot, which then has all its blocks
    with store.snapshot() as snapshot:
        try:
            export_history(StoredHistory(snapshot, head), stored.chain_id, path, progress)
        except OSError as failure:
            raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    return head, stored.chain_id


def past_app_hash(store: Store, chain_id: str, height: int) -> bytes | None:
    """The app hash that a ledger had at a height, 32 bytes.

    Args:
        store: the ledger's.
        chain_id: the chain that is meant.
        height: of a block of it.

    Returns:
        None where the ledger is of another chain or does not have the height.

    Raises:
        StateError: no ledger was born there.
        StoreError: the database is damaged.
    """
    stored = application(store)
    head = stored.info()  # before the snapshot, which then has all its blocks
    if stored.chain_id != chain_id:
        return None
    with store.snapshot() as snapshot:
        return StoredHistory(snapshot, head).app_hash(height)
