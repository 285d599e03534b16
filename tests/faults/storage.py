"""Rows about disks: full, torn, emptied, put back; and about clocks."""

import shutil
from collections.abc import Callable
from pathlib import Path
from time import time as now_s
from typing import Final

from gridproof.actors.node.doctor import examine
from gridproof.actors.node.errors import EngineDataLostError, NodeStoppedError, SignerStateLostError
from gridproof.actors.node.recovering import Recovered, recover
from gridproof.actors.node.serving import read_stopped

from . import load
from .lab import SOCKETS, Lab, Node
from .trial import Trial
from .victims import tell

BROKEN: Final = 3
ROOM: Final = 60_000  # bytes that the ledger's file may still grow
TORN: Final = 11  # bytes that are missing at the end of a journal
FORWARD: Final = 5  # blocks that a chain goes on before a backup is put back
HOUR_S: Final = 3_600
STALL_S: Final = 60  # as long as the product's nodes: a busy machine may make no block for five


def storage(trial: Trial, engine: Path) -> None:
    """Fill, tear, empty and put back what lies on a node's disk, one after the other, under load.

    Args:
        trial: what is done.
        engine: one whose disk can be full.
    """
    with Lab(trial.folder, victims=[BROKEN], programs={BROKEN: engine}, quick=trial.quick) as lab:
        with trial.loaded(lab):
            for round_ in range(trial.times):
                for what, fault in FAULTS.items():
                    fault(lab, lab.nodes[BROKEN])
                    _require_back(lab, lab.nodes[BROKEN])
                    trial.counts[what] += 1
                    trial.tell(f"{what}, {round_ + 1} of {trial.times}")
        assert trial.counted[-1].evidence == 0, "a key signed twice"


def _require_back(lab: Lab, node: Node) -> None:
    """Wait until a node is where the others are, and its key votes again."""
    lab.until_height(lab.height() + 1, [node])
    lab.until(lambda: _votes(lab, node), "its key votes again")


def _votes(lab: Lab, node: Node) -> bool:
    """Whether a node's vote stands in the newest block that another node knows."""
    address = lab.born.members[node.number].signer.address.hex().upper()
    told = lab.nodes[0].ask("commit")["signed_header"]["commit"]["signatures"]
    return any(each["validator_address"] == address for each in told)


def _recovered(lab: Lab, node: Node, *, anew: bool = False) -> Recovered:
    done = recover(node.folder, lab.nodes[0].url, anew=anew)
    lab.start(node)
    return done


def _require_stop(node: Node, error: type[Exception], *words: str) -> None:
    """Wait until a node stopped by itself, and hold it to having said why in a sentence."""
    assert node.wait() == 1
    said = node.words().splitlines()[-1]
    assert said.startswith(error.__name__), said
    assert all(word in said for word in words), said


# --- what happens to the disk ----------------------------------------------------------------------------------------


def disk_full(lab: Lab, node: Node) -> None:
    """The ledger's file may grow no more."""
    node.end()
    tell(node.folder.root, "room", str(ROOM))
    lab.start(node)
    _require_stop(node, NodeStoppedError, "disk is full", "Make room")
    stopped = read_stopped(node.folder)
    assert stopped is not None
    assert stopped.lasts
    tell(node.folder.root, "room", "")
    lab.start(node)


def engine_disk_full(lab: Lab, node: Node) -> None:
    """The engine can write nothing any more, neither blocks nor what its key signs."""
    tell(node.folder.root, "full", "yes")
    _require_stop(node, NodeStoppedError, "no space left on device")
    tell(node.folder.root, "full", "")
    lab.start(node)


def torn_state(lab: Lab, node: Node) -> None:
    """The ledger's file ends in the middle; without it, the engine hands its blocks over again."""
    node.kill()
    database = node.folder.database / "data.mdb"
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2)
    lab.start(node)
    _require_stop(node, NodeStoppedError)
    node.lose_state()
    lab.start(node)


def torn_journal(lab: Lab, node: Node) -> None:
    """The engine's journal ends in the middle of an entry."""
    node.kill()
    journal = node.folder.engine_data / "cs.wal" / "wal"
    with journal.open("r+b") as file:
        file.truncate(max(0, journal.stat().st_size - TORN))
    lab.start(node)


def state_lost(lab: Lab, node: Node) -> None:
    """The ledger's database is gone."""
    node.kill()
    node.lose_state()
    lab.start(node)


def engine_lost(lab: Lab, node: Node) -> None:
    """The engine's blocks are gone: the node stops, says what to do, and that helps."""
    node.kill()
    node.lose_engine_data()
    lab.start(node)
    _require_stop(node, EngineDataLostError, "gridproof node recover")
    assert _recovered(lab, node).silent_until is None


def both_lost(lab: Lab, node: Node) -> None:
    """Both are gone; what the key has signed is not."""
    node.kill()
    node.lose_state()
    node.lose_engine_data()
    lab.start(node)


def signer_lost(lab: Lab, node: Node) -> None:
    """What the key has signed is gone: it is silent until the network is past all that it can have signed."""
    node.kill()
    node.folder.signer_state.unlink()
    lab.start(node)
    _require_stop(node, SignerStateLostError, "gridproof node recover")
    _require_silence(lab, node, _recovered(lab, node))


def backup_restored(lab: Lab, node: Node) -> None:
    """The whole folder is put back as it was some blocks ago, with an old record of what the key has signed."""
    node.end()
    backup = node.folder.root.with_suffix(".backup")
    shutil.copytree(node.folder.root, backup, ignore=SOCKETS)
    lab.start(node)
    lab.until_height(lab.height() + FORWARD)
    node.kill()
    shutil.rmtree(node.folder.root)
    backup.rename(node.folder.root)
    _require_silence(lab, node, _recovered(lab, node, anew=True))


def _require_silence(lab: Lab, node: Node, done: Recovered) -> None:
    """Hold a key to signing nothing up to a height, and wait until the network is past it."""
    assert done.silent_until is not None
    first = lab.nodes[0].height() + 1  # what stood in the commits before was signed before
    lab.until_height(done.silent_until, lab.running)
    address = lab.born.members[node.number].signer.address.hex().upper()
    for height in range(first, done.silent_until + 1):
        signatures = lab.nodes[0].ask("commit", height=str(height))["signed_header"]["commit"]["signatures"]
        assert all(each["validator_address"] != address for each in signatures), f"it voted at height {height}"


FAULTS: Final[dict[str, Callable[[Lab, Node], None]]] = {
    "disk full": disk_full,
    "engine's disk full": engine_disk_full,
    "torn write of the state": torn_state,
    "torn write of the engine's journal": torn_journal,
    "state lost": state_lost,
    "engine data lost": engine_lost,
    "both lost": both_lost,
    "record of the signer lost": signer_lost,
    "old backup put back": backup_restored,
}


# --- clocks ----------------------------------------------------------------------------------------------------------


def clock(trial: Trial, engine: Path) -> None:
    """Put one validator's clock an hour ahead, and an hour behind: the others go on, and its doctor says so.

    Args:
        trial: what is done.
        engine: one whose clock can be put so.
    """
    for skew_s in (HOUR_S, -HOUR_S):
        folder = trial.folder / str(skew_s)
        with Lab(folder, victims=[BROKEN], programs={BROKEN: engine}) as lab, trial.loaded(lab) as loader:
            wrong, right = lab.nodes[BROKEN], [node for node in lab.nodes if node.number != BROKEN]
            for _ in range(trial.times):
                wrong.end()
                tell(wrong.folder.root, "skew", str(skew_s))
                lab.start(wrong)
                lab.until(lambda: wrong.height() >= 0, "it answers")  # noqa: B023
                _require_nobody_else_minds(lab, loader, right)
                _require_told(lab, wrong, skew_s)
                trial.counts[f"{'ahead' if skew_s > 0 else 'behind'}"] += 1
            wrong.end()
            tell(wrong.folder.root, "skew", "")
            lab.start(wrong)
            lab.until_height(lab.height() + 1, [wrong])


def jump(trial: Trial, engine: Path) -> None:
    """Let one validator's clock jump by an hour under its running node, and back: it goes on by itself then.

    Args:
        trial: what is done.
        engine: one whose clock can jump.
    """
    with (
        Lab(trial.folder, victims=[BROKEN], programs={BROKEN: engine}, stall_s=STALL_S, quick=trial.quick) as lab,
        trial.loaded(lab) as loader,
    ):
        wrong, right = lab.nodes[BROKEN], [node for node in lab.nodes if node.number != BROKEN]
        for skew_s in (HOUR_S, -HOUR_S) * trial.times:
            lab.until(lambda: _votes(lab, wrong), "its key votes")
            tell(wrong.folder.root, "skew", str(skew_s))
            _require_nobody_else_minds(lab, loader, right)
            _require_told(lab, wrong, skew_s)
            tell(wrong.folder.root, "skew", "")
            _require_back(lab, wrong)
            assert wrong.runs, f"it did not go on by itself: {wrong.words()}"
            trial.counts[f"an hour {'ahead' if skew_s > 0 else 'behind'} and back"] += 1
            trial.tell(f"{skew_s} s and back")
        assert "No block since" not in "".join(node.words() for node in right)


def _require_nobody_else_minds(lab: Lab, loader: load.Loader, right: list[Node]) -> None:
    """Hold those whose clocks are right to going on, with the right time."""
    told = loader.count
    lab.until_height(lab.height() + FORWARD, right)
    lab.until(lambda: loader.count > told, "transactions are acknowledged")
    _require_true_time(right[0])


def _require_told(lab: Lab, wrong: Node, skew_s: int) -> None:
    """Hold a node whose clock is off to saying so."""
    lab.until(lambda: _doctor_says(wrong, skew_s), "its doctor names the clock")
    if skew_s < 0:  # whose engine refuses what is of the future
        lab.until(lambda: "clock of this machine" in wrong.words(), "its supervisor says so")


def _require_true_time(node: Node) -> None:
    """Hold the newest block's time to the true one: one validator's word does not move it."""
    time = str(node.ask("block")["block"]["header"]["time"])
    assert abs(load.seconds(time) - now_s()) < HOUR_S / 2, time


def _doctor_says(node: Node, skew_s: int) -> bool:
    findings = examine(node.folder, clock=lambda: now_s() + skew_s)
    return any(each.what == "clock" and each.is_wrong and "other nodes' clocks" in each.told for each in findings)
