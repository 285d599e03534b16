"""Whatever happens to one of four nodes, the ledger is one, and nothing that was acknowledged is lost."""

from pathlib import Path

import pytest

from . import processes
from .processes import ACTIONS
from .rows import BY_NAME
from .trial import Trial
from tests.engines import engine


@pytest.fixture(autouse=True)
def _engine() -> None:
    engine("cometbft")


def test_killed_paused_disconnected_and_restarted_at_random_the_nodes_agree_and_lose_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, BY_NAME["chaos"].fast, quick=True)
    processes.chaos_of_four(trial)
    assert {what: trial.counts[f"{what}, 4 nodes"] for what in ACTIONS} == dict.fromkeys(ACTIONS, trial.times)
    assert trial.counts["acknowledged"] > 0
