"""The table of faults: what `make faults` does, and how often."""

from typing import Final

from . import byzantine, histories, processes, storage, twins
from .trial import Row, Trial
from tests.engines import engine


def _storage(trial: Trial) -> None:
    storage.storage(trial, engine("faulty"))


def _clock(trial: Trial) -> None:
    storage.clock(trial, engine("faulty"))


def _jump(trial: Trial) -> None:
    storage.jump(trial, engine("faulty"))


ROWS: Final = (
    Row(
        "kill-points",
        "application killed before and after each of the six block calls",
        "same hash, nothing lost",
        50,
        2,
        processes.kill_points,
    ),
    Row(
        "chaos",
        "kill, pause, disconnect, restart at random; 4 and 7 validators, under load",
        "no fork, every acknowledged transaction present once",
        100,
        5,
        processes.chaos,
    ),
    Row("third", "more than a third of the power down", "halts, says so, resumes", 20, 1, processes.third),
    Row(
        "proposer",
        "byzantine proposer: bad signature, malformed, duplicate, oversize, wrong nonce order",
        "every block refused, the proposer in each node's log",
        200,
        3,
        byzantine.proposer,
    ),
    Row(
        "sender",
        "byzantine sender: wrong total, wrong price, late batch, second live set",
        "the same number on every node, nothing changed",
        200,
        3,
        byzantine.sender,
    ),
    Row(
        "equivocation",
        "a validator signs two blocks",
        "evidence lands, its power is taken, the others go on",
        10,
        1,
        byzantine.equivocation,
    ),
    Row(
        "twins",
        "two nodes with one voting key: a folder is copied and both run, with one node key and with two",
        "kept out, or a stop with a sentence; else evidence lands and the power is taken; no fork, no stall",
        10,
        1,
        twins.twins,
    ),
    Row(
        "storage",
        "disk full, the engine's disk full, torn writes, state lost, engine data lost, both lost, "
        "signer's record lost, old backup put back",
        "clean stop with a sentence, the right recovery, never a double signature",
        10,
        1,
        _storage,
    ),
    Row("clock", "one validator's clock an hour ahead, an hour behind", "no stall, and the node says so", 3, 1, _clock),
    Row(
        "jump",
        "one validator's clock jumps by an hour and back under its node",
        "no stall, the node says so, and goes on by itself",
        3,
        1,
        _jump,
    ),
    Row(
        "foreign",
        "two networks with the same keys; transactions and votes of the one brought to the other",
        "refused by the chain's id",
        5,
        1,
        byzantine.foreign,
    ),
    Row(
        "histories",
        "one recorded history replayed embedded and by the network's service",
        "same app hash at every height",
        3,
        1,
        histories.histories,
    ),
)
BY_NAME: Final = {row.name: row for row in ROWS}
