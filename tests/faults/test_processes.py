"""Processes die, stop and lose their wires; the ledger is one, and nothing that was acknowledged is lost."""

from pathlib import Path

import pytest

from . import processes
from .processes import STEPS
from .rows import BY_NAME
from .trial import Trial
from tests.engines import engine


@pytest.fixture(autouse=True)
def _engine() -> None:
    engine("cometbft")


def test_killed_before_and_after_each_call_of_a_block_the_application_comes_back_to_the_same_hash(
    tmp_path: Path,
) -> None:
    trial = Trial(tmp_path, BY_NAME["kill-points"].fast, quick=True)
    processes.kill_points(trial)
    assert {step: trial.counts[step] for step in STEPS} == dict.fromkeys(STEPS, trial.times)
    assert trial.counts["acknowledged"] > 0


def test_without_two_thirds_of_the_power_no_block_comes_the_nodes_say_so_and_go_on_once_they_have_it(
    tmp_path: Path,
) -> None:
    trial = Trial(tmp_path, BY_NAME["third"].fast, quick=True)
    processes.third(trial)
    assert trial.counts["halted and resumed"] == trial.times
