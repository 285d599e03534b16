"""Roster files are held against the ledger: rules R-1 and R-2."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.actors.errors import NodeUnclearError, NoRosterError
from gridproof.actors.public_rosters import PublicRosters
from gridproof.connectors.rosters import RosterFiles
from gridproof.domain import Direction, RegionId, Slot, roster_leaf
from gridproof.modules.aggregation import queries as aggregation
from gridproof.primitives import merkle
from gridproof.primitives.bloom import BloomFilter

from tests.simulation.village import OCTOBER, REGION, Village, slot

PLACE = (REGION, Direction.IMPORT, OCTOBER, 1)


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        village.enrol([f"meter {n}" for n in range(4)])
        village.read((f"meter {n}", 0, 5) for n in range(4))
        village.run(1)
        yield village


@pytest.fixture
def files(village: Village) -> RosterFiles:
    return RosterFiles(village.folder / "public")


def rosters(village: Village) -> PublicRosters:
    return PublicRosters(RosterFiles(village.folder / "public"), village.crew.operator)


def test_a_roster_that_agrees_with_the_ledger_is_used(village: Village) -> None:
    roster = rosters(village).of(slot(3))
    bound = village.client.ask(aggregation.roster, *slot(3))
    assert bound is not None
    assert (roster.root, len(roster.leaves)) == (bound.root, bound.count)
    assert merkle.root(roster.leaves) == bound.root
    assert all(roster.leaves[at] == leaf for leaf, at in roster.positions.items())


def test_empty_leaves_are_found_with_their_path(village: Village) -> None:
    public = rosters(village)
    missing = village.client.ask(aggregation.missing, *slot(0))
    find = public.find_missing(slot(0), missing[:1])
    roster = public.of(slot(0))
    prids = [record.prid for body in village.client.ask(aggregation.bodies, *slot(0)) for record in body.records]
    assert all(find(prid) is None for prid in prids)
    everyone = public.find_missing(slot(0), range(len(roster.leaves)))
    for prid in prids:
        found = everyone(prid)
        assert found is not None
        merkle.verify_inclusion(roster.root, len(roster.leaves), found[0], roster_leaf(prid), found[1])


def test_r1_other_leaves_are_refused(village: Village, files: RosterFiles) -> None:
    path = files.leaves_path(*PLACE)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert rosters(village).of(slot(94))
    with pytest.raises(NoRosterError, match="another root") as refused:
        rosters(village).of(slot(95))
    assert (refused.value.region, refused.value.channel, refused.value.k) == (REGION, "import", slot(95).k)


def test_r2_another_filter_is_refused(village: Village, files: RosterFiles) -> None:
    files.filter_path(*PLACE).write_bytes(BloomFilter.sized(10, 10).to_bytes())
    with pytest.raises(NoRosterError, match="filter is another"):
        rosters(village).of(slot(1))


@pytest.mark.parametrize("kind", ["leaves", "filter"])
def test_without_a_file_there_is_no_roster(village: Village, files: RosterFiles, kind: str) -> None:
    (files.leaves_path if kind == "leaves" else files.filter_path)(*PLACE).unlink()
    with pytest.raises(NoRosterError, match="no such file"):
        rosters(village).of(slot(1))


@pytest.mark.parametrize(
    "stranger",
    [slot(96), slot(0, Direction.EXPORT), Slot(RegionId(9), Direction.IMPORT, slot(0).k)],
    ids=["month", "channel", "region"],
)
def test_a_slot_that_the_ledger_has_no_roster_for_has_none_here(village: Village, stranger: Slot) -> None:
    with pytest.raises(NoRosterError, match="the ledger has none"):
        rosters(village).of(stranger)


def test_a_roster_that_a_revocation_changed_is_read_again_once_the_ledger_is_asked(village: Village) -> None:
    public = rosters(village)
    before = public.of(slot(9))
    village.crew.provider.revoke("meter 2", slot(8).k)
    village.settle()
    assert public.of(slot(9)) is before
    public.recheck()
    after = public.of(slot(9))
    assert (after.root != before.root, len(after.leaves)) == (True, len(before.leaves))
    assert len(set(before.leaves) - set(after.leaves)) == 2


def test_a_region_that_nobody_serves_has_no_surroundings(village: Village) -> None:
    with pytest.raises(NodeUnclearError, match="find region 9"):
        village.crew._surroundings(9)
