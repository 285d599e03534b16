"""Mending a node's folder after something in it was lost.

| lost | what is done |
|---|---|
| what the key has signed | the record is moved past all that the network has decided, so that it never signs twice |
| the engine's blocks | the ledger's state is laid aside; the node fetches all from the others |
| the ledger's state | nothing: the engine hands its blocks over again |
| both | nothing: the node fetches all from the others |
| a backup was put back, or the node differs from the others | all of these, as `--anew` says |

Nothing is removed: what gives way is laid aside beside its place.
"""

import json
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.connectors.engine_headers import EngineError, EngineRpc
from gridproof.connectors.files import PRIVATE_FILE, FileError, make_private_folder, read_limited, write_whole
from gridproof.drivers.cometbft.engine import signer_state_file
from gridproof.drivers.embedded import FolderLock
from gridproof.drivers.errors import LedgerLockedError

from .errors import NetworkUnlikeError, NodeRunsError, NothingToRecoverError
from .folder import NodeFolder, has_blocks, height_of

MARGIN: Final = 20  # heights beyond the network's that the key signs nothing in
MAX_STATE: Final = 2**16
HOLD_S: Final = 1.0


class Recovered(NamedTuple):
    """What was done.

    Attributes:
        silent_until: height up to which the key signs nothing; None where its record stayed as it was.
        laid_aside: what was moved away.
    """

    silent_until: int | None
    laid_aside: tuple[Path, ...]


def recover(folder: NodeFolder, url: str, *, anew: bool = False) -> Recovered:
    """Mend a node's folder, so that it can start.

    Args:
        folder: the node's; it must not run.
        url: of another node's RPC, which tells how far the network is.
        anew: lay all state aside and silence the key, as after an old backup was put back.

    Raises:
        NodeRunsError: it runs; nothing was changed.
        NothingToRecoverError: nothing is missing; nothing was changed.
        NetworkUnlikeError: the other node does not tell how far the network is; nothing was changed.
        FileUnwritableError: the folder cannot be written.
    """
    folder.require_node()
    try:
        lock = FolderLock(folder.root, HOLD_S)  # so that it does not start meanwhile
    except LedgerLockedError as held:
        raise NodeRunsError(folder=str(folder.root)) from held
    try:
        return _mend(folder, url, anew=anew)
    finally:
        lock.release()


def _mend(folder: NodeFolder, url: str, *, anew: bool) -> Recovered:
    signer_lost = anew or not folder.signer_state.is_file()
    blocks_lost = anew or (not has_blocks(folder) and height_of(folder) > 0)
    if not signer_lost and not blocks_lost:
        raise NothingToRecoverError(folder=str(folder.root))
    silent_until = max(_height(url) + MARGIN, _signed(folder)) if signer_lost else None
    laid_aside = [_lay_aside(path) for path in (folder.ledger, folder.engine_data) if blocks_lost and path.exists()]
    for private in folder.private_folders:
        make_private_folder(private)
    if silent_until is not None:
        write_whole(folder.signer_state, signer_state_file(silent_until), PRIVATE_FILE)
    folder.stopped.unlink(missing_ok=True)
    return Recovered(silent_until, tuple(laid_aside))


def _height(url: str) -> int:
    try:
        with closing(EngineRpc(url)) as rpc:
            return rpc.latest_height()
    except EngineError as wrong:
        raise NetworkUnlikeError(url=url, detail=str(wrong)) from wrong


def _signed(folder: NodeFolder) -> int:
    """Up to which height the key has signed, as far as its record tells: the node that is asked may be behind."""
    try:
        return int(json.loads(read_limited(folder.signer_state, MAX_STATE))["height"])
    except (FileError, ValueError, KeyError, TypeError, RecursionError):
        return 0


def _lay_aside(path: Path) -> Path:
    number = 1
    while (place := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    return path.rename(place)
