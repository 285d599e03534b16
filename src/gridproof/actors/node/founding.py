"""Making a node's folder: keys, genesis, settings; all or nothing."""

import glob
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NamedTuple

from gridproof.actors.community.errors import FolderUnmadeError
from gridproof.connectors.files import (
    PRIVATE_FILE,
    FileUnwritableError,
    make_private_folder,
    sync_folder,
    write_whole,
)
from gridproof.drivers.cometbft.engine import EngineKey, node_key_file, signer_file, signer_state_file

from .errors import NodeFolderTakenError
from .folder import NodeFolder
from .settings import NodeSettings, render, require_valid

STAGING: Final = ".gridproof-node."
_RANDOM_PART: Final = 8  # characters that `mkdtemp` adds


class Birth(NamedTuple):
    """What a node is made from.

    Attributes:
        settings: its settings.
        signer: the key that votes on blocks.
        node_key: the key by which other nodes know it.
        genesis: the ledger's genesis document.
        engine_genesis: the engine's.
        keys: the company's own sealed or plain key file, or None where it keeps that elsewhere.
    """

    settings: NodeSettings
    signer: EngineKey
    node_key: EngineKey
    genesis: bytes
    engine_genesis: bytes
    keys: bytes | None = None

    def __repr__(self) -> str:
        return f"Birth({self.settings.node.name})"  # its keys are secret


def make_node(root: Path, birth: Birth) -> NodeFolder:
    """Make a node's folder.

    Args:
        root: not there yet, or empty.
        birth: what it is made from.

    Raises:
        NodeFolderTakenError: it is there and not empty; nothing was made.
        NodeSettingsError: the settings have a fault; nothing was made.
        FolderUnmadeError: it cannot be written; nothing is left of it.
    """
    require_valid(birth.settings)
    root = root.absolute()
    with staged(root) as staging:
        _fill(NodeFolder(staging), birth)
    return NodeFolder(root)


@contextmanager
def staged(root: Path) -> Iterator[Path]:
    """A folder to fill, which takes the wanted one's place if the block around it ends well.

    What one that was killed left for the same place is removed first, for it holds secrets.

    Raises:
        NodeFolderTakenError: the wanted one is there and not empty; nothing was made.
        FolderUnmadeError: the disk or the folder above does not take it; nothing is left of it.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise NodeFolderTakenError(folder=str(root))
    prefix = f"{STAGING}{root.name}."
    try:
        make_private_folder(root.parent)
        for leftover in root.parent.glob(f"{glob.escape(prefix)}{'?' * _RANDOM_PART}"):
            shutil.rmtree(leftover)
        staging = Path(mkdtemp(prefix=prefix, dir=root.parent))
        try:
            yield staging
            if root.exists():
                root.rmdir()
            staging.rename(root)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        sync_folder(root.parent)
    except FileUnwritableError as wrong:
        raise FolderUnmadeError(folder=str(root), detail=wrong.detail) from wrong
    except OSError as wrong:
        raise FolderUnmadeError(folder=str(root), detail=wrong.strerror or str(wrong)) from wrong


def _fill(folder: NodeFolder, birth: Birth) -> None:
    for private in folder.private_folders:
        make_private_folder(private)
    write_whole(folder.signer_key, signer_file(birth.signer), PRIVATE_FILE)
    write_whole(folder.signer_state, signer_state_file(), PRIVATE_FILE)
    write_whole(folder.node_key, node_key_file(birth.node_key), PRIVATE_FILE)
    write_whole(folder.engine_genesis, birth.engine_genesis)
    write_whole(folder.genesis, birth.genesis)
    if birth.keys is not None:
        write_whole(folder.key_file(birth.settings.node.name), birth.keys, PRIVATE_FILE)
    write_whole(folder.settings, render(birth.settings))
