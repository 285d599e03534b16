"""Mending a node's folder after something in it was lost.

| lost | what is done |
|---|---|
| what the key has signed | the record is moved past all that the network has decided, so that it never signs twice |
| the engine's blocks | the ledger's state is laid aside; the node fetches all from the others |
| the ledger's state | nothing: the engine hands its blocks over again |
| both | nothing: the node fetches all from the others |
| a backup was put back, or the node differs from the others | all of these, as `--anew` says |
| the trust in the header by which the node joins, for it is too old | a fresh header takes its place |

Where all is fetched from the others and they no longer have their first blocks, a node that never joined by a snapshot
does so now. Its header is what the asked node says (rule J-2 of `joining`), and told, to be compared.

Nothing is removed: what gives way is laid aside beside its place. The record is moved first: who is killed in between
must not find an old record beside an empty folder, which would start.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import time
from typing import Final, NamedTuple

from gridproof.connectors.engine_headers import EngineError, EngineRpc, read_height
from gridproof.connectors.files import PRIVATE_FILE, make_private_folder, write_whole
from gridproof.drivers.cometbft.engine import signer_state_file
from gridproof.drivers.embedded import FolderLock
from gridproof.drivers.errors import LedgerLockedError
from gridproof.light import header_hash

from .deciding import signer_of
from .errors import (
    NetworkUnlikeError,
    NodeRunsError,
    NothingToRecoverError,
    SignerKeyLostError,
    VoteNeededError,
)
from .folder import NodeFolder, has_blocks, height_of, signed_height
from .joining import Told, ask_network
from .settings import TRUST_S, NodeSettings, SyncSection, load, with_sync

MARGIN: Final = 20  # heights beyond the network's that the key signs nothing in
HOLD_S: Final = 1.0


class Recovered(NamedTuple):
    """What was done.

    Attributes:
        silent_until: height up to which the key signs nothing; None where its record stayed as it was.
        laid_aside: what was moved away.
        height: of the network's last block, where it was asked for that.
        trusted: height and hash of the fresh header that the node joins by; None where none was taken.
    """

    silent_until: int | None
    laid_aside: tuple[Path, ...]
    height: int | None = None
    trusted: tuple[int, bytes] | None = None


def recover(
    folder: NodeFolder, url: str, *, anew: bool = False, sure: bool = False, clock: Callable[[], float] = time
) -> Recovered:
    """Mend a node's folder, so that it can start.

    Args:
        folder: the node's; it must not run.
        url: of another node's RPC, which tells how far the network is.
        anew: lay all state aside and silence the key, as after an old backup was put back.
        sure: silence the key even where the network makes no block without its vote.
        clock: UTC epoch seconds.

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
        return _mend(folder, url, clock(), anew=anew, sure=sure)
    finally:
        lock.release()


def _mend(folder: NodeFolder, url: str, now_s: float, *, anew: bool, sure: bool) -> Recovered:
    if not folder.signer_key.is_file():
        raise SignerKeyLostError(path=str(folder.signer_key))
    signed = signed_height(folder)
    signer_lost = anew or signed is None
    blocks_lost = anew or (not has_blocks(folder) and height_of(folder) > 0)
    fresh = _fresh_header(load(folder.root), url, now_s) if blocks_lost or _has_yet_to_join(folder) else None
    if not signer_lost and not blocks_lost and fresh is None:
        raise NothingToRecoverError(folder=str(folder.root))
    silent_until = height = None
    if signer_lost:
        height = _height(folder, url, sure=sure)
        silent_until = max(height + MARGIN, (signed or 0) + 1)  # there it may have signed later rounds
        make_private_folder(folder.signer)
        write_whole(folder.signer_state, signer_state_file(silent_until), PRIVATE_FILE)
    if fresh is not None:
        write_whole(folder.settings, with_sync(folder.root, fresh))
    laid_aside = [_lay_aside(path) for path in (folder.ledger, folder.engine_data) if blocks_lost and path.exists()]
    for private in folder.private_folders:
        make_private_folder(private)
    folder.stopped.unlink(missing_ok=True)
    trusted = None if fresh is None else (fresh.height, bytes.fromhex(fresh.header_hash))
    return Recovered(silent_until, tuple(laid_aside), height, trusted)


def _has_yet_to_join(folder: NodeFolder) -> bool:
    """Whether the node has nothing yet, and fetches all from the others."""
    return not height_of(folder) and (load(folder.root).sync is not None or not has_blocks(folder))


def _fresh_header(settings: NodeSettings, url: str, now_s: float) -> SyncSection | None:
    """By which header a node that fetches all shall join; None where its settings may stay as they are.

    They may where they name none and the others still have all blocks, or where they name one that the asked node
    still has and that may still be trusted.

    Raises:
        NetworkUnlikeError: the node that is asked is of another network, has another header at the height of the one
            that is trusted, or does not tell; or its last block is too old to be trusted itself.
    """
    sync = settings.sync
    try:
        with closing(EngineRpc(url)) as rpc:
            told = ask_network(rpc)
            _require_chain(url, told.chain_id, settings.node.chain_id)
            if sync is None and told.first_height <= 1:
                return None
            if sync is not None and told.first_height <= sync.height <= told.height:
                kept = rpc.light_block(sync.height).header
                if header_hash(kept) != bytes.fromhex(sync.header_hash):
                    detail = f"its header at height {sync.height} is not the one that this node trusts"
                    raise NetworkUnlikeError(url=url, detail=detail)
                if now_s < kept.time.seconds + sync.trust_s:
                    return None
            return _latest_header(rpc, told, now_s, TRUST_S if sync is None else sync.trust_s)
    except (EngineError, KeyError, TypeError, ValueError) as wrong:
        raise NetworkUnlikeError(url=url, detail=f"{type(wrong).__name__}: {wrong}") from wrong


def _latest_header(rpc: EngineRpc, told: Told, now_s: float, trust_s: int) -> SyncSection:
    """The asked node's last header, to join by.

    Raises:
        NetworkUnlikeError: it is too old to be trusted itself.
        EngineError: the node does not tell.
    """
    latest = rpc.light_block(told.height).header
    if now_s >= latest.time.seconds + trust_s:
        detail = f"its last block is older than the {trust_s} s that a header may be trusted for; wait for new blocks"
        raise NetworkUnlikeError(url=rpc.url, detail=detail)
    digest = header_hash(latest).hex()
    return SyncSection(servers=told.servers, height=told.height, header_hash=digest, trust_s=trust_s)


def _require_chain(url: str, found: object, expected: str) -> None:
    if found != expected:
        raise NetworkUnlikeError(url=url, detail=f"it serves the chain {found!r}, this node is of {expected!r}")


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
    _require_chain(url, found, chain_id)
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
