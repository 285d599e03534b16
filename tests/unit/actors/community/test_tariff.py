"""The tariff with which a community's months are opened."""

from pathlib import Path

import pytest

from gridproof.actors.community import Community
from gridproof.connectors.config import Aggregator, Region, Settings, render
from gridproof.connectors.config import Community as About
from gridproof.connectors.tariff_file import TariffInvalidError, default_tariff, parse_tariff
from gridproof.domain import RegionId, month_id

FLAT = 'name = "Flat"\n[import]\nscheme = "flat"\nprice = 0.2\n[feed-in]\nscheme = "flat"\nprice = 0.1\n'
NORTH, SOUTH = RegionId(1), RegionId(2)


@pytest.fixture
def community(tmp_path: Path) -> Community:
    settings = Settings(
        community=About(name="C", zone="Europe/Zurich", currency="EUR"),
        regions=(Region(number=1, name="North"), Region(number=2, name="South")),
        aggregators=(Aggregator(name="a"),),
    )
    (tmp_path / "gridproof.toml").write_text(render(settings), encoding="utf-8")
    return Community(tmp_path)


def test_without_a_file_there_are_no_prices(community: Community) -> None:
    bounds = community.calendar.bounds(month_id(2025, 10))
    assert community.tariff(NORTH, bounds) is None
    assert community.tariff_plan(NORTH) is None


def test_the_file_is_cut_for_the_month_in_the_communitys_currency(community: Community) -> None:
    community.folder.tariff.write_text(default_tariff("EUR"), encoding="utf-8")
    bounds = community.calendar.bounds(month_id(2025, 10))
    tariff = community.tariff(NORTH, bounds)
    plan = parse_tariff(default_tariff("EUR").encode())
    assert tariff is not None
    assert tariff == plan.for_month(community.calendar, bounds, "EUR")
    assert tariff.currency == "EUR"


def test_a_region_may_have_a_file_of_its_own(community: Community) -> None:
    community.folder.tariff.write_text(default_tariff("EUR"), encoding="utf-8")
    (community.folder.root / "tariff-2.toml").write_text(FLAT, encoding="utf-8")
    bounds = community.calendar.bounds(month_id(2025, 10))
    names = [tariff.name for region in (NORTH, SOUTH) if (tariff := community.tariff(region, bounds))]
    assert names == ["Community tariff", "Flat"]


def test_a_faulty_file_is_refused_and_read_anew_once_it_is_mended(community: Community) -> None:
    community.folder.tariff.write_text(FLAT.replace("0.2", "0.123456"), encoding="utf-8")
    bounds = community.calendar.bounds(month_id(2025, 10))
    with pytest.raises(TariffInvalidError) as refusal:
        community.tariff(NORTH, bounds)
    assert refusal.value.path == str(community.folder.tariff)
    assert [fault.key for fault in refusal.value.faults] == ["import.price"]
    community.folder.tariff.write_text(FLAT, encoding="utf-8")
    assert community.tariff(NORTH, bounds) is not None
