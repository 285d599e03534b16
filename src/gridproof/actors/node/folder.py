"""A node's folder: what lies where.

| path | content | whose |
|---|---|---|
| `node.toml` | settings | the company's |
| `genesis.json` | what the ledger was born with | public |
| `engine/` | the engine's settings, its genesis, its key for talking to other nodes, its blocks | the node's |
| `signer/key.json` | the key that votes on blocks | **the node's secret** |
| `signer/state.json` | what it has signed last, so that it never signs twice | the node's |
| `secrets/keys/` | the company's own keys, which sign its messages | **the company's secret** |
| `ledger/` | the ledger's database | the node's |
| `snapshots/` | states that new nodes fetch | public |
| `logs/` | what node and engine say | the node's |
| `stopped.json` | why the node stopped, where it does not go on by itself | the node's |

Folders have mode 0700, secrets 0600. The signer lies apart from the engine's data: that may be fetched again, and what
a key has signed may not be forgotten.
"""

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from gridproof.actors.community.folder import MAX_SOCKET_PATH, file_stem
from gridproof.connectors.files import FileError, make_private_folder, read_limited
from gridproof.drivers.embedded.ledger import DATABASE_NAME
from gridproof.drivers.errors import FolderUnusableError
from gridproof.drivers.snapshots import head_of
from gridproof.state.store import LmdbStore

from .errors import NoNodeError
from .settings import FILE_NAME

SOCKET: Final = "node.sock"
MAX_STATE: Final = 2**16


class NodeFolder:
    """Knows the places of a node's folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.settings = self.root / FILE_NAME
        self.genesis = self.root / "genesis.json"
        self.engine = self.root / "engine"
        self.engine_config = self.engine / "config"
        self.engine_data = self.engine / "data"
        self.engine_genesis = self.engine_config / "genesis.json"
        self.node_key = self.engine_config / "node_key.json"
        self.signer = self.root / "signer"
        self.signer_key = self.signer / "key.json"
        self.signer_state = self.signer / "state.json"
        self.secrets = self.root / "secrets"
        self.keys = self.secrets / "keys"
        self.ledger = self.root / "ledger"
        self.database = self.ledger / DATABASE_NAME
        self.snapshots = self.root / "snapshots"
        self.logs = self.root / "logs"
        self.node_log = self.logs / "node.log"
        self.engine_log = self.logs / "engine.log"
        self.stopped = self.root / "stopped.json"
        self.pid = self.root / "node.pid"

    @property
    def socket(self) -> Path:
        """Where the engine finds the Application: in the folder, or under a short name where that is too long.

        Raises:
            FileUnwritableError: the place for short names cannot be made.
            FolderUnusableError: somebody else made that place, or others may enter it.
        """
        path = self.root / SOCKET
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
        holder = Path(tempfile.gettempdir()) / f"gridproof-{os.getuid()}"
        make_private_folder(holder)
        there = holder.lstat()  # anybody may make a folder of that name there before
        if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.getuid() or there.st_mode & 0o077:
            raise FolderUnusableError(folder=str(holder), detail="it is not this user's alone")
        return holder / f"{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:24]}.sock"

    @property
    def private_folders(self) -> tuple[Path, ...]:
        """Folders that only their owner may enter."""
        return (
            self.root,
            self.engine,
            self.engine_config,
            self.engine_data,
            self.signer,
            self.secrets,
            self.keys,
            self.ledger,
            self.snapshots,
            self.logs,
        )

    @property
    def secret_files(self) -> list[Path]:
        """All files that hold secrets, those that are there."""
        found = [self.signer_key, self.node_key, *self.keys.glob("*")]
        return sorted(path for path in found if path.is_file())

    def key_file(self, name: str) -> Path:
        """Where the company's keys lie.

        Args:
            name: the company's.
        """
        return self.keys / f"{file_stem(name)}.key"

    def require_node(self) -> None:
        """Return if there is a node in the folder.

        Raises:
            NoNodeError: there is none.
        """
        if not self.settings.is_file():
            raise NoNodeError(folder=str(self.root))


def has_blocks(folder: NodeFolder) -> bool:
    """Whether the engine has blocks, as far as its files tell."""
    return (folder.engine_data / "blockstore.db").is_dir()


def signed_height(folder: NodeFolder) -> int | None:
    """Up to which height the node's key has signed, as far as its record tells; None where there is none to read."""
    try:
        height = int(json.loads(read_limited(folder.signer_state, MAX_STATE))["height"])
    except (FileError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return height if height >= 0 else None


def height_of(folder: NodeFolder) -> int:
    """Height of the ledger's state in a node's folder; 0 where there is none.

    Raises:
        StoreError: the database cannot be read.
    """
    if not folder.database.is_dir():
        return 0
    store = LmdbStore(str(folder.database), read_only=True)
    try:
        with store.snapshot() as moment:
            head = head_of(moment)
        return 0 if head is None else head.height
    finally:
        store.close()
