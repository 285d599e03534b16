"""Mending a node's folder after something in it was lost.

| lost | what is done |
|---|---|
| what the key has signed | the record is moved past all that the network has decided, so that it never signs twice |
| the engine's blocks | the ledger's state is laid aside; the node fetches all from the others |
| the ledger's state | nothing: the engine hands its blocks over again |
| both | nothing: the node fetches all from the others |
| a backup was put back, or the node differs from the others | all of these, as `--anew` says |

Nothing is removed: what gives way is laid aside beside its place. The record is moved first: who is killed in between
must not find an old record beside an empty folder, which would start.
"""

from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.connectors.engine_headers import EngineError, EngineRpc, read_height
from gridproof.connectors.files import PRIVATE_FILE, make_private_folder, write_whole
from gridproof.drivers.cometbft.engine import signer_state_file
from gridproof.drivers.embedded import FolderLock
from gridproof.drivers.errors import LedgerLockedError

from .deciding import signer_of
from .errors import (
    NetworkUnlikeError,
    NodeRunsError,
    NothingToRecoverError,
    SignerKeyLostError,
    VoteNeededError,
)
from .folder import NodeFolder, has_blocks, height_of, signed_height
from .settings import load

MARGIN: Final = 20  # heights beyond the network's that the key signs nothing in
HOLD_S: Final = 1.0


class Recovered(NamedTuple):
    """What was done.

    Attributes:
        silent_until: height up to which the key signs nothing; None where its record stayed as it was.
        laid_aside: what was moved away.
    """

    silent_until: int | None
    laid_aside: tuple[Path, ...]


def recover(folder: NodeFolder, url: str, *, anew: bool = False, sure: bool = False) -> Recovered:
    """Mend a node's folder, so that it can start.

    Args:
        folder: the node's; it must not run.
        url: of another node's RPC, which tells how far the network is.
        anew: lay all state aside and silence the key, as after an old backup was put back.
        sure: silence the key even where the network makes no block without its vote.

    Raises:
        NodeSettingsError, FileError, EngineFileError: its settings or its key cannot be read; nothing was changed.
        NodeRunsError: it runs; nothing was changed.
        SignerKeyLostError: the key that votes is gone, which nothing brings back; nothing was changed.
        NothingToRecoverError: nothing is missing; nothing was changed.
        NetworkUnlikeError: the other node does not tell how far this node's network is; nothing was changed.
        VoteNeededError: the network would stand still for good; nothing was changed.
        FileUnwritableError: the folder cannot be written.
    """
    folder.require_node()
    try:
        lock = FolderLock(folder.root, HOLD_S)  # so that it does not start meanwhile
    except LedgerLockedError as held:
        raise NodeRunsError(folder=str(folder.root)) from held
    try:
        return _mend(folder, url, anew=anew, sure=sure)
    finally:
        lock.release()


def _mend(folder: NodeFolder, url: str, *, anew: bool, sure: bool) -> Recovered:
    if not folder.signer_key.is_file():
        raise SignerKeyLostError(path=str(folder.signer_key))
    signed = signed_height(folder)
    signer_lost = anew or signed is None
    blocks_lost = anew or (not has_blocks(folder) and height_of(folder) > 0)
    if not signer_lost and not blocks_lost:
        raise NothingToRecoverError(folder=str(folder.root))
    silent_until = None
    if signer_lost:
        height = _height(folder, url, sure=sure)
        silent_until = max(height + MARGIN, (signed or 0) + 1)  # there it may have signed later rounds
        make_private_folder(folder.signer)
        write_whole(folder.signer_state, signer_state_file(silent_until), PRIVATE_FILE)
    laid_aside = [_lay_aside(path) for path in (folder.ledger, folder.engine_data) if blocks_lost and path.exists()]
    for private in folder.private_folders:
        make_private_folder(private)
    folder.stopped.unlink(missing_ok=True)
    return Recovered(silent_until, tuple(laid_aside))


def _height(folder: NodeFolder, url: str, *, sure: bool) -> int:
    """How far the network is, by one of its nodes that is not behind; its validators must do without this one's vote.

    Raises:
        NetworkUnlikeError: it is of another network, behind, or does not tell.
        VoteNeededError: they cannot.
    """
    key = signer_of(folder)
    chain_id = load(folder.root).node.chain_id
    try:
        with closing(EngineRpc(url)) as rpc:
            status = rpc.ask("status")
            height = read_height(status)
            found, is_behind = status["node_info"]["network"], status["sync_info"]["catching_up"]
            validators = rpc.validators(height)
    except (EngineError, KeyError, TypeError) as wrong:
        raise NetworkUnlikeError(url=url, detail=f"{type(wrong).__name__}: {wrong}") from wrong
    if found != chain_id:
        raise NetworkUnlikeError(url=url, detail=f"it serves the chain {found!r}, this node is of {chain_id!r}")
    if is_behind is not False:
        raise NetworkUnlikeError(url=url, detail="it still fetches the blocks that others made")
    total = sum(each.power for each in validators)
    own = sum(each.power for each in validators if each.key == key.public)
    if own and 3 * (total - own) <= 2 * total and not sure:
        raise VoteNeededError(blocks=MARGIN, power=own, total=total)
    return height


def _lay_aside(path: Path) -> Path:
    number = 1
    while (place := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    return path.rename(place)
