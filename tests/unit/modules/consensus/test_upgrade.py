"""Upgrades are scheduled, replaced, cancelled and reached: V-10 to V-12 of the module's README."""

import pytest

from gridproof.modules.consensus import queries
from gridproof.modules.consensus.changes import CancelUpgrade, ScheduleUpgrade
from gridproof.modules.consensus.errors import (
    NothingChanges,
    NoUpgrade,
    OtherGeneration,
    UpgradeTooSoon,
    VersionNotAbove,
)
from gridproof.modules.consensus.messages import UpgradeCancelled, UpgradeReached, UpgradeScheduled
from gridproof.modules.consensus.types import Scheduled
from gridproof.state.errors import UpgradeNeededError

from .network import AGGREGATORS, FIRST_FOUR, Network, application, setting

ONE, TWO, THREE, FOUR, FIVE = AGGREGATORS[:5]
WHO = (ONE, TWO, THREE)


@pytest.fixture
def network() -> Network:
    """Four validators with a power of 10 each."""
    return Network(FIRST_FOUR)


def scheduled(network: Network) -> Scheduled | None:
    """The upgrade ahead."""
    with network.application.reading() as view:
        return queries.upgrade(view)


def test_v10_an_upgrade_is_decided_like_any_change(network: Network) -> None:
    change = ScheduleUpgrade(2, 50)
    network.decide(change, ONE, TWO)
    assert scheduled(network) is None
    network.support(THREE, change)
    assert scheduled(network) == Scheduled(2, 50)
    assert network.events()[-1] == UpgradeScheduled(2, 50)
    assert network.application.app_version == 1
    network.refuses(ONE, change, NothingChanges)


def test_v10_nodes_get_ten_blocks_of_notice(network: Network) -> None:
    refusal = network.refuses(ONE, ScheduleUpgrade(2, 10), UpgradeTooSoon)
    assert refusal.particulars == {"height": 10, "earliest": 11}
    network.support(ONE, ScheduleUpgrade(2, 12))  # in block 2
    assert network.refuses(TWO, ScheduleUpgrade(2, 12), UpgradeTooSoon).particulars["earliest"] == 13, (
        "it counts from the block that decides"
    )


def test_v11_a_version_only_rises(network: Network) -> None:
    refusal = network.refuses(ONE, ScheduleUpgrade(1, 50), VersionNotAbove)
    assert refusal.particulars == {"version": 1, "present": 1}


def test_v10_another_upgrade_takes_the_place_of_the_first(network: Network) -> None:
    network.decide(ScheduleUpgrade(2, 50), *WHO)
    network.decide(ScheduleUpgrade(3, 40), *WHO)
    assert scheduled(network) == Scheduled(3, 40)


def test_v10_an_upgrade_can_be_cancelled(network: Network) -> None:
    network.refuses(ONE, CancelUpgrade(), NoUpgrade)
    network.decide(ScheduleUpgrade(2, 50), *WHO)
    network.decide(CancelUpgrade(), *WHO)
    assert scheduled(network) is None
    assert network.events()[-1] == UpgradeCancelled(2, 50)


def test_v12_a_program_that_is_too_old_stops_at_the_height_and_a_newer_one_goes_on(network: Network) -> None:
    network.decide(ScheduleUpgrade(2, 14), *WHO)
    network.support(ONE, setting(FIVE))
    while network.application.info().height < 13:
        network.block()
    before = network.contents()
    with pytest.raises(UpgradeNeededError) as stopped:
        network.block()
    assert stopped.value.particulars == {"height": 14, "needed": 2, "program": 1}
    assert network.contents() == before
    assert "start the node again" in str(stopped.value)

    network.application = application(network.store, version=2)
    assert network.application.app_version == 1
    result = network.block()
    assert result.app_version == 2
    assert network.events() == [UpgradeReached(2)]
    assert network.application.app_version == 2
    assert scheduled(network) is None
    assert network.block().app_version is None
    network.refuses(TWO, setting(FIVE), OtherGeneration, generation=1)


def test_v12_the_old_program_does_not_open_what_the_new_one_wrote(network: Network) -> None:
    network.decide(ScheduleUpgrade(2, 14), *WHO)
    network.application = application(network.store, version=2)
    while network.application.info().height < 14:
        network.block()
    with pytest.raises(UpgradeNeededError) as stopped:
        application(network.store)
    assert stopped.value.particulars == {"height": 15, "needed": 2, "program": 1}
