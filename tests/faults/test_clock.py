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
    storage.clock(trial, engine("skewed"))
    assert (trial.counts["ahead"], trial.counts["behind"]) == (trial.times, trial.times)
