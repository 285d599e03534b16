"""The story told on a network: validators of this machine, one of which is killed in the middle and comes back.

Nothing of the story knows of it: only the way to the ledger differs, and all must come out the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import TimeoutExpired
from time import monotonic, sleep, time
from typing import Any, Final, NamedTuple

from gridproof.actors.clock import Clock
from gridproof.actors.community import Folder
from gridproof.actors.community.founding import Network
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.network import (
    Shape,
    draw_keys,
    free_subnet,
    genesis_sections,
    loopback_seats,
    make_nodes,
)
from gridproof.actors.node.program import find_engine
from gridproof.actors.node.running import NodeStatus, await_nodes, start_node, statuses_of
from gridproof.actors.randomness import system
from gridproof.connectors.config import Ledger
from gridproof.connectors.files import make_private_folder
from gridproof.connectors.ledger import LedgerClient, NetworkClient
from gridproof.state.genesis import parse_genesis

from .story import AGGREGATORS, Venue

LEAST: Final = 4  # so that one may be down
FOLDER: Final = "nodes"
COMMIT_MS: Final = 10
KILLED_AT: Final = 1 / 3  # of the way
BACK_AT: Final = 2 / 3
AGREEMENT_S: Final = 90.0
LOOK_S: Final = 0.1
END_S: Final = 40.0

Progress = Callable[[int, int], None]


class Agreement(NamedTuple):
    """How the nodes stood at the end.

    Attributes:
        validators: how many.
        killed: whose node was killed in the middle; empty where it did not come to that.
        killed_after: steps of the story that were done then.
        back_after: steps that were done when it was started again.
        height: the least that all of them have.
        app_hash: their app hash; empty where they do not agree.
    """

    validators: int
    killed: str
    killed_after: int
    back_after: int
    height: int
    app_hash: str

    @property
    def is_well(self) -> bool:
        """Whether a node was killed and came back, and all agree."""
        return bool(self.app_hash and self.killed and self.back_after)


class Stage:
    """A network on this machine, for the story.

    Args:
        validators: how many, at least 4.
        subnet: their addresses' first three numbers; free ones where none is given.

    Raises:
        EngineMissingError, EngineVersionError: there is no engine.
        AddressTakenError: there are no free addresses.
    """

    def __init__(self, validators: int, subnet: str = "") -> None:
        find_engine()
        names = (*AGGREGATORS, *(f"company {number}" for number in range(len(AGGREGATORS) + 1, validators + 1)))
        shape = Shape(loopback_seats(names, ""), figures=False)
        seats = loopback_seats(names, subnet or free_subnet(validators, shape.ports[:2]))
        self._shape = shape._replace(seats=seats, commit_ms=COMMIT_MS)
        self._keys = draw_keys(self._shape, system)
        self._urls = tuple(f"http://{seat.host}:{shape.ports[1]}" for seat in seats)
        self._nodes: list[NodeFolder] = []
        self._processes: list[Any] = []
        self._victim = validators - 1
        self._killed_after = self._back_after = 0
        self.agreement: Agreement | None = None

    @property
    def venue(self) -> Venue:
        """Where the story's ledger is."""
        companies = tuple(seat.name for seat in self._shape.seats[len(AGGREGATORS) :])
        network = Network(genesis_sections(self._keys), companies)
        return Venue(self._open, Ledger(kind="network", nodes=self._urls), network, self._rest)

    def watch(self, progress: Progress) -> Progress:
        """Progress that kills a node in the middle of the story, and starts it again later."""

        def step(done: int, total: int) -> None:
            if not self._killed_after and done >= total * KILLED_AT:
                self._killed_after = done
                self._processes[self._victim].kill()
                self._processes[self._victim].wait()
            elif self._killed_after and not self._back_after and done >= total * BACK_AT:
                self._back_after = done
                self._processes[self._victim] = start_node(self._nodes[self._victim], dies_with_this=True)
            progress(done, total)

        return step

    @contextmanager
    def _open(self, folder: Folder, _clock: Clock) -> Iterator[LedgerClient]:
        place = folder.root / FOLDER
        make_private_folder(place)
        genesis = parse_genesis(folder.genesis.read_bytes())
        genesis_time_s = min(genesis.genesis_time_s, int(time()))
        self._nodes = make_nodes(place, self._shape, self._keys, folder, genesis_time_s)
        client = NetworkClient(self._urls, genesis.chain_id)
        try:
            self._processes = [start_node(node, dies_with_this=True) for node in self._nodes]
            await_nodes(self._nodes)
            yield client
        finally:
            client.close()
            self._stop()

    def _rest(self, client: LedgerClient) -> None:
        """Wait until all nodes stand at one height, the one that came back too, and no block follows any more.

        A block's header tells the state before it: where that is the state after it, the block changed nothing.
        """
        deadline = monotonic() + AGREEMENT_S
        while True:
            told, state = statuses_of(self._nodes), client.status()
            agreed = _agreed(told)
            is_last = bool(agreed) and (told[0].height, agreed) == (state.height, state.app_hash.hex())
            if is_last or monotonic() > deadline:
                break
            sleep(LOOK_S)
        self.agreement = self._agreement(told, agreed if is_last else "")

    def _agreement(self, told: list[NodeStatus], agreed: str) -> Agreement:
        name = self._shape.seats[self._victim].name if self._killed_after else ""
        height = min((each.height or 0 for each in told), default=0)
        return Agreement(len(told), name, self._killed_after, self._back_after, height, agreed)

    def _stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(END_S)
            except TimeoutExpired:  # the story is told all the same; what it started dies with it
                process.kill()
                process.wait()


def _agreed(nodes: list[NodeStatus]) -> str:
    """The app hash that all nodes have at one height; empty where they do not."""
    hashes = {(each.height, each.app_hash) for each in nodes}
    (height, app_hash), *others = hashes
    return app_hash if height and not others and not any(each.waiting for each in nodes) else ""
