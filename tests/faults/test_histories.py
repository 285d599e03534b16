"""A chain's history is the same whoever drives the Application."""

from pathlib import Path

from . import histories
from .trial import Trial
from tests.engines import engine


def test_an_embedded_history_comes_to_the_same_app_hash_at_every_height_behind_a_networks_engine() -> None:
    assert histories.from_embedded() > 0


def test_a_networks_history_comes_to_the_same_app_hash_at_every_height_embedded(tmp_path: Path) -> None:
    engine("cometbft")
    trial = Trial(tmp_path, 1)
    histories.histories(trial)
    assert trial.counts["blocks of a network replayed embedded"] > 0
