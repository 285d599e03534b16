"""A clock is wrong; the network goes on, and whoever has it says so."""

from pathlib import Path

import pytest

from . import storage
from .rows import BY_NAME
from .trial import Trial
from tests.engines import engine


@pytest.fixture(autouse=True)
def _engine() -> None:
    engine("cometbft")


def test_a_clock_that_is_an_hour_off_stops_nobody_else_and_its_node_says_so(tmp_path: Path) -> None:
    trial = Trial(tmp_path, BY_NAME["clock"].fast, quick=True)
    storage.clock(trial, engine("faulty"))
    assert (trial.counts["ahead"], trial.counts["behind"]) == (trial.times, trial.times)


def test_a_clock_that_jumps_under_a_running_node_stops_nobody_and_its_node_goes_on_once_it_is_back(
    tmp_path: Path,
) -> None:
    trial = Trial(tmp_path, BY_NAME["jump"].fast, quick=True)
    storage.jump(trial, engine("faulty"))
    assert trial.counts["an hour ahead and back"] == trial.counts["an hour behind and back"] == trial.times
