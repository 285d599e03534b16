"""Putting a backup in the place of a community's ledger that is gone."""

from pathlib import Path
from typing import NamedTuple

from gridproof.app import application
from gridproof.connectors.config import load
from gridproof.drivers.blocks import find_genesis
from gridproof.drivers.embedded import restore
from gridproof.drivers.embedded.ledger import DATABASE_NAME
from gridproof.drivers.errors import BackupError
from gridproof.drivers.ports import Progress
from gridproof.drivers.verification import Report
from gridproof.state.genesis import genesis_hash, parse_genesis
from gridproof.state.store import LmdbStore, StoreError

from .agreement import ForeignLedgerError, own_genesis
from .errors import CommunityError, LedgerElsewhereError
from .folder import Folder


class ForeignBackupError(CommunityError):
    """The backup is another community's than this folder; nothing was put in place. Use a backup of its own ledger."""

    backup: str
    genesis: str


class Restored(NamedTuple):
    """A ledger that was put back.

    Attributes:
        place: its folder.
        report: what the verification of its history found.
        lacks: what a community's folder needs besides, and the given one has not.
    """

    place: Path
    report: Report
    lacks: tuple[str, ...]


def put_back(backup: Path, root: Path, progress: Progress) -> Restored:
    """Put a backup in place.

    Args:
        backup: a folder that a backup made.
        root: a community's folder without a ledger, or any new folder, which then is the ledger's.
        progress: told after each block.

    Raises:
        ForeignBackupError: the community's genesis document is not the backup's; nothing was put in place.
        LedgerElsewhereError: a network keeps the community's ledger; nothing was put in place.
        BackupError: there is a ledger, or the backup is not whole or not true; nothing was put in place.
        ConfigInvalidError: the community's settings have faults.
        DriverError: the ledger's folder is held by another process, or cannot be used.
    """
    if not Folder(root).config.exists():
        report = restore(backup, root, application, progress)
        return Restored(root, report, ("genesis.json", "gridproof.toml", "secrets/"))
    settings = load(Folder(root).config)
    if settings.ledger.kind == "network":
        raise LedgerElsewhereError(folder=str(root))
    folder = Folder(root, settings.paths)
    _require_own(backup, folder)
    report = restore(backup, folder.ledger, application, progress)
    lacks = tuple(str(path) for path in (folder.genesis, folder.secrets) if not path.exists())
    return Restored(folder.ledger, report, lacks)


def _require_own(backup: Path, folder: Folder) -> None:
    raw = _genesis_of(backup)
    if raw is None:
        return  # no backup of a ledger: told when it is looked at
    chain_id = parse_genesis(raw).chain_id
    try:
        own_genesis(folder, chain_id, genesis_hash(raw))
    except ForeignLedgerError as foreign:
        raise ForeignBackupError(backup=foreign.ledger, genesis=foreign.genesis) from foreign


def _genesis_of(backup: Path) -> bytes | None:
    try:
        store = LmdbStore(str(backup / DATABASE_NAME), read_only=True)
        try:
            with store.snapshot() as snapshot:
                return find_genesis(snapshot)
        finally:
            store.close()
    except StoreError as wrong:
        raise BackupError(path=str(backup), detail=str(wrong)) from wrong
