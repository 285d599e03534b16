"""Those who lie are refused by everyone in the same way, and named."""

from pathlib import Path

import pytest

from . import byzantine, twins
from .proposals import KINDS
from .rows import BY_NAME
from .town import ATTACKS
from .trial import Trial
from tests.engines import engine


@pytest.fixture(autouse=True)
def _engine() -> None:
    engine("cometbft")


def test_what_may_not_be_in_a_block_is_refused_and_its_proposer_stands_in_each_nodes_log(tmp_path: Path) -> None:
    trial = Trial(tmp_path, BY_NAME["proposer"].fast)
    byzantine.proposer(trial)
    assert all(trial.counts[kind] >= trial.times for kind in KINDS)


def test_what_is_false_gets_the_same_number_on_every_node_and_changes_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, BY_NAME["sender"].fast)
    byzantine.sender(trial)
    assert trial.counts == dict.fromkeys(ATTACKS, trial.times)


def test_who_votes_for_two_blocks_loses_its_power_and_the_others_go_on(tmp_path: Path) -> None:
    trial = Trial(tmp_path, BY_NAME["equivocation"].fast)
    byzantine.equivocation(trial)
    assert trial.counts["evidence landed, power taken"] == trial.times


def test_two_nodes_with_one_key_are_kept_out_or_stop_or_lose_its_power_and_the_others_go_on(tmp_path: Path) -> None:
    trial = Trial(tmp_path, BY_NAME["twins"].fast, quick=True)
    twins.twins(trial)
    assert trial.counts["kept out by the others"] == trial.times
    assert trial.counts["evidence landed, power taken"] == trial.times


def test_another_networks_transactions_and_votes_are_refused_by_its_chain_id(tmp_path: Path) -> None:
    trial = Trial(tmp_path, BY_NAME["foreign"].fast)
    byzantine.foreign(trial)
    assert trial.counts["transaction refused by its chain id"] > 0
    assert trial.counts["votes refused by their chain id"] == 1
