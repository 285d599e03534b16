"""A node for a company that comes later: made from what a running network tells.

Rules:
    J-1 Genesis and peers are taken from the node that is asked. Who lies there can only make a node that finds nobody:
        it believes no block that the validators did not sign.
    J-2 From a snapshot it joins by a header that it is told to trust. Where none is given, the one of the node that is
        asked is taken, and its hash is told, to be compared with what other members say.
    J-3 Blocks from the first one on are fetched instead where the network is young and still has them: that needs no
        trust but in the genesis document.
"""

import json
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from gridproof.actors import credentials
from gridproof.actors.randomness import Randomness
from gridproof.connectors.engine_headers import (
    EngineAnswerError,
    EngineError,
    EngineRefusedError,
    EngineRpc,
    EngineUnreachableError,
)
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.secret_files import NoSecretFileError, SecretFiles, WrongPassphraseError
from gridproof.drivers.cometbft.engine import EngineKey
from gridproof.drivers.cometbft.errors import GenesisDiffersError
from gridproof.drivers.cometbft.service import read_app_state
from gridproof.light import header_hash
from gridproof.primitives.hashing import HASH_SIZE

from .deciding import names_of
from .errors import CompanyUnknownError, KeysOfAnotherError, NetworkUnlikeError
from .folder import NodeFolder
from .founding import Birth, make_node
from .settings import EngineSection, FiguresSection, NodeSection, NodeSettings, SyncSection

YOUNG: Final = 5_000  # blocks that are fetched one by one rather than by a snapshot


class JoinOrder(NamedTuple):
    """What a newcomer wants.

    Attributes:
        name: the company's, as the ledger knows it.
        url: of a running node's RPC.
        rpc: where the new node serves its own, `host:port`.
        p2p: where it listens for the others, `host:port`.
        external: what the others call that, `host:port`.
        figures: where it serves figures; none where empty.
        commit_ms: as the other nodes have it.
        keys: the company's key file, or None.
        trusted: height and hash of a header that is trusted, or None.
        by_snapshot: whether to join by a snapshot; None decides by the network's age.
    """

    name: str
    url: str
    rpc: str
    p2p: str
    external: str
    figures: FiguresSection = FiguresSection()
    commit_ms: int = 1_000
    keys: bytes | None = None
    trusted: tuple[int, bytes] | None = None
    by_snapshot: bool | None = None

    def __repr__(self) -> str:
        return f"JoinOrder({self.name}, {self.url})"  # its keys are secret


class Made(NamedTuple):
    """A node that was made.

    Attributes:
        folder: its folder.
        chain_id: name of the chain.
        peers: how many nodes it knows.
        trusted: height and hash of the header that it joins by; None where it fetches all blocks.
    """

    folder: NodeFolder
    chain_id: str
    peers: int
    trusted: tuple[int, bytes] | None


class Told(NamedTuple):
    """What a running node tells of its network.

    Attributes:
        chain_id: name of the chain.
        height: of its last block.
        first_height: of the first block that it still has.
        peers: nodes to keep a connection with, `id@host:port`.
        servers: addresses of nodes' RPC, at least two.
    """

    chain_id: str
    height: int
    first_height: int
    peers: tuple[str, ...]
    servers: tuple[str, ...]


def join_network(root: Path, order: JoinOrder, randomness: Randomness) -> Made:
    """Make a node's folder from what a network tells.

    Args:
        root: not there yet, or empty.
        order: what is wanted.
        randomness: where the node's keys come from.

    Raises:
        NodeFolderTakenError: the folder is not empty; nothing was made.
        NetworkUnlikeError: the node that was asked does not answer as one of a network does.
        NodeSettingsError: what it told, or the order, makes no valid settings; nothing was made.
        FolderUnmadeError: it cannot be written; nothing is left of it.
    """
    try:
        with closing(EngineRpc(order.url)) as rpc:
            told = ask_network(rpc)
            genesis = rpc.ask("genesis")["genesis"]
            trusted = _trusted(rpc, order, told)
        document = read_app_state(json.dumps(genesis["app_state"]).encode())
    except (EngineError, GenesisDiffersError, KeyError, TypeError, ValueError) as wrong:
        raise NetworkUnlikeError(url=order.url, detail=_reason(wrong)) from wrong
    signer, node_key = EngineKey(randomness(HASH_SIZE)), EngineKey(randomness(HASH_SIZE))
    engine_genesis = json.dumps(genesis, indent=2, ensure_ascii=False).encode() + b"\n"
    birth = Birth(_settings(order, told, trusted), signer, node_key, document, engine_genesis, order.keys)
    return Made(make_node(root, birth), told.chain_id, len(told.peers), trusted)


def _reason(wrong: Exception) -> str:
    if isinstance(wrong, EngineAnswerError):
        return f"{wrong.what}: {wrong.detail}"
    if isinstance(wrong, (EngineUnreachableError, EngineRefusedError, GenesisDiffersError)):
        return wrong.detail
    return "its answer lacks what a node tells, or has another form"


def require_owner(client: LedgerClient, secrets: SecretFiles, path: Path, name: str) -> None:
    """Return if a key file is the company's that it shall speak for.

    Args:
        client: the way to the ledger, which knows the companies.
        secrets: opens the file, where it is sealed.
        path: the file.
        name: the company's.

    Raises:
        CompanyUnknownError: the ledger does not know the company.
        KeysOfAnotherError: the file is another participant's.
        FileError, SecretFileError: it cannot be read, or is nobody's.
        ClientError: no answer came.
    """
    names = names_of(client).values()
    if name not in names:
        raise CompanyUnknownError(name=name, known=", ".join(names))
    try:
        credentials.read(secrets, path, name)
    except (NoSecretFileError, WrongPassphraseError):
        for other in names:
            with suppress(NoSecretFileError, WrongPassphraseError):
                credentials.read(secrets, path, other)
                raise KeysOfAnotherError(path=str(path), name=name, owner=other) from None
        raise


def ask_network(rpc: EngineRpc) -> Told:
    """Ask a running node about its network.

    Raises:
        EngineError, KeyError, TypeError, ValueError: it does not answer as one of a network does.
    """
    status = rpc.ask("status")
    infos = [status["node_info"], *(peer["node_info"] for peer in rpc.ask("net_info")["peers"])]
    peers = tuple(f"{info['id']}@{_bare(info['listen_addr'])}" for info in infos)
    servers = (rpc.url, *(f"http://{rpc_of(info)}" for info in infos[1:]))
    sync = status["sync_info"]
    return Told(
        str(status["node_info"]["network"]),
        int(sync["latest_block_height"]),
        int(sync["earliest_block_height"]),
        peers,
        (*servers, rpc.url)[: max(2, len(servers))],  # the engine wants two, even where there is one
    )


def rpc_of(info: dict[str, Any]) -> str:
    """Where a node serves its RPC, `host:port`, by its engine's own words: under the host by which others reach it."""
    host = _bare(info["listen_addr"]).rpartition(":")[0]
    port = str(info["other"]["rpc_address"]).rpartition(":")[2]
    return f"{host}:{port}"


def _bare(address: str) -> str:
    return str(address).removeprefix("tcp://")


def _trusted(rpc: EngineRpc, order: JoinOrder, told: Told) -> tuple[int, bytes] | None:
    """The header to join by, or None (rules J-2 and J-3).

    Raises:
        NetworkUnlikeError: the node that is asked has another one at that height.
    """
    by_snapshot = order.by_snapshot
    if by_snapshot is None:
        by_snapshot = told.first_height > 1 or told.height > YOUNG or order.trusted is not None
    if not by_snapshot:
        return None
    height, given = order.trusted or (told.height, None)
    seen = header_hash(rpc.light_block(height).header)
    if given not in (None, seen):
        raise NetworkUnlikeError(
            url=order.url, detail=f"its header at height {height} is {seen.hex()}, you trust {given.hex()}"
        )
    return height, seen


def _settings(order: JoinOrder, told: Told, trusted: tuple[int, bytes] | None) -> NodeSettings:
    sync = (
        None if trusted is None else SyncSection(servers=told.servers, height=trusted[0], header_hash=trusted[1].hex())
    )
    return NodeSettings(
        node=NodeSection(name=order.name, chain_id=told.chain_id),
        engine=EngineSection(
            rpc=order.rpc, p2p=order.p2p, external=order.external, peers=told.peers, commit_ms=order.commit_ms
        ),
        figures=order.figures,
        sync=sync,
    )
