"""Making a node's folder: keys, genesis, settings; all or nothing."""

from pathlib import Path
from typing import NamedTuple

from gridproof.actors.community.staging import holds, staged
from gridproof.connectors.files import (
    PRIVATE_FILE,
    make_private_folder,
    write_whole,
)
from gridproof.drivers.cometbft.engine import EngineKey, node_key_file, signer_file, signer_state_file

from .errors import NodeFolderTakenError
from .folder import NodeFolder
from .settings import FILE_NAME, NodeSettings, render, require_valid


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
    require_free(root)
    with staged(root, FILE_NAME) as staging:
        _fill(NodeFolder(staging), birth)
    return NodeFolder(root)


def require_free(root: Path) -> None:
    """Return if a folder is not there yet, or empty.

    Raises:
        NodeFolderTakenError: it is there and not empty, or is no folder.
        FolderUnmadeError: it cannot be looked into.
    """
    if root.exists() and (not root.is_dir() or holds(root)):
        raise NodeFolderTakenError(folder=str(root))


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
