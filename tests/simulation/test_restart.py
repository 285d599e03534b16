"""Killed at any step, a community goes on where it was: nothing is lost, and nothing counts twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors.bill_provider.keys import Keys
from gridproof.actors.bill_provider.places import PlaceBook
from gridproof.actors.conductor import Conductor
from gridproof.actors.seat import Seat
from gridproof.actors.transport import DirectTransport
from gridproof.connectors.inbox import Inbox
from gridproof.connectors.outbox import Outbox
from gridproof.connectors.rosters import RosterFiles
from gridproof.connectors.secret_files import SecretFiles
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import Status

from tests.simulation.village import Village, slot

NAMES = [f"meter {n}" for n in range(4)]
PERIODS = 3
MONTH_PERIODS = 2  # so that the run leads the keys on to a second month
STEPS: list[tuple[type, str]] = [
    (Conductor, "_round"),
    (DirectTransport, "deliver"),
    (EmbeddedLedger, "make_block"),
    (Inbox, "put"),
    (Keys, "_save"),
    (Keys, "keep_owners"),
    (Keys, "keep_views"),
    (Outbox, "put"),
    (Outbox, "receipted"),
    (PlaceBook, "save"),
    (RosterFiles, "write"),
    (SecretFiles, "write"),
    (Seat, "send"),
    (Seat, "settle"),
]


class KilledError(BaseException):
    """Stands for SIGKILL: nobody catches it."""


class Killer:
    """Kills at the n-th step, right before or right after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self.count = 0
        for owner, name in STEPS:
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            self._tick()
            result = step(*args, **kwargs)
            self._tick()
            return result

        return run

    def _tick(self) -> None:
        self.count += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KilledError


def reading(name: str, n: int) -> int:
    return 10 + NAMES.index(name) + 100 * n


def prepared(folder: Path) -> None:
    with Village(folder, aggregators=1, spares=1) as village:
        village.enrol(NAMES)
        village.read((name, n, reading(name, n)) for n in range(PERIODS) for name in NAMES)


def run(folder: Path) -> None:
    with Village(folder, aggregators=1, spares=1) as village:
        village.run(PERIODS, month_periods=MONTH_PERIODS)


def require_whole(folder: Path) -> None:
    with Village(folder, aggregators=1, spares=1) as village:
        for n in range(PERIODS):
            state = village.state(n)
            assert state.status == Status.OPENED
            assert state.total_wh == sum(reading(name, n) for name in NAMES)
            assert (state.filled_count, state.live_pairs) == (2 * len(NAMES), len(NAMES))
            prids = [
                record.prid for body in village.client.ask(aggregation.bodies, *slot(n)) for record in body.records
            ]
            assert len(set(prids)) == len(prids) == 2 * len(NAMES)
        village.ledger.application.check_invariants()


def steps_of_a_run(folder: Path) -> int:
    with pytest.MonkeyPatch.context() as monkeypatch:
        prepared(folder)
        killer = Killer(monkeypatch)
        run(folder)
        return killer.count


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> int:
    return steps_of_a_run(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("share", range(40))
def test_killed_anywhere_the_run_goes_on_and_nothing_counts_twice(
    tmp_path: Path, steps: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path)
    killer = Killer(monkeypatch)
    killer.left = (steps * share + share % 7) // 40
    with pytest.raises(KilledError):
        run(tmp_path)
    killer.left = None
    run(tmp_path)
    require_whole(tmp_path)


def test_killed_again_and_again_the_run_comes_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    killer = Killer(monkeypatch)
    kills = 0
    while True:
        killer.left = 60
        try:
            run(tmp_path)
            break
        except KilledError:
            kills += 1
            assert kills < 100, "no way forward"
    assert kills >= 3
    require_whole(tmp_path)


def test_killed_while_enrolling_the_ledger_learns_of_the_meters_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Village(tmp_path, aggregators=1) as village:
        with monkeypatch.context() as patch:
            killer = Killer(patch)
            killer.left = 24
            with pytest.raises(KilledError):
                village.enrol(NAMES)
        village.read((name, 0, 5) for name in NAMES)
    with Village(tmp_path, aggregators=1) as village:
        village.run(1)
        assert village.state(0).enrolled == len(NAMES)


def test_a_finished_run_does_nothing_more(tmp_path: Path) -> None:
    prepared(tmp_path)
    run(tmp_path)
    with Village(tmp_path, aggregators=1, spares=1) as village:
        before = village.ledger.head
        village.run(PERIODS, month_periods=MONTH_PERIODS)
        assert village.ledger.head == before
        assert village.watcher.ended == {}
