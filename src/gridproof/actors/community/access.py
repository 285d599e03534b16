"""Reaching a community's ledger: in this process when nobody runs it, else through the node's socket; or at the nodes
of the network that keeps it.

No command needs to know which. Two that come at once wait for each other for a moment.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final, NamedTuple

from gridproof.app import application
from gridproof.connectors.config import Ledger, load
from gridproof.connectors.ledger import (
    InProcessClient,
    LedgerClient,
    NetworkClient,
    NodeUnreachableError,
    RemoteHistory,
    SocketClient,
)
from gridproof.connectors.patience import Patience
from gridproof.connectors.secret_files import erase_leftovers
from gridproof.drivers.embedded import EmbeddedLedger, FolderLock
from gridproof.drivers.errors import LedgerLockedError
from gridproof.state.genesis import genesis_hash
from gridproof.state.store import LmdbStore

from .agreement import chain_of, own_genesis, require_agreement, require_kind
from .errors import AtWorkError, LedgerElsewhereError, LedgerGoneError
from .folder import Folder

PATIENCE_S: Final = 30.0  # a busy machine takes some seconds from the lock to the socket
_PAUSE_S: Final = 0.05


class Reached(NamedTuple):
    """A ledger that can be asked.

    Attributes:
        client: the way to it.
        ledger: the ledger itself where this process holds it, or None.
        network: the same client where the ledger is a network, or None.
    """

    client: LedgerClient
    ledger: EmbeddedLedger | None
    network: NetworkClient | None = None


@contextmanager
def reached(folder: Folder, patience_s: float = PATIENCE_S) -> Iterator[Reached]:
    """Reach the ledger, and let it go at the end.

    Args:
        folder: the community's.
        patience_s: how long to wait for a process that holds the ledger and does not answer.

    Raises:
        LedgerGoneError: there is no ledger in the folder.
        LedgerLockedError: another process holds it all the time and answers nobody.
        StoreError: the database is damaged or cannot be opened.
        FolderUnusableError: the folder cannot be written to.
        GenesisError, FileUnreadableError: the folder's genesis document, which names a network's chain, is none.
    """
    network = network_of(folder)
    if network is not None:
        try:
            yield Reached(network, None, network)
        finally:
            network.close()
        return
    deadline = monotonic() + patience_s
    while True:
        client = _node(folder)
        if client is not None:
            try:
                yield Reached(client, None)
            finally:
                client.close()
            return
        try:
            ledger = held(folder)
        except LedgerLockedError:
            if monotonic() >= deadline:
                raise
            sleep(_PAUSE_S)
            continue
        with ledger:
            yield Reached(InProcessClient(ledger), ledger)
        return


def network_of(folder: Folder) -> NetworkClient | None:
    """The way to the network that keeps the community's ledger; None where the ledger is in the folder.

    Raises:
        SettingsDifferError: the settings are wrong about which of the two it is.
        GenesisError, FileUnreadableError: the folder's genesis document, which names the chain, is none.
        NodesUnreachableError: a node's address is none.
    """
    ledger = _ledger_settings(folder)
    return NetworkClient(ledger.nodes, chain_of(folder)) if ledger.kind == "network" else None


def _ledger_settings(folder: Folder) -> Ledger:
    """What the settings say of the ledger, held to what kind it is; the folder's own where there are no settings."""
    if not folder.config.exists():
        return Ledger()
    settings = load(folder.config)
    require_kind(folder, settings)
    return settings.ledger


def held(folder: Folder) -> EmbeddedLedger:
    """Open the ledger in this process, which then holds it alone.

    Raises:
        LedgerElsewhereError: a network keeps it.
        LedgerGoneError: there is no ledger in the folder.
        LedgerLockedError: another process holds it.
        StoreError: the database is damaged or cannot be opened.
        FolderUnusableError: the folder cannot be written to.
    """
    require_ledger(folder)
    return EmbeddedLedger.at(folder.ledger, application)


def hold(folder: Folder, patience_s: float = PATIENCE_S) -> EmbeddedLedger:
    """Open the ledger in this process to run it, waiting a moment for those who only ask something.

    Raises:
        SettingsDifferError: the folder's settings contradict the ledger.
        ForeignLedgerError: the ledger is another community's.
        LedgerGoneError: there is no ledger in the folder.
        LedgerLockedError: another process holds it all the time.
        StoreError: the database is damaged or cannot be opened.
        FolderUnusableError: the folder cannot be written to.
    """
    deadline = monotonic() + patience_s
    while True:
        try:
            ledger = held(folder)
            break
        except LedgerLockedError:
            if monotonic() >= deadline or _answers(folder):
                raise
            sleep(_PAUSE_S)
    try:
        require_agreement(folder, load(folder.config), InProcessClient(ledger))
    except BaseException:
        ledger.close()
        raise
    return ledger


@contextmanager
def at_helm(folder: Folder, patience_s: float = PATIENCE_S) -> Iterator[Reached]:
    """Reach the ledger to run the community: one in the folder is held by this process, a network needs nobody.

    Raises:
        SettingsDifferError: the folder's settings contradict the ledger.
        ForeignLedgerError: the ledger is another community's.
        LedgerGoneError: there is no ledger in the folder.
        LedgerLockedError: another process holds it all the time.
        StoreError: the database is damaged or cannot be opened.
        FolderUnusableError: the folder cannot be written to.
        ClientError: no node of the network answers.
    """
    network = network_of(folder)
    if network is None:
        with hold(folder, patience_s) as ledger:
            yield Reached(InProcessClient(ledger), ledger)
        return
    try:
        require_agreement(folder, load(folder.config), network)
        yield Reached(network, None, network)
    finally:
        network.close()


def history_of(folder: Folder, network: NetworkClient) -> RemoteHistory:
    """The history of a network's ledger, as its nodes tell it; its genesis document is held against the folder's.

    Raises:
        ForeignLedgerError: the genesis document is another community's.
        GenesisError, FileUnreadableError: the folder's own is none.
        ClientError: no node answers.
    """
    history = RemoteHistory(network)
    own_genesis(folder, history.chain_id, genesis_hash(history.genesis))
    return history


@contextmanager
def stored(folder: Folder) -> Iterator[LmdbStore]:
    """The ledger's database for reading only; the ledger may be running.

    Raises:
        LedgerElsewhereError: a network keeps it.
        LedgerGoneError: there is no ledger in the folder.
        StoreError: the database is damaged or cannot be opened.
    """
    require_ledger(folder)
    store = LmdbStore(str(folder.database), read_only=True)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def at_work(folder: Folder, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Act for the participants, alone: their files have one writer.

    What a process that was killed in the middle of a writing left of their secrets is erased first: it may hold keys
    that no month's end would find.

    Args:
        folder: the community's.
        patience_s: how long to wait for another process that does so.

    Raises:
        AtWorkError: another process does so all the time.
        FolderUnusableError: the folder of secrets cannot be written to.
        FileUnwritableError: such a remainder cannot be erased.
    """
    lock = _lock(folder, patience_s)
    try:
        for holder in folder.secret_folders:
            erase_leftovers(holder)
        yield
    finally:
        lock.release()


def _lock(folder: Folder, patience_s: float) -> FolderLock:
    """Take the lock; somebody is told of a long wait for it."""
    with suppress(LedgerLockedError):
        return FolderLock(folder.secrets)
    with closing(Patience()) as patience, patience.over("another process that acts for the participants", patience_s):
        try:
            return FolderLock(folder.secrets, patience_s)
        except LedgerLockedError as held_by:
            raise AtWorkError(held_by=held_by.held_by) from held_by


def require_ledger(folder: Folder) -> None:
    """Return if there is a ledger in the folder; a lost one must never be begun anew.

    Raises:
        SettingsDifferError: the settings say that it is here, and a network keeps it, or the other way round.
        LedgerElsewhereError: a network keeps it.
        LedgerGoneError: there is none.
    """
    if _ledger_settings(folder).kind == "network":
        raise LedgerElsewhereError(folder=str(folder.root))
    if not folder.database.is_dir():
        raise LedgerGoneError(folder=str(folder.ledger))


def _node(folder: Folder) -> SocketClient | None:
    if not Path(folder.socket).exists():
        return None
    client = SocketClient(folder.socket)
    try:
        client.status()
    except NodeUnreachableError:  # a dead node's socket, or one that is just going
        client.close()
        return None
    except BaseException:
        client.close()
        raise
    return client


def _answers(folder: Folder) -> bool:
    client = _node(folder)
    if client is not None:
        client.close()
    return client is not None
