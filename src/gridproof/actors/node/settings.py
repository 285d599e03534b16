"""A node's settings, `node.toml`: where it listens, whom it knows, what it keeps."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from gridproof.connectors.files import read_limited

from .errors import NodeSettingsError

FILE_NAME: Final = "node.toml"
MAX_SIZE: Final = 2**20
TRUST_S: Final = 14 * 86_400
_PORT: Final = r"(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
_HOST_PORT: Final = rf"^[A-Za-z0-9.:\[\]-]{{1,255}}:{_PORT}\Z"
_HOST_PORT_OR_NONE: Final = rf"^([A-Za-z0-9.:\[\]-]{{1,255}}:{_PORT})?\Z"
_TABLE: Final = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_PEER: Final = rf"^[0-9a-f]{{40}}@[A-Za-z0-9.:\[\]-]{{1,255}}:{_PORT}\Z"

Address = Annotated[str, Meta(pattern=_HOST_PORT)]
MaybeAddress = Annotated[str, Meta(pattern=_HOST_PORT_OR_NONE)]
Peer = Annotated[str, Meta(pattern=_PEER)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class NodeSection(Section, frozen=True):
    """Whose node it is."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    chain_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,50}\Z")]


class EngineSection(Section, frozen=True):
    """The engine."""

    rpc: Address
    p2p: Address
    external: Address
    peers: tuple[Peer, ...] = ()
    commit_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1_000
    program: str = ""
    log_level: Annotated[str, Meta(max_length=200)] = "info"


class FiguresSection(Section, frozen=True):
    """Figures for Prometheus; served nowhere where an address is empty."""

    node: MaybeAddress = ""
    engine: MaybeAddress = ""


class KeepSection(Section, frozen=True):
    """What is kept, and what others may fetch.

    Attributes:
        blocks: how many of the last blocks, at least; 0 keeps all.
        snapshot_every: blocks between two snapshots of the state; 0 makes none.
        snapshots: how many.
    """

    blocks: Annotated[int, Meta(ge=0, le=2**40)] = 0
    snapshot_every: Annotated[int, Meta(ge=0, le=2**40)] = 1_000
    snapshots: Annotated[int, Meta(ge=1, le=100)] = 2


class WatchSection(Section, frozen=True):
    """When the node is taken for hung, seconds."""

    application_s: Annotated[int, Meta(ge=5, le=86_400)] = 120
    stall_s: Annotated[int, Meta(ge=5, le=86_400)] = 60


class SyncSection(Section, frozen=True):
    """How the node joined: by a snapshot, from a header that it was told to trust.

    Attributes:
        servers: addresses of nodes' RPC, at least two.
        height: of the trusted header.
        header_hash: its hash, 64 hexadecimal digits.
        trust_s: for how long it may be trusted, seconds.
    """

    servers: Annotated[tuple[str, ...], Meta(min_length=2)]
    height: Annotated[int, Meta(ge=1)]
    header_hash: Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{64}\Z")]
    trust_s: Annotated[int, Meta(ge=60)] = TRUST_S


class NodeSettings(Section, frozen=True):
    """All settings of a node."""

    node: NodeSection
    engine: EngineSection
    figures: FiguresSection = FiguresSection()
    keep: KeepSection = KeepSection()
    watch: WatchSection = WatchSection()
    sync: SyncSection | None = None


def load(folder: Path) -> NodeSettings:
    """Read a node's settings.

    Args:
        folder: the node's.

    Raises:
        NodeSettingsError: they have a fault, which is named.
        FileError: the file cannot be read.
    """
    path = folder / FILE_NAME
    try:
        raw = tomllib.loads(read_limited(path, MAX_SIZE).decode("utf-8-sig"))
        return msgspec.convert(raw, NodeSettings)
    except (ValueError, RecursionError) as wrong:
        raise NodeSettingsError(path=str(path), detail=str(wrong)) from wrong


def render(settings: NodeSettings) -> bytes:
    """A node's settings as a file for people."""
    node, engine, figures, keep = settings.node, settings.engine, settings.figures, settings.keep
    watch, sync = settings.watch, settings.sync
    lines = [
        "# A node of a gridproof network. `gridproof node start` reads this file at every start.",
        "",
        "[node]",
        f"name = {_toml(node.name)}                # the company, as the ledger knows it",
        f"chain_id = {_toml(node.chain_id)}",
        "",
        "[engine]",
        f"rpc = {_toml(engine.rpc)}               # where clients ask; keep it on a trusted network",
        f"p2p = {_toml(engine.p2p)}               # where it listens for the other nodes",
        f"external = {_toml(engine.external)}     # what the other nodes call that",
        "peers = [",
        *(f"  {_toml(peer)}," for peer in engine.peers),
        "]",
        f"commit_ms = {engine.commit_ms}           # how long it waits for late votes after a block, milliseconds",
        f"program = {_toml(engine.program)}       # path of `cometbft`; empty looks for it",
        f"log_level = {_toml(engine.log_level)}",
        "",
        "[figures]                # for Prometheus, host:port; empty serves none",
        f"node = {_toml(figures.node)}",
        f"engine = {_toml(figures.engine)}",
        "",
        "[keep]",
        f"blocks = {keep.blocks}                  # so many of the last blocks, at least; 0 keeps all",
        f"snapshot_every = {keep.snapshot_every}  # blocks between snapshots, which new nodes fetch; 0: none",
        f"snapshots = {keep.snapshots}",
        "",
        "[watch]                  # seconds after which it is taken for hung",
        f"application_s = {watch.application_s}",
        f"stall_s = {watch.stall_s}",
    ]
    if sync is not None:
        lines += ["", *_sync_lines(sync)]
    return ("\n".join(lines) + "\n").encode()


def _sync_lines(sync: SyncSection) -> list[str]:
    return [
        "[sync]                   # how this node joined: by a snapshot, from a header that it trusts",
        f"servers = [{', '.join(map(_toml, sync.servers))}]",
        f"height = {sync.height}",
        f"header_hash = {_toml(sync.header_hash)}",
        f"trust_s = {sync.trust_s}",
    ]


def with_sync(folder: Path, sync: SyncSection) -> bytes:
    """A node's settings as a file with another section `sync`; all else stands there as it did, notes included.

    Args:
        folder: the node's.
        sync: the new section.

    Raises:
        NodeSettingsError: the file has a fault, or the section cannot be told from the rest of it.
        FileError: the file cannot be read.
    """
    wanted = msgspec.structs.replace(load(folder), sync=sync)
    kept: list[str] = []
    within = False
    for line in read_limited(folder / FILE_NAME, MAX_SIZE).decode("utf-8-sig").splitlines():
        table = _TABLE.match(line)
        within = table[1] == "sync" if table else within
        if not within or line.lstrip().startswith("#"):
            kept.append(line)
    raw = "\n".join([*kept, *([""] if kept and kept[-1] else []), *_sync_lines(sync)]) + "\n"
    try:
        found = msgspec.convert(tomllib.loads(raw), NodeSettings)
    except ValueError as wrong:
        raise NodeSettingsError(path=str(folder / FILE_NAME), detail=str(wrong)) from wrong
    if found != wanted:
        raise NodeSettingsError(path=str(folder / FILE_NAME), detail="its section sync cannot be replaced: remove it")
    return raw.encode()


def require_valid(settings: NodeSettings) -> None:
    """Return if a file of these settings could be read again: they may hold what others told.

    Raises:
        NodeSettingsError: they have a fault, which is named.
    """
    try:
        msgspec.convert(tomllib.loads(render(settings).decode()), NodeSettings)
    except ValueError as wrong:
        raise NodeSettingsError(path=FILE_NAME, detail=str(wrong)) from wrong


def _toml(text: str) -> str:
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
