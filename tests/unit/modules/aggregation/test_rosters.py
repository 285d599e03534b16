"""Rules A-1 to A-7: months, slots, rosters."""

import pytest

from gridproof.domain import Direction, MonthId
from gridproof.modules.aggregation import queries
from gridproof.modules.aggregation.errors import (
    BadEpochStart,
    OddRoster,
    RemovedMalformed,
    RootsMismatch,
    RosterResized,
    RosterTooLate,
    RosterUnknown,
)
from gridproof.modules.aggregation.messages import CloseSlot, RostersPublished
from gridproof.modules.aggregation.types import NOTHING_REMOVED, Roster, Status
from gridproof.modules.registry.errors import MonthUnknown, NoMonth, NotPermitted
from gridproof.modules.registry.messages import EnrolMeter, OpenMonth
from gridproof.primitives import merkle
from gridproof.primitives.hashing import sha256
from gridproof.state.errors import MalformedTransaction

from .community import FILTER_HASH, FIRST_K, GENESIS_TIME_S, MONTH, REGION, Community

IMPORT = Direction.IMPORT


def test_rosters_bind_from_the_months_first_period_to_its_end(town: Community) -> None:
    roots = [merkle.root(town.leaves(k)) for k in range(FIRST_K, FIRST_K + 3)]
    assert [town.ask(queries.roster, REGION, IMPORT, FIRST_K + n) for n in range(3)] == [Roster(r, 10) for r in roots]
    (epoch,) = town.ask(queries.epochs, REGION, IMPORT, MONTH)
    assert (epoch.from_k, epoch.until_k, epoch.count) == (FIRST_K, FIRST_K + 3, 10)
    assert epoch.filter_hash == FILTER_HASH
    assert epoch.rosters_root == merkle.root(roots)
    assert epoch.removed_root == NOTHING_REMOVED


def test_a2_a_slot_without_a_roster_does_not_exist(town: Community) -> None:
    town.go_to(town.window_end_of(FIRST_K))
    town.refuses_by(
        "household",
        CloseSlot(REGION, Direction.EXPORT, FIRST_K),
        RosterUnknown,
        region=REGION,
        channel=Direction.EXPORT,
        k=FIRST_K,
    )
    town.refuses_by("household", CloseSlot(REGION, IMPORT, FIRST_K + 3), NoMonth, region=REGION, k=FIRST_K + 3)


@pytest.mark.parametrize("name", ["operator", "first", "household"])
def test_a3_only_a_bill_provider_publishes(town: Community, name: str) -> None:
    town.refuses(name, town.rosters(FIRST_K + 1), code=NotPermitted.code)


def test_a3_an_odd_number_of_leaves_is_refused(town: Community) -> None:
    town.refuses_by("provider", town.rosters(FIRST_K + 1, count=9), OddRoster, count=9)


@pytest.mark.parametrize("count", [0, 65_538, -2])
def test_a3_a_roster_has_2_to_65536_leaves(town: Community, count: int) -> None:
    town.refuses("provider", town.rosters(FIRST_K + 1, count=count), code=MalformedTransaction.code)


@pytest.mark.parametrize("roots", [b"", bytes(33), bytes(31)])
def test_a3_roots_are_32_bytes_each(town: Community, roots: bytes) -> None:
    town.refuses_by("provider", town.rosters(FIRST_K + 1, roots=roots), RootsMismatch, size=len(roots), expected=None)


@pytest.mark.parametrize("periods", [1, 3])
def test_a3_there_is_a_root_for_each_period(town: Community, periods: int) -> None:
    message = town.rosters(FIRST_K + 1, roots=bytes(32 * periods))
    town.refuses_by("provider", message, RootsMismatch, size=32 * periods, expected=64)


def test_a3_the_month_must_have_been_opened(town: Community) -> None:
    message = town.rosters(month=MONTH + 1)
    town.refuses_by("provider", message, MonthUnknown, region=REGION, month=MONTH + 1)


@pytest.mark.parametrize("outside", [FIRST_K - 1, FIRST_K + 3])
def test_a4_the_first_epoch_begins_within_the_month(outside: int) -> None:
    town = Community()
    bounds = town.bounds
    town.accepts("operator", OpenMonth(REGION, bounds.month, bounds.start_s, bounds.end_s))
    message = town.rosters(FIRST_K + 1, from_k=outside)
    town.refuses_by("provider", message, BadEpochStart, from_k=outside, low_k=FIRST_K, high_k=FIRST_K + 2)


def test_a4_a_late_first_epoch_costs_the_slots_before_it_and_no_more() -> None:
    town = Community()
    bounds = town.bounds
    town.accepts("operator", OpenMonth(REGION, bounds.month, bounds.start_s, bounds.end_s))
    for n in range(town.enrolled):
        town.accepts("provider", EnrolMeter(bytes([n + 1]) * 16, REGION, (1,), FIRST_K))
    town.go_to(town.end_of(FIRST_K))
    town.refuses("provider", town.rosters(), code=RosterTooLate.code)
    town.accepts("provider", town.rosters(FIRST_K + 1))
    town.refuses("household", CloseSlot(REGION, IMPORT, FIRST_K), code=RosterUnknown.code)
    town.opened(FIRST_K + 1)
    town.go_to(town.claim_end_of(FIRST_K + 2))
    town.accepts("operator", town.month_over)
    ends = [town.ask(queries.folded_slot, REGION, IMPORT, MONTH, FIRST_K + n).state for n in range(3)]
    assert [end.status for end in ends] == [Status.VOID, Status.OPENED, Status.VOID]
    assert [end.count for end in ends] == [0, 10, 10]


def test_a4_a_second_first_publication_is_refused_and_the_first_stays(town: Community) -> None:
    message = town.rosters(roots=bytes(96))
    town.refuses_by("provider", message, BadEpochStart, from_k=FIRST_K, low_k=FIRST_K + 1, high_k=FIRST_K + 2)
    assert town.ask(queries.roster, REGION, IMPORT, FIRST_K).root == merkle.root(town.leaves(FIRST_K))


def test_a4_a_later_epoch_lies_within_the_month(town: Community) -> None:
    message = town.rosters(FIRST_K + 1, from_k=FIRST_K + 3)
    town.refuses_by("provider", message, BadEpochStart, from_k=FIRST_K + 3, low_k=FIRST_K + 1, high_k=FIRST_K + 2)


def test_a4_the_number_of_leaves_stays_all_month(town: Community) -> None:
    town.refuses_by("provider", town.rosters(FIRST_K + 1, count=12), RosterResized, count=12, expected=10)


@pytest.mark.parametrize("removed", [bytes(31), bytes(64), b"\x02" * 32 + b"\x01" * 32])
def test_a5_removed_leaves_are_32_bytes_each_and_ascend(town: Community, removed: bytes) -> None:
    message = town.rosters(FIRST_K + 1, removed=removed)
    town.refuses_by("provider", message, RemovedMalformed, size=len(removed))


def test_a6_a_slot_whose_window_is_open_keeps_its_roster(town: Community) -> None:
    town.go_to(town.end_of(FIRST_K + 1))
    town.refuses_by(
        "provider",
        town.rosters(FIRST_K + 1, roots=bytes(64)),
        RosterTooLate,
        now_s=town.end_of(FIRST_K + 1),
        end_s=town.end_of(FIRST_K + 1),
    )
    assert town.ask(queries.roster, REGION, IMPORT, FIRST_K + 1).root == merkle.root(town.leaves(FIRST_K + 1))


def test_a6_a_second_before_the_window_a_roster_may_still_change(town: Community) -> None:
    town.go_to(town.end_of(FIRST_K + 1) - 1)
    town.accepts("provider", town.rosters(FIRST_K + 1, roots=bytes(64)))
    assert town.ask(queries.roster, REGION, IMPORT, FIRST_K + 1).root == bytes(32)


def test_a7_a_later_epoch_replaces_the_rest_of_the_month_and_ends_the_one_before(town: Community) -> None:
    removed = sorted(sha256(bytes([n])) for n in range(4))
    before = town.ask(queries.epoch_of, REGION, IMPORT, MONTH, FIRST_K)
    event = town.accepts("provider", town.rosters(FIRST_K + 2, roots=b"\x05" * 32, removed=b"".join(removed)))
    assert event == RostersPublished(REGION, IMPORT, MONTH, 2, FIRST_K + 2, 10, FILTER_HASH)
    first, second = town.ask(queries.epochs, REGION, IMPORT, MONTH)
    assert (first.from_k, first.until_k, first.rosters_root) == (FIRST_K, FIRST_K + 2, before.rosters_root)
    assert (second.from_k, second.until_k) == (FIRST_K + 2, FIRST_K + 3)
    assert second.rosters_root == merkle.root([b"\x05" * 32])
    assert second.removed_root == merkle.root(removed)
    assert town.ask(queries.roster, REGION, IMPORT, FIRST_K + 1).root == merkle.root(town.leaves(FIRST_K + 1))
    assert town.ask(queries.roster, REGION, IMPORT, FIRST_K + 2).root == b"\x05" * 32
    assert town.ask(queries.last_epoch, REGION, IMPORT, MONTH) == 2
    assert town.ask(queries.epoch_of, REGION, IMPORT, MONTH, FIRST_K + 1) == first
    assert town.ask(queries.epoch_of, REGION, IMPORT, MONTH, FIRST_K + 2) == second
    assert town.ask(queries.epoch_of, REGION, IMPORT, MONTH, FIRST_K + 3) is None


def test_channels_have_epochs_of_their_own() -> None:
    town = Community().begin((IMPORT, Direction.EXPORT))
    town.accepts("provider", town.rosters(FIRST_K + 1, channel=Direction.EXPORT))
    assert town.ask(queries.last_epoch, REGION, IMPORT, MONTH) == 1
    assert town.ask(queries.last_epoch, REGION, Direction.EXPORT, MONTH) == 2
    assert town.ask(queries.last_epoch, REGION, IMPORT, MonthId(MONTH + 1)) == 0
    assert town.now_s == GENESIS_TIME_S
