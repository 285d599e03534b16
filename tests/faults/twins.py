"""A row about a folder that was copied: two nodes that vote with one key."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from gridproof.actors.node.doctor import examine
from gridproof.actors.node.settings import load, render
from gridproof.cli.node import LASTS
from gridproof.drivers.cometbft.engine import node_key_file

from .byzantine import voting_keys
from .lab import PRODUCT, SOCKETS, VICTIM, Lab, Node
from .load import Loader
from .town import stranger
from .trial import Trial
from .victims import tell
from tests.kvstore_network import free_ports

COPIED: Final = 3
OWN: Final = 9  # the copy's number, and the last of its address
FORWARD: Final = 5
LASTING_NS: Final = 10**9
SAYS: Final = ("does not start again by itself", "another node votes with the same key")


def twins(trial: Trial) -> None:
    """Copy a node's folder and run both: as it is, with another node key, and where neither hears of the other."""
    for time in range(trial.times):
        with (
            Lab(trial.folder / str(time), quick=trial.quick) as lab,
            trial.loaded(lab) as loader,
            _copied(lab, lab.nodes[COPIED]) as twin,
        ):
            _kept_out(lab, loader, twin)
            trial.counts["kept out by the others"] += 1
            twin.folder.node_key.write_bytes(node_key_file(stranger(time)))
            if _stops(lab, twin):
                trial.counts["stopped with a sentence"] += 1
            _go_on_deaf(lab, twin)
            lab.until(lambda: len(voting_keys(lab.nodes[0])) == 3, "the key's power is taken")
            assert lab.born.members[COPIED].signer.public not in voting_keys(lab.nodes[0])
            trial.counts["evidence landed, power taken"] += 1
            told = loader.count
            lab.until(lambda: loader.count > told, "the others go on")  # noqa: B023
            lab.until_height(lab.height() + FORWARD, [*lab.running, twin])
        assert trial.counted[-1].evidence > 0


@contextmanager
def _copied(lab: Lab, node: Node) -> Iterator[Node]:
    """A copy of a node's folder, with addresses of its own; the node runs on."""
    host = f"{node.host.rpartition('.')[0]}.{OWN}"
    twin = Node(OWN, node.folder.root.with_name("twin"), host, free_ports([host]))
    node.end()
    shutil.copytree(node.folder.root, twin.folder.root, ignore=SOCKETS)
    lab.start(node)
    p2p, rpc = (f"{host}:{port}" for port in twin.ports)
    settings = load(twin.folder.root)
    engine = replace(settings.engine, p2p=p2p, external=p2p, rpc=rpc)
    twin.folder.settings.write_bytes(render(replace(settings, engine=engine)))
    try:
        lab.until_height(lab.height(), [node])
        # Each lets in whom it meets first, so the copy comes when all have the node.
        lab.until(lambda: _is_back(lab, node), "the node is back with all others")
        yield twin
    finally:
        twin.kill()


def _is_back(lab: Lab, node: Node) -> bool:
    """Whether a node and all others have been connected for a moment: of two that dialled each other one goes again."""
    name = lab.born.members[node.number].node_key.address.hex()
    others = [each for each in lab.nodes if each is not node]
    told = [node.ask("net_info")["peers"]]
    told += [[peer for peer in each.ask("net_info")["peers"] if peer["node_info"]["id"] == name] for each in others]
    lasting = [sum(int(peer["connection_status"]["Duration"]) > LASTING_NS for peer in peers) for peers in told]
    return lasting == [len(others), *(1 for _ in others)]


def _kept_out(lab: Lab, loader: Loader, twin: Node) -> None:
    """Start the copy as it is: the others know its node key already, and it hears of nothing."""
    twin.start(PRODUCT)
    lab.until(lambda: twin.height() >= 0, "the copy answers")
    told = loader.count
    lab.until_height(lab.height() + FORWARD)
    lab.until(lambda: loader.count > told, "the network goes on")
    lab.until(
        lambda: any(each.what == "peers" and "no copy of this node" in each.told for each in examine(twin.folder)),
        "its doctor speaks of a copy",
    )
    assert twin.height() < lab.height()
    twin.end()


def _stops(lab: Lab, twin: Node) -> bool:
    """Start the copy with another node key; whether one of both has stopped before the power was taken."""
    both = (lab.nodes[COPIED], twin)
    twin.start(PRODUCT)
    lab.until(
        lambda: not all(node.runs for node in both) or len(voting_keys(lab.nodes[0])) == 3,
        "one of both stops, or the power is taken",
    )
    stopped = [node for node in both if not node.runs]
    for node in stopped:
        assert node.wait() == (LASTS if node is twin else 1)  # the other one is a victim
        assert all(each in node.words() for each in SAYS), node.words()
    return bool(stopped)


def _go_on_deaf(lab: Lab, twin: Node) -> None:
    """Start both anew, such as do not hear of one another; who has heard may have stopped meanwhile, or be about to."""
    for node in (lab.nodes[COPIED], twin):
        if node.process is not None:
            node.end()
        tell(node.folder.root, "deaf", "yes")
        node.start(VICTIM)
