"""A disk fails; a node stops with a sentence, comes back, and never signs twice."""

from pathlib import Path

import pytest

from . import storage
from .rows import BY_NAME
from .trial import Trial
from tests.engines import engine


@pytest.fixture(autouse=True)
def _engine() -> None:
    engine("cometbft")


def test_what_is_lost_or_torn_on_disk_ends_in_a_sentence_and_the_right_recovery_and_no_key_signs_twice(
    tmp_path: Path,
) -> None:
    trial = Trial(tmp_path, BY_NAME["storage"].fast, quick=True)
    storage.storage(trial, engine("faulty"))
    assert {what: trial.counts[what] for what in storage.FAULTS} == dict.fromkeys(storage.FAULTS, trial.times)
