"""A ledger's history as a file, taken from its database, where it may be running, or from a network's nodes."""

from pathlib import Path

from gridproof.app import application
from gridproof.connectors.files import FileExistsAlreadyError, FileUnwritableError
from gridproof.connectors.ledger import LedgerClient, RemoteHistory
from gridproof.drivers.history import History, StoredHistory, export_history
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
    stored = application(store)
    head = stored.info()  # before the snapshot, which then has all its blocks
    with store.snapshot() as snapshot:
        _write(StoredHistory(snapshot, head), stored.chain_id, path, progress)
    return head, stored.chain_id


def export_remote(history: RemoteHistory, path: Path, progress: Progress) -> None:
    """Write the history of a network's ledger.

    Args:
        history: as its nodes tell it.
        path: the file; it must not be there.
        progress: told after each block.

    Raises:
        FileExistsAlreadyError: the file is there.
        FileUnwritableError: it cannot be written.
        MissingBlockError: no node keeps a block any more.
        ClientError: no node answers.
    """
    _write(history, history.chain_id, path, progress)


def _write(history: History, chain_id: str, path: Path, progress: Progress) -> None:
    if path.exists():
        raise FileExistsAlreadyError(path=str(path))
    try:
        export_history(history, chain_id, path, progress)
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure


def past_app_hash_at(client: LedgerClient, chain_id: str, height: int) -> bytes | None:
    """The app hash that a ledger had at a height, 32 bytes, as its nodes tell it.

    Args:
        client: the way to the ledger.
        chain_id: the chain that is meant.
        height: of a block of it, from 1.

    Returns:
        None where the ledger is of another chain or does not have the height.

    Raises:
        ClientError: no node answers.
    """
    status = client.status()
    if status.chain_id != chain_id or not 0 < height <= status.height:
        return None
    return client.entry(height).app_hash


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
