"""Rows about processes that die, stop, lose their wires and come back."""

import signal
from collections.abc import Mapping, Sequence
from typing import Final

from .lab import Lab, Node
from .load import Loader
from .trial import Trial
from .victims import asked, tell

CALLS: Final = ("check_tx", "init_chain", "prepare_proposal", "process_proposal", "finalize_block", "commit")
STEPS: Final = tuple(f"{when} {call}" for call in CALLS for when in ("before", "after"))
BIRTH: Final = ("before init_chain", "after init_chain")
TOGETHER: Final = tuple(
    steps
    for call in CALLS
    for pair in [(f"before {call}", f"after {call}")]
    for steps in ([(step,) for step in pair] if pair == BIRTH else [pair])
)
KILLED: Final = "was killed"
PAUSED: Final = ("application", "engine", "supervisor")
LONGEST_S: Final = 2.0
IN_A_ROW: Final = 3  # faults of one node before it is waited for


# --- killed at each step ---------------------------------------------------------------------------------------------


def kill_points(trial: Trial) -> None:
    """Kill the application before and after each call of a block, under load: two nodes at a time, at two steps.

    Who begins anew does so alone: two of four that lose what they know of votes, but not what their keys have signed,
    are more than a network of four bears.
    """
    with Lab(trial.folder, victims=range(4), quick=trial.quick) as lab, trial.loaded(lab):
        for round_ in range(trial.times):
            for first, steps in enumerate(TOGETHER):
                nodes = [lab.nodes[(first + round_ + at) % len(lab.nodes)] for at in range(len(steps))]
                _kill_at(lab, dict(zip(steps, nodes, strict=True)))
                trial.counts.update(steps)
                trial.tell(f"killed {' and '.join(steps)}, {round_ + 1} of {trial.times}")


def _kill_at(lab: Lab, victims: Mapping[str, Node]) -> None:
    """Let applications kill themselves at steps, and wait until their nodes are where the others are."""
    said = {step: node.words().count(KILLED) for step, node in victims.items()}
    for step, node in victims.items():
        if step in BIRTH:  # only who begins anew meets it
            node.end()
            node.lose_state()
            node.lose_engine_data()
        tell(node.folder.root, "kill_at", step)
        if step in BIRTH:
            lab.start(node)
    for step, node in victims.items():
        lab.until(lambda: not asked(node.folder.root, "kill_at"), f"node {node.number} is killed {step}")  # noqa: B023
        lab.until(lambda: node.words().count(KILLED) > said[step], "its supervisor says so")  # noqa: B023
    lab.until_height(lab.height(), victims.values())


# --- at random -------------------------------------------------------------------------------------------------------


def chaos(trial: Trial) -> None:
    """Kill, pause, disconnect and restart nodes at random, in networks of four and of seven, under load."""
    for count in (4, 7):
        _chaos(trial, count, trial.times)


def chaos_of_four(trial: Trial) -> None:
    """The same in a network of four only."""
    _chaos(trial, 4, trial.times)


def _chaos(trial: Trial, count: int, times: int) -> None:
    folder = trial.folder / str(count)
    at_once = (count - 1) // 3
    left = [(what, time) for what in ACTIONS for time in range(times)]
    trial.chance.shuffle(left)
    with Lab(folder, count, links=True, victims=range(count), quick=trial.quick) as lab, trial.loaded(lab) as loader:
        while left:
            nodes = trial.chance.sample(lab.nodes, trial.chance.randint(1, at_once))
            done: list[str] = []
            for _ in range(trial.chance.randint(1, IN_A_ROW)):
                done += _break(trial, lab, loader, [(node, left.pop()[0]) for node in nodes if left])
            with trial.measured("back after a fault"):
                lab.until_height(lab.height() + 1, nodes)
            trial.counts.update(f"{what}, {count} nodes" for what in done)
            trial.tell(f"{count} nodes: {', '.join(done)}; {len(left)} to come")


def _break(trial: Trial, lab: Lab, loader: Loader, faults: Sequence[tuple[Node, str]]) -> list[str]:
    """Break nodes, see that the others go on, and mend them; who was broken before may still be on its way back."""
    for node, what in faults:
        ACTIONS[what][0](trial, lab, node)
    told = loader.count
    lab.until(lambda: loader.count > told or bool(loader.failures), "the others go on")
    trial.nap(LONGEST_S)
    for node, what in faults:
        ACTIONS[what][1](trial, lab, node)
    return [what for _, what in faults]


def _kill(trial: Trial, lab: Lab, node: Node) -> None:
    which = trial.chance.choice(("application", "engine", "all"))
    if which == "all":
        node.kill()
    else:
        lab.until(lambda: node.send(signal.SIGKILL, which), f"the {which} of node {node.number} is there")


def _start_again(_trial: Trial, lab: Lab, node: Node) -> None:
    if node.process is None:
        lab.start(node)


def _pause(trial: Trial, lab: Lab, node: Node) -> None:
    which = trial.chance.choice(PAUSED)
    lab.until(lambda: node.send(signal.SIGSTOP, which), f"the {which} of node {node.number} is there")


def _go_on(_trial: Trial, lab: Lab, node: Node) -> None:
    for which in PAUSED:
        node.send(signal.SIGCONT, which)


def _disconnect(_trial: Trial, lab: Lab, node: Node) -> None:
    assert lab.links is not None
    lab.links.cut(node.number)


def _connect(_trial: Trial, lab: Lab, node: Node) -> None:
    assert lab.links is not None
    lab.links.mend(node.number)


def _end(_trial: Trial, lab: Lab, node: Node) -> None:
    assert node.end() in (0, -signal.SIGTERM), node.words()  # the latter before it listens to signals


ACTIONS: Final = {
    "kill": (_kill, _start_again),
    "pause": (_pause, _go_on),
    "disconnect": (_disconnect, _connect),
    "restart": (_end, _start_again),
}


# --- more than a third -----------------------------------------------------------------------------------------------


def third(trial: Trial) -> None:
    """Take more than a third of the power away: no block comes; give enough back, and the network goes on."""
    with Lab(trial.folder, links=True, quick=trial.quick) as lab, trial.loaded(lab) as loader:
        for time in range(trial.times):
            gone = trial.chance.sample(lab.nodes, 2)
            _halt(lab, gone, loader)
            with trial.measured("resumed once enough are back"):
                height = lab.height()
                lab.start(gone[0])
                lab.until(lambda: lab.height() > height, "blocks come again")  # noqa: B023
            lab.start(gone[1])
            lab.until_height(lab.height(), gone)
            trial.counts["halted and resumed"] += 1
            trial.tell(f"halted and resumed, {time + 1} of {trial.times}")


def _halt(lab: Lab, gone: Sequence[Node], loader: Loader) -> None:
    """Kill nodes, and hold the others to saying that no block comes while none does."""
    left = [node for node in lab.nodes if node not in gone]
    for node in gone:
        node.kill()
    said = {node.number: node.words().count("No block since height") for node in left}
    lab.until(
        lambda: all(node.words().count("No block since height") > said[node.number] for node in left),
        "the others say that no block comes",
    )
    height, acknowledged = lab.height(), loader.count
    lab.until(
        lambda: all(int(node.ask("num_unconfirmed_txs")["n_txs"]) > 0 for node in left), "transactions wait everywhere"
    )
    assert lab.height() == height, "a block came without two thirds of the power"
    late = loader.acknowledged()[acknowledged:]  # such as stand in the last block, and were not asked for before
    assert all(each.height <= height for each in late), "something was acknowledged that stands in no block"
