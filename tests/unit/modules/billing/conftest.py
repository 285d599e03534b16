"""The community that the tests of bills begin with."""

import pytest

from tests.unit.modules.aggregation.community import TARIFF, Community


@pytest.fixture
def open_town() -> Community:
    """Four meters, a month of three periods with a tariff, its first slot opened and priced; still open."""
    town = Community().begin(tariff=TARIFF)
    k = town.bounds.first_k
    town.opened(k)
    town.accepts("center", town.price(k))
    return town


@pytest.fixture
def town(open_town: Community) -> Community:
    """The same, its month closed."""
    return open_town.end_month()
