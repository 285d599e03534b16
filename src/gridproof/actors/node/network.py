"""A network's founding: the community's folder, and a folder for each company, to be sent to it.

| path | whose |
|---|---|
| `community/` | the operator's: a community's folder whose ledger is the network |
| `NAME/`, blanks as hyphens | the company's node (`folder`), with the company's own keys in it |

All or nothing: everything is made in a folder beside the wanted one and put in place at the end.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import randbelow
from typing import Any, Final, NamedTuple

import msgspec

from gridproof.actors.community import Founded, found
from gridproof.actors.community.folder import Folder, file_stem
from gridproof.actors.community.founding import Network
from gridproof.actors.community.staging import staged
from gridproof.actors.randomness import Randomness
from gridproof.connectors.config import Settings
from gridproof.connectors.files import read_private
from gridproof.connectors.secret_files import SecretFiles
from gridproof.drivers.cometbft.engine import EngineKey, genesis_file
from gridproof.modules.consensus.keeper import NAME as CONSENSUS
from gridproof.primitives.hashing import HASH_SIZE
from gridproof.state import Validator
from gridproof.state.genesis import parse_genesis

from .errors import AddressTakenError, NodeFolderTakenError, NoNetworkError
from .folder import NodeFolder
from .founding import Birth, make_node, require_free
from .settings import EngineSection, FiguresSection, KeepSection, NodeSection, NodeSettings
from .supervisor import is_free

COMMUNITY: Final = "community"
POWER: Final = 10
P2P_PORT: Final = 26_656
RPC_PORT: Final = 26_657
ENGINE_FIGURES_PORT: Final = 26_660
NODE_FIGURES_PORT: Final = 26_661
MAX_KEY_FILE: Final = 2**16
TRIES: Final = 100  # to find free addresses


class Seat(NamedTuple):
    """Where a company's node is.

    Attributes:
        name: the company's, as the ledger shall know it.
        host: under which the others reach it.
        listen: address that it listens at; the same as `host` on one machine.
    """

    name: str
    host: str
    listen: str


class Shape(NamedTuple):
    """How a network's nodes are set.

    Attributes:
        seats: where they are, one a company.
        commit_ms: how long a node waits for late votes after a block, milliseconds.
        keep: what nodes keep.
        ports: of peers, clients, the engine's and the node's figures.
        figures: whether nodes serve figures.
    """

    seats: tuple[Seat, ...]
    commit_ms: int = 1_000
    keep: KeepSection = KeepSection()
    ports: tuple[int, int, int, int] = (P2P_PORT, RPC_PORT, ENGINE_FIGURES_PORT, NODE_FIGURES_PORT)
    figures: bool = True


class Order(NamedTuple):
    """What is to be made.

    Attributes:
        settings: of the community; each aggregator is a company with a node.
        shape: how the nodes are set; a seat for each aggregator.
        start_s: ledger time at the start, UTC epoch seconds, between two periods.
        now_s: UTC epoch seconds.
        tariff: what shall stand in the tariff's file, a valid one.
    """

    settings: Settings
    shape: Shape
    start_s: int
    now_s: int
    tariff: bytes | None = None


class FoundedNetwork(NamedTuple):
    """A network that was made.

    Attributes:
        root: the folder of all.
        community: what was founded in it.
        nodes: folders of the companies' nodes, by name.
    """

    root: Path
    community: Founded
    nodes: Mapping[str, Path]


class NodeKeys(NamedTuple):
    """A node's own keys.

    Attributes:
        signer: votes on blocks.
        node: by it other nodes know it.
    """

    signer: EngineKey
    node: EngineKey


def found_network(root: Path, order: Order, secrets: SecretFiles, randomness: Randomness) -> FoundedNetwork:
    """Make a network's folders.

    Args:
        root: not there yet, or empty.
        order: what is to be made.
        secrets: seals what is secret, where there is a passphrase.
        randomness: where keys come from.

    Raises:
        NodeFolderTakenError: the folder is not empty, or two companies would share one; nothing was made.
        NodeSettingsError: a host is none; nothing was made.
        NameReservedError, FolderUnmadeError, GenesisError: as for a community; nothing was made.
    """
    shape = order.shape
    require_apart([seat.name for seat in shape.seats])
    root = root.absolute()
    require_free(root)
    with staged(root, COMMUNITY) as staging:
        keys = draw_keys(shape, randomness)
        sections = genesis_sections(keys)
        settings, start_s = with_nodes(order.settings, shape), order.start_s
        community = staging / COMMUNITY
        made = found(community, settings, start_s, secrets, randomness, order.tariff, network=Network(sections))
        make_nodes(staging, shape, keys, Folder(community, settings.paths), min(start_s, order.now_s))
    nodes = {seat.name: root / folder_name(seat.name) for seat in shape.seats}
    there = Folder(root / COMMUNITY, settings.paths)
    made = made._replace(root=there.root, genesis=there.genesis, recovery=there.recovery)
    return FoundedNetwork(root, made, nodes)


def nodes_in(root: Path) -> tuple[NodeFolder, ...]:
    """The nodes whose folders lie in a network's, by name.

    Raises:
        NoNetworkError: there is none.
    """
    found_ = sorted((NodeFolder(path.parent) for path in root.glob("*/node.toml")), key=lambda each: each.root.name)
    if not found_:
        raise NoNetworkError(folder=str(root.absolute()))
    return tuple(found_)


def require_apart(names: Sequence[str]) -> None:
    """Return if each company has a folder of its own.

    Raises:
        NodeFolderTakenError: two would share one, or one would be the community's.
    """
    taken = {COMMUNITY}
    for name in names:
        place = folder_name(name)
        if place.casefold() in taken:
            raise NodeFolderTakenError(folder=place)
        taken.add(place.casefold())


def folder_name(name: str) -> str:
    """The name of a company's folder in a network's: easy to type."""
    return file_stem(name.replace(" ", "-"))


def free_subnet(count: int, ports: Sequence[int] = (P2P_PORT, RPC_PORT)) -> str:
    """Loopback addresses of this machine at which nobody listens, chosen by chance: two who choose at once differ.

    Args:
        count: how many nodes.
        ports: that each of them needs.

    Returns:
        The first three numbers, such as `127.40.7`.

    Raises:
        AddressTakenError: there are none.
    """
    for _ in range(TRIES):
        subnet = f"127.{1 + randbelow(254)}.{randbelow(256)}"
        if all(is_free(f"{subnet}.{node}", port) for node in range(1, count + 1) for port in ports):
            return subnet
    raise AddressTakenError(
        setting="addresses", address="127.1.0 to 127.254.255", detail="something listens wherever it was tried"
    )


def loopback_seats(names: Sequence[str], subnet: str) -> tuple[Seat, ...]:
    """Seats on one machine: an address of the loopback network each, with equal ports.

    Args:
        names: of the companies.
        subnet: the first three numbers, such as `127.0.1`.
    """
    return tuple(Seat(name, f"{subnet}.{number}", f"{subnet}.{number}") for number, name in enumerate(names, 1))


def draw_keys(shape: Shape, randomness: Randomness) -> dict[str, NodeKeys]:
    """Draw the keys of a network's nodes, by company."""
    return {
        seat.name: NodeKeys(EngineKey(randomness(HASH_SIZE)), EngineKey(randomness(HASH_SIZE))) for seat in shape.seats
    }


def genesis_sections(keys: Mapping[str, NodeKeys]) -> dict[str, Any]:
    """What a ledger's genesis document says of a network: its sections, by module."""
    validators = [{"participant": name, "key": each.signer.public.hex(), "power": POWER} for name, each in keys.items()]
    return {CONSENSUS: {"validators": validators}}


def make_nodes(
    place: Path, shape: Shape, keys: Mapping[str, NodeKeys], community: Folder, genesis_time_s: int
) -> list[NodeFolder]:
    """Make the folders of a network's nodes, each with its company's own keys.

    Args:
        place: the folder that they shall lie in.
        shape: how they are set.
        keys: their own.
        community: whose genesis document and keys of companies are there.
        genesis_time_s: UTC epoch seconds, not in the future.

    Raises:
        NodeFolderTakenError: one is there already.
        FileError: a file cannot be read or written.
    """
    genesis = community.genesis.read_bytes()
    chain_id = parse_genesis(genesis).chain_id
    validators = [(name, Validator(0, each.signer.public, POWER)) for name, each in keys.items()]
    engine_genesis = genesis_file(chain_id, genesis, genesis_time_s, validators)
    return [
        make_node(
            place / folder_name(seat.name),
            Birth(
                settings=_node_settings(seat, shape, keys, chain_id),
                signer=keys[seat.name].signer,
                node_key=keys[seat.name].node,
                genesis=genesis,
                engine_genesis=engine_genesis,
                keys=read_private(community.key_file(seat.name), MAX_KEY_FILE),
            ),
        )
        for seat in shape.seats
    ]


def _node_settings(seat: Seat, shape: Shape, keys: Mapping[str, NodeKeys], chain_id: str) -> NodeSettings:
    p2p, rpc, engine_figures, node_figures = shape.ports
    peers = tuple(f"{keys[other.name].node.address.hex()}@{other.host}:{p2p}" for other in shape.seats if other != seat)
    figures = FiguresSection(node=f"{seat.listen}:{node_figures}", engine=f"{seat.listen}:{engine_figures}")
    return NodeSettings(
        node=NodeSection(name=seat.name, chain_id=chain_id),
        engine=EngineSection(
            rpc=f"{seat.listen}:{rpc}",
            p2p=f"{seat.listen}:{p2p}",
            external=f"{seat.host}:{p2p}",
            peers=peers,
            commit_ms=shape.commit_ms,
        ),
        figures=figures if shape.figures else FiguresSection(),
        keep=shape.keep,
    )


def with_nodes(settings: Settings, shape: Shape) -> Settings:
    """A community's settings with a network's addresses in them."""
    nodes = tuple(f"http://{seat.host}:{shape.ports[1]}" for seat in shape.seats)
    return msgspec.structs.replace(
        settings, ledger=msgspec.structs.replace(settings.ledger, kind="network", nodes=nodes)
    )
